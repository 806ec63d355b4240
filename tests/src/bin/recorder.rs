//! A phone that records as fast as it can and says each record only when it is saved.
//!
//! `recorder STORE SEED PATROL ELAPSED_MS`: prints one fact id a line. Made to be killed at any
//! moment.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use onscene_mobile::{Device, Job, OpenConfig};
use onscene_sync_core::fact::body::{Outcome, OutcomeReport};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;
use onscene_tests::handset::{BEGINNING, Clocks, Handset, WorldTime};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, seed, patrol, elapsed] = &arguments[..] else { return ExitCode::FAILURE };
    let (Ok(seed), Ok(patrol), Ok(elapsed)) = (seed.parse(), patrol.parse(), elapsed.parse())
    else {
        return ExitCode::FAILURE;
    };
    record(PathBuf::from(store), seed, patrol, elapsed)
}

fn record(path: PathBuf, seed: u64, patrol: DocId, elapsed: i64) -> ! {
    let world = WorldTime::at(Millis(BEGINNING));
    let handset = Handset::new(Clocks::new(&world, 1, 0, 0), seed);
    world.pass(elapsed);
    let config = OpenConfig { path, model: "recorder".to_owned(), app_version: "1".to_owned() };
    let mut device = Device::open(config, handset.host()).expect("the store opens");
    let job = Job::Inspection(patrol);
    let mut n = 0_u64;
    loop {
        say(device.note(job, &format!("remark {n}")).expect("saved"));
        if n.is_multiple_of(7) {
            let report = OutcomeReport {
                outcome: Outcome::Unfounded,
                text: "done".to_owned(),
                evidence: Vec::new(),
                complainant_told: None,
            };
            say(device.outcome(job, report).expect("saved"));
        }
        n += 1;
    }
}

fn say(fact: FactId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{fact}").and_then(|()| out.flush()).expect("somebody reads");
}

//! A phone that records remarks as fast as it can and says each one only when it is saved.
//!
//! `recorder STORE SEED`: prints one fact id a line. Made to be killed at any moment.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use onscene_mobile::{Device, Job, OpenConfig};
use onscene_sync_core::time::Millis;
use onscene_tests::handset::{Clocks, Handset, WorldTime};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(seed)) = (arguments.next(), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    let Ok(seed) = seed.parse() else { return ExitCode::FAILURE };
    let world = WorldTime::at(Millis(1_795_392_000_000));
    let handset = Handset::new(Clocks::new(&world, 1, 0, 0), seed);
    let config = OpenConfig {
        path: PathBuf::from(path),
        model: "recorder".to_owned(),
        app_version: "1".to_owned(),
    };
    let mut device = Device::open(config, handset.host()).expect("the store opens");
    let patrol = match device.patrols().expect("patrols").first() {
        Some(patrol) => *patrol,
        None => device.begin_patrol().expect("a patrol begins"),
    };
    let mut out = std::io::stdout().lock();
    for n in 0.. {
        let fact = device.note(Job::Inspection(patrol), &format!("remark {n}")).expect("saved");
        writeln!(out, "{fact}").and_then(|()| out.flush()).expect("somebody reads");
        if n % 7 == 0 {
            let report = onscene_sync_core::fact::body::OutcomeReport {
                outcome: onscene_sync_core::fact::body::Outcome::Stopped,
                text: "done".to_owned(),
                evidence: Vec::new(),
                complainant_told: None,
            };
            let fact = device.outcome(Job::Inspection(patrol), report).expect("saved");
            writeln!(out, "{fact}").and_then(|()| out.flush()).expect("somebody reads");
        }
    }
    ExitCode::SUCCESS
}

//! The drain: everybody worked offline, the server has just been restarted, all come back at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use onscene_mobile::{ItemState, Job};
use onscene_server::hub::verify::verify;
use onscene_server::store::{RowExt as _, Store, StoreError};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::body::{Manifest, Media, Outcome, OutcomeReport};
use onscene_sync_core::id::FactId;
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use onscene_sync_core::sync::message::{Push, SyncRequest};
use onscene_sync_core::sync::wire as codec;
use onscene_tests::process::Server;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::figures::{Goal, Table};
use super::limits::{self, Pushed};
use super::phone::Phone;
use super::usage;
use super::wire::Traffic;

/// Documents of each phone that get changes.
const VISITED: usize = 10;
/// Changes of each of those.
const CHANGES: usize = 5;

/// What a drain came to.
pub(crate) struct Drained {
    pub(crate) pushed: Vec<Pushed>,
    changes: f64,
    devices: f64,
    /// Until everybody had their first answer.
    wall: Duration,
    /// Of the server, until every phone had nothing more to send.
    cpu: Duration,
    /// And until the server had done what follows from the records.
    cpu_settled: Duration,
    traffic: Traffic,
    resident: f64,
    peak: f64,
}

/// Records on every phone, restarts the server, lets all phones come back at the same moment.
/// `round` chooses documents that no other round uses.
pub(crate) async fn drain(
    server: &mut Server,
    phones: &mut [Phone],
    record: fn(&mut Phone, Job),
    round: usize,
) -> Drained {
    for phone in phones.iter_mut() {
        let work = phone.device.my_work().expect("the store works");
        for item in work.iter().skip(round * VISITED).take(VISITED) {
            record(phone, Job::Order(item.order));
        }
        let saved = phone.device.counts().expect("counts").saved;
        assert_eq!(saved, (VISITED * CHANGES) as u64, "all that was recorded waits");
    }
    server.kill_and_restart().await;
    let mut requests = Vec::new();
    let mut pushed = Vec::new();
    for (n, phone) in phones.iter_mut().enumerate() {
        phone.connect().await;
        phone.device.sync_soon();
        let request = phone.next().expect("there is something to send");
        pushed.push(Pushed {
            device: phone.device.standing().expect("the store works").expect("enrolled").device,
            key: phone.handset.host().keys.public_key().expect("a key in memory"),
            push: pushes(&request.body),
        });
        requests.push((n, phone.wire.take().expect("it connected"), request));
    }
    let changes: usize = pushed.iter().map(|phone| phone.push.len()).sum();
    assert_eq!(changes, phones.len() * VISITED * CHANGES, "everything fits into the first request");

    let (cpu, start) = (usage::cpu(server.pid()), Instant::now());
    let mut answers = JoinSet::new();
    for (n, mut wire, request) in requests {
        answers.spawn(async move {
            let reply = wire.exchange(&request).await;
            (n, wire, request.id, reply)
        });
    }
    let answers = answers.join_all().await;
    let wall = start.elapsed();
    let mut traffic = Traffic::default();
    for (n, wire, id, reply) in answers {
        let phone = &mut phones[n];
        phone.wire = Some(wire);
        phone.apply(id, &reply);
        phone.go_on().await;
        traffic.add(phone.wire.as_ref().expect("it is back").traffic);
        let counts = phone.device.counts().expect("counts");
        assert_eq!((counts.saved, counts.refused), (0, 0), "everything was accepted");
    }
    let cpu_answered = usage::cpu(server.pid()) - cpu;
    let (resident, peak) = usage::memory(server.pid());
    usage::settle(server).await;
    Drained {
        pushed,
        changes: changes as f64,
        devices: phones.len() as f64,
        wall,
        cpu: cpu_answered,
        cpu_settled: usage::cpu(server.pid()) - cpu,
        traffic,
        resident,
        peak,
    }
}

fn pushes(body: &[u8]) -> Vec<Push> {
    let plain = codec::decompress(body).expect("phones compress");
    codec::decode::<SyncRequest>(&plain).expect("phones send sync requests").push
}

/// Five records from which nothing else follows: two remarks and three pieces of evidence.
pub(crate) fn record_plainly(phone: &mut Phone, job: Job) {
    for text in ["摊主已劝离", "现场恢复通行"] {
        phone.device.note(job, text).expect("saved");
    }
    evidence(phone, job);
}

/// A visit: arrival, three pieces of evidence, outcome. The server judges the arrival and feeds the
/// outcome back to the case.
pub(crate) fn record_visits(phone: &mut Phone, job: Job) {
    let tap = phone.handset.clocks.reading();
    let fixes = (0..6_u64).rev().map(|n| fix(tap.boot_ns - n * 5_000_000_000)).collect();
    phone.device.arrive(job, tap, Datum::Wgs84, fixes).expect("saved");
    let evidence = evidence(phone, job);
    let report = OutcomeReport {
        outcome: Outcome::Stopped,
        text: "已现场制止并恢复通行".to_owned(),
        evidence,
        complainant_told: None,
    };
    phone.device.outcome(job, report).expect("saved");
}

fn evidence(phone: &mut Phone, job: Job) -> Vec<FactId> {
    (0..3_u8)
        .map(|n| {
            let manifest = Manifest {
                sha256: sha256(&[n]),
                bytes: 2_400_000,
                media: Media::Photo,
                captured: true,
                taken: phone.handset.clocks.reading(),
                fix: None,
                datum: None,
                before: None,
            };
            phone.device.attach_manifest(job, manifest).expect("saved")
        })
        .collect()
}

fn fix(boot_ns: u64) -> Fix {
    Fix {
        position: Position { lat_e7: 366_500_000, lon_e7: 1_170_000_000 },
        accuracy_mm: 8_000,
        boot_ns,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: Some(9),
        fix_wall_ms: None,
    }
}

/// SIGKILL, restart: every record that a phone shows as delivered is in the database, and every
/// document can be rebuilt from its log.
pub(crate) async fn check_after_a_kill(server: &mut Server, hub: &Path, phones: &[Phone]) {
    server.kill_and_restart().await;
    let url = Store::sqlite_url(&hub.join("onscene.db"));
    let store = Store::open(&url, 1).await.expect("the database opens");
    let report = verify(&store, None).await.expect("the database can be read");
    assert_eq!(report.faults, Vec::<String>::new());
    let facts = store.with_read("bench.facts", (), |tx, ()| {
        Box::pin(async move {
            let rows = sqlx::query("SELECT fact_id FROM fact").fetch_all(tx.conn()).await?;
            let facts = rows.iter().map(|row| Ok(FactId::from_bytes(row.array("fact_id")?)));
            facts.collect::<Result<BTreeSet<_>, StoreError>>()
        })
    });
    let facts = facts.await.expect("the database can be read");
    for phone in phones {
        for item in phone.device.items(0, 100_000).expect("items") {
            let delivered = matches!(item.state, ItemState::Delivered | ItemState::Verified);
            assert!(delivered, "{item:?}");
            assert!(item.fact.is_none_or(|fact| facts.contains(&fact)), "lost: {item:?}");
        }
    }
    store.close().await;
}

/// Puts a drain into the table.
pub(crate) fn report(table: &mut Table, drained: &Drained) {
    let Drained { changes, devices, wall, cpu, traffic, .. } = drained;
    let rate = changes / cpu.as_secs_f64();
    let guarded = limits::guarded_per_second(&drained.pushed);
    let share = |limit: f64| format!("{:.2} of", rate / limit);
    let signatures = table.figure("p256_verify");
    table.add("guard and signatures alone, changes/CPU s", guarded, Goal::Stated);
    table.add_beside(
        "drain, changes/server CPU s",
        rate,
        Goal::AtLeast(4_000.0),
        format!(
            "{} guard+signatures alone, {} bare signature checks; best peer 2,941, another day",
            share(guarded),
            share(signatures),
        ),
    );
    table.add("drain, changes/s at the first answers", changes / wall.as_secs_f64(), Goal::Stated);
    table.add_beside(
        "drain, server CPU ms/device",
        cpu.as_secs_f64() * 1e3 / devices,
        Goal::AtMost(12.5),
        "peers 17 to 298, another day".to_owned(),
    );
    let per_device = |count: u64| count as f64 / devices;
    table.add("drain, kB up/device", per_device(traffic.up) / 1e3, Goal::AtMost(20.0));
    table.add("drain, kB down/device", per_device(traffic.down) / 1e3, Goal::Stated);
    table.add("drain, requests/device", per_device(traffic.requests), Goal::AtMost(2.0));
    table.add("drain, server RSS after, MB", drained.resident / 1e6, Goal::AtMost(120.0));
    table.add("drain, server RSS peak, MB", drained.peak / 1e6, Goal::Stated);
}

/// Puts a drain of visits into the table: what follows from the records counts too.
pub(crate) fn report_visits(table: &mut Table, drained: &Drained) {
    let Drained { changes, cpu, cpu_settled, .. } = drained;
    table.add(
        "visits, changes/server CPU s until answered",
        changes / cpu.as_secs_f64(),
        Goal::Stated,
    );
    table.add_beside(
        "visits, changes/server CPU s, all judged",
        changes / cpu_settled.as_secs_f64(),
        Goal::Stated,
        "with 500 verdicts and 500 outcomes fed back to their cases".to_owned(),
    );
}

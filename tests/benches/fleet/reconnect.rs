//! Coming back: with nothing new, with a little, and for the first time.

use onscene_mobile::Job;
use onscene_tests::process::Server;

use super::figures::{Goal, Table};
use super::phone::Phone;
use super::usage;
use super::wire::Traffic;

/// Times that everybody comes back with nothing new.
const ROUNDS: u32 = 10;
/// Inspections of the phone with many documents that both sides wrote to.
const DIRTY: usize = 10;

/// Nobody has anything new: bytes and CPU, right after a restart and later.
pub(crate) async fn idle(table: &mut Table, server: &mut Server, phones: &mut [Phone]) {
    // Whatever follows from the records before comes down first.
    for phone in phones.iter_mut() {
        phone.reconnect().await;
    }
    let mut cold = 0.0;
    for _ in 0..ROUNDS / 2 {
        server.kill_and_restart().await;
        usage::settle(server).await;
        cold += everybody(server, phones).await.1;
    }
    let (mut warm, mut traffic) = (0.0, Traffic::default());
    for _ in 0..ROUNDS {
        let (round, spent) = everybody(server, phones).await;
        traffic.add(round);
        warm += spent;
    }
    let times = f64::from(ROUNDS) * phones.len() as f64;
    assert_eq!(traffic.requests as f64, times, "one request says that nothing is new");
    table.add_beside(
        "idle reconnect, bytes up + down",
        traffic.bytes() as f64 / times,
        Goal::AtMost(1_000.0),
        "heads, token and proof included; peers 3,850 to 67,900, another day".to_owned(),
    );
    table.add(
        "idle reconnect, bytes of bodies",
        traffic.bodies as f64 / times,
        Goal::AtMost(1_000.0),
    );
    let beside = "peers 6.2 to 204, another day";
    let goal = Goal::AtMost(0.5);
    table.add_beside(
        "idle reconnect, server CPU ms, cold",
        cold / times * 2.0,
        goal,
        beside.to_owned(),
    );
    table.add_beside("idle reconnect, server CPU ms, warm", warm / times, goal, beside.to_owned());
}

/// Everybody comes back once; returns the server's CPU milliseconds beside the traffic.
async fn everybody(server: &Server, phones: &mut [Phone]) -> (Traffic, f64) {
    let before = usage::cpu(server.pid());
    let mut traffic = Traffic::default();
    for phone in phones {
        traffic.add(phone.reconnect().await);
    }
    (traffic, (usage::cpu(server.pid()) - before).as_secs_f64() * 1e3)
}

/// Two phones fetch all the cases of their squad.
pub(crate) async fn first_download(
    table: &mut Table,
    server: &Server,
    pair: &mut [Phone; 2],
    cases: usize,
) {
    let before = usage::cpu(server.pid());
    let traffic = pair[0].reconnect().await;
    let spent = usage::cpu(server.pid()) - before;
    assert_eq!(pair[0].device.my_work().expect("work").len(), cases);
    let per_case = traffic.bytes() as f64 / cases as f64;
    table.add("first download, bytes/case", per_case, Goal::AtMost(1_500.0));
    table.add("first download, requests", traffic.requests as f64, Goal::Stated);
    table.add(
        "first download, server CPU ms/case",
        spent.as_secs_f64() * 1e3 / cases as f64,
        Goal::Stated,
    );
    // A phone's next request shows that it has its orders; the hub notes that in each case, and both
    // phones learn of it.
    for _ in 0..3 {
        for phone in pair.iter_mut() {
            phone.reconnect().await;
        }
        usage::settle(server).await;
    }
}

/// One phone has 2,000 documents; in ten of them both it and a colleague have written.
pub(crate) async fn few_dirty(table: &mut Table, server: &Server, pair: &mut [Phone; 2]) {
    let [mine, other] = pair;
    let work = mine.device.my_work().expect("work");
    let (mut ours, mut theirs) = (0, 0);
    for (n, item) in work.iter().step_by(work.len() / DIRTY).take(DIRTY).enumerate() {
        let job = Job::Order(item.order);
        for _ in 0..2 {
            mine.device.note(job, "摊主已劝离，现场恢复通行").expect("saved");
            ours += 1;
        }
        for _ in 0..=n % 3 {
            other.device.note(job, "已拍照取证，等待处理").expect("saved");
            theirs += 1;
        }
    }
    other.reconnect().await;
    usage::settle(server).await;
    let idle = mine.device.storage().expect("storage").documents;
    let traffic = mine.reconnect().await;
    let counts = mine.device.counts().expect("counts");
    assert_eq!((counts.saved, counts.refused), (0, 0), "everything was accepted");
    let beside = format!("{idle} documents, {DIRTY} dirty: {ours} changes up, {theirs} down");
    table.add_beside(
        "reconnect, 10 dirty, requests",
        traffic.requests as f64,
        Goal::AtMost(2.0),
        beside,
    );
    let beside = format!("heads included; {:.2} kB in bodies", traffic.bodies as f64 / 1e3);
    let kilobytes = traffic.bytes() as f64 / 1e3;
    table.add_beside("reconnect, 10 dirty, kB", kilobytes, Goal::AtMost(12.0), beside);
    let traffic = mine.reconnect().await;
    table.add("reconnect, idle, requests", traffic.requests as f64, Goal::AtMost(1.0));
    let beside = "heads included; as many documents".to_owned();
    table.add_beside("reconnect, idle, bytes", traffic.bytes() as f64, Goal::Stated, beside);
}

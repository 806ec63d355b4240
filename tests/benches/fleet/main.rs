//! What a city's fleet of phones costs the real server: `cargo bench -p onscene-tests --bench fleet`.
//!
//! Starts the release build of `onscene serve` over SQLite on the loopback interface, lets real
//! phones (the device library) work against it, and reads the server's CPU time and memory from
//! `/proc`. HTTP/1.1 without TLS; bytes are counted on the socket, heads included. Everything is
//! checked: a change that is not accepted, or not there after SIGKILL and a restart, is a panic.
//!
//! | module | measures |
//! |---|---|
//! | [`drain`] | everybody comes back at once with a day's records |
//! | [`reconnect`] | coming back with little or nothing, and the first download |
//! | [`memory`] | what a connection and an open document take |
//! | [`limits`] | what this machine can do at most, in the same run |

mod bureau;
mod drain;
mod figures;
mod limits;
mod memory;
mod phone;
mod reconnect;
mod usage;
mod wire;

use std::path::Path;

use onscene_tests::process::Server;

use bureau::Bureau;
use figures::{Goal, Table};

/// Phones in the drain, each alone in its squad.
const PHONES: usize = 50;
/// Cases of each: with their inspections twice as many documents.
const CASES: usize = 25;
/// Cases of the phone that has many.
const MANY: usize = 1_000;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let table = measure(dir.path()).await;
        table.print();
    });
}

async fn measure(dir: &Path) -> Table {
    let mut table = Table::default();
    let hub = dir.join("hub");
    std::fs::create_dir_all(&hub).expect("a folder");
    let mut server = Server::start(&hub, None).await;
    let bureau = Bureau::found(&server).await;
    let mut phones = bureau.squads(dir, PHONES, CASES).await;
    usage::settle(&server).await;

    table.add("p256_verify", limits::verifications_per_second(), Goal::Stated);
    table.add("fdatasync", limits::syncs_per_second(dir), Goal::Stated);

    let plain = drain::drain(&mut server, &mut phones, drain::record_plainly, 0).await;
    drain::check_after_a_kill(&mut server, &hub, &phones).await;
    drain::report(&mut table, &plain);
    reconnect::idle(&mut table, &mut server, &mut phones).await;
    let visits = drain::drain(&mut server, &mut phones, drain::record_visits, 1).await;
    drain::check_after_a_kill(&mut server, &hub, &phones).await;
    drain::report_visits(&mut table, &visits);
    memory::document(&mut table, &visits);
    memory::connections(&mut table, &server, &mut phones).await;
    drop(phones);

    let mut pair = bureau.pair(dir, MANY).await;
    reconnect::first_download(&mut table, &server, &mut pair, MANY).await;
    reconnect::few_dirty(&mut table, &server, &mut pair).await;
    table
}

//! How fast the store answers with a year of one city in it:
//! `cargo bench -p onscene-tests --bench store -- --cases 1000000 [--postgres URL] [--dir FOLDER]`.
//!
//! Makes cases and orders straight in the tables, as the hub's own projection would write them, and asks
//! what screens ask, through the product's own functions; then prints how long each took and, on SQLite,
//! the plans of the slowest. A case's page is not among them: it reads one document by its key.
//!
//! | module | holds |
//! |---|---|
//! | [`city`] | the made-up year |
//! | [`questions`] | what is asked, and how long it may take |
//! | [`plans`] | the texts of statements, and what the engine does with them |

mod city;
mod plans;
mod questions;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use onscene_server::store::Store;

/// What the command line says.
struct Choice {
    cases: u32,
    postgres: Option<String>,
    dir: Option<PathBuf>,
}

impl Choice {
    fn read() -> Option<Self> {
        let mut choice = Self { cases: 100_000, postgres: None, dir: None };
        let mut arguments = std::env::args().skip(1);
        let mut asked = false;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => asked = true,
                "--cases" => choice.cases = arguments.next()?.parse().ok()?,
                "--postgres" => choice.postgres = arguments.next(),
                "--dir" => choice.dir = arguments.next().map(PathBuf::from),
                _ => return None,
            }
        }
        asked.then_some(choice)
    }
}

fn main() {
    let Some(choice) = Choice::read() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(choice));
}

#[expect(clippy::print_stdout, reason = "a benchmark tells what it found")]
async fn run(choice: Choice) {
    let temporary = tempfile::tempdir().expect("a folder");
    let dir = choice.dir.unwrap_or_else(|| temporary.path().to_owned());
    let file = dir.join("store.db");
    let url = choice.postgres.unwrap_or_else(|| Store::sqlite_url(&file));
    let store = Store::open(&url, 4).await.expect("a database");
    store.migrate().await.expect("a schema");
    let begun = Instant::now();
    let city = city::make(&store, choice.cases).await;
    let size = std::fs::metadata(&file).map(|file| file.len() / 1_000_000).unwrap_or(0);
    println!(
        "{} cases of a year, {} orders, {} pairs of characters; {size} MB (SQLite); made in {} s",
        choice.cases,
        city.orders,
        city.grams,
        begun.elapsed().as_secs()
    );
    let statements = plans::Statements::listen();
    let results = questions::ask(&store, &city, &statements).await;
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "question", "p50 ms", "p95 ms", "max ms", "goal");
    for result in &results {
        let [half, most, all] = [50, 95, 100].map(|per_cent| ms(result.within(per_cent)));
        let mark = if most > ms(result.goal) { "missed" } else { "" };
        println!(
            "{:<34} {half:>9.1} {most:>9.1} {all:>9.1} {:>9.0} {mark}",
            result.name,
            ms(result.goal)
        );
    }
    for line in plans::of_the_slowest(&store, &results, 3).await {
        println!("{line}");
    }
    store.close().await;
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

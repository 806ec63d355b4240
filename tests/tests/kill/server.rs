//! The server is killed while six phones record and sync over real HTTP.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onscene_mobile::{Device, EventKind, Item, ItemState, Job, OpenConfig, SoftwareKeys};
use onscene_server::phone::drive::{self, Round};
use onscene_server::phone::lend::machine;
use onscene_server::phone::transport::Transport;
use onscene_server::store::Store;
use onscene_sync_core::fact::body::{Outcome, OutcomeReport};
use onscene_sync_core::id::FactId;
use onscene_tests::process::Server;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AnyPool;

use super::{SEED, kills, text};

const PHONES: u8 = 6;
/// Records in one patrol before the next begins.
const PATROL: u32 = 40;
/// Rounds of sync until nothing waits any more, once the server stays up.
const ROUNDS: u32 = 300;

#[tokio::test]
async fn a_server_killed_at_any_moment_on_sqlite_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let database = Store::sqlite_url(&dir.path().join("onscene.db"));
    live(dir.path().to_owned(), database, (kills() / 5).max(1)).await;
}

#[tokio::test]
async fn a_server_killed_at_any_moment_on_postgresql_keeps_what_it_acknowledged() {
    let Ok(url) = std::env::var("ONSCENE_TEST_POSTGRES") else {
        assert!(std::env::var("CI").is_err(), "ONSCENE_TEST_POSTGRES must be set where CI is");
        return println!("SKIPPED on PostgreSQL: set ONSCENE_TEST_POSTGRES, or use tests/run");
    };
    let schema = format!("kill_{}", std::process::id());
    run_sql(&url, &format!("CREATE SCHEMA {schema}")).await;
    let dir = tempfile::tempdir().unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let database = format!("{url}{separator}options[search_path]={schema}");
    live(dir.path().to_owned(), database, (kills() / 20).max(1)).await;
    run_sql(&url, &format!("DROP SCHEMA {schema} CASCADE")).await;
}

async fn run_sql(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn live(dir: PathBuf, database: String, kills: u32) {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut server = Server::start(&dir, Some(database.clone())).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut lives = Vec::new();
    for mut phone in bureau(&server, &dir).await {
        let over = Arc::clone(&over);
        lives.push(std::thread::spawn(move || {
            phone.live(&over);
            phone
        }));
    }
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..600))).await;
        server.kill_and_restart().await;
    }
    over.store(true, Ordering::SeqCst);
    let phones: Vec<Phone> =
        lives.into_iter().map(|life| life.join().expect("a phone lives through it")).collect();
    let items: Vec<Item> = phones.iter().flat_map(Phone::items).collect();
    let acknowledged: BTreeSet<FactId> =
        phones.iter().flat_map(|phone| phone.acknowledged.iter().copied()).collect();
    check(&server, &database, &items, &acknowledged).await;
    println!("{kills} kills: {} records, {} seen delivered", items.len(), acknowledged.len());
    assert!(acknowledged.len() > usize::from(PHONES), "hardly anything was delivered");
}

/// A squad of six phones with an order on its way to it.
async fn bureau(server: &Server, dir: &std::path::Path) -> Vec<Phone> {
    let post = |path: String, body: Value| async move {
        server.must(Method::POST, &path, None, body).await
    };
    let me = server.must(Method::GET, "/v1/me", None, Value::Null).await;
    let squad = json!({ "name": "squad", "parent": me["unit"] });
    let squad = post("/v1/units".to_owned(), squad).await["id"].clone();
    let dispatcher = json!({ "name": "dispatcher", "role": "dispatcher", "unit": me["unit"] });
    let dispatcher = post("/v1/people".to_owned(), dispatcher).await;
    let keys = format!("/v1/people/{}/keys", text(&dispatcher["id"]));
    let key = post(keys, json!({ "label": "desk" })).await;
    let desk = text(&key["key"]);
    let case = json!({
        "class": "complaint", "channel": "telephone", "matter": "street_vending",
        "summary": "stalls block the lane",
        "site": {
            "datum": "wgs84",
            "circle": { "centre": { "lat": 36.65, "lon": 117.0 }, "radius_m": 100 },
        },
        "jurisdiction_clear": true,
    });
    let case = server.must(Method::POST, "/v1/cases", Some(desk), case).await;
    let orders = format!("/v1/cases/{}/orders", text(&case["id"]));
    server.must(Method::POST, &orders, Some(desk), json!({ "unit": squad, "text": "go" })).await;
    let mut phones = Vec::new();
    for n in 1..=PHONES {
        let person =
            json!({ "name": format!("inspector {n}"), "role": "inspector", "unit": squad });
        let person = post("/v1/people".to_owned(), person).await;
        let path = format!("/v1/people/{}/enrolment-codes", text(&person["id"]));
        let code = post(path, json!({})).await;
        phones.push(Phone::new(n, dir, &server.url(), text(&code["code"])));
    }
    phones
}

struct Phone {
    n: u8,
    device: Device,
    rng: ChaCha8Rng,
    patrol: Option<Job>,
    recorded: u32,
    /// Everything that it ever showed as delivered.
    acknowledged: BTreeSet<FactId>,
}

impl Phone {
    fn new(n: u8, dir: &std::path::Path, url: &str, code: &str) -> Self {
        let config = OpenConfig {
            path: dir.join(format!("phone-{n}.db")),
            model: "simulated".to_owned(),
            app_version: "1".to_owned(),
        };
        let keys = SoftwareKeys::from_scalar(&[n; 32]).expect("a small scalar");
        let mut device = Device::open(config, machine(keys)).unwrap();
        device.enrol(url, code, None, false).unwrap();
        let rng = ChaCha8Rng::seed_from_u64(SEED + u64::from(n));
        Self { n, device, rng, patrol: None, recorded: 0, acknowledged: BTreeSet::new() }
    }

    /// Records and syncs until it is over, then until nothing waits.
    fn live(&mut self, over: &AtomicBool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let transport = Transport::new().unwrap();
            while !over.load(Ordering::SeqCst) {
                if self.device.standing().unwrap().is_some() {
                    self.record();
                }
                drive::round(&mut self.device, &transport).await.unwrap();
                self.note_acknowledged();
                let pause = self.rng.random_range(0..80);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            for _ in 0..ROUNDS {
                let round = drive::round(&mut self.device, &transport).await.unwrap();
                let done = matches!(round, Round::Done { .. });
                if done && self.device.counts().unwrap().saved == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            self.note_acknowledged();
        });
    }

    fn record(&mut self) {
        if self.recorded.is_multiple_of(PATROL) {
            let patrol = self.device.begin_patrol().unwrap();
            self.patrol = Some(Job::Inspection(patrol));
        }
        self.recorded += 1;
        let work = self.device.my_work().unwrap();
        let order = work.first().map(|item| item.order);
        let own = self.patrol.expect("the first record begins one");
        let job = order.map(Job::Order).filter(|_| self.rng.random()).unwrap_or(own);
        match (self.rng.random_range(0..8), order) {
            (0, Some(order)) => self.device.accept(order).map(drop),
            (1, _) => self.device.outcome(job, report()).map(drop),
            _ => {
                self.device.note(job, &format!("remark {} of {}", self.recorded, self.n)).map(drop)
            }
        }
        .unwrap();
    }

    fn items(&self) -> Vec<Item> {
        self.device.items(0, u32::MAX).unwrap()
    }

    fn note_acknowledged(&mut self) {
        let items = self.items();
        let delivered = items.iter().filter(|item| is_delivered(item));
        self.acknowledged.extend(delivered.filter_map(|item| item.fact));
        let events = self.device.events_since(0, u32::MAX).unwrap();
        let alarm = events.iter().find(|event| matches!(event.kind, EventKind::Alarm));
        assert_eq!(alarm, None, "phone {}", self.n);
    }
}

fn report() -> OutcomeReport {
    OutcomeReport {
        outcome: Outcome::Unfounded,
        text: "done".to_owned(),
        evidence: Vec::new(),
        complainant_told: None,
    }
}

const fn is_delivered(item: &Item) -> bool {
    matches!(item.state, ItemState::Delivered | ItemState::Verified)
}

/// Nothing waits, and the database holds exactly what the phones recorded, once.
async fn check(server: &Server, database: &str, items: &[Item], acknowledged: &BTreeSet<FactId>) {
    let waiting: Vec<&Item> = items.iter().filter(|item| !is_delivered(item)).collect();
    assert!(waiting.is_empty(), "seed {SEED}: not delivered: {waiting:?}");
    let recorded: BTreeSet<FactId> = items.iter().filter_map(|item| item.fact).collect();
    assert_eq!(recorded.len(), items.len(), "seed {SEED}: a record is on phones twice");

    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(database).await.unwrap();
    let facts: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT fact_id FROM fact").fetch_all(&pool).await.unwrap();
    let (changes,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM change c JOIN device d ON d.device = c.device")
            .fetch_one(&pool)
            .await
            .unwrap();
    let gaps: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT b.n, count(l.seq), coalesce(max(l.seq), 0) FROM bucket b \
         LEFT JOIN bucket_log l ON l.bucket = b.bucket GROUP BY b.bucket, b.n",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;

    let at_hub: BTreeSet<FactId> = facts
        .iter()
        .map(|(id,)| FactId::from_bytes(id.as_slice().try_into().expect("sixteen bytes")))
        .collect();
    assert_eq!(at_hub.len(), facts.len(), "seed {SEED}: a fact stands twice at the hub");
    let lost: Vec<_> = acknowledged.difference(&at_hub).collect();
    assert!(lost.is_empty(), "seed {SEED}: acknowledged and lost: {lost:?}");
    assert_eq!(at_hub, recorded, "seed {SEED}");
    assert_eq!(changes, items.len() as i64, "seed {SEED}: changes of phones");
    assert!(gaps.iter().all(|(n, rows, last)| n == rows && n == last), "seed {SEED}: {gaps:?}");
    let (content, said) = server.check();
    assert!(content, "seed {SEED}: {said}");
}

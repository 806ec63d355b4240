//! The phone is killed while it records.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use onscene_mobile::{Device, EventKind, OpenConfig, Step};
use onscene_server::hub::verify::verify;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;
use onscene_tests::handset::{BEGINNING, Clocks, Handset, WorldTime};
use onscene_tests::hub::{Hub, URL};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

use super::{SEED, kills, text};

/// Lives between two visits to the hub.
const LIVES: u32 = 10;
/// Requests of one visit at most.
const MOST_REQUESTS: u32 = 2_000;

struct Phone {
    hub: Hub,
    world: WorldTime,
    handset: Handset,
    store: PathBuf,
    /// What was on the phone when it was last looked at.
    known: BTreeSet<FactId>,
}

#[tokio::test]
async fn a_phone_killed_at_any_moment_has_all_that_it_said_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut phone = Phone::enrolled(dir.path().to_owned()).await;
    let mut patrol = phone.visit_hub().await;
    let (mut said, mut unsaid) = (0, 0);
    for kill in 1..=kills() {
        let moment = Duration::from_micros(rng.random_range(0..60_000));
        let heard = phone.live(patrol, moment);
        said += heard.len();
        unsaid += phone.look(&heard, kill);
        if kill % LIVES == 0 {
            patrol = phone.visit_hub().await;
        }
    }
    phone.visit_hub().await;
    phone.check_hub().await;
    println!("{} kills: {said} records said to be saved, {unsaid} saved and not said", kills());
    assert!(said > usize::try_from(kills()).unwrap(), "it hardly lived: {said} records");
}

impl Phone {
    async fn enrolled(dir: PathBuf) -> Self {
        let world = WorldTime::at(Millis(BEGINNING));
        let handset = Handset::new(Clocks::new(&world, 1, 0, 0), SEED);
        let store = dir.join("phone.db");
        let hub = Hub::start(&dir, SEED, world.now()).await;
        let phone = Self { hub, world, handset, store, known: BTreeSet::new() };
        let me = phone.hub.must("GET", "/v1/me", None, Value::Null).await;
        let person = json!({ "name": "inspector", "role": "inspector", "unit": me["unit"] });
        let person = phone.hub.must("POST", "/v1/people", None, person).await;
        let path = format!("/v1/people/{}/enrolment-codes", text(&person["id"]));
        let code = phone.hub.must("POST", &path, None, json!({})).await;
        phone.open().enrol(URL, text(&code["code"]), None, false).unwrap();
        phone
    }

    fn open(&self) -> Device {
        let config = OpenConfig {
            path: self.store.clone(),
            model: "recorder".to_owned(),
            app_version: "1".to_owned(),
        };
        Device::open(config, self.handset.host()).expect("the store opens after any kill")
    }

    /// One life as a process of its own: what it said was saved before it was killed.
    fn live(&self, patrol: DocId, moment: Duration) -> Vec<FactId> {
        let elapsed = self.world.now().since(Millis(BEGINNING));
        let mut child = Command::new(env!("CARGO_BIN_EXE_recorder"))
            .arg(&self.store)
            .args([SEED.to_string(), patrol.to_string(), elapsed.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut heard = String::new();
        out.read_line(&mut heard).unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ended by itself");
        out.read_to_string(&mut heard).unwrap();
        let whole = heard.rfind('\n').map_or(0, |end| end + 1);
        heard[..whole].lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Opens the store after a kill: all that was known or said is there, once, and at most one more
    /// record, whose saving was not yet said. Returns how many of those.
    fn look(&mut self, heard: &[FactId], kill: u32) -> usize {
        let device = self.open();
        let items = device.items(0, u32::MAX).unwrap();
        let facts: BTreeSet<FactId> = items.iter().filter_map(|item| item.fact).collect();
        let wrong = |what: &str| panic!("{what} after kill {kill} of seed {SEED}");
        if facts.len() != items.len() {
            wrong("a record is there twice");
        }
        let before = self.known.len() + heard.len();
        self.known.extend(heard);
        if self.known.len() != before {
            wrong("a record was said to be saved twice");
        }
        if !self.known.is_subset(&facts) {
            wrong("a record that was said to be saved is not there");
        }
        if facts.len() > before + 1 {
            wrong("records are there that were never said to be saved");
        }
        self.known = facts;
        self.known.len() - before
    }

    /// Delivers everything and begins another patrol.
    async fn visit_hub(&mut self) -> DocId {
        let mut device = self.open();
        device.sync_soon();
        for _ in 0..MOST_REQUESTS {
            match device.sync_next().unwrap() {
                Step::Send(request) => {
                    self.hub.advance_to(self.world.now()).await;
                    let reply = self.hub.answer(&request).await;
                    device.sync_apply(request.id, &reply).unwrap();
                }
                Step::Wait { ms, .. } => self.world.pass(i64::try_from(ms).unwrap()),
                Step::Idle => break,
            }
            self.world.pass(100);
        }
        let counts = device.counts().unwrap();
        assert_eq!((counts.saved, counts.refused), (0, 0), "{counts:?}");
        let events = device.events_since(0, u32::MAX).unwrap();
        let alarm = events.iter().find(|event| matches!(event.kind, EventKind::Alarm));
        assert_eq!(alarm, None, "seed {SEED}");
        assert_eq!(device.standing().unwrap().unwrap().install, 1, "it took itself for restored");
        device.begin_patrol().unwrap()
    }

    async fn check_hub(&self) {
        let url = format!("sqlite://{}", self.hub.database().display());
        let database = sqlx::SqlitePool::connect(&url).await.unwrap();
        let facts: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT fact_id FROM fact").fetch_all(&database).await.unwrap();
        let (changes,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM change").fetch_one(&database).await.unwrap();
        database.close().await;
        let at_hub: BTreeSet<FactId> = facts
            .iter()
            .map(|(id,)| FactId::from_bytes(id.as_slice().try_into().unwrap()))
            .collect();
        assert_eq!(at_hub, self.known, "seed {SEED}");
        assert_eq!((facts.len(), changes), (self.known.len(), facts.len() as i64), "seed {SEED}");
        let report = verify(&self.hub.app().store, None).await.unwrap();
        assert_eq!(report.faults, Vec::<String>::new(), "seed {SEED}");
    }
}

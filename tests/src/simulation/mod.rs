//! A bureau's days by seed: the real hub and real phones in one thread, with everything going wrong.
//!
//! Time is virtual, the network loses, doubles, delays, cuts and corrupts, phones crash, reboot, are
//! restored from backups, hand over to each other and have wrong clocks, people are moved and phones
//! revoked while they are offline, the hub is stopped and started. The same seed gives the same
//! history, down to the last signature; [`Outcome::trace`] is its hash.
//!
//! It then heals the network, lets everybody sync and asks the oracles: see
//! [`check`].

mod act;
pub mod check;
mod exchange;
mod files;
pub mod phone;

use std::path::Path;

use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::time::Millis;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::handset::{BEGINNING, Clocks, Handset, WorldTime};
use crate::hub::{Hub, URL};
use phone::Phone;

/// How large and how rough a simulated world is.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Squads under the bureau.
    pub units: usize,
    /// Phones, dealt to the squads in turn.
    pub phones: u8,
    /// Steps before it settles.
    pub steps: u32,
    /// Of 100 requests, how many meet trouble.
    pub trouble: u32,
}

impl Profile {
    /// A small, rough world.
    pub const SMALL: Self = Self { units: 3, phones: 5, steps: 150, trouble: 30 };
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// SHA-256 over everything that happened.
    pub trace: [u8; 32],
    /// Records made on phones.
    pub recorded: u64,
    /// Records that phones saw refused.
    pub refused: u64,
    /// Records that came to the hub through a colleague's phone.
    pub relayed: u64,
    /// Everything the oracles objected to; empty when the promise held.
    pub objections: Vec<String>,
}

/// A world in motion.
#[derive(Debug)]
pub struct Simulation {
    profile: Profile,
    rng: ChaCha8Rng,
    world: WorldTime,
    hub: Hub,
    units: Vec<UnitId>,
    phones: Vec<Phone>,
    cases: Vec<DocId>,
    /// The command centre's key.
    dispatcher: String,
    trace: Sha256,
}

impl Simulation {
    /// Runs a world in `dir` from `seed` to its end and asks the oracles.
    pub async fn run(dir: &Path, seed: u64, profile: Profile) -> Outcome {
        let mut simulation = Self::begin(dir, seed, profile).await;
        for _ in 0..profile.steps {
            simulation.step().await;
        }
        simulation.settle().await
    }

    /// A world whose hub loses everything since a backup, while phones had been told that it was
    /// delivered. They deliver it again: the loss of a server loses nothing.
    pub async fn run_restored(dir: &Path, seed: u64, profile: Profile) -> Outcome {
        let mut simulation = Self::begin(dir, seed, profile).await;
        for _ in 0..4 {
            simulation.dispatch().await;
        }
        simulation.work(profile.steps / 3).await;
        simulation.hub.back_up().await;
        simulation.tell("the hub is backed up");
        simulation.work(profile.steps / 3).await;
        simulation.hub.restore().await;
        simulation.tell("the hub is restored");
        simulation.work(profile.steps / 3).await;
        simulation.dispatch().await;
        simulation.settle().await
    }

    /// A team that is mostly without a network: its phones hand over to each other, are restored from
    /// backups, and come into coverage one at a time; what each delivers for the others, those
    /// deliver themselves later.
    pub async fn run_apart(dir: &Path, seed: u64, profile: Profile) -> Outcome {
        let mut simulation = Self::begin(dir, seed, Profile { units: 1, ..profile }).await;
        for _ in 0..3 {
            simulation.dispatch().await;
        }
        for n in 0..simulation.phones.len() {
            simulation.sync_well(n).await;
        }
        simulation.work_apart(profile.steps).await;
        simulation.settle().await
    }

    async fn begin(dir: &Path, seed: u64, profile: Profile) -> Self {
        let world = WorldTime::at(Millis(BEGINNING));
        let hub_dir = dir.join("hub");
        std::fs::create_dir_all(&hub_dir).expect("a folder");
        let hub = Hub::start(&hub_dir, seed, world.now()).await;
        let mut simulation = Self {
            profile,
            rng: ChaCha8Rng::seed_from_u64(seed),
            world,
            hub,
            units: Vec::new(),
            phones: Vec::new(),
            cases: Vec::new(),
            dispatcher: String::new(),
            trace: Sha256::new(),
        };
        simulation.people(dir, seed).await;
        simulation
    }

    async fn people(&mut self, dir: &Path, seed: u64) {
        let me = self.hub.must("GET", "/v1/me", None, Value::Null).await;
        let bureau = me["unit"].clone();
        let dispatcher = json!({ "name": "dispatcher", "role": "dispatcher", "unit": bureau });
        let dispatcher = self.hub.must("POST", "/v1/people", None, dispatcher).await;
        let path = format!("/v1/people/{}/keys", text(&dispatcher["id"]));
        let key = self.hub.must("POST", &path, None, json!({ "label": "desk" })).await;
        self.dispatcher = text(&key["key"]);
        for n in 0..self.profile.units {
            let unit = json!({ "name": format!("squad {n}"), "parent": bureau });
            let unit = self.hub.must("POST", "/v1/units", None, unit).await;
            self.units.push(id(&unit["id"]));
        }
        for n in 0..self.profile.phones {
            let unit = usize::from(n) % self.units.len();
            let person = json!({
                "name": format!("inspector {n}"), "role": "inspector",
                "unit": self.units[unit].to_string(),
            });
            let person = self.hub.must("POST", "/v1/people", None, person).await;
            let path = format!("/v1/people/{}/enrolment-codes", text(&person["id"]));
            let code = self.hub.must("POST", &path, None, json!({})).await;
            let rate = self.rng.random_range(-40..=40);
            let offset = self.rng.random_range(-7_200_000..=7_200_000);
            let clocks = Clocks::new(&self.world, n, rate, offset);
            let handset = Handset::new(clocks, seed ^ (u64::from(n) + 1) << 40);
            let dir = dir.join(format!("phone-{n}"));
            let mut phone = Phone::new(dir, handset, id(&person["id"]), unit);
            phone.device().enrol(URL, &text(&code["code"]), None, false).expect("a valid code");
            self.phones.push(phone);
            self.sync_well(usize::from(n)).await;
        }
    }

    /// Adds to the history.
    fn tell(&mut self, line: &str) {
        if std::env::var_os("ONSCENE_SIM_TELL").is_some() {
            println!("{} {line}", self.world.now().0);
        }
        self.trace.update(self.world.now().0.to_be_bytes());
        self.trace.update(line.as_bytes());
        self.trace.update(b"\n");
    }
}

/// An id in an answer of the API.
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
    text(value).parse().expect("an id")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text expected, not {value}")).to_owned()
}

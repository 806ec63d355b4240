//! The whole program in one value, built in one place; tests build the same one with fakes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onscene_sync_core::id::{DeviceId, PersonId, UnitId};
use onscene_sync_core::time::Millis;
use thiserror::Error;

use crate::audit::Keeper;
use crate::auth::staff::{self, First, FirstAdministratorError};
use crate::auth::{Auth, token::SelfTestFailed};
use crate::blob::{BlobError, Blobs};
use crate::cases;
use crate::changes::Changes;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::{Config, Sms};
use crate::evidence;
use crate::http::Stopper;
use crate::http::listeners::Listeners;
use crate::hub::documents::Warm;
use crate::intake;
use crate::jobs::{Effect, Jobs, Work};
use crate::keys::{KeyError, Keys};
use crate::messages;
use crate::messages::gateway::Gateway;
use crate::messages::gateway::http::{GatewayError, HttpGateway};
use crate::notice;
use crate::poke::Pokes;
use crate::random::{self, Random, SeededRandom, SystemRandom};
use crate::store::{Store, StoreError};

/// Why the program cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder.
    #[error("the data folder {path}: {source}")]
    DataDir {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The signatures of this build.
    #[error(transparent)]
    SelfTest(#[from] SelfTestFailed),
    /// The gateway for text messages.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The first administrator.
    #[error(transparent)]
    FirstAdministrator(#[from] FirstAdministratorError),
}

/// Every part of the hub. Cheap to clone; handlers receive it as their state.
#[derive(Debug, Clone)]
pub struct App {
    /// What the operator chose.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// Files of evidence.
    pub blobs: Blobs,
    /// This program, to be run for one picture at a time.
    pub program: PathBuf,
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// The only source of chance.
    pub random: Arc<dyn Random>,
    /// The hub's signing keys.
    pub keys: Arc<Keys>,
    /// What recognises callers.
    pub auth: Arc<Auth>,
    /// The doorbell to live connections.
    pub pokes: Pokes,
    /// Phones that listen to it.
    pub listeners: Listeners<DeviceId>,
    /// What desks hear of.
    pub changes: Changes,
    /// People who listen to that.
    pub desks: Listeners<PersonId>,
    /// Work to be done later.
    pub jobs: Jobs,
    /// Ends the program: whatever lives longer than a request listens to it.
    pub stopper: Stopper,
    /// Documents used last.
    pub warm: Arc<Warm>,
    /// What is remembered of the audit log.
    pub audit: Arc<Keeper>,
    /// Where text messages go; `None` when none is configured.
    pub gateway: Option<Arc<dyn Gateway>>,
}

impl App {
    /// Opens everything that `config` names, migrates the database and makes absent keys.
    ///
    /// # Errors
    /// When a part cannot be opened; the text names it and how to mend it.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let random = Arc::new(SystemRandom);
        let gateway = gateway(&config.sms, Arc::new(SystemClock), random.clone())?;
        let dir = &config.data.dir;
        config
            .make_data_folder()
            .map_err(|source| StartError::DataDir { path: dir.display().to_string(), source })?;
        let keys = match &config.keys.dir {
            Some(given) => Keys::open(given, false, &*random)?,
            None => Keys::open(&dir.join("keys"), true, &*random)?,
        };
        let blobs = Blobs::open(&config.blob, dir)?;
        let store = Store::open(&config.database_url(), config.database.connections).await?;
        store.migrate().await?;
        let first = first_administrator(&*random, SystemClock.now());
        staff::first_administrator(&store, dir, first).await?;
        Ok(Self {
            auth: Arc::new(Auth::new(&keys.token_seed, &config)?),
            config: Arc::new(config),
            store,
            blobs,
            program: this_program(),
            clock: Arc::new(SystemClock),
            random,
            keys: Arc::new(keys),
            pokes: Pokes::default(),
            listeners: Listeners::default(),
            changes: Changes::default(),
            desks: Listeners::default(),
            jobs: Jobs::new(&handlers(), &works()),
            stopper: Stopper::default(),
            warm: Arc::default(),
            audit: Arc::default(),
            gateway,
        })
    }

    /// A hub in `dir` on SQLite, with the returned clock (which starts at 2026-11-23T00:00:00Z)
    /// and seeded chance.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn for_tests(dir: &Path) -> Result<(Self, ManualClock), StartError> {
        let store = Store::open(&Store::sqlite_url(&dir.join("onscene.db")), 8).await?;
        Self::for_tests_on(dir, store).await
    }

    /// As [`App::for_tests`], on a database of either engine.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn for_tests_on(dir: &Path, store: Store) -> Result<(Self, ManualClock), StartError> {
        store.migrate().await?;
        let clock = ManualClock::at(Millis(1_795_392_000_000));
        let random = Arc::new(SeededRandom::new(42));
        let first = first_administrator(&*random, clock.now());
        staff::first_administrator(&store, dir, first).await?;
        let keys = Keys::ephemeral(&*random);
        let config = Config::for_tests(dir);
        let app = Self {
            auth: Arc::new(Auth::new(&keys.token_seed, &config)?),
            blobs: Blobs::open(&config.blob, dir)?,
            program: this_program(),
            config: Arc::new(config),
            store,
            clock: Arc::new(clock.clone()),
            keys: Arc::new(keys),
            random,
            pokes: Pokes::default(),
            listeners: Listeners::default(),
            changes: Changes::default(),
            desks: Listeners::default(),
            jobs: Jobs::new(&handlers(), &works()),
            stopper: Stopper::default(),
            warm: Arc::default(),
            audit: Arc::default(),
            gateway: None,
        };
        Ok((app, clock))
    }

    /// The same hub under another public address: for tests that learn their port late.
    ///
    /// # Errors
    /// When the signatures of this build do not work.
    #[cfg(test)]
    pub(crate) fn at_public_url(mut self, public_url: &str) -> Result<Self, SelfTestFailed> {
        let mut config = Config::clone(&self.config);
        public_url.clone_into(&mut config.http.public_url);
        self.auth = Arc::new(Auth::new(&self.keys.token_seed, &config)?);
        self.config = Arc::new(config);
        Ok(self)
    }

    /// The same hub with a gateway for text messages: for tests that play one.
    ///
    /// # Errors
    /// When its address is none.
    #[cfg(test)]
    pub(crate) fn with_gateway(mut self, sms: &Sms) -> Result<Self, GatewayError> {
        self.gateway = gateway(sms, self.clock.clone(), self.random.clone())?;
        let mut config = Config::clone(&self.config);
        config.sms = sms.clone();
        self.config = Arc::new(config);
        Ok(self)
    }

    /// This moment on the hub's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Sixteen bytes for a new id: `CaseId::from_bytes(app.new_id())`.
    #[must_use]
    pub fn new_id(&self) -> [u8; 16] {
        crate::random::uuid_v7(&*self.random, self.now())
    }
}

fn handlers() -> Vec<(&'static str, Effect)> {
    [cases::admitted::HANDLERS, intake::trace::HANDLERS, notice::HANDLERS].concat()
}

fn works() -> Vec<(&'static str, Work)> {
    [evidence::WORK, messages::WORK].concat()
}

fn gateway(
    sms: &Sms,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Option<Arc<dyn Gateway>>, GatewayError> {
    let opened = HttpGateway::open(sms, clock, random)?;
    Ok(opened.map(|gateway| Arc::new(gateway) as Arc<dyn Gateway>))
}

/// An empty path where the system does not tell: then no picture is looked at, which says why.
fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

fn first_administrator(random: &dyn Random, at: Millis) -> First {
    First {
        unit: UnitId::from_bytes(random::uuid_v7(random, at)),
        person: PersonId::from_bytes(random::uuid_v7(random, at)),
        key: random::bytes(random),
        at,
    }
}

//! The device: one open store and the platform around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use onscene_sync_core::enrolment::EnrolmentCode;
use onscene_sync_core::id::{DeviceId, Hash, PersonId, UnitId};

use crate::error::DeviceError;
use crate::evidence::{Folder, Hashing};
use crate::host::Host;
use crate::space;
use crate::store::Store;
use crate::store::events::{self, Event};
use crate::store::mend::Mended;
use crate::store::meta::{self, Enrolment};
use crate::sync::{self, Pace};
use crate::upload::Lane;

/// How to open a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConfig {
    /// The store's file; made when it is not there. SQLite keeps two more files beside it, and files
    /// of evidence stand in a folder beside it that ends in `.media`.
    pub path: PathBuf,
    /// Maker and model of the phone, as administrators see it; at most 100 characters.
    pub model: String,
    /// Version of the app, at most 40 characters.
    pub app_version: String,
}

/// A phone of the bureau: its records, its documents, its share of sync.
///
/// Calls that record return only after the disk has it. Nothing here opens a socket, starts a
/// thread or reads a clock by itself.
#[derive(Debug)]
pub struct Device {
    pub(crate) store: Store,
    pub(crate) host: Host,
    pub(crate) pace: Pace,
    pub(crate) retries: u32,
    pub(crate) last_failure: Option<String>,
    pub(crate) media: Folder,
    /// Files that are being taken since this store was opened.
    pub(crate) taking: BTreeMap<u64, Hashing>,
    pub(crate) lane: Lane,
    pub(crate) path: PathBuf,
    /// Says how many bytes are free; tests say so themselves.
    pub(crate) free: fn(&Path) -> Option<u64>,
    model: String,
    app_version: String,
}

/// Who this phone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub device: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// That person's unit at enrolment.
    pub unit: UnitId,
    /// Which installation.
    pub install: u32,
    /// Facts stated by this installation.
    pub facts: u64,
    /// Words that must be the same on the administrator's screen.
    pub check_words: Vec<String>,
    /// The hub has revoked it.
    pub revoked: bool,
}

impl Device {
    /// Opens a device, or makes a new one.
    ///
    /// # Errors
    /// When the file is not a store of this app, is newer than this app, its key is not to be had, or
    /// it cannot be used.
    pub fn open(config: OpenConfig, host: Host) -> Result<Self, DeviceError> {
        let store = Store::open(&config.path, &host)?;
        let pace = Pace::new();
        let OpenConfig { path, model, app_version } = config;
        Ok(Self {
            store,
            host,
            pace,
            retries: 0,
            last_failure: None,
            media: Folder::beside(&path),
            path,
            free: space::free,
            taking: BTreeMap::new(),
            lane: Lane::new(),
            model,
            app_version,
        })
    }

    /// Asks to be enrolled at the server of this address (`https://host[:port]`) with a one-time
    /// code; the next steps of sync carry it out. `hub_key` is the key that a scanned invitation
    /// names; `replace` revokes the phone that the person has now.
    ///
    /// A phone that was enrolled before keeps what it has recorded.
    ///
    /// # Errors
    /// When the address or the code is none, or the store fails.
    pub fn enrol(
        &mut self,
        server: &str,
        code: &str,
        hub_key: Option<Hash>,
        replace: bool,
    ) -> Result<(), DeviceError> {
        let server = server.trim_end_matches('/');
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', ' '])) {
            return Err(DeviceError::invalid("server", "write it as https://host:port"));
        }
        let code = EnrolmentCode::parse(code)
            .map_err(|error| DeviceError::invalid("code", error.to_string()))?
            .to_string();
        let (model, app_version) = (self.model.clone(), self.app_version.clone());
        let wish = Enrolment { code, hub_key, replace, model, app_version };
        self.store.write(|tx| {
            meta::put(tx, sync::SERVER, &server.to_owned())?;
            meta::put(tx, sync::ENROLMENT, &wish)
        })?;
        self.pace.hurry();
        Ok(())
    }

    /// Who this phone is; `None` before it is enrolled.
    ///
    /// # Errors
    /// When the store fails.
    pub fn standing(&self) -> Result<Option<Standing>, DeviceError> {
        let db = self.store.read();
        let identity = match meta::identity(db) {
            Ok(identity) => identity,
            Err(DeviceError::NotEnrolled) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Standing {
            device: identity.device,
            person: identity.person,
            unit: identity.unit,
            install: identity.install,
            facts: meta::head(db)?.seq,
            check_words: sync::kept_words(db)?,
            revoked: meta::flag(db, sync::REVOKED)?,
        }))
    }

    /// What in the store is damaged, in words; nothing when it is whole. Reads all of it: for an hour
    /// when the phone is charged, or after [`DeviceError::Damaged`].
    ///
    /// # Errors
    /// When the store fails in another way.
    pub fn check(&self) -> Result<Vec<String>, DeviceError> {
        self.store.check()
    }

    /// Mends a damaged store: what can be read is kept, documents of the hub are fetched anew at the
    /// next sync, and records that are lost are named. Recording and syncing do this by themselves
    /// when they meet damage.
    ///
    /// # Errors
    /// When there is no room for a second file, or the store fails in another way.
    pub fn mend(&mut self) -> Result<Mended, DeviceError> {
        let wall_ms = self.host.clock.read()?.wall_ms;
        let mended = self.store.mend(&self.host)?;
        let detail = mended.in_words();
        self.store
            .write(|tx| events::add(tx, wall_ms, events::EventKind::Mended, None, &detail))?;
        self.pace.hurry();
        Ok(mended)
    }

    /// Does something; where the store turns out to be damaged, mends it and does it again.
    pub(crate) fn mending<T>(
        &mut self,
        mut run: impl FnMut(&mut Self) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        match run(self) {
            Err(DeviceError::Damaged { .. }) => {
                self.mend()?;
                run(self)
            }
            done => done,
        }
    }

    /// What happened after event number `cursor` (0: from the beginning), oldest first, at most
    /// `max`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn events_since(&self, cursor: i64, max: u32) -> Result<Vec<Event>, DeviceError> {
        events::since(self.store.read(), cursor, max)
    }
}

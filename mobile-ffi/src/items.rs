//! The account of everything recorded on this phone: nothing is missing from it, nothing twice.

use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::replica::OwnState;
use serde::Serialize;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::carried::{self, Carried};
use crate::store::intents::{self, Intent};
use crate::store::{evidence, feed};

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ItemState {
    /// On this phone (已存本机): it survives any crash of the phone.
    Saved,
    /// At the hub (已送达): it survives the loss of the phone.
    Delivered,
    /// At the hub, and the hub has shown it back or signed a receipt that covers it (已核验).
    Verified,
    /// Kept by the hub for a supervisor, outside the documents.
    Refused {
        /// The kind of reason.
        code: String,
        /// In words.
        detail: String,
    },
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its number on this phone, rising.
    pub n: i64,
    /// The document that it belongs to.
    pub doc: DocId,
    /// What it is: `arrival`, `note`, `outcome` …
    pub what: &'static str,
    /// The fact that states it now, if it states something.
    pub fact: Option<FactId>,
    /// The wall clock when the person acted, Unix milliseconds.
    pub wall_ms: i64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ItemState,
}

/// How many records are where. `recorded = saved + delivered + refused`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All.
    pub recorded: u64,
    /// On this phone only.
    pub saved: u64,
    /// At the hub, verified ones included.
    pub delivered: u64,
    /// In quarantine at the hub.
    pub refused: u64,
}

/// What the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Bytes of the store's file.
    pub bytes: u64,
    /// Documents held.
    pub documents: u64,
    /// Records held.
    pub records: u64,
    /// Bytes of the files of evidence on this phone.
    pub evidence_bytes: u64,
    /// Of those, bytes of files that the hub has not signed for: they stay.
    pub evidence_waiting_bytes: u64,
    /// Bytes free for this app where the store lies, if the system says so.
    pub free_bytes: Option<u64>,
    /// They are few: below 128 MiB.
    pub low: bool,
}

impl Device {
    /// Records after number `after` (0: from the beginning), oldest first, at most `max`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn items(&self, after: i64, max: u32) -> Result<Vec<Item>, DeviceError> {
        let page = intents::page(self.store.read(), after, max)?;
        page.into_iter().map(|intent| self.item(intent)).collect()
    }

    /// How many records are where.
    ///
    /// # Errors
    /// When the store fails.
    pub fn counts(&self) -> Result<Counts, DeviceError> {
        let by_state = intents::counts(self.store.read())?;
        let count = |state: OwnState| by_state.get(&(state as i64)).copied().unwrap_or(0);
        let saved = count(OwnState::Waiting) + count(OwnState::Held);
        let delivered = count(OwnState::Delivered);
        let refused = count(OwnState::Refused);
        Ok(Counts { recorded: saved + delivered + refused, saved, delivered, refused })
    }

    /// How many of colleagues' changes this phone carries.
    ///
    /// # Errors
    /// When the store fails.
    pub fn carried(&self) -> Result<Carried, DeviceError> {
        carried::counts(self.store.read())
    }

    /// What the store takes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn storage(&self) -> Result<Storage, DeviceError> {
        let count = |sql| {
            self.store.read().query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        };
        let (evidence_bytes, evidence_waiting_bytes) = evidence::sizes(self.store.read())?;
        let (free_bytes, low) = self.space();
        Ok(Storage {
            free_bytes,
            low,
            evidence_bytes,
            evidence_waiting_bytes,
            bytes: self.store.bytes()?,
            documents: count("SELECT count(*) FROM doc WHERE base IS NOT NULL")?,
            records: count("SELECT count(*) FROM intent")?,
        })
    }

    fn item(&self, intent: Intent) -> Result<Item, DeviceError> {
        let state = match intent.state {
            OwnState::Waiting | OwnState::Held => ItemState::Saved,
            OwnState::Refused => ItemState::Refused {
                code: intent.code.clone().unwrap_or_default(),
                detail: intent.detail.clone().unwrap_or_default(),
            },
            OwnState::Delivered if intent.seen || self.is_anchored(&intent)? => ItemState::Verified,
            OwnState::Delivered => ItemState::Delivered,
        };
        Ok(Item {
            n: intent.n,
            doc: intent.doc,
            what: intent.act.name(),
            fact: intent.sealed.as_ref().map(|sealed| sealed.id),
            wall_ms: intent.clock.wall_ms,
            state,
        })
    }

    /// Whether a receipt of the hub covers a delivered fact.
    fn is_anchored(&self, intent: &Intent) -> Result<bool, DeviceError> {
        let db = self.store.read();
        match &intent.sealed {
            Some(sealed) => Ok(feed::anchored(db, sealed.install)? >= sealed.seq),
            None => Ok(false),
        }
    }
}

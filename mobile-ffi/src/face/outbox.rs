//! What became of everything recorded here, and what happened since a screen last looked.

use super::convert::{signed, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use crate::{Counts, Event, EventKind, Item, ItemState, Storage};

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum RecordState {
    /// On this phone (已存本机): it survives any crash of the phone.
    Saved,
    /// At the server (已送达): it survives the loss of the phone.
    Delivered,
    /// At the server, which has shown it back or signed a receipt that covers it (已核验).
    Verified,
    /// Kept by the server for a supervisor, outside the case (已拒收).
    Refused {
        /// The kind of reason.
        code: String,
        /// In words.
        detail: String,
    },
}

/// One record of this phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneRecord {
    /// Its number on this phone, rising.
    pub number: i64,
    /// The visit that it belongs to.
    pub visit: String,
    /// What it is: `arrival`, `note`, `outcome` …
    pub what: String,
    /// The statement's id now, if it states something. It changes when the phone is restored from a
    /// backup: keep `number` instead.
    pub fact: Option<String>,
    /// The wall clock when the person acted, Unix milliseconds.
    pub wall_ms: i64,
    /// Where it stands.
    pub state: RecordState,
}

/// How many records are where. `recorded = saved + delivered + refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct RecordCounts {
    /// All.
    pub recorded: i64,
    /// On this phone only.
    pub saved: i64,
    /// At the server, verified ones included.
    pub delivered: i64,
    /// Kept for a supervisor.
    pub refused: i64,
}

/// What the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StorageUsed {
    /// Bytes of the store's file.
    pub bytes: i64,
    /// Documents held.
    pub documents: i64,
    /// Records held.
    pub records: i64,
    /// Bytes free on the phone, if it says so.
    pub free_bytes: Option<i64>,
    /// They are few: below 128 MiB.
    pub low: bool,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PhoneEventKind {
    /// The phone was enrolled.
    Enrolled,
    /// Something recorded here reached the server.
    Delivered,
    /// The server keeps something recorded here for a supervisor.
    Refused,
    /// A document was built anew around a refusal.
    Rebuilt,
    /// The server sees that this phone was restored from a backup or copied.
    Restored,
    /// A new installation began; what was undelivered was stated anew.
    Renewed,
    /// This phone was revoked.
    Revoked,
    /// The server or this store did what neither should: a person ought to look.
    Alarm,
    /// A document came or changed: read the work list again.
    DocumentChanged,
    /// A document went out of this phone's scope.
    DocumentLeft,
    /// The server answered with a problem.
    Problem,
    /// The server lost something that it had; it is delivered again.
    Redelivering,
    /// The server has signed for a file of evidence.
    FileVerified,
    /// A file of evidence was set aside, is missing, or is not what was recorded.
    FileTrouble,
    /// The phone removed its copy of a file that the server has had for long.
    CopyReleased,
    /// Somebody threw a file away that was being taken and not stated.
    CaptureDiscarded,
    /// The server was restored from a backup: what it lost is delivered again.
    HubRestored,
    /// The store was damaged and has been mended.
    Mended,
    /// Room on the phone runs out, or there is some again.
    Storage,
    /// A colleague's phone handed something over.
    HandedOver,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneEvent {
    /// Its number, rising: the cursor after it.
    pub number: i64,
    /// The phone's wall clock, Unix milliseconds.
    pub wall_ms: i64,
    /// What kind.
    pub kind: PhoneEventKind,
    /// The case or visit that it is about.
    pub about: Option<String>,
    /// In words. Never what a citizen said.
    pub detail: String,
}

#[uniffi::export]
impl PhoneCore {
    /// What happened after event number `cursor` (0: from the beginning), oldest first, at most
    /// `max`. Events are never pushed: ask after each round of sync.
    ///
    /// # Errors
    /// When `max` is negative or the store fails.
    pub fn events_since(&self, cursor: i64, max: i32) -> Result<Vec<PhoneEvent>, PhoneError> {
        let max = unsigned("max", i64::from(max))?;
        self.call("events_since", |device| {
            Ok(device.events_since(cursor, max)?.into_iter().map(Into::into).collect())
        })
    }

    /// Records after number `after` (0: from the beginning), oldest first, at most `max`.
    ///
    /// # Errors
    /// When `max` is negative or the store fails.
    pub fn records(&self, after: i64, max: i32) -> Result<Vec<PhoneRecord>, PhoneError> {
        let max = unsigned("max", i64::from(max))?;
        self.call("records", |device| {
            Ok(device.items(after, max)?.into_iter().map(Into::into).collect())
        })
    }

    /// How many records are where.
    ///
    /// # Errors
    /// When the store fails.
    pub fn counts(&self) -> Result<RecordCounts, PhoneError> {
        self.call("counts", |device| Ok(device.counts()?.into()))
    }

    /// What the store takes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn storage(&self) -> Result<StorageUsed, PhoneError> {
        self.call("storage", |device| Ok(device.storage()?.into()))
    }
}

impl From<ItemState> for RecordState {
    fn from(state: ItemState) -> Self {
        match state {
            ItemState::Saved => Self::Saved,
            ItemState::Delivered => Self::Delivered,
            ItemState::Verified => Self::Verified,
            ItemState::Refused { code, detail } => Self::Refused { code, detail },
        }
    }
}

impl From<Item> for PhoneRecord {
    fn from(item: Item) -> Self {
        Self {
            number: item.n,
            visit: item.doc.to_string(),
            what: item.what.to_owned(),
            fact: item.fact.map(|fact| fact.to_string()),
            wall_ms: item.wall_ms,
            state: item.state.into(),
        }
    }
}

impl From<Counts> for RecordCounts {
    fn from(counts: Counts) -> Self {
        Self {
            recorded: signed(counts.recorded),
            saved: signed(counts.saved),
            delivered: signed(counts.delivered),
            refused: signed(counts.refused),
        }
    }
}

impl From<Storage> for StorageUsed {
    fn from(storage: Storage) -> Self {
        Self {
            bytes: signed(storage.bytes),
            documents: signed(storage.documents),
            records: signed(storage.records),
            free_bytes: storage.free_bytes.map(signed),
            low: storage.low,
        }
    }
}

impl From<Event> for PhoneEvent {
    fn from(event: Event) -> Self {
        Self {
            number: event.n,
            wall_ms: event.wall_ms,
            kind: event.kind.into(),
            about: event.doc.map(|doc| doc.to_string()),
            detail: event.detail,
        }
    }
}

impl From<EventKind> for PhoneEventKind {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Enrolled => Self::Enrolled,
            EventKind::Delivered => Self::Delivered,
            EventKind::Refused => Self::Refused,
            EventKind::Rebuilt => Self::Rebuilt,
            EventKind::Restored => Self::Restored,
            EventKind::Renewed => Self::Renewed,
            EventKind::Revoked => Self::Revoked,
            EventKind::Alarm => Self::Alarm,
            EventKind::DocumentChanged => Self::DocumentChanged,
            EventKind::DocumentLeft => Self::DocumentLeft,
            EventKind::Problem => Self::Problem,
            EventKind::Redelivering => Self::Redelivering,
            EventKind::FileVerified => Self::FileVerified,
            EventKind::FileTrouble => Self::FileTrouble,
            EventKind::CopyReleased => Self::CopyReleased,
            EventKind::CaptureDiscarded => Self::CaptureDiscarded,
            EventKind::HubRestored => Self::HubRestored,
            EventKind::Mended => Self::Mended,
            EventKind::Storage => Self::Storage,
            EventKind::HandedOver => Self::HandedOver,
        }
    }
}

//! The hub: where documents, devices and feeds meet the database.
//!
//! | module | does |
//! |---|---|
//! | [`exchange`] | one sync request, from its first row to its reply |
//! | `idle` | the same, when there is nothing to say |
//! | [`admit`], `authors` | lets phones' changes in, or keeps them in [`quarantine`] |
//! | [`append`] | states the hub's own facts |
//! | [`anchors`], `certificates` | counts and signs what a phone may rely on |
//! | [`buckets`], [`scope`] | feeds, who follows them, and who once did |
//! | `pull`, `snapshots` | what a phone is told |
//! | [`documents`], `log` | documents in memory, and the log that they are rebuilt from |
//! | [`recover`] | what phones that lost their key hand in |
//! | [`epoch`] | what a hub restored from a backup begins |
//! | [`verify`] | rebuilds everything and compares |
//!
//! Every write to a document raises its row's version. Whoever works on a document outside a
//! transaction (the guard's work is long) finds out by that version whether to begin again.

pub mod admit;
pub mod anchors;
pub mod append;
mod authors;
pub mod buckets;
mod certificates;
pub mod documents;
pub mod epoch;
pub mod exchange;
mod idle;
mod log;
mod pull;
pub mod quarantine;
pub mod record;
pub mod recover;
pub mod scope;
pub(crate) mod snapshots;
mod sql;
mod tables;
pub mod verify;

#[cfg(test)]
mod tests;

pub(crate) use sql::{count, inconsistent, kind_code};

use onscene_sync_core::crypto::SigningFailed;
use onscene_sync_core::id::DocId;
use std::collections::BTreeMap;

use onscene_sync_core::id::DeviceId;
use onscene_sync_core::sync::chain::Slots;
use thiserror::Error;

use crate::store::{StoreError, TxError};

/// Taken places in the chains of several phones.
pub type Chains = BTreeMap<DeviceId, Slots>;

/// Why the hub could not do its work. What a phone did wrong is a result, not one of these.
#[derive(Debug, Error)]
pub enum HubError {
    /// The database's part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else wrote to the same documents: the work begins again.
    #[error("another request wrote to the same documents: send it again")]
    Moved,
    /// A phone's chain holds other facts at these places: the work begins again with them known.
    #[error("a chain of facts forked while it was being read: send it again")]
    Forked(Chains),
    /// No such document.
    #[error("there is no document {0}")]
    UnknownDocument(DocId),
    /// A hub fact could not be written.
    #[error("nothing more can be written to document {doc}: {detail}")]
    Unwritable {
        /// Which document.
        doc: DocId,
        /// What it said.
        detail: String,
    },
    /// The log of a document is not what was written.
    #[error("document {doc} is damaged: {detail}: restore it from a backup")]
    Corrupt {
        /// Which document.
        doc: DocId,
        /// What does not fit.
        detail: String,
    },
    /// The hub's own key failed.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The device is no longer known.
    #[error("the device is not enrolled here")]
    UnknownDevice,
    /// So many of the device's changes wait for a supervisor that no more can be kept.
    #[error("{waiting} refused changes of this device wait for a supervisor: settle them first")]
    QuarantineFull {
        /// How many wait.
        waiting: u64,
    },
    /// The work panicked or the program is stopping.
    #[error("the work was interrupted: send it again")]
    Interrupted,
}

impl TxError for HubError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

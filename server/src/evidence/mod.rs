//! Files of evidence: how they come, what is known of them, how long they stay.
//!
//! | module | does |
//! |---|---|
//! | [`media`] | what a file may be, and how large |
//! | [`manifest`] | the fact that names a file |
//! | [`uploads`] | rows of uploads: whose, how far, who holds it |
//! | [`receive`] | bytes of a request into pieces, as they come |
//! | [`finish`] | from all pieces to a stored file and its receipt |
//! | [`look`] | size, thumbnail and likeness of a photo, by a process of its own |
//! | [`reuse`] | the same photo on another case |
//! | [`view`], [`download`] | what a screen shows of a file, and the file |
//! | [`inventory`] | whether every file is where its row says |
//! | [`objects`] | rows of files in the blob store: what keeps them from being cleared away |
//! | [`sweep`] | what is cleared away, and when |
//!
//! Bytes come only after their manifest fact, in requests of their own, and count only when their
//! SHA-256 is the one that the phone signed. Until then they are pieces of 256 KiB in the blob
//! store; a row says how many bytes there are and who holds the upload. A piece is written before
//! the row says so, and the row moves only for its holder, so any process can go on after any other.

pub mod download;
pub mod finish;
pub mod inventory;
pub mod look;
pub mod manifest;
pub mod media;
pub(crate) mod objects;
pub mod receive;
pub mod reuse;
pub mod sweep;
pub mod uploads;
pub mod view;

use onscene_sync_core::crypto::SigningFailed;
use onscene_sync_core::id::FactId;
use thiserror::Error;

use crate::blob::BlobError;
use crate::cases::CaseError;
use crate::jobs::Work;
use crate::store::{StoreError, TxError};

/// Long work about files.
pub const WORK: &[(&str, Work)] = &[(look::LOOK, look::run)];

/// Why something was not done about a file of evidence.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// The database's part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store's part.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Reading the document that holds the fact.
    #[error(transparent)]
    Case(CaseError),
    /// The hub's own key failed.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// No such fact of this phone.
    #[error("this phone has delivered no fact {0}: sync first, then upload its file")]
    UnknownFact(FactId),
    /// The fact names no file.
    #[error("fact {0} is not evidence: upload files of manifest facts only")]
    NoManifest(FactId),
    /// No such upload, or no more.
    #[error("there is no such upload (any more): begin one for its fact with POST /v1/uploads")]
    UnknownUpload,
    /// Somebody else took the upload over.
    #[error(
        "another request took this upload over: ask for its offset (HEAD) and go on from there"
    )]
    TakenOver,
    /// The file is not what it may be.
    #[error("{0}")]
    Refused(String),
    /// The device has brought as much as it may today.
    #[error("this phone has brought {limit} bytes today, which is all that it may: go on tomorrow")]
    DayFull {
        /// How many.
        limit: u64,
    },
    /// The file is just being cleared away.
    #[error("the file is just being cleared away: try again in a minute")]
    Clearing,
}

impl From<CaseError> for EvidenceError {
    fn from(error: CaseError) -> Self {
        if let CaseError::Store(error) = error { Self::Store(error) } else { Self::Case(error) }
    }
}

impl TxError for EvidenceError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

#[cfg(test)]
mod tests;

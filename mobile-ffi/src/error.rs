//! Why a call failed. Whatever the error, what was recorded before stays recorded.

use std::path::PathBuf;

use onscene_sync_core::crypto::SigningFailed;
use onscene_sync_core::document::DocumentError;
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::host::HostError;

/// A call of the device library that failed. Nothing of it took effect.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// The file is something else.
    #[error("{} is not a store of this app: choose another path", .path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A newer app wrote the file.
    #[error("the store is of version {found}, this app knows up to {known}: update the app")]
    StoreTooNew {
        /// Version of the file.
        found: i64,
        /// Newest version that this build reads.
        known: i64,
    },
    /// The phone's key store does not give the key to this store.
    #[error("the key to the store {}", key_advice(.why, *.lost))]
    KeyUnavailable {
        /// What the platform said.
        why: String,
        /// The key is gone for good; otherwise it may be had later.
        lost: bool,
    },
    /// The store's key was never sealed to the hub.
    #[error(
        "the hub's recovery key never reached this store: only this phone's key store opens it"
    )]
    NoRecovery,
    /// A part of the file is damaged; the rest works on.
    #[error("the {what} in the store cannot be read: the file is damaged")]
    Damaged {
        /// What cannot be read.
        what: String,
    },
    /// No room on the phone. What was recorded before is safe.
    #[error("the phone's storage is full: free some space and try again")]
    Full,
    /// The file cannot be read or written: a read-only disk, say.
    #[error("the store failed: {0}")]
    Store(String),
    /// A file of evidence or its folder cannot be read or written: a full disk, say.
    #[error("{}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The platform failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] SigningFailed),
    /// The phone has not been enrolled.
    #[error("this phone is not enrolled: enrol it with a code from an administrator")]
    NotEnrolled,
    /// What the call names is not on this phone.
    #[error("there is no {what} {id} on this phone: sync, or check the id")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// An argument that cannot be recorded.
    #[error("`{field}` cannot be recorded: {why}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// An outcome with nothing to show for it.
    #[error(
        "an outcome needs at least one piece of evidence: take a photo, or choose one of this visit, and \
         name it; only `unfounded` needs none"
    )]
    NoEvidence,
    /// A document that cannot be written or read.
    #[error("the document failed: {0}")]
    Document(#[from] DocumentError),
}

fn key_advice(why: &str, lost: bool) -> String {
    if lost {
        format!(
            "is gone ({why}): make a recovery file for the bureau, set the store aside and enrol anew"
        )
    } else {
        format!("is not to be had now ({why}): unlock the phone and try again")
    }
}

impl From<rusqlite::Error> for DeviceError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::damaged("file"),
            _ => Self::Store(error.to_string()),
        }
    }
}

impl DeviceError {
    pub(crate) fn unknown(what: &'static str, id: impl ToString) -> Self {
        Self::Unknown { what, id: id.to_string() }
    }

    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

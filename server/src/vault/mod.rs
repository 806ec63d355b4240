//! The vault: who raised a case. Kept apart from everything that travels.
//!
//! | module | does |
//! |---|---|
//! | [`seal`] | encryption: a key for each record, wrapped by the master key |
//! | [`keys`] | the master keys, which are files and never in the database |
//! | [`record`] | stores, looks up without revealing, erases |
//! | [`read`] | reveals to one person for one purpose, on record before the answer |
//! | [`reply`] | what complainants wrote back by text message |
//! | [`call_back`] | what a team asks the complainant through the command centre |
//! | [`guard`] | keeps identities out of free texts |
//! | [`rotate`] | puts all record keys under a new master key |
//!
//! A name, a number or an address stands in no document, fact, event, log line, index or file name.
//! In the database it stands sealed; the keys to it do not lie there. Erasing a record destroys its
//! key.

pub mod call_back;
pub mod guard;
pub mod keys;
pub mod read;
pub mod record;
pub mod reply;
pub mod rotate;
pub mod seal;

#[cfg(test)]
mod tests;

use onscene_sync_core::id::DocId;
use thiserror::Error;

use crate::store::{StoreError, TxError};

/// Why the vault did not do as it was told.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The database's part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No complainant was stored with this case.
    #[error("no complainant is stored with case {0}")]
    Absent(DocId),
    /// It was erased.
    #[error("the complainant of case {0} was erased: nobody can read it any more")]
    Erased(DocId),
    /// The master key is not among the files.
    #[error(
        "the vault's master key of generation {0} is not in the keys' folder: put vault.{0}.key back"
    )]
    NoKey(u32),
    /// The record is not what was stored, or another master key lies in the key's file.
    #[error(
        "the complainant of case {0} cannot be opened: the record or its master key is damaged"
    )]
    Damaged(DocId),
}

impl TxError for VaultError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

//! Duty (值班): who stands by at the command centre and in the units, round the clock.
//!
//! | module | holds |
//! |---|---|
//! | [`shift`] | shifts of the roster |
//! | [`presence`] | who is on now, who has taken over |
//! | [`gaps`] | when nobody is at the desk |
//! | [`month`] | a roster from a table |
//! | [`tree`] | the units above a unit |
//!
//! The command centre's roster is that of the top unit.

pub mod gaps;
pub mod month;
pub mod presence;
pub mod shift;
pub mod tree;

use thiserror::Error;

use crate::store::{StoreError, TxError};

/// Why a roster was not changed.
#[derive(Debug, Error)]
pub enum DutyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such shift.
    #[error("there is no shift {0}")]
    UnknownShift(i64),
    /// A value is not what it may be.
    #[error("`{field}` {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what it should be.
        why: String,
    },
    /// The roster does not stand so that this can be done.
    #[error("{why}")]
    Conflict {
        /// For a program.
        code: &'static str,
        /// In words, with what to do.
        why: String,
    },
    /// Somebody else changed the shift first: its version now.
    #[error("the shift has version {0} by now")]
    Changed(i64),
    /// Lines of a table that cannot be taken.
    #[error("{} lines of the table are wrong", .0.len())]
    Lines(Vec<month::WrongLine>),
}

impl TxError for DutyError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

#[cfg(test)]
mod tests;

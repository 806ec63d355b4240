//! Supervision (督查). Its heart is the weekly spot recheck (抽项复查): a draw that nobody can steer, and
//! what becomes of it.
//!
//! | module | does |
//! |---|---|
//! | [`freeze`] | settles the list of a week's closed cases, and commits to it in the audit log |
//! | [`seed`] | takes the public value, draws, and sends each drawn case to a supervisor's phone |
//! | [`recheck`] | brings a supervisor's finding into the case |
//! | [`files`] | what is published, for `onscene draw verify` |
//! | [`drill`] | made-up cases, each approved by a bureau leader |
//! | [`check`] | special checks of duty, intake, dispatch and turn-out |
//! | [`supervise`], [`owed`] | hard cases and media reports: what was done, what is owed |
//!
//! What makes the draw hold: the commitment is in a signed checkpoint of the audit log, which phones have
//! seen, before the hub takes a seed; and the seed is a value that did not exist by then. The hub
//! needs no network: a person enters the value, and whoever repeats the draw looks it up.
//!
//! It is blind: the unit's phones learn of a recheck by its finding, and what was drawn is published only
//! when all rechecks are done ([`files`]), so no supervisor can warn a unit, their own or another. The one
//! who rechecks sees what was to be put right and where, not who had worked on it.

pub mod check;
pub mod drill;
pub mod files;
pub mod freeze;
pub mod owed;
pub mod recheck;
pub mod seed;
pub mod supervise;

use onscene_sync_core::id::DocId;
use onscene_sync_core::time::Millis;
use thiserror::Error;

use crate::cases::CaseError;
use crate::hub::HubError;
use crate::store::{StoreError, TxError};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// The first day of 1970 was a Thursday: so many days after the Monday from which weeks are counted.
const THURSDAY: i64 = 3;

/// Why a draw does not go on.
#[derive(Debug, Error)]
pub enum DrawError {
    /// The database's part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cases' part.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The hub's part.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// No such draw.
    #[error("there is no draw {0}")]
    Unknown(DocId),
    /// A value is not what it may be.
    #[error("`{field}` {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what it should be.
        why: String,
    },
    /// The draw does not stand so.
    #[error("{why}")]
    Conflict {
        /// For a program.
        code: &'static str,
        /// In words, with what to do.
        why: String,
    },
    /// A file in the database is not what was written there.
    #[error("the draw's files cannot be read: {0}")]
    Broken(String),
}

impl TxError for DrawError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Hub(HubError::Store(error)) => Some(error),
            Self::Case(error) => error.store_error(),
            _ => None,
        }
    }
}

/// The week of local time that a moment is in.
fn week_of(moment: Millis, utc_offset_min: i32) -> i64 {
    let days = moment.plus(i64::from(utc_offset_min) * 60_000).0.div_euclid(DAY_MS);
    (days + THURSDAY).div_euclid(7)
}

/// When a week of local time begins.
fn begin_of(week: i64, utc_offset_min: i32) -> Millis {
    let days = week.saturating_mul(7).saturating_sub(THURSDAY);
    Millis(days.saturating_mul(DAY_MS)).plus(-i64::from(utc_offset_min) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_from_monday_to_sunday_at_jinan() {
        // 2026-11-16T00:00:00+08:00, a Monday.
        let monday = Millis(1_794_758_400_000);
        let week = week_of(monday, 480);
        assert_eq!(begin_of(week, 480), monday);
        assert_eq!(week_of(monday.plus(7 * DAY_MS - 1), 480), week);
        assert_eq!(week_of(monday.plus(-1), 480), week - 1);
        assert_eq!(week_of(monday.plus(7 * DAY_MS), 480), week + 1);
    }
}

//! Protocol versions, each with its date and reason. A phone names the one it speaks; the hub
//! answers in the same one or says plainly which side needs an update.

use thiserror::Error;

/// 2026-11-23: the first.
pub const V1: u16 = 1;
/// The newest version this build speaks.
pub const CURRENT: u16 = V1;
/// The oldest version this build still speaks.
pub const OLDEST: u16 = V1;

/// The two sides have no version in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// The phone is older than the hub supports.
    #[error("this app speaks protocol {spoken}; the hub needs at least {OLDEST}: update the app")]
    TooOld {
        /// What the phone speaks.
        spoken: u16,
    },
    /// The phone is newer than the hub.
    #[error(
        "this app speaks protocol {spoken}; the hub speaks up to {CURRENT}: the hub needs an update"
    )]
    TooNew {
        /// What the phone speaks.
        spoken: u16,
    },
}

/// Whether this build can answer a phone that speaks `spoken`.
///
/// # Errors
/// When it cannot: which side needs an update.
pub const fn negotiate(spoken: u16) -> Result<u16, Unsupported> {
    if spoken < OLDEST {
        Err(Unsupported::TooOld { spoken })
    } else if spoken > CURRENT {
        Err(Unsupported::TooNew { spoken })
    } else {
        Ok(spoken)
    }
}

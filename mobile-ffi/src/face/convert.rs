//! How plain values cross: ids as text, unsigned numbers as signed ones.
//!
//! Kotlin has no ordinary unsigned integers, and nothing here comes near 2^63.

use std::path::PathBuf;
use std::str::FromStr;

use super::error::PhoneError;
use crate::Job;

/// Reads an id that the library gave to the app.
pub(super) fn id<T: FromStr>(field: &str, text: &str) -> Result<T, PhoneError>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| PhoneError::invalid(field, error))
}

/// The job of a visit.
pub(super) fn job(visit: &str) -> Result<Job, PhoneError> {
    id("visit", visit).map(Job::Inspection)
}

/// A number that is never negative.
pub(super) fn unsigned<T: TryFrom<i64>>(field: &str, number: i64) -> Result<T, PhoneError> {
    let range = "it is negative or too large";
    T::try_from(number).map_err(|_| PhoneError::invalid(field, range))
}

/// A count or size.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Paths on phones are text: apps give the store's, and the library's own names are ASCII.
pub(super) fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

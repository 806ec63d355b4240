//! Pages of lists: `limit` says how many, `after` where to go on, `next` what to send as `after`.

use onscene_sync_core::id::UnitId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Problem;
pub(super) use crate::cases::list::PAGE as MOST;

/// Rows of a page unless it is said otherwise.
const USUAL: u32 = 50;

/// How many rows a page has.
pub(super) fn size(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(USUAL);
    if limit == 0 || limit > MOST {
        return Err(Problem::invalid(format!("`limit` must be 1 to {MOST}")));
    }
    Ok(limit)
}

/// Where the page after these rows begins, if it is full; a page that is not is the last.
pub(super) fn next<R, K>(rows: &[R], limit: u32, key: impl Fn(&R) -> K) -> Option<K> {
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    rows.last().filter(|_| full).map(key)
}

/// Reads `after` where it is made of a moment or number and an id, between them a dot.
pub(super) fn after<N, I>(text: Option<&str>) -> Result<Option<(N, I)>, Problem>
where
    N: std::str::FromStr,
    I: std::str::FromStr,
{
    let Some(text) = text else { return Ok(None) };
    let parts = text.split_once('.');
    let place = parts.and_then(|(n, id)| Some((n.parse().ok()?, id.parse().ok()?)));
    place.map(Some).ok_or_else(|| Problem::invalid("`after` must be `next` of the page before"))
}

/// The query of a list of things that wait for a person to settle them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// Only of this unit and those below it.
    pub(super) unit: Option<UnitId>,
    /// Also what has been settled.
    #[serde(default)]
    pub(super) all: bool,
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<i64>,
}

impl Waiting {
    /// How many, and the number that all have to be below.
    pub(super) fn page(&self) -> Result<(u32, i64), Problem> {
        Ok((size(self.limit)?, self.after.unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_has_a_next_and_a_limit_out_of_bounds_is_refused() {
        assert_eq!((size(None).unwrap(), size(Some(MOST)).unwrap()), (USUAL, MOST));
        assert!(size(Some(0)).is_err() && size(Some(MOST + 1)).is_err());
        assert_eq!(next(&[3, 4], 2, |row| *row), Some(4));
        assert_eq!(next(&[3], 2, |row| *row), None);
        assert_eq!(after::<i64, u8>(Some("-5.7")).unwrap(), Some((-5, 7)));
        assert!(after::<i64, u8>(Some("5")).is_err());
    }
}

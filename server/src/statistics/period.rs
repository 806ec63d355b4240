//! Days and months of the bureau's own calendar.

use std::fmt;

use onscene_sync_core::rules::policy::Policy;
use onscene_sync_core::time::Millis;
use thiserror::Error;
use time::{Date, Month, OffsetDateTime, UtcOffset};

/// Days that a period may have, so that no question walks along the whole table.
pub const DAYS: i64 = 366;

/// Days from one to another, both of them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

/// A text that names no period.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeriodError {
    /// Not a day.
    #[error("`{0}` is no day: write it as 2026-10-31")]
    Day(String),
    /// Not a month.
    #[error("`{0}` is no month: write it as 2026-10")]
    Month(String),
    /// The end is before the beginning.
    #[error("the period ends before it begins: give the earlier day first")]
    Backwards,
    /// More than [`DAYS`].
    #[error("the period is longer than {DAYS} days: ask for a year at most")]
    TooLong,
    /// Neither or both of the two ways.
    #[error("say which period: `month=2026-10`, or `from=2026-10-01&to=2026-10-31`")]
    Unnamed,
}

impl Period {
    /// From one day to another, both `YYYY-MM-DD`.
    ///
    /// # Errors
    /// When one is no day, the second is before the first, or more than [`DAYS`] lie between.
    pub fn days(first: &str, last: &str) -> Result<Self, PeriodError> {
        let (first, last) = (day(first)?, day(last)?);
        if last < first {
            return Err(PeriodError::Backwards);
        }
        if (last - first).whole_days() >= DAYS {
            return Err(PeriodError::TooLong);
        }
        Ok(Self { first, last })
    }

    /// A month, `YYYY-MM`.
    ///
    /// # Errors
    /// When it is none.
    pub fn month(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError::Month(text.chars().take(20).collect());
        let first = day(&format!("{text}-01")).map_err(|_| wrong())?;
        let last = first.replace_day(first.month().length(first.year())).map_err(|_| wrong())?;
        Ok(Self { first, last })
    }

    /// What a request names: a month, or two days.
    ///
    /// # Errors
    /// When it names neither or both, or wrongly.
    pub fn named(
        month: Option<&str>,
        first: Option<&str>,
        last: Option<&str>,
    ) -> Result<Self, PeriodError> {
        match (month, first, last) {
            (Some(month), None, None) => Self::month(month),
            (None, Some(first), Some(last)) => Self::days(first, last),
            _ => Err(PeriodError::Unnamed),
        }
    }

    /// As many days that end the day before; of a whole month, the month before.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        let last = self.first.previous_day()?;
        let first = if self.is_month() {
            last.replace_day(1).ok()?
        } else {
            let days = (self.last - self.first).whole_days();
            last.checked_sub(time::Duration::days(days))?
        };
        Some(Self { first, last })
    }

    /// Whether it is exactly a month.
    #[must_use]
    pub fn is_month(self) -> bool {
        Self::month(&self.first.to_string()[..7]) == Ok(self)
    }

    /// Its moments `[from, until)` by the policy's local time.
    #[must_use]
    pub fn moments(self, policy: &Policy) -> (Millis, Millis) {
        let midnight = |day: Date| {
            let utc = day.midnight().assume_utc().unix_timestamp();
            Millis(utc.saturating_mul(1000)).plus(-i64::from(policy.utc_offset_min) * 60_000)
        };
        (midnight(self.first), midnight(self.last).plus(86_400_000))
    }
}

impl fmt::Display for Period {
    /// `2026年10月`, or `2026年10月1日至10月15日`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if self.is_month() {
            return write!(f, "{}年{}月", first.year(), u8::from(first.month()));
        }
        write!(f, "{}", in_chinese(*first))?;
        if last != first {
            write!(f, "至{}", in_chinese(*last))?;
        }
        Ok(())
    }
}

/// `2026年10月1日`.
#[must_use]
pub fn in_chinese(day: Date) -> String {
    format!("{}年{}月{}日", day.year(), u8::from(day.month()), day.day())
}

/// The bureau's day at a moment.
#[must_use]
pub fn local_day(at: Millis, policy: &Policy) -> Option<Date> {
    let offset = UtcOffset::from_whole_seconds(policy.utc_offset_min * 60).ok()?;
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).ok()?;
    Some(moment.checked_to_offset(offset)?.date())
}

/// `YYYY-MM-DD`, in the years 1970 to 9999.
fn day(text: &str) -> Result<Date, PeriodError> {
    let wrong = || PeriodError::Day(text.chars().take(20).collect());
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let parts = (digits(0..4), digits(5..7), digits(8..10));
    let (true, (Some(year), Some(month), Some(day))) = (dashes, parts) else { return Err(wrong()) };
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok());
    let (Some(month), Ok(day), true) = (month, u8::try_from(day), year >= 1970) else {
        return Err(wrong());
    };
    Date::from_calendar_date(year.into(), month, day).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_begins_and_ends_at_local_midnight() {
        let (from, until) = Period::month("2026-10").unwrap().moments(&Policy::v1());
        // 2026-09-30T16:00Z and 2026-10-31T16:00Z.
        assert_eq!((from.0, until.0), (1_790_784_000_000, 1_793_462_400_000));
        assert_eq!(local_day(from, &Policy::v1()).unwrap().to_string(), "2026-10-01");
        assert_eq!(local_day(from.plus(-1), &Policy::v1()).unwrap().to_string(), "2026-09-30");
    }

    #[test]
    fn the_period_before_a_month_is_the_month_before() {
        let before = |period: Period| period.before().unwrap();
        assert_eq!(before(Period::month("2026-03").unwrap()), Period::month("2026-02").unwrap());
        let ten = Period::days("2026-10-11", "2026-10-20").unwrap();
        assert_eq!(before(ten), Period::days("2026-10-01", "2026-10-10").unwrap());
    }

    #[test]
    fn what_is_no_period_is_named() {
        for text in ["2026-13", "2026-1", "0001-01", "２０２６-01", "", "2026-10-01", "年月"]
        {
            assert!(Period::month(text).unwrap_err().to_string().contains(text), "{text}");
        }
        let wrong = Period::days("2026-02-30", "2026-03-01").unwrap_err();
        assert_eq!(wrong, PeriodError::Day("2026-02-30".to_owned()));
        assert_eq!(Period::days("2026-03-02", "2026-03-01"), Err(PeriodError::Backwards));
        assert_eq!(Period::days("2025-01-01", "2026-01-02"), Err(PeriodError::TooLong));
        assert!(Period::days("2024-01-01", "2024-12-31").is_ok());
        assert_eq!(Period::named(None, Some("2026-03-01"), None), Err(PeriodError::Unnamed));
    }

    #[test]
    fn a_period_is_named_in_chinese() {
        assert_eq!(Period::month("2026-10").unwrap().to_string(), "2026年10月");
        let days = Period::days("2026-10-01", "2026-10-15").unwrap();
        assert_eq!(days.to_string(), "2026年10月1日至2026年10月15日");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,12}") {
            let _either = (Period::month(&text), Period::days(&text, &text));
        }
    }
}

//! The account of the day, line by line as it happens: when, what kind of thing, what.

use std::io::{self, Write};

use onscene_sync_core::time::Millis;

use super::report::padded;

/// The bureau's clock is so many milliseconds ahead of UTC (China: 8 hours).
const AHEAD_MS: i64 = 8 * 3_600_000;
const MINUTES_A_DAY: i64 = 24 * 60;

/// Kinds of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A case was put on record.
    Registered,
    /// An order went out.
    Ordered,
    /// A phone accepted it.
    Accepted,
    /// An inspector tapped "on scene".
    Arrived,
    /// The hub judged an arrival.
    Verdict,
    /// A deadline passed.
    Overdue,
    /// A result was recorded.
    Outcome,
    /// Evidence looks wrong.
    Flag,
    /// A phone lost or found the network, restarted, was copied.
    Phone,
    /// The hub refused a change.
    Refused,
}

impl Kind {
    const fn label(self) -> &'static str {
        match self {
            Self::Registered => "受理 registered",
            Self::Ordered => "调度 ordered",
            Self::Accepted => "接令 accepted",
            Self::Arrived => "到场 on scene",
            Self::Verdict => "裁定 verdict",
            Self::Overdue => "超时 overdue",
            Self::Outcome => "处理 outcome",
            Self::Flag => "疑点 flag",
            Self::Phone => "手机 phone",
            Self::Refused => "拒收 refused",
        }
    }
}

/// Where the account goes.
pub struct Account {
    out: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

impl Account {
    /// An account written to `out`.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>) -> Self {
        Self { out }
    }

    /// One event.
    ///
    /// # Errors
    /// When it cannot be written: nobody is reading any more.
    pub fn line(&mut self, at: Millis, kind: Kind, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}  {} {text}", time_of_day(at), padded(kind.label(), 17))
    }

    /// Free text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }
}

/// Hours and minutes on the bureau's clock.
#[must_use]
pub fn time_of_day(at: Millis) -> String {
    let minutes = (at.0 + AHEAD_MS).div_euclid(60_000).rem_euclid(MINUTES_A_DAY);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_bureaus() {
        assert_eq!(time_of_day(Millis(1_795_392_000_000)), "08:00", "midnight in Greenwich");
        assert_eq!(time_of_day(Millis(1_795_392_000_000 + 16 * 3_600_000 + 59_999)), "00:00");
    }
}

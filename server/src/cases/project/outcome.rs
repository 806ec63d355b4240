//! How a clock came out, as a column shows it: without looking at the time of day.
//!
//! A clock that still runs is `open`, with its deadline in the column beside it; whether that has
//! passed is for the reader to say, who knows what time it is.

use onscene_sync_core::rules::clocks::{Clock, ClockState};
use onscene_sync_core::time::Millis;

/// An outcome. The order is that of weight: of several clocks the heaviest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// There is no such clock.
    None,
    /// Needed no longer before its time was up.
    Lifted,
    /// Stopped in time.
    OnTime,
    /// It runs, or stands still.
    Open,
    /// A person decides.
    Undecided,
    /// Stopped too late, or given up after its time.
    Late,
}

impl Outcome {
    /// As it stands in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Lifted => "lifted",
            Self::OnTime => "on_time",
            Self::Open => "open",
            Self::Undecided => "undecided",
            Self::Late => "late",
        }
    }

    fn of(clock: &Clock) -> Self {
        match clock.state {
            ClockState::Met => Self::OnTime,
            ClockState::Breached if clock.stopped_at.is_some() => Self::Late,
            ClockState::Breached | ClockState::Running { .. } | ClockState::Paused { .. } => {
                Self::Open
            }
            ClockState::UnderReview => Self::Undecided,
            ClockState::Lifted { .. } => Self::Lifted,
        }
    }
}

/// What several clocks of one purpose add up to: the heaviest outcome, and the first deadline of
/// those that run. One that stands still has no deadline yet.
pub(super) fn of_all<'a>(clocks: impl IntoIterator<Item = &'a Clock>) -> (Outcome, Option<Millis>) {
    clocks.into_iter().fold((Outcome::None, None), |(heaviest, due), clock| {
        let outcome = Outcome::of(clock);
        let ticking = outcome == Outcome::Open && !matches!(clock.state, ClockState::Paused { .. });
        let due = due.into_iter().chain(ticking.then_some(clock.due)).min();
        (heaviest.max(outcome), due)
    })
}

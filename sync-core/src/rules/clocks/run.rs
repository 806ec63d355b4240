//! The arithmetic of one clock: deadline, pauses and state.

use serde::Serialize;

use super::{Clock, ClockKind, ClockState, How, Owner, Started, Step, StepKind, Stopped};
use crate::id::FactId;
use crate::time::Millis;

/// A stretch of time `[from, to)`; `to` is `None` while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// Its beginning.
    pub from: Millis,
    /// Its end.
    pub to: Option<Millis>,
}

/// A clock before its arithmetic.
pub(super) struct Draft<'a> {
    pub kind: ClockKind,
    pub owner: Owner,
    pub order: Option<FactId>,
    pub policy: u32,
    pub started: Started,
    /// The last moment in time if it never stands still.
    pub due: Millis,
    pub stopped: Option<Stopped>,
    /// Stretches in which it stands still, in any order, overlapping or not.
    pub pauses: &'a [Span],
}

impl Draft<'_> {
    /// The clock as it stands at `now`.
    pub(super) fn run(self, now: Millis) -> Clock {
        // A late fact may show a stop before the start (a result before the receipt).
        let stopped =
            self.stopped.map(|stopped| Stopped { at: stopped.at.max(self.started.at), ..stopped });
        let horizon = stopped.map_or(now, |stopped| stopped.at).max(self.started.at);
        let (due, paused) = self.pause(horizon);
        let state = state(due, &paused, stopped, now);
        let steps = steps(self.started, due, &paused, stopped, now);
        Clock {
            kind: self.kind,
            owner: self.owner,
            order: self.order,
            policy: self.policy,
            started_at: self.started.at,
            due,
            stopped_at: stopped
                .filter(|stopped| !matches!(stopped.how, How::Claimed))
                .map(|stopped| stopped.at),
            paused,
            state,
            steps,
        }
    }

    /// Moves the deadline by the pauses that began in time, up to `horizon`.
    fn pause(&self, horizon: Millis) -> (Millis, Vec<Span>) {
        let mut pauses = self.pauses.to_vec();
        pauses.sort_by_key(|span| (span.from, span.to.is_none(), span.to));
        let mut due = self.due;
        let mut passed = self.started.at;
        let mut paused: Vec<Span> = Vec::new();
        for span in pauses {
            let from = span.from.max(passed);
            if from > due || from > horizon {
                break;
            }
            let to = span.to.filter(|to| *to <= horizon).or(self.stopped.map(|_| horizon));
            let until = to.unwrap_or(horizon);
            if until <= from && to.is_some() {
                continue;
            }
            due = due.plus(until.since(from));
            passed = until;
            match paused.last_mut() {
                Some(last) if last.to == Some(from) => last.to = to,
                _ => paused.push(Span { from, to }),
            }
        }
        (due, paused)
    }
}

fn state(due: Millis, paused: &[Span], stopped: Option<Stopped>, now: Millis) -> ClockState {
    let in_time = |in_time| if in_time { ClockState::Met } else { ClockState::Breached };
    match stopped {
        Some(Stopped { at, how: How::Done, .. }) => in_time(at <= due),
        Some(Stopped { how: How::Ruled { in_time: ruled }, .. }) => in_time(ruled),
        Some(Stopped { how: How::Claimed, .. }) => ClockState::UnderReview,
        Some(Stopped { at, how: How::Lifted(_), .. }) if at > due => ClockState::Breached,
        Some(Stopped { how: How::Lifted(because) | How::Void(because), .. }) => {
            ClockState::Lifted { because }
        }
        None if now > due => ClockState::Breached,
        None => match paused.last() {
            Some(Span { to: None, .. }) => ClockState::Paused { remaining_ms: due.since(now) },
            _ => ClockState::Running { remaining_ms: due.since(now) },
        },
    }
}

fn steps(
    started: Started,
    due: Millis,
    paused: &[Span],
    stopped: Option<Stopped>,
    now: Millis,
) -> Vec<Step> {
    let mut steps = vec![Step { at: started.at, what: StepKind::Started, fact: started.fact }];
    for span in paused {
        steps.push(Step { at: span.from, what: StepKind::Paused, fact: None });
        steps.extend(span.to.map(|at| Step { at, what: StepKind::Resumed, fact: None }));
    }
    let until = stopped.map_or(now, |stopped| stopped.at);
    if until > due {
        steps.push(Step { at: due, what: StepKind::TimeUp, fact: None });
    }
    steps.extend(stopped.map(|Stopped { at, fact, how }| Step {
        at,
        what: match how {
            How::Done | How::Ruled { .. } => StepKind::Stopped,
            How::Claimed => StepKind::Claimed,
            How::Lifted(_) | How::Void(_) => StepKind::Lifted,
        },
        fact,
    }));
    steps.sort_by_key(|step| step.at);
    steps
}

//! The clocks of the rule book, as a pure replay of a case's facts.
//!
//! Nothing is counted as it happens: every call works all clocks out anew from the facts, so a fact
//! that an offline phone delivers late corrects the past by itself. Four readings of the rule
//! book, where it is silent (*ours*):
//!
//! - While coordination is open, the clocks of orders already issued stand still. A paused clock's
//!   deadline moves by exactly the time it stood still, also where the limit is an end of day.
//! - While returned work is being redone, the rework clock runs and the complex-feedback clock
//!   stands still.
//! - A complainant who cannot be reached need not be told: if the first attempt was made in time the
//!   clock is lifted, also when the attempts that settle it came after its deadline.
//! - Until the first feedback nobody knows whether a matter is complex, so the on-the-spot clock
//!   runs from arrival; a first feedback that shows a complex matter lifts it, also afterwards.
//!
//! A limit is inclusive: stopped at the very deadline is met. Time after the deadline has passed is
//! not given back by a later pause.

mod case;
mod run;
mod unit;

use serde::Serialize;

use crate::id::{FactId, UnitId};
use crate::rules::policy::{Policies, UnknownPolicy};
use crate::rules::record::CaseRecord;
use crate::time::Millis;

pub use run::Span;

/// A clock's purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// Information received → registered.
    Registration,
    /// Registered (or without an order again) → order issued.
    Dispatch,
    /// Jurisdiction unclear → order issued.
    Coordination,
    /// Order received → a team on scene.
    Arrival,
    /// Arrival → result of an on-the-spot matter.
    OnTheSpotFeedback,
    /// Order received, or last progress → next feedback.
    ComplexFeedback,
    /// Result reached the command centre → complainant told.
    ComplainantFeedback,
    /// Work returned → new result.
    Rework,
}

/// Who answers for a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "owner", rename_all = "snake_case")]
pub enum Owner {
    /// The command centre.
    CommandCentre,
    /// The unit of the order.
    Unit {
        /// Which.
        unit: UnitId,
    },
}

/// How a clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClockState {
    /// Counting down.
    Running {
        /// Milliseconds left.
        remaining_ms: i64,
    },
    /// Standing still.
    Paused {
        /// Milliseconds left when it goes on.
        remaining_ms: i64,
    },
    /// Stopped in time.
    Met,
    /// Stopped too late, or not stopped and the time is up.
    Breached,
    /// A person decides whether it was met.
    UnderReview,
    /// Needed no longer, before its time was up.
    Lifted {
        /// Why.
        because: Lifted,
    },
}

/// Why a clock is needed no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lifted {
    /// Jurisdiction turned out unclear: the coordination clock runs in its place.
    Coordination,
    /// The order was withdrawn.
    OrderWithdrawn,
    /// The case was closed.
    CaseClosed,
    /// The first feedback showed a complex matter.
    ComplexMatter,
    /// The result was sent back, so the complainant is not told it.
    WorkReturned,
    /// The team took its result back, so the complainant is not told it.
    ResultTakenBack,
    /// The complainant cannot be reached, and the first attempt was made in time.
    NotToBeReached,
}

/// One clock, with all that led to its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clock {
    /// Its purpose.
    pub kind: ClockKind,
    /// Who answers for a breach.
    #[serde(flatten)]
    pub owner: Owner,
    /// The order it belongs to, for a unit's clocks.
    pub order: Option<FactId>,
    /// The policy version in force when it started.
    pub policy: u32,
    /// When it started.
    pub started_at: Millis,
    /// The last moment in time, pauses so far included.
    pub due: Millis,
    /// When it stopped, if it did.
    pub stopped_at: Option<Millis>,
    /// When it stood still: clipped to its run, apart from each other, oldest first.
    pub paused: Vec<Span>,
    /// How it stands.
    #[serde(flatten)]
    pub state: ClockState,
    /// What happened to it, oldest first, each step with the fact that shows it.
    pub steps: Vec<Step>,
}

/// One thing that happened to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// When.
    pub at: Millis,
    /// What.
    pub what: StepKind,
    /// The fact that shows it; `None` where the rules themselves do (receipt deemed, time up).
    pub fact: Option<FactId>,
}

/// Kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It started.
    Started,
    /// It stands still.
    Paused,
    /// It goes on.
    Resumed,
    /// Its time was up.
    TimeUp,
    /// What it waits for was claimed, and a person has to look at the claim.
    Claimed,
    /// What it waited for happened.
    Stopped,
    /// It is needed no longer.
    Lifted,
}

/// All clocks of a case as they stand at `now`, by start and kind.
///
/// # Errors
/// When a fact names a policy version that `policies` does not hold.
pub fn clocks(
    record: &CaseRecord,
    policies: &Policies,
    now: Millis,
) -> Result<Vec<Clock>, UnknownPolicy> {
    let mut clocks = case::clocks(record, policies, now)?;
    for order in &record.orders {
        clocks.extend(unit::clocks(record, order, policies, now)?);
    }
    clocks.sort_by_key(|clock| (clock.started_at, clock.kind, clock.order));
    Ok(clocks)
}

/// Coordination of the whole case: from each opening to the next order or closure.
fn coordination_spans(record: &CaseRecord) -> Vec<(Started, Option<Stopped>)> {
    let unclear = record
        .registration
        .as_ref()
        .filter(|registration| !registration.body.jurisdiction_clear)
        .map(|registration| Started { at: registration.at, fact: Some(registration.fact) });
    let opened = record
        .coordinations
        .iter()
        .map(|opened| Started { at: opened.at, fact: Some(opened.fact) });
    let mut spans: Vec<(Started, Option<Stopped>)> = Vec::new();
    for start in unclear.into_iter().chain(opened) {
        let already_open =
            spans.last().is_some_and(|(_, end)| end.as_ref().is_none_or(|end| end.at > start.at));
        if !already_open {
            spans.push((start, case::ordered_or_closed(record, start.at)));
        }
    }
    spans
}

/// The start of a clock.
#[derive(Debug, Clone, Copy)]
struct Started {
    at: Millis,
    fact: Option<FactId>,
}

/// The stop of a clock.
#[derive(Debug, Clone, Copy)]
struct Stopped {
    at: Millis,
    fact: Option<FactId>,
    how: How,
}

/// What a stop means.
#[derive(Debug, Clone, Copy)]
enum How {
    /// What the clock waited for: in time or not is a matter of the deadline.
    Done,
    /// The same, and whether in time was decided by the arrival rule or a supervisor.
    Ruled { in_time: bool },
    /// A claim that a person has to look at.
    Claimed,
    /// Not needed any more, unless its time was up before.
    Lifted(Lifted),
    /// Not needed any more, and looking back never needed.
    Void(Lifted),
}

//! Clocks that are about to run out.

use onscene_sync_core::id::FactId;
use onscene_sync_core::rules::clocks::{Clock, ClockState, Owner, clocks};
use onscene_sync_core::rules::escalation::Addressee;
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::Millis;

use super::event::Event;
use super::inbox::{Kind, Notice};
use crate::cases::CaseError;
use crate::cases::project::name;
use crate::cases::record::Case;

/// The warnings that the running clocks of a case call for, with when each is due.
///
/// # Errors
/// When a fact names a policy that is not known.
pub fn events(case: &Case, now: Millis) -> Result<Vec<(Event, Millis)>, CaseError> {
    let policies = Policies::built_in();
    let mut events = Vec::new();
    for clock in clocks(&case.record, &policies, now)? {
        let before = policies.get(clock.policy)?.warning.before_ms(clock.kind);
        let (Some(before), ClockState::Running { .. }) = (before, clock.state) else { continue };
        let event = Event::Clock {
            case: case.id,
            clock: name(&clock.kind),
            order: clock.order,
            due: clock.due,
        };
        events.push((event, clock.due.plus(-before).max(now)));
    }
    Ok(events)
}

/// What is told of a clock and to whom; `None` when it has stopped, stands still or runs out at another
/// time by now. One that ran out while the hub was away is told.
///
/// # Errors
/// As [`events`].
pub fn still(
    case: &Case,
    kind: &str,
    order: Option<FactId>,
    due: Millis,
    now: Millis,
) -> Result<Option<(Notice, Vec<Addressee>)>, CaseError> {
    let all = clocks(&case.record, &Policies::built_in(), now)?;
    let meant = |clock: &&Clock| {
        clock.order == order
            && clock.due == due
            && name(&clock.kind) == kind
            && clock.stopped_at.is_none()
            && matches!(clock.state, ClockState::Running { .. } | ClockState::Breached)
    };
    let Some(clock) = all.iter().find(meant) else { return Ok(None) };
    let (unit, to) = match clock.owner {
        Owner::CommandCentre => (None, vec![Addressee::CentreDuty]),
        Owner::Unit { unit } => (Some(unit), vec![Addressee::UnitLeader, Addressee::UnitDuty]),
    };
    let notice = Notice {
        case: Some(case.id),
        order,
        unit,
        clock: Some(kind.to_owned()),
        due: Some(due),
        ..Notice::new(Kind::Clock)
    };
    Ok(Some((notice, to)))
}

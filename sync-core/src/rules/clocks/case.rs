//! Clocks of the command centre: registration, dispatch, coordination, telling the complainant.

use super::run::Draft;
use super::{Clock, ClockKind, How, Lifted, Owner, Started, Stopped, coordination_spans};
use crate::fact::body::Channel;
use crate::rules::closing::{given_up, owes_telling};
use crate::rules::policy::{Policies, Policy, UnknownPolicy};
use crate::rules::record::{CaseRecord, Closure};
use crate::time::Millis;

pub(super) fn clocks(
    record: &CaseRecord,
    policies: &Policies,
    now: Millis,
) -> Result<Vec<Clock>, UnknownPolicy> {
    let Some(registration) = &record.registration else { return Ok(Vec::new()) };
    let policy = policies.get(registration.body.policy)?;
    let mut drafts = Vec::new();
    if registration.body.channel != Channel::Telephone {
        let started = Started { at: registration.body.received_at, fact: Some(registration.fact) };
        let stopped =
            Stopped { at: registration.at, fact: Some(registration.fact), how: How::Done };
        let due = started.at.plus(policy.registration_ms);
        drafts.push(draft(ClockKind::Registration, policy, started, due, Some(stopped)));
    }
    for started in dispatch_starts(record) {
        let due = started.at.plus(policy.dispatch_ms);
        let stopped = dispatch_stop(record, started.at);
        drafts.push(draft(ClockKind::Dispatch, policy, started, due, stopped));
    }
    for (started, stopped) in coordination_spans(record) {
        let due = started.at.plus(policy.coordination_ms);
        drafts.push(draft(ClockKind::Coordination, policy, started, due, stopped));
    }
    if owes_telling(&registration.body) {
        for (started, stopped) in complainant_spans(record, policy) {
            let due = told_by(record, policy, started.at, stopped);
            drafts.push(draft(ClockKind::ComplainantFeedback, policy, started, due, stopped));
        }
    }
    Ok(drafts.into_iter().map(|draft| draft.run(now)).collect())
}

fn draft(
    kind: ClockKind,
    policy: &Policy,
    started: Started,
    due: Millis,
    stopped: Option<Stopped>,
) -> Draft<'static> {
    let owner = Owner::CommandCentre;
    Draft { kind, owner, order: None, policy: policy.version, started, due, stopped, pauses: &[] }
}

/// Registration with clear jurisdiction, and every moment that leaves an open case without an
/// order: its withdrawal unless another is issued at once, and a reopening.
fn dispatch_starts(record: &CaseRecord) -> Vec<Started> {
    let registered = record
        .registration
        .iter()
        .filter(|registration| registration.body.jurisdiction_clear)
        .map(|registration| Started { at: registration.at, fact: Some(registration.fact) });
    let withdrawn =
        record.orders.iter().filter_map(|order| order.withdrawn.as_ref()).filter(|withdrawn| {
            let closed = record.closures.iter().rfind(|closure| closure.at <= withdrawn.at);
            let open = !closed.is_some_and(|last| matches!(last.body, Closure::Closed(_)));
            let coordinating = coordination_spans(record).iter().any(|(start, end)| {
                start.at <= withdrawn.at && end.is_none_or(|end| end.at >= withdrawn.at)
            });
            let ordered = record.orders.iter().any(|other| {
                other.issued.at <= withdrawn.at
                    && record.ended(other).is_none_or(|end| end > withdrawn.at)
                    || other.issued.at == withdrawn.at
            });
            open && !coordinating && !ordered
        });
    let withdrawn =
        withdrawn.map(|withdrawn| Started { at: withdrawn.at, fact: Some(withdrawn.fact) });
    let reopened = record
        .closures
        .iter()
        .filter(|closure| matches!(closure.body, Closure::Reopened(_)))
        .map(|closure| Started { at: closure.at, fact: Some(closure.fact) });
    let mut starts: Vec<Started> = registered.chain(withdrawn).chain(reopened).collect();
    starts.sort_by_key(|start| start.at);
    // One clock at a time: a start while the last one still runs starts nothing.
    let mut running_until = None;
    starts.retain(|start| {
        let idle = running_until.is_none_or(|until| until <= start.at);
        if idle {
            running_until =
                Some(dispatch_stop(record, start.at).map_or(Millis(i64::MAX), |stop| stop.at));
        }
        idle
    });
    starts
}

fn dispatch_stop(record: &CaseRecord, started: Millis) -> Option<Stopped> {
    let coordination =
        record.coordinations.iter().find(|opened| opened.at >= started).map(|opened| Stopped {
            at: opened.at,
            fact: Some(opened.fact),
            how: How::Lifted(Lifted::Coordination),
        });
    ordered_or_closed(record, started).into_iter().chain(coordination).min_by_key(|stop| stop.at)
}

/// The first order issued, or closure, from `started` on.
pub(super) fn ordered_or_closed(record: &CaseRecord, started: Millis) -> Option<Stopped> {
    let ordered = record.orders.iter().find(|order| order.issued.at >= started).map(|order| {
        Stopped { at: order.issued.at, fact: Some(order.issued.fact), how: How::Done }
    });
    let closed = record
        .closures
        .iter()
        .find(|closure| closure.at >= started && matches!(closure.body, Closure::Closed(_)))
        .map(|closure| Stopped {
            at: closure.at,
            fact: Some(closure.fact),
            how: How::Lifted(Lifted::CaseClosed),
        });
    ordered.into_iter().chain(closed).min_by_key(|stop| stop.at)
}

fn telling_due(policy: &Policy, since: Millis) -> Millis {
    policy.end_of_local_day(since, policy.complainant_days)
}

/// The same, or the end of the day on which it came out that a message which had left in time did not
/// arrive: until then nobody could know that the complainant has to be told another way.
fn told_by(
    record: &CaseRecord,
    policy: &Policy,
    since: Millis,
    stopped: Option<Stopped>,
) -> Millis {
    let mut due = telling_due(policy, since);
    let owed = |at: Millis| stopped.is_none_or(|stopped| at <= stopped.at);
    for one in record.not_reached.iter().filter(|one| owed(one.at)) {
        let left = one.body.left_at.is_some_and(|left| since <= left && left <= due);
        if left && one.at > due {
            due = telling_due(policy, one.at);
        }
    }
    due
}

/// From a result's reaching the command centre to the complainant's being told or known not to be
/// reached, or to the result's being sent or taken back. A closed case still owes the telling.
fn complainant_spans(record: &CaseRecord, policy: &Policy) -> Vec<(Started, Option<Stopped>)> {
    let results = results(record);
    let tellings = record.tellings();
    let mut spans: Vec<(Started, Option<Stopped>)> = Vec::new();
    for (place, (start, _)) in results.iter().enumerate() {
        let open = spans.last().is_some_and(|(_, end)| end.is_none_or(|end| end.at > start.at));
        if open {
            continue;
        }
        let told = tellings.iter().find(|(at, _)| *at >= start.at).map(|(at, fact)| Stopped {
            at: *at,
            fact: Some(*fact),
            how: How::Done,
        });
        let returned = record
            .orders
            .iter()
            .flat_map(|order| &order.returns)
            .filter(|returned| returned.at >= start.at)
            .min_by_key(|returned| returned.at)
            .map(|returned| Stopped {
                at: returned.at,
                fact: Some(returned.fact),
                how: How::Lifted(Lifted::WorkReturned),
            });
        let taken = all_taken_back(&results[place..]);
        let given_up = given_up(record, policy, start.at).map(|given_up| Stopped {
            at: given_up.at,
            fact: Some(given_up.fact),
            how: if given_up.begun <= telling_due(policy, start.at) {
                How::Void(Lifted::NotToBeReached)
            } else {
                How::Lifted(Lifted::NotToBeReached)
            },
        });
        let ends = told.into_iter().chain(returned).chain(taken).chain(given_up);
        let stop = ends.min_by_key(|stop| stop.at);
        spans.push((*start, stop));
    }
    spans
}

/// Every result by when it reached the command centre, and when it was taken back.
fn results(record: &CaseRecord) -> Vec<(Started, Option<Stopped>)> {
    let mut results: Vec<_> = record
        .orders
        .iter()
        .flat_map(|order| order.feedback.iter().map(move |one| (order, one)))
        .filter(|(_, one)| one.body.result.is_some())
        .map(|(order, one)| {
            let taken = one.body.outcome.and_then(|outcome| order.taking_back(outcome));
            let taken = taken.map(|taken| Stopped {
                at: taken.at.max(one.at),
                fact: Some(taken.fact),
                how: How::Lifted(Lifted::ResultTakenBack),
            });
            (Started { at: one.at, fact: Some(one.fact) }, taken)
        })
        .collect();
    results.sort_by_key(|(start, _)| start.at);
    results
}

/// When none of the results that follow upon each other stood any more; `None` while one stands.
fn all_taken_back(results: &[(Started, Option<Stopped>)]) -> Option<Stopped> {
    let mut last: Option<Stopped> = None;
    for (start, taken) in results {
        if last.is_some_and(|last| last.at < start.at) {
            break;
        }
        let taken = (*taken)?;
        last = Some(last.filter(|last| last.at >= taken.at).unwrap_or(taken));
    }
    last
}

//! Silence: an order nobody confirmed counts as received, one nobody answered is overdue and
//! escalates. Both are worked out from the facts when the job runs, so that a restart, a clock set
//! back or a fact that came in between changes nothing that it should not.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{OrderReceived, Overdue, Receipt};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::rules::clocks::{Clock, ClockKind, ClockState, clocks};
use onscene_sync_core::rules::policy::{Policies, Policy};
use onscene_sync_core::rules::record::Order;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use super::record::{Case, load};
use super::{CaseError, act};
use crate::app::App;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::Tx;

/// Kind of the job that looks whether an order was received.
pub const RECEIPT: &str = "case.receipt";
/// Kind of the job that looks whether an order is overdue.
pub const OVERDUE: &str = "case.overdue";

#[derive(Debug, Serialize, Deserialize)]
struct Watch {
    case: DocId,
    order: FactId,
}

/// Plans the look at an order just issued.
pub(super) async fn expect_receipt(
    tx: &mut Tx,
    case: &Case,
    order: FactId,
) -> Result<(), CaseError> {
    let issued = case.order(order)?;
    let at = deemed_at(issued)?;
    let job = NewJob::new(RECEIPT, at, &Watch { case: case.id, order })?;
    enqueue(tx, job.once(order.to_string())).await?;
    Ok(())
}

/// Plans the next look at each arrival clock that can still run out or escalate.
pub(super) async fn plan(tx: &mut Tx, case: &Case, now: Millis) -> Result<(), CaseError> {
    for (order, clock) in arrival_clocks(case, now)? {
        let next = match clock.state {
            ClockState::Running { .. } => Some(clock.due.plus(1)),
            ClockState::Breached if clock.stopped_at.is_none() => {
                let policies = Policies::built_in();
                let policy = policies.get(order.issued.body.policy)?;
                next_step(order, &clock, policy).map(|step| step.1)
            }
            ClockState::Paused { .. }
            | ClockState::Met
            | ClockState::Breached
            | ClockState::UnderReview
            | ClockState::Lifted { .. } => None,
        };
        let Some(at) = next else { continue };
        let order = order.issued.fact;
        let job = NewJob::new(OVERDUE, at, &Watch { case: case.id, order })?;
        // What is due already was looked at when an arrival still stood that does so no more.
        let key = if at <= now {
            format!("{order} {} {}", at.0, now.0)
        } else {
            format!("{order} {}", at.0)
        };
        enqueue(tx, job.once(key)).await?;
    }
    Ok(())
}

/// Handler of [`RECEIPT`].
pub fn deem_received<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let Watch { case: id, order } = job.payload()?;
        let case = load(tx, id, true).await?;
        let issued = case.order(order)?;
        if case.record.ended(issued).is_some() || !issued.receipts.is_empty() {
            return Ok(Vec::new());
        }
        let at = deemed_at(issued)?;
        let received = OrderReceived { order, at, receipt: Receipt::Deemed };
        Ok(act::receive(tx, app, id, received).await?.pokes)
    }
    .boxed()
}

/// Handler of [`OVERDUE`].
pub fn escalate<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let Watch { case: id, order } = job.payload()?;
        let mut case = load(tx, id, true).await?;
        let now = app.now();
        let steps = steps_due(&case, order, now)?;
        if steps.is_empty() {
            plan(tx, &case, now).await?;
            return Ok(Vec::new());
        }
        Ok(case.state(tx, app, steps).await?.pokes)
    }
    .boxed()
}

fn steps_due(case: &Case, order: FactId, now: Millis) -> Result<Vec<Body>, CaseError> {
    let mut bodies = Vec::new();
    for (watched, clock) in arrival_clocks(case, now)? {
        let open = clock.state == ClockState::Breached && clock.stopped_at.is_none();
        if watched.issued.fact != order || !open {
            continue;
        }
        let policies = Policies::built_in();
        let policy = policies.get(watched.issued.body.policy)?;
        let first = next_step(watched, &clock, policy).map_or(usize::MAX, |step| step.0);
        for (step, rung) in policy.escalation.iter().enumerate().skip(first) {
            if clock.due.plus(rung.after_ms) < now {
                let step = u32::try_from(step).unwrap_or(u32::MAX);
                bodies.push(Body::Overdue(Overdue { order, deadline: clock.due, step }));
            }
        }
    }
    Ok(bodies)
}

/// The first step of the ladder that was not taken for this deadline, and when it falls due.
fn next_step(order: &Order, clock: &Clock, policy: &Policy) -> Option<(usize, Millis)> {
    let taken = order.overdue.iter().filter(|taken| taken.body.deadline == clock.due).count();
    let rung = policy.escalation.get(taken)?;
    Some((taken, clock.due.plus(rung.after_ms).plus(1)))
}

fn arrival_clocks(case: &Case, now: Millis) -> Result<Vec<(&Order, Clock)>, CaseError> {
    let all = clocks(&case.record, &Policies::built_in(), now)?;
    Ok(all
        .into_iter()
        .filter(|clock| clock.kind == ClockKind::Arrival)
        .filter_map(|clock| Some((case.record.order(clock.order?)?, clock)))
        .collect())
}

fn deemed_at(order: &Order) -> Result<Millis, CaseError> {
    let policies = Policies::built_in();
    let policy = policies.get(order.issued.body.policy)?;
    Ok(order.issued.at.plus(policy.deemed_receipt_ms))
}

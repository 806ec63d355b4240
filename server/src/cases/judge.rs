//! The arrival rule on what the hub holds: one job for each claim, one verdict in the case.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Judged;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::rules::arrival::{ArrivalPolicy, Flag, Grounds};
use onscene_sync_core::rules::clocks::{ClockKind, clocks};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::rules::record::Order;
use onscene_sync_core::time::Millis;

use super::dispatch::order_of;
use super::record::{Case, load};
use super::{CaseError, evidence, grounds, tracks};
use crate::app::App;
use crate::hub::record::FactArrived;
use crate::jobs::{Job, JobError};
use crate::poke::Poke;
use crate::store::Tx;

/// Kind of the job that judges an arrival.
pub const JUDGE: &str = "judge";

/// Handler of [`JUDGE`].
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move { Ok(judge_arrival(tx, app, job.payload()?).await?) }.boxed()
}

async fn judge_arrival(tx: &mut Tx, app: &App, claim: FactArrived) -> Result<Vec<Poke>, CaseError> {
    tracks::note(tx, claim, app.now()).await?;
    let FactArrived { inspection, fact } = claim;
    let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let mut case = load(tx, found.case, true).await?;
    let found = judged(tx, &case, found.order, inspection, fact).await?;
    state(tx, app, &mut case, found).await
}

/// States a verdict, and keeps what it rests on beside it.
///
/// # Errors
/// As [`Case::state`].
pub(super) async fn state(
    tx: &mut Tx,
    app: &App,
    case: &mut Case,
    (judged, grounds): (Judged, Grounds),
) -> Result<Vec<Poke>, CaseError> {
    grounds::keep(tx, &grounds).await?;
    Ok(case.state(tx, app, vec![Body::Judged(Box::new(judged))]).await?.pokes)
}

/// Judges the claim `fact` of a visit by all that the hub holds now; returns also what it rests on.
///
/// # Errors
/// When the claim is not where it should be, and the database's.
pub(super) async fn judged(
    tx: &mut Tx,
    case: &Case,
    order: FactId,
    inspection: DocId,
    fact: FactId,
) -> Result<(Judged, Grounds), CaseError> {
    let order = case.order(order)?;
    let visit = evidence::document(tx, inspection).await?;
    let (author, body) = evidence::device_fact(&visit, fact)?;
    let Body::Arrival(claim) = body else {
        return Err(CaseError::Broken(format!("fact {fact} is not an arrival")));
    };
    let around = evidence::around(tx, &visit, fact, &author, claim.tap.boot).await?;
    let seen_at = evidence::received_at(tx, fact).await?;
    let mut circumstances = around.flags;
    if order.withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.at <= seen_at) {
        circumstances.insert(Flag::ScopeLost);
    }
    // Only who had the order could name it.
    let named = (claim.order == Some(order.issued.fact)).then_some(order.issued.at);
    if named.is_none() {
        circumstances.insert(Flag::OrderNotNamed);
    }
    let same_tracks = tracks::same_as(tx, fact).await?;
    let (started_at, policy) = clock_of(case, order, around.not_after)?;
    let grounds = Grounds {
        started_at,
        policy,
        anchors: around.anchors,
        not_after: around.not_after,
        not_before: around.anchored_at.max(named),
        circumstances,
        same_tracks,
    };
    let issued = (&order.issued.body, order.issued.at);
    let verdict = grounds.judge(issued, (&claim, &author));
    let kept = Some(grounds.to_bytes().0);
    Ok((
        Judged { order: order.issued.fact, arrival: fact, seen_at, verdict, grounds: kept },
        grounds,
    ))
}

/// When the order's clock started, and the rule with its limit moved by the time that the clock
/// stood still, up to `until`.
fn clock_of(
    case: &Case,
    order: &Order,
    until: Millis,
) -> Result<(Millis, ArrivalPolicy), CaseError> {
    let policies = Policies::built_in();
    let policy = policies.get(order.issued.body.policy)?;
    let deemed = order.issued.at.plus(policy.deemed_receipt_ms);
    let started_at = order.received_at(policy, until).unwrap_or(deemed);
    // Other claims must not stop the clock that this one is measured by.
    let mut unanswered = case.record.clone();
    for order in &mut unanswered.orders {
        order.claims.clear();
    }
    let due = clocks(&unanswered, &policies, until)?
        .into_iter()
        .find(|clock| clock.kind == ClockKind::Arrival && clock.order == Some(order.issued.fact))
        .map(|clock| clock.due);
    let mut rule = policy.arrival.clone();
    if let Some(due) = due {
        rule.limit_ms = due.since(started_at);
    }
    Ok((started_at, rule))
}

//! The phase of a case: derived from its facts, stored nowhere.

use serde::{Deserialize, Serialize};

use crate::rules::arrival::Conclusion;
use crate::rules::record::{CaseRecord, Order};

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On record, the responsible unit is clear, no order yet (or the last was withdrawn).
    Registered,
    /// Who is responsible is being decided.
    Coordinating,
    /// An order was issued.
    Ordered,
    /// The unit has received it.
    Received,
    /// A team is, or was, on scene.
    OnScene,
    /// The unit reported progress, no result yet.
    InProgress,
    /// The unit's result reached the command centre.
    FedBack,
    /// The work was sent back and no new result came yet.
    Returned,
    /// The complainant was told the result.
    Told,
    /// Closed.
    Closed,
    /// Open again after a closure, with no new order yet.
    Reopened,
}

/// The phase that `record` shows; `None` for a document without a registration.
#[must_use]
pub fn phase(record: &CaseRecord) -> Option<Phase> {
    let registration = record.registration.as_ref()?;
    if record.is_closed() {
        return Some(Phase::Closed);
    }
    let order = record.live_order();
    let last_order = record.orders.last().map(|order| order.issued.at);
    let unclear_since = record
        .coordinations
        .last()
        .map(|opened| opened.at)
        .or((!registration.body.jurisdiction_clear).then_some(registration.at));
    if unclear_since.is_some_and(|since| last_order.is_none_or(|issued| issued < since)) {
        return Some(Phase::Coordinating);
    }
    Some(match order {
        Some(order) => phase_of_order(record, order),
        None if record.closures.is_empty() => Phase::Registered,
        None => Phase::Reopened,
    })
}

fn phase_of_order(record: &CaseRecord, order: &Order) -> Phase {
    // A result counts from when the team recorded it, as the clocks do.
    if let Some(result) = order.standing_result() {
        let told = record.tellings().last().is_some_and(|(told, _)| *told >= result.at);
        return if told { Phase::Told } else { Phase::FedBack };
    }
    if !order.returns.is_empty() {
        return Phase::Returned;
    }
    if !order.feedback_as_recorded().is_empty() {
        return Phase::InProgress;
    }
    match order.deciding_claim() {
        Some((_, Conclusion::OnTime | Conclusion::Late)) => Phase::OnScene,
        _ if order.receipts.is_empty() => Phase::Ordered,
        _ => Phase::Received,
    }
}

//! The smaller acts of the command centre, each one fact.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{
    AboutOrder, CaseClass, FedBack, OrderReceived, Outcome, Receipt, Text,
};
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::rules::accountability::referral_due;
use onscene_sync_core::rules::phase::{Phase, phase};
use onscene_sync_core::time::Millis;

use super::record::{Case, Stated, load, policy_in_force};
use super::{CaseError, required_text};
use crate::app::App;
use crate::store::Tx;

/// One act.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Who is responsible is unclear.
    Coordinate(String),
    /// The unit's duty desk confirms an order.
    Receive(FactId),
    /// Press for work undone.
    Urge(FactId, String),
    /// Send back work not good enough.
    Return(FactId, String),
    /// The unit reported to the command centre; `None` for progress.
    FeedBack(FactId, Option<Outcome>),
    /// The command centre told the complainant.
    Tell(String),
    /// Close.
    Close(String),
    /// Open again.
    Reopen(String),
}

/// Does `act` in the name of `by`.
///
/// # Errors
/// [`CaseError::UnknownCase`], [`CaseError::UnknownOrder`], [`CaseError::Invalid`] for a missing
/// text, and a conflict when the case does not stand so that this can be done.
pub async fn act(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    act: &Act,
) -> Result<Stated, CaseError> {
    let mut case = load(tx, id, true).await?;
    let Some(body) = body(&case, by, act, app.now())? else { return Ok(Stated::default()) };
    let mut stated = case.state(tx, app, vec![body]).await?;
    if let Some(referral) = referral_due(&case.record, &policy_in_force()?) {
        stated.then(case.state(tx, app, vec![Body::MeasureTaken(referral)]).await?);
    }
    Ok(stated)
}

/// States that a unit received an order, unless somebody said so no later.
///
/// # Errors
/// [`CaseError::UnknownCase`], [`CaseError::UnknownOrder`].
pub async fn receive(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    received: OrderReceived,
) -> Result<Stated, CaseError> {
    let mut case = load(tx, id, true).await?;
    let receipts = &case.order(received.order)?.receipts;
    if receipts.iter().any(|known| known.body.at <= received.at) {
        return Ok(Stated::default());
    }
    case.state(tx, app, vec![Body::OrderReceived(received)]).await
}

fn body(case: &Case, by: PersonId, act: &Act, now: Millis) -> Result<Option<Body>, CaseError> {
    let text = |text: &String| Text { text: text.clone(), by: Some(by) };
    let about =
        |order: &FactId, reason: &String| AboutOrder { order: *order, by, reason: reason.clone() };
    Ok(Some(match act {
        Act::Coordinate(words) => {
            required_text("text", words)?;
            case.require_open()?;
            Body::CoordinationOpened(text(words))
        }
        Act::Receive(order) => {
            if !case.live_order(*order)?.receipts.is_empty() {
                return Ok(None);
            }
            let receipt = Receipt::Desk { by };
            Body::OrderReceived(OrderReceived { order: *order, at: now, receipt })
        }
        Act::Urge(order, reason) => {
            required_text("reason", reason)?;
            case.live_order(*order)?;
            Body::Urged(about(order, reason))
        }
        Act::Return(order, reason) => {
            required_text("reason", reason)?;
            require(
                !case.live_order(*order)?.feedback_as_recorded().is_empty(),
                "nothing_to_return",
                "the unit has fed nothing back yet: urge it instead",
            )?;
            Body::Returned(about(order, reason))
        }
        Act::FeedBack(order, result) => {
            case.live_order(*order)?;
            let (outcome, result) = (None, *result);
            Body::FedBack(FedBack { order: *order, outcome, result, at: now })
        }
        Act::Tell(words) => {
            required_text("text", words)?;
            require(
                answered(case) || case.record.is_closed(),
                "nothing_to_tell",
                "there is no result yet that the complainant could be told",
            )?;
            Body::ComplainantTold(text(words))
        }
        Act::Close(words) => {
            required_text("text", words)?;
            case.require_open()?;
            require(
                answered(case),
                "not_done",
                "the unit's result is missing or was sent back: wait for it",
            )?;
            Body::Closed(text(words))
        }
        Act::Reopen(words) => {
            required_text("text", words)?;
            require(case.record.is_closed(), "case_open", "the case is open already")?;
            Body::Reopened(text(words))
        }
    }))
}

/// There is a result that stands, or the matter is one that is answered without an order.
fn answered(case: &Case) -> bool {
    let without_order = case.record.orders.is_empty()
        && case.record.registration.as_ref().is_some_and(|registration| {
            matches!(registration.body.class, CaseClass::Consultation | CaseClass::Suggestion)
        });
    without_order || matches!(phase(&case.record), Some(Phase::FedBack | Phase::Told))
}

fn require(holds: bool, code: &'static str, why: &str) -> Result<(), CaseError> {
    if holds { Ok(()) } else { Err(CaseError::Conflict { code, why: why.to_owned() }) }
}

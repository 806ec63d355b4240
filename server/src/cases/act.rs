//! The smaller acts of the command centre, each one fact.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{AboutOrder, FedBack, OrderReceived, Outcome, Receipt, Text};
use onscene_sync_core::fact::telling::{NoReach, OpinionDecision, ReopenCause};
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::rules::accountability::referral_due;
use onscene_sync_core::time::Millis;

use super::record::{Case, Stated, load, policy_in_force};
use super::telling::{self, Heard};
use super::{CaseError, closing, required_text};
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
    /// The command centre told the complainant, and may have asked for an opinion.
    Tell(String, Option<Heard>),
    /// The command centre tried to tell the complainant, or knows that there is nobody to tell.
    Attempt(NoReach, String),
    /// What the complainant thinks.
    Hear(Heard),
    /// What follows from a complainant's discontent.
    SettleOpinion(FactId, OpinionDecision, String),
    /// Close.
    Close(String),
    /// Open again.
    Reopen(String, ReopenCause),
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
    let bodies = match act {
        Act::Close(words) => vec![closing::close(tx, &case, by, words).await?],
        Act::Attempt(why, words) => vec![telling::attempt(tx, &case, by, *why, words).await?],
        _ => bodies(&case, by, act, app.now())?,
    };
    if bodies.is_empty() {
        return Ok(Stated::default());
    }
    let mut stated = case.state(tx, app, bodies).await?;
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

fn bodies(case: &Case, by: PersonId, act: &Act, now: Millis) -> Result<Vec<Body>, CaseError> {
    let text = |text: &String| Text { text: text.clone(), by: Some(by) };
    let about =
        |order: &FactId, reason: &String| AboutOrder { order: *order, by, reason: reason.clone() };
    let body = match act {
        Act::Coordinate(words) => {
            required_text("text", words)?;
            case.require_open()?;
            Body::CoordinationOpened(text(words))
        }
        Act::Receive(order) => {
            if !case.live_order(*order)?.receipts.is_empty() {
                return Ok(Vec::new());
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
            let (outcome, evidence, result) = (None, None, *result);
            Body::FedBack(FedBack { order: *order, outcome, result, at: now, evidence })
        }
        Act::Tell(words, view) => return telling::tell(case, by, words, view.as_ref()),
        Act::Hear(view) => telling::hear(case, by, view)?,
        Act::SettleOpinion(opinion, decision, reason) => {
            return telling::settle(case, by, *opinion, *decision, reason);
        }
        Act::Reopen(words, cause) => closing::reopen(case, by, words, *cause)?,
        Act::Close(_) | Act::Attempt(..) => return Ok(Vec::new()),
    };
    Ok(vec![body])
}

pub(super) fn require(holds: bool, code: &'static str, why: &str) -> Result<(), CaseError> {
    if holds { Ok(()) } else { Err(CaseError::Conflict { code, why: why.to_owned() }) }
}

//! Telling the complainant the result, and hearing what they think of it.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{AboutOrder, Text};
use onscene_sync_core::fact::telling::{
    NoReach, NotReached, Opinion, OpinionDecision, OpinionGiven, OpinionSettled,
};
use onscene_sync_core::id::{FactId, PersonId};
use onscene_sync_core::rules::closing::{answered_since, standing_opinion};

use super::act::require;
use super::record::Case;
use super::{CaseError, optional_text, required_text};
use crate::store::Tx;
use crate::vault::record::has_number;

/// What a complainant thinks, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// How content they are.
    pub opinion: Opinion,
    /// Their reason, or why it was not asked.
    pub reason: String,
}

/// The complainant was told by telephone, and may have been asked there and then.
pub(super) fn tell(
    case: &Case,
    by: PersonId,
    words: &str,
    view: Option<&Heard>,
) -> Result<Vec<Body>, CaseError> {
    required_text("text", words)?;
    require_answer(case)?;
    let mut bodies = vec![Body::ComplainantTold(Text { text: words.to_owned(), by: Some(by) })];
    if let Some(view) = view {
        bodies.push(given(by, view)?);
    }
    Ok(bodies)
}

/// Nobody was reached, or there is nobody to be told.
///
/// # Errors
/// A conflict when there is nothing to tell, or when a complainant who is said to be anonymous left a
/// number.
pub(super) async fn attempt(
    tx: &mut Tx,
    case: &Case,
    by: PersonId,
    why: NoReach,
    words: &str,
) -> Result<Body, CaseError> {
    required_text("text", words)?;
    if why == NoReach::NotDelivered {
        let why = "`not_delivered` is for the hub to say, of a message: choose another".to_owned();
        return Err(CaseError::Invalid { field: "why", why });
    }
    require_answer(case)?;
    if why == NoReach::Anonymous {
        require(
            !has_number(tx, case.id).await?,
            "complainant_known",
            "the complainant left a number: try it, and put on record what came of that",
        )?;
    }
    let text = words.to_owned();
    Ok(Body::NotReached(NotReached { why, text, by: Some(by), message: None, left_at: None }))
}

/// What the complainant thinks, heard apart from the telling.
pub(super) fn hear(case: &Case, by: PersonId, view: &Heard) -> Result<Body, CaseError> {
    require_answer(case)?;
    let since = answered_since(&case.record);
    let told = case.record.tellings().last().is_some_and(|(at, _)| since.is_none_or(|s| *at >= s));
    require(
        told || view.opinion == Opinion::NotAsked,
        "not_told",
        "the complainant was not told the result yet: tell them first, the opinion may go with it",
    )?;
    given(by, view)
}

/// What follows from a complainant's discontent.
pub(super) fn settle(
    case: &Case,
    by: PersonId,
    opinion: FactId,
    decision: OpinionDecision,
    reason: &str,
) -> Result<Vec<Body>, CaseError> {
    required_text("reason", reason)?;
    let known = case.record.opinion(opinion).ok_or(CaseError::UnknownOpinion(opinion))?;
    require(
        known.given.body.opinion == Opinion::NotSatisfied,
        "content",
        "only a complainant who is not satisfied calls for a decision",
    )?;
    require(
        known.settled.is_empty(),
        "settled",
        "it has been decided before: read the case again",
    )?;
    let reason = reason.to_owned();
    let mut bodies = Vec::new();
    if decision == OpinionDecision::Return {
        case.require_open()?;
        require(
            standing_opinion(&case.record).is_some_and(|standing| standing.given.fact == opinion),
            "opinion_overtaken",
            "it is about a result that does not stand any more: let it rest with `close`",
        )?;
        let order = case.record.live_order().filter(|order| order.standing_result().is_some());
        let order = order.ok_or_else(|| CaseError::Conflict {
            code: "nothing_to_return",
            why: "no unit's result stands that could be sent back: order a unit out".to_owned(),
        })?;
        let order = order.issued.fact;
        bodies.push(Body::Returned(AboutOrder { order, by, reason: reason.clone() }));
    }
    bodies.push(Body::OpinionSettled(OpinionSettled { opinion, decision, reason, by }));
    Ok(bodies)
}

fn given(by: PersonId, Heard { opinion, reason }: &Heard) -> Result<Body, CaseError> {
    match opinion {
        Opinion::Satisfied | Opinion::Partly => optional_text("opinion.reason", reason)?,
        _ => required_text("opinion.reason", reason)?,
    }
    let (opinion, reason) = (*opinion, reason.clone());
    Ok(Body::OpinionGiven(OpinionGiven { opinion, reason, by: Some(by), message: None }))
}

/// A closed case still owes the telling.
pub(crate) fn require_answer(case: &Case) -> Result<(), CaseError> {
    require(
        answered_since(&case.record).is_some() || case.record.is_closed(),
        "nothing_to_tell",
        "there is no result yet that the complainant could be told",
    )
}

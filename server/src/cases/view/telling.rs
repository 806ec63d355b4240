//! What a screen shows of the complainant's side: attempts that reached nobody, and opinions.

use onscene_sync_core::fact::telling::{NoReach, NotReached, Opinion, OpinionDecision};
use onscene_sync_core::id::{FactId, MessageId, PersonId};
use onscene_sync_core::rules::closing::is_open;
use onscene_sync_core::rules::record::{GivenOpinion, Stated};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

/// An attempt to tell the complainant that reached nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotReachedView {
    /// The fact.
    pub id: FactId,
    /// When; of a message, when it left.
    pub at: Millis,
    /// Who tried; `null` for the hub, of a message.
    pub by: Option<PersonId>,
    /// Why.
    pub why: NoReach,
    /// The same in words.
    pub text: String,
    /// The text message that did not arrive.
    pub message: Option<MessageId>,
}

/// What the complainant thinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpinionView {
    /// The fact: what a settlement names.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who asked; `null` when it came by text message.
    pub by: Option<PersonId>,
    /// How content.
    pub opinion: Opinion,
    /// Why.
    pub reason: String,
    /// The text message that was answered.
    pub message: Option<MessageId>,
    /// Somebody has to decide what follows.
    pub open: bool,
    /// What was decided; the first one counts.
    pub settled: Vec<SettledView>,
}

/// A decision about discontent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettledView {
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// What.
    pub decision: OpinionDecision,
    /// Why.
    pub reason: String,
}

pub(super) fn not_reached(stated: &Stated<NotReached>) -> NotReachedView {
    let NotReached { why, text, by, message, .. } = stated.body.clone();
    NotReachedView { id: stated.fact, at: stated.tried_at(), by, why, text, message }
}

pub(super) fn opinion(opinion: &GivenOpinion) -> OpinionView {
    let given = &opinion.given;
    let settled = opinion.settled.iter().map(|one| SettledView {
        at: one.at,
        by: one.body.by,
        decision: one.body.decision,
        reason: one.body.reason.clone(),
    });
    OpinionView {
        id: given.fact,
        at: given.at,
        by: given.body.by,
        opinion: given.body.opinion,
        reason: given.body.reason.clone(),
        message: given.body.message,
        open: is_open(opinion),
        settled: settled.collect(),
    }
}

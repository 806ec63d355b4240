//! What a screen shows of the first call: where a matter came from, and how it was settled at once.

use onscene_sync_core::fact::intake::{AnsweredFrom, NotOurs, Origin, Refused, RepeatOf};
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::rules::record::{CaseRecord, Stated};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

/// Where a case came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OriginView {
    /// The fact.
    pub id: FactId,
    /// The system or the file.
    pub source: String,
    /// Its name there.
    pub reference: String,
    /// When it was raised there.
    pub raised_at: Option<Millis>,
    /// Where a picture of it is.
    pub link: Option<String>,
}

/// That a case is not the bureau's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusalView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// Why.
    pub why: NotOurs,
    /// Where the caller was sent.
    pub referral: String,
}

/// An answer given at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnswerView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// The earlier case that it comes from.
    pub from: DocId,
    /// The answer.
    pub text: String,
}

/// A decision that a case is the matter of another again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RepeatView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// The other case.
    pub case: DocId,
    /// How alike they were, points out of 100.
    pub score: u8,
    /// Why.
    pub reason: String,
    /// That it was taken back.
    pub taken_back: Option<UndoneView>,
}

/// That a decision was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndoneView {
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

pub(super) fn origin(stated: &Stated<Origin>) -> OriginView {
    let Origin { source, reference, raised_at, link } = stated.body.clone();
    OriginView { id: stated.fact, source, reference, raised_at, link }
}

pub(super) fn refused(stated: &Stated<Refused>) -> RefusalView {
    let Refused { why, referral, by } = stated.body.clone();
    RefusalView { id: stated.fact, at: stated.at, by, why, referral }
}

pub(super) fn answer(stated: &Stated<AnsweredFrom>) -> AnswerView {
    let AnsweredFrom { case, text, by } = stated.body.clone();
    AnswerView { id: stated.fact, at: stated.at, by, from: case, text }
}

pub(super) fn repeats(record: &CaseRecord) -> Vec<RepeatView> {
    let undone = |fact| {
        let one = record.repeats_taken_back.iter().find(|one| one.body.statement == fact)?;
        let (by, reason) = (one.body.by, one.body.reason.clone());
        Some(UndoneView { at: one.at, by, reason })
    };
    let show = |stated: &Stated<RepeatOf>| {
        let RepeatOf { case, score, reason, by } = stated.body.clone();
        let taken_back = undone(stated.fact);
        RepeatView { id: stated.fact, at: stated.at, by, case, score, reason, taken_back }
    };
    record.repeats.iter().map(show).collect()
}

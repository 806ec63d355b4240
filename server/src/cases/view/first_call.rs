//! What a screen shows of the first call: where a matter came from, and how it was settled at once.

use onscene_sync_core::fact::intake::{AnsweredFrom, Origin, Refused};
use onscene_sync_core::rules::record::{CaseRecord, Stated};
use serde_json::{Value, json};

pub(super) fn origin(stated: &Stated<Origin>) -> Value {
    let Origin { source, reference, raised_at, link } = &stated.body;
    json!({
        "id": stated.fact, "source": source, "reference": reference, "raised_at": raised_at,
        "link": link,
    })
}

pub(super) fn refused(stated: &Stated<Refused>) -> Value {
    let Refused { why, referral, by } = &stated.body;
    json!({ "id": stated.fact, "at": stated.at, "by": by, "why": why, "referral": referral })
}

pub(super) fn answer(stated: &Stated<AnsweredFrom>) -> Value {
    let AnsweredFrom { case, text, by } = &stated.body;
    json!({ "id": stated.fact, "at": stated.at, "by": by, "from": case, "text": text })
}

pub(super) fn repeats(record: &CaseRecord) -> Vec<Value> {
    let taken = |fact| {
        let mut all = record.repeats_taken_back.iter();
        let one = all.find(|one| one.body.statement == fact)?;
        Some(json!({ "at": one.at, "by": one.body.by, "reason": one.body.reason }))
    };
    let show = |stated: &Stated<_>| {
        let onscene_sync_core::fact::intake::RepeatOf { case, score, reason, by } = &stated.body;
        json!({
            "id": stated.fact, "at": stated.at, "by": by, "case": case, "score": score,
            "reason": reason, "taken_back": taken(stated.fact),
        })
    };
    record.repeats.iter().map(show).collect()
}

//! The third and fifth steps: what a phone may write, and whether what it wrote may stand there.
//!
//! Every operation is judged, also one that loses against a concurrent one now: it could surface
//! later.

use std::collections::BTreeSet;

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ChangeHash, ExpandedChange, ScalarValue};

use super::schema::{self, is_name};
use super::{Author, refuse};
use crate::crypto::fact_id;
use crate::document::Document;
use crate::document::content::{self, OUTCOME, SITE, to_answer, to_fact_id};
use crate::document::genesis::Container;
use crate::fact::envelope::{self, EnvelopeError};
use crate::fact::{Body, Fact};
use crate::id::{Actor, FactId};
use crate::limits::{ANCHOR_REFS, CHAIN_SEQ, CHANGE_FACTS};
use crate::sync::message::{Refusal, RefusalCode};

/// Where a phone may write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A new fact, by its id as text.
    Fact(String),
    /// The outcome fact that is the team's.
    Outcome,
    /// The site correction that is the team's.
    Site,
    /// An item of the checklist.
    Answer(String),
}

impl Target {
    pub(super) const fn container(&self) -> Container {
        match self {
            Self::Fact(_) => Container::Facts,
            Self::Outcome | Self::Site => Container::Shared,
            Self::Answer(_) => Container::Checklist,
        }
    }

    pub(super) fn key(&self) -> &str {
        match self {
            Self::Fact(key) | Self::Answer(key) => key,
            Self::Outcome => OUTCOME,
            Self::Site => SITE,
        }
    }
}

/// One write of a phone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    pub(super) target: Target,
    /// `None` when it settles a conflict for the value that wins already.
    pub(super) value: Option<ScalarValue>,
}

impl Write {
    /// The envelope, if a fact is written.
    pub(super) fn into_envelope(self) -> Option<Vec<u8>> {
        match (self.target, self.value) {
            (Target::Fact(_), Some(ScalarValue::Bytes(envelope))) => Some(envelope),
            _ => None,
        }
    }
}

/// Reads every operation as a write that a phone may make, each to a place of its own.
pub(super) fn read(change: &ExpandedChange) -> Result<Vec<Write>, Refusal> {
    let writes: Vec<_> = change.operations.iter().map(read_operation).collect::<Result<_, _>>()?;
    let places: BTreeSet<_> = writes.iter().map(|write| &write.target).collect();
    if places.len() < writes.len() {
        return Err(refuse(RefusalCode::Forbidden, "it writes twice to the same place"));
    }
    Ok(writes)
}

fn read_operation(op: &Op) -> Result<Write, Refusal> {
    let forbidden = |detail: &str| refuse(RefusalCode::Forbidden, detail);
    let outside = "it writes where phones may not: only facts, shared and checklist are theirs";
    let (ObjectId::Id(object), Key::Map(key)) = (&op.obj, &op.key) else {
        return Err(forbidden(outside));
    };
    let container =
        Container::made_by(object.counter(), object.actor()).ok_or_else(|| forbidden(outside))?;
    let target = match (container, key.as_str()) {
        (Container::Facts, id) => Target::Fact(id.to_owned()),
        (Container::Shared, OUTCOME) => Target::Outcome,
        (Container::Shared, SITE) => Target::Site,
        (Container::Checklist, item) if is_name(item) => Target::Answer(item.to_owned()),
        _ => return Err(forbidden("there is no such register or checklist item")),
    };
    let value = match &op.action {
        OpType::Put(value) => Some(value.clone()),
        OpType::Delete => None,
        OpType::Make(_) | OpType::Increment(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => {
            return Err(forbidden("phones only set values"));
        }
    };
    let fits = match (&target, &value) {
        (Target::Fact(_), Some(ScalarValue::Bytes(_))) => op.pred.is_empty(),
        (Target::Fact(_), _) => false,
        (Target::Outcome | Target::Site, Some(value)) => to_fact_id(value).is_some(),
        (Target::Answer(_), Some(value)) => to_answer(value).is_some(),
        (Target::Outcome | Target::Site | Target::Answer(_), None) => true,
    };
    if fits && !op.insert {
        Ok(Write { target, value })
    } else {
        Err(forbidden("such a value may not stand there, or what stands there may not be replaced"))
    }
}

/// Checks the facts and what the registers name; returns the facts. The author saw the document as
/// it was after `deps`.
pub(super) fn judge(
    document: &Document,
    deps: &[ChangeHash],
    actor: Actor,
    author: &Author<'_>,
    writes: &[Write],
) -> Result<Vec<(FactId, Fact)>, Refusal> {
    let is_fact = |write: &&Write| matches!(write.target, Target::Fact(_));
    if writes.iter().filter(is_fact).count() > CHANGE_FACTS {
        let detail = format!("one change holds at most {CHANGE_FACTS} facts: write several");
        return Err(refuse(RefusalCode::BadFact, detail));
    }
    let mut facts = Vec::new();
    for write in writes {
        let (Target::Fact(key), Some(ScalarValue::Bytes(envelope))) = (&write.target, &write.value)
        else {
            continue;
        };
        let id = fresh_id(document, key, envelope)?;
        let fact = envelope::read_from_device(envelope, author.key, author.verify)
            .map_err(|error| unsealed(&error))?;
        check_binding(document, actor, &fact)?;
        check_restated(document, author, id, &fact)?;
        facts.push((id, fact));
    }
    let look_up = |id: &FactId| match facts.iter().find(|(known, _)| known == id) {
        Some((_, fact)) => Some(fact.clone()),
        None => envelope::read(&content::fact_at(document.inner(), id, deps)?).ok(),
    };
    for (_, fact) in &facts {
        check_withdrawal(fact, actor, look_up)?;
    }
    for write in writes {
        check_register(write, look_up)?;
    }
    Ok(facts)
}

fn fresh_id(document: &Document, key: &str, envelope: &[u8]) -> Result<FactId, Refusal> {
    let id = fact_id(envelope);
    if key != id.to_string() {
        let detail = "a fact stands under another key than its own id";
        return Err(refuse(RefusalCode::BadFact, detail));
    }
    if document.fact(&id).is_some() {
        let detail = format!("fact {id} is in the document already");
        return Err(refuse(RefusalCode::Forbidden, detail));
    }
    Ok(id)
}

fn unsealed(error: &EnvelopeError) -> Refusal {
    let code = match error {
        EnvelopeError::TooNew(_) => RefusalCode::TooNew,
        EnvelopeError::BadSignature => RefusalCode::BadSignature,
        EnvelopeError::TooLarge { .. } | EnvelopeError::Malformed(_) => RefusalCode::BadFact,
    };
    refuse(code, error.to_string())
}

/// The fact is of this document, this device and this installation, in its chain, and well-formed.
fn check_binding(document: &Document, actor: Actor, fact: &Fact) -> Result<(), Refusal> {
    let bad = |detail: &str| Err(refuse(RefusalCode::BadFact, detail));
    let Some(device) = fact.device() else {
        return bad("phones do not state facts for the hub");
    };
    if device.device != actor.device {
        return Err(refuse(RefusalCode::BadSignature, "the fact is another device's"));
    }
    if device.install != actor.install {
        return bad("the fact is of another installation than the change that carries it");
    }
    if fact.doc != document.id() {
        return bad("the fact was made for another document");
    }
    if device.seq == 0 || (device.seq == 1) != device.prev.is_none() {
        return bad("exactly the first fact of a chain, number 1, has none before it");
    }
    if device.seq > CHAIN_SEQ {
        return bad("its place in the chain is out of range");
    }
    let anchors = &device.anchors;
    if anchors.len() > ANCHOR_REFS
        || anchors.iter().any(|anchor| anchor.sent_boot_ns > anchor.received_boot_ns)
        || !anchors.is_sorted_by(|earlier, later| earlier.number < later.number)
    {
        return bad(
            "its anchors are too many, not in order, or received before they were asked for",
        );
    }
    schema::check(&fact.body, document.kind(), &device.clock).or_else(bad)
}

/// A fact and its restatement do not stand in one document: that would count it twice. A fact can
/// have been stated anew only after its installation ended.
fn check_restated(
    document: &Document,
    author: &Author<'_>,
    id: FactId,
    fact: &Fact,
) -> Result<(), Refusal> {
    let Some(device) = fact.device() else { return Ok(()) };
    let restates = |other: &Fact| other.device().and_then(|device| device.restates);
    let twice = restates(fact).is_some_and(|earlier| document.fact(&earlier).is_some())
        || device.install < author.install
            && document.facts().iter().any(|(_, bytes)| {
                envelope::read(bytes).is_ok_and(|other| restates(&other) == Some(id))
            });
    if twice {
        let detail = "it was stated anew, and both would count";
        return Err(refuse(RefusalCode::Forbidden, detail));
    }
    Ok(())
}

/// One takes back only what one has stated oneself.
fn check_withdrawal(
    fact: &Fact,
    actor: Actor,
    look_up: impl Fn(&FactId) -> Option<Fact>,
) -> Result<(), Refusal> {
    let Body::Withdrawal(withdrawal) = &fact.body else { return Ok(()) };
    let own = look_up(&withdrawal.fact)
        .is_some_and(|known| known.device().is_some_and(|device| device.device == actor.device));
    if own {
        Ok(())
    } else {
        let detail = "it takes back a fact that this device has not stated in this document";
        Err(refuse(RefusalCode::Forbidden, detail))
    }
}

fn check_register(write: &Write, look_up: impl Fn(&FactId) -> Option<Fact>) -> Result<(), Refusal> {
    let named = write.value.as_ref().and_then(to_fact_id).and_then(|id| look_up(&id));
    let body = named.map(|fact| fact.body);
    let fits = match write.target {
        Target::Fact(_) | Target::Answer(_) => true,
        Target::Outcome | Target::Site if write.value.is_none() => true,
        Target::Outcome => matches!(body, Some(Body::Outcome(_))),
        Target::Site => matches!(body, Some(Body::SiteCorrection(_))),
    };
    if fits {
        Ok(())
    } else {
        let detail = "a register names a fact that is not in the document, or of another kind";
        Err(refuse(RefusalCode::Forbidden, detail))
    }
}

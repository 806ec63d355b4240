//! What a document says: its facts, and the registers that its team settled on.

use std::collections::BTreeMap;

use automerge::{Automerge, ChangeHash, ReadDoc, ScalarValue, Value};

use super::genesis::Container;
use super::{Answer, Document};
use crate::id::FactId;

/// Key of the register that names the outcome.
pub(crate) const OUTCOME: &str = "outcome";
/// Key of the register that names the corrected site.
pub(crate) const SITE: &str = "site";

impl Document {
    /// All facts, ascending by id: id and envelope.
    #[must_use]
    pub fn facts(&self) -> Vec<(FactId, Vec<u8>)> {
        let entries = self.inner().map_range(Container::Facts.object(), ..);
        entries
            .filter_map(|entry| {
                let id = entry.key.parse().ok()?;
                Some((id, Value::from(entry.value).into_bytes().ok()?))
            })
            .collect()
    }

    /// The envelope of one fact.
    #[must_use]
    pub fn fact(&self, id: &FactId) -> Option<Vec<u8>> {
        let (value, _) = self.inner().get(Container::Facts.object(), id.to_string()).ok()??;
        value.into_bytes().ok()
    }

    /// The outcome facts that the team settled on: several when phones disagreed while apart.
    #[must_use]
    pub fn outcomes(&self) -> Vec<FactId> {
        self.register(OUTCOME)
    }

    /// The site corrections that the team settled on: several when phones disagreed while apart.
    #[must_use]
    pub fn sites(&self) -> Vec<FactId> {
        self.register(SITE)
    }

    /// The checklist: the answers to each item, several when phones disagreed while apart.
    #[must_use]
    pub fn checklist(&self) -> BTreeMap<String, Vec<Answer>> {
        let object = Container::Checklist.object();
        let items = self.inner().keys(&object);
        items
            .map(|item| {
                let values = self.values(&object, &item);
                let mut answers: Vec<_> = values.iter().filter_map(to_answer).collect();
                answers.sort_unstable();
                answers.dedup();
                (item, answers)
            })
            .collect()
    }

    fn register(&self, key: &str) -> Vec<FactId> {
        let values = self.values(&Container::Shared.object(), key);
        let mut facts: Vec<_> = values.iter().filter_map(to_fact_id).collect();
        facts.sort_unstable();
        facts.dedup();
        facts
    }

    fn values(&self, object: &automerge::ObjId, key: &str) -> Vec<ScalarValue> {
        let values = self.inner().get_all(object, key).unwrap_or_default();
        values.into_iter().filter_map(|(value, _)| value.into_scalar().ok()).collect()
    }
}

/// The envelope of one fact, if it was there after `heads`.
pub(crate) fn fact_at(document: &Automerge, id: &FactId, heads: &[ChangeHash]) -> Option<Vec<u8>> {
    let (value, _) = document.get_at(Container::Facts.object(), id.to_string(), heads).ok()??;
    value.into_bytes().ok()
}

/// The fact that a register's value names.
pub(crate) fn to_fact_id(value: &ScalarValue) -> Option<FactId> {
    let ScalarValue::Bytes(bytes) = value else { return None };
    Some(FactId::from_bytes(bytes.as_slice().try_into().ok()?))
}

/// The answer that a checklist value stands for.
pub(crate) fn to_answer(value: &ScalarValue) -> Option<Answer> {
    let ScalarValue::Str(name) = value else { return None };
    Answer::ALL.into_iter().find(|answer| answer.name() == name.as_str())
}

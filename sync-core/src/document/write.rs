//! Writing: one intent of a person is one change.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ReadDoc, ScalarValue};
use serde::{Deserialize, Serialize};

use super::content::{OUTCOME, SITE};
use super::genesis::Container;
use super::{Document, DocumentError};
use crate::guard::prescan;
use crate::id::{Actor, FactId, Hash};

/// An answer to an item of a checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// Yes.
    #[serde(rename = "yes")]
    Yes,
    /// No.
    #[serde(rename = "no")]
    No,
    /// Does not apply here.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::NotApplicable];

    /// Its name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotApplicable => "n/a",
        }
    }
}

/// What one change writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Sealed facts: id and envelope.
    pub facts: Vec<(FactId, Vec<u8>)>,
    /// The outcome fact that is now the team's.
    pub outcome: Option<FactId>,
    /// The site correction that is now the team's.
    pub site: Option<FactId>,
    /// An answer to an item of the checklist (at most 64 characters of `a-z`, `0-9`, `_`).
    pub answer: Option<(String, Answer)>,
}

/// A change just written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its hash.
    pub hash: Hash,
    /// Its place among its actor's changes of this document, from 1.
    pub seq: u64,
    /// Its raw chunk.
    pub bytes: Vec<u8>,
}

impl Document {
    /// Writes one change as `actor`.
    ///
    /// # Errors
    /// [`DocumentError::Unchanged`] when the document says all of it already (a new fact never
    /// does), [`DocumentError::Malformed`] when the entry is larger than a change may be. The
    /// document is then as it was.
    pub fn write(&mut self, actor: Actor, entry: &Entry) -> Result<Written, DocumentError> {
        let mut next = self.inner().clone();
        next.set_actor(actor.into());
        let mut change = next.transaction();
        put(&mut change, entry).map_err(DocumentError::malformed)?;
        let (hash, _) = change.commit_with(CommitOptions::default().with_time(0));
        let bytes = raw_change(&next, hash.ok_or(DocumentError::Unchanged)?);
        let scan = prescan::scan(&bytes).map_err(DocumentError::malformed)?;
        self.adopt(next, &scan, bytes.len());
        Ok(Written { hash: scan.hash, seq: scan.seq, bytes })
    }
}

fn put(change: &mut impl Transactable, entry: &Entry) -> Result<(), AutomergeError> {
    for (id, envelope) in &entry.facts {
        let key = id.to_string();
        change.put(Container::Facts.object(), key, ScalarValue::Bytes(envelope.clone()))?;
    }
    for (key, fact) in [(OUTCOME, entry.outcome), (SITE, entry.site)] {
        if let Some(fact) = fact {
            let value = ScalarValue::Bytes(fact.as_bytes().to_vec());
            change.put(Container::Shared.object(), key, value)?;
        }
    }
    if let Some((item, answer)) = &entry.answer {
        change.put(Container::Checklist.object(), item.as_str(), answer.name())?;
    }
    Ok(())
}

fn raw_change(document: &Automerge, hash: automerge::ChangeHash) -> Vec<u8> {
    let change = document.get_change_by_hash(&hash).expect("the change was just committed");
    change.raw_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fact_id;
    use crate::document::DocKind;
    use crate::id::{DeviceId, DocId};

    fn phone(number: u8) -> Actor {
        Actor { device: DeviceId::from_bytes([number; 8]), install: 1, incarnation: 0 }
    }

    fn response() -> Document {
        Document::new(DocId::from_bytes([1; 16]), DocKind::Response)
    }

    fn outcome(envelope: &[u8]) -> Entry {
        let id = fact_id(envelope);
        Entry { facts: vec![(id, envelope.to_vec())], outcome: Some(id), ..Entry::default() }
    }

    fn answer(item: &str, answer: Answer) -> Entry {
        Entry { answer: Some((item.to_owned(), answer)), ..Entry::default() }
    }

    #[test]
    fn what_is_written_is_read() -> Result<(), DocumentError> {
        let mut document = response();
        document.write(phone(1), &outcome(b"stopped"))?;
        document.write(phone(1), &answer("fire_lane", Answer::NotApplicable))?;
        let id = fact_id(b"stopped");
        assert_eq!(document.facts(), [(id, b"stopped".to_vec())]);
        assert_eq!(document.fact(&id).as_deref(), Some(&b"stopped"[..]));
        assert_eq!(document.fact(&fact_id(b"other")), None);
        assert_eq!(document.outcomes(), [id]);
        assert_eq!(document.sites(), []);
        let checklist = document.checklist();
        assert_eq!(checklist.get("fire_lane"), Some(&vec![Answer::NotApplicable]));
        Ok(())
    }

    #[test]
    fn phones_that_disagree_offline_both_show_until_one_settles_it() -> Result<(), DocumentError> {
        let (mut mine, mut other) = (response(), response());
        let sent = mine.write(phone(1), &outcome(b"stopped"))?;
        let received = other.write(phone(2), &outcome(b"not found"))?;
        mine.apply(&received.bytes)?;
        other.apply(&sent.bytes)?;
        assert_eq!(mine.outcomes().len(), 2);
        assert_eq!(mine.outcomes(), other.outcomes());

        let settled = Entry { outcome: Some(fact_id(b"stopped")), ..Entry::default() };
        let settling = mine.write(phone(1), &settled)?;
        other.apply(&settling.bytes)?;
        assert_eq!(other.outcomes(), [fact_id(b"stopped")]);
        assert!(mine.same_as(&other));
        Ok(())
    }

    #[test]
    fn saying_it_again_is_no_change_and_too_much_is_refused() -> Result<(), DocumentError> {
        let mut document = response();
        document.write(phone(1), &answer("fire_lane", Answer::Yes))?;
        let before = document.heads();
        let again = document.write(phone(1), &answer("fire_lane", Answer::Yes));
        assert_eq!(again, Err(DocumentError::Unchanged));
        let too_long = document.write(phone(1), &answer(&"x".repeat(65), Answer::Yes));
        assert!(matches!(too_long, Err(DocumentError::Malformed(_))));
        assert_eq!((document.heads(), document.len()), (before, 1));
        Ok(())
    }

    /// The guard compares bytes, so hub and phones must encode alike: a new hash here means that
    /// phones in the field are refused by this build.
    #[test]
    fn the_encoding_of_changes_never_changes() -> Result<(), DocumentError> {
        let mut document = response();
        let mut hashes = Vec::new();
        for entry in [outcome(b"stopped"), answer("fire_lane", Answer::Yes), outcome(b"corrected")]
        {
            hashes.push(document.write(phone(1), &entry)?.hash.to_string());
        }
        assert_eq!(
            hashes,
            [
                "23a80f60d30a09b5c4ba7f0f98ba656e94bddd9de9bd77f63191147e5eac0450",
                "bd70d0bf6b018c25eb032dbe3e7a73c525fe22ac2418284ad35ee042f8facd42",
                "f41615161776a83dfdc91e435d63e2f7ec4d52d7cc6e05f8396a426e5692b4ba"
            ]
        );
        Ok(())
    }
}

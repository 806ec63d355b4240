//! The fourth step: making the same writes again.
//!
//! A change's hash covers every byte of it, so an equal hash is an equal change.

use std::num::NonZeroU64;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    Automerge, AutomergeError, Change, ChangeHash, ExpandedChange, PatchLog, ScalarValue,
};

use super::policy::Write;
use crate::document::DocumentError;
use crate::document::replica::contained;
use crate::id::{Actor, Hash};

/// Makes `writes` as `actor` in `document`, all of which their author saw; returns the document
/// with the change, or `None` when it is another change than `expected`.
///
/// # Errors
/// When Automerge refuses a write or panics.
pub(super) fn make_again(
    mut document: Automerge,
    expected: Hash,
    actor: Actor,
    writes: &[Write],
) -> Result<Option<Automerge>, DocumentError> {
    let made = contained(|| {
        document.set_actor(actor.into());
        write_all(document.transaction(), writes)
    })?;
    let made = made.map_err(DocumentError::malformed)?;
    Ok((made == Some(expected.into())).then_some(document))
}

/// Applies a change that was made again.
///
/// # Errors
/// When Automerge does not take it.
pub(super) fn apply(mut document: Automerge, change: Change) -> Result<Automerge, DocumentError> {
    let hash = change.hash();
    contained(|| document.apply_changes([change]))?.map_err(DocumentError::malformed)?;
    if document.get_heads().contains(&hash) { Ok(document) } else { Err(DocumentError::Fault) }
}

/// A document as it was after `deps`: others have written since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) document: &'a Automerge,
    pub(super) deps: &'a [ChangeHash],
}

impl Past<'_> {
    /// Whether making `writes` as `actor` at this point of the past gives the change `expected`,
    /// which decodes to `claimed`.
    ///
    /// Automerge can write at a point of the past at a cost that does not grow with the history,
    /// but counts its operations on from the present. So the counter is checked by itself, and the
    /// two changes are compared with the counter made equal.
    ///
    /// # Errors
    /// When Automerge refuses a write or panics.
    pub(super) fn makes_again(
        &self,
        expected: Hash,
        actor: Actor,
        writes: &[Write],
        mut claimed: ExpandedChange,
    ) -> Result<bool, DocumentError> {
        let mut present = self.document.clone();
        let made = contained(|| {
            present.set_actor(actor.into());
            let change = present.transaction_at(PatchLog::inactive(), self.deps)?;
            write_all(change, writes)
        })?;
        let Some(made) = made.map_err(DocumentError::malformed)? else { return Ok(false) };
        contained(|| {
            let canonical = Change::from(claimed.clone()).hash() == expected.into();
            let counted = Some(claimed.start_op.get()) == self.next_counter();
            let Some(start) = present
                .get_change_meta_by_hash(&made)
                .and_then(|meta| NonZeroU64::new(meta.start_op))
            else {
                return false;
            };
            claimed.start_op = start;
            canonical && counted && Change::from(claimed).hash() == made
        })
    }

    /// The counter of the first operation after this point: each change's operations are counted
    /// on from the highest of those it builds on.
    fn next_counter(&self) -> Option<u64> {
        let counter = |hash| Some(self.document.get_change_meta_by_hash(hash)?.max_op);
        let counters: Option<Vec<_>> = self.deps.iter().map(counter).collect();
        counters?.into_iter().max().map(|highest| highest + 1)
    }
}

fn write_all(
    mut change: Transaction<'_>,
    writes: &[Write],
) -> Result<Option<ChangeHash>, AutomergeError> {
    for write in writes {
        put(&mut change, write)?;
    }
    Ok(change.commit_with(CommitOptions::default().with_time(0)).0)
}

fn put(change: &mut impl Transactable, write: &Write) -> Result<(), AutomergeError> {
    let object = write.target.container().object();
    let key = write.target.key();
    if let Some(value) = &write.value {
        return change.put(object, key, value.clone());
    }
    // Setting a register to the value that already wins a conflict is encoded as a deletion of the
    // losing ones.
    let winner = change.get(&object, key)?.and_then(|(value, _)| value.into_scalar().ok());
    match winner {
        Some(winner) => change.put(object, key, winner),
        None => change.put(object, key, ScalarValue::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::replica::parse;
    use crate::document::{Answer, DocKind, Document, Entry};
    use crate::guard::policy::Target;
    use crate::id::{DeviceId, DocId};

    fn phone(number: u8) -> Actor {
        Actor { device: DeviceId::from_bytes([number; 8]), install: 1, incarnation: 0 }
    }

    fn answer(answer: Answer) -> Entry {
        Entry { answer: Some(("fire_lane".to_owned(), answer)), ..Entry::default() }
    }

    fn write(value: Option<&str>) -> Write {
        Write {
            target: Target::Answer("fire_lane".to_owned()),
            value: value.map(ScalarValue::from),
        }
    }

    #[test]
    fn the_same_write_gives_the_same_change_and_another_one_does_not() -> Result<(), DocumentError>
    {
        let mut document = Document::new(DocId::from_bytes([1; 16]), DocKind::Patrol);
        let before = document.inner().clone();
        let written = document.write(phone(1), &answer(Answer::Yes))?;
        let same = |actor, value| {
            make_again(before.clone(), written.hash, actor, &[write(value)])
                .map(|made| made.is_some())
        };
        assert!(same(phone(1), Some("yes"))?);
        assert!(!same(phone(1), Some("no"))?);
        assert!(!same(phone(2), Some("yes"))?);
        assert!(!same(phone(1), None)?);
        Ok(())
    }

    #[test]
    fn settling_a_conflict_for_its_winner_is_made_again() -> Result<(), DocumentError> {
        let begin = || Document::new(DocId::from_bytes([1; 16]), DocKind::Patrol);
        let (mut mine, mut other) = (begin(), begin());
        mine.write(phone(1), &answer(Answer::Yes))?;
        let received = other.write(phone(2), &answer(Answer::No))?;
        mine.apply(&received.bytes)?;
        let before = mine.inner().clone();
        // The later actor wins, so this sets what is shown already.
        let settled = mine.write(phone(1), &answer(Answer::No))?;
        assert!(make_again(before, settled.hash, phone(1), &[write(None)])?.is_some());
        Ok(())
    }

    #[test]
    fn the_past_gives_the_same_change_only_with_the_counter_of_the_past()
    -> Result<(), DocumentError> {
        let begin = || Document::new(DocId::from_bytes([1; 16]), DocKind::Patrol);
        let (mut mine, mut other) = (begin(), begin());
        let written = mine.write(phone(1), &answer(Answer::Yes))?;
        for said in [Answer::No, Answer::Yes, Answer::NotApplicable] {
            other.write(phone(2), &answer(said))?;
        }
        let decoded = parse(&written.bytes)?.decode();
        let past = Past { document: other.inner(), deps: &decoded.deps.clone() };
        let same = |claimed: &ExpandedChange| {
            let hash = Change::from(claimed.clone()).hash().into();
            past.makes_again(hash, phone(1), &[write(Some("yes"))], claimed.clone())
        };
        assert!(same(&decoded)?);
        // Counted on from the present, as its author could not have.
        let mut late = decoded.clone();
        late.start_op = late.start_op.saturating_add(3);
        assert!(!same(&late)?);
        // The hash of one change with the operations of another.
        let hash = Change::from(late).hash().into();
        assert!(!past.makes_again(hash, phone(1), &[write(Some("yes"))], decoded)?);
        Ok(())
    }
}

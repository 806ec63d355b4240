//! The fourth step: making the same writes again.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ScalarValue};

use super::policy::Write;
use crate::document::DocumentError;
use crate::document::replica::contained;
use crate::id::{Actor, Hash};

/// Makes `writes` as `actor` in `view`; returns the view with the change, and the change's hash.
/// The hash covers every byte of a change, so an equal hash is an equal change.
///
/// # Errors
/// When Automerge refuses a write or panics.
pub(super) fn redo(
    mut view: Automerge,
    actor: Actor,
    writes: &[Write],
) -> Result<(Automerge, Option<Hash>), DocumentError> {
    let hash = contained(|| {
        view.set_actor(actor.into());
        let mut change = view.transaction();
        for write in writes {
            put(&mut change, write)?;
        }
        let (hash, _) = change.commit_with(CommitOptions::default().with_time(0));
        Ok::<_, AutomergeError>(hash.map(Hash::from))
    })?;
    let hash = hash.map_err(|error| DocumentError::Malformed(error.to_string()))?;
    Ok((view, hash))
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
        let redone = |actor, value| redo(before.clone(), actor, &[write(value)]).map(|done| done.1);
        assert_eq!(redone(phone(1), Some("yes"))?, Some(written.hash));
        assert_ne!(redone(phone(1), Some("no"))?, Some(written.hash));
        assert_ne!(redone(phone(2), Some("yes"))?, Some(written.hash));
        assert_ne!(redone(phone(1), None)?, Some(written.hash));
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
        assert_eq!(redo(before, phone(1), &[write(None)])?.1, Some(settled.hash));
        Ok(())
    }
}

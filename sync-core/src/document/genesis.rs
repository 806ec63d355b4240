//! The first change of every document, equal on all replicas, and the containers it makes.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ObjId, ObjType, ROOT, ScalarValue};

use super::DocKind;
use crate::id::{Actor, DocId, Hash};

const SCHEMA_VERSION: u64 = 1;

/// The maps below the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// Fact id (hex) → envelope.
    Facts,
    /// `outcome`, `site` → fact id.
    Shared,
    /// Item → answer.
    Checklist,
}

impl Container {
    const ALL: [Self; 3] = [Self::Facts, Self::Shared, Self::Checklist];

    /// The map's name below the root.
    const fn key(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Shared => "shared",
            Self::Checklist => "checklist",
        }
    }

    /// Counter of the operation in the genesis change that makes the map.
    const fn counter(self) -> u64 {
        match self {
            Self::Facts => 4,
            Self::Shared => 5,
            Self::Checklist => 6,
        }
    }

    /// The map that an operation id names, if the genesis change made it.
    pub(crate) fn made_by(counter: u64, actor: &ActorId) -> Option<Self> {
        let genesis = actor.to_bytes() == Actor::GENESIS.to_bytes();
        Self::ALL.into_iter().find(|container| genesis && container.counter() == counter)
    }

    /// The map's id: the same in every document, because the genesis change is.
    pub(crate) fn object(self) -> ObjId {
        // The all-zero actor sorts first, so its index is 0 in every document.
        ObjId::Id(self.counter(), Actor::GENESIS.into(), 0)
    }
}

/// A document with nothing but its first change, and that change's hash.
pub(crate) fn begin(id: DocId, kind: DocKind) -> (Automerge, Hash) {
    let mut document = Automerge::new().with_actor(Actor::GENESIS.into());
    let mut first = document.transaction();
    lay_out(&mut first, id, kind).expect("an empty document takes new keys");
    let (hash, _) = first.commit_with(CommitOptions::default().with_time(0));
    (document, hash.expect("the change has operations").into())
}

fn lay_out(first: &mut impl Transactable, id: DocId, kind: DocKind) -> Result<(), AutomergeError> {
    first.put(ROOT, "doc", ScalarValue::Bytes(id.as_bytes().to_vec()))?;
    first.put(ROOT, "kind", kind.name())?;
    first.put(ROOT, "v", SCHEMA_VERSION)?;
    for container in Container::ALL {
        first.put_object(ROOT, container.key(), ObjType::Map)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::ReadDoc;

    #[test]
    fn the_first_change_is_a_function_of_id_and_kind() {
        let id = DocId::from_bytes([1; 16]);
        assert_eq!(begin(id, DocKind::Case).1, begin(id, DocKind::Case).1);
        assert_ne!(begin(id, DocKind::Case).1, begin(id, DocKind::Patrol).1);
        let other = DocId::from_bytes([2; 16]);
        assert_ne!(begin(id, DocKind::Case).1, begin(other, DocKind::Case).1);
    }

    /// Phones and hubs of different builds must agree for ever: a new hash here means that no
    /// existing document can be read any more.
    #[test]
    fn the_first_change_never_changes() {
        let (_, hash) = begin(DocId::from_bytes([1; 16]), DocKind::Response);
        assert_eq!(
            hash.to_string(),
            "ed8a1c61291a885422cedcfc7feda2ac42c1ffd6d0ad1b8fd67ac47e103d3820"
        );
    }

    #[test]
    fn containers_stand_where_their_ids_say() {
        let (document, _) = begin(DocId::from_bytes([1; 16]), DocKind::Response);
        for container in Container::ALL {
            let found = document.get(ROOT, container.key()).expect("the root is a map");
            assert_eq!(found.map(|(_, object)| object), Some(container.object()));
            let genesis = ActorId::from(Actor::GENESIS);
            assert_eq!(Container::made_by(container.counter(), &genesis), Some(container));
            let phone = ActorId::from([7; 16]);
            assert_eq!(Container::made_by(container.counter(), &phone), None);
        }
    }
}

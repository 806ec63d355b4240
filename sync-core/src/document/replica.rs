//! One copy of a document: its changes, and how they come in and go out.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change, SaveOptions};
use thiserror::Error;

use super::{DocKind, genesis, snapshot};
use crate::guard::prescan::{self, Scan};
use crate::id::{Actor, DocId, Hash};

/// A document that could not be read, or a change that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// The bytes are not of the form that this version writes.
    #[error("the bytes are not a document or change of this version: {0}")]
    Malformed(String),
    /// A document of another id or kind.
    #[error("the snapshot does not begin as document {0} of this kind begins: it is another one")]
    Foreign(DocId),
    /// The change builds on others that are not here.
    #[error("{} changes that it builds on are not here: apply those first", .0.len())]
    MissingDeps(Vec<Hash>),
    /// Another change of the same author has the same number.
    #[error("its author has used sequence number {0} for another change")]
    Equivocation(u64),
    /// The document says all of it already.
    #[error("the document says this already: there is nothing to write")]
    Unchanged,
    /// Reading back what was saved gave another document.
    #[error("what was saved does not read back as the same document: rebuild it from the log")]
    Unfaithful,
    /// A fault inside Automerge.
    #[error("Automerge failed inside; the document is as it was before")]
    Fault,
}

impl DocumentError {
    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed(reason.to_string())
    }
}

/// One copy of a document. Every change in it but the first is counted.
#[derive(Debug, Clone)]
pub struct Document {
    id: DocId,
    kind: DocKind,
    inner: Automerge,
    genesis: Hash,
    changes: BTreeSet<Hash>,
    seqs: BTreeMap<[u8; 16], u64>,
    sum: u64,
    ops: usize,
    bytes: usize,
}

impl Document {
    /// A document with its first change only.
    #[must_use]
    pub fn new(id: DocId, kind: DocKind) -> Self {
        let (inner, genesis) = genesis::begin(id, kind);
        Self {
            id,
            kind,
            inner,
            genesis,
            changes: BTreeSet::new(),
            seqs: BTreeMap::new(),
            sum: 0,
            ops: 0,
            bytes: 0,
        }
    }

    /// Reads a snapshot made by [`save`](Self::save).
    ///
    /// # Errors
    /// When the bytes are not a snapshot within the limits, or one of another document.
    pub fn load(id: DocId, kind: DocKind, snapshot: &[u8]) -> Result<Self, DocumentError> {
        let ops = snapshot::scan(snapshot).map_err(DocumentError::malformed)?;
        let inner = contained(|| Automerge::load(snapshot))?.map_err(DocumentError::malformed)?;
        let mut document = Self::new(id, kind);
        let metas = contained(|| {
            let metas = inner.get_changes_meta(&[]);
            metas.into_iter().map(|meta| meta.into_owned()).collect::<Vec<_>>()
        })?;
        let mut begun = false;
        for meta in metas {
            let hash = Hash::from(meta.hash);
            if hash == document.genesis {
                begun = true;
                continue;
            }
            let actor: [u8; 16] =
                meta.actor.to_bytes().try_into().map_err(|_| {
                    DocumentError::malformed("an actor does not have sixteen bytes")
                })?;
            if meta.deps.is_empty() || actor == Actor::GENESIS.to_bytes() {
                return Err(DocumentError::Foreign(id));
            }
            document.count(hash, actor, meta.seq);
        }
        if !begun {
            return Err(DocumentError::Foreign(id));
        }
        document.inner = inner;
        document.ops = ops;
        document.bytes = snapshot.len();
        Ok(document)
    }

    /// Builds a document from the log of its admitted changes, in any order.
    ///
    /// # Errors
    /// When a change is malformed, or one that another builds on is not among them.
    pub fn replay<'a>(
        id: DocId,
        kind: DocKind,
        changes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, DocumentError> {
        let mut document = Self::new(id, kind);
        let mut parsed = Vec::new();
        let mut deps = BTreeSet::new();
        for bytes in changes {
            let scan = prescan::scan(bytes).map_err(DocumentError::malformed)?;
            if document.contains(&scan.hash) {
                continue;
            }
            deps.extend(scan.deps());
            parsed.push(parse(bytes)?);
            document.admitted(&scan, bytes.len());
        }
        let missing: Vec<_> = deps.into_iter().filter(|hash| !document.has(hash)).collect();
        if !missing.is_empty() {
            return Err(DocumentError::MissingDeps(missing));
        }
        let inner = &mut document.inner;
        contained(|| inner.apply_changes(parsed))?.map_err(DocumentError::malformed)?;
        Ok(document)
    }

    /// The document as bytes: uncompressed columns, which compress best together with others.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.inner.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
    }

    /// Saves, reads back and compares: call it before anything that the snapshot replaces is
    /// dropped.
    ///
    /// # Errors
    /// When the bytes do not read back as the same changes and the same content.
    pub fn save_verified(&self) -> Result<Vec<u8>, DocumentError> {
        let bytes = contained(|| self.save())?;
        let back = Self::load(self.id, self.kind, &bytes)?;
        let same = contained(|| back.same_as(self))?;
        if same { Ok(bytes) } else { Err(DocumentError::Unfaithful) }
    }

    /// Whether both hold the same changes and say the same. Their saved bytes may differ: those
    /// keep the order in which changes came in.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.changes == other.changes
            && self.heads() == other.heads()
            && self.inner.hydrate(None) == other.inner.hydrate(None)
    }

    /// Applies a change that the hub has admitted; one that is here already changes nothing.
    ///
    /// # Errors
    /// When it is malformed or builds on changes that are not here. The document is then as it was.
    pub fn apply(&mut self, change: &[u8]) -> Result<Hash, DocumentError> {
        let scan = prescan::scan(change).map_err(DocumentError::malformed)?;
        if self.contains(&scan.hash) {
            return Ok(scan.hash);
        }
        let missing: Vec<_> = scan.deps().filter(|hash| !self.has(hash)).collect();
        if !missing.is_empty() {
            return Err(DocumentError::MissingDeps(missing));
        }
        if scan.seq <= self.last_seq(&scan.actor) {
            return Err(DocumentError::Equivocation(scan.seq));
        }
        let parsed = parse(change)?;
        let mut next = self.inner.clone();
        contained(|| next.apply_changes([parsed]))?.map_err(DocumentError::malformed)?;
        self.inner = next;
        self.admitted(&scan, change.len());
        Ok(scan.hash)
    }

    /// Whether everything that a change builds on is here, and the change is not.
    #[must_use]
    pub fn awaits(&self, change: &[u8]) -> bool {
        prescan::scan(change)
            .is_ok_and(|scan| !self.contains(&scan.hash) && scan.deps().all(|dep| self.has(&dep)))
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DocId {
        self.id
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> DocKind {
        self.kind
    }

    /// The changes that no other builds on, ascending.
    #[must_use]
    pub fn heads(&self) -> Vec<Hash> {
        self.inner.get_heads().into_iter().map(Hash::from).collect()
    }

    /// Whether this change is in it (the first change is not counted).
    #[must_use]
    pub fn contains(&self, hash: &Hash) -> bool {
        self.changes.contains(hash)
    }

    /// Wrapping sum of [`Hash::prefix`] over its changes, the first one not counted.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Number of its changes, the first one not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it has its first change only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Hashes of its changes, ascending, without the first one.
    pub fn change_hashes(&self) -> impl Iterator<Item = Hash> + '_ {
        self.changes.iter().copied()
    }

    /// The changes that are not ancestors of `heads`, each after those it builds on, as raw chunks.
    /// Heads that are not here are passed over.
    #[must_use]
    pub fn changes_since(&self, heads: &[Hash]) -> Vec<(Hash, Vec<u8>)> {
        let mut have: Vec<_> =
            heads.iter().filter(|hash| self.has(hash)).map(|hash| (*hash).into()).collect();
        have.push(self.genesis.into());
        let changes = self.inner.get_changes(&have);
        changes.iter().map(|change| (change.hash().into(), change.raw_bytes().to_vec())).collect()
    }

    /// Whether this change is in it, the first one counted.
    pub(crate) fn has(&self, hash: &Hash) -> bool {
        *hash == self.genesis || self.contains(hash)
    }

    /// The newest sequence number of an author; 0 if it has none.
    pub(crate) fn last_seq(&self, actor: &[u8; 16]) -> u64 {
        self.seqs.get(actor).copied().unwrap_or(0)
    }

    /// Upper bounds of its operations and of its bytes.
    pub(crate) const fn weight(&self) -> (usize, usize) {
        (self.ops, self.bytes)
    }

    pub(crate) const fn inner(&self) -> &Automerge {
        &self.inner
    }

    /// Takes over `inner`, which is this document with one more change.
    pub(crate) fn adopt(&mut self, inner: Automerge, scan: &Scan<'_>, bytes: usize) {
        self.inner = inner;
        self.admitted(scan, bytes);
    }

    fn admitted(&mut self, scan: &Scan<'_>, bytes: usize) {
        self.ops += scan.ops;
        self.bytes += bytes;
        self.count(scan.hash, scan.actor, scan.seq);
    }

    fn count(&mut self, hash: Hash, actor: [u8; 16], seq: u64) {
        self.changes.insert(hash);
        self.sum = self.sum.wrapping_add(hash.prefix());
        let newest = self.seqs.entry(actor).or_default();
        *newest = seq.max(*newest);
    }
}

/// Parses a change that was scanned.
pub(crate) fn parse(change: &[u8]) -> Result<Change, DocumentError> {
    contained(|| Change::try_from(change))?.map_err(DocumentError::malformed)
}

/// Runs `work` so that a panic inside Automerge becomes an error. Whatever `work` was changing
/// must be thrown away then.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, DocumentError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| DocumentError::Fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fact_id;
    use crate::document::Entry;
    use crate::id::DeviceId;

    const ID: DocId = DocId::from_bytes([1; 16]);
    const KIND: DocKind = DocKind::Response;

    fn phone(number: u8) -> Actor {
        Actor { device: DeviceId::from_bytes([number; 8]), install: 1, incarnation: 0 }
    }

    fn note(text: &str) -> Entry {
        let envelope = text.as_bytes().to_vec();
        Entry { facts: vec![(fact_id(&envelope), envelope)], ..Entry::default() }
    }

    /// Three changes: two of one phone, one of another at the same time.
    fn history() -> (Document, Vec<Vec<u8>>) {
        let (mut document, mut other) = (Document::new(ID, KIND), Document::new(ID, KIND));
        let mut log = Vec::new();
        for text in ["a", "b"] {
            log.push(document.write(phone(1), &note(text)).expect("it is new").bytes);
        }
        log.push(other.write(phone(2), &note("c")).expect("it is new").bytes);
        document.apply(&log[2]).expect("it builds on the first change");
        (document, log)
    }

    #[test]
    fn log_and_snapshot_give_the_same_document() -> Result<(), DocumentError> {
        let (document, log) = history();
        let snapshot = document.save_verified()?;
        let reversed = log.iter().rev().map(Vec::as_slice);
        for copy in [Document::load(ID, KIND, &snapshot)?, Document::replay(ID, KIND, reversed)?] {
            assert!(copy.same_as(&document));
            assert_eq!(copy.heads(), document.heads());
            assert_eq!((copy.sum(), copy.len()), (document.sum(), 3));
            assert_eq!(copy.last_seq(&phone(1).to_bytes()), 2);
            let hashes: Vec<_> = copy.change_hashes().collect();
            assert_eq!(
                hashes.iter().fold(0, |sum: u64, hash| sum.wrapping_add(hash.prefix())),
                copy.sum()
            );
        }
        Ok(())
    }

    #[test]
    fn changes_come_in_once_and_after_those_they_build_on() -> Result<(), DocumentError> {
        let (whole, log) = history();
        let mut document = Document::new(ID, KIND);
        let (first, _) = whole.changes_since(&[]).swap_remove(0);
        assert_eq!(document.apply(&log[1]), Err(DocumentError::MissingDeps(vec![first])));
        assert!(document.is_empty());
        assert_eq!(document.apply(&log[0])?, first);
        let sum = document.sum();
        assert_eq!(document.apply(&log[0])?, first);
        assert_eq!((document.sum(), document.len()), (sum, 1));
        let hole = Document::replay(ID, KIND, [log[1].as_slice()]);
        assert_eq!(hole.err(), Some(DocumentError::MissingDeps(vec![first])));
        Ok(())
    }

    #[test]
    fn a_number_used_twice_is_refused() -> Result<(), DocumentError> {
        let (_, log) = history();
        let mut document = Document::new(ID, KIND);
        document.write(phone(1), &note("restored from a backup"))?;
        assert_eq!(document.apply(&log[0]), Err(DocumentError::Equivocation(1)));
        Ok(())
    }

    #[test]
    fn what_a_peer_lacks_is_handed_out_in_order() -> Result<(), DocumentError> {
        let (document, log) = history();
        let mut peer = Document::new(ID, KIND);
        let unknown = Hash::from_bytes([9; 32]);
        assert_eq!(document.changes_since(&[unknown]).len(), 3);
        peer.apply(&log[0])?;
        for (hash, change) in document.changes_since(&peer.heads()) {
            assert_eq!(peer.apply(&change)?, hash);
        }
        assert!(peer.same_as(&document));
        assert!(document.changes_since(&peer.heads()).is_empty());
        Ok(())
    }

    #[test]
    fn a_snapshot_of_something_else_is_refused() {
        let (document, _) = history();
        let snapshot = document.save();
        let other = DocId::from_bytes([2; 16]);
        let refused = |id, kind| Document::load(id, kind, &snapshot).err();
        assert_eq!(refused(other, KIND), Some(DocumentError::Foreign(other)));
        assert_eq!(refused(ID, DocKind::Patrol), Some(DocumentError::Foreign(ID)));
        for bytes in [&b""[..], &snapshot[..snapshot.len() - 1], b"plain text"] {
            let refused = Document::load(ID, KIND, bytes);
            assert!(matches!(refused, Err(DocumentError::Malformed(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_deflated_snapshot_is_refused() {
        let mut document = Document::new(ID, KIND);
        document.write(phone(1), &note(&"long ".repeat(1_000))).expect("it is new");
        let deflated = document.inner().save();
        assert!(deflated.len() < 1_000);
        let refused = Document::load(ID, KIND, &deflated);
        assert!(matches!(refused, Err(DocumentError::Malformed(_))), "{refused:?}");
        assert!(Document::load(ID, KIND, &document.save()).is_ok());
    }
}

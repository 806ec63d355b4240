//! Giving: what a colleague's phone lacks, in parts that each stand by themselves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::bytes::ByteVec;
use onscene_sync_core::crypto::Signer;
use onscene_sync_core::document::DocKind;
use onscene_sync_core::handover::certificate::Certificate;
use onscene_sync_core::handover::hello::Hello;
use onscene_sync_core::handover::part::{Given, Part, Told};
use onscene_sync_core::handover::statement::{self, Listed, Statement};
use onscene_sync_core::id::{DeviceId, DocId, Hash, UnitId};
use onscene_sync_core::limits::{
    HANDOVER_FILL_BYTES, INTRODUCTION_BYTES, LISTED_CHANGES, LISTED_DOCS, STATEMENTS,
};
use onscene_sync_core::sync::replica::OwnState;

use super::{HandoverError, is_for, own_certificate, prefix};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::db::Db;
use crate::store::work::case_facts;
use crate::store::{carried, documents, meta};

/// What is left to give in a meeting.
#[derive(Debug)]
pub(super) struct Plan {
    /// The other phone's key for this meeting.
    pub(super) meeting: ByteVec,
    to: DeviceId,
    items: VecDeque<Item>,
    done: bool,
}

#[derive(Debug, Clone)]
enum Item {
    /// All facts of a case, and the inspection that they make known: a part of them says what is not so.
    Told { inspection: DocId, told: Vec<Told> },
    /// A change, this phone's own or one that it carries.
    Change { hash: Hash, carried: bool, given: Given },
}

/// A part being filled.
#[derive(Debug, Default)]
struct Draft {
    part: Part,
    listed: BTreeMap<DocId, Vec<Hash>>,
    authors: BTreeSet<DeviceId>,
    statements: BTreeSet<Vec<u8>>,
    bytes: usize,
}

/// A part that is ready to be sealed.
pub(super) struct Filled {
    pub(super) part: Part,
    /// Nothing is left after it.
    pub(super) last: bool,
    /// How many items of the plan it holds.
    pub(super) items: usize,
}

impl Plan {
    /// Finds what the other phone lacks and may have: orders of its unit that it does not know, and what
    /// waits for the hub in answers to such orders and in patrols. Rechecks are given to nobody.
    pub(super) fn new(
        device: &Device,
        own: &Certificate,
        peer: &Certificate,
        hello: &Hello,
    ) -> Result<Self, DeviceError> {
        let db = device.store.read();
        let mut items = VecDeque::new();
        let known: BTreeSet<u64> = hello.orders.iter().copied().collect();
        for work in device.my_work()? {
            if !known.contains(&prefix(work.order.as_bytes())) && is_for(db, work.order, own.unit)?
            {
                let facts = case_facts(db, work.case)?.into_values();
                let told = facts
                    .map(|(_, envelope)| Told { case: work.case, envelope: envelope.into() })
                    .collect();
                items.push_back(Item::Told { inspection: work.inspection, told });
            }
        }
        let there: BTreeSet<u64> = hello.carried.iter().copied().collect();
        for doc in carried::waiting_docs(db)? {
            if let Some(kind) = may_go(db, doc, own.unit)? {
                changes_of(db, (doc, kind), peer.device, &there, &mut items)?;
            }
        }
        Ok(Self { meeting: hello.meeting.clone(), to: peer.device, items, done: false })
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// The next part. Nothing is taken off the plan before [`Plan::gave`]: the phone's key may be locked.
    pub(super) fn fill(&self, db: Db<'_>, key: &dyn Signer) -> Result<Filled, HandoverError> {
        let (mut draft, mut items) = (Draft::default(), 0);
        for item in &self.items {
            if draft.is_full(item) {
                break;
            }
            draft.take(db, item.clone())?;
            items += 1;
        }
        let last = items == self.items.len();
        Ok(Filled { part: draft.close(db, key, self.to)?, last, items })
    }

    /// A part is on its way.
    pub(super) fn gave(&mut self, items: usize, last: bool) {
        self.items.drain(..items);
        self.done = last;
    }
}

/// The kind of a document that may go to a phone of `unit`.
fn may_go(db: Db<'_>, doc: DocId, unit: UnitId) -> Result<Option<DocKind>, DeviceError> {
    let Some(row) = documents::row(db, doc)? else { return Ok(None) };
    let may = match row.kind {
        DocKind::Patrol => true,
        DocKind::Response => match documents::order_of(db, doc)? {
            Some(order) => is_for(db, order, unit)?,
            None => false,
        },
        DocKind::Case | DocKind::Recheck => false,
    };
    Ok(may.then_some(row.kind))
}

fn changes_of(
    db: Db<'_>,
    (doc, kind): (DocId, DocKind),
    peer: DeviceId,
    there: &BTreeSet<u64>,
    items: &mut VecDeque<Item>,
) -> Result<(), DeviceError> {
    for change in carried::beside(db, doc)? {
        if change.state != OwnState::Waiting || there.contains(&change.hash.prefix()) {
            continue;
        }
        let author = carried::proof(db, change.hash)?.map(|(author, _)| author);
        if author == Some(peer) {
            continue;
        }
        let given = Given { doc, kind, change: change.bytes.into() };
        items.push_back(Item::Change { hash: change.hash, carried: change.carried, given });
    }
    Ok(())
}

impl Draft {
    fn is_full(&self, next: &Item) -> bool {
        let bytes = match next {
            Item::Told { told, .. } => told.iter().map(|told| told.envelope.len()).sum(),
            Item::Change { given, .. } => given.change.len(),
        };
        let listed: usize = self.listed.values().map(Vec::len).sum();
        self.bytes > 0
            && (self.bytes + bytes > HANDOVER_FILL_BYTES
                || self.listed.len() >= LISTED_DOCS
                || listed >= LISTED_CHANGES
                || self.statements.len() >= STATEMENTS / 2
                || self.authors.len() >= STATEMENTS / 2)
    }

    fn take(&mut self, db: Db<'_>, item: Item) -> Result<(), DeviceError> {
        match item {
            Item::Told { inspection, told } => {
                self.listed.entry(inspection).or_default();
                self.bytes += told.iter().map(|told| told.envelope.len()).sum::<usize>();
                self.part.told.extend(told);
            }
            Item::Change { hash, carried, given } => {
                let listed = self.listed.entry(given.doc).or_default();
                if !carried {
                    listed.push(hash);
                } else if let Some((author, proof)) = carried::proof(db, hash)? {
                    self.authors.insert(author);
                    self.bytes += if self.statements.contains(&proof) { 0 } else { proof.len() };
                    self.statements.insert(proof);
                }
                self.bytes += given.change.len();
                self.part.changes.push(given);
            }
        }
        Ok(())
    }

    /// Adds what made the documents known, as far as there is room: it proves nothing to this phone's
    /// colleague, and only helps who writes to a document before the hub tells of it.
    fn introduce(&mut self, db: Db<'_>) -> Result<(), DeviceError> {
        let mut room = INTRODUCTION_BYTES;
        for doc in self.listed.keys() {
            for introduction in carried::introductions(db, *doc)? {
                if self.statements.len() + 1 < STATEMENTS && introduction.len() <= room {
                    room -= introduction.len();
                    self.statements.insert(introduction);
                }
            }
        }
        Ok(())
    }

    /// Signs what is this phone's own and adds everybody's proofs.
    fn close(mut self, db: Db<'_>, key: &dyn Signer, to: DeviceId) -> Result<Part, HandoverError> {
        let (own, certificate) = own_certificate(db)?.ok_or(HandoverError::NoCertificate)?;
        self.introduce(db)?;
        let named = self.statements.iter().filter_map(|bytes| statement::parties(bytes));
        self.authors.extend(named.map(|(author, _)| author));
        self.authors.remove(&own.device);
        let mut certificates = vec![certificate.into()];
        for author in self.authors {
            certificates.extend(carried::certificate(db, author)?.map(ByteVec::from));
        }
        certificates.truncate(STATEMENTS);
        let docs = self.listed.into_iter().map(|(doc, changes)| Listed { doc, changes }).collect();
        let head = meta::head(db)?;
        let stated = Statement { device: own.device, to, head, docs };
        let stated = statement::seal(&stated, key).map_err(DeviceError::from)?;
        let proofs = self.statements.into_iter().map(ByteVec::from);
        let statements: Vec<ByteVec> = std::iter::once(stated.into()).chain(proofs).collect();
        Ok(Part { certificates, statements, ..self.part })
    }
}

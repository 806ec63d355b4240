//! What may stand in a document, said a second time and differently.
//!
//! The guard resolves paths in a live document. This oracle reads a document's whole log from the
//! first byte, with a map of object ids of its own, and lists everything that no phone may have
//! written. A log that the hub stored and that this oracle objects to is a hole in one of the two.

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{Change, ScalarValue};
use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{Author, Body, envelope};
use onscene_sync_core::id::{Actor, DocId};

/// Everything that is wrong with a document's admitted log, in words; empty when nothing is.
///
/// `log` holds the change chunks in the order the hub admitted them.
#[must_use]
pub fn objections(doc: DocId, kind: DocKind, log: &[Vec<u8>]) -> Vec<String> {
    let mut reader = Reader { doc, kind, ..Reader::default_for(doc, kind) };
    for chunk in log {
        reader.read(chunk);
    }
    reader.objections
}

struct Reader {
    doc: DocId,
    kind: DocKind,
    /// The containers of the genesis change, by object id.
    containers: BTreeMap<String, &'static str>,
    facts: BTreeSet<String>,
    /// Facts that an outcome or a site register may name.
    named: BTreeMap<[u8; 16], &'static str>,
    seen: BTreeSet<Vec<u8>>,
    next_seq: BTreeMap<Vec<u8>, u64>,
    objections: Vec<String>,
}

impl Reader {
    fn default_for(doc: DocId, kind: DocKind) -> Self {
        Self {
            doc,
            kind,
            containers: containers(doc, kind),
            facts: BTreeSet::new(),
            named: BTreeMap::new(),
            seen: BTreeSet::new(),
            next_seq: BTreeMap::new(),
            objections: Vec::new(),
        }
    }

    fn object(&mut self, text: impl Into<String>) {
        self.objections.push(text.into());
    }

    fn read(&mut self, chunk: &[u8]) {
        let Ok(change) = Change::try_from(chunk) else {
            return self.object("a stored change cannot be parsed");
        };
        let actor = change.actor_id().to_bytes().to_vec();
        let expected = self.next_seq.entry(actor.clone()).or_insert(1);
        if change.seq() != *expected {
            let text = format!("seq {} of an actor where {expected} was next", change.seq());
            self.objections.push(text);
        }
        *expected = change.seq() + 1;
        let author = Actor::from_slice(&actor);
        for dep in change.deps() {
            if !self.seen.contains(dep.0.as_slice()) && !self.is_genesis(dep.0) {
                self.object("a change was stored before one that it builds on");
            }
        }
        self.seen.insert(change.hash().0.to_vec());
        let Some(author) = author else { return self.object("an actor is not sixteen bytes") };
        let hub = author == Actor::hub(author.install);
        if (self.kind == DocKind::Case) != hub {
            self.object("written by the wrong side");
        }
        let decoded = change.decode();
        if decoded.operations.is_empty() {
            self.object("a change without operations");
        }
        for op in &decoded.operations {
            self.judge(op, author);
        }
    }

    fn is_genesis(&self, hash: [u8; 32]) -> bool {
        Document::new(self.doc, self.kind).heads().iter().any(|head| *head.as_bytes() == hash)
    }

    fn judge(&mut self, op: &Op, author: Actor) {
        let container = match &op.obj {
            ObjectId::Root => None,
            ObjectId::Id(id) => self.containers.get(&id.to_string()).copied(),
        };
        let Some(container) = container else {
            return self.object(format!("an operation outside the containers: {op:?}"));
        };
        let Key::Map(key) = &op.key else { return self.object("a list operation") };
        if op.insert {
            return self.object("an insertion");
        }
        match (container, &op.action) {
            ("facts", OpType::Put(ScalarValue::Bytes(bytes))) => self.fact(key, bytes, op, author),
            ("shared", OpType::Put(ScalarValue::Bytes(bytes))) => {
                let named = <[u8; 16]>::try_from(bytes.as_slice())
                    .ok()
                    .and_then(|id| self.named.get(&id).copied());
                if named != Some(key.as_str()) {
                    self.object(format!("shared/{key} names no such fact"));
                }
            }
            ("shared", OpType::Delete) if !op.pred.is_empty() => {}
            ("checklist", OpType::Put(ScalarValue::Str(answer))) => {
                if !["yes", "no", "n/a"].contains(&answer.as_str()) {
                    self.object(format!("checklist/{key} is {answer}"));
                }
            }
            ("checklist", OpType::Delete) if !op.pred.is_empty() => {}
            _ => self.object(format!("{container}/{key}: {:?}", op.action)),
        }
    }

    fn fact(&mut self, key: &str, bytes: &[u8], op: &Op, author: Actor) {
        if !op.pred.is_empty() || !self.facts.insert(key.to_owned()) {
            self.object(format!("facts/{key} was written twice"));
        }
        let id = fact_id(bytes);
        if id.to_string() != key {
            self.object(format!("facts/{key} stands under another id"));
        }
        let Ok(fact) = envelope::read(bytes) else {
            return self.object(format!("facts/{key} cannot be read"));
        };
        if fact.doc != self.doc {
            self.object(format!("facts/{key} belongs to another document"));
        }
        match &fact.author {
            Author::Device(device)
                if device.device == author.device && device.install == author.install => {}
            Author::Hub(_) if self.kind == DocKind::Case => {}
            Author::Device(_) | Author::Hub(_) => {
                self.object(format!("facts/{key} is not by the change's author"));
            }
        }
        let register = match &fact.body {
            Body::Outcome(_) => "outcome",
            Body::SiteCorrection(_) => "site",
            _ => return,
        };
        self.named.insert(*id.as_bytes(), register);
    }
}

/// Object ids of the genesis containers, as text.
fn containers(doc: DocId, kind: DocKind) -> BTreeMap<String, &'static str> {
    let snapshot = Document::new(doc, kind).save();
    let inner = automerge::Automerge::load(&snapshot).expect("our own genesis loads");
    let genesis = inner.get_changes(&[]);
    let genesis = genesis.first().expect("a document begins with its genesis");
    let mut containers = BTreeMap::new();
    let actor = genesis.actor_id().clone();
    for (offset, op) in genesis.decode().operations.iter().enumerate() {
        let name = match &op.key {
            Key::Map(key) if key == "facts" => "facts",
            Key::Map(key) if key == "shared" => "shared",
            Key::Map(key) if key == "checklist" => "checklist",
            _ => continue,
        };
        let id = automerge::legacy::OpId(genesis.start_op().get() + offset as u64, actor.clone());
        containers.insert(id.to_string(), name);
    }
    containers
}

//! The guard: what of a phone's changes the hub lets into a document.
//!
//! Automerge trusts its input; a phone is not to be trusted. Five steps, each of which only sees
//! what passed the one before:
//!
//! 1. [`prescan`] measures the bytes without Automerge; the actor must be this device's, what the
//!    change builds on must be admitted, its number must be unused.
//! 2. Automerge parses it, with panics contained.
//! 3. [`policy`] reads every operation as one of the few writes that a phone may make.
//! 4. [`replay`] makes the same writes again through Automerge's public interface, on the document
//!    as the phone saw it. The result must be the same bytes: this one comparison covers forged
//!    predecessors, counters, objects and encodings alike.
//! 5. [`policy`] checks the facts (signature, schema) and what the registers name; then the
//!    document takes the change.
//!
//! A refused change leaves the document untouched.

mod policy;
pub(crate) mod prescan;
mod replay;
mod schema;

use automerge::{Automerge, Change};

use crate::crypto::VerifyP256;
use crate::document::replica::{contained, parse};
use crate::document::{DocKind, Document, DocumentError};
use crate::fact::{Body, Fact};
use crate::id::{Actor, DeviceId, FactId, Hash};
use crate::limits::{DOCUMENT_BYTES, DOCUMENT_CHANGES, DOCUMENT_OPS};
use crate::sync::message::{Refusal, RefusalCode};
use crate::time::ClockReading;
use policy::Write;
use prescan::Scan;

/// The device that hands in changes, as it was authenticated.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The device.
    pub device: DeviceId,
    /// Its current installation; changes of earlier ones are still taken.
    pub install: u32,
    /// Its public key, a SEC1 point on P-256.
    pub key: &'a [u8],
    /// Checks a signature against `key`.
    pub verify: VerifyP256,
}

/// A change that is now in the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// Its hash.
    pub hash: Hash,
    /// Its author.
    pub actor: Actor,
    /// Its number among the author's changes of this document, from 1.
    pub seq: u64,
    /// What it builds on, ascending.
    pub deps: Vec<Hash>,
    /// The facts that it put into the document, in the order written.
    pub facts: Vec<(FactId, Fact)>,
}

/// A change that is not in the document by this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It was in the document before.
    Duplicate,
    /// It builds on changes that are not admitted, ascending.
    MissingDeps(Vec<Hash>),
    /// It must be quarantined.
    Refused(Refusal),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Whether a phone may state this in a document of this kind when its clocks show `clock`: the same
/// test that [`admit`] makes, so that a phone can refuse at once what the hub would refuse later.
///
/// # Errors
/// What is wrong, in words.
pub fn check_statement(
    body: &Body,
    kind: DocKind,
    clock: &ClockReading,
) -> Result<(), &'static str> {
    schema::check(body, kind, clock)
}

/// Admits one change.
///
/// # Errors
/// Why the change is not admitted; the document is then as it was.
pub fn admit(
    document: &mut Document,
    change: &[u8],
    author: &Author<'_>,
) -> Result<Admitted, Denied> {
    Run { document, author, view: None }.admit(change)
}

/// Admits changes of one device one after the other, each judged by itself: what [`admit`] says of
/// each. A phone that wrote a row of changes while others wrote too costs one view of the past
/// instead of one for each change.
pub fn admit_run<'a>(
    document: &mut Document,
    changes: impl IntoIterator<Item = &'a [u8]>,
    author: &Author<'_>,
) -> Vec<Result<Admitted, Denied>> {
    let mut run = Run { document, author, view: None };
    changes.into_iter().map(|change| run.admit(change)).collect()
}

/// The envelopes of the facts that a refused change carries, as far as it can be read without
/// letting it near a document: for a person to look at. Nothing about them has been checked.
///
/// # Errors
/// Why nothing can be read.
pub fn peek(change: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    prescan::scan(change).map_err(|fault| {
        refuse(RefusalCode::Malformed, format!("the change is no good: {fault}"))
    })?;
    let change = parse(change).map_err(unreadable)?;
    let decoded = contained(|| change.decode()).map_err(unreadable)?;
    let writes = policy::read(&decoded)?;
    Ok(writes.into_iter().filter_map(Write::into_envelope).collect())
}

struct Run<'d, 'a> {
    document: &'d mut Document,
    author: &'d Author<'a>,
    /// The document as the last change left it for its author, if others have written since.
    view: Option<Automerge>,
}

impl Run<'_, '_> {
    fn admit(&mut self, bytes: &[u8]) -> Result<Admitted, Denied> {
        let scan = prescan::scan(bytes).map_err(|fault| {
            refuse(RefusalCode::Malformed, format!("the change is no good: {fault}"))
        })?;
        let actor = self.check_claims(&scan, bytes.len())?;
        let change = parse(bytes).map_err(unreadable)?;
        let decoded = contained(|| change.decode()).map_err(unreadable)?;
        let writes = policy::read(&decoded)?;
        let (redone, current) = self.redo(&scan, actor, &writes)?;
        let facts = policy::judge(self.document, &redone, actor, self.author, &writes)?;
        if current {
            self.document.adopt(redone, &scan, bytes.len());
            self.view = None;
        } else {
            let next = self.apply(&scan, change)?;
            self.document.adopt(next, &scan, bytes.len());
            self.view = Some(redone);
        }
        Ok(Admitted { hash: scan.hash, actor, seq: scan.seq, deps: scan.deps().collect(), facts })
    }

    /// What can be said before Automerge sees the change.
    fn check_claims(&self, scan: &Scan<'_>, bytes: usize) -> Result<Actor, Denied> {
        if self.document.contains(&scan.hash) {
            return Err(Denied::Duplicate);
        }
        let actor = Actor::from_slice(&scan.actor)
            .filter(|actor| actor.device == self.author.device)
            .filter(|actor| (1..=self.author.install).contains(&actor.install))
            .ok_or_else(|| {
                let detail =
                    "its actor was not issued to this device: write it anew as this device";
                refuse(RefusalCode::WrongActor, detail)
            })?;
        if self.document.kind() == DocKind::Case {
            let detail = "phones do not write case documents: write into the inspection";
            return Err(refuse(RefusalCode::Forbidden, detail).into());
        }
        let missing: Vec<_> = scan.deps().filter(|hash| !self.document.has(hash)).collect();
        if !missing.is_empty() {
            return Err(Denied::MissingDeps(missing));
        }
        if scan.seq <= self.document.last_seq(&scan.actor) {
            let detail = format!("its author has used number {} for another change", scan.seq);
            return Err(refuse(RefusalCode::Equivocation, detail).into());
        }
        let (ops, total) = self.document.weight();
        if self.document.len() >= DOCUMENT_CHANGES
            || ops + scan.ops > DOCUMENT_OPS
            || total + bytes > DOCUMENT_BYTES
        {
            let detail = "the document holds as much as it may: begin another inspection";
            return Err(refuse(RefusalCode::DocumentFull, detail).into());
        }
        Ok(actor)
    }

    /// The document as the author saw it with the change made again, and whether that is all of
    /// the document.
    fn redo(
        &self,
        scan: &Scan<'_>,
        actor: Actor,
        writes: &[Write],
    ) -> Result<(Automerge, bool), Refusal> {
        let deps: Vec<_> = scan.deps().map(automerge::ChangeHash::from).collect();
        let heads = self.document.inner().get_heads();
        let current = heads.iter().all(|head| deps.contains(head));
        let past = self.view.as_ref().filter(|view| view.get_heads() == deps);
        let view = match past {
            _ if current => self.document.inner().clone(),
            Some(view) => view.clone(),
            None => contained(|| self.document.inner().fork_at(&deps))
                .and_then(|forked| {
                    forked.map_err(|error| DocumentError::Malformed(error.to_string()))
                })
                .map_err(unreadable)?,
        };
        let (redone, hash) = replay::redo(view, actor, writes).map_err(unreadable)?;
        if hash == Some(scan.hash) {
            Ok((redone, current))
        } else {
            let detail =
                "making its writes again gives another change: it was not made by this app";
            Err(refuse(RefusalCode::NotReproducible, detail))
        }
    }

    fn apply(&self, scan: &Scan<'_>, change: Change) -> Result<Automerge, Refusal> {
        let mut next = self.document.inner().clone();
        contained(|| next.apply_changes([change]))
            .and_then(|applied| {
                applied.map_err(|error| DocumentError::Malformed(error.to_string()))
            })
            .map_err(unreadable)?;
        if next.get_heads().contains(&scan.hash.into()) {
            Ok(next)
        } else {
            Err(unreadable(DocumentError::Fault))
        }
    }
}

fn refuse(code: RefusalCode, detail: impl Into<String>) -> Refusal {
    Refusal { code, detail: detail.into() }
}

fn unreadable(error: DocumentError) -> Refusal {
    let code = match error {
        DocumentError::Malformed(_) => RefusalCode::Malformed,
        DocumentError::Foreign(_)
        | DocumentError::MissingDeps(_)
        | DocumentError::Equivocation(_)
        | DocumentError::Unchanged
        | DocumentError::Unfaithful
        | DocumentError::Fault => RefusalCode::Fault,
    };
    refuse(code, format!("the change cannot be read: {error}"))
}

//! The guard: what of a phone's changes the hub lets into a document.
//!
//! Automerge trusts its input; a phone is not to be trusted. Five steps, each of which only sees
//! what passed the one before:
//!
//! 1. `prescan` measures the bytes without Automerge; the actor must be this device's, what the
//!    change builds on must be admitted, its number must be unused.
//! 2. Automerge parses it, with panics contained.
//! 3. `policy` reads every operation as one of the few writes that a phone may make.
//! 4. `replay` makes the same writes again through Automerge's public interface, at the point of
//!    the history that the phone saw. The result must be the same bytes: this one comparison covers forged
//!    predecessors, counters, objects and encodings alike.
//! 5. `policy` checks the facts (signature, schema) and what the registers name; then the
//!    document takes the change.
//!
//! A refused change leaves the document untouched.

mod policy;
pub(crate) mod prescan;
mod replay;
mod schema;

use automerge::{Automerge, Change, ExpandedChange};

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

/// Admits one change.
///
/// # Errors
/// Why the change is not admitted; the document is then as it was.
pub fn admit(
    document: &mut Document,
    change: &[u8],
    author: &Author<'_>,
) -> Result<Admitted, Denied> {
    admit_if(document, change, author, |_| Ok(()))
}

/// Admits one change if what is known outside the document allows its facts as well: `fits` is
/// asked last, once, and when it agrees the change is admitted.
///
/// # Errors
/// As [`admit`], and what `fits` says.
pub fn admit_if(
    document: &mut Document,
    change: &[u8],
    author: &Author<'_>,
    fits: impl FnOnce(&[(FactId, Fact)]) -> Result<(), Refusal>,
) -> Result<Admitted, Denied> {
    let scan = scan(change)?;
    let actor = check_claims(document, author, &scan, change.len())?;
    let parsed = parse(change).map_err(unreadable)?;
    let decoded = contained(|| parsed.decode()).map_err(unreadable)?;
    let writes = policy::read(&decoded)?;
    let deps: Vec<_> = scan.deps().map(automerge::ChangeHash::from).collect();
    let next = redo(document, &scan, &deps, actor, &writes, parsed, decoded)?;
    let facts = policy::judge(document, &deps, actor, author, &writes)?;
    fits(&facts)?;
    document.adopt(next, &scan, change.len());
    Ok(Admitted { hash: scan.hash, actor, seq: scan.seq, deps: scan.deps().collect(), facts })
}

/// Admits changes of one device one after the other, each judged by itself: what [`admit`] says of
/// each.
pub fn admit_run<'a>(
    document: &mut Document,
    changes: impl IntoIterator<Item = &'a [u8]>,
    author: &Author<'_>,
) -> Vec<Result<Admitted, Denied>> {
    changes.into_iter().map(|change| admit(document, change, author)).collect()
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

/// The envelopes of the facts that a refused change carries, as far as it can be read without
/// letting it near a document: for a person to look at. Nothing about them has been checked.
///
/// # Errors
/// Why nothing can be read.
pub fn peek(change: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    scan(change)?;
    let change = parse(change).map_err(unreadable)?;
    let decoded = contained(|| change.decode()).map_err(unreadable)?;
    let writes = policy::read(&decoded)?;
    Ok(writes.into_iter().filter_map(Write::into_envelope).collect())
}

/// What a change claims about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its hash.
    pub hash: Hash,
    /// Its author.
    pub actor: Actor,
    /// What it builds on, ascending.
    pub deps: Vec<Hash>,
}

/// What a change claims about itself, as far as it can be read without Automerge.
#[must_use]
pub fn claim(change: &[u8]) -> Option<Claim> {
    let scan = prescan::scan(change).ok()?;
    let actor = Actor::from_slice(&scan.actor)?;
    Some(Claim { hash: scan.hash, actor, deps: scan.deps().collect() })
}

fn scan(change: &[u8]) -> Result<Scan<'_>, Refusal> {
    prescan::scan(change)
        .map_err(|fault| refuse(RefusalCode::Malformed, format!("the change is no good: {fault}")))
}

/// What can be said before Automerge sees the change.
fn check_claims(
    document: &Document,
    author: &Author<'_>,
    scan: &Scan<'_>,
    bytes: usize,
) -> Result<Actor, Denied> {
    if document.contains(&scan.hash) {
        return Err(Denied::Duplicate);
    }
    let actor = Actor::from_slice(&scan.actor)
        .filter(|actor| actor.device == author.device)
        .filter(|actor| (1..=author.install).contains(&actor.install))
        .ok_or_else(|| {
            let detail = "its actor was not issued to this device: write it anew as this device";
            refuse(RefusalCode::WrongActor, detail)
        })?;
    if document.kind() == DocKind::Case {
        let detail = "phones do not write case documents: write into the inspection";
        return Err(refuse(RefusalCode::Forbidden, detail).into());
    }
    let missing: Vec<_> = scan.deps().filter(|hash| !document.has(hash)).collect();
    if !missing.is_empty() {
        return Err(Denied::MissingDeps(missing));
    }
    if scan.seq <= document.last_seq(&scan.actor) {
        let detail = format!("its author has used number {} for another change", scan.seq);
        return Err(refuse(RefusalCode::Equivocation, detail).into());
    }
    let (ops, total) = document.weight();
    if document.len() >= DOCUMENT_CHANGES
        || ops + scan.ops > DOCUMENT_OPS
        || total + bytes > DOCUMENT_BYTES
    {
        let detail = "the document holds as much as it may: begin another inspection";
        return Err(refuse(RefusalCode::DocumentFull, detail).into());
    }
    Ok(actor)
}

/// The document with the change, once making its writes again has given the same bytes.
fn redo(
    document: &Document,
    scan: &Scan<'_>,
    deps: &[automerge::ChangeHash],
    actor: Actor,
    writes: &[Write],
    parsed: Change,
    claimed: ExpandedChange,
) -> Result<Automerge, Refusal> {
    let heads = document.inner().get_heads();
    let next = document.inner().clone();
    let next = if heads.iter().all(|head| deps.contains(head)) {
        replay::make_again(next, scan.hash, actor, writes)
    } else {
        let past = replay::Past { document: document.inner(), deps };
        match past.makes_again(scan.hash, actor, writes, claimed) {
            Ok(true) => replay::apply(next, parsed).map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        }
    };
    next.map_err(unreadable)?.ok_or_else(|| {
        let detail = "making its writes again gives another change: it was not made by this app";
        refuse(RefusalCode::NotReproducible, detail)
    })
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

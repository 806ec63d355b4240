//! Writing: a deed becomes a signed fact in a change, in one transaction with everything around it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use onscene_sync_core::crypto::Signer;
use onscene_sync_core::document::{DocKind, Document, DocumentError};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::fact::{
    AnchorRef, Author, Body, DeviceAuthor, FACT_VERSION, Fact, envelope,
};
use onscene_sync_core::guard;
use onscene_sync_core::id::{Actor, DocId, FactId};
use onscene_sync_core::sync::message::{Refusal, RefusalCode};
use onscene_sync_core::sync::replica::OwnState;
use onscene_sync_core::time::ClockReading;

use crate::act::Act;
use crate::error::DeviceError;
use crate::store::db::Db;
use crate::store::intents::{Intent, Sealed};
use crate::store::meta::Identity;
use crate::store::{documents, feed, intents, meta};

/// So often a deed is stated anew before it counts as refused: an honest hub needs one.
const TRIES: u32 = 3;

/// A deed that has been written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) n: i64,
    /// The fact and its author part, if the deed states something.
    pub(crate) stated: Option<(FactId, DeviceAuthor)>,
}

/// Writes down one deed.
pub(crate) fn record(
    db: Db<'_>,
    key: &dyn Signer,
    (doc, kind): (DocId, DocKind),
    act: Act,
    clock: ClockReading,
) -> Result<Recorded, DeviceError> {
    let identity = meta::identity(db)?;
    if let Act::State(body) = &act {
        guard::check_statement(body, kind, &clock)
            .map_err(|why| DeviceError::invalid("statement", why))?;
    }
    let act = act.renamed(&intents::aliases(db)?);
    documents::ensure(db, doc, kind)?;
    let mut view = documents::view(db, doc)?.unwrap_or_else(|| Document::new(doc, kind));
    let stated = match &act {
        Act::State(body) => {
            let anchors = feed::name_anchors(db)?;
            Some(seal(db, key, &identity, doc, body, clock, anchors, None)?)
        }
        Act::Answer(..) | Act::Choose(_) => None,
    };
    let sealed = stated.as_ref().map(|(sealed, _)| sealed);
    let n = intents::add(db, doc, &act, &clock, sealed, identity.install)?;
    let actor = actor(db, &identity, doc)?;
    let change = view.write(actor, &act.entry(sealed.map(Sealed::entry)))?;
    intents::set_change(db, n, &change)?;
    Ok(Recorded { n, stated: stated.map(|(sealed, author)| (sealed.id, author)) })
}

/// Authors what waits in a document anew on the hub's state and colleagues' changes, under a raised
/// author number. The signed facts stay as they are.
pub(crate) fn rebuild(db: Db<'_>, doc: DocId) -> Result<(), DeviceError> {
    let identity = meta::identity(db)?;
    let Some(row) = documents::row(db, doc)? else { return Ok(()) };
    let mut view = documents::ground(db, doc, row.kind)?;
    let incarnation = documents::raise_incarnation(db, doc)?;
    let actor = Actor { device: identity.device, install: identity.install, incarnation };
    for intent in intents::unsettled(db, doc)? {
        write_again(db, &mut view, actor, &intent, intent.sealed.as_ref())?;
    }
    Ok(())
}

/// Begins a new installation of this phone and [restates](restate) what is unsettled.
pub(crate) fn renew(db: Db<'_>, key: &dyn Signer, install: u32) -> Result<(), DeviceError> {
    let identity = Identity { install, ..meta::identity(db)? };
    meta::install(db, &identity)?;
    restate(db, key)
}

/// States everything that the hub has not settled anew, in the chain that has just begun.
///
/// What is stated anew names the fact that it replaces and keeps that fact's clock reading and
/// anchors: they show when the person acted.
pub(crate) fn restate(db: Db<'_>, key: &dyn Signer) -> Result<(), DeviceError> {
    let identity = meta::identity(db)?;
    let install = identity.install;
    documents::reset_incarnations(db)?;
    let mut views: BTreeMap<DocId, Document> = BTreeMap::new();
    for intent in intents::all_unsettled(db)? {
        if intent.state == OwnState::Held && intents::count_try(db, intent.n)? > TRIES {
            give_up(db, &intent)?;
            continue;
        }
        let act = intent.act.clone().renamed(&intents::aliases(db)?);
        let sealed = match (&act, &intent.sealed) {
            (Act::State(body), Some(old)) => Some(reseal(db, key, &identity, &intent, body, old)?),
            _ => None,
        };
        intents::restate(db, intent.n, &act, sealed.as_ref(), install)?;
        let view = match views.entry(intent.doc) {
            Entry::Occupied(view) => view.into_mut(),
            Entry::Vacant(place) => place.insert(fresh_view(db, intent.doc)?),
        };
        let actor = Actor { device: identity.device, install, incarnation: 0 };
        let intent = Intent { act, ..intent };
        write_again(db, view, actor, &intent, sealed.as_ref())?;
    }
    Ok(())
}

fn fresh_view(db: Db<'_>, doc: DocId) -> Result<Document, DeviceError> {
    let row = documents::row(db, doc)?.ok_or_else(|| DeviceError::damaged("document"))?;
    documents::ground(db, doc, row.kind)
}

fn give_up(db: Db<'_>, intent: &Intent) -> Result<(), DeviceError> {
    let detail = intent.detail.clone().unwrap_or_default();
    let refusal = Refusal { code: RefusalCode::Equivocation, detail };
    intents::set_state(db, intent.n, OwnState::Refused, Some(&refusal))
}

fn reseal(
    db: Db<'_>,
    key: &dyn Signer,
    identity: &Identity,
    intent: &Intent,
    body: &Body,
    old: &Sealed,
) -> Result<Sealed, DeviceError> {
    let before = envelope::read(&old.envelope).map_err(|_| DeviceError::damaged("fact"))?;
    // Another device's anchors prove nothing for this one.
    let author = before.device().filter(|author| author.device == identity.device);
    let anchors = author.map(|author| author.anchors.clone()).unwrap_or_default();
    seal(db, key, identity, intent.doc, body, intent.clock, anchors, Some(old.id))
        .map(|(sealed, _)| sealed)
}

/// Writes a deed into a view once more. One that the view says already needs no change: the hub
/// has it.
fn write_again(
    db: Db<'_>,
    view: &mut Document,
    actor: Actor,
    intent: &Intent,
    sealed: Option<&Sealed>,
) -> Result<(), DeviceError> {
    match view.write(actor, &intent.act.entry(sealed.map(Sealed::entry))) {
        Ok(change) => intents::set_change(db, intent.n, &change),
        Err(DocumentError::Unchanged) => {
            intents::set_state(db, intent.n, OwnState::Delivered, None)?;
            intents::set_seen(db, intent.n)
        }
        Err(error) => Err(error.into()),
    }
}

fn actor(db: Db<'_>, identity: &Identity, doc: DocId) -> Result<Actor, DeviceError> {
    let incarnation = documents::row(db, doc)?.map_or(0, |row| row.incarnation);
    Ok(Actor { device: identity.device, install: identity.install, incarnation })
}

/// Signs a statement as the next fact of the chain.
#[expect(clippy::too_many_arguments, reason = "one for each field of the fact")]
fn seal(
    db: Db<'_>,
    key: &dyn Signer,
    identity: &Identity,
    doc: DocId,
    body: &Body,
    clock: ClockReading,
    anchors: Vec<AnchorRef>,
    restates: Option<FactId>,
) -> Result<(Sealed, DeviceAuthor), DeviceError> {
    let head = meta::head(db)?;
    let author = DeviceAuthor {
        device: identity.device,
        install: identity.install,
        seq: head.seq + 1,
        prev: head.fact,
        clock,
        anchors,
        restates,
    };
    let fact = Fact {
        version: FACT_VERSION,
        doc,
        author: Author::Device(author.clone()),
        body: body.clone(),
    };
    let (id, envelope) = envelope::seal(&fact, key)?;
    meta::set_head(db, Head { install: identity.install, seq: author.seq, fact: Some(id) })?;
    let sealed = Sealed { id, envelope, install: identity.install, seq: author.seq };
    Ok((sealed, author))
}

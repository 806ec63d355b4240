//! The hub as an author: facts of its own, signed, in case documents.

use onscene_sync_core::document::{Entry, Written};
use onscene_sync_core::fact::envelope::seal;
use onscene_sync_core::fact::{Author, Body, FACT_VERSION, Fact};
use onscene_sync_core::id::{Actor, DocId, FactId, Hash};
use onscene_sync_core::limits::FACT_BYTES;
use onscene_sync_core::time::Millis;

use super::buckets::{self, Additions};
use super::documents;
use super::log::{self, NewChange};
use super::{HubError, epoch};
use crate::app::App;
use crate::audit;
use crate::poke::Poke;
use crate::store::Tx;

/// What was appended, and what to ring once the transaction is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The facts with their ids, in the order of their bodies.
    pub facts: Vec<(FactId, Fact)>,
    /// For [`Pokes::ring`](crate::poke::Pokes::ring), after the commit.
    pub pokes: Vec<Poke>,
}

/// States `bodies` in the case document `doc`, one change each, signed by the hub as of `at`
/// on its clock. The document's row is locked until the transaction ends.
///
/// # Errors
/// [`HubError::UnknownDocument`] when there is none (see [`documents::create`]), when the key cannot
/// sign, when the document is full, and the database's.
pub async fn append(
    tx: &mut Tx,
    app: &App,
    doc: DocId,
    at: Millis,
    bodies: Vec<Body>,
) -> Result<Appended, HubError> {
    let now = app.now();
    let rows = documents::rows(tx, [doc], true).await?;
    let row = *rows.get(&doc).ok_or(HubError::UnknownDocument(doc))?;
    let mut document = documents::load(tx, &row).await?;
    let actor = Actor::hub(epoch::present(tx).await?);
    let mut facts = Vec::with_capacity(bodies.len());
    let mut changes = Vec::with_capacity(bodies.len());
    for body in bodies {
        let fact = Fact { version: FACT_VERSION, doc, author: Author::Hub(at), body };
        let (id, envelope) = seal(&fact, &app.keys.facts)?;
        if envelope.len() > FACT_BYTES {
            let detail = format!(
                "a statement has {} bytes, and nobody reads more than {FACT_BYTES}",
                envelope.len()
            );
            return Err(HubError::Unwritable { doc, detail });
        }
        // The same words in the same millisecond are the same fact, and stand there already.
        if document.fact(&id).is_some() {
            facts.push((id, fact));
            continue;
        }
        let entry = Entry { facts: vec![(id, envelope)], ..Entry::default() };
        let written = document
            .write(actor, &entry)
            .map_err(|error| HubError::Unwritable { doc, detail: error.to_string() })?;
        changes.push(change(doc, actor, row.changes + changes.len() as u64 + 1, written));
        facts.push((id, fact));
    }
    if changes.is_empty() {
        return Ok(Appended { facts, pokes: Vec::new() });
    }
    let bytes = changes.iter().map(|change| change.body.len()).sum();
    let advance = documents::Advance { before: &row, after: &document, bytes };
    if !documents::advance(tx, &[advance], now).await? {
        return Err(HubError::Moved);
    }
    let pokes = record(tx, doc, &changes, now).await?;
    let person = facts.iter().find_map(|(_, fact)| audit::entry::author_of(&fact.body));
    let kinds: Vec<_> = facts.iter().map(|(_, fact)| audit::entry::kind_of(&fact.body)).collect();
    let mut entry = audit::Entry::new(audit::Deed::FactsStated, now).to(doc.as_bytes());
    entry.person = person;
    let hashes = changes.iter().map(|change| &change.hash);
    audit::note(tx, &[entry.detail(kinds.join(" ")).hashes(hashes)]).await?;
    Ok(Appended { facts, pokes })
}

fn change(doc: DocId, actor: Actor, ord: u64, written: Written) -> NewChange {
    let Written { hash, seq, bytes: body } = written;
    let device = actor.device;
    let actor = actor.to_bytes();
    NewChange { doc, ord, hash, actor, seq, body, device, late: false, carried: None }
}

async fn record(
    tx: &mut Tx,
    doc: DocId,
    changes: &[NewChange],
    now: Millis,
) -> Result<Vec<Poke>, HubError> {
    log::insert(tx, &changes.iter().collect::<Vec<_>>(), now).await?;
    let mut additions = Additions::default();
    let hashes: Vec<Hash> = changes.iter().map(|change| change.hash).collect();
    for bucket in buckets::of_document(tx, doc).await? {
        hashes.iter().for_each(|hash| additions.change(bucket, doc, *hash));
    }
    Ok(additions.write(tx, now).await?)
}

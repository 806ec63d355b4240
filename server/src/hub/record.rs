//! Writing admitted changes down: rows of documents, changes, facts, jobs and buckets.

use std::collections::BTreeMap;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::{Body, DeviceAuthor, Fact};
use onscene_sync_core::id::{DeviceId, DocId, FactId, Hash};
use onscene_sync_core::sync::chain::Slot;
use onscene_sync_core::time::Millis;

use super::admit::{Batch, DocBatch};
use super::buckets::Additions;
use super::documents::Advance;
use super::sql::count;
use super::{Chains, HubError, documents, log};
use crate::audit::{self, Deed, Entry};
use crate::jobs::{NewJob, enqueue};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Writes the documents, changes, facts and jobs of a batch; returns what is to be added to buckets.
///
/// # Errors
/// [`HubError::Moved`] when somebody else wrote to one of the documents, [`HubError::Forked`] when
/// an author's chain holds other facts by now, and the database's.
pub(crate) async fn record(tx: &mut Tx, batch: &Batch, now: Millis) -> Result<Additions, HubError> {
    let mut additions = Additions::default();
    let docs: Vec<&DocBatch> = batch.docs.iter().filter(|doc| !doc.changes.is_empty()).collect();
    claim(tx, &docs, now).await?;
    let changes: Vec<_> = docs.iter().flat_map(|doc| &doc.changes).collect();
    log::insert(tx, &changes, now).await?;
    let facts: Vec<Row<'_>> = docs.iter().flat_map(|doc| device_facts(doc)).collect();
    if !facts.is_empty() {
        refuse_forks(tx, &facts).await?;
        insert_facts(tx, &facts, now).await?;
        insert_jobs(tx, &facts, now).await?;
    }
    choices(tx, &docs, now).await?;
    let entries: Vec<Entry> = docs.iter().flat_map(|doc| entries(doc, now)).collect();
    audit::note(tx, &entries).await?;
    for doc in docs {
        add(&mut additions, doc);
    }
    Ok(additions)
}

/// What the audit log says of a document's new changes: an entry for each author.
fn entries(doc: &DocBatch, now: Millis) -> Vec<Entry> {
    let mut of: BTreeMap<DeviceId, Vec<&Hash>> = BTreeMap::new();
    for change in &doc.changes {
        of.entry(change.device).or_default().push(&change.hash);
    }
    let entry = |(device, hashes): (DeviceId, Vec<&Hash>)| {
        let entry = Entry::new(Deed::ChangesAdmitted, now).device(device);
        entry.to(doc.before.id.as_bytes()).hashes(hashes)
    };
    of.into_iter().map(entry).collect()
}

/// A phone's fact on its way into the table.
struct Row<'a> {
    id: FactId,
    fact: &'a Fact,
    author: &'a DeviceAuthor,
}

fn device_facts(doc: &DocBatch) -> impl Iterator<Item = Row<'_>> {
    doc.facts.iter().filter_map(|(id, fact)| Some(Row { id: *id, fact, author: fact.device()? }))
}

/// Locks the documents at the versions at which their changes were judged.
async fn claim(tx: &mut Tx, docs: &[&DocBatch], now: Millis) -> Result<(), HubError> {
    for before in docs.iter().filter(|doc| doc.born).map(|doc| &doc.before) {
        if !documents::create(tx, before.id, before.kind, now).await? {
            return Err(HubError::Moved);
        }
    }
    let mut advances = Vec::with_capacity(docs.len());
    for doc in docs {
        let bytes = doc.changes.iter().map(|change| change.body.len()).sum();
        advances.push(Advance { before: &doc.before, after: &doc.after, bytes });
    }
    if documents::advance(tx, &advances, now).await? { Ok(()) } else { Err(HubError::Moved) }
}

fn add(additions: &mut Additions, doc: &DocBatch) {
    let id = doc.before.id;
    for bucket in &doc.buckets {
        if doc.born {
            additions.enter(*bucket, id, doc.after.sum());
        } else {
            doc.changes.iter().for_each(|change| additions.change(*bucket, id, change.hash));
        }
    }
}

/// Compares with the places of the chains that were taken before, by each install.
async fn refuse_forks(tx: &mut Tx, facts: &[Row<'_>]) -> Result<(), HubError> {
    const SQL: &str = "SELECT seq, fact_id, prev FROM fact \
         WHERE device = $1 AND install = $2 AND seq BETWEEN $3 AND $4";
    let mut spans: BTreeMap<(DeviceId, u32), (u64, u64)> = BTreeMap::new();
    for DeviceAuthor { device, install, seq, .. } in facts.iter().map(|row| row.author) {
        let (first, last) = spans.entry((*device, *install)).or_insert((*seq, *seq));
        (*first, *last) = ((*first).min(*seq), (*last).max(*seq));
    }
    let mut chains = Chains::new();
    for ((device, install), (first, last)) in spans {
        let query = sqlx::query(SQL).bind(device.as_bytes().to_vec()).bind(i64::from(install));
        let query = query.bind(count(first.saturating_sub(1))).bind(count(last.saturating_add(1)));
        let slots = chains.entry(device).or_default();
        for row in query.fetch_all(tx.conn()).await.map_err(StoreError::from)? {
            let fact = FactId::from_bytes(row.array("fact_id")?);
            let prev = row.opt_array("prev")?.map(FactId::from_bytes);
            slots.insert(install, row.number("seq")?, Slot { fact, prev });
        }
    }
    let fits = |row: &Row<'_>| chains[&row.author.device].check(row.id, row.author).is_ok();
    if facts.iter().all(fits) { Ok(()) } else { Err(HubError::Forked(chains)) }
}

async fn insert_facts(tx: &mut Tx, facts: &[Row<'_>], now: Millis) -> Result<(), HubError> {
    const HEAD: &str =
        "INSERT INTO fact (fact_id, device, install, seq, prev, doc_id, kind, received_at)";
    let inserted = insert_many(tx, HEAD, 8, facts, "ON CONFLICT DO NOTHING", |query, row| {
        query
            .bind(&row.id.as_bytes()[..])
            .bind(&row.author.device.as_bytes()[..])
            .bind(i64::from(row.author.install))
            .bind(count(row.author.seq))
            .bind(row.author.prev.map(|prev| prev.as_bytes().to_vec()))
            .bind(&row.fact.doc.as_bytes()[..])
            .bind(kind_number(&row.fact.body))
            .bind(now.0)
    })
    .await?;
    if inserted == facts.len() as u64 { Ok(()) } else { Err(HubError::Moved) }
}

/// Kind of the job that brings a case into line with what its team settled in the visit.
pub const SETTLE: &str = "case.settle";

/// Kind of the job that brings what a recheck found into its case.
pub const FOUND: &str = "recheck.found";

/// What follows from a phone's fact, to be done right after.
fn job_of(body: &Body) -> Option<&'static str> {
    match body {
        Body::Accepted(_) => Some("accept"),
        Body::Arrival(_) => Some("judge"),
        Body::Outcome(_) => Some("feed_back"),
        Body::Told(_) | Body::Withdrawal(_) => Some(SETTLE),
        Body::Finding(_) => Some(FOUND),
        _ => None,
    }
}

/// Payload of the jobs that follow from a phone's fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FactArrived {
    /// The document that holds it.
    pub inspection: DocId,
    /// The fact.
    pub fact: FactId,
}

async fn insert_jobs(tx: &mut Tx, facts: &[Row<'_>], now: Millis) -> Result<(), HubError> {
    const HEAD: &str = "INSERT INTO job (kind, key, payload, run_at)";
    let jobs: Vec<(&str, String, String)> = facts
        .iter()
        .filter_map(|row| {
            let payload = FactArrived { inspection: row.fact.doc, fact: row.id };
            let payload = serde_json::to_string(&payload).expect("two ids have a JSON form");
            Some((job_of(&row.fact.body)?, row.id.to_string(), payload))
        })
        .collect();
    insert_many(tx, HEAD, 4, &jobs, "ON CONFLICT (kind, key) DO NOTHING", |query, job| {
        query.bind(job.0).bind(&job.1[..]).bind(&job.2[..]).bind(now.0)
    })
    .await?;
    Ok(())
}

/// Payload of [`SETTLE`], part of [`FactArrived`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VisitChanged {
    /// The visit.
    pub inspection: DocId,
}

/// A change without a fact may be the team's choice of one of several outcomes.
async fn choices(tx: &mut Tx, docs: &[&DocBatch], now: Millis) -> Result<(), HubError> {
    for doc in docs {
        let (id, kind) = (doc.before.id, doc.before.kind);
        let Some(last) = doc.changes.last().filter(|_| doc.facts.len() < doc.changes.len()) else {
            continue;
        };
        if kind == DocKind::Response {
            let job = NewJob::new(SETTLE, now, &VisitChanged { inspection: id })
                .expect("an id has a JSON form");
            enqueue(tx, job.once(last.hash.to_string())).await?;
        }
    }
    Ok(())
}

/// A statement's number, as it is encoded.
fn kind_number(body: &Body) -> i64 {
    match body {
        Body::Accepted(_) => 0,
        Body::Arrival(_) => 1,
        Body::Note(_) => 2,
        Body::Evidence(_) => 3,
        Body::Outcome(_) => 4,
        Body::Told(_) => 5,
        Body::Withdrawal(_) => 6,
        Body::Finding(_) => 7,
        Body::SiteCorrection(_) => 8,
        Body::Registered(_) => 32,
        Body::CoordinationOpened(_) => 33,
        Body::Ordered(_) => 34,
        Body::OrderReceived(_) => 35,
        Body::OrderWithdrawn(_) => 36,
        Body::Judged(_) => 37,
        Body::ReviewSettled(_) => 38,
        Body::Overdue(_) => 39,
        Body::FedBack(_) => 40,
        Body::Returned(_) => 41,
        Body::Urged(_) => 42,
        Body::ComplainantTold(_) => 43,
        Body::Closed(_) => 44,
        Body::Reopened(_) => 45,
        Body::TakenBack(_) => 46,
        Body::ToldOnScene(_) => 47,
        Body::MeasureTaken(_) => 51,
        Body::MeasureConcluded(_) => 52,
        Body::RecheckOrdered(_) => 53,
        Body::Rechecked(_) => 54,
        Body::Supervised(_) => 78,
        Body::Refused(_) => 60,
        Body::AnsweredFrom(_) => 61,
        Body::RepeatOf(_) => 62,
        Body::RepeatTakenBack(_) => 63,
        Body::Originated(_) => 64,
        Body::NotReached(_) => 74,
        Body::ToldByMessage(_) => 75,
        Body::OpinionGiven(_) => 76,
        Body::OpinionSettled(_) => 77,
    }
}

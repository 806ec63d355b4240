//! What a phone is told: one page of each bucket that it follows, and the documents that it asked
//! for whole, read in one moment of the database.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::{DocId, Hash};
use onscene_sync_core::limits::REPLY_FRAME_BYTES;
use onscene_sync_core::sync::bucket::{self, Action, Budget, Entry, Plan, Row, State};
use onscene_sync_core::sync::message::{Bucket, Cursor, Frame, Page, Whole};

use super::documents::{self, DocRow, Material};
use super::scope::{self, Caller, Scope};
use super::snapshots;
use super::sql::{bucket_key, count, fetch_in};
use super::{HubError, buckets};
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

/// Rows of a bucket's log that one page is cut from.
const WINDOW: i64 = 1_000;
/// Bytes of changes that one page is cut from.
const WINDOW_BYTES: usize = 4 * REPLY_FRAME_BYTES;
/// What a document weighs beside its changes when it is sent whole.
const WHOLE_OVERHEAD: usize = 512;

/// What a phone asks to be told.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) caller: Caller,
    pub(crate) cursors: Vec<Cursor>,
    pub(crate) want: Vec<DocId>,
    pub(crate) max_bytes: usize,
    /// The first twelve bytes of the actors whose changes the phone surely holds; `None` when it
    /// may have lost some.
    pub(crate) own: Option<[u8; 12]>,
    /// How far each bucket may be told.
    pub(crate) noted: BTreeMap<Bucket, State>,
}

/// The part of a reply that comes out of the documents.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) pages: Vec<Page>,
    pub(crate) docs: Vec<Whole>,
}

/// Everything that is needed to write the pages, and no more bytes than fit.
struct Gathered {
    pages: Vec<Planned>,
    want: Vec<DocRow>,
    rows: BTreeMap<DocId, DocRow>,
    whole: Vec<Material>,
}

struct Planned {
    bucket: Bucket,
    state: State,
    plan: Plan,
    bodies: BTreeMap<u64, Vec<u8>>,
}

/// Tells a phone what it asks for.
///
/// # Errors
/// When the database refuses or a document is damaged beyond its log.
pub(crate) async fn pull(app: &App, ask: Ask) -> Result<Told, HubError> {
    if let Some(pages) = nothing_new(&ask.cursors, &ask.want, &ask.noted) {
        return Ok(Told { pages, docs: Vec::new() });
    }
    loop {
        let gathered = app
            .store
            .with_read("hub.pull", ask.clone(), |tx, ask| Box::pin(gather(tx, ask)))
            .await?;
        let write = move || {
            let Gathered { pages, want, rows, whole } = gathered;
            let saved = snapshots::save_all(whole);
            if saved.damaged.is_empty() {
                let told = write(pages, &want, &rows, &saved.bodies);
                (told, saved.fresh, Vec::new())
            } else {
                (Told::default(), saved.fresh, saved.damaged)
            }
        };
        let (told, fresh, damaged) =
            tokio::task::spawn_blocking(write).await.map_err(|_| HubError::Interrupted)?;
        snapshots::keep(app, fresh).await;
        if damaged.is_empty() {
            return Ok(told);
        }
        for row in damaged {
            snapshots::repair(app, row).await?;
        }
    }
}

/// The pages for a phone that is up to date, without asking the database again; `None` for any other.
pub(super) fn nothing_new(
    cursors: &[Cursor],
    want: &[DocId],
    noted: &BTreeMap<Bucket, State>,
) -> Option<Vec<Page>> {
    if !want.is_empty() {
        return None;
    }
    let page = |(bucket, state): (&Bucket, &State)| {
        let up_to_date = cursor_of(cursors, bucket)? == (state.epoch, state.seq);
        up_to_date.then(|| bucket::page(*bucket, state, state.seq, Vec::new()))
    };
    noted.iter().map(page).collect()
}

fn cursor_of(cursors: &[Cursor], bucket: &Bucket) -> Option<(u32, u64)> {
    let cursor = cursors.iter().find(|cursor| cursor.bucket == *bucket)?;
    Some((cursor.epoch, cursor.seq))
}

async fn gather(tx: &mut Tx, ask: &Ask) -> Result<Gathered, HubError> {
    let mut budget = Budget::new(ask.max_bytes.min(REPLY_FRAME_BYTES));
    let (want, mut rows) = wanted(tx, ask, &mut budget).await?;
    let states = buckets::states(tx, ask.noted.keys().copied(), false).await?;
    let mut pages = Vec::new();
    for (bucket, noted) in &ask.noted {
        let state = states.get(bucket).copied().unwrap_or(*noted);
        let from = bucket::start(&state, cursor_of(&ask.cursors, bucket));
        let plan = plan_page(tx, ask, bucket, from, noted.seq, &mut budget, &mut rows).await?;
        let bodies = bodies(tx, bucket, &plan).await?;
        pages.push(Planned { bucket: *bucket, state, plan, bodies });
    }
    let entering = pages.iter().flat_map(|page| &page.plan.steps);
    let entering = entering.filter(|step| step.action == Action::Enter).map(|step| step.doc);
    let whole: BTreeSet<DocId> = entering.chain(want.iter().map(|row| row.id)).collect();
    let whole: Vec<DocRow> = whole.iter().filter_map(|doc| rows.get(doc)).copied().collect();
    let whole = documents::material(tx, &whole).await?;
    Ok(Gathered { pages, want, rows, whole })
}

/// The documents asked for that are in the phone's scope, as far as they fit.
async fn wanted(
    tx: &mut Tx,
    ask: &Ask,
    budget: &mut Budget,
) -> Result<(Vec<DocRow>, BTreeMap<DocId, DocRow>), StoreError> {
    if ask.want.is_empty() {
        return Ok((Vec::new(), BTreeMap::new()));
    }
    let scopes = scope::of_documents(tx, &ask.caller, ask.want.iter().copied()).await?;
    let docs = scopes.into_iter().filter(|(_, scope)| *scope == Scope::Now).map(|(doc, _)| doc);
    let rows = documents::rows(tx, docs, false).await?;
    let want = rows.values().filter(|row| budget.take(row.bytes + WHOLE_OVERHEAD));
    Ok((want.copied().collect(), rows))
}

async fn plan_page(
    tx: &mut Tx,
    ask: &Ask,
    bucket: &Bucket,
    from: u64,
    to: u64,
    budget: &mut Budget,
    rows: &mut BTreeMap<DocId, DocRow>,
) -> Result<Plan, StoreError> {
    if from >= to || budget.is_spent() {
        return Ok(Plan { steps: Vec::new(), seq: from });
    }
    let log = log(tx, ask, bucket, from, to).await?;
    let unknown: BTreeSet<DocId> =
        log.iter().map(|row| row.doc).filter(|doc| !rows.contains_key(doc)).collect();
    rows.extend(documents::rows(tx, unknown, false).await?);
    let sizes = snapshot_sizes(tx, &log).await?;
    let whole_bytes = |doc: DocId| {
        let bytes = rows.get(&doc).map_or(0, |row| row.bytes);
        sizes.get(&doc).copied().unwrap_or(bytes).min(bytes) + WHOLE_OVERHEAD
    };
    Ok(bucket::plan(from, &log, &whole_bytes, budget))
}

/// The next rows of a bucket's log.
async fn log(
    tx: &mut Tx,
    ask: &Ask,
    bucket: &Bucket,
    from: u64,
    to: u64,
) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "SELECT l.seq AS seq, l.kind AS kind, l.doc_id AS doc_id, l.hash AS hash, \
             c.actor AS actor, CAST(length(c.body) AS BIGINT) AS bytes \
         FROM bucket_log l LEFT JOIN change c ON c.doc_id = l.doc_id AND c.hash = l.hash \
         WHERE l.bucket = $1 AND l.seq > $2 AND l.seq <= $3 ORDER BY l.seq LIMIT $4";
    let query = sqlx::query(SQL).bind(bucket_key(bucket)).bind(count(from)).bind(count(to));
    let mut log = Vec::new();
    let mut total = 0;
    for row in query.bind(WINDOW).fetch_all(tx.conn()).await? {
        let actor = row.opt_bytes("actor")?;
        let own = ask.own.is_some_and(|own| actor.is_some_and(|actor| actor.starts_with(&own)));
        let bytes = row.opt_int("bytes")?.and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.unwrap_or(0);
        total += bytes;
        if total > WINDOW_BYTES && !log.is_empty() {
            break;
        }
        log.push(Row {
            seq: row.number("seq")?,
            doc: DocId::from_bytes(row.array("doc_id")?),
            entry: buckets::entry_of(&row)?,
            bytes,
            own,
        });
    }
    Ok(log)
}

/// Upper bounds of the sizes of documents that have a snapshot: its bytes and those of the changes
/// that came after it.
async fn snapshot_sizes(tx: &mut Tx, log: &[Row]) -> Result<BTreeMap<DocId, usize>, StoreError> {
    const HEAD: &str = "SELECT s.doc_id AS doc_id, CAST(length(s.body) AS BIGINT) + \
             CAST(COALESCE((SELECT sum(length(c.body)) FROM change c \
                 WHERE c.doc_id = s.doc_id AND c.ord > s.changes), 0) AS BIGINT) AS bytes \
         FROM snapshot s WHERE s.doc_id";
    let docs: BTreeSet<DocId> =
        log.iter().filter(|row| !row.own && row.entry != Entry::Leave).map(|row| row.doc).collect();
    let keys: Vec<_> = docs.iter().map(|doc| doc.as_bytes().to_vec()).collect();
    let rows = fetch_in(tx, HEAD, &keys, "").await?;
    rows.iter()
        .map(|row| Ok((DocId::from_bytes(row.array("doc_id")?), row.number("bytes")?)))
        .collect()
}

/// The bytes of the changes that a plan sends, by their rows.
async fn bodies(
    tx: &mut Tx,
    bucket: &Bucket,
    plan: &Plan,
) -> Result<BTreeMap<u64, Vec<u8>>, StoreError> {
    const HEAD: &str = "SELECT l.seq AS seq, c.body AS body FROM bucket_log l \
         JOIN change c ON c.doc_id = l.doc_id AND c.hash = l.hash \
         WHERE l.bucket = $1 AND l.seq BETWEEN $2 AND $3 ORDER BY l.seq";
    let sent: BTreeSet<u64> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Change(_)))
        .map(|step| step.seq)
        .collect();
    let (Some(first), Some(last)) = (sent.first(), sent.last()) else {
        return Ok(BTreeMap::new());
    };
    let query = sqlx::query(HEAD).bind(bucket_key(bucket)).bind(count(*first)).bind(count(*last));
    let mut bodies = BTreeMap::new();
    for row in query.fetch_all(tx.conn()).await? {
        let seq: u64 = row.number("seq")?;
        if sent.contains(&seq) {
            bodies.insert(seq, row.bytes("body")?);
        }
    }
    Ok(bodies)
}

fn write(
    pages: Vec<Planned>,
    want: &[DocRow],
    rows: &BTreeMap<DocId, DocRow>,
    whole: &BTreeMap<DocId, Vec<u8>>,
) -> Told {
    let send = |doc: &DocId| {
        let (row, snapshot) = (rows.get(doc)?, whole.get(doc)?);
        let snapshot = snapshot.clone().into();
        Some(Whole { doc: *doc, kind: row.kind, snapshot, sum: row.sum })
    };
    let docs = want.iter().filter_map(|row| send(&row.id)).collect();
    let pages = pages.into_iter().map(|page| write_page(page, send)).collect();
    Told { pages, docs }
}

fn write_page(page: Planned, send: impl Fn(&DocId) -> Option<Whole>) -> Page {
    let Planned { bucket, state, plan, mut bodies } = page;
    let frame = |step: &bucket::Step| {
        let doc = step.doc;
        match step.action {
            Action::Change(_) => {
                let change = bodies.remove(&step.seq)?.into();
                Some(Frame::Change { doc, change })
            }
            Action::Own(hash) => Some(own(doc, hash)),
            Action::Enter => send(&doc).map(Frame::Enter),
            Action::Leave => Some(Frame::Leave { doc }),
        }
    };
    let frames = plan.steps.iter().filter_map(frame).collect();
    bucket::page(bucket, &state, plan.seq, frames)
}

fn own(doc: DocId, hash: Hash) -> Frame {
    Frame::Own { doc, hash }
}

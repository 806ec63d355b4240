//! Buckets in the database: who is in them, what happened to them, and their gapless counters.
//!
//! Whoever changes a document or its buckets holds the document's row. The counter rows come last
//! in a transaction, in order of their keys, so that two writers never wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::{DocId, Hash, UnitId};
use onscene_sync_core::sync::bucket::{Entry, State};
use onscene_sync_core::sync::message::Bucket;
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::documents::{self, DocRow};
use super::sql::{bucket_key, bucket_of, count, fetch_in};
use super::{HubError, epoch};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

const CHANGE: i64 = 0;
const ENTER: i64 = 1;
const LEAVE: i64 = 2;

/// Puts a document into buckets; those that it is in already stay as they are.
///
/// # Errors
/// [`HubError::UnknownDocument`] when there is none, and the database's.
pub async fn enter(
    tx: &mut Tx,
    doc: DocId,
    buckets: &[Bucket],
    now: Millis,
) -> Result<Vec<Poke>, HubError> {
    move_document(tx, doc, buckets, Entry::Enter, now).await
}

/// Takes a document out of buckets; those that it is not in are passed over.
///
/// # Errors
/// As [`enter`].
pub async fn leave(
    tx: &mut Tx,
    doc: DocId,
    buckets: &[Bucket],
    now: Millis,
) -> Result<Vec<Poke>, HubError> {
    move_document(tx, doc, buckets, Entry::Leave, now).await
}

/// A bucket as it stands in the columns `bucket`.
#[must_use]
pub fn key(bucket: &Bucket) -> Vec<u8> {
    bucket_key(bucket)
}

/// The buckets in which supervisors of a unit see its work: the unit's own and those of all above.
///
/// # Errors
/// When the database refuses.
pub async fn supervision_of(tx: &mut Tx, unit: UnitId) -> Result<Vec<Bucket>, StoreError> {
    const SQL: &str = "WITH RECURSIVE above (unit_id, parent) AS ( \
             SELECT unit_id, parent FROM unit WHERE unit_id = $1 \
             UNION SELECT u.unit_id, u.parent FROM unit u JOIN above a ON u.unit_id = a.parent \
         ) SELECT unit_id FROM above";
    let rows = sqlx::query(SQL).bind(&unit.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| Ok(Bucket::Supervision(UnitId::from_bytes(row.array("unit_id")?))))
        .collect()
}

/// The buckets that a document is in now.
///
/// # Errors
/// When the database refuses.
pub async fn of_document(tx: &mut Tx, doc: DocId) -> Result<Vec<Bucket>, StoreError> {
    let mut members = members(tx, [doc]).await?;
    Ok(members.remove(&doc).unwrap_or_default())
}

/// The buckets that each document is in now, in order.
pub(crate) async fn members(
    tx: &mut Tx,
    docs: impl IntoIterator<Item = DocId>,
) -> Result<BTreeMap<DocId, Vec<Bucket>>, StoreError> {
    const HEAD: &str = "SELECT doc_id, bucket FROM doc_bucket WHERE left_seq IS NULL AND doc_id";
    let keys: Vec<_> = docs.into_iter().map(|doc| doc.as_bytes().to_vec()).collect();
    let mut members: BTreeMap<DocId, Vec<Bucket>> = BTreeMap::new();
    for row in fetch_in(tx, HEAD, &keys, "ORDER BY doc_id, bucket").await? {
        let doc = DocId::from_bytes(row.array("doc_id")?);
        members.entry(doc).or_default().push(bucket_of(&row.bytes("bucket")?)?);
    }
    Ok(members)
}

/// The counter rows of those of `buckets` that have one, locked if `lock`.
pub(crate) async fn states(
    tx: &mut Tx,
    buckets: impl IntoIterator<Item = Bucket>,
    lock: bool,
) -> Result<BTreeMap<Bucket, State>, StoreError> {
    const HEAD: &str = "SELECT bucket, n, epoch, checksum FROM bucket WHERE bucket";
    let keys: BTreeSet<_> = buckets.into_iter().map(|bucket| bucket_key(&bucket)).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let tail =
        if lock { format!("ORDER BY bucket{}", tx.engine().for_update()) } else { String::new() };
    let rows = fetch_in(tx, HEAD, &keys, &tail).await?;
    rows.iter().map(|row| Ok((bucket_of(&row.bytes("bucket")?)?, state_of(row)?))).collect()
}

/// Reads a bucket's counters from the columns `n`, `epoch` and `checksum`.
pub(super) fn state_of(row: &AnyRow) -> Result<State, StoreError> {
    Ok(State {
        seq: row.number("n")?,
        epoch: row.number("epoch")?,
        checksum: row.int("checksum")?.cast_unsigned(),
    })
}

/// What a transaction adds to buckets. Written once, last.
#[derive(Debug, Default)]
pub(crate) struct Additions(BTreeMap<Vec<u8>, Vec<Addition>>);

#[derive(Debug, Clone, Copy)]
struct Addition {
    bucket: Bucket,
    doc: DocId,
    entry: Entry,
    sum: u64,
}

/// One row to be of the log.
struct LogRow {
    bucket: Vec<u8>,
    seq: u64,
    addition: Addition,
}

impl Additions {
    /// A change of a document in `bucket`.
    pub(crate) fn change(&mut self, bucket: Bucket, doc: DocId, hash: Hash) {
        self.push(Addition { bucket, doc, entry: Entry::Change(hash), sum: 0 });
    }

    /// A document whose changes add up to `sum` enters `bucket`.
    pub(crate) fn enter(&mut self, bucket: Bucket, doc: DocId, sum: u64) {
        self.push(Addition { bucket, doc, entry: Entry::Enter, sum });
    }

    fn leave(&mut self, bucket: Bucket, doc: DocId, sum: u64) {
        self.push(Addition { bucket, doc, entry: Entry::Leave, sum });
    }

    fn push(&mut self, addition: Addition) {
        self.0.entry(bucket_key(&addition.bucket)).or_default().push(addition);
    }

    /// Writes everything; returns what to ring once the transaction is committed.
    pub(crate) async fn write(self, tx: &mut Tx, now: Millis) -> Result<Vec<Poke>, StoreError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let buckets: Vec<Bucket> =
            self.0.values().filter_map(|list| list.first()).map(|first| first.bucket).collect();
        let mut states = states(tx, buckets.iter().copied(), true).await?;
        if states.len() < buckets.len() {
            open(tx, buckets.iter().filter(|bucket| !states.contains_key(bucket))).await?;
            states = self::states(tx, buckets, true).await?;
        }
        let mut rows = Vec::new();
        let mut pokes = Vec::new();
        for (key, additions) in self.0 {
            let Some(first) = additions.first() else { continue };
            let bucket = first.bucket;
            let state = states.entry(bucket).or_default();
            for addition in additions {
                let seq = match addition.entry {
                    Entry::Change(hash) => state.change(hash),
                    Entry::Enter => state.enter(addition.sum),
                    Entry::Leave => state.leave(addition.sum),
                };
                rows.push(LogRow { bucket: key.clone(), seq, addition });
            }
            advance(tx, &key, state).await?;
            pokes.push(Poke { bucket, seq: state.seq });
        }
        append_log(tx, &rows).await?;
        note_moves(tx, &rows, now).await?;
        Ok(pokes)
    }
}

async fn move_document(
    tx: &mut Tx,
    doc: DocId,
    buckets: &[Bucket],
    entry: Entry,
    now: Millis,
) -> Result<Vec<Poke>, HubError> {
    let rows = documents::rows(tx, [doc], true).await?;
    let row: DocRow = *rows.get(&doc).ok_or(HubError::UnknownDocument(doc))?;
    let inside: BTreeSet<Bucket> = of_document(tx, doc).await?.into_iter().collect();
    let mut additions = Additions::default();
    for bucket in buckets.iter().copied().collect::<BTreeSet<_>>() {
        match (entry, inside.contains(&bucket)) {
            (Entry::Enter, false) => additions.enter(bucket, doc, row.sum),
            (Entry::Leave, true) => additions.leave(bucket, doc, row.sum),
            _ => {}
        }
    }
    if additions.0.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever judged a push by the buckets as they were judges it again.
    const SQL: &str = "UPDATE doc SET version = version + 1 WHERE doc_id = $1";
    let raised = sqlx::query(SQL).bind(&doc.as_bytes()[..]).execute(tx.conn()).await;
    raised.map_err(StoreError::from)?;
    Ok(additions.write(tx, now).await?)
}

async fn open(tx: &mut Tx, buckets: impl Iterator<Item = &Bucket>) -> Result<(), StoreError> {
    const HEAD: &str = "INSERT INTO bucket (bucket, n, epoch, checksum)";
    let keys: Vec<_> = buckets.map(bucket_key).collect();
    let epoch = i64::from(epoch::present(tx).await?);
    insert_many(tx, HEAD, 4, &keys, "ON CONFLICT DO NOTHING", |query, key| {
        query.bind(&key[..]).bind(0_i64).bind(epoch).bind(0_i64)
    })
    .await?;
    Ok(())
}

async fn advance(tx: &mut Tx, key: &[u8], state: &State) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE bucket SET n = $2, checksum = $3 WHERE bucket = $1";
    let query = sqlx::query(SQL).bind(key).bind(count(state.seq));
    query.bind(state.checksum.cast_signed()).execute(tx.conn()).await?;
    Ok(())
}

async fn append_log(tx: &mut Tx, rows: &[LogRow]) -> Result<(), StoreError> {
    const HEAD: &str = "INSERT INTO bucket_log (bucket, seq, kind, doc_id, hash)";
    insert_many(tx, HEAD, 5, rows, "", |query, row| {
        let (kind, hash) = match &row.addition.entry {
            Entry::Change(hash) => (CHANGE, Some(hash.as_bytes().to_vec())),
            Entry::Enter => (ENTER, None),
            Entry::Leave => (LEAVE, None),
        };
        let query = query.bind(&row.bucket[..]).bind(count(row.seq)).bind(kind);
        query.bind(&row.addition.doc.as_bytes()[..]).bind(hash)
    })
    .await?;
    Ok(())
}

async fn note_moves(tx: &mut Tx, rows: &[LogRow], now: Millis) -> Result<(), StoreError> {
    const ENTERED: &str = "INSERT INTO doc_bucket (doc_id, bucket, first_seq, entered_at) \
         VALUES ($1, $2, $3, $4) \
         ON CONFLICT (doc_id, bucket) DO UPDATE SET left_seq = NULL, entered_at = $4";
    const LEFT: &str = "UPDATE doc_bucket SET left_seq = $3 WHERE doc_id = $1 AND bucket = $2";
    for row in rows {
        let statement = match row.addition.entry {
            Entry::Change(_) => continue,
            Entry::Enter => ENTERED,
            Entry::Leave => LEFT,
        };
        let query = sqlx::query(statement).bind(&row.addition.doc.as_bytes()[..]);
        let query = query.bind(&row.bucket[..]).bind(count(row.seq));
        let query = if row.addition.entry == Entry::Enter { query.bind(now.0) } else { query };
        query.execute(tx.conn()).await?;
    }
    Ok(())
}

/// Reads a row's entry from its columns `kind` and `hash`.
pub(crate) fn entry_of(row: &AnyRow) -> Result<Entry, StoreError> {
    match row.int("kind")? {
        CHANGE => Ok(Entry::Change(Hash::from_bytes(row.array("hash")?))),
        ENTER => Ok(Entry::Enter),
        LEAVE => Ok(Entry::Leave),
        other => Err(super::sql::inconsistent("kind", other.to_string(), "0, 1 or 2")),
    }
}

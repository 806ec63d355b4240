//! Rebuilds everything that can be rebuilt and compares: `onscene check`.

use std::collections::BTreeSet;

use onscene_sync_core::document::Document;
use onscene_sync_core::id::DocId;
use onscene_sync_core::sync::bucket::{Entry, State};
use onscene_sync_core::sync::message::Bucket;

use super::sql::{bucket_key, bucket_of, count};
use super::{HubError, buckets, documents, tables};
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Documents read in one transaction.
const BATCH: i64 = 200;
/// Rows of a log read at once.
const ROWS: i64 = 10_000;

/// What was compared, and what did not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Documents rebuilt from their logs.
    pub documents: u64,
    /// Changes in them.
    pub changes: u64,
    /// Buckets whose logs were added up.
    pub buckets: u64,
    /// What does not fit, in words: a document or bucket, and how it differs.
    pub faults: Vec<String>,
}

/// Rebuilds every document from its log and compares it with its row, its snapshot, and what every
/// bucket's log says; checks that no log has a gap, that phones have
/// signed their facts, and the hub its own with `hub_key` (Ed25519) if that is known, and what was
/// refused. Changes nothing. Writers are not held up: each
/// step sees one moment of the database.
///
/// # Errors
/// When the database cannot be read. What does not fit is in the report.
pub async fn verify(store: &Store, hub_key: Option<[u8; 32]>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut after = Vec::new();
    loop {
        let read = store.with_read("verify.documents", (after, hub_key), |tx, (after, hub_key)| {
            Box::pin(documents_after(tx, after, hub_key.as_ref()))
        });
        let (last, part) = read.await?;
        report.documents += part.documents;
        report.changes += part.changes;
        report.faults.extend(part.faults);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    let all = store.with_read("verify.buckets", (), |tx, ()| Box::pin(every_bucket(tx))).await?;
    for bucket in all {
        let read = store
            .with_read("verify.bucket", bucket, |tx, bucket| Box::pin(check_bucket(tx, *bucket)));
        report.faults.extend(read.await?.map(|fault| format!("{bucket:?}: {fault}")));
        report.buckets += 1;
    }
    report.faults.extend(tables::of_quarantine(store).await?);
    Ok(report)
}

async fn documents_after(
    tx: &mut Tx,
    after: &[u8],
    hub_key: Option<&[u8; 32]>,
) -> Result<(Option<Vec<u8>>, Report), StoreError> {
    const SQL: &str = "SELECT doc_id FROM doc WHERE doc_id > $1 ORDER BY doc_id LIMIT $2";
    let ids = sqlx::query(SQL).bind(after).bind(BATCH).fetch_all(tx.conn()).await?;
    let ids = ids
        .iter()
        .map(|row| Ok(DocId::from_bytes(row.array("doc_id")?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let last = ids.last().map(|id| id.as_bytes().to_vec());
    let rows = documents::rows(tx, ids, false).await?;
    let mut part = Report::default();
    for row in rows.values() {
        part.documents += 1;
        part.changes += row.changes;
        match documents::rebuild_whole(tx, row).await {
            Ok(document) => {
                part.faults.extend(check_snapshot(tx, row, &document).await?);
                part.faults.extend(tables::of_document(tx, row, &document, hub_key).await?);
            }
            Err(HubError::Store(error)) => return Err(error),
            Err(error) => part.faults.push(error.to_string()),
        }
    }
    Ok((last, part))
}

/// A snapshot and the log after it must give the document that the log alone gives.
async fn check_snapshot(
    tx: &mut Tx,
    row: &documents::DocRow,
    document: &Document,
) -> Result<Option<String>, StoreError> {
    let materials = documents::material(tx, std::slice::from_ref(row)).await?;
    let Some(material) = materials.first().filter(|material| material.snapshot.is_some()) else {
        return Ok(None);
    };
    Ok(match material.build() {
        Ok(built) if built.change_hashes().eq(document.change_hashes()) => None,
        Ok(_) => {
            Some(format!("document {}: its snapshot says something else than its log", row.id))
        }
        Err(error) => Some(format!("document {}: its snapshot is damaged: {error}", row.id)),
    })
}

async fn every_bucket(tx: &mut Tx) -> Result<Vec<Bucket>, StoreError> {
    let rows =
        sqlx::query("SELECT bucket FROM bucket ORDER BY bucket").fetch_all(tx.conn()).await?;
    rows.iter().map(|row| bucket_of(&row.bytes("bucket")?)).collect()
}

/// Replays a bucket's log; returns the first thing that does not fit.
async fn check_bucket(tx: &mut Tx, bucket: Bucket) -> Result<Option<String>, StoreError> {
    let states = buckets::states(tx, [bucket], false).await?;
    let state = states.get(&bucket).copied().unwrap_or_default();
    let (seq, inside) = match replay(tx, &bucket).await? {
        Ok(replayed) => replayed,
        Err(fault) => return Ok(Some(fault)),
    };
    if seq != state.seq {
        return Ok(Some(format!("its log ends at {seq}, its counter says {}", state.seq)));
    }
    if inside != members(tx, &bucket).await? {
        return Ok(Some("its members are not those whom its log lets in".to_owned()));
    }
    let rows = documents::rows(tx, inside, false).await?;
    let checksum = rows.values().fold(0_u64, |sum, row| sum.wrapping_add(row.sum));
    if checksum != state.checksum {
        let State { checksum: noted, .. } = state;
        let fault =
            format!("its documents add up to {checksum:016x}, its counter says {noted:016x}");
        return Ok(Some(fault));
    }
    tables::of_bucket(tx, &bucket).await
}

/// Who is inside at the end of a bucket's log, and where it ends.
async fn replay(
    tx: &mut Tx,
    bucket: &Bucket,
) -> Result<Result<(u64, BTreeSet<DocId>), String>, StoreError> {
    const SQL: &str = "SELECT seq, kind, doc_id, hash FROM bucket_log \
         WHERE bucket = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let mut inside = BTreeSet::new();
    let mut end = 0;
    loop {
        let query = sqlx::query(SQL).bind(bucket_key(bucket)).bind(count(end)).bind(ROWS);
        let rows = query.fetch_all(tx.conn()).await?;
        if rows.is_empty() {
            return Ok(Ok((end, inside)));
        }
        for row in rows {
            let seq: u64 = row.number("seq")?;
            if seq != end + 1 {
                return Ok(Err(format!("its log has a gap: {seq} follows {end}")));
            }
            end = seq;
            let doc = DocId::from_bytes(row.array("doc_id")?);
            let fits = match buckets::entry_of(&row)? {
                Entry::Enter => inside.insert(doc),
                Entry::Leave => inside.remove(&doc),
                Entry::Change(_) => inside.contains(&doc),
            };
            if !fits {
                return Ok(Err(format!("row {seq} does not fit what document {doc} did before")));
            }
        }
    }
}

async fn members(tx: &mut Tx, bucket: &Bucket) -> Result<BTreeSet<DocId>, StoreError> {
    const SQL: &str = "SELECT doc_id FROM doc_bucket WHERE bucket = $1 AND left_seq IS NULL";
    let rows = sqlx::query(SQL).bind(bucket_key(bucket)).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(DocId::from_bytes(row.array("doc_id")?))).collect()
}

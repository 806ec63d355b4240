//! Whether every stored file is where its row says, and what it was: part of `onscene check`.

use onscene_sync_core::id::{FactId, Hash};

use super::EvidenceError;
use crate::blob::Blobs;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Files looked at in one transaction.
const BATCH: i64 = 200;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Files that are to be there.
    pub files: u64,
    /// Those that are not, each by its fact.
    pub faults: Vec<String>,
}

/// Looks for the object of every stored file; with `whole`, reads each and compares its hash. Without
/// `blobs` none is there. Changes nothing.
///
/// # Errors
/// When the database or the blob store cannot be asked.
pub async fn take(
    store: &Store,
    blobs: Option<&Blobs>,
    whole: bool,
) -> Result<Inventory, EvidenceError> {
    let mut inventory = Inventory::default();
    let mut after = Vec::new();
    loop {
        let read =
            store.with_read("evidence.stored", after, |tx, after| Box::pin(stored(tx, after)));
        let batch = read.await?;
        let Some((last, ..)) = batch.last() else { return Ok(inventory) };
        after = last.as_bytes().to_vec();
        for (fact, hash, bytes) in batch {
            inventory.files += 1;
            let found = match blobs {
                Some(blobs) => blobs.size(hash).await?,
                None => None,
            };
            let fault = match (found, blobs) {
                (None, _) => Some("is missing".to_owned()),
                (Some(size), _) if size != bytes => Some(format!("has {size} bytes, not {bytes}")),
                (Some(_), Some(blobs)) if whole => {
                    blobs.verify(hash).await.err().map(|error| error.to_string())
                }
                _ => None,
            };
            inventory.faults.extend(fault.map(|why| format!("file {hash} of fact {fact} {why}")));
        }
    }
}

async fn stored(tx: &mut Tx, after: &[u8]) -> Result<Vec<(FactId, Hash, u64)>, StoreError> {
    const SQL: &str = "SELECT fact_id, sha256, bytes FROM evidence \
         WHERE stored_at IS NOT NULL AND erased_at IS NULL AND fact_id > $1 \
         ORDER BY fact_id LIMIT $2";
    let rows = sqlx::query(SQL).bind(after).bind(BATCH).fetch_all(tx.conn()).await?;
    let read = |row: &sqlx::any::AnyRow| {
        let hash = Hash::from_bytes(row.array("sha256")?);
        Ok((FactId::from_bytes(row.array("fact_id")?), hash, row.number("bytes")?))
    };
    rows.iter().map(read).collect()
}

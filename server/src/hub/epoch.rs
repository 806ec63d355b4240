//! Lives of the hub. A hub restored from a backup has forgotten what phones know; it begins a new
//! epoch, so that nothing of its former life is taken for the present one.
//!
//! The epoch is part of the hub's actor id (its sequence numbers begin anew, so a forgotten change
//! and a new one are never the same) and of every bucket (phones read their buckets again from the
//! beginning, and deliver again what the hub has lost).

use onscene_sync_core::time::Millis;

use crate::audit::keeper;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// The present epoch.
///
/// # Errors
/// The database's.
pub(crate) async fn present(tx: &mut Tx) -> Result<u32, StoreError> {
    let sql = "SELECT CAST(value AS BIGINT) AS epoch FROM meta WHERE key = 'epoch'";
    sqlx::query(sql).fetch_one(tx.conn()).await?.number("epoch")
}

/// Begins the next epoch, and returns it. For a stopped hub whose database was restored.
///
/// # Errors
/// The database's.
pub async fn begin(store: &Store, now: Millis) -> Result<u32, StoreError> {
    store.with_tx("hub.epoch", now, |tx, now| Box::pin(next(tx, *now))).await
}

async fn next(tx: &mut Tx, now: Millis) -> Result<u32, StoreError> {
    const RAISE: &str =
        "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'epoch'";
    sqlx::query(RAISE).execute(tx.conn()).await?;
    let epoch = present(tx).await?;
    sqlx::query("UPDATE bucket SET epoch = $1").bind(i64::from(epoch)).execute(tx.conn()).await?;
    keeper::note_restore(tx, epoch, now).await?;
    Ok(epoch)
}

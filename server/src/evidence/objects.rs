//! Rows of objects in the blob store: what keeps them from being cleared away.

use onscene_sync_core::id::Hash;
use onscene_sync_core::time::Millis;

use super::EvidenceError;
use super::uploads::number;
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

/// Says that an object is about to be written, so that it is not cleared away; `true` when it is
/// there already, as far as the row knows.
///
/// # Errors
/// [`EvidenceError::Clearing`] while it is being dropped, and the database's.
pub(super) async fn claim(app: &App, hash: Hash, bytes: u64) -> Result<bool, EvidenceError> {
    const SQL: &str = "INSERT INTO blob (sha256, bytes, touched_at) VALUES ($1, $2, $3) \
         ON CONFLICT (sha256) DO UPDATE SET touched_at = excluded.touched_at, condemned_at = NULL \
         WHERE blob.dropping_at IS NULL RETURNING stored_at, damaged_at";
    let input = (hash, bytes, app.now());
    let claim = app.store.with_tx("blob.claim", input, |tx, (hash, bytes, now)| {
        Box::pin(async move {
            let query = sqlx::query(SQL).bind(&hash.as_bytes()[..]).bind(number(*bytes));
            let row = query.bind(now.0).fetch_optional(tx.conn()).await;
            let row = row.map_err(StoreError::from)?.ok_or(EvidenceError::Clearing)?;
            let whole = row.opt_int("damaged_at")?.is_none();
            Ok::<_, EvidenceError>(whole && row.opt_int("stored_at")?.is_some())
        })
    });
    claim.await
}

/// Notes that an object is there, whole.
///
/// # Errors
/// When the database refuses.
pub(super) async fn note_kept(tx: &mut Tx, hash: Hash, now: Millis) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE blob SET stored_at = COALESCE(stored_at, $2), damaged_at = NULL, touched_at = $2 \
         WHERE sha256 = $1",
    )
    .bind(&hash.as_bytes()[..])
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that an object was found missing or damaged: whoever still has the file may bring it again.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn damaged(app: &App, hash: Hash) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE blob SET damaged_at = $2 WHERE sha256 = $1 AND damaged_at IS NULL";
    let note = app.store.with_tx("blob.damaged", (hash, app.now()), |tx, (hash, now)| {
        Box::pin(async move {
            let query = sqlx::query(SQL).bind(&hash.as_bytes()[..]).bind(now.0);
            query.execute(tx.conn()).await.map(drop).map_err(StoreError::from)
        })
    });
    note.await
}

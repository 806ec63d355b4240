//! What is cleared away, and when. Nothing that an open case names ever is.
//!
//! | what | when |
//! |---|---|
//! | an unfinished upload and its pieces | after `evidence.upload_hours` without a byte |
//! | pieces that no upload names | at once |
//! | a file of evidence | `evidence.keep_days` after its case was closed |
//! | an object that nothing names any more | condemned a day after its last touch, gone a day later |
//!
//! An upload of equal content may come at any moment. It touches the object's row before it writes
//! the object, which lifts the condemnation; and once an object is being dropped it waits until the
//! row is gone. So an object is never taken away from under a row that counts on it.

use onscene_sync_core::id::Hash;
use onscene_sync_core::time::Millis;

use super::{EvidenceError, uploads};
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

const DAY_MS: i64 = 24 * 3_600_000;
/// Rows looked at in one transaction.
const AT_ONCE: i64 = 200;

/// Files whose time is over. A file of no case's visit (a patrol's) counts from when it came.
const ERASE: &str = "UPDATE evidence SET erased_at = $1 WHERE fact_id IN (\
    SELECT e.fact_id FROM evidence e \
    LEFT JOIN dispatch_order o ON o.inspection = e.doc_id \
    LEFT JOIN case_row c ON c.case_id = o.case_id \
    WHERE e.erased_at IS NULL \
    AND CASE WHEN o.case_id IS NULL THEN e.begun_at ELSE c.closed_at END < $2 LIMIT $3)";
/// What still names an object.
const NAMED: &str = "EXISTS (SELECT 1 FROM evidence e WHERE e.sha256 = blob.sha256 \
        AND e.stored_at IS NOT NULL AND e.erased_at IS NULL) \
    OR EXISTS (SELECT 1 FROM picture p JOIN evidence e ON e.sha256 = p.sha256 \
        WHERE (p.thumbnail = blob.sha256 OR p.outward = blob.sha256) \
        AND e.stored_at IS NOT NULL AND e.erased_at IS NULL)";

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Unfinished uploads forgotten.
    pub uploads: u64,
    /// Files of evidence whose time was over.
    pub erased: u64,
    /// Objects taken away.
    pub objects: u64,
}

/// Clears away everything whose time is over.
///
/// # Errors
/// The database's and the blob store's; the next sweep goes on.
pub async fn sweep(app: &App) -> Result<Swept, EvidenceError> {
    let mut swept = Swept { uploads: forget_expired(app).await?, ..Swept::default() };
    clear_abandoned(app).await?;
    let now = app.now();
    let before = now.plus(-i64::from(app.config.evidence.keep_days) * DAY_MS);
    loop {
        let erase = app.store.with_tx("evidence.erase", (now, before), |tx, (now, before)| {
            Box::pin(async move {
                let query = sqlx::query(ERASE).bind(now.0).bind(before.0).bind(AT_ONCE);
                Ok::<_, StoreError>(query.execute(tx.conn()).await?.rows_affected())
            })
        });
        let erased = erase.await?;
        swept.erased += erased;
        if erased == 0 {
            break;
        }
    }
    app.store.with_tx("blob.condemn", now, |tx, now| Box::pin(condemn(tx, *now))).await?;
    loop {
        let doomed =
            app.store.with_tx("blob.doom", now, |tx, now| Box::pin(doom(tx, *now))).await?;
        if doomed.is_empty() {
            return Ok(swept);
        }
        for hash in doomed {
            drop_object(app, hash).await?;
            swept.objects += 1;
        }
    }
}

async fn forget_expired(app: &App) -> Result<u64, EvidenceError> {
    let forget = app.store.with_tx("uploads.expire", app.now(), |tx, now| {
        Box::pin(async move {
            const SQL: &str = "SELECT upload_id FROM upload WHERE expires_at <= $1";
            let rows = sqlx::query(SQL).bind(now.0).fetch_all(tx.conn()).await?;
            for row in &rows {
                uploads::forget(tx, Hash::from_bytes(row.array("upload_id")?)).await?;
            }
            Ok::<_, StoreError>(rows.len() as u64)
        })
    });
    Ok(forget.await?)
}

/// Clears the folders of pieces that no unfinished upload names. A new upload's row is there before
/// its first piece, so one that is being begun is not among them.
async fn clear_abandoned(app: &App) -> Result<(), EvidenceError> {
    for folder in app.blobs.staging_folders().await? {
        let Ok(id) = folder.parse::<Hash>() else { continue };
        let open = app.store.with_read("uploads.open", (id, app.now()), |tx, (id, now)| {
            Box::pin(async move {
                match uploads::find(tx, *id, *now).await {
                    Ok(upload) => Ok(upload.receipt.is_none()),
                    Err(EvidenceError::UnknownUpload) => Ok(false),
                    Err(error) => Err(error),
                }
            })
        });
        if !open.await? {
            app.blobs.clear(&folder).await?;
        }
    }
    Ok(())
}

/// Condemns what nothing names; spares what is named again.
async fn condemn(tx: &mut Tx, now: Millis) -> Result<(), StoreError> {
    let condemn = format!(
        "UPDATE blob SET condemned_at = $1 \
         WHERE condemned_at IS NULL AND touched_at < $2 AND NOT ({NAMED})"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(condemn));
    query.bind(now.0).bind(now.plus(-DAY_MS).0).execute(tx.conn()).await?;
    let spare = format!(
        "UPDATE blob SET condemned_at = NULL \
         WHERE condemned_at IS NOT NULL AND dropping_at IS NULL AND ({NAMED})"
    );
    sqlx::query(sqlx::AssertSqlSafe(spare)).execute(tx.conn()).await?;
    Ok(())
}

/// Marks condemned objects as being dropped, for good; returns them and those that an earlier sweep
/// did not get to.
async fn doom(tx: &mut Tx, now: Millis) -> Result<Vec<Hash>, StoreError> {
    let doom = format!(
        "UPDATE blob SET dropping_at = $1 \
         WHERE dropping_at IS NULL AND condemned_at < $2 AND NOT ({NAMED})"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(doom));
    query.bind(now.0).bind(now.plus(-DAY_MS).0).execute(tx.conn()).await?;
    let sql = "SELECT sha256 FROM blob WHERE dropping_at IS NOT NULL LIMIT $1";
    let rows = sqlx::query(sql).bind(AT_ONCE).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(Hash::from_bytes(row.array("sha256")?))).collect()
}

/// Takes an object away, then everything that was known of it.
async fn drop_object(app: &App, hash: Hash) -> Result<(), EvidenceError> {
    app.blobs.remove(hash).await?;
    let forget = app.store.with_tx("blob.forget", hash, |tx, hash| {
        Box::pin(async move {
            for sql in [
                "DELETE FROM blob WHERE sha256 = $1 AND dropping_at IS NOT NULL",
                "DELETE FROM picture_band WHERE sha256 = $1",
                "DELETE FROM picture WHERE sha256 = $1",
            ] {
                sqlx::query(sql).bind(&hash.as_bytes()[..]).execute(tx.conn()).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    Ok(forget.await?)
}

//! Looks at photos that have come: size, thumbnail, outward copy, likeness; then compares each with
//! those of other cases. Long work, and the decoding is done by a process of its own.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{FactId, Hash};
use onscene_sync_core::limits::EVIDENCE_PHOTO_BYTES;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use super::{EvidenceError, objects, reuse};
use crate::app::App;
use crate::blob::BlobError;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::picture::process::{self, NoLook};
use crate::picture::{self, Look};
use crate::store::{RowExt as _, StoreError, Tx};

/// Kind of the job.
pub const LOOK: &str = "evidence.look";

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    fact: FactId,
}

/// Plans a look at the file of `fact`, which was just stored.
///
/// # Errors
/// When the database refuses.
pub(super) async fn plan(tx: &mut Tx, fact: FactId, now: Millis) -> Result<(), StoreError> {
    let job = NewJob::new(LOOK, now, &Stored { fact }).expect("an id has a JSON form");
    enqueue(tx, job.once(fact.to_string())).await?;
    Ok(())
}

/// Handler of [`LOOK`].
pub(super) fn run(app: App, job: Job) -> BoxFuture<'static, Result<(), JobError>> {
    async move {
        let Stored { fact } = job.payload()?;
        look(&app, fact).await
    }
    .boxed()
}

impl From<EvidenceError> for JobError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Store(error) => Self::Store(error),
            error => Self::Failed(error.to_string()),
        }
    }
}

async fn look(app: &App, fact: FactId) -> Result<(), JobError> {
    let file = app.store.with_read("evidence.file", fact, |tx, fact| {
        Box::pin(async move { file(tx, *fact).await })
    });
    let Some((hash, mime, looked)) = file.await? else { return Ok(()) };
    let mut seen = Ok(());
    if !looked && mime.starts_with("image/") {
        seen = look_at(app, hash, &mime).await;
    }
    let input = (fact, app.now());
    let raised = app.store.with_tx("evidence.compare", input, |tx, (fact, now)| {
        Box::pin(async move { reuse::compare(tx, *fact, *now).await })
    });
    metrics::counter!("onscene_evidence_reuse_total").increment(raised.await?);
    seen
}

/// Hash and type of a stored file, and whether it was looked at before.
async fn file(tx: &mut Tx, fact: FactId) -> Result<Option<(Hash, String, bool)>, StoreError> {
    let row = sqlx::query(
        "SELECT e.sha256, e.mime, p.looked_at FROM evidence e \
         LEFT JOIN picture p ON p.sha256 = e.sha256 \
         WHERE e.fact_id = $1 AND e.stored_at IS NOT NULL AND e.erased_at IS NULL",
    )
    .bind(&fact.as_bytes()[..])
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mime = row.opt_text("mime")?.unwrap_or_default();
    let looked = row.opt_int("looked_at")?.is_some();
    Ok(Some((Hash::from_bytes(row.array("sha256")?), mime, looked)))
}

async fn look_at(app: &App, hash: Hash, mime: &str) -> Result<(), JobError> {
    let look = if picture::is_decodable(mime) {
        let bytes = match app.blobs.bytes(hash, EVIDENCE_PHOTO_BYTES).await {
            Err(error @ (BlobError::Damaged(_) | BlobError::Missing(_))) => {
                objects::damaged(app, hash).await?;
                return Err(JobError::Failed(error.to_string()));
            }
            bytes => bytes.map_err(EvidenceError::from)?,
        };
        let program = app.program.clone();
        let looked = tokio::task::spawn_blocking(move || process::look(&program, &bytes)).await;
        match looked.unwrap_or_else(|error| Err(NoLook::Machine(error.to_string()))) {
            Ok(look) => Ok(look),
            Err(NoLook::Picture(why)) => Err(why),
            Err(NoLook::Machine(why)) => return Err(JobError::Failed(why)),
        }
    } else {
        Err(format!("a picture of type {mime} is not decoded here"))
    };
    if let Ok(look) = &look {
        keep(app, &look.thumbnail).await?;
        keep(app, &look.outward).await?;
    }
    let noted = app.store.with_tx("evidence.looked", (hash, look, app.now()), |tx, input| {
        Box::pin(async move { note(tx, input.0, &input.1, input.2).await })
    });
    Ok(noted.await?)
}

/// Keeps a copy that was made here.
async fn keep(app: &App, bytes: &[u8]) -> Result<(), EvidenceError> {
    let (hash, length) = (sha256(bytes), bytes.len() as u64);
    objects::claim(app, hash, length).await?;
    app.blobs.keep(bytes.to_vec()).await?;
    let input = (hash, app.now());
    let kept = app.store.with_tx("blob.kept", input, |tx, (hash, now)| {
        Box::pin(objects::note_kept(tx, *hash, *now))
    });
    Ok(kept.await?)
}

async fn note(
    tx: &mut Tx,
    hash: Hash,
    look: &Result<Look, String>,
    now: Millis,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO picture \
         (sha256, looked_at, width, height, thumbnail, outward, likeness, why) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (sha256) DO NOTHING";
    let seen = look.as_ref().ok();
    let copy = |bytes: &Vec<u8>| sha256(bytes).as_bytes().to_vec();
    let inserted = sqlx::query(SQL)
        .bind(&hash.as_bytes()[..])
        .bind(now.0)
        .bind(seen.map(|look| i64::from(look.width)))
        .bind(seen.map(|look| i64::from(look.height)))
        .bind(seen.map(|look| copy(&look.thumbnail)))
        .bind(seen.map(|look| copy(&look.outward)))
        .bind(seen.and_then(|look| look.likeness).map(|likeness| likeness.0.to_be_bytes().to_vec()))
        .bind(look.as_ref().err().map(|why| why.replace('\0', " ")))
        .execute(tx.conn())
        .await?;
    let likeness = seen.and_then(|look| look.likeness).filter(|_| inserted.rows_affected() == 1);
    for (band, value) in likeness.into_iter().flat_map(|likeness| likeness.bands()) {
        sqlx::query(
            "INSERT INTO picture_band (band, value, sha256) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(band)
        .bind(value)
        .bind(&hash.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

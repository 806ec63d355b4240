//! From all pieces to a stored file and its receipt.

use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use onscene_sync_core::evidence::receipt::{self, Receipt};
use onscene_sync_core::id::Hash;
use onscene_sync_core::limits::UPLOAD_PIECE_BYTES;
use onscene_sync_core::time::Millis;

use super::receive::piece_name;
use super::uploads::{self, Upload};
use super::{EvidenceError, look, media, objects};
use crate::app::App;
use crate::blob::{BlobError, KeepError};
use crate::store::{RowExt as _, StoreError, Tx};

/// Stores the file of an upload that has all its bytes, and returns its receipt. Any number of
/// requests may do so at once, and again.
///
/// # Errors
/// [`EvidenceError::Refused`] when the file is not the manifest's: its pieces are gone then.
pub async fn finish(app: &App, upload: &Upload) -> Result<Vec<u8>, EvidenceError> {
    if let Some(receipt) = &upload.receipt {
        return Ok(receipt.clone());
    }
    let outcome = store(app, upload).await;
    if let Err(EvidenceError::Refused(why)) = &outcome {
        refuse(app, upload, why).await?;
    }
    match outcome {
        // Somebody else who finished it has cleared its pieces away meanwhile.
        Err(EvidenceError::Blob(error)) => match find(app, upload.id).await?.receipt {
            Some(receipt) => Ok(receipt),
            None => Err(error.into()),
        },
        outcome => outcome,
    }
}

async fn store(app: &App, upload: &Upload) -> Result<Vec<u8>, EvidenceError> {
    let there = objects::claim(app, upload.sha256, upload.bytes).await?;
    let pieces = app
        .store
        .with_read("uploads.pieces", upload.id, |tx, id| Box::pin(uploads::pieces(tx, *id)));
    let pieces = pieces.await?;
    let mime = sniff(app, upload, &pieces).await?;
    let bytes = Box::pin(read(app, upload, pieces));
    let kept = if there && app.blobs.size(upload.sha256).await? == Some(upload.bytes) {
        app.blobs.compare(upload.sha256, bytes).await
    } else {
        app.blobs.keep_stream(upload.sha256, bytes).await
    };
    match kept {
        Ok(()) => {}
        Err(KeepError::Blob(error)) => return Err(error.into()),
        Err(KeepError::OtherBytes { found, .. }) => {
            let signed = upload.sha256;
            return Err(EvidenceError::Refused(format!(
                "the bytes have the SHA-256 {found}, and the manifest says {signed}: nothing of \
                 them was kept; upload the file as it was signed"
            )));
        }
    }
    let (fact, sha256, bytes, at) = (upload.fact, upload.sha256, upload.bytes, app.now());
    let receipt = receipt::seal(&Receipt { fact, sha256, bytes, at }, &app.keys.facts)?;
    let input = (upload.clone(), receipt, mime, at);
    let noted = app.store.with_tx("evidence.store", input, |tx, (upload, receipt, mime, at)| {
        Box::pin(note_stored(tx, upload, receipt, mime, *at))
    });
    let receipt = noted.await?;
    metrics::counter!("onscene_evidence_stored_total").increment(1);
    clear(app, upload).await;
    app.jobs.wake();
    Ok(receipt)
}

/// The file's type by its first bytes.
async fn sniff(
    app: &App,
    upload: &Upload,
    pieces: &[(u64, i64)],
) -> Result<&'static str, EvidenceError> {
    let length = media::HEAD_BYTES.min(usize::try_from(upload.bytes).unwrap_or(usize::MAX));
    let head = match pieces.first() {
        Some((0, holder)) => {
            app.blobs.staged(&upload.folder(), &piece_name(0, *holder), length).await?
        }
        _ => Bytes::new(),
    };
    media::type_of(upload.media, &head).map_err(EvidenceError::Refused)
}

/// The pieces of an upload, one after the other.
fn read(
    app: &App,
    upload: &Upload,
    pieces: Vec<(u64, i64)>,
) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + use<> {
    let (blobs, folder, bytes) = (app.blobs.clone(), upload.folder(), upload.bytes);
    stream::iter(pieces).then(move |(number, holder)| {
        let (blobs, folder) = (blobs.clone(), folder.clone());
        async move {
            let begins = number * UPLOAD_PIECE_BYTES as u64;
            let length = bytes.saturating_sub(begins).min(UPLOAD_PIECE_BYTES as u64);
            let length = usize::try_from(length).unwrap_or(UPLOAD_PIECE_BYTES);
            blobs.staged(&folder, &piece_name(number, holder), length).await
        }
    })
}

/// Notes that the file is stored; returns the receipt that counts, the first one.
async fn note_stored(
    tx: &mut Tx,
    upload: &Upload,
    receipt: &[u8],
    mime: &str,
    at: Millis,
) -> Result<Vec<u8>, EvidenceError> {
    objects::note_kept(tx, upload.sha256, at).await?;
    look::plan(tx, upload.fact, at).await?;
    let row = sqlx::query(
        "UPDATE evidence SET stored_at = COALESCE(stored_at, $2), mime = $3, \
         receipt = COALESCE(receipt, $4), refused_at = NULL, refused_why = NULL \
         WHERE fact_id = $1 RETURNING receipt",
    )
    .bind(&upload.fact.as_bytes()[..])
    .bind(at.0)
    .bind(mime)
    .bind(receipt)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    sqlx::query("DELETE FROM upload_piece WHERE upload_id = $1")
        .bind(&upload.id.as_bytes()[..])
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(row.bytes("receipt")?)
}

/// Notes why a file was refused and drops what came of it.
async fn refuse(app: &App, upload: &Upload, why: &str) -> Result<(), EvidenceError> {
    let input = (upload.clone(), why.to_owned(), app.now());
    let noted = app.store.with_tx("evidence.refuse", input, |tx, (upload, why, now)| {
        Box::pin(async move {
            sqlx::query(
                "UPDATE evidence SET refused_at = $2, refused_why = $3 \
                 WHERE fact_id = $1 AND stored_at IS NULL",
            )
            .bind(&upload.fact.as_bytes()[..])
            .bind(now.0)
            .bind(&why[..])
            .execute(tx.conn())
            .await
            .map_err(StoreError::from)?;
            Ok::<_, EvidenceError>(uploads::forget(tx, upload.id).await?)
        })
    });
    noted.await?;
    metrics::counter!("onscene_evidence_refused_total").increment(1);
    clear(app, upload).await;
    Ok(())
}

/// Clears the pieces away; what stays is swept later.
pub(crate) async fn clear(app: &App, upload: &Upload) {
    if let Err(error) = app.blobs.clear(&upload.folder()).await {
        tracing::warn!(%error, "pieces stay in the blob store for now");
    }
}

async fn find(app: &App, id: Hash) -> Result<Upload, EvidenceError> {
    let input = (id, app.now());
    let read = app
        .store
        .with_read("uploads.find", input, |tx, (id, now)| Box::pin(uploads::find(tx, *id, *now)));
    read.await
}

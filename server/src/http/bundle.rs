//! `GET /v1/cases/{id}/bundle`: the sealed evidence of a case, see [`crate::bundle`]. The export is in
//! the audit log before the first byte leaves. The file is written in the data folder first, under
//! no name, so that a case that has too much is refused and no answer breaks off in the middle.

use std::fs::File;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use onscene_sync_core::id::DocId;
use tokio::io::AsyncReadExt as _;

use super::Problem;
use super::command::scope_of;
use super::extract::PathOf;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::bundle::export::{ExportError, export};
use crate::bundle::gather::gather;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/cases/{id}/bundle", Access::May(Action::ExportCases), bundle_of)
        .about("Hands out the sealed evidence of a case, a ZIP file that proves itself.")
        .with(|operation| {
            operation.answers_bytes(200, "application/zip");
            operation.may_refuse(&[409]);
        })
}

async fn bundle_of(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Response, Problem> {
    let now = app.now();
    let gathered =
        app.store.with_tx("bundle.gather", (viewer, id, now), |tx, (viewer, id, now)| {
            Box::pin(async move {
                viewer.may(Action::ExportCases, &scope_of(tx, *id).await?)?;
                Ok::<_, Problem>(gather(tx, *id, Some(viewer.person), *now).await?)
            })
        });
    let gathered = gathered.await?;
    let file = tempfile::tempfile_in(&app.config.data.dir).map_err(ExportError::from)?;
    let bundle = export(gathered, &app.blobs, &app.keys.facts, now, file).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, bundle.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.zip\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, pieces(bundle.file)).into_response())
}

fn pieces(file: File) -> Body {
    let file = tokio::fs::File::from_std(file);
    Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    }))
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::TooLarge => {
                Self::new(StatusCode::CONFLICT, "too_large", "The case is too large for a bundle")
                    .detail(error.to_string())
            }
            error => Self::internal(&error),
        }
    }
}

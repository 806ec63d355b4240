//! Files of evidence come in by tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): core,
//! creation, creation-with-upload, checksum, expiration and termination.
//!
//! `POST /v1/uploads` is an ordinary call of a phone. It needs `Upload-Length` and, in
//! `Upload-Metadata`, `fact`: the id of a manifest fact that this phone has delivered. Its answer's
//! `Location` is an address of 256 random bits; whoever knows it may `HEAD`, `PATCH` and `DELETE`
//! without a token, so that a background transfer of the platform can, and does not end with the
//! token. What it can do is little: only the bytes that the phone signed are kept.
//!
//! `HEAD` and `PATCH` take the upload over at once from whoever held it, as a phone does that lost
//! its connection without the hub knowing. The answer after which nothing is missing, and that to
//! `HEAD` from then on, carries `Onscene-Receipt`: the hub's signed receipt for the whole, durable file. A
//! `POST` for a fact begins anew, unless its file is stored: then it answers with the receipt.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::id::{DeviceId, FactId, Hash};
use onscene_sync_core::time::Millis;

use super::extract::PathOf;
use super::tus::{
    BYTES, METHOD_OVERRIDE, UPLOAD_LENGTH, UPLOAD_OFFSET, answer, checksum_of, describe, fact_of,
    is_bytes, number, other_offset, require_version, too_large, tus,
};
use super::tus_said as said;
use crate::app::App;
use crate::auth::{Access, Routes, Viewer};
use crate::evidence::finish::{clear, finish};
use crate::evidence::receive::{Checksum, ReceiveError, receive};
use crate::evidence::uploads::{self, Upload};
use crate::evidence::{EvidenceError, manifest, media};
use crate::problem::Problem;
use crate::random;
use crate::store::Tx;

/// The routes of this resource.
pub fn routes() -> Routes {
    const ALL: &str = "/v1/uploads";
    const ONE: &str = "/v1/uploads/{upload}";
    Routes::new()
        .options(ALL, Access::Open, describe)
        .about("Says which version and extensions of tus there are.")
        .with(said::versions)
        .post(ALL, Access::Phone, create)
        .about("Begins the upload of a file of evidence.")
        .with(said::begins)
        .head(ONE, Access::Open, head)
        .about("Says how much of a file is there.")
        .with(said::stands)
        .patch(ONE, Access::Open, patch)
        .about("Brings bytes of a file.")
        .with(said::appends)
        .post(ONE, Access::Open, overridden)
        .about("Does what `X-HTTP-Method-Override` names, for clients that can only POST.")
        .with(said::overrides)
        .delete(ONE, Access::Open, terminate)
        .about("Gives an upload up.")
        .with(said::ends)
}

async fn create(State(app): State<App>, viewer: Viewer, request: Request) -> Response {
    tus(begin(app, viewer, request).await)
}

async fn head(
    State(app): State<App>,
    PathOf(name): PathOf<String>,
    headers: HeaderMap,
) -> Response {
    tus(async {
        require_version(&headers)?;
        let upload = take_over(&app, uploads::id_of(&name)).await?;
        let upload = complete(&app, upload).await?;
        let mut response = answer(StatusCode::OK, &upload);
        response.headers_mut().insert(UPLOAD_LENGTH, HeaderValue::from(upload.bytes));
        Ok(response)
    }
    .await)
}

async fn patch(State(app): State<App>, PathOf(name): PathOf<String>, request: Request) -> Response {
    tus(append(app, uploads::id_of(&name), request).await)
}

/// Clients that cannot send PATCH or DELETE say so in a header of a POST, as the protocol has it.
async fn overridden(state: State<App>, name: PathOf<String>, request: Request) -> Response {
    match request.headers().get(&METHOD_OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => patch(state, name, request).await,
        Some(b"DELETE") => terminate(state, name, request.into_parts().0.headers).await,
        Some(b"HEAD") => head(state, name, request.into_parts().0.headers).await,
        _ => tus(Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong_method",
            "This address does not take this method",
        )
        .detail("send HEAD, PATCH or DELETE, or name it in `X-HTTP-Method-Override`"))),
    }
}

async fn terminate(
    State(app): State<App>,
    PathOf(name): PathOf<String>,
    headers: HeaderMap,
) -> Response {
    tus(async {
        require_version(&headers)?;
        let input = (uploads::id_of(&name), app.now());
        let forget = app.store.with_tx("uploads.terminate", input, |tx, (id, now)| {
            Box::pin(async move {
                let upload = uploads::find(tx, *id, *now).await?;
                uploads::forget(tx, *id).await?;
                Ok::<_, EvidenceError>(upload)
            })
        });
        clear(&app, &forget.await?).await;
        Ok(StatusCode::NO_CONTENT.into_response())
    }
    .await)
}

async fn begin(app: App, viewer: Viewer, request: Request) -> Result<Response, Problem> {
    let (Parts { headers, .. }, body) = request.into_parts();
    let headers = &headers;
    require_version(headers)?;
    let length = number(headers, &UPLOAD_LENGTH)?
        .ok_or_else(|| Problem::invalid("`Upload-Length` must say how many bytes the file has"))?;
    let fact = fact_of(headers)?;
    let checksum = checksum_of(headers)?;
    let device =
        viewer.seat.ok_or_else(|| Problem::internal(&"a phone's route without a phone"))?;
    let capability = URL_SAFE_NO_PAD.encode(random::bytes::<32>(&*app.random));
    let input = New { fact, device: device.device, length, id: uploads::id_of(&capability) };
    let begun = app.store.with_tx("uploads.begin", (app.clone(), input), |tx, (app, new)| {
        Box::pin(begin_row(tx, app, new))
    });
    let (mut upload, former) = begun.await?;
    if let Some(former) = former
        && let Err(error) = app.blobs.clear(&former).await
    {
        tracing::warn!(%error, "pieces stay in the blob store for now");
    }
    let location = HeaderValue::try_from(format!("/v1/uploads/{capability}"))
        .map_err(|error| Problem::internal(&error))?;
    if is_bytes(headers) && upload.received < upload.bytes {
        let taken = take_in(app, upload.clone(), body, checksum).await;
        upload = taken.map_err(|problem| problem.header(header::LOCATION, location.clone()))?;
    }
    let mut response = answer(StatusCode::CREATED, &upload);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

struct New {
    fact: FactId,
    device: DeviceId,
    length: u64,
    id: Hash,
}

async fn begin_row(tx: &mut Tx, app: &App, new: &New) -> Result<(Upload, Option<String>), Problem> {
    let named = manifest::named(tx, new.fact).await?;
    // What somebody else's phone stated is as good as not there. A person's later phone brings the
    // files of a former one.
    if !manifest::of_one_person(tx, named.device, new.device).await? {
        return Err(EvidenceError::UnknownFact(new.fact).into());
    }
    let (bytes, kind) = (named.manifest.bytes, named.manifest.media);
    if bytes != new.length {
        let detail = format!("`Upload-Length` is {}, and the manifest says {bytes}", new.length);
        return Err(Problem::invalid(detail));
    }
    let limit = media::limit(kind);
    if bytes > limit {
        return Err(too_large(format!("a file of this kind has at most {limit} bytes")));
    }
    let now = app.now();
    let (begun, former) = uploads::begin(tx, &named, new.id, now, expires_at(app, now)).await?;
    let day = uploads::day_of(now, app.config.bureau.utc_offset_min);
    let today = uploads::brought(tx, named.device, day, 0).await?;
    let limit = app.config.evidence.device_day_bytes;
    if begun.received < bytes && today.saturating_add(bytes) > limit {
        return Err(EvidenceError::DayFull { limit }.into());
    }
    Ok((begun, former))
}

fn expires_at(app: &App, now: Millis) -> Millis {
    now.plus(i64::from(app.config.evidence.upload_hours) * 3_600_000)
}

async fn append(app: App, id: Hash, request: Request) -> Result<Response, Problem> {
    let (Parts { headers, .. }, body) = request.into_parts();
    let headers = &headers;
    require_version(headers)?;
    if !is_bytes(headers) {
        let title = "The body must be bytes of the file";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_bytes", title)
            .detail(format!("send `content-type: {BYTES}`")));
    }
    let offset = number(headers, &UPLOAD_OFFSET)?
        .ok_or_else(|| Problem::invalid("`Upload-Offset` must say where the bytes belong"))?;
    let checksum = checksum_of(headers)?;
    let coming = number(headers, &header::CONTENT_LENGTH)?.unwrap_or(0);
    let input = (id, offset, coming, app.now());
    let taken = app.store.with_tx("uploads.continue", input, |tx, (id, offset, coming, now)| {
        Box::pin(async move {
            let upload = uploads::find(tx, *id, *now).await?;
            if upload.received != *offset {
                return Err(other_offset(upload.received));
            }
            if *coming > upload.bytes - upload.received {
                return Err(too_large(ReceiveError::TooLong.to_string()));
            }
            Ok::<_, Problem>(uploads::take_over(tx, *id, *now).await?)
        })
    });
    let upload = taken.await?;
    // Somebody may have moved it before it was taken over.
    if upload.received != offset {
        return Err(other_offset(upload.received));
    }
    let upload = take_in(app, upload, body, checksum).await?;
    Ok(answer(StatusCode::NO_CONTENT, &upload))
}

/// Takes in a body in a task of its own: a client that goes away must not take with it what came.
async fn take_in(
    app: App,
    mut upload: Upload,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<Upload, Problem> {
    let task = tokio::spawn(async move {
        if upload.received < upload.bytes {
            receive(&app, &mut upload, body, checksum).await?;
        }
        complete(&app, upload).await
    });
    task.await.map_err(|error| Problem::internal(&error))?
}

/// Stores the file if nothing is missing.
async fn complete(app: &App, mut upload: Upload) -> Result<Upload, Problem> {
    if upload.received == upload.bytes {
        upload.receipt = Some(finish(app, &upload).await?);
    }
    Ok(upload)
}

async fn take_over(app: &App, id: Hash) -> Result<Upload, Problem> {
    let input = (id, app.now());
    let taken = app.store.with_tx("uploads.take_over", input, |tx, (id, now)| {
        Box::pin(uploads::take_over(tx, *id, *now))
    });
    Ok(taken.await?)
}

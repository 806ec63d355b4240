//! Files of evidence go out, and flags on photos that were used before.
//!
//! `GET /v1/evidence/{fact}` is the original, as it came, with everything that its camera wrote into
//! it: each reading is in the audit log before the first byte leaves. `…/outward` is a copy for
//! whoever is outside the bureau: the picture, upright, and nothing else. `…/thumbnail` is small.
//! `GET /v1/reuse[?unit=&all=&limit=&after=]` lists flags, `POST /v1/reuse/{id}/settlement {finding,
//! reason}` settles one.
//!
//! What goes out is for this reader only: a browser saves it, guesses no type, runs nothing of it and
//! no cache keeps it.

use std::ops::Range;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use onscene_sync_core::id::{FactId, Hash};
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

use super::complainants::required;
use super::extract::{JsonBody, PathOf, QueryOf};
use super::page::{self, Waiting};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::blob::{BlobError, Reading};
use crate::describe::Operation;
use crate::evidence::download::{self, Copy, File};
use crate::evidence::objects;
use crate::evidence::reuse::{self, Finding, Flag};
use crate::problem::Problem;
use crate::store::Tx;

/// The routes of this resource.
pub fn routes() -> Routes {
    let reading = Access::May(Action::ReadCases);
    Routes::new()
        .get("/v1/evidence/{fact}", reading, original)
        .about("Hands out a file as it came, with all that its camera wrote. Each reading is on record.")
        .with(files)
        .get("/v1/evidence/{fact}/thumbnail", reading, thumbnail)
        .about("Hands out a small picture of a file.")
        .with(files)
        .get("/v1/evidence/{fact}/outward", reading, outward)
        .about("Hands out a copy for people outside the bureau: the picture, upright, and nothing else.")
        .with(files)
        .get("/v1/reuse", Access::May(Action::SettleReviews), list)
        .about("Lists flags on photos that were used before, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .post("/v1/reuse/{id}/settlement", Access::May(Action::SettleReviews), settle)
        .about("Says in writing what a flag amounts to.")
        .with(|operation| operation.may_refuse(&[409]))
}

fn files(operation: &mut Operation<'_>) {
    let about = "One range of bytes (RFC 9110 section 14.2).";
    operation.takes_header("Range", false, about, json_schema!({ "type": "string" }));
    operation.answers_bytes(200, "*/*");
    operation.answers_bytes(206, "*/*");
    operation.may_refuse(&[416, 500]);
}

async fn original(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(fact): PathOf<FactId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    send(&app, viewer, fact, Copy::Original, &headers).await
}

async fn thumbnail(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(fact): PathOf<FactId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    send(&app, viewer, fact, Copy::Thumbnail, &headers).await
}

async fn outward(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(fact): PathOf<FactId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    send(&app, viewer, fact, Copy::Outward, &headers).await
}

async fn send(
    app: &App,
    viewer: Viewer,
    fact: FactId,
    copy: Copy,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let input = (viewer, fact, copy, app.now());
    let find = app.store.with_tx("evidence.read", input, |tx, (viewer, fact, copy, now)| {
        Box::pin(async move {
            let unknown = || Problem::not_found(format!("no file of fact {fact} in your scope"));
            let file = download::find(tx, *fact, *copy).await?.ok_or_else(unknown)?;
            let scope = file.unit.map_or(Scope::Bureau, Scope::Unit);
            viewer.may(Action::ReadCases, &scope)?;
            if *copy == Copy::Original && file.hash.is_some() {
                let entry = Entry::new(Deed::EvidenceRead, *now).by(viewer.person);
                audit::note(tx, &[entry.to(fact.as_bytes())]).await?;
            }
            Ok::<_, Problem>(file)
        })
    });
    let file = find.await?;
    let hash = file.hash.ok_or_else(|| not_there(&file))?;
    let whole = app.blobs.size(hash).await;
    let size = match whole {
        Ok(Some(size)) => size,
        Ok(None) => return Err(missing(app, hash, BlobError::Missing(hash)).await),
        Err(error) => return Err(missing(app, hash, error).await),
    };
    let range = match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(text) => range_of(text, size)?,
        None => None,
    };
    let reading = match range.clone() {
        Some(range) => app.blobs.read_part(hash, range).await,
        None => app.blobs.read(hash).await,
    };
    match reading {
        Ok(reading) => Ok(answer(fact, &file, reading, size, range)),
        Err(error) => Err(missing(app, hash, error).await),
    }
}

fn answer(
    fact: FactId,
    file: &File,
    reading: Reading,
    size: u64,
    range: Option<Range<u64>>,
) -> Response {
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let mut response = (status, Body::from_stream(reading.bytes)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::ACCEPT_RANGES, "bytes"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let ending = file.mime.rsplit(['/', '-']).next().unwrap_or("bin");
    let texts = [
        (header::CONTENT_TYPE, file.mime.clone()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{fact}.{ending}\"")),
        (
            header::CONTENT_RANGE,
            range.map_or_else(String::new, |range| {
                format!("bytes {}-{}/{size}", range.start, range.end - 1)
            }),
        ),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::try_from(text)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    response
}

/// The one range that a request asks for (RFC 9110 section 14.2); `None` for several or another unit,
/// which may be answered whole.
fn range_of(text: &str, size: u64) -> Result<Option<Range<u64>>, Problem> {
    let Some(("bytes", spec)) = text.split_once('=') else { return Ok(None) };
    let Some((first, last)) = spec.trim().split_once('-') else { return Ok(None) };
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(last)) if first.is_empty() && last > 0 => size.saturating_sub(last)..size,
        _ => return Ok(None),
    };
    if range.start < range.end {
        return Ok(Some(range));
    }
    let title = "The file has no such bytes";
    let unsatisfied = HeaderValue::try_from(format!("bytes */{size}"));
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range", title)
        .detail(format!("the file has {size} bytes"));
    Err(match unsatisfied {
        Ok(value) => problem.header(header::CONTENT_RANGE, value),
        Err(_) => problem,
    })
}

fn not_there(file: &File) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_file", "The file is not there").detail(file.why.clone())
}

async fn missing(app: &App, hash: Hash, error: BlobError) -> Problem {
    if let BlobError::Store(_) | BlobError::Folder { .. } = error {
        tracing::error!(%error, "the blob store");
        return Problem::busy("the blob store does not answer: try again");
    }
    if let Err(error) = objects::damaged(app, hash).await {
        return error.into();
    }
    tracing::error!(%error, "a file of evidence");
    let title = "The file is lost or damaged";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "file_damaged", title)
        .detail("it has been noted: an administrator can restore it from a backup")
}

/// `GET /v1/reuse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flags {
    /// Newest first.
    pub flags: Vec<Flag>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// `POST /v1/reuse/{id}/settlement`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SettleReuse")]
pub struct Settle {
    /// What it was found to be.
    pub finding: Finding,
    /// Why, in words; it stays on record.
    pub reason: String,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(filter): QueryOf<Waiting>,
) -> Result<Json<Flags>, Problem> {
    let sweep = viewer.sweep(Action::SettleReviews, filter.unit)?;
    let (limit, before) = filter.page()?;
    let input = (sweep, filter.all, before, limit);
    let read = app.store.with_read("reuse.list", input, |tx, (sweep, all, before, limit)| {
        Box::pin(reuse::list(tx, sweep, *all, *before, *limit))
    });
    let flags = read.await?;
    let next = page::next(&flags, limit, |flag| flag.id);
    Ok(Json(Flags { flags, next }))
}

async fn settle(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<Settle>,
) -> Result<Json<Flag>, Problem> {
    let reason = body.reason.trim().to_owned();
    required("reason", &reason)?;
    let input = (viewer, id, body.finding, reason, app.now());
    let done = app.store.with_tx("reuse.settle", input, |tx, input| {
        Box::pin(async move {
            let (viewer, id, finding, reason, now) = input;
            require(tx, viewer, *id).await?;
            if !reuse::settle(tx, *id, *finding, reason, viewer.person, *now).await? {
                let title = "It has been settled before";
                return Err(Problem::new(StatusCode::CONFLICT, "already_settled", title)
                    .detail("list it again with `all`: it says by whom, when and why"));
            }
            let entry = Entry::new(Deed::ReuseSettled, *now).by(viewer.person);
            audit::note(tx, &[entry.object(id.to_be_bytes().to_vec())]).await?;
            require(tx, viewer, *id).await
        })
    });
    Ok(Json(done.await?))
}

async fn require(tx: &mut Tx, viewer: &Viewer, id: i64) -> Result<Flag, Problem> {
    let missing = || Problem::not_found("check the number, and that the visit is of your units");
    let (flag, unit) = reuse::get(tx, id).await?.ok_or_else(missing)?;
    viewer.may(Action::SettleReviews, &unit.map_or(Scope::Bureau, Scope::Unit))?;
    Ok(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        let range = |text| range_of(text, 100).expect("satisfiable");
        assert_eq!(range("bytes=0-0"), Some(0..1));
        assert_eq!(range("bytes=10-"), Some(10..100));
        assert_eq!(range("bytes=90-500"), Some(90..100));
        assert_eq!(range("bytes=-5"), Some(95..100));
        assert_eq!(range("bytes=-500"), Some(0..100));
        for whole in ["bytes=0-1,5-6", "lines=1-2", "bytes=5-1", "bytes=-", "bytes=x-y", "5"] {
            assert_eq!(range(whole), None, "{whole}");
        }
        assert_eq!(range_of("bytes=100-", 100).expect_err("none").code(), "no_such_range");
    }
}

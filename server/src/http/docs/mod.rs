//! The API's description: `GET /v1/openapi.json` for programs, `GET /v1/docs` for people.
//!
//! The page is files of this program and asks no other host. It shows and does not call: nobody types a
//! key into it.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use onscene_sync_core::crypto::sha256;

use super::extract::PathOf;
use crate::auth::{Access, Routes};
use crate::describe::document;
use crate::problem::Problem;

/// Nothing but the page's own files, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the page by their names.
const FILES: [(&str, &str, &str); 2] =
    [("page.css", CSS, include_str!("page.css")), ("page.js", SCRIPT, include_str!("page.js"))];

/// The document and its tag. It is the same as long as the program is.
static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = written();
    let tag = format!("\"{}\"", &sha256(text.as_bytes()).to_string()[..32]);
    (text, tag)
});

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/openapi.json", Access::Open, describe)
        .about("Describes the API (OpenAPI 3.1).")
        .with(|operation| {
            operation.answers_json::<serde_json::Map<String, serde_json::Value>>(200);
            operation.answers_header(200, "ETag", "The version of the description.");
            operation.answers_nothing(304);
        })
        .get("/v1/docs", Access::Open, page)
        .about("Shows that description to people.")
        .with(|operation| operation.answers_text(200, HTML))
        .get("/v1/docs/{file}", Access::Open, file)
        .about("Hands out a file of that page.")
        .with(|operation| {
            operation.answers_text(200, CSS);
            operation.answers_text(200, SCRIPT);
        })
}

/// The document as text, the same for the same program.
#[must_use]
pub fn written() -> String {
    let document = document(&super::all());
    format!("{document:#}\n")
}

async fn describe(headers: HeaderMap) -> Response {
    let (text, tag) = &*DOCUMENT;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let tagged = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, tagged).into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (tagged, json, text.as_str()).into_response()
}

async fn page() -> Response {
    shown(HTML, include_str!("page.html"))
}

async fn file(PathOf(name): PathOf<String>) -> Result<Response, Problem> {
    let found = FILES.iter().find(|file| file.0 == name);
    let (_, kind, text) = found.ok_or_else(|| Problem::not_found("the page has no such file"))?;
    Ok(shown(kind, text))
}

fn shown(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;

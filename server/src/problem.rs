//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::store::{StoreError, TxError};

/// Why a request was not done, for a program (`type`) and a person (`title`, `detail`).
#[derive(Debug, Error)]
#[error("{}: {}: {}", .0.code, .0.title, .0.detail)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    store: Option<StoreError>,
}

impl Problem {
    /// A problem of type `urn:onscene:problem:<code>`. Codes are stable: programs match them.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        let (detail, more, headers) = (String::new(), Map::new(), Vec::new());
        Self(Box::new(Parts { status, code, title, detail, more, headers, store: None }))
    }

    /// What is wrong this time and how to mend it. Never personal data, never internals.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// A further member (RFC 9457 §3.2).
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(key.to_owned(), value.into());
        self
    }

    /// A header to send along, as `WWW-Authenticate` or `DPoP-Nonce`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Tells the client when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The request is wrong in itself: 400.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "The request is not well formed")
            .detail(detail)
    }

    /// The thing is not there, or not for this caller to know of: 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "No such thing within your scope")
            .detail(detail)
    }

    /// A fault of ours: 500. `error` goes to the log, not to the client.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The hub failed")
            .detail("it has been logged; name the x-request-id header when you report it")
    }

    /// Too much at once: 503, try again soon.
    #[must_use]
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The hub is busy")
            .detail(detail)
            .retry_after(1)
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The last part of its type.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.0.code
    }
}

#[derive(Serialize)]
struct Body {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("urn:onscene:problem:{}", self.0.code),
            title: self.0.title,
            status: self.0.status.as_u16(),
            detail: self.0.detail,
            more: self.0.more,
        };
        let body = serde_json::to_vec(&body).expect("a map of strings and JSON values has a form");
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.0.headers);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let mut problem = if error.is_transient() {
            Self::busy("the database is busy or restarting: try again")
        } else {
            Self::internal(&error)
        };
        problem.0.store = Some(error);
        problem
    }
}

impl TxError for Problem {
    fn store_error(&self) -> Option<&StoreError> {
        self.0.store.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn sent(problem: Problem) -> (StatusCode, axum::http::HeaderMap, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_a_stable_type_and_its_own_members() {
        let problem = Problem::invalid("`seq` must be at least 1").with("pointer", "/seq");
        let (status, headers, body) = sent(problem).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["type"], "urn:onscene:problem:invalid");
        assert_eq!(body["status"], 400);
        assert_eq!(body["pointer"], "/seq");
        assert_eq!(body["detail"], "`seq` must be at least 1");
    }

    #[tokio::test]
    async fn the_database_shows_as_busy_or_as_a_fault_and_tells_no_internals() {
        let (status, headers, _) = sent(StoreError::Contended("secret".into()).into()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers[header::RETRY_AFTER], "1");
        let (status, _, body) = sent(StoreError::Full("secret table".into()).into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}

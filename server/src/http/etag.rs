//! `ETag` and `If-Match` (RFC 9110 §8.8.3, §13.1.1): two people who edit one thing do not undo each
//! other's work unseen.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use super::Problem;

/// The tag of a version.
pub(super) fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(format!("\"{version}\""));
    (header::ETAG, value.unwrap_or_else(|_| HeaderValue::from_static("\"0\"")))
}

/// The version that a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IfMatch(pub(super) i64);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            let title = "Say which version you change";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "no_version", title)
                .detail("send `If-Match` with the `ETag` that the last GET answered"));
        };
        let text = value.to_str().unwrap_or_default().trim();
        let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let version = tag.and_then(|tag| tag.parse().ok());
        version.map(Self).ok_or_else(|| {
            Problem::invalid("`If-Match`: send one tag as `ETag` answered it, such as \"3\"")
        })
    }
}

/// Somebody else was first.
pub(super) fn changed(version: i64) -> Problem {
    let title = "Somebody else changed it first";
    Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", title)
        .detail("GET it again, look at what is new, and send the change with its `ETag`")
        .with("version", version)
}

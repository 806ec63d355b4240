//! `ETag` and `If-Match` (RFC 9110 §8.8.3, §13.1.1): two people who edit one thing do not undo each
//! other's work unseen.
//!
//! The tag of a thing is the start of the SHA-256 of its JSON: it changes exactly when what a GET
//! shows does, and nothing has to be stored for it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use onscene_sync_core::crypto::sha256;
use schemars::{JsonSchema, json_schema};
use serde::Serialize;

use super::Problem;
use crate::describe::{Answer, Input, Operation};

/// Characters of a tag.
const CHARS: usize = 16;

/// Something that may be edited, answered with its tag.
#[derive(Debug)]
pub(super) struct Tagged<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let written = serde_json::to_vec(&self.0).map_err(|error| Problem::internal(&error));
        let tagged = written.and_then(|body| {
            let tag = HeaderValue::try_from(format!("\"{}\"", tag_of(&body)));
            Ok((tag.map_err(|error| Problem::internal(&error))?, body))
        });
        match tagged {
            Ok((tag, body)) => {
                let json = HeaderValue::from_static("application/json");
                ([(header::ETAG, tag), (header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(problem) => problem.into_response(),
        }
    }
}

impl<T: JsonSchema> Answer for Tagged<T> {
    fn describe(operation: &mut Operation<'_>, status: u16) {
        operation.answers_json::<T>(status);
        operation.answers_header(status, "ETag", "The version, for `If-Match`.");
    }
}

/// The version that a change is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IfMatch(String);

impl IfMatch {
    /// Refuses unless `now` is still what the caller has seen.
    pub(super) fn holds(&self, now: &impl Serialize) -> Result<(), Problem> {
        let now = serde_json::to_vec(now).map_err(|error| Problem::internal(&error))?;
        if self.0 == tag_of(&now) { Ok(()) } else { Err(changed()) }
    }
}

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
        tag.map(|tag| Self(tag.to_owned())).ok_or_else(|| {
            Problem::invalid("`If-Match`: send one tag as `ETag` answered it, in its quotes")
        })
    }
}

impl Input for IfMatch {
    fn describe(operation: &mut Operation<'_>) {
        let about = "The `ETag` of the version that the change is meant for.";
        let tag = json_schema!({ "type": "string", "pattern": "^\"[!#-~]*\"$" });
        operation.takes_header("If-Match", true, about, tag);
        operation.may_refuse(&[400, 412, 428]);
    }
}

fn tag_of(json: &[u8]) -> String {
    sha256(json).to_string()[..CHARS].to_owned()
}

/// Somebody else was first.
pub(super) fn changed() -> Problem {
    let title = "Somebody else changed it first";
    Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", title)
        .detail("GET it again, look at what is new, and send the change with its `ETag`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_for_what_was_shown_and_nothing_else() {
        let response = Tagged(["a", "b"]).into_response();
        let tag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
        let seen = IfMatch(tag.trim_matches('"').to_owned());
        assert!(tag.len() == CHARS + 2 && seen.holds(&["a", "b"]).is_ok());
        let refused = seen.holds(&["a", "c"]).expect_err("changed");
        assert_eq!(refused.code(), "changed_meanwhile");
    }
}

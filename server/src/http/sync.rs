//! `POST /v1/sync`: a phone and the hub exchange what is new, in one request.
//!
//! The bodies are [`SyncRequest`] and [`SyncReply`](onscene_sync_core::sync::message::SyncReply) as CBOR, compressed with zstd where
//! `content-encoding` and `accept-encoding` say so. A refused change is a result in a 200.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use minicbor::Decode;
use onscene_sync_core::limits::{
    BUCKETS, CHAIN_SEQ, PUSH_BYTES, PUSH_CHANGES, STATEMENT_BYTES, STATEMENTS, WANTED,
};
use onscene_sync_core::sync::message::SyncRequest;
use onscene_sync_core::sync::version::{self, Unsupported};
use onscene_sync_core::sync::wire::{self, CONTENT_TYPE, WireError};

use super::Problem;
use super::extract::BodyBytes;
use crate::app::App;
use crate::auth::{Access, Routes, Viewer};
use crate::hub::scope::Caller;
use crate::hub::{HubError, exchange};

/// Replies below this many bytes gain nothing from compression.
const WORTH_COMPRESSING: usize = 256;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/sync", Access::Phone, sync)
        .about("Exchanges what is new between a phone and the hub, as CBOR, packed with zstd if wished.")
        .with(|operation| {
            operation.takes_bytes(CONTENT_TYPE);
            operation.answers_bytes(200, CONTENT_TYPE);
            operation.may_refuse(&[404, 409, 426, 507]);
        })
}

async fn sync(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
    BodyBytes(body): BodyBytes,
) -> Result<Response, Problem> {
    let caller = caller(&viewer)?;
    let request = read(&headers, &body)?;
    check(&request)?;
    let reply = exchange::sync(&app, &caller, request).await?;
    Ok(answer(&headers, wire::encode(&reply)))
}

/// The phone behind a request.
pub(super) fn caller(viewer: &Viewer) -> Result<Caller, Problem> {
    let seat = viewer.seat.ok_or_else(|| Problem::internal(&"a phone's route without a phone"))?;
    Ok(Caller::new(seat.device, viewer.person, viewer.role, viewer.unit))
}

/// All that every version of the protocol has in common.
#[derive(Debug, Decode)]
#[cbor(map)]
struct Greeting {
    #[n(0)]
    protocol: u16,
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<SyncRequest, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(CONTENT_TYPE.as_bytes()) {
        return Err(unsupported("not_sync", "The body must be a sync request")
            .detail(format!("send `content-type: {CONTENT_TYPE}`")));
    }
    let plain;
    let body = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => body,
        Some(b"zstd") => {
            plain = wire::decompress(body)?;
            &plain[..]
        }
        Some(_) => {
            let problem = unsupported("unknown_encoding", "The body's encoding is not known");
            return Err(problem.detail("send it plain or with `content-encoding: zstd`"));
        }
    };
    version::negotiate(wire::decode::<Greeting>(body)?.protocol)?;
    Ok(wire::decode(body)?)
}

fn unsupported(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, title)
}

fn check(request: &SyncRequest) -> Result<(), Problem> {
    let bytes: usize = request.push.iter().map(|push| push.change.len()).sum();
    if request.push.len() > PUSH_CHANGES || bytes > PUSH_BYTES {
        let title = "The request carries too many changes";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large", title).detail(
            format!("send at most {PUSH_CHANGES} changes of {PUSH_BYTES} bytes in all at a time"),
        ));
    }
    let statements = &request.statements;
    if statements.len() > STATEMENTS || statements.iter().any(|one| one.len() > STATEMENT_BYTES) {
        return Err(Problem::invalid(format!(
            "`statements` holds more than {STATEMENTS}, or one of more than {STATEMENT_BYTES} bytes"
        )));
    }
    if request.cursors.len() > BUCKETS {
        return Err(Problem::invalid(format!("`cursors` holds more than {BUCKETS} buckets")));
    }
    if request.want.len() > WANTED {
        return Err(Problem::invalid(format!("`want` holds more than {WANTED} documents")));
    }
    if request.head.seq > CHAIN_SEQ {
        return Err(Problem::invalid(format!("`head.seq` is beyond {CHAIN_SEQ}")));
    }
    if request.head.install == 0 || (request.head.seq == 0) != request.head.fact.is_none() {
        let detail = "`head` must name an install from 1, and a fact exactly when `seq` is not 0";
        return Err(Problem::invalid(detail));
    }
    Ok(())
}

/// Nothing about caches is said: the answer to a POST is not kept by any (RFC 9110 §9.3.3).
fn answer(headers: &HeaderMap, reply: Vec<u8>) -> Response {
    let takes_zstd = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(accepts_zstd);
    let packed = takes_zstd && reply.len() >= WORTH_COMPRESSING;
    let body = if packed { wire::compress(&reply) } else { reply };
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    }
    response
}

/// One member of `accept-encoding` (RFC 9110 §12.5.3).
fn accepts_zstd(member: &str) -> bool {
    let mut parts = member.split(';').map(str::trim);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("zstd"));
    let refused = parts.any(|weight| {
        weight.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
    });
    named && !refused
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        let (status, code) = match error {
            WireError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            WireError::NotZstd(_) => (StatusCode::BAD_REQUEST, "not_zstd"),
            WireError::NotCbor(_) => (StatusCode::BAD_REQUEST, "not_cbor"),
        };
        Self::new(status, code, "The body cannot be read").detail(error.to_string())
    }
}

impl From<Unsupported> for Problem {
    fn from(error: Unsupported) -> Self {
        let code = match error {
            Unsupported::TooOld { .. } => "protocol_too_old",
            Unsupported::TooNew { .. } => "protocol_too_new",
        };
        Self::new(StatusCode::UPGRADE_REQUIRED, code, "The app and the hub do not match")
            .detail(error.to_string())
            .with("oldest", version::OLDEST)
            .with("newest", version::CURRENT)
            .header(header::UPGRADE, HeaderValue::from_static("onscene-sync/1"))
    }
}

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Store(error) => error.into(),
            HubError::Moved | HubError::Forked(_) | HubError::Interrupted => {
                Self::busy(error.to_string())
            }
            HubError::UnknownDocument(_) | HubError::UnknownDevice => {
                Self::not_found(error.to_string())
            }
            HubError::QuarantineFull { waiting } => {
                let title = "Too many refused changes of this phone wait";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "quarantine_full", title)
                    .detail(error.to_string())
                    .with("waiting", waiting)
                    .retry_after(3_600)
            }
            HubError::Unwritable { .. } => {
                Self::new(StatusCode::CONFLICT, "document_full", "The document takes no more")
                    .detail(error.to_string())
            }
            HubError::Corrupt { .. } | HubError::Signing(_) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zstd_is_sent_only_to_who_takes_it() {
        for yes in ["zstd", " zstd ", "ZSTD;q=0.5", "zstd;q=1"] {
            assert!(accepts_zstd(yes), "{yes}");
        }
        for no in ["gzip", "zstd;q=0", "zstd; q=0.0", "zstdx", ""] {
            assert!(!accepts_zstd(no), "{no}");
        }
    }
}

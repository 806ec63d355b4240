//! Headers and answers of tus 1.0.0 (<https://tus.io/protocols/resumable-upload>).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onscene_sync_core::evidence::receipt::HEADER;
use onscene_sync_core::id::FactId;
use onscene_sync_core::limits::EVIDENCE_BYTES;
use onscene_sync_core::time::Millis;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::evidence::EvidenceError;
use crate::evidence::receive::{Checksum, ReceiveError};
use crate::evidence::uploads::Upload;
use crate::problem::Problem;

pub(super) const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// The protocol's own status: the checksum is another.
pub(super) const CHECKSUM_MISMATCH: u16 = 460;
pub(super) const BYTES: &str = "application/offset+octet-stream";

/// The answer to OPTIONS.
pub(super) async fn describe() -> Response {
    let headers = [
        (TUS_RESUMABLE, VERSION),
        (TUS_VERSION, VERSION),
        (
            HeaderName::from_static("tus-extension"),
            HeaderValue::from_static(
                "creation,creation-with-upload,checksum,expiration,termination",
            ),
        ),
        (HeaderName::from_static("tus-max-size"), HeaderValue::from(EVIDENCE_BYTES)),
        (
            HeaderName::from_static("tus-checksum-algorithm"),
            HeaderValue::from_static("sha256,sha1"),
        ),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

pub(super) fn answer(status: StatusCode, upload: &Upload) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(upload.received));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = http_date(upload.expires_at) {
        headers.insert(UPLOAD_EXPIRES, value);
    }
    if let Some(receipt) = &upload.receipt
        && let Ok(value) = HeaderValue::try_from(URL_SAFE_NO_PAD.encode(receipt))
    {
        headers.insert(HeaderName::from_static(HEADER), value);
    }
    response
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
pub(super) fn http_date(at: Millis) -> Option<HeaderValue> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).ok()?;
    HeaderValue::try_from(moment.format(format).ok()?).ok()
}

pub(super) fn tus(result: Result<Response, Problem>) -> Response {
    let mut response = result.unwrap_or_else(axum::response::IntoResponse::into_response);
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
    response
}

pub(super) fn require_version(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(&TUS_RESUMABLE) == Some(&VERSION) {
        return Ok(());
    }
    let title = "Another version of the upload protocol";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "tus_version", title)
        .detail("send `Tus-Resumable: 1.0.0`")
        .header(TUS_VERSION, VERSION))
}

pub(super) fn is_bytes(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value == BYTES)
}

pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Problem::invalid(format!("`{name}` must be a whole number of bytes"));
    parsed.map(Some).ok_or_else(wrong)
}

/// `fact` in `Upload-Metadata`: pairs of a key and a value in base64, between commas.
pub(super) fn fact_of(headers: &HeaderMap) -> Result<FactId, Problem> {
    let missing = || {
        Problem::invalid("`Upload-Metadata` must hold `fact`, the manifest fact's id, in base64")
    };
    let text = headers.get(&UPLOAD_METADATA).and_then(|value| value.to_str().ok());
    let pairs = text.ok_or_else(missing)?.split(',');
    let value = pairs.filter_map(|pair| pair.trim().split_once(' ')).find(|pair| pair.0 == "fact");
    let value = STANDARD.decode(value.ok_or_else(missing)?.1.trim()).map_err(|_| missing())?;
    std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).ok_or_else(missing)
}

pub(super) fn checksum_of(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(value) = headers.get(&UPLOAD_CHECKSUM) else { return Ok(None) };
    let wrong = || {
        Problem::invalid("`Upload-Checksum` must be `sha256 ` or `sha1 ` and the hash in base64")
    };
    let (algorithm, hash) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    let hash = STANDARD.decode(hash.trim()).map_err(|_| wrong())?;
    Checksum::new(algorithm, hash).map(Some).ok_or_else(wrong)
}

pub(super) fn other_offset(received: u64) -> Problem {
    Problem::new(StatusCode::CONFLICT, "other_offset", "The bytes do not belong here")
        .detail(format!("{received} bytes are there: go on from them"))
        .header(UPLOAD_OFFSET, HeaderValue::from(received))
}

pub(super) fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "That is more than this address takes")
        .detail(detail)
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        let detail = error.to_string();
        match error {
            EvidenceError::Store(error) => error.into(),
            EvidenceError::Blob(error) => {
                tracing::error!(%error, "the blob store");
                Self::busy("the blob store does not answer: try again")
            }
            EvidenceError::Case(error) => error.into(),
            EvidenceError::Signing(error) => Self::internal(&error),
            EvidenceError::UnknownFact(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_fact", "There is no such fact")
                    .detail(detail)
            }
            EvidenceError::NoManifest(_) => Self::invalid(detail),
            EvidenceError::UnknownUpload => {
                Self::new(StatusCode::NOT_FOUND, "unknown_upload", "There is no such upload")
                    .detail(detail)
            }
            EvidenceError::TakenOver => {
                Self::new(StatusCode::CONFLICT, "taken_over", "Somebody else goes on")
                    .detail(detail)
            }
            EvidenceError::Refused(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "file_refused",
                "The file is not what was announced",
            )
            .detail(detail),
            EvidenceError::DayFull { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "day_full", "Enough for today")
                    .detail(detail)
                    .retry_after(3_600)
            }
            EvidenceError::Clearing => Self::busy(detail),
        }
    }
}

impl From<ReceiveError> for Problem {
    fn from(error: ReceiveError) -> Self {
        let detail = error.to_string();
        match error {
            ReceiveError::Evidence(error) => error.into(),
            ReceiveError::Cut => Self::invalid(detail),
            ReceiveError::Idle(_) => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "idle", "Nothing came").detail(detail)
            }
            ReceiveError::TooLong => too_large(detail),
            ReceiveError::OtherChecksum => Self::new(
                StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::BAD_REQUEST),
                "other_checksum",
                "The checksum is another",
            )
            .detail(detail),
            ReceiveError::Stopping => Self::busy(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_writes_it() {
        let date = http_date(Millis(784_111_777_000)).expect("a date");
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn the_fact_is_found_among_other_metadata() {
        let id = "00112233445566778899aabbccddeeff";
        let with = |text: String| {
            let value = HeaderValue::try_from(text).expect("a header");
            fact_of(&HeaderMap::from_iter([(UPLOAD_METADATA, value)]))
        };
        let base64 = STANDARD.encode(id);
        let found = with(format!("filename d29ybGQ=,fact {base64},empty")).expect("found");
        assert_eq!(found.to_string(), id);
        for wrong in [String::new(), "fact".to_owned(), "fact !".to_owned(), "fact AAAA".to_owned()]
        {
            assert_eq!(with(wrong.clone()).expect_err("refused").code(), "invalid", "{wrong}");
        }
    }
}

//! `api_key` (GeoReport v2): a key in the query, in a form, or as the password of Basic credentials, as
//! clients of that standard send it. It is taken out and put where all keys are looked for.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::problem::Problem;

/// The same request with its key as Bearer credentials. Without a key it stays as it was.
///
/// # Errors
/// When the body is larger than `most` bytes, or breaks off.
pub(super) async fn to_bearer(request: Request, most: usize) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = given.and_then(password);
    if given.is_some() && basic.is_none() {
        return Ok(Request::from_parts(parts, body));
    }
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let found = basic.or_else(|| api_key(query));
    let is_form = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
    });
    let (found, body) = if found.is_none() && is_form {
        let bytes = axum::body::to_bytes(body, most).await.map_err(|_| {
            let title = "The body is larger than this address takes, or broke off";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", title)
                .detail("send less at once")
        })?;
        (api_key(&bytes), Body::from(bytes))
    } else {
        (found, body)
    };
    let bearer = found.and_then(|key| HeaderValue::try_from(format!("Bearer {key}")).ok());
    if let Some(mut bearer) = bearer {
        bearer.set_sensitive(true);
        parts.headers.insert(header::AUTHORIZATION, bearer);
    }
    Ok(Request::from_parts(parts, body))
}

fn api_key(form: &[u8]) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(name, _)| name == "api_key").map(|(_, key)| key.into_owned())
}

/// The password of Basic credentials (RFC 7617).
fn password(credentials: &str) -> Option<String> {
    let (scheme, value) = credentials.split_once(' ')?;
    let plain =
        STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some(password.to_owned())
}

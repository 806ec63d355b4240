//! JSON and XML, of answers and of errors.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use quick_xml::escape::escape;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Problem;
use crate::describe::Input;

pub(super) const XML: &str = "text/xml; charset=utf-8";
/// Bytes of an error's text at most.
const ERROR_BYTES: usize = 64 * 1024;

/// What the end of the path asks for; JSON where it asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    fn of(path: &str) -> Self {
        if path.ends_with(".xml") { Self::Xml } else { Self::Json }
    }

    /// An answer: `value` is a list of flat objects, or one. In XML it is `root`, each object an
    /// `item`.
    pub(super) fn answer(
        self,
        status: StatusCode,
        root: &str,
        item: &str,
        value: &impl Serialize,
    ) -> Response {
        let value = match serde_json::to_value(value) {
            Ok(value) => value,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let (kind, body) = match self {
            Self::Json => ("application/json", value.to_string()),
            Self::Xml => (XML, to_xml(root, item, &value)),
        };
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
        (status, headers, body).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Format {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(parts.uri.path()))
    }
}

impl Input for Format {}

/// A part of the path without the format at its end.
pub(super) fn bare(part: &str) -> &str {
    part.strip_suffix(".json").or_else(|| part.strip_suffix(".xml")).unwrap_or(part)
}

fn to_xml(root: &str, item: &str, value: &Value) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    match value {
        Value::Array(items) => {
            out.push_str(&format!("<{root}>"));
            items.iter().for_each(|one| element(&mut out, item, one));
            out.push_str(&format!("</{root}>"));
        }
        one => element(&mut out, root, one),
    }
    out
}

fn element(out: &mut String, name: &str, value: &Value) {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => escape(legal(text)).into_owned(),
        Value::Object(fields) => {
            let mut inner = String::new();
            fields.iter().for_each(|(name, value)| element(&mut inner, name, value));
            inner
        }
        Value::Array(items) => {
            let mut inner = String::new();
            items.iter().for_each(|one| element(&mut inner, name.trim_end_matches('s'), one));
            inner
        }
        other => other.to_string(),
    };
    out.push_str(&if text.is_empty() {
        format!("<{name}/>")
    } else {
        format!("<{name}>{text}</{name}>")
    });
}

/// Without the control characters that XML 1.0 cannot hold.
fn legal(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect()
}

/// Puts problems into the standard's form, and fields in the wrong place (400) with them.
pub(super) async fn errors(request: Request, next: Next) -> Response {
    let format = Format::of(request.uri().path());
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let problem = parts.headers.get(header::CONTENT_TYPE);
    if problem.is_none_or(|kind| kind != "application/problem+json") {
        return Response::from_parts(parts, body);
    }
    let bytes = axum::body::to_bytes(body, ERROR_BYTES).await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let words = ["title", "detail"].map(|part| problem[part].as_str().unwrap_or_default());
    let error = json!([{ "code": parts.status.as_u16(), "description": words.join(": ") }]);
    let mut answer = format.answer(parts.status, "errors", "error", &error);
    for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        if let Some(value) = parts.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_holds_what_json_holds() {
        let value =
            json!([{ "name": "a < b & \u{1}c", "lat": 36.5, "nothing": null, "codes": ["x"] }]);
        let xml = to_xml("services", "service", &value);
        let body = "<services><service><codes><code>x</code></codes><lat>36.5</lat>\
             <name>a &lt; b &amp; c</name><nothing/></service></services>";
        assert_eq!(xml.split_once('\n').unwrap().1, body);
        assert!(
            to_xml("definition", "x", &json!({ "a": "b" }))
                .ends_with("<definition><a>b</a></definition>")
        );
        assert_eq!((bare("noise.xml"), bare("20261123-0001")), ("noise", "20261123-0001"));
    }
}

//! The answers that say why not: described once, referred to by every operation that gives them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::operation::reason;
use crate::auth::Access;

/// Why a request was not done (RFC 9457). Some problems have further members, which their text names.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Problem {
    /// `urn:onscene:problem:` and a stable code.
    #[schemars(pattern(r"^urn:onscene:problem:[a-z0-9_]+$"))]
    r#type: String,
    /// What is wrong, in a few words.
    title: String,
    /// The status once more.
    status: u16,
    /// What is wrong this time and how to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The name of a problem's component.
fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// What an operation answers when it refuses with `status`.
pub(super) fn answer(access: Access, path: &str, status: u16) -> Value {
    if matches!(access, Access::ApiKey(_)) {
        return open311(path, status);
    }
    json!({ "$ref": format!("#/components/responses/{}", name(status)) })
}

/// Errors of Open311 have that standard's form.
fn open311(path: &str, status: u16) -> Value {
    let schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["code", "description"],
            "properties": { "code": { "type": "integer" }, "description": { "type": "string" } },
        },
    });
    let json_form = ("application/json", json!({ "schema": schema }));
    let xml_form = ("text/xml; charset=utf-8", json!({ "schema": { "type": "string" } }));
    let forms = [json_form, xml_form].into_iter().filter(|(media, _)| match path {
        _ if path.ends_with(".json") => media.ends_with("json"),
        _ if path.ends_with(".xml") => !media.ends_with("json"),
        _ => true,
    });
    let content: BTreeMap<_, _> = forms.collect();
    json!({ "description": format!("{}: {}", reason(status), why(status)), "content": content })
}

/// The components that [`answer`] refers to.
pub(super) fn components(statuses: impl Iterator<Item = u16>) -> BTreeMap<String, Value> {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let component = |status| {
        let mut answer = json!({
            "description": format!("{}: {}", reason(status), why(status)),
            "content": { "application/problem+json": { "schema": schema } },
        });
        if let Some((header, about)) = header(status) {
            let text = json!({ "description": about, "schema": { "type": "string" } });
            answer["headers"] = json!({ header: text });
        }
        (name(status), answer)
    };
    statuses.map(component).collect()
}

fn header(status: u16) -> Option<(&'static str, &'static str)> {
    Some(match status {
        401 => ("WWW-Authenticate", "How to say who calls."),
        416 => ("Content-Range", "How many bytes there are."),
        426 => ("Upgrade", "What both sides would have to speak."),
        429 | 503 | 507 => ("Retry-After", "Seconds to wait before the next try."),
        _ => return None,
    })
}

fn why(status: u16) -> &'static str {
    match status {
        400 => "the request is not well formed; the text says where.",
        401 => "nobody, or somebody who cannot be recognised, calls.",
        403 => "the caller's role may not do this, or not from here.",
        404 => "there is no such thing within the caller's reach.",
        405 => "this address does not take this method.",
        408 => "nothing came for too long.",
        409 => "the thing does not stand so that this could be done to it.",
        410 => "it was there, and is gone for good.",
        412 => {
            "what the request takes for granted does not hold, such as the version in `If-Match`."
        }
        413 => "the body is larger than this address takes.",
        415 => "the body is of another kind than this address takes.",
        416 => "the file has no such bytes.",
        422 => {
            "it is well formed and cannot be taken: it would give a person away, or an idempotency \
                key was used for another command."
        }
        426 => "the app and the hub speak different versions of the protocol.",
        428 => "`If-Match` is missing.",
        429 => "too many requests; wait as long as `Retry-After` says.",
        460 => "the bytes do not have the checksum that came with them.",
        500 => "the hub failed; it has been logged under `x-request-id`.",
        503 => "the hub is busy; try again, with the same `Idempotency-Key`.",
        507 => "too much of this phone waits for a person to look at it.",
        _ => "it is refused.",
    }
}

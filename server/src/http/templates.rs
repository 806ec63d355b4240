//! Texts for messages: reference data.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/message-templates` | all, closed ones included |
//! | `POST /v1/message-templates` | [`AddTemplate`] → [`Template`] |
//! | `PUT /v1/message-templates/{key}` | [`ChangeTemplate`] with `If-Match` → [`Template`] |

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::Problem;
use super::etag::{IfMatch, changed, etag};
use super::extract::{JsonBody, PathOf};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Viewer};
use crate::intake::matters::KEY_CHARS;
use crate::messages::template::{Template, check, find, insert, list, replace};
use crate::vault::guard;

/// The routes of this resource.
pub fn routes() -> Routes {
    let path = "/v1/message-templates";
    Routes::new()
        .get(path, Access::May(Action::ReadTemplates), list_templates)
        .post(path, Access::Desk(Action::ManageTemplates), add)
        .put("/v1/message-templates/{key}", Access::Desk(Action::ManageTemplates), change)
}

/// `GET /v1/message-templates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Templates {
    /// In order of their keys.
    pub templates: Vec<Template>,
}

/// What can be said of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeTemplate {
    /// The text, with `{number}`, `{matter}`, `{result}` and `{date}` to be filled in.
    pub text: String,
    /// It asks for an opinion: a reply of 1, 2 or 3 is taken as one.
    #[serde(default)]
    pub asks: bool,
    /// Messages may be sent with it.
    #[serde(default = "yes")]
    pub active: bool,
}

/// `POST /v1/message-templates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddTemplate {
    /// Its key: a-z, 0-9 and _. It stays for ever.
    pub key: String,
    /// The text, with `{number}`, `{matter}`, `{result}` and `{date}` to be filled in.
    pub text: String,
    /// It asks for an opinion: a reply of 1, 2 or 3 is taken as one.
    #[serde(default)]
    pub asks: bool,
}

fn yes() -> bool {
    true
}

type Tagged = ([(HeaderName, HeaderValue); 1], Json<Template>);

fn tagged(template: Template) -> Tagged {
    ([etag(template.version)], Json(template))
}

async fn list_templates(State(app): State<App>) -> Result<Json<Templates>, Problem> {
    let templates = app.store.with_read("templates.list", (), |tx, ()| Box::pin(list(tx)));
    Ok(Json(Templates { templates: templates.await? }))
}

async fn add(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(body): JsonBody<AddTemplate>,
) -> Result<(StatusCode, Tagged), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if body.key.is_empty() || body.key.len() > KEY_CHARS || !body.key.chars().all(plain) {
        let detail = format!("`key` has 1 to {KEY_CHARS} of a-z, 0-9 and _");
        return Err(Problem::invalid(detail).with("field", "key"));
    }
    refuse_bad(&body.text)?;
    let AddTemplate { key, text, asks } = body;
    let changed_at = app.now();
    let template = Template { key, text, asks, version: 1, changed_at, closed_at: None };
    let input = (template.clone(), viewer.person);
    let added = app.store.with_tx("templates.add", input, |tx, (template, by)| {
        Box::pin(async move {
            if !insert(tx, template, *by).await? {
                let title = "The key is taken";
                return Err(Problem::new(StatusCode::CONFLICT, "key_taken", title)
                    .detail("choose another key, or change the text that has it"));
            }
            Ok(audit::note(tx, &[entry(template).by(*by)]).await?)
        })
    });
    added.await?;
    Ok((StatusCode::CREATED, tagged(template)))
}

async fn change(
    State(app): State<App>,
    viewer: Viewer,
    IfMatch(version): IfMatch,
    PathOf(key): PathOf<String>,
    JsonBody(body): JsonBody<ChangeTemplate>,
) -> Result<Tagged, Problem> {
    refuse_bad(&body.text)?;
    let input = (key, body, version, viewer.person, app.now());
    let new = app.store.with_tx("templates.change", input, |tx, (key, body, version, by, now)| {
        Box::pin(async move {
            let found = find(tx, key).await?.ok_or_else(unknown)?;
            let new = Template {
                key: key.clone(),
                text: body.text.clone(),
                asks: body.asks,
                version: version.saturating_add(1),
                changed_at: *now,
                closed_at: (!body.active).then(|| found.closed_at.unwrap_or(*now)),
            };
            if !replace(tx, &new, *version, *by).await? {
                return Err(changed(found.version));
            }
            audit::note(tx, &[entry(&new).by(*by)]).await?;
            Ok::<_, Problem>(new)
        })
    });
    Ok(tagged(new.await?))
}

fn entry(template: &Template) -> Entry {
    let entry = Entry::new(Deed::TemplateChanged, template.changed_at);
    entry.detail(template.key.clone()).object(template.version.to_be_bytes())
}

/// A text that cannot be filled in, or that names a number, is said to be wrong before it is kept.
fn refuse_bad(text: &str) -> Result<(), Problem> {
    check(text).map_err(|why| Problem::invalid(format!("`text` {why}")).with("field", "text"))?;
    guard::check("text", text, None).map_err(|found| super::complainants::exposed(&found))
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_template", "There is no such text")
        .detail("GET /v1/message-templates lists them")
}

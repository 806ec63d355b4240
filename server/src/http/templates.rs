//! Texts for messages: reference data.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/message-templates` | all, closed ones included |
//! | `POST /v1/message-templates` | [`AddTemplate`] → [`Template`] |
//! | `GET /v1/message-templates/{key}` | [`Template`], with its `ETag` |
//! | `PUT /v1/message-templates/{key}` | [`ChangeTemplate`] with `If-Match` → [`Template`] |

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::etag::{IfMatch, Tagged, changed};
use super::extract::{JsonBody, PathOf};
use super::fields::Key;
use super::idempotency::{Command, IdempotencyKey, Made};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Viewer};
use crate::messages::template::{Template, check, find, insert, list, replace};
use crate::vault::guard;

/// The routes of this resource.
pub fn routes() -> Routes {
    let (path, one) = ("/v1/message-templates", "/v1/message-templates/{key}");
    Routes::new()
        .get(path, Access::May(Action::ReadTemplates), list_templates)
        .about("Lists the texts for messages, closed ones included.")
        .post(path, Access::Desk(Action::ManageTemplates), add)
        .about("Adds a text for messages.")
        .get(one, Access::May(Action::ReadTemplates), show)
        .about("Shows a text for messages.")
        .put(one, Access::Desk(Action::ManageTemplates), change)
        .about("Changes a text for messages, or closes it.")
}

/// `GET /v1/message-templates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Templates {
    /// In order of their keys.
    pub templates: Vec<Template>,
}

/// What can be said of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddTemplate {
    /// Its key. It stays for ever.
    pub key: Key,
    /// The text, with `{number}`, `{matter}`, `{result}` and `{date}` to be filled in.
    pub text: String,
    /// It asks for an opinion: a reply of 1, 2 or 3 is taken as one.
    #[serde(default)]
    pub asks: bool,
}

fn yes() -> bool {
    true
}

async fn list_templates(State(app): State<App>) -> Result<Json<Templates>, Problem> {
    let templates = app.store.with_read("templates.list", (), |tx, ()| Box::pin(list(tx)));
    Ok(Json(Templates { templates: templates.await? }))
}

async fn show(
    State(app): State<App>,
    PathOf(key): PathOf<String>,
) -> Result<Tagged<Template>, Problem> {
    let found = app.store.with_read("templates.show", key, |tx, key| Box::pin(find(tx, key)));
    Ok(Tagged(found.await?.ok_or_else(unknown)?))
}

async fn add(
    State(app): State<App>,
    viewer: Viewer,
    idempotency: IdempotencyKey,
    JsonBody(body): JsonBody<AddTemplate>,
) -> Result<Made<Template>, Problem> {
    let command = Command::new(viewer.person, idempotency, "template", &body)?;
    refuse_bad(&body.text)?;
    let AddTemplate { key, text, asks } = body;
    let changed_at = app.now();
    let key = key.into();
    let template = Template { key, text, asks, version: 1, changed_at, closed_at: None };
    let input = (template, viewer.person, command);
    let added = app.store.with_tx("templates.add", input, |tx, (template, by, command)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, template.changed_at).await? {
                return Ok(reply);
            }
            if !insert(tx, template, *by).await? {
                let title = "The key is taken";
                return Err(Problem::new(StatusCode::CONFLICT, "key_taken", title)
                    .detail("choose another key, or change the text that has it"));
            }
            audit::note(tx, &[entry(template).by(*by)]).await?;
            command.made(tx, template).await
        })
    });
    Ok(added.await?.into())
}

async fn change(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(key): PathOf<String>,
    JsonBody(body): JsonBody<ChangeTemplate>,
) -> Result<Tagged<Template>, Problem> {
    refuse_bad(&body.text)?;
    let input = (key, body, seen, viewer.person, app.now());
    let new = app.store.with_tx("templates.change", input, |tx, (key, body, seen, by, now)| {
        Box::pin(async move {
            let found = find(tx, key).await?.ok_or_else(unknown)?;
            seen.holds(&found)?;
            let new = Template {
                key: key.clone(),
                text: body.text.clone(),
                asks: body.asks,
                version: found.version.saturating_add(1),
                changed_at: *now,
                closed_at: (!body.active).then(|| found.closed_at.unwrap_or(*now)),
            };
            if !replace(tx, &new, found.version, *by).await? {
                return Err(changed());
            }
            audit::note(tx, &[entry(&new).by(*by)]).await?;
            Ok::<_, Problem>(new)
        })
    });
    Ok(Tagged(new.await?))
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

//! Kinds of matter: the reference data of intake.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/matters` | all, closed ones included |
//! | `GET /v1/matters/{key}` | [`Matter`], with its `ETag` |
//! | `POST /v1/matters` | [`AddMatter`] → [`Matter`] |
//! | `PUT /v1/matters/{key}` | [`ChangeMatter`] with `If-Match` → [`Matter`] |
//!
//! Cases name kinds by key: a kind is closed with `"active": false`, never deleted, and its key stays.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::fact::body::CaseClass;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::etag::{IfMatch, Tagged, changed};
use super::extract::{JsonBody, PathOf};
use super::fields::{Key, Name};
use super::idempotency::{Command, IdempotencyKey, Made};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Viewer};
use crate::intake::matters::{Handling, KEY_CHARS, Matter, find, insert, list, replace};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (path, one) = ("/v1/matters", "/v1/matters/{key}");
    Routes::new()
        .get(path, Access::May(Action::ReadMatters), list_matters)
        .about("Lists all kinds of matter, closed ones included.")
        .get(one, Access::May(Action::ReadMatters), show)
        .about("Shows a kind of matter.")
        .post(path, Access::Desk(Action::ManageMatters), add)
        .about("Adds a kind of matter. Its key stays for ever.")
        .put(one, Access::Desk(Action::ManageMatters), change)
        .about("Changes a kind of matter, or closes it.")
}

/// `GET /v1/matters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Matters {
    /// In order of their keys.
    pub matters: Vec<Matter>,
}

/// What can be said of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMatter {
    /// Its name in Chinese.
    pub zh: Name,
    /// Its name in English.
    pub en: Name,
    /// The class of its cases where nothing else is said.
    pub class: CaseClass,
    /// How its cases are handled where nothing else is said.
    pub handling: Handling,
    /// Each case of it is for the bureau's leaders to see at once.
    #[serde(default)]
    pub grave: bool,
    /// Offered through Open311, and shown there.
    #[serde(default)]
    pub public: bool,
    /// Cases may be registered under it.
    #[serde(default = "yes")]
    pub active: bool,
}

/// `POST /v1/matters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddMatter {
    /// Its key. It stays for ever.
    pub key: Key,
    /// The rest.
    #[serde(flatten)]
    pub about: ChangeMatter,
}

fn yes() -> bool {
    true
}

async fn list_matters(State(app): State<App>) -> Result<Json<Matters>, Problem> {
    let matters = app.store.with_read("matters.list", (), |tx, ()| Box::pin(list(tx)));
    Ok(Json(Matters { matters: matters.await? }))
}

async fn show(
    State(app): State<App>,
    PathOf(key): PathOf<String>,
) -> Result<Tagged<Matter>, Problem> {
    let shown = key.clone();
    let found = app.store.with_read("matters.show", key, |tx, key| Box::pin(find(tx, key)));
    found.await?.map(Tagged).ok_or_else(|| unknown(&shown))
}

async fn add(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<AddMatter>,
) -> Result<Made<Matter>, Problem> {
    let command = Command::new(viewer.person, key, "matter", &body)?;
    let now = app.now();
    let closed_at = (!body.about.active).then_some(now);
    let matter = matter(body.key.into(), body.about, 1, now, closed_at);
    let entry = Entry::new(Deed::MatterAdded, now).by(viewer.person).detail(matter.key.clone());
    let input = (command, matter, viewer.person, entry);
    let added = app.store.with_tx("matters.add", input, |tx, (command, matter, by, entry)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, matter.changed_at).await? {
                return Ok(reply);
            }
            if !insert(tx, matter, *by).await? {
                let title = "The key is taken";
                return Err(Problem::new(StatusCode::CONFLICT, "key_taken", title)
                    .detail("choose another key, or change the kind that has it"));
            }
            audit::note(tx, std::slice::from_ref(entry)).await?;
            command.made(tx, matter).await
        })
    });
    Ok(added.await?.into())
}

async fn change(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(key): PathOf<String>,
    JsonBody(body): JsonBody<ChangeMatter>,
) -> Result<Tagged<Matter>, Problem> {
    let input = (key, body, seen, viewer.person, app.now());
    let changed = app.store.with_tx("matters.change", input, |tx, (key, body, seen, by, now)| {
        Box::pin(async move {
            let found = find(tx, key).await?.ok_or_else(|| unknown(key))?;
            seen.holds(&found)?;
            let closed_at = (!body.active).then(|| found.closed_at.unwrap_or(*now));
            let version = found.version.saturating_add(1);
            let new = matter(key.clone(), body.clone(), version, *now, closed_at);
            if !replace(tx, &new, found.version, *by).await? {
                return Err(changed());
            }
            let entry = Entry::new(Deed::MatterChanged, *now).by(*by).detail(key.clone());
            audit::note(tx, &[entry.object(new.version.to_be_bytes())]).await?;
            Ok::<_, Problem>(new)
        })
    });
    Ok(Tagged(changed.await?))
}

fn matter(
    key: String,
    about: ChangeMatter,
    version: i64,
    changed_at: Millis,
    closed_at: Option<Millis>,
) -> Matter {
    let ChangeMatter { zh, en, class, handling, grave, public, active: _ } = about;
    let (zh, en) = (zh.into(), en.into());
    Matter { key, zh, en, class, handling, grave, public, version, changed_at, closed_at }
}

fn unknown(key: &str) -> Problem {
    let key: String = key.chars().take(KEY_CHARS).collect();
    Problem::new(StatusCode::NOT_FOUND, "unknown_matter", "There is no such kind of matter")
        .detail(format!("no kind of matter has the key `{key}`: GET /v1/matters lists them"))
}

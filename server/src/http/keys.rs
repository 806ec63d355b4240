//! Personal API keys of people at desks.
//!
//! `GET /v1/people/{id}/keys`, `POST /v1/people/{id}/keys {label, days?}`,
//! `POST /v1/people/{id}/keys/{key}/revocation`.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::Problem;
use super::extract::{JsonBody, PathOf};
use super::fields::Name;
use super::idempotency::Created;
use super::people;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::staff::{self, NewKey};
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::random;
use crate::store::{RowExt as _, StoreError, Tx};

/// Days that a key lives unless it is said otherwise.
const DAYS: u16 = 90;
/// Days that a key may live at most.
const MOST_DAYS: u16 = 366;

/// The routes of this resource.
pub fn routes() -> Routes {
    let access = Access::May(Action::ManageKeys);
    Routes::new()
        .get("/v1/people/{id}/keys", access, list)
        .about("Lists a person's keys, without their secrets.")
        .post("/v1/people/{id}/keys", access, create)
        .about("Issues a personal key. It is shown once: asked again, this issues another one.")
        .post("/v1/people/{id}/keys/{key}/revocation", access, revoke)
        .about("Revokes a key, at once and everywhere.")
}

/// `POST /v1/people/{id}/keys`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What it is for.
    pub label: Name,
    /// Days until it ends, 1 to 366; 90 unless given.
    #[serde(default)]
    pub days: Option<u16>,
}

/// A new key: shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedKey {
    /// Its public name.
    pub id: Hash,
    /// The key. The hub does not keep it.
    pub key: String,
    /// When it ends.
    pub expires_at: Millis,
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its public name.
    pub id: Hash,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Millis>,
    /// When it ends; only the first administrator's has no end.
    pub expires_at: Option<Millis>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
}

/// `GET /v1/people/{id}/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// In order of their making.
    pub keys: Vec<Key>,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<Keys>, Problem> {
    let keys = app.store.with_read("keys.list", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move {
            let person = people::require(tx, *id).await?;
            viewer.may(Action::ManageKeys, &Scope::Unit(person.unit))?;
            Ok::<_, Problem>(select(tx, *id).await?)
        })
    });
    Ok(Json(Keys { keys: keys.await? }))
}

async fn create(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
    JsonBody(body): JsonBody<CreateKey>,
) -> Result<Created<CreatedKey>, Problem> {
    let days = body.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::invalid(format!("`days` must be from 1 to {MOST_DAYS}")));
    }
    let text = staff::key_text(random::bytes(&*app.random));
    let expires_at = app.now().plus(i64::from(days) * 24 * 60 * 60 * 1000);
    let key = NewKey {
        hash: staff::key_hash(&text),
        person: id,
        label: body.label.into(),
        created_at: app.now(),
        expires_at: Some(expires_at),
    };
    let created = CreatedKey { id: key.hash, key: text, expires_at };
    let stored = app.store.with_tx("keys.create", (viewer, key), |tx, (viewer, key)| {
        Box::pin(async move {
            let person = people::require_locked(tx, key.person).await?;
            viewer.may(Action::ManageKeys, &Scope::Unit(person.unit))?;
            if person.closed_at.is_some() {
                return Err(people::has_left());
            }
            Ok(staff::insert(tx, key, Some(viewer.person)).await?)
        })
    });
    stored.await?;
    Ok(Created(created))
}

async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    PathOf((id, key)): PathOf<(PersonId, Hash)>,
) -> Result<Json<Key>, Problem> {
    let input = (viewer, id, key, app.now());
    let revoked = app.store.with_tx("keys.revoke", input, |tx, (viewer, id, key, at)| {
        Box::pin(async move {
            let person = people::require(tx, *id).await?;
            viewer.may(Action::ManageKeys, &Scope::Unit(person.unit))?;
            mark_revoked(tx, *id, *key, *at).await?;
            let entry = Entry::new(Deed::KeyRevoked, *at).by(viewer.person).to(id.as_bytes());
            audit::note(tx, &[entry.hashes([key])]).await?;
            let keys = select(tx, *id).await?;
            let found = keys.into_iter().find(|found| found.id == *key);
            found.ok_or_else(|| Problem::not_found("this person has no key of that id"))
        })
    });
    Ok(Json(revoked.await?))
}

async fn mark_revoked(
    tx: &mut Tx,
    person: PersonId,
    key: Hash,
    at: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE staff_key SET revoked_at = $3 \
         WHERE key_hash = $1 AND person_id = $2 AND revoked_at IS NULL",
    )
    .bind(&key.as_bytes()[..])
    .bind(&person.as_bytes()[..])
    .bind(at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn select(tx: &mut Tx, person: PersonId) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query(
        "SELECT key_hash, label, created_at, last_used_at, expires_at, revoked_at \
         FROM staff_key WHERE person_id = $1 ORDER BY created_at, key_hash",
    )
    .bind(&person.as_bytes()[..])
    .fetch_all(tx.conn())
    .await?;
    let read = |row: &AnyRow| {
        Ok(Key {
            id: Hash::from_bytes(row.array("key_hash")?),
            label: row.text("label")?,
            created_at: row.millis("created_at")?,
            last_used_at: row.opt_millis("last_used_at")?,
            expires_at: row.opt_millis("expires_at")?,
            revoked_at: row.opt_millis("revoked_at")?,
        })
    };
    rows.iter().map(read).collect()
}

//! Complainants: stored at intake, read at a desk for a purpose, erased for good.
//!
//! | request | body, answer |
//! |---|---|
//! | `PUT /v1/cases/{id}/complainant` | [`Complainant`] → [`Held`] |
//! | `GET /v1/cases/{id}/complainant` | [`Held`]: what can be said without reading |
//! | `POST /v1/cases/{id}/complainant/reads` | [`ReadComplainant`] → [`Revealed`], on record first |
//! | `GET /v1/cases/{id}/complainant/reads` | who looked, when and why |
//! | `DELETE /v1/cases/{id}/complainant` | destroys the record's key |
//!
//! None of them answers a phone.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use onscene_sync_core::id::DocId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::scope_of;
use super::extract::{JsonBody, PathOf};
use super::people;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::project::number_of;
use crate::vault::VaultError;
use crate::vault::guard;
use crate::vault::read::{Look, Looked, Purpose, look, looks};
use crate::vault::record::{self, Complainant, Sealed, Status};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (path, reads) = ("/v1/cases/{id}/complainant", "/v1/cases/{id}/complainant/reads");
    Routes::new()
        .put(path, Access::Desk(Action::StoreComplainants), store)
        .about("Stores who raised a case, sealed under a key of its own.")
        .get(path, Access::Desk(Action::StoreComplainants), show)
        .about("Says what can be said of a case's complainant without reading who it is.")
        .delete(path, Access::Desk(Action::EraseComplainants), erase)
        .about("Erases who raised a case for good, by destroying the record's key.")
        .with(|operation| operation.may_refuse(&[409, 410]))
        .post(reads, Access::Desk(Action::ReadComplainants), reveal)
        .about("Shows who raised a case. The look is on record before it is answered.")
        .with(|operation| operation.may_refuse(&[410]))
        .get(reads, Access::Desk(Action::AuditComplainants), who_looked)
        .about("Lists who looked at a case's complainant, when and why, the oldest first.")
}

/// What is held of a case's complainant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    /// `null` when nothing was ever stored.
    pub complainant: Option<Status>,
}

/// `POST /v1/cases/{id}/complainant/reads`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadComplainant {
    /// What for.
    pub purpose: Purpose,
    /// In the reader's words.
    pub reason: String,
}

/// A complainant, for the eyes of one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Revealed {
    /// Who raised the case.
    pub complainant: Complainant,
    /// To be shown across the screen: who looks, at which case, when.
    pub watermark: String,
    /// When.
    pub at: Millis,
}

/// `GET /v1/cases/{id}/complainant/reads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reads {
    /// Oldest first.
    pub reads: Vec<Looked>,
}

async fn store(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Complainant>,
) -> Result<Json<Held>, Problem> {
    let sealed = Sealed::new(&app, id, &body);
    let input = (app.clone(), viewer, id, sealed);
    let held = app.store.with_tx("vault.store", input, |tx, (app, viewer, id, sealed)| {
        Box::pin(async move {
            viewer.may(Action::StoreComplainants, &scope_of(tx, *id).await?)?;
            record::store(tx, app, *id, viewer.person, sealed).await?;
            Ok::<_, Problem>(Held { complainant: record::status(tx, *id).await? })
        })
    });
    Ok(Json(held.await?))
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<Held>, Problem> {
    let held = app.store.with_read("vault.show", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move {
            viewer.may(Action::StoreComplainants, &scope_of(tx, *id).await?)?;
            Ok::<_, Problem>(Held { complainant: record::status(tx, *id).await? })
        })
    });
    Ok(Json(held.await?))
}

async fn erase(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<Held>, Problem> {
    let input = (app.clone(), viewer, id, app.now());
    let held = app.store.with_tx("vault.erase", input, |tx, (app, viewer, id, now)| {
        Box::pin(async move {
            viewer.may(Action::EraseComplainants, &scope_of(tx, *id).await?)?;
            record::erase(tx, app, *id, viewer.person, *now).await?;
            Ok::<_, Problem>(Held { complainant: record::status(tx, *id).await? })
        })
    });
    Ok(Json(held.await?))
}

async fn reveal(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<ReadComplainant>,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<Revealed>), Problem> {
    let reason = body.reason.trim().to_owned();
    required("reason", &reason)?;
    if body.purpose == Purpose::Message {
        let detail = "`purpose` `message` is the hub's own: say what you look for";
        return Err(Problem::invalid(detail).with("field", "purpose"));
    }
    let wish = Look::new(&app, id, viewer.person, body.purpose, reason);
    let at = app.now();
    let input = (app.clone(), viewer, wish);
    // The answer is made of what a committed transaction returned: no look without its entry.
    let seen = app.store.with_tx("vault.read", input, |tx, (app, viewer, wish)| {
        Box::pin(async move {
            viewer.may(Action::ReadComplainants, &scope_of(tx, wish.case).await?)?;
            let complainant = look(tx, app, wish).await?;
            let reader = people::require(tx, viewer.person).await?.name;
            let number = number_of(tx, wish.case).await?.unwrap_or_default();
            Ok::<_, Problem>((complainant, reader, number))
        })
    });
    let (complainant, reader, number) = seen.await?;
    let watermark = format!("{reader} · {number} · {}", app.config.bureau.local(at));
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(Revealed { complainant, watermark, at })))
}

async fn who_looked(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<Reads>, Problem> {
    let input = (app.clone(), viewer, id);
    let reads = app.store.with_read("vault.reads", input, |tx, (app, viewer, id)| {
        Box::pin(async move {
            viewer.may(Action::AuditComplainants, &scope_of(tx, *id).await?)?;
            Ok::<_, Problem>(Reads { reads: looks(tx, app, *id).await? })
        })
    });
    Ok(Json(reads.await?))
}

/// Refuses a text that says nothing or too much.
pub(super) fn required(field: &'static str, text: &str) -> Result<(), Problem> {
    let length = text.chars().count();
    if text.trim().is_empty()
        || text.contains('\0')
        || length > onscene_sync_core::limits::TEXT_CHARS
    {
        let most = onscene_sync_core::limits::TEXT_CHARS;
        let detail = format!("`{field}` must say something, in 1 to {most} characters");
        return Err(Problem::invalid(detail).with("field", field));
    }
    Ok(())
}

/// Refuses a text that gives somebody away; the answer names the places and not what stands there.
pub(super) fn exposed(found: &guard::Exposed) -> Problem {
    let title = "The text would give a person away";
    let places = serde_json::to_value(&found.places).unwrap_or_default();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "personal_data", title)
        .detail(found.in_words())
        .with("field", found.field)
        .with("places", places)
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let detail = error.to_string();
        match error {
            VaultError::Store(error) => error.into(),
            VaultError::Absent(_) => {
                Self::new(StatusCode::NOT_FOUND, "no_complainant", "No complainant is stored")
                    .detail(detail)
            }
            VaultError::Erased(_) => {
                Self::new(StatusCode::GONE, "complainant_erased", "The complainant was erased")
                    .detail(detail)
            }
            VaultError::NoKey(_) | VaultError::Damaged(_) => Self::internal(&detail),
        }
    }
}

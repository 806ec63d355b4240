//! Weekly draws of closed cases for a recheck, see [`crate::supervision`].
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/draws {day, source}` | settles the list of the week of that day, `2026-11-16`, and commits to it |
//! | `POST /v1/draws/{id}/seed {seed}` | takes the public value, in hexadecimal digits, and draws |
//! | `GET /v1/draws` | the newest draws |
//! | `GET /v1/draws/{id}/files` | the files of a draw that are published by now, by their names |

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use onscene_sync_core::id::DocId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::Date;
use time::macros::format_description;

use super::Problem;
use super::extract::{JsonBody, PathOf};
use super::idempotency::{Command, IdempotencyKey, Made};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::supervision::files::{self, Row};
use crate::supervision::{DrawError, freeze, seed};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (holding, reading) = (Access::May(Action::HoldDraws), Access::May(Action::ReadDraws));
    Routes::new()
        .get("/v1/draws", reading, list)
        .about("Lists the draws of the last hundred weeks, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/draws/{id}/files", reading, published)
        .about("Hands out the files of a draw by their names: until its rechecks are done, that it is committed to.")
        .post("/v1/draws", holding, begin)
        .about("Settles the list of a week's closed cases and commits to it.")
        .post("/v1/draws/{id}/seed", holding, enter_seed)
        .about("Takes the public value, and draws.")
        .with(|operation| operation.may_refuse(&[409]))
}

/// `POST /v1/draws`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginDraw {
    /// A day of the week, `2026-11-16`.
    pub day: String,
    /// Which public value will be the seed: `drand quicknet round 12345678`, say.
    pub source: String,
}

/// `POST /v1/draws/{id}/seed`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterSeed {
    /// The value in lower-case hexadecimal digits.
    pub seed: String,
}

/// A draw's id.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Begun {
    id: DocId,
}

/// `GET /v1/draws`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Draws {
    draws: Vec<Row>,
}

async fn begin(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<BeginDraw>,
) -> Result<Made<Begun>, Problem> {
    viewer.may(Action::HoldDraws, &Scope::Bureau)?;
    let command = Command::new(viewer.person, key, "draw", &body)?;
    let day = moment_in(&body.day)?;
    let id = DocId::from_bytes(app.new_id());
    let input = (app.clone(), viewer.person, id, (day, body.source), command);
    let frozen = app.store.with_tx("draw.freeze", input, |tx, (app, by, id, about, command)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, app.now()).await? {
                return Ok(reply);
            }
            let (day, source) = about;
            freeze::freeze(tx, app, *by, *id, (*day, source)).await?;
            command.made(tx, &Begun { id: *id }).await
        })
    });
    Ok(frozen.await?.into())
}

/// A moment of a local day: midnight UTC is in the morning at Jinan.
fn moment_in(day: &str) -> Result<Millis, Problem> {
    let form = format_description!("[year]-[month]-[day]");
    let date = Date::parse(day, &form).map_err(|error| {
        Problem::invalid(format!("`day` is not a day like 2026-11-16: {error}"))
            .with("field", "day")
    })?;
    let midnight = date.midnight().assume_utc().unix_timestamp();
    Ok(Millis(midnight * 1_000))
}

async fn enter_seed(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<EnterSeed>,
) -> Result<NoContent, Problem> {
    viewer.may(Action::HoldDraws, &Scope::Bureau)?;
    let input = (app.clone(), viewer.person, id, body.seed);
    let drawn = app.store.with_tx("draw.seed", input, |tx, (app, by, id, seed)| {
        Box::pin(seed::enter(tx, app, *by, *id, seed))
    });
    drawn.await?.into_iter().for_each(|poke| app.pokes.ring(poke));
    Ok(NoContent)
}

async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Draws>, Problem> {
    viewer.may(Action::ReadDraws, &Scope::Bureau)?;
    let draws = app.store.with_read("draw.list", (), |tx, ()| Box::pin(files::list(tx)));
    Ok(Json(Draws { draws: draws.await? }))
}

async fn published(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<BTreeMap<&'static str, String>>, Problem> {
    viewer.may(Action::ReadDraws, &Scope::Bureau)?;
    let input = (id, app.keys.facts.public_key(), app.now());
    let read = app.store.with_read("draw.files", input, |tx, (id, key, now)| {
        Box::pin(files::of(tx, *id, key, *now))
    });
    Ok(Json(read.await?))
}

impl From<DrawError> for Problem {
    fn from(error: DrawError) -> Self {
        let detail = error.to_string();
        match error {
            DrawError::Store(error) => error.into(),
            DrawError::Case(error) => error.into(),
            DrawError::Hub(error) => Self::internal(&error),
            DrawError::Unknown(_) => Self::not_found(detail),
            DrawError::Invalid { field, .. } => Self::invalid(detail).with("field", field),
            DrawError::Conflict { code, why } => {
                Self::new(StatusCode::CONFLICT, code, "The draw does not stand so").detail(why)
            }
            DrawError::Broken(why) => Self::internal(&why),
        }
    }
}

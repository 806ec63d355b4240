//! Services: the public kinds of matter.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Problem;
use super::super::extract::{PathOf, QueryOf};
use super::check_jurisdiction;
use super::format::{Format, bare};
use crate::app::App;
use crate::intake::matters::{self, Matter};

/// What every GET may name besides its own.
#[derive(Debug, Deserialize)]
pub(super) struct Plain {
    pub(super) jurisdiction_id: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    format: Format,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    let services: Vec<Value> = offered(&app).await?.iter().map(service).collect();
    Ok(format.answer(StatusCode::OK, "services", "service", &services.into()))
}

pub(super) async fn show(
    State(app): State<App>,
    format: Format,
    PathOf(code): PathOf<String>,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    let code = bare(&code);
    let found = offered(&app).await?.into_iter().find(|matter| matter.key == code);
    let matter = found.ok_or_else(|| unknown(code))?;
    let definition = json!({ "service_code": matter.key, "attributes": [] });
    Ok(format.answer(StatusCode::OK, "service_definition", "service_definition", &definition))
}

/// The kinds that may be reported.
pub(super) async fn offered(app: &App) -> Result<Vec<Matter>, Problem> {
    let all = app.store.with_read("open311.services", (), |tx, ()| Box::pin(matters::list(tx)));
    Ok(all
        .await?
        .into_iter()
        .filter(|matter| matter.public && matter.closed_at.is_none())
        .collect())
}

pub(super) fn unknown(code: &str) -> Problem {
    let code: String = code.chars().take(matters::KEY_CHARS).collect();
    Problem::not_found(format!("service_code `{code}`: GET services lists them"))
}

fn service(matter: &Matter) -> Value {
    json!({
        "service_code": matter.key,
        "service_name": matter.zh,
        "description": matter.en,
        "metadata": "false",
        "type": "realtime",
        "keywords": matter.en,
        "group": crate::cases::project::name(&matter.class),
    })
}

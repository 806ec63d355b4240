//! Services: the public kinds of matter.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use onscene_sync_core::fact::body::CaseClass;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Problem;
use super::super::extract::{PathOf, QueryOf};
use super::check_jurisdiction;
use super::format::{Format, bare};
use crate::app::App;
use crate::intake::matters::{self, Matter};

/// What every GET may name besides its own.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Plain {
    /// The bureau's jurisdiction, or nothing.
    pub(super) jurisdiction_id: Option<String>,
}

/// A kind of matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Service")]
pub(super) struct Service {
    /// Its key.
    service_code: String,
    /// Its name in Chinese.
    service_name: String,
    /// Its name in English.
    description: String,
    /// Always `false`: none has attributes.
    metadata: bool,
    /// Always `realtime`: the number of the case is answered at once.
    r#type: &'static str,
    /// Words to find it by.
    keywords: String,
    /// The class of its cases.
    group: CaseClass,
}

/// What a report of a kind may hold besides the usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Definition")]
pub(super) struct Definition {
    /// The kind's key.
    service_code: String,
    /// Always empty.
    attributes: Vec<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    format: Format,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    let services: Vec<_> = offered(&app).await?.into_iter().map(service).collect();
    Ok(format.answer(StatusCode::OK, "services", "service", &services))
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
    let definition = Definition { service_code: matter.key, attributes: Vec::new() };
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

fn service(matter: Matter) -> Service {
    Service {
        service_code: matter.key,
        service_name: matter.zh,
        description: matter.en.clone(),
        metadata: false,
        r#type: "realtime",
        keywords: matter.en,
        group: matter.class,
    }
}

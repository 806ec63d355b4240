//! `GET /v1/suggestions?from=&until=&format=json|csv`: what citizens suggested in a period (Unix
//! milliseconds, `until` not included), grouped by likeness, for the city's research office.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::QueryOf;
use super::{Problem, exports};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::intake::suggestions::{Group, collect, to_csv};

const CSV: &str = "text/csv; charset=utf-8";

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/suggestions", Access::Desk(Action::ExportSuggestions), export)
        .about("Exports what citizens suggested in a period, grouped by likeness.")
        .with(|operation| {
            operation.answers_json::<Suggestions>(200);
            operation.answers_text(200, CSV);
            operation.may_refuse(&[404]);
        })
}

/// The query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Registered at this moment or later.
    pub from: Millis,
    /// Registered before this moment.
    pub until: Millis,
    /// JSON if absent.
    #[serde(default)]
    pub format: Format,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// [`Suggestions`].
    #[default]
    Json,
    /// A table that spreadsheets open.
    Csv,
}

/// Suggestions that say the same stand together, the largest group first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suggestions {
    /// The groups.
    pub groups: Vec<Group>,
}

async fn export(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(period): QueryOf<Period>,
) -> Result<Response, Problem> {
    viewer.may(Action::ExportSuggestions, &Scope::Bureau)?;
    let Period { from, until, format } = period;
    let found = app.store.with_read("suggestions.export", (from, until), |tx, (from, until)| {
        Box::pin(async move { Ok::<_, Problem>(collect(tx, *from, *until).await?) })
    });
    let groups = found.await?;
    let asked = format!("{from:?} {until:?} {format:?}");
    exports::note(&app, &viewer, "suggestions", &asked).await?;
    Ok(match format {
        Format::Json => Json(Suggestions { groups }).into_response(),
        Format::Csv => {
            let kind = (header::CONTENT_TYPE, CSV);
            let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"suggestions.csv\"");
            ([kind, name], to_csv(&groups, &app.config.bureau)).into_response()
        }
    })
}

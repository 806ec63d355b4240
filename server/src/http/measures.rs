//! Steps of supervision against a unit's work on a case.
//!
//! `GET /v1/measures[?unit=&open=&limit=&after=]`, `POST /v1/cases/{id}/measures {step, order, reason}`,
//! `POST /v1/cases/{id}/measures/{measure}/conclusion {text}`.
//!
//! The rule takes some by itself: see [`onscene_sync_core::rules::accountability`].

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{Measure, MeasureCause, MeasureConcluded, MeasureStep};
use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{Call, Commanded, command};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::idempotency::IdempotencyKey;
use super::page;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::measure::{Filter, Row, conclude, list, take};

/// The routes of this resource.
pub fn routes() -> Routes {
    let taking = Access::May(Action::TakeMeasures);
    Routes::new()
        .get("/v1/measures", Access::May(Action::ReadMeasures), list_measures)
        .about("Lists steps of supervision, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .post("/v1/cases/{id}/measures", taking, take_measure)
        .about("Takes a step of supervision against a unit.")
        .post("/v1/cases/{id}/measures/{measure}/conclusion", taking, conclude_measure)
        .about("Says what came of a step.")
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Query {
    /// Only against this unit and those below it.
    unit: Option<UnitId>,
    /// Only those that are not concluded.
    #[serde(default)]
    open: bool,
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// `GET /v1/measures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Measures {
    /// Newest first.
    pub measures: Vec<Row>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// `POST /v1/cases/{id}/measures`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeMeasure {
    /// Which step.
    pub step: MeasureStep,
    /// The order whose unit answers for it.
    pub order: FactId,
    /// Why.
    pub reason: String,
}

/// `POST /v1/cases/{id}/measures/{measure}/conclusion`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcludeMeasure {
    /// What came of it.
    pub text: String,
}

async fn list_measures(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<Query>,
) -> Result<Json<Measures>, Problem> {
    let limit = page::size(query.limit)?;
    let filter = Filter {
        sweep: viewer.sweep(Action::ReadMeasures, query.unit)?,
        open: query.open,
        after: page::after(query.after.as_deref())?.map(|(at, id)| (Millis(at), id)),
        limit,
    };
    let read =
        app.store.with_read("measures.list", filter, |tx, filter| Box::pin(list(tx, filter)));
    let measures = read.await?;
    let next = page::next(&measures, limit, |last| format!("{}.{}", last.taken_at.0, last.id));
    Ok(Json(Measures { measures, next }))
}

async fn take_measure(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<TakeMeasure>,
) -> Result<Commanded, Problem> {
    let measure = Measure {
        step: body.step,
        cause: MeasureCause::Finding,
        order: body.order,
        reason: body.reason.clone(),
        by: Some(viewer.person),
    };
    let call = Call::on(&app, viewer, key, Action::TakeMeasures, id, "take_measure", &body)?;
    command(call, measure, |tx, app, call, measure| {
        Box::pin(async move { Ok(take(tx, app, call.case, measure).await?) })
    })
    .await
}

async fn conclude_measure(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, measure)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<ConcludeMeasure>,
) -> Result<Commanded, Problem> {
    let conclusion = MeasureConcluded { measure, text: body.text.clone(), by: viewer.person };
    let what = (measure, &body);
    let call = Call::on(&app, viewer, key, Action::TakeMeasures, id, "conclude_measure", &what)?;
    command(call, conclusion, |tx, app, call, conclusion| {
        Box::pin(async move { Ok(conclude(tx, app, call.case, conclusion).await?) })
    })
    .await
}

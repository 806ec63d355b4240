//! Verdicts that a person has to settle.
//!
//! `GET /v1/cases?needs_review=true` lists the cases,
//! `POST /v1/cases/{id}/verdicts/{judged}/settlement {ruling, reason}` settles one.

use axum::extract::State;
use onscene_sync_core::fact::body::{ReviewSettled, Ruling};
use onscene_sync_core::id::{DocId, FactId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{Call, Commanded, command};
use super::extract::{JsonBody, PathOf};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::review::settle;

/// The routes of this resource.
pub fn routes() -> Routes {
    let path = "/v1/cases/{id}/verdicts/{judged}/settlement";
    Routes::new()
        .post(path, Access::May(Action::SettleReviews), settle_review)
        .about("Settles a verdict that the machine left open.")
}

/// `POST /v1/cases/{id}/verdicts/{judged}/settlement`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleReview {
    /// The ruling.
    pub ruling: Ruling,
    /// The written reason.
    pub reason: String,
}

async fn settle_review(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, judged)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<SettleReview>,
) -> Result<Commanded, Problem> {
    let (ruling, reason, by) = (body.ruling, body.reason.clone(), viewer.person);
    let settled = ReviewSettled { judged, ruling, reason, by };
    let what = (judged, &body);
    let call = Call::on(&app, viewer, key, Action::SettleReviews, id, "settle", &what)?;
    command(call, settled, |tx, app, call, settled| {
        Box::pin(async move { Ok(settle(tx, app, call.case, settled).await?) })
    })
    .await
}

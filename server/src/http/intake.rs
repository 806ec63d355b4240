//! What is settled at the first call.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/cases/{id}/refusal` | [`RefuseCase`]: it is not the bureau's |
//! | `POST /v1/cases/{id}/answer` | [`AnswerCase`]: an earlier case answers it |
//!
//! Both take an `Idempotency-Key`, close the case and answer with it.

use axum::extract::State;
use onscene_sync_core::fact::intake::NotOurs;
use onscene_sync_core::id::DocId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{Call, Commanded, command};
use super::extract::{JsonBody, PathOf};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::intake::at_once::{answer, refuse};

/// The routes of this resource.
pub fn routes() -> Routes {
    let registering = Access::May(Action::RegisterCases);
    Routes::new()
        .post("/v1/cases/{id}/refusal", registering, refuse_case)
        .about("Closes a case that is not the bureau's, with where to go instead.")
        .post("/v1/cases/{id}/answer", registering, answer_case)
        .about("Closes a case that an earlier case answers.")
}

/// `POST /v1/cases/{id}/refusal`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseCase {
    /// Why it is not the bureau's.
    pub why: NotOurs,
    /// Where to go instead; the rules' own words if absent.
    #[serde(default)]
    pub referral: Option<String>,
}

/// `POST /v1/cases/{id}/answer`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerCase {
    /// The earlier case.
    pub from: DocId,
    /// The answer, as it is given.
    pub text: String,
}

async fn refuse_case(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<RefuseCase>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::RegisterCases, id, "refuse", &body)?;
    command(call, body, |tx, app, call, body| {
        Box::pin(async move {
            let by = call.viewer.person;
            Ok(refuse(tx, app, call.case, by, body.why, body.referral.as_deref()).await?)
        })
    })
    .await
}

async fn answer_case(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<AnswerCase>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::RegisterCases, id, "answer", &body)?;
    command(call, body, |tx, app, call, body| {
        Box::pin(async move {
            let by = call.viewer.person;
            Ok(answer(tx, app, call.case, by, body.from, &body.text).await?)
        })
    })
    .await
}

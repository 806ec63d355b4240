//! Telling the complainant, hearing what they think, closing and opening again.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/cases/{id}/telling` | [`Tell`], by telephone |
//! | `POST /v1/cases/{id}/attempts` | [`Attempt`]: nobody was reached |
//! | `POST /v1/cases/{id}/opinions` | [`HeardOpinion`] |
//! | `POST /v1/cases/{id}/opinions/{opinion}/settlement` | [`SettleOpinion`] |
//! | `POST /v1/cases/{id}/closure` | [`Saying`]; `not_done` lists what is `missing` |
//! | `POST /v1/cases/{id}/reopening` | [`Reopen`], also by a supervisor |
//!
//! By text message: see [`messages`](super::messages). Every command takes an `Idempotency-Key` and answers
//! with the whole case.

use axum::extract::State;
use onscene_sync_core::fact::telling::{NoReach, Opinion, OpinionDecision, ReopenCause};
use onscene_sync_core::id::{DocId, FactId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::cases::Saying;
use super::command::{Call, Commanded, do_act};
use super::extract::{JsonBody, PathOf};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::auth::{Access, Action, Role, Routes, Viewer};
use crate::cases::act::Act;
use crate::cases::telling::Heard;

/// The routes of this resource.
pub fn routes() -> Routes {
    let dispatching = Access::May(Action::DispatchCases);
    Routes::new()
        .post("/v1/cases/{id}/telling", dispatching, tell)
        .about("Puts on record that the complainant was told by telephone.")
        .post("/v1/cases/{id}/attempts", dispatching, attempt)
        .about("Puts on record that the complainant was not reached.")
        .post("/v1/cases/{id}/opinions", dispatching, hear)
        .about("Puts on record what the complainant thinks.")
        .post("/v1/cases/{id}/opinions/{opinion}/settlement", dispatching, settle)
        .about("Decides what follows from discontent.")
        .post("/v1/cases/{id}/closure", dispatching, close)
        .about("Closes a case that lacks nothing.")
        .post("/v1/cases/{id}/reopening", Access::May(Action::ReopenCases), reopen)
        .about("Opens a closed case again.")
}

/// `POST /v1/cases/{id}/telling`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tell {
    /// What the complainant was told.
    pub text: String,
    /// What they think of it, if they were asked there and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<HeardOpinion>,
}

/// `POST /v1/cases/{id}/opinions`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeardOpinion {
    /// How content the complainant is; `not_asked` and `not_reached` are said with the reason too.
    pub opinion: Opinion,
    /// Why, without what would give the complainant away. Only the content may leave it out.
    #[serde(default)]
    pub reason: String,
}

/// `POST /v1/cases/{id}/attempts`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// What came of it: `no_answer`, `wrong_number`, `declined`; `anonymous` when there is nobody to try.
    pub why: NoReach,
    /// The same in words.
    pub text: String,
}

/// `POST /v1/cases/{id}/opinions/{opinion}/settlement`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleOpinion {
    /// `return` sends the work back to the unit, `close` lets the result stand.
    pub decision: OpinionDecision,
    /// Why.
    pub reason: String,
}

/// `POST /v1/cases/{id}/reopening`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reopen {
    /// Why.
    pub text: String,
    /// `new_call`, `finding` (of a recheck) or `supervisor`; a supervisor's own by default, and a new call
    /// for the command centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<ReopenCause>,
}

impl From<HeardOpinion> for Heard {
    fn from(HeardOpinion { opinion, reason }: HeardOpinion) -> Self {
        Self { opinion, reason }
    }
}

async fn tell(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Tell>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "tell", &body)?;
    do_act(call, Act::Tell(body.text, body.opinion.map(Heard::from))).await
}

async fn attempt(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Attempt>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "attempt", &body)?;
    do_act(call, Act::Attempt(body.why, body.text)).await
}

async fn hear(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<HeardOpinion>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "hear", &body)?;
    do_act(call, Act::Hear(body.into())).await
}

async fn settle(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, opinion)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<SettleOpinion>,
) -> Result<Commanded, Problem> {
    let what = (opinion, &body);
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "settle_opinion", &what)?;
    do_act(call, Act::SettleOpinion(opinion, body.decision, body.reason)).await
}

async fn close(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Saying>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "close", &body)?;
    do_act(call, Act::Close(body.text)).await
}

async fn reopen(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Reopen>,
) -> Result<Commanded, Problem> {
    let supervising = viewer.role == Role::Supervisor;
    let own = if supervising { ReopenCause::Supervisor } else { ReopenCause::NewCall };
    let cause = body.cause.unwrap_or(own);
    if cause == ReopenCause::Supervisor && !supervising {
        let detail = "`cause` `supervisor` is a supervisor's: say `new_call` or `finding`";
        return Err(Problem::invalid(detail).with("field", "cause"));
    }
    let call = Call::on(&app, viewer, key, Action::ReopenCases, id, "reopen", &body)?;
    do_act(call, Act::Reopen(body.text, cause)).await
}

//! "Ask the centre": a team's question to the complainant, put by the command centre.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/cases/{id}/call-backs` | [`Ask`], from a phone or a unit's desk |
//! | `GET /v1/cases/{id}/call-backs` | the questions of a case, with their answers |
//! | `GET /v1/call-backs` | what waits, for the command centre |
//! | `POST /v1/call-backs/{id}/answer` | [`Answer`] |

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::DocId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::scope_of;
use super::complainants::{exposed, required};
use super::extract::{JsonBody, PathOf};
use super::idempotency::{Command, Created, IdempotencyKey};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::store::Tx;
use crate::vault::call_back::{self, CallBack, Which, answer, ask, get};
use crate::vault::guard;

/// The routes of this resource.
pub fn routes() -> Routes {
    let (asking, answering) = (Access::May(Action::AskCentre), Access::May(Action::AnswerTeams));
    Routes::new()
        .post("/v1/cases/{id}/call-backs", asking, put_question)
        .about("Asks the command centre to put a question to the complainant.")
        .get("/v1/cases/{id}/call-backs", asking, of_case)
        .about("Lists the questions of a case with their answers, the oldest first.")
        .get("/v1/call-backs", answering, waiting)
        .about("Lists the questions that wait, the oldest first; each waits for thirty minutes.")
        .post("/v1/call-backs/{id}/answer", answering, give_answer)
        .about("Gives a team what the complainant said.")
        .with(|operation| operation.may_refuse(&[409, 422]))
}

/// `POST /v1/cases/{id}/call-backs`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What to ask the complainant.
    pub question: String,
}

/// `POST /v1/call-backs/{id}/answer`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What the complainant said.
    pub answer: String,
}

/// Questions, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CallBacks {
    /// The questions.
    pub call_backs: Vec<CallBack>,
}

async fn put_question(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Ask>,
) -> Result<Created<CallBack>, Problem> {
    required("question", &body.question)?;
    let command = Command::new(viewer.person, key, "call_back", &(id, &body.question))?;
    let input = (app.clone(), viewer, id, body.question, command);
    let asked = app.store.with_tx("call_back.ask", input, |tx, input| {
        let (app, viewer, id, question, command) = input;
        Box::pin(async move {
            viewer.may(Action::AskCentre, &scope_of(tx, *id).await?)?;
            // What is kept of the command is the question's number: its words go when it ends.
            if let Some(reply) = command.begin(tx, app.now()).await? {
                let asked = serde_json::from_slice(&reply.body);
                let asked: i64 = asked.map_err(|error| Problem::internal(&error))?;
                return get(tx, asked, app.now()).await?.ok_or_else(over);
            }
            look_at(tx, app, *id, "question", question).await?;
            let asked = ask(tx, app, *id, viewer.person, question).await?;
            command.made(tx, &asked.id).await?;
            Ok(asked)
        })
    });
    Ok(Created(asked.await?))
}

async fn of_case(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<CallBacks>, Problem> {
    let input = (viewer, id, app.now());
    let read = app.store.with_read("call_back.of_case", input, |tx, (viewer, id, now)| {
        Box::pin(async move {
            viewer.may(Action::AskCentre, &scope_of(tx, *id).await?)?;
            Ok::<_, Problem>(call_back::list(tx, Which::Of(*id), *now).await?)
        })
    });
    Ok(Json(CallBacks { call_backs: read.await? }))
}

async fn waiting(State(app): State<App>) -> Result<Json<CallBacks>, Problem> {
    let read = app.store.with_read("call_back.waiting", app.now(), |tx, now| {
        Box::pin(async move { call_back::list(tx, Which::Open, *now).await })
    });
    Ok(Json(CallBacks { call_backs: read.await? }))
}

async fn give_answer(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<Answer>,
) -> Result<Json<CallBack>, Problem> {
    required("answer", &body.answer)?;
    let input = (app.clone(), viewer, id, body.answer);
    let done = app.store.with_tx("call_back.answer", input, |tx, (app, viewer, id, words)| {
        Box::pin(async move {
            let asked = get(tx, *id, app.now()).await?.ok_or_else(over)?;
            viewer.may(Action::AnswerTeams, &scope_of(tx, asked.case).await?)?;
            look_at(tx, app, asked.case, "answer", words).await?;
            if !answer(tx, app, &asked, viewer.person, words).await? {
                let title = "It has been answered before";
                return Err(Problem::new(StatusCode::CONFLICT, "already_answered", title)
                    .detail("read it again: the answer stands there"));
            }
            get(tx, *id, app.now()).await?.ok_or_else(over)
        })
    });
    Ok(Json(done.await?))
}

/// What the team reads must not tell them whom they must not know.
async fn look_at(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    field: &'static str,
    text: &str,
) -> Result<(), Problem> {
    guard::check_text(tx, app, case, field, text).await?.map_err(|found| exposed(&found))
}

fn over() -> Problem {
    Problem::not_found("a question is open for thirty minutes: the team may ask again")
}

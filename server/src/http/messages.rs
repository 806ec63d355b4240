//! Text messages to complainants.
//!
//! | request | body, answer |
//! |---|---|
//! | `POST /v1/cases/{id}/messages` | [`SendMessage`] → the whole case |
//! | `GET /v1/messages?state=&limit=&after=` | [`Messages`], newest first |
//!
//! What was not delivered is sent again with another `POST`, which the first then names, or told by
//! telephone. The complainant is told when a message arrived, not when it left.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::id::{DocId, MessageId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{Call, Commanded, command};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::idempotency::IdempotencyKey;
use super::page;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::messages::order::{Wanted, order};
use crate::messages::outbox::{self, Filter, Message};

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/cases/{id}/messages", Access::May(Action::SendMessages), send)
        .about("Sends the complainant of a case a text message.")
        .get("/v1/messages", Access::May(Action::ReadMessages), list)
        .about("Lists text messages with what became of them, the newest first.")
}

/// `POST /v1/cases/{id}/messages`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// Which text, a key of `GET /v1/message-templates`.
    pub template: String,
}

/// `GET /v1/messages`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListMessages {
    /// Only `queued`, `sent`, `delivered`, `not_delivered` or `expired` ones.
    pub state: Option<outbox::State>,
    /// How many; 50 if absent.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<MessageId>,
}

/// A page of messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Messages {
    /// The messages. None says to whom.
    pub messages: Vec<Message>,
    /// `after` for the next page, when there may be more.
    pub next: Option<MessageId>,
}

async fn send(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<SendMessage>,
) -> Result<Commanded, Problem> {
    let wanted =
        Wanted { id: MessageId::from_bytes(app.new_id()), template: body.template.clone() };
    let call = Call::on(&app, viewer, key, Action::SendMessages, id, "message", &body)?;
    command(call, wanted, |tx, app, call, wanted| {
        Box::pin(async move { Ok(order(tx, app, call.case, call.viewer.person, wanted).await?) })
    })
    .await
}

async fn list(
    State(app): State<App>,
    QueryOf(query): QueryOf<ListMessages>,
) -> Result<Json<Messages>, Problem> {
    let limit = page::size(query.limit)?;
    let filter = Filter { state: query.state, before: query.after, limit };
    let read = app.store.with_read("messages.list", filter, |tx, filter| {
        Box::pin(async move { outbox::list(tx, filter).await })
    });
    let messages = read.await?;
    let next = page::next(&messages, limit, |last| last.id);
    Ok(Json(Messages { messages, next }))
}

//! What complainants wrote back and a person has to look at.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/replies?limit=&after=` | [`Replies`] that wait, without their words |
//! | `POST /v1/replies/{id}/reading` | [`ReadReply`] → [`RevealedReply`], on record first |
//! | `POST /v1/replies/{id}/settlement` | `{}`: done with it |
//!
//! What follows from a reply is put on record in the usual ways: an opinion, a reopening, a new case.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use onscene_sync_core::id::DocId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::cases::Nothing;
use super::complainants::required;
use super::extract::{JsonBody, PathOf, QueryOf};
use super::page;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::messages::reply::{Waiting, settle, waiting};
use crate::store::{StoreError, Tx};
use crate::vault::reply::{Reading, Reply, read};

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/replies", Access::Desk(Action::ReadReplies), list)
        .about("Lists what complainants wrote back and a person has to look at, without its words.")
        .post("/v1/replies/{id}/reading", Access::Desk(Action::ReadReplies), reveal)
        .about("Shows a reply; the look is on record first.")
        .post("/v1/replies/{id}/settlement", Access::Desk(Action::ReadReplies), done)
        .about("Says that a reply is dealt with; answers the first page of what is left.")
}

/// `GET /v1/replies`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListReplies {
    /// How many, 1 to 200; 50 if absent.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<DocId>,
}

/// A page of replies, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Replies {
    /// The replies, without their words.
    pub replies: Vec<Waiting>,
    /// `after` for the next page, when there may be more.
    pub next: Option<DocId>,
}

impl Replies {
    async fn page(tx: &mut Tx, after: Option<DocId>, limit: u32) -> Result<Self, StoreError> {
        let replies = waiting(tx, after, limit).await?;
        let next = page::next(&replies, limit, |last| last.id);
        Ok(Self { replies, next })
    }
}

/// `POST /v1/replies/{id}/reading`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadReply {
    /// Why, in the reader's words.
    pub reason: String,
}

/// A reply, for the eyes of one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RevealedReply {
    /// What it says, and where it came from.
    pub reply: Reply,
}

async fn list(
    State(app): State<App>,
    QueryOf(query): QueryOf<ListReplies>,
) -> Result<Json<Replies>, Problem> {
    let asked = (query.after, page::size(query.limit)?);
    let read = app.store.with_read("replies.list", asked, |tx, (after, limit)| {
        Box::pin(Replies::page(tx, *after, *limit))
    });
    Ok(Json(read.await?))
}

async fn reveal(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<ReadReply>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<RevealedReply>), Problem> {
    let reason = body.reason.trim().to_owned();
    required("reason", &reason)?;
    let wish = Reading::new(&app, id, viewer.person, reason);
    // The answer is made of what a committed transaction returned: no reading without its entry.
    let seen = app.store.with_tx("replies.read", (app.clone(), wish), |tx, (app, wish)| {
        Box::pin(async move { read(tx, app, wish).await })
    });
    let reply = seen.await?.ok_or_else(unknown)?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(RevealedReply { reply })))
}

async fn done(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<Replies>, Problem> {
    let input = (id, viewer.person, app.now());
    let left = app.store.with_tx("replies.settle", input, |tx, (id, by, now)| {
        Box::pin(async move {
            if !settle(tx, *id, *by, *now).await? {
                return Err(unknown());
            }
            Ok(Replies::page(tx, None, page::MOST).await?)
        })
    });
    Ok(Json(left.await?))
}

fn unknown() -> Problem {
    Problem::not_found("no reply of this id waits: GET /v1/replies lists them")
}

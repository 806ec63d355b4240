//! What the asking person was told.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/notices[?after=&unread=&limit=]` | [`Notices`], oldest first |
//! | `POST /v1/notices/read` | [`MarkRead`] → [`Unread`] |
//!
//! Everybody reads their own and nobody else's. `GET /v1/live` is for phones, which hear of the facts
//! themselves; desks ask again with `after`.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::{JsonBody, QueryOf};
use super::page;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::list::PAGE;
use crate::notice::inbox::{Ask, Told, list, mark_read, unread};
use crate::store::StoreError;

/// The routes of this resource.
pub fn routes() -> Routes {
    let reading = Access::May(Action::ReadNotices);
    Routes::new()
        .get("/v1/notices", reading, list_notices)
        .about("Lists what the caller was told, the oldest first.")
        .post("/v1/notices/read", reading, mark)
        .about("Marks notices of the caller as read.")
}

/// `GET /v1/notices`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListNotices {
    /// Only those after this number; from the beginning if absent.
    #[serde(default)]
    pub after: i64,
    /// Only those that are not marked as read.
    #[serde(default)]
    pub unread: bool,
    /// How many, up to [`PAGE`]; 50 if absent.
    pub limit: Option<u32>,
}

/// A page of notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Notices {
    /// Oldest first.
    pub notices: Vec<Told>,
    /// How many in all are not marked as read.
    pub unread: i64,
    /// For `after`, now or later: nothing comes below it.
    pub next: i64,
}

/// `POST /v1/notices/read`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Their numbers, up to [`PAGE`].
    pub notices: Vec<i64>,
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unread {
    /// How many are not marked as read.
    pub unread: i64,
}

async fn list_notices(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListNotices>,
) -> Result<Json<Notices>, Problem> {
    let limit = page::size(query.limit)?;
    let ask = Ask { person: viewer.person, after: query.after, unread: query.unread, limit };
    let read = app.store.with_read("notices.list", ask, |tx, ask| {
        Box::pin(async move {
            let notices = list(tx, *ask).await?;
            let next = notices.last().map_or(ask.after, |last| last.n);
            Ok::<_, StoreError>(Notices { notices, unread: unread(tx, ask.person).await?, next })
        })
    });
    Ok(Json(read.await?))
}

async fn mark(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(body): JsonBody<MarkRead>,
) -> Result<Json<Unread>, Problem> {
    if body.notices.len() > usize::try_from(PAGE).unwrap_or(usize::MAX) {
        return Err(Problem::invalid(format!("`notices` takes up to {PAGE} numbers at once")));
    }
    let input = (viewer.person, body.notices, app.now());
    let marked = app.store.with_tx("notices.read", input, |tx, (person, numbers, now)| {
        Box::pin(async move {
            mark_read(tx, *person, numbers, *now).await?;
            unread(tx, *person).await
        })
    });
    Ok(Json(Unread { unread: marked.await? }))
}

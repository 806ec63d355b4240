//! `GET /v1/events`: a stream (Server-Sent Events, HTML Living Standard 9.2) that tells a desk that some
//! case in its reach has changed, and never which or what. Whoever hears it asks again for what is on the
//! screen.
//!
//! The first event comes at once: what changed before the stream began is to be asked for. Each later one
//! has as its `id` the number of the newest entry of the audit log that it is about. A desk that misses one
//! loses nothing, since lists can always be asked for. One whose reach is another than it was is told so by
//! the same event, at the latest after [`RECHECK`]. The stream says nothing more once its session or key has
//! ended, and is closed within [`RECHECK`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use onscene_sync_core::id::PersonId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Interval;

use super::listeners::Place;
use super::{Problem, Slot, Stop};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer, desk};
use crate::changes::Heard;

/// How often it is checked that the desk may still listen; a comment line goes out each time, so that a
/// connection that is gone is noticed.
const RECHECK: Duration = Duration::from_secs(15);
/// Streams that one person may have: a few screens, and those that are gone and not noticed yet.
const PER_PERSON: usize = 8;

/// The routes of this resource. Each stream lasts.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/events", Access::Desk(Action::ReadCases), events)
        .about("Streams, as Server-Sent Events, that some case in the caller's reach has changed.")
        .with(|operation| operation.answers_text(200, "text/event-stream"))
}

async fn events(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
    slot: Option<Extension<Slot>>,
) -> Result<Response, Problem> {
    let place = app.desks.join(viewer.person, PER_PERSON).ok_or_else(too_many)?;
    let credentials = headers.get(header::AUTHORIZATION).cloned();
    let credentials = credentials.unwrap_or(HeaderValue::from_static(""));
    Ok(Listening::new(app, (viewer, credentials), RECHECK, (place, slot)).answer())
}

fn too_many() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "You listen already")
        .detail(format!("you have {PER_PERSON} streams: close one, or wait a minute"))
        .retry_after(60)
}

/// What a stream takes of what there is a bound on.
type Held = (Place<PersonId>, Option<Extension<Slot>>);

struct Listening {
    app: App,
    viewer: Viewer,
    credentials: HeaderValue,
    heard: Receiver<Arc<Heard>>,
    recheck: Interval,
    stop: Stop,
    begun: bool,
    _held: Held,
}

impl Listening {
    fn new(
        app: App,
        (viewer, credentials): (Viewer, HeaderValue),
        period: Duration,
        held: Held,
    ) -> Self {
        let mut recheck = tokio::time::interval(period);
        recheck.reset();
        let (heard, stop) = (app.changes.listen(), app.stopper.listen());
        Self { app, viewer, credentials, heard, recheck, stop, begun: false, _held: held }
    }

    fn answer(self) -> Response {
        let events = stream::unfold(self, |mut listening| async move {
            let event = listening.next().await?;
            Some((Ok::<_, Infallible>(event), listening))
        });
        ([(header::CACHE_CONTROL, "no-store")], Sse::new(events)).into_response()
    }

    /// What is to be said next; `None` when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(changed());
        }
        loop {
            tokio::select! {
                heard = self.heard.recv() => {
                    let moved = self.look_again().await?;
                    let event = match heard {
                        Ok(heard) => self.in_reach(&heard),
                        Err(RecvError::Lagged(_)) => Some(changed()),
                        Err(RecvError::Closed) => return None,
                    };
                    if let Some(event) = event.or_else(|| moved.then(changed)) {
                        return Some(event);
                    }
                }
                _ = self.recheck.tick() => {
                    let moved = self.look_again().await?;
                    return Some(if moved { changed() } else { Event::default().comment("") });
                }
                () = self.stop.requested() => return None,
            }
        }
    }

    /// The event for what of it this desk may read.
    fn in_reach(&self, heard: &Heard) -> Option<Event> {
        let of = match heard {
            Heard::Much => return Some(changed()),
            Heard::Of(of) => of,
        };
        let mine = of.iter().filter(|(unit, _)| {
            let scope = unit.map_or(Scope::Bureau, Scope::Unit);
            self.viewer.may(Action::ReadCases, &scope).is_ok()
        });
        let newest = mine.map(|(_, entry)| *entry).max()?;
        Some(changed().id(newest.to_string()))
    }

    /// Whether this desk reaches other units than it did; `None` when its session or key does not open
    /// this any more.
    async fn look_again(&mut self) -> Option<bool> {
        match desk(&self.app, &self.credentials).await {
            Ok(viewer) => {
                let before = std::mem::replace(&mut self.viewer, viewer);
                self.viewer.sweep(Action::ReadCases, None).ok()?;
                Some(!self.viewer.reaches_as(&before))
            }
            // The database is away for a moment: the desk need not come back for that.
            Err(problem) if problem.status().is_server_error() => {
                tracing::warn!(code = problem.code(), "a desk's stream could not be checked");
                Some(false)
            }
            Err(_) => None,
        }
    }
}

fn changed() -> Event {
    Event::default().event("changed").data("{}")
}

#[cfg(test)]
mod tests;

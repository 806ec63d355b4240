//! Bounds on requests: how many at once, how long, how large.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use super::Problem;

/// Bounds the bodies of `routes` to `bytes`, in place of `http.body_bytes`.
pub fn body_limit<S: Clone + Send + Sync + 'static>(routes: Router<S>, bytes: usize) -> Router<S> {
    routes.layer(DefaultBodyLimit::max(bytes))
}

/// Answers 503 when a route of `routes` has not answered within `seconds`, its body included.
/// What the request has begun in the database goes on to its end.
pub fn deadline<S: Clone + Send + Sync + 'static>(routes: Router<S>, seconds: u64) -> Router<S> {
    routes.layer(from_fn_with_state(Duration::from_secs(seconds), hurry))
}

async fn hurry(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_slow",
            "The request was not done in time",
        )
        .detail("it may still take effect: repeat it as it was, with the same idempotency key")
        .retry_after(5)
        .into_response(),
    }
}

/// Answers 503 at once when `limit` requests are being worked on.
pub(super) fn in_flight<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    limit: usize,
) -> Router<S> {
    let slots = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    routes.layer(from_fn_with_state(slots, take_slot))
}

async fn take_slot(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match slots.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_) => Problem::busy("too many requests at once: try again").into_response(),
    }
}

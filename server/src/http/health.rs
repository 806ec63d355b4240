//! Whether the process runs, and whether it can do its work.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Problem;
use crate::app::App;

/// `/health/live` and `/health/ready`.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
}

async fn live() -> &'static str {
    "alive\n"
}

async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.store.ping().await.map_err(|error| {
        tracing::error!(%error, "not ready");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The hub cannot do its work")
            .detail("its database does not answer")
            .retry_after(5)
    })?;
    Ok("ready\n")
}

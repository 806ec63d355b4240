//! The API: routes, what every request passes, and the loop that accepts connections.
//!
//! A resource is a module with `pub fn routes() -> Routes`, each route with the access it demands and
//! a sentence about it; it is merged in `api` or `unhurried`. Errors are [`Problem`]s (RFC 9457);
//! bodies come in through [`extract`], so that a refused one is a problem too. All of it is described
//! at `/v1/openapi.json`, see [`crate::describe`].

pub mod accounts;
pub mod audit;
pub mod bundle;
pub mod call_backs;
pub mod cases;
mod command;
pub mod complainants;
pub mod devices;
pub mod docs;
pub mod draws;
pub mod duty;
pub mod enrol;
mod etag;
pub mod events;
pub mod evidence;
pub mod exports;
pub mod extract;
pub mod fields;
pub mod gateway;
mod health;
pub mod hotspots;
pub mod idempotency;
pub mod intake;
pub mod keys;
mod limits;
pub(crate) mod listeners;
pub mod live;
pub mod matters;
pub mod measures;
pub mod messages;
pub mod notices;
mod observe;
pub mod open311;
mod page;
pub mod people;
pub mod quarantine;
pub mod repeats;
pub mod replies;
pub mod reviews;
mod serve;
pub mod sessions;
pub mod sign_in;
pub mod statistics;
pub mod suggestions;
pub mod supervision;
pub mod sync;
pub mod teams;
pub mod telling;
pub mod templates;
pub mod territories;
mod tus;
mod tus_said;
pub mod units;
pub mod uploads;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;

use crate::app::App;
use crate::auth::Routes;
use crate::problem::Problem;

pub use limits::{body_limit, deadline};
pub use observe::metrics_router;
pub use serve::{Slot, Stop, Stopper, serve};

/// All routes with what every request passes: request id and log line, panics caught, requests at
/// once bounded, an ordinary body's size and an ordinary answer's time bounded. Routes that need
/// another bound set it with [`body_limit`] or stand in `unhurried`.
pub fn router(app: &App) -> Router {
    let http = &app.config.http;
    let routes = api().into_router(app).merge(open311::router(app));
    let hurried = deadline(routes, http.request_timeout_s);
    let bounded = limits::in_flight(hurried.merge(unhurried().into_router(app)), http.in_flight);
    let uploads = limits::in_flight(uploads().into_router(app), app.config.evidence.uploads);
    bounded
        .merge(uploads)
        .merge(health::routes())
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::extract::DefaultBodyLimit::max(http.body_bytes))
        .layer(observe::catch_panic())
        .layer(from_fn_with_state(observe::RequestIds::new(&*app.random), observe::observe))
        .with_state(app.clone())
}

/// All routes that the API's description speaks of.
#[must_use]
pub fn all() -> Routes {
    api().merge(unhurried()).merge(uploads()).merge(open311::routes())
}

/// Routes that answer within `http.request_timeout_s`.
pub(crate) fn api() -> Routes {
    Routes::new()
        .merge(docs::routes())
        .merge(enrol::routes())
        .merge(units::routes())
        .merge(teams::routes())
        .merge(people::routes())
        .merge(keys::routes())
        .merge(devices::routes())
        .merge(sync::routes())
        .merge(quarantine::routes())
        .merge(cases::routes())
        .merge(reviews::routes())
        .merge(measures::routes())
        .merge(statistics::routes())
        .merge(exports::routes())
        .merge(evidence::routes())
        .merge(draws::routes())
        .merge(audit::routes())
        .merge(complainants::routes())
        .merge(call_backs::routes())
        .merge(matters::routes())
        .merge(intake::routes())
        .merge(repeats::routes())
        .merge(suggestions::routes())
        .merge(telling::routes())
        .merge(messages::routes())
        .merge(replies::routes())
        .merge(templates::routes())
        .merge(gateway::routes())
        .merge(territories::routes())
        .merge(duty::routes())
        .merge(notices::routes())
        .merge(supervision::routes())
        .merge(hotspots::routes())
        .merge(sign_in::routes())
        .merge(sessions::routes())
        .merge(accounts::routes())
}

/// Routes that bring files: they keep their own time and their own places, so that they are never
/// in the way of anything else.
pub(crate) fn uploads() -> Routes {
    uploads::routes()
}

/// Routes that keep their own time: live connections, streams, and bundles with all files of a case.
pub(crate) fn unhurried() -> Routes {
    Routes::new().merge(live::routes()).merge(events::routes()).merge(bundle::routes())
}

async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is nothing at this address")
        .detail("check the path against the API's description")
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong_method",
        "This address does not take this method",
    )
    .detail("the `allow` header names the methods it takes")
}

#[cfg(test)]
mod tests;

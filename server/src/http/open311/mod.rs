//! Open311 GeoReport v2 (<https://wiki.open311.org/GeoReport_v2/>), for other systems of the city.
//!
//! | request | answer |
//! |---|---|
//! | `GET services.{json,xml}` | the open kinds of matter that are public |
//! | `GET services/{code}.{json,xml}` | one of them; none has attributes |
//! | `GET requests.{json,xml}` | cases of public kinds, and whatever this key has reported |
//! | `POST requests.{json,xml}` | registers a matter |
//! | `GET requests/{id}.{json,xml}` | one case, by its number |
//! | `GET tokens/{id}.{json,xml}` | the number of a case, by its document's id |
//! | `GET requests/{id}/updates.{json,xml}` | ours: what became of it, step by step |
//!
//! All under `/open311/v2`, with the key of somebody whose role is `web_intake`, as `api_key` in the query
//! or the form, as Bearer, or as the password of Basic credentials. No answer holds a complainant. Grave
//! matters and drills are not shown; the words of a case are shown only to whoever reported it.

mod format;
mod post;
mod requests;
mod services;

use axum::Router;
use axum::middleware::from_fn;

use super::Problem;
use crate::app::App;
use crate::auth::{Access, Action, Routes};

/// The routes of this resource.
pub(crate) fn routes() -> Routes {
    let access = Access::ApiKey(Action::UseOpen311);
    Routes::new()
        .get("/open311/v2/services.json", access, services::list)
        .get("/open311/v2/services.xml", access, services::list)
        .get("/open311/v2/services/{code}", access, services::show)
        .get("/open311/v2/requests.json", access, requests::list)
        .get("/open311/v2/requests.xml", access, requests::list)
        .post("/open311/v2/requests.json", access, post::report)
        .post("/open311/v2/requests.xml", access, post::report)
        .get("/open311/v2/requests/{id}", access, requests::show)
        .get("/open311/v2/requests/{id}/updates.json", access, requests::updates)
        .get("/open311/v2/requests/{id}/updates.xml", access, requests::updates)
        .get("/open311/v2/tokens/{id}", access, requests::token)
}

/// The same with errors in the standard's form.
pub(super) fn router(app: &App) -> Router<App> {
    routes().into_router(app).layer(from_fn(format::errors))
}

/// Refuses another jurisdiction than the bureau's.
fn check_jurisdiction(app: &App, given: Option<&str>) -> Result<(), Problem> {
    let ours = &app.config.open311.jurisdiction;
    match given {
        Some(given) if !ours.is_empty() && !given.is_empty() && given != ours => {
            Err(Problem::not_found(format!("jurisdiction_id: this is `{ours}`")))
        }
        _ => Ok(()),
    }
}

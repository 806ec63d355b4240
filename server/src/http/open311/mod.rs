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

mod answers;
mod format;
mod post;
mod requests;
mod services;

use axum::Router;
use axum::middleware::from_fn;
use schemars::JsonSchema;

use super::Problem;
use crate::app::App;
use crate::auth::{Access, Action, Routes};
use crate::describe::Operation;

/// The routes of this resource.
pub(crate) fn routes() -> Routes {
    let access = Access::ApiKey(Action::UseOpen311);
    let services = Routes::new()
        .get("/open311/v2/services.json", access, services::list)
        .about("Lists the kinds of matter that may be reported.")
        .with(|operation| json::<Vec<services::Service>>(operation, 200))
        .get("/open311/v2/services.xml", access, services::list)
        .about("Lists the kinds of matter that may be reported, as XML.")
        .with(|operation| xml(operation, 200))
        .get("/open311/v2/services/{code}", access, services::show)
        .about("Shows a kind of matter; the name ends in `.json` or `.xml`.")
        .with(both::<services::Definition>);
    let requests = Routes::new()
        .get("/open311/v2/requests.json", access, requests::list)
        .about("Lists cases of public kinds, and whatever this key has reported.")
        .with(|operation| json::<Vec<answers::Request>>(operation, 200))
        .get("/open311/v2/requests.xml", access, requests::list)
        .about("Lists the same as XML.")
        .with(|operation| xml(operation, 200))
        .post("/open311/v2/requests.json", access, post::report)
        .about("Reports a matter.")
        .with(|operation| {
            operation.takes_form::<post::Fields>();
            json::<Vec<answers::Reported>>(operation, 201);
            operation.may_refuse(&[409]);
        })
        .post("/open311/v2/requests.xml", access, post::report)
        .about("Reports a matter, answered as XML.")
        .with(|operation| {
            operation.takes_form::<post::Fields>();
            xml(operation, 201);
            operation.may_refuse(&[409]);
        });
    services.merge(requests).merge(one_request(access))
}

fn one_request(access: Access) -> Routes {
    Routes::new()
        .get("/open311/v2/requests/{id}", access, requests::show)
        .about("Shows a case by its number, which ends in `.json` or `.xml`.")
        .with(both::<Vec<answers::Request>>)
        .get("/open311/v2/requests/{id}/updates.json", access, requests::updates)
        .about("Lists what became of a case, the oldest first.")
        .with(|operation| json::<Vec<answers::Update>>(operation, 200))
        .get("/open311/v2/requests/{id}/updates.xml", access, requests::updates)
        .about("Lists the same as XML.")
        .with(|operation| xml(operation, 200))
        .get("/open311/v2/tokens/{id}", access, requests::token)
        .about("Finds the number of a case by its document's id, which ends in `.json` or `.xml`.")
        .with(both::<Vec<answers::Token>>)
}

fn json<T: JsonSchema>(operation: &mut Operation<'_>, status: u16) {
    operation.answers_json::<T>(status);
    operation.may_refuse(&[404]);
}

fn xml(operation: &mut Operation<'_>, status: u16) {
    operation.answers_text(status, format::XML);
    operation.may_refuse(&[404]);
}

fn both<T: JsonSchema>(operation: &mut Operation<'_>) {
    json::<T>(operation, 200);
    xml(operation, 200);
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

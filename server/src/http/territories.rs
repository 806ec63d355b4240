//! Territories of units, and which units a place suggests.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/units/{id}/territory[?version=]` | [`Territory`], with its `ETag`; version 0 where there never was one |
//! | `PUT /v1/units/{id}/territory` | [`SetTerritory`] with `If-Match` → [`Territory`] |
//! | `DELETE /v1/units/{id}/territory` | with `If-Match` → [`Territory`] |
//! | `GET /v1/cases/{id}/unit-suggestions` | [`Suggestions`] for the place of a case |
//! | `POST /v1/unit-suggestions` | [`AskUnits`] → [`Suggestions`], while the caller speaks |
//!
//! Suggestions dispatch nothing.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::place::Site;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::scope_of;
use super::etag::{IfMatch, Tagged};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::units::{self, require, unknown_unit};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::cases::record::load;
use crate::cases::site::SiteForm;
use crate::territory::outline::{Geometry, OutlineDatum, OutlineError};
use crate::territory::record::{Outline, Territory, find, replace};
use crate::territory::suggest::{Suggestions, suggest};

/// The routes of this resource.
pub fn routes() -> Routes {
    let path = "/v1/units/{id}/territory";
    Routes::new()
        .get(path, Access::May(Action::ReadUnits), show)
        .about("Shows a unit's territory.")
        .put(path, Access::Desk(Action::ManageUnits), set)
        .about("Sets a unit's territory.")
        .delete(path, Access::Desk(Action::ManageUnits), remove)
        .about("Removes a unit's territory; earlier versions stay.")
        .get("/v1/cases/{id}/unit-suggestions", Access::Desk(Action::DispatchCases), of_case)
        .about("Suggests units for the place of a case.")
        .with(|operation| operation.may_refuse(&[409]))
        .post("/v1/unit-suggestions", Access::Desk(Action::RegisterCases), of_place)
        .about("Suggests units for a place.")
}

/// `PUT /v1/units/{id}/territory`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTerritory {
    /// Datum of all corners; never implied.
    pub datum: OutlineDatum,
    /// A GeoJSON `Polygon` or `MultiPolygon`.
    pub geometry: Geometry,
}

/// `POST /v1/unit-suggestions`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskUnits {
    /// Where.
    pub site: SiteForm,
}

/// `GET /v1/units/{id}/territory`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichVersion {
    /// An earlier version; the newest if absent.
    pub version: Option<u32>,
}

impl From<OutlineError> for Problem {
    fn from(error: OutlineError) -> Self {
        Self::invalid(format!("`geometry`: {error}")).with("field", "geometry")
    }
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(unit): PathOf<UnitId>,
    QueryOf(query): QueryOf<WhichVersion>,
) -> Result<Tagged<Territory>, Problem> {
    viewer.may(Action::ReadUnits, &Scope::Unit(unit))?;
    let version = query.version.map(i64::from);
    let read = app.store.with_read("territory.show", (unit, version), |tx, (unit, version)| {
        Box::pin(async move {
            units::find(tx, *unit).await?.ok_or_else(|| unknown_unit(*unit))?;
            Ok::<_, Problem>(find(tx, *unit, *version).await?)
        })
    });
    match (read.await?, version) {
        (_, Some(0)) | (None, None) => Ok(Tagged(Territory::none(unit))),
        (Some(territory), _) => Ok(Tagged(territory)),
        (None, Some(version)) => {
            Err(Problem::not_found(format!("the unit's territory has no version {version}")))
        }
    }
}

async fn set(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(unit): PathOf<UnitId>,
    JsonBody(SetTerritory { datum, geometry }): JsonBody<SetTerritory>,
) -> Result<Tagged<Territory>, Problem> {
    let checked = tokio::task::spawn_blocking(move || {
        let area = geometry.check(datum)?;
        Ok::<_, OutlineError>(Outline { datum, geometry, area })
    });
    let outline = checked.await.map_err(|error| Problem::internal(&error))??;
    put(app, viewer, unit, seen, Some(outline)).await
}

async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(unit): PathOf<UnitId>,
) -> Result<Tagged<Territory>, Problem> {
    put(app, viewer, unit, seen, None).await
}

async fn put(
    app: App,
    viewer: Viewer,
    unit: UnitId,
    seen: IfMatch,
    outline: Option<Outline>,
) -> Result<Tagged<Territory>, Problem> {
    viewer.may(Action::ManageUnits, &Scope::Unit(unit))?;
    let input = (unit, seen, outline, (viewer.person, app.now()));
    let put = app.store.with_tx("territory.put", input, |tx, (unit, seen, outline, hand)| {
        Box::pin(async move {
            require(tx, *unit).await?;
            let stands = find(tx, *unit, None).await?.unwrap_or_else(|| Territory::none(*unit));
            seen.holds(&stands)?;
            if outline.is_none() && stands.geometry.is_none() {
                return Err(Problem::not_found("the unit has no territory that could be removed"));
            }
            Ok(replace(tx, &stands, outline.as_ref(), *hand).await?)
        })
    });
    Ok(Tagged(put.await?))
}

async fn of_case(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<Suggestions>, Problem> {
    let input = (viewer, id, app.now());
    let found = app.store.with_read("territory.of_case", input, |tx, (viewer, id, now)| {
        Box::pin(async move {
            viewer.may(Action::DispatchCases, &scope_of(tx, *id).await?)?;
            let case = load(tx, *id, false).await?;
            let registered = case.record.registration.as_ref();
            let site = registered.and_then(|one| one.body.site.as_ref()).ok_or_else(no_site)?;
            Ok::<_, Problem>(suggest(tx, site, *now).await?)
        })
    });
    Ok(Json(found.await?))
}

async fn of_place(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(body): JsonBody<AskUnits>,
) -> Result<Json<Suggestions>, Problem> {
    viewer.may(Action::RegisterCases, &Scope::Bureau)?;
    let site: Site = body.site.to_site()?;
    let found = app.store.with_read("territory.of_place", (site, app.now()), |tx, (site, now)| {
        Box::pin(suggest(tx, site, *now))
    });
    Ok(Json(found.await?))
}

fn no_site() -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_site", "The case has no place")
        .detail("it was registered without a site: POST /v1/unit-suggestions takes one")
}

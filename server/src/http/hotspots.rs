//! `GET /v1/hotspots`: what most complaints of a period are about, and where; parameters as
//! `GET /v1/statistics`. Each hotspot names the list of its cases.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::place::Degrees;
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::extract::QueryOf;
use super::statistics::{AskStatistics, Links, question};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::project::place::corners;
use crate::statistics::counts::share;
use crate::statistics::hotspots::{Hotspots as Found, hotspots};
use crate::statistics::period::Period;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/hotspots", Access::May(Action::ReadStatistics), show)
        .about("Names what most complaints of a period are about, and where.")
        .with(|operation| operation.may_refuse(&[404]))
}

/// The hotspots of a period; drills are out. Each list is the smallest set that makes up half of the
/// whole, or the first ten.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Hotspots {
    /// The first day.
    pub from: String,
    /// The last day, which is in.
    pub to: String,
    /// Cases of all classes.
    pub cases: i64,
    /// Complaints.
    pub complaints: i64,
    /// By class, of all cases.
    pub classes: Vec<Hotspot>,
    /// By kind of matter, of complaints.
    pub matters: Vec<Hotspot>,
    /// By the unit that answers, without those below it, of complaints.
    pub units: Vec<Hotspot>,
    /// By place, a hundredth of a degree wide and high, of complaints.
    pub places: Vec<Hotspot>,
}

/// One hotspot.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Hotspot {
    /// What it is: a name of the API, an id, or a cell of the map.
    pub key: String,
    /// A unit's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A cell's south, west, north and east in degrees, WGS-84.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<[f64; 4]>,
    /// How many.
    pub count: i64,
    /// Of the whole, 0 to 1.
    pub share: Option<f64>,
    /// Where these cases are.
    pub list: String,
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(ask): QueryOf<AskStatistics>,
) -> Result<Json<Hotspots>, Problem> {
    if ask.class.is_some() {
        return Err(Problem::invalid("`class` is not narrowed here: hotspots are of complaints"));
    }
    let period = Period::named(ask.month.as_deref(), ask.from.as_deref(), ask.to.as_deref())?;
    let question = question(&app, &viewer, period, &ask)?;
    let as_of = question.as_of;
    let read = app
        .store
        .with_read("hotspots.show", question, |tx, question| Box::pin(hotspots(tx, question)));
    let found = read.await?;
    Ok(Json(shown(&Links { period, as_of, ask }, found)))
}

fn shown(links: &Links, found: Found) -> Hotspots {
    let (cases, complaints) = (found.cases, found.complaints);
    let spot = |parameter: &'static str, key: String, count: i64, complaint: bool| {
        let mut own = vec![(parameter, key.clone())];
        own.extend(complaint.then(|| ("class", "complaint".to_owned())));
        Hotspot {
            key,
            name: None,
            within: None,
            count,
            share: share(count, if complaint { complaints } else { cases }),
            list: format!("/v1/cases?{}", links.query(&own)),
        }
    };
    let classes = found.classes.into_iter().map(|(key, count)| spot("class", key, count, false));
    let matters = found.matters.into_iter().map(|(key, count)| spot("matter", key, count, true));
    let units = found.units.into_iter().map(|((unit, name), count)| Hotspot {
        name: Some(name),
        ..spot("unit", unit.to_string(), count, true)
    });
    let units = units.map(|spot| Hotspot { list: spot.list.clone() + "&below=false", ..spot });
    let places = found.places.into_iter().map(|(cell, count)| {
        let (Degrees { lat: south, lon: west }, Degrees { lat: north, lon: east }) = corners(cell);
        Hotspot {
            within: Some([south, west, north, east]),
            ..spot("cell", cell.to_string(), count, true)
        }
    });
    Hotspots {
        from: links.period.first.to_string(),
        to: links.period.last.to_string(),
        cases,
        complaints,
        classes: classes.collect(),
        matters: matters.collect(),
        units: units.collect(),
        places: places.collect(),
    }
}

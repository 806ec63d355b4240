//! `GET /v1/cases`: what is asked for, and a page of it.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::id::UnitId;
use onscene_sync_core::place::Position;
use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::extract::QueryOf;
use super::super::statistics::{counted_in, days};
use super::super::{Problem, page};
use crate::app::App;
use crate::auth::{Action, Viewer};
use crate::cases::list::{Filter, Key, Row, list};
use crate::cases::narrow::{About, CELLS, Rectangle};
use crate::cases::project::grams::grams;
use crate::statistics::indicator::CASES;

/// Characters that a search by text takes.
const SEARCH_CHARS: usize = 100;

/// `GET /v1/cases`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListCases {
    /// Only in this phase.
    pub phase: Option<Phase>,
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
    /// With `false`, of that unit alone and not of those below it.
    pub below: Option<bool>,
    /// Only those whose team is late, or only the others.
    pub overdue: Option<bool>,
    /// Only those whose verdict a person has to settle, or only the others.
    pub needs_review: Option<bool>,
    /// Only of this class.
    pub class: Option<CaseClass>,
    /// Only through this channel.
    pub channel: Option<Channel>,
    /// Only of this kind of matter.
    pub matter: Option<String>,
    /// Only in this cell of the map, see `GET /v1/statistics`.
    pub cell: Option<i64>,
    /// Only drills, or only what is none.
    pub drill: Option<bool>,
    /// Only those registered from this day on, `2026-10-01`,
    pub from: Option<String>,
    /// until this day, which is in.
    pub to: Option<String>,
    /// Only those that this figure of `GET /v1/statistics` counts.
    pub counted_in: Option<String>,
    /// Whether what runs is late is said as of this moment; now if absent.
    pub as_of: Option<Millis>,
    /// Only in this rectangle of the map: south, west, north and east in degrees, WGS-84.
    pub within: Option<String>,
    /// Only those whose summary holds every two neighbouring characters of this text. A page may then
    /// be shorter than `limit` and yet have a `next`: the search goes on there.
    pub text: Option<String>,
    /// How many, 1 to 200; 50 if absent.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A page of cases, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cases {
    /// The cases.
    pub cases: Vec<Row>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<String>,
}

pub(super) async fn list_cases(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListCases>,
) -> Result<Json<Cases>, Problem> {
    let filter = filter_of(&app, &viewer, Action::ReadCases, query)?;
    let page =
        app.store.with_read("cases.list", filter, |tx, filter| Box::pin(list(tx, filter))).await?;
    let next = page.next.map(|last| format!("{}.{}", last.registered_at.0, last.id));
    Ok(Json(Cases { cases: page.rows, next }))
}

/// What a request's parameters ask for, within what `action` reaches.
pub(in crate::http) fn filter_of(
    app: &App,
    viewer: &Viewer,
    action: Action,
    query: ListCases,
) -> Result<Filter, Problem> {
    let mut sweep = viewer.sweep(action, query.unit)?;
    sweep.below &= query.unit.is_none() || query.below != Some(false);
    Ok(Filter {
        sweep,
        about: About {
            class: query.class,
            channel: query.channel,
            matter: query.matter,
            cell: query.cell,
            drill: query.drill,
        },
        phase: query.phase,
        overdue: query.overdue,
        needs_review: query.needs_review,
        registered: days(query.from.as_deref(), query.to.as_deref())?,
        counted_in: query.counted_in.map(|name| counted_in(&CASES, &name)).transpose()?,
        inside: query.within.as_deref().map(parse_rectangle).transpose()?,
        text: query.text.map(searchable).transpose()?,
        as_of: query.as_of.unwrap_or_else(|| app.now()),
        after: page::after(query.after.as_deref())?
            .map(|(at, id)| Key { registered_at: Millis(at), id }),
        limit: page::size(query.limit)?,
    })
}

/// A text with something to look for.
fn searchable(text: String) -> Result<String, Problem> {
    if text.chars().count() > SEARCH_CHARS {
        return Err(Problem::invalid(format!("`text` has more than {SEARCH_CHARS} characters")));
    }
    if grams(&text).is_empty() {
        let why = "`text` must hold two letters, digits or Chinese characters next to each other";
        return Err(Problem::invalid(why));
    }
    Ok(text)
}

fn parse_rectangle(text: &str) -> Result<Rectangle, Problem> {
    let sides: Vec<f64> = text.split(',').filter_map(|side| side.trim().parse().ok()).collect();
    let corner = |lat: f64, lon: f64| {
        let corner = Position::from_degrees(lat, lon);
        corner.map_err(|error| Problem::invalid(format!("`within`: {error}")))
    };
    let [south, west, north, east] = sides[..] else {
        let why = "`within` must be south,west,north,east in degrees: 36.65,117.10,36.67,117.13";
        return Err(Problem::invalid(why));
    };
    Rectangle::between(corner(south, west)?, corner(north, east)?).ok_or_else(|| {
        Problem::invalid(format!(
            "`within` must have its corners in order and touch at most {CELLS} hundredths of a \
             degree squared: look closer"
        ))
    })
}

//! Figures and the lists behind them.
//!
//! | route | answers |
//! |---|---|
//! | `GET /v1/statistics?month=2026-10` | [`Statistics`] of a month, or of `from=…&to=…` (days) |
//! | `GET /v1/orders` | [`Orders`], newest first |
//! | `GET /v1/clocks` | [`Clocks`] that run, the first to run out first |
//!
//! A figure is opened by its group's `cases` or `orders` address with `&counted_in=` and the figure's
//! name. All three take `unit` (with all below it), `class`, `channel`, `matter` and `cell`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::id::UnitId;
use onscene_sync_core::place::Degrees;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::QueryOf;
use super::{Problem, page};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::due::{Running, due};
use crate::cases::narrow::About;
use crate::cases::orders::{Filter, Key, Row, list};
use crate::cases::project::name;
use crate::cases::project::place::corners;
use crate::cases::record::policy_in_force;
use crate::statistics::counts::{Counts, Rate};
use crate::statistics::figures::{Figures, Question, figures};
use crate::statistics::indicator::{Indicator, ORDERS, find};
use crate::statistics::period::{Period, PeriodError};
use crate::store::StoreError;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/statistics", Access::May(Action::ReadStatistics), show)
        .about("Counts a period: in all, by class, channel, matter, unit, day and place.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/orders", Access::May(Action::ReadCases), list_orders)
        .about("Lists orders, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/clocks", Access::May(Action::ReadCases), list_clocks)
        .about("Lists clocks that run, the first to run out first.")
        .with(|operation| operation.may_refuse(&[404]))
}

impl From<PeriodError> for Problem {
    fn from(error: PeriodError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// `GET /v1/statistics`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskStatistics {
    /// A month of the bureau's calendar, `2026-10`.
    pub month: Option<String>,
    /// Or the first day, `2026-10-01`,
    pub from: Option<String>,
    /// and the last.
    pub to: Option<String>,
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
    /// Only of this class.
    pub class: Option<CaseClass>,
    /// Only through this channel.
    pub channel: Option<Channel>,
    /// Only of this kind of matter.
    pub matter: Option<String>,
    /// Only in this cell of the map.
    pub cell: Option<i64>,
}

/// Figures of a period. A case belongs to the period in which it was registered, an order to that in
/// which it was issued; drills are out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Statistics {
    /// The first day.
    pub from: String,
    /// The last day, which is in.
    pub to: String,
    /// When this was counted: whether what runs is late is said as of this moment.
    pub as_of: Millis,
    /// Cases that an earlier program wrote and that are being worked out; while this is not 0 the
    /// figures are too low.
    pub not_yet_counted: i64,
    /// All together.
    pub total: Group,
    /// By class.
    pub classes: Vec<Group>,
    /// By channel.
    pub channels: Vec<Group>,
    /// By kind of matter.
    pub matters: Vec<Group>,
    /// By unit, each with all below it, so that a district shows its squads' figures too.
    pub units: Vec<Group>,
    /// Cases registered on each day.
    pub days: BTreeMap<String, i64>,
    /// By place: the busiest cells of the map, a hundredth of a degree wide and high.
    pub places: Vec<Group>,
}

/// Figures of one part.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Group {
    /// What it is the part of: a name of the API, or an id; absent for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A unit's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The unit above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<UnitId>,
    /// A cell's south-west and north-east corner in degrees, WGS-84: south, west, north, east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<[f64; 4]>,
    /// The figures by name.
    pub counts: Counts,
    /// Rates that follow from them.
    pub rates: Vec<Rate>,
    /// Where the cases are: add `&counted_in=` and a figure's name.
    pub cases: String,
    /// Where the orders are.
    pub orders: String,
}

/// `GET /v1/orders`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOrders {
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
    /// Only of cases of this class.
    pub class: Option<CaseClass>,
    /// Only of cases through this channel.
    pub channel: Option<Channel>,
    /// Only of this kind of matter.
    pub matter: Option<String>,
    /// Only in this cell of the map.
    pub cell: Option<i64>,
    /// Only of drills, or only of what is none.
    pub drill: Option<bool>,
    /// Only those issued from this day on,
    pub from: Option<String>,
    /// until this day, which is in.
    pub to: Option<String>,
    /// Only those that this figure counts.
    pub counted_in: Option<String>,
    /// Whether what runs is late is said as of this moment; now if absent.
    pub as_of: Option<Millis>,
    /// How many, 1 to 200; 50 if absent.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A page of orders, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Orders {
    /// The orders.
    pub orders: Vec<Row>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// `GET /v1/clocks`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListClocks {
    /// Only of this unit and those below it; then without those of the command centre.
    pub unit: Option<UnitId>,
    /// Only those that run out from this moment on; now if absent. 0 shows what is late, too.
    pub since: Option<Millis>,
    /// How many, 1 to 200; 50 if absent.
    pub limit: Option<u32>,
}

/// Clocks that run, the first to run out first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Clocks {
    /// The clocks.
    pub clocks: Vec<Running>,
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(ask): QueryOf<AskStatistics>,
) -> Result<Json<Statistics>, Problem> {
    let period = Period::named(ask.month.as_deref(), ask.from.as_deref(), ask.to.as_deref())?;
    let question = question(&app, &viewer, period, &ask)?;
    let as_of = question.as_of;
    let figures = read(&app, question).await?;
    let links = Links { period, as_of, ask };
    Ok(Json(links.statistics(figures)))
}

/// What the statistics of a request count, for who asks.
pub(super) fn question(
    app: &App,
    viewer: &Viewer,
    period: Period,
    ask: &AskStatistics,
) -> Result<Question, Problem> {
    let key = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
    if ask.matter.as_ref().is_some_and(|matter| matter.is_empty() || !matter.chars().all(key)) {
        return Err(Problem::invalid("`matter` must be a key such as `street_vending`"));
    }
    let policy = policy_in_force()?;
    let (from, until) = period.moments(&policy);
    let about = About {
        class: ask.class,
        channel: ask.channel,
        matter: ask.matter.clone(),
        cell: ask.cell,
        drill: None,
    };
    let sweep = viewer.sweep(Action::ReadStatistics, ask.unit)?;
    let utc_offset_min = policy.utc_offset_min;
    Ok(Question { sweep, about, from, until, as_of: app.now(), utc_offset_min })
}

pub(super) async fn read(app: &App, question: Question) -> Result<Figures, StoreError> {
    let read = app
        .store
        .with_read("statistics.show", question, |tx, question| Box::pin(figures(tx, question)));
    read.await
}

/// Makes the addresses of the lists behind the figures.
pub(super) struct Links {
    pub(super) period: Period,
    pub(super) as_of: Millis,
    pub(super) ask: AskStatistics,
}

impl Links {
    fn statistics(&self, figures: Figures) -> Statistics {
        let by = |parameter: &'static str, groups: BTreeMap<String, Counts>| {
            let group = |(key, counts): (String, Counts)| Group {
                key: Some(key.clone()),
                ..self.group(&[(parameter, key)], counts)
            };
            groups.into_iter().map(group).collect()
        };
        let units = figures.units.into_iter().map(|(unit, counts)| Group {
            key: Some(unit.id.to_string()),
            name: Some(unit.name),
            parent: unit.parent,
            ..self.group(&[("unit", unit.id.to_string())], counts)
        });
        let places = figures.places.into_iter().map(|(cell, counts)| {
            let (Degrees { lat: south, lon: west }, Degrees { lat: north, lon: east }) =
                corners(cell);
            Group {
                key: Some(cell.to_string()),
                within: Some([south, west, north, east]),
                ..self.group(&[("cell", cell.to_string())], counts)
            }
        });
        Statistics {
            from: self.period.first.to_string(),
            to: self.period.last.to_string(),
            as_of: self.as_of,
            not_yet_counted: figures.not_yet_counted,
            total: self.group(&[], figures.total),
            classes: by("class", figures.classes),
            channels: by("channel", figures.channels),
            matters: by("matter", figures.matters),
            days: figures.days.into_iter().map(|(day, count)| (day.to_string(), count)).collect(),
            units: units.collect(),
            places: places.collect(),
        }
    }

    fn group(&self, own: &[(&'static str, String)], counts: Counts) -> Group {
        let query = self.query(own);
        Group {
            key: None,
            name: None,
            parent: None,
            within: None,
            rates: counts.rates(),
            counts,
            cases: format!("/v1/cases?{query}"),
            orders: format!("/v1/orders?{query}"),
        }
    }

    /// The request's own parameters, replaced by those of the group. None needs escaping: ids,
    /// numbers, days and keys.
    pub(super) fn query(&self, own: &[(&'static str, String)]) -> String {
        let text = |value: Option<String>| value.unwrap_or_default();
        let asked = [
            ("from", self.period.first.to_string()),
            ("to", self.period.last.to_string()),
            ("as_of", self.as_of.0.to_string()),
            ("drill", "false".to_owned()),
            ("unit", text(self.ask.unit.map(|unit| unit.to_string()))),
            ("class", text(self.ask.class.map(|class| name(&class)))),
            ("channel", text(self.ask.channel.map(|one| name(&one)))),
            ("matter", text(self.ask.matter.clone())),
            ("cell", text(self.ask.cell.map(|cell| cell.to_string()))),
        ];
        let own_value =
            |wanted: &str| own.iter().find(|one| one.0 == wanted).map(|one| one.1.clone());
        let parameters =
            asked.into_iter().map(|(name, value)| (name, own_value(name).unwrap_or(value)));
        let parameters = parameters.filter(|(_, value)| !value.is_empty());
        parameters.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

async fn list_orders(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListOrders>,
) -> Result<Json<Orders>, Problem> {
    let limit = page::size(query.limit)?;
    let issued = days(query.from.as_deref(), query.to.as_deref())?;
    let filter = Filter {
        sweep: viewer.sweep(Action::ReadCases, query.unit)?,
        about: About {
            class: query.class,
            channel: query.channel,
            matter: query.matter,
            cell: query.cell,
            drill: query.drill,
        },
        issued,
        counted_in: query.counted_in.map(|name| counted_in(&ORDERS, &name)).transpose()?,
        as_of: query.as_of.unwrap_or_else(|| app.now()),
        after: page::after(query.after.as_deref())?
            .map(|(at, id)| Key { issued_at: Millis(at), id }),
        limit,
    };
    let orders =
        app.store.with_read("orders.list", filter, |tx, filter| Box::pin(list(tx, filter))).await?;
    let next = page::next(&orders, limit, |last| format!("{}.{}", last.issued_at.0, last.id));
    Ok(Json(Orders { orders, next }))
}

async fn list_clocks(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListClocks>,
) -> Result<Json<Clocks>, Problem> {
    let sweep = viewer.sweep(Action::ReadCases, query.unit)?;
    let input = (sweep, query.since.unwrap_or_else(|| app.now()), page::size(query.limit)?);
    let clocks = app.store.with_read("clocks.list", input, |tx, (sweep, since, limit)| {
        Box::pin(due(tx, sweep, *since, *limit))
    });
    Ok(Json(Clocks { clocks: clocks.await? }))
}

/// The moments of `from` and `to`; `None` without both.
pub(super) fn days(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<Option<(Millis, Millis)>, Problem> {
    match (from, to) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) => Ok(Some(Period::days(from, to)?.moments(&policy_in_force()?))),
        _ => Err(Problem::invalid("give both `from` and `to`, days such as 2026-10-01")),
    }
}

/// The figure of this name.
pub(super) fn counted_in(
    among: &'static [Indicator],
    wanted: &str,
) -> Result<&'static Indicator, Problem> {
    find(among, wanted).ok_or_else(|| {
        let names: Vec<_> = among.iter().map(|indicator| indicator.name).collect();
        Problem::invalid(format!("`counted_in` must be one of {}", names.join(", ")))
    })
}

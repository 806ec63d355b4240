//! Cases: what the command centre does about them.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/cases` | [`RegisterCase`] |
//! | `GET /v1/cases?phase=&unit=&overdue=&needs_review=&limit=&after=` | |
//! | `GET /v1/cases/{id}` | |
//! | `POST /v1/cases/{id}/orders` | [`DispatchCase`] |
//! | `POST /v1/cases/{id}/orders/{order}/receipt` | `{}` |
//! | `POST /v1/cases/{id}/orders/{order}/withdrawal`, `…/urges`, `…/returns` | [`Because`] |
//! | `POST /v1/cases/{id}/orders/{order}/feedback` | [`Reported`] |
//! | `POST /v1/cases/{id}/coordination` | [`Saying`] |
//!
//! Every command takes an `Idempotency-Key` and answers with the whole case.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{AboutOrder, CaseClass, Channel, Outcome};
use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::place::Position;
use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{Call, Commanded, command, scope_of};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::idempotency::IdempotencyKey;
use super::page;
use super::statistics::{counted_in, days};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::cases::act::{Act, act};
use crate::cases::dispatch::{Dispatch, dispatch, withdraw};
use crate::cases::list::{Filter, Key, Row, list};
use crate::cases::narrow::{About, CELLS, Rectangle};
use crate::cases::project::grams::grams;
use crate::cases::register::{Registration, register};
use crate::cases::site::SiteForm;
use crate::cases::view::{CaseView, show};
use crate::statistics::indicator::CASES;
use crate::supervision::drill;
use crate::vault::record::{Complainant, Sealed};

/// Characters that a search by text takes.
const SEARCH_CHARS: usize = 100;

/// The routes of this resource.
pub fn routes() -> Routes {
    let (registering, reading) =
        (Access::May(Action::RegisterCases), Access::May(Action::ReadCases));
    let (dispatching, pressing) =
        (Access::May(Action::DispatchCases), Access::May(Action::PressUnits));
    Routes::new()
        .post("/v1/cases", registering, register_case)
        .about("Registers a case.")
        .get("/v1/cases", reading, list_cases)
        .about("Lists cases, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/cases/{id}", reading, show_case)
        .about("Shows a case with every clock, every verdict and every number behind it.")
        .post("/v1/cases/{id}/coordination", dispatching, coordinate)
        .about("Opens coordination: which unit is responsible is not clear.")
        .post("/v1/cases/{id}/orders", dispatching, dispatch_case)
        .about("Orders a unit out.")
        .merge(orders(dispatching, pressing))
}

/// What is done about an order.
fn orders(dispatching: Access, pressing: Access) -> Routes {
    Routes::new()
        .post("/v1/cases/{id}/orders/{order}/withdrawal", dispatching, withdraw_order)
        .about("Takes an order back.")
        .post("/v1/cases/{id}/orders/{order}/feedback", dispatching, feed_back)
        .about("Puts on record what a unit reported by telephone or letter.")
        .post(
            "/v1/cases/{id}/orders/{order}/receipt",
            Access::May(Action::ConfirmOrders),
            confirm_receipt,
        )
        .about("Confirms for a unit that it has received an order.")
        .post("/v1/cases/{id}/orders/{order}/urges", pressing, urge)
        .about("Presses a unit for its work.")
        .post("/v1/cases/{id}/orders/{order}/returns", pressing, send_back)
        .about("Sends a unit's work back.")
}

/// `POST /v1/cases`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterCase {
    /// Class.
    pub class: CaseClass,
    /// Channel.
    pub channel: Channel,
    /// Kind of matter, a key of the reference data such as `street_vending`.
    pub matter: String,
    /// What it is about, without the complainant's name, number or address.
    pub summary: String,
    /// When the information was received, Unix milliseconds; now if absent.
    #[serde(default)]
    pub received_at: Option<Millis>,
    /// Where.
    #[serde(default)]
    pub site: Option<SiteForm>,
    /// The responsible unit is clear.
    #[serde(default = "yes")]
    pub jurisdiction_clear: bool,
    /// A made-up case to test duty.
    #[serde(default)]
    pub drill: bool,
    /// The approval of a drill, a number of `GET /v1/drill-approvals`.
    #[serde(default)]
    pub approval: Option<i64>,
    /// For the bureau's leaders to see at once.
    #[serde(default)]
    pub grave: bool,
    /// Who raised it. It goes into the vault and is part of no answer.
    #[serde(default, skip_serializing)]
    pub complainant: Option<Complainant>,
}

fn yes() -> bool {
    true
}

/// `POST /v1/cases/{id}/orders`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchCase {
    /// The responsible unit.
    pub unit: UnitId,
    /// Words for the unit.
    #[serde(default)]
    pub text: String,
    /// Where, when it is not where the case was registered.
    #[serde(default)]
    pub site: Option<SiteForm>,
}

/// A reason.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why.
    pub reason: String,
}

/// Words on record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saying {
    /// What is said.
    pub text: String,
}

/// What a unit reported to the command centre by telephone or letter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Its result; `null` for progress.
    pub result: Option<Outcome>,
}

/// An empty body.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

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

async fn register_case(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<RegisterCase>,
) -> Result<Commanded, Problem> {
    viewer.may(Action::RegisterCases, &Scope::Bureau)?;
    let new = Registration {
        class: body.class,
        channel: body.channel,
        matter: body.matter.clone(),
        summary: body.summary.clone(),
        received_at: body.received_at,
        site: body.site.as_ref().map(SiteForm::to_site).transpose()?,
        jurisdiction_clear: body.jurisdiction_clear,
        drill: approval(&body)?,
        grave: body.grave,
        origin: None,
        complainant: None,
    };
    // The request is remembered by a fingerprint that tells nothing about the complainant.
    let who = body.complainant.as_ref().map(|who| who.fingerprint(&app.keys.vault));
    let call = Call::create(&app, viewer, key, "register", &(&body, who))?;
    let complainant = body.complainant.as_ref().map(|who| Sealed::new(&app, call.case, who));
    let new = Registration { complainant, ..new };
    command(call, new, |tx, app, call, new| {
        Box::pin(async move { Ok(register(tx, app, call.case, call.viewer.person, new).await?) })
    })
    .await
}

/// What a drill was approved by; `None` for what is none.
fn approval(body: &RegisterCase) -> Result<Option<i64>, Problem> {
    match (body.drill, body.approval) {
        (true, None) => Err(drill::not_approved().into()),
        (false, Some(_)) => Err(Problem::invalid("`approval` is for drills: set `drill` too")),
        (_, approval) => Ok(approval),
    }
}

async fn list_cases(
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
pub(super) fn filter_of(
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

async fn show_case(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<CaseView>, Problem> {
    let input = (viewer, id, app.now());
    let view = app.store.with_read("cases.show", input, |tx, (viewer, id, now)| {
        Box::pin(async move {
            viewer.may(Action::ReadCases, &scope_of(tx, *id).await?)?;
            Ok::<_, Problem>(show(tx, *id, *now).await?)
        })
    });
    Ok(Json(view.await?))
}

async fn dispatch_case(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<DispatchCase>,
) -> Result<Commanded, Problem> {
    let site = body.site.as_ref().map(SiteForm::to_site).transpose()?;
    let order = Dispatch { unit: body.unit, text: body.text.clone(), site };
    let inspection = DocId::from_bytes(app.new_id());
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "dispatch", &body)?;
    command(call, (order, inspection), |tx, app, call, (order, inspection)| {
        Box::pin(async move {
            let by = call.viewer.person;
            Ok(dispatch(tx, app, call.case, *inspection, by, order).await?)
        })
    })
    .await
}

async fn withdraw_order(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, order)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<Because>,
) -> Result<Commanded, Problem> {
    let about = AboutOrder { order, by: viewer.person, reason: body.reason.clone() };
    let what = (order, "withdraw", &body);
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "withdraw", &what)?;
    command(call, about, |tx, app, call, about| {
        Box::pin(async move { Ok(withdraw(tx, app, call.case, about).await?) })
    })
    .await
}

async fn confirm_receipt(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, order)): PathOf<(DocId, FactId)>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::ConfirmOrders, id, "receive", &order)?;
    do_act(call, Act::Receive(order)).await
}

async fn urge(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, order)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<Because>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::PressUnits, id, "urge", &(order, &body))?;
    do_act(call, Act::Urge(order, body.reason)).await
}

async fn send_back(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, order)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<Because>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::PressUnits, id, "return", &(order, &body))?;
    do_act(call, Act::Return(order, body.reason)).await
}

async fn feed_back(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, order)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<Reported>,
) -> Result<Commanded, Problem> {
    let what = (order, &body);
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "feed_back", &what)?;
    do_act(call, Act::FeedBack(order, body.result)).await
}

async fn coordinate(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Saying>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::DispatchCases, id, "coordinate", &body)?;
    do_act(call, Act::Coordinate(body.text)).await
}

pub(super) async fn do_act(call: Call, what: Act) -> Result<Commanded, Problem> {
    command(call, what, |tx, app, call, what| {
        Box::pin(async move { Ok(act(tx, app, call.case, call.viewer.person, what).await?) })
    })
    .await
}

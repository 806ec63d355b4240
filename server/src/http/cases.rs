//! Cases: what the command centre does about them.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/cases` | [`RegisterCase`] |
//! | `GET /v1/cases` | [`ListCases`], in the query |
//! | `GET /v1/cases/{id}` | |
//! | `POST /v1/cases/{id}/orders` | [`DispatchCase`] |
//! | `POST /v1/cases/{id}/orders/{order}/receipt` | `{}` |
//! | `POST /v1/cases/{id}/orders/{order}/withdrawal`, `…/urges`, `…/returns` | [`Because`] |
//! | `POST /v1/cases/{id}/orders/{order}/feedback` | [`Reported`] |
//! | `POST /v1/cases/{id}/coordination` | [`Saying`] |
//!
//! Every command takes an `Idempotency-Key` and answers with the whole case.

mod list;

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{AboutOrder, CaseClass, Channel, Outcome};
use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use list::filter_of;
pub use list::{Cases, ListCases};

use super::Problem;
use super::command::{Call, Commanded, command, do_act, scope_of};
use super::extract::{JsonBody, PathOf};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::cases::act::Act;
use crate::cases::dispatch::{Dispatch, dispatch, withdraw};
use crate::cases::register::{Registration, register};
use crate::cases::site::SiteForm;
use crate::cases::view::{CaseView, show};
use crate::supervision::drill;
use crate::vault::record::{Complainant, Sealed};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (registering, reading) =
        (Access::May(Action::RegisterCases), Access::May(Action::ReadCases));
    let (dispatching, pressing) =
        (Access::May(Action::DispatchCases), Access::May(Action::PressUnits));
    Routes::new()
        .post("/v1/cases", registering, register_case)
        .about("Registers a case.")
        .get("/v1/cases", reading, list::list_cases)
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

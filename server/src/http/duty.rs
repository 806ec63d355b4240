//! The duty roster (值班), round the clock.
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/duty/now[?unit=]` | [`DutyNow`]: who stands by, of a unit and those below it |
//! | `GET /v1/duty/shifts?from=&to=[&unit=]` | [`Shifts`] of those days |
//! | `GET /v1/duty/gaps?from=&to=[&unit=]` | [`Gaps`]: when nobody is at a desk |
//! | `POST /v1/duty/shifts` | [`PlanShift`] → [`Shift`] |
//! | `GET /v1/duty/shifts/{id}` | [`Shift`], with its `ETag` |
//! | `PUT /v1/duty/shifts/{id}` | [`ChangeShift`] with `If-Match` → [`Shift`] |
//! | `DELETE /v1/duty/shifts/{id}` | with `If-Match` |
//! | `POST /v1/duty/shifts/{id}/swap` | [`SwapShifts`] with `If-Match` → [`Shifts`] |
//! | `POST /v1/duty/imports` | a table as CSV, see [`crate::duty::month`] → [`Shifts`] |
//! | `POST /v1/duty/sign-on`, `/v1/duty/sign-off` | `{}` → [`Shift`]: "I am here", "I leave" |

mod import;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cases::Nothing;
use super::etag::{IfMatch, Tagged, changed};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::idempotency::{Command, IdempotencyKey, Made};
use super::people::{Person, has_left, require_locked};
use super::units::{require, select};
use super::{Problem, statistics};
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::duty::DutyError;
use crate::duty::gaps::{Gap, gaps};
use crate::duty::presence::{OnDuty, all_on_duty, sign_off, sign_on};
use crate::duty::shift::{self, Hand, Plan, Shift, ShiftPost, list};
use crate::store::{StoreError, Tx};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (reading, managing) = (Access::May(Action::ReadDuty), Access::May(Action::ManageDuty));
    let (all, one) = ("/v1/duty/shifts", "/v1/duty/shifts/{id}");
    Routes::new()
        .get("/v1/duty/now", reading, now)
        .about("Says who stands by now.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/duty/gaps", reading, list_gaps)
        .about("Says when nobody is at a desk.")
        .with(|operation| operation.may_refuse(&[404]))
        .get(all, reading, list_shifts)
        .about("Lists the shifts of some days.")
        .with(|operation| operation.may_refuse(&[404]))
        .get(one, reading, show)
        .about("Shows a shift.")
        .post(all, managing, plan)
        .about("Plans a shift.")
        .put(one, managing, change)
        .about("Changes a shift; what of it has begun stands.")
        .with(|operation| operation.may_refuse(&[409]))
        .delete(one, managing, remove)
        .about("Takes a shift that has not begun off the roster.")
        .with(|operation| operation.may_refuse(&[409]))
        .post("/v1/duty/shifts/{id}/swap", managing, swap)
        .about("Lets two people swap shifts.")
        .with(|operation| operation.may_refuse(&[409, 412]))
        .post("/v1/duty/imports", managing, import::import)
        .about("Takes a table of shifts, wholly or not at all.")
        .with(|operation| {
            operation.takes_bytes("text/csv");
            operation.may_refuse(&[422]);
        })
        .post("/v1/duty/sign-on", Access::May(Action::StandDuty), arrive)
        .about("Takes over duty: \"I am here\".")
        .with(|operation| operation.may_refuse(&[409]))
        .post("/v1/duty/sign-off", Access::May(Action::StandDuty), leave)
        .about("Leaves duty.")
        .with(|operation| operation.may_refuse(&[409]))
}

/// `POST /v1/duty/shifts`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanShift {
    /// At which unit; the top unit's is the command centre's.
    pub unit: UnitId,
    /// By whom.
    pub person: PersonId,
    /// For what.
    pub post: ShiftPost,
    /// From this moment, Unix milliseconds,
    pub from: Millis,
    /// until before this one.
    pub until: Millis,
}

/// `PUT /v1/duty/shifts/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeShift {
    /// By whom.
    pub person: PersonId,
    /// For what.
    pub post: ShiftPost,
    /// From this moment, Unix milliseconds,
    pub from: Millis,
    /// until before this one.
    pub until: Millis,
}

/// `POST /v1/duty/shifts/{id}/swap`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwapShifts {
    /// The shift whose person takes this one, and gives up that one.
    pub with: i64,
    /// That shift's version.
    pub version: i64,
}

/// The days and units of a question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichDuty {
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
    /// The first day, `2026-11-01`,
    pub from: String,
    /// and the last.
    pub to: String,
}

/// `GET /v1/duty/now`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichUnit {
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
}

/// Who stands by.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DutyNow {
    /// The moment that this is said of.
    pub at: Millis,
    /// Each unit, parents before children.
    pub units: Vec<UnitDuty>,
}

/// Who stands by at a unit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct UnitDuty {
    /// The unit.
    pub unit: UnitId,
    /// Its name.
    pub name: String,
    /// Those on duty; empty when nobody is.
    pub on_duty: Vec<OnDuty>,
}

/// Shifts, in order of their beginning.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Shifts {
    /// The shifts.
    pub shifts: Vec<Shift>,
}

/// `GET /v1/duty/gaps`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Gaps {
    /// By unit and time.
    pub gaps: Vec<Gap>,
}

impl From<DutyError> for Problem {
    fn from(error: DutyError) -> Self {
        let detail = error.to_string();
        match error {
            DutyError::Store(error) => error.into(),
            DutyError::UnknownShift(_) => {
                Self::not_found("check the shift's number, and that it is of your unit or below")
            }
            DutyError::Invalid { field, .. } => Self::invalid(detail).with("field", field),
            DutyError::Conflict { code, why } => {
                Self::new(StatusCode::CONFLICT, code, "The roster does not stand so").detail(why)
            }
            DutyError::Changed(_) => changed(),
            DutyError::Lines(lines) => {
                let said: Vec<_> =
                    lines.iter().map(|one| format!("line {}: {}", one.line, one.why)).collect();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_lines", "Nothing was taken")
                    .detail(format!("mend the lines that are named: {}", said.join("; ")))
                    .with("lines", serde_json::to_value(&lines).unwrap_or_default())
            }
        }
    }
}

async fn now(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<WhichUnit>,
) -> Result<Json<DutyNow>, Problem> {
    let at = app.now();
    let input = (viewer.sweep(Action::ReadDuty, query.unit)?, at);
    let read = app.store.with_read("duty.now", input, |tx, (sweep, at)| {
        Box::pin(async move {
            let mut on_duty = all_on_duty(tx, *at).await?;
            let units = select(tx, sweep).await?.into_iter();
            let units = units.map(|unit| UnitDuty {
                on_duty: on_duty.remove(&unit.id).unwrap_or_default(),
                unit: unit.id,
                name: unit.name,
            });
            Ok::<_, StoreError>(units.collect())
        })
    });
    Ok(Json(DutyNow { at, units: read.await? }))
}

async fn list_shifts(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<WhichDuty>,
) -> Result<Json<Shifts>, Problem> {
    let input = (viewer.sweep(Action::ReadDuty, query.unit)?, days(&query)?);
    let read = app
        .store
        .with_read("duty.list", input, |tx, (sweep, days)| Box::pin(list(tx, sweep, *days)));
    Ok(Json(Shifts { shifts: read.await? }))
}

async fn list_gaps(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<WhichDuty>,
) -> Result<Json<Gaps>, Problem> {
    let input = (viewer.sweep(Action::ReadDuty, query.unit)?, days(&query)?);
    let read = app.store.with_read("duty.gaps", input, |tx, (sweep, days)| {
        Box::pin(async move {
            let units: Vec<_> = select(tx, sweep).await?.into_iter().map(|unit| unit.id).collect();
            let shifts = list(tx, sweep, *days).await?;
            Ok::<_, DutyError>(gaps(&units, &shifts, days.0, days.1))
        })
    });
    Ok(Json(Gaps { gaps: read.await? }))
}

fn days(query: &WhichDuty) -> Result<(Millis, Millis), Problem> {
    let days = statistics::days(Some(&query.from), Some(&query.to))?;
    days.ok_or_else(|| Problem::invalid("give both `from` and `to`, days such as 2026-11-01"))
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
) -> Result<Tagged<Shift>, Problem> {
    let read = app.store.with_read("duty.show", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move { within(tx, viewer, Action::ReadDuty, *id).await })
    });
    Ok(Tagged(read.await?))
}

async fn plan(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<PlanShift>,
) -> Result<Made<Shift>, Problem> {
    let command = Command::new(viewer.person, key, "shift", &body)?;
    let PlanShift { unit, person, post, from, until } = body;
    let new = Plan { unit, person, post, from, until };
    let input = (hand(&app, &viewer), viewer, new, command);
    let planned = app.store.with_tx("duty.plan", input, |tx, (hand, viewer, new, command)| {
        Box::pin(async move {
            may_stand(tx, viewer, new).await?;
            if let Some(reply) = command.begin(tx, hand.at).await? {
                return Ok(reply);
            }
            let shift = shift::plan(tx, new, *hand).await?;
            command.made(tx, &shift).await
        })
    });
    Ok(planned.await?.into())
}

async fn change(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<ChangeShift>,
) -> Result<Tagged<Shift>, Problem> {
    let input = (hand(&app, &viewer), viewer, id, seen, body);
    let changed = app.store.with_tx("duty.change", input, |tx, (hand, viewer, id, seen, body)| {
        Box::pin(async move {
            let stands = within(tx, viewer, Action::ManageDuty, *id).await?;
            seen.holds(&stands)?;
            let ChangeShift { person, post, from, until } = *body;
            let new = Plan { unit: stands.unit, person, post, from, until };
            may_stand(tx, viewer, &new).await?;
            Ok::<_, Problem>(shift::change(tx, *id, stands.version, &new, *hand).await?)
        })
    });
    Ok(Tagged(changed.await?))
}

async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(id): PathOf<i64>,
) -> Result<NoContent, Problem> {
    let input = (hand(&app, &viewer), viewer, id, seen);
    let removed = app.store.with_tx("duty.remove", input, |tx, (hand, viewer, id, seen)| {
        Box::pin(async move {
            let stands = within(tx, viewer, Action::ManageDuty, *id).await?;
            seen.holds(&stands)?;
            Ok::<_, Problem>(shift::remove(tx, *id, stands.version, *hand).await?)
        })
    });
    removed.await?;
    Ok(NoContent)
}

async fn swap(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<SwapShifts>,
) -> Result<Json<Shifts>, Problem> {
    if body.with == id {
        return Err(Problem::invalid("`with` names the shift itself: name the other one"));
    }
    let input = (hand(&app, &viewer), viewer, (id, seen), (body.with, body.version));
    let swapped = app.store.with_tx("duty.swap", input, |tx, (hand, viewer, (id, seen), other)| {
        Box::pin(async move {
            let stands = within(tx, viewer, Action::ManageDuty, *id).await?;
            seen.holds(&stands)?;
            let one = (*id, stands.version);
            let with = within(tx, viewer, Action::ManageDuty, other.0).await?;
            // Everybody locks people in one order.
            let mut people = [stands.person, with.person];
            people.sort_unstable();
            for person in people {
                require_locked(tx, person).await?;
            }
            for (shift, person) in [(&stands, with.person), (&with, stands.person)] {
                let Shift { unit, post, from, until, .. } = *shift;
                may_stand(tx, viewer, &Plan { unit, person, post, from, until }).await?;
            }
            Ok::<_, Problem>(shift::swap(tx, one, *other, *hand).await?)
        })
    });
    Ok(Json(Shifts { shifts: swapped.await?.to_vec() }))
}

async fn arrive(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<Shift>, Problem> {
    sign(&app, &viewer, true).await
}

async fn leave(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<Shift>, Problem> {
    sign(&app, &viewer, false).await
}

/// The caller takes over a shift of their own (`on`), or leaves it.
async fn sign(app: &App, viewer: &Viewer, on: bool) -> Result<Json<Shift>, Problem> {
    let input = (hand(app, viewer), viewer.seat.map(|seat| seat.device), on);
    let signed = app.store.with_tx("duty.sign", input, |tx, (hand, device, on)| {
        Box::pin(async move {
            require_locked(tx, hand.by).await?;
            let shift = match on {
                true => sign_on(tx, *hand, *device).await,
                false => sign_off(tx, *hand, *device).await,
            };
            Ok::<_, Problem>(shift?)
        })
    });
    Ok(Json(signed.await?))
}

fn hand(app: &App, viewer: &Viewer) -> Hand {
    Hand { by: viewer.person, at: app.now() }
}

/// The shift, if this person may do `action` to it.
async fn within(tx: &mut Tx, viewer: &Viewer, action: Action, id: i64) -> Result<Shift, Problem> {
    let shift = shift::find(tx, id).await?.ok_or(DutyError::UnknownShift(id))?;
    viewer.may(action, &Scope::Unit(shift.unit))?;
    Ok(shift)
}

/// Locks unit and person, if this person may let that one stand by there.
async fn may_stand(tx: &mut Tx, viewer: &Viewer, plan: &Plan) -> Result<Person, Problem> {
    viewer.may(Action::ManageDuty, &Scope::Unit(plan.unit))?;
    require(tx, plan.unit).await?;
    let person = require_locked(tx, plan.person).await?;
    viewer.may(Action::ManageDuty, &Scope::Unit(person.unit))?;
    if person.closed_at.is_some() { Err(has_left()) } else { Ok(person) }
}

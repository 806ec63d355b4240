//! Supervision: drills, special checks, hard cases, media reports. Draws are in [`super::draws`], steps
//! against a unit in [`super::measures`].
//!
//! | request | body, answer |
//! |---|---|
//! | `GET /v1/drill-approvals` | [`Approvals`] |
//! | `POST /v1/drill-approvals` | [`ApproveDrill`] → [`Approval`], which `POST /v1/cases` names |
//! | `GET /v1/special-checks[?from=2026-01&to=2026-12&unit=]` | [`SpecialChecks`], with the months that have none |
//! | `POST /v1/special-checks` | [`BeginCheck`] → [`Check`] |
//! | `POST /v1/special-checks/{id}/finding` | [`ConcludeCheck`] → [`Check`] |
//! | `GET /v1/hard-cases?from=2026-10-01&to=2026-10-31[&unit=&owed=true]` | [`HardCases`] |
//! | `GET /v1/media-cases?from=&to=[&unit=&owed=true]` | [`MediaCases`] |
//! | `POST /v1/cases/{id}/supervisions` | [`SuperviseCase`] → the case |

use axum::Json;
use axum::extract::State;
use onscene_sync_core::fact::body::{Manner, Supervised};
use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Date, Month};

use super::Problem;
use super::command::{Call, Commanded, command, scope_of};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::idempotency::{Command, IdempotencyKey, Made};
use super::statistics::days;
use super::units::require;
use crate::app::App;
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::cases::record::policy_in_force;
use crate::statistics::period::{Period, local_day};
use crate::supervision::check::{self, Begin, Check, Subject, months_without};
use crate::supervision::drill::{self, Approval, approve};
use crate::supervision::owed::{HardCase, MediaCase, hard, media};
use crate::supervision::supervise::supervise;

/// The routes of this resource.
pub fn routes() -> Routes {
    let reading = Access::May(Action::ReadSupervision);
    let doing = Access::Desk(Action::Supervise);
    Routes::new()
        .get("/v1/drill-approvals", Access::Desk(Action::ReadDrills), list_approvals)
        .about("Lists approvals of drills, the newest first.")
        .post("/v1/drill-approvals", Access::Desk(Action::ApproveDrills), approve_drill)
        .about("Approves a drill.")
        .get("/v1/special-checks", reading, list_checks)
        .about("Lists special checks, and the months without one.")
        .with(|operation| operation.may_refuse(&[404]))
        .post("/v1/special-checks", doing, begin_check)
        .about("Begins a special check.")
        .post("/v1/special-checks/{id}/finding", doing, conclude_check)
        .about("Says what a special check found.")
        .with(|operation| operation.may_refuse(&[409]))
        .get("/v1/hard-cases", reading, hard_cases)
        .about("Lists matters that came again over several handling periods.")
        .with(|operation| operation.may_refuse(&[404]))
        .get("/v1/media-cases", reading, media_cases)
        .about("Lists cases from the media, and what supervision owes.")
        .with(|operation| operation.may_refuse(&[404]))
        .post("/v1/cases/{id}/supervisions", doing, supervise_case)
        .about("Says what supervision of a case came to.")
}

/// `POST /v1/drill-approvals`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveDrill {
    /// What is to be tested, and why.
    pub reason: String,
}

/// `GET /v1/drill-approvals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approvals {
    /// The newest first.
    pub approvals: Vec<Approval>,
}

/// `GET /v1/special-checks`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListChecks {
    /// The first month, `2026-01`; with neither month, the last twelve.
    pub from: Option<String>,
    /// The last month, which is in.
    pub to: Option<String>,
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
}

/// Special checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpecialChecks {
    /// The newest first.
    pub checks: Vec<Check>,
    /// Months of the question, up to this one, in which no check with a finding began: there is to be
    /// at least one in each.
    pub months_without: Vec<String>,
}

/// `POST /v1/special-checks`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginCheck {
    /// What is checked.
    pub subject: Subject,
    /// Where.
    pub unit: UnitId,
    /// On which case, a real one or a drill; only duty can be checked without one.
    #[serde(default)]
    pub case: Option<DocId>,
}

/// `POST /v1/special-checks/{id}/finding`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcludeCheck {
    /// Whether it was in order.
    pub in_order: bool,
    /// What was found, in words.
    pub finding: String,
}

/// Days and units of a question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichCases {
    /// The first day, `2026-10-01`,
    pub from: String,
    /// and the last.
    pub to: String,
    /// Only of this unit and those below it.
    pub unit: Option<UnitId>,
    /// Only those that supervision still owes something.
    #[serde(default)]
    pub owed: bool,
}

/// `GET /v1/hard-cases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HardCases {
    /// Those of which a case came in these days, the newest first.
    pub hard_cases: Vec<HardCase>,
}

/// `GET /v1/media-cases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MediaCases {
    /// The newest first.
    pub media_cases: Vec<MediaCase>,
}

/// `POST /v1/cases/{id}/supervisions`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuperviseCase {
    /// How.
    pub manner: Manner,
    /// What was seen of the handling before.
    pub handling: String,
    /// What came of the supervision.
    pub result: String,
}

async fn list_approvals(State(app): State<App>) -> Result<Json<Approvals>, Problem> {
    let read = app.store.with_read("drills.list", (), |tx, ()| Box::pin(drill::list(tx)));
    Ok(Json(Approvals { approvals: read.await? }))
}

async fn approve_drill(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<ApproveDrill>,
) -> Result<Made<Approval>, Problem> {
    let command = Command::new(viewer.person, key, "drill_approval", &body)?;
    let input = (viewer.person, body.reason, app.now(), command);
    let approved = app.store.with_tx("drills.approve", input, |tx, (by, reason, now, command)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, *now).await? {
                return Ok::<_, Problem>(reply);
            }
            let approval = approve(tx, *by, reason, *now).await?;
            command.made(tx, &approval).await
        })
    });
    Ok(approved.await?.into())
}

async fn list_checks(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListChecks>,
) -> Result<Json<SpecialChecks>, Problem> {
    let policy = policy_in_force()?;
    let sweep = viewer.sweep(Action::ReadSupervision, query.unit)?;
    let today = local_day(app.now(), &policy).unwrap_or(Date::MIN);
    let (first, last) = match (&query.from, &query.to) {
        (Some(from), Some(to)) => (Period::month(from)?.first, Period::month(to)?.last),
        (None, None) => (year_before(today), today),
        _ => return Err(Problem::invalid("give both `from` and `to`, months such as 2026-10")),
    };
    let period = Period { first, last };
    // The same bounds as everywhere: a year at most, and not backwards.
    Period::days(&first.to_string(), &last.to_string())?;
    let input = (sweep, period.moments(&policy));
    let read = app.store.with_read("checks.list", input, |tx, (sweep, moments)| {
        Box::pin(check::list(tx, sweep, *moments))
    });
    let checks = read.await?;
    let months_without = months_without(months(first, last.min(today)), &checks, &policy);
    Ok(Json(SpecialChecks { checks, months_without }))
}

/// The first day of the month eleven months before.
fn year_before(day: Date) -> Date {
    let first = day.replace_day(1).unwrap_or(day);
    match day.month() {
        Month::December => first.replace_month(Month::January).unwrap_or(first),
        month => {
            let year = first.replace_year(day.year() - 1).unwrap_or(first);
            year.replace_month(month.next()).unwrap_or(year)
        }
    }
}

/// The months from one day's to another's, as `2026-10`.
fn months(first: Date, last: Date) -> Vec<String> {
    let mut months = Vec::new();
    let mut day = first;
    while day <= last {
        months.push(day.to_string()[..7].to_owned());
        let length = day.month().length(day.year());
        let Some(next) = day.replace_day(length).ok().and_then(Date::next_day) else { break };
        day = next;
    }
    months
}

async fn begin_check(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<BeginCheck>,
) -> Result<Made<Check>, Problem> {
    viewer.may(Action::Supervise, &Scope::Unit(body.unit))?;
    let command = Command::new(viewer.person, key, "special_check", &body)?;
    let input = (app.clone(), viewer, body, command);
    let begun = app.store.with_tx("checks.begin", input, |tx, (app, viewer, body, command)| {
        Box::pin(async move {
            require(tx, body.unit).await?;
            if let Some(case) = body.case {
                viewer.may(Action::ReadCases, &scope_of(tx, case).await?)?;
            }
            if let Some(reply) = command.begin(tx, app.now()).await? {
                return Ok(reply);
            }
            let new = Begin { subject: body.subject, unit: body.unit, case: body.case };
            let check = check::begin(tx, app, viewer.person, new).await?;
            command.made(tx, &check).await
        })
    });
    Ok(begun.await?.into())
}

async fn conclude_check(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<ConcludeCheck>,
) -> Result<Json<Check>, Problem> {
    let input = (app.clone(), viewer, id, body);
    let concluded = app.store.with_tx("checks.conclude", input, |tx, (app, viewer, id, body)| {
        Box::pin(async move {
            let found = check::find(tx, *id).await?;
            let found = found.ok_or_else(|| Problem::not_found("check the check's number"))?;
            viewer.may(Action::Supervise, &Scope::Unit(found.unit))?;
            let finding = (body.in_order, &body.finding[..]);
            Ok::<_, Problem>(check::conclude(tx, app, viewer.person, &found, finding).await?)
        })
    });
    Ok(Json(concluded.await?))
}

fn moments(query: &WhichCases) -> Result<(Millis, Millis), Problem> {
    let days = days(Some(&query.from), Some(&query.to))?;
    days.ok_or_else(|| Problem::invalid("give both `from` and `to`, days such as 2026-10-01"))
}

async fn hard_cases(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<WhichCases>,
) -> Result<Json<HardCases>, Problem> {
    let sweep = viewer.sweep(Action::ReadSupervision, query.unit)?;
    let input = (sweep, moments(&query)?, policy_in_force()?);
    let read = app.store.with_read("hard_cases.list", input, |tx, (sweep, moments, policy)| {
        Box::pin(hard(tx, sweep, *moments, policy))
    });
    let mut hard_cases = read.await?;
    hard_cases.retain(|one| one.owed || !query.owed);
    Ok(Json(HardCases { hard_cases }))
}

async fn media_cases(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<WhichCases>,
) -> Result<Json<MediaCases>, Problem> {
    let sweep = viewer.sweep(Action::ReadSupervision, query.unit)?;
    let input = (sweep, moments(&query)?, query.owed);
    let read = app.store.with_read("media_cases.list", input, |tx, (sweep, moments, owed)| {
        Box::pin(media(tx, sweep, *moments, *owed))
    });
    Ok(Json(MediaCases { media_cases: read.await? }))
}

async fn supervise_case(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<SuperviseCase>,
) -> Result<Commanded, Problem> {
    let SuperviseCase { manner, handling, result } = body.clone();
    let done = Supervised { manner, handling, result, by: viewer.person };
    let call = Call::on(&app, viewer, key, Action::Supervise, id, "supervise", &body)?;
    command(call, done, |tx, app, call, done| {
        Box::pin(async move { Ok(supervise(tx, app, call.case, done).await?) })
    })
    .await
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn twelve_months_end_with_this_one() {
        for (today, first) in [
            (date!(2026 - 11 - 23), date!(2025 - 12 - 01)),
            (date!(2026 - 12 - 31), date!(2026 - 01 - 01)),
            (date!(2024 - 02 - 29), date!(2023 - 03 - 01)),
        ] {
            assert_eq!(year_before(today), first);
            let all = months(first, today);
            assert_eq!((all.len(), &all[11][..]), (12, &today.to_string()[..7]));
        }
        assert!(months(date!(2026 - 12 - 01), date!(2026 - 11 - 23)).is_empty());
    }
}

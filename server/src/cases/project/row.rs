//! The columns of a case and of its orders: pure functions of the case's facts.

use onscene_sync_core::fact::Author;
use onscene_sync_core::fact::body::{MeasureStep, Receipt};
use onscene_sync_core::fact::telling::NoReach;
use onscene_sync_core::rules::clocks::{Clock, ClockKind, ClockState, Owner, clocks};
use onscene_sync_core::rules::closing::is_open;
use onscene_sync_core::rules::phase::phase;
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::rules::record::{CaseRecord, Closure, Order};
use serde_json::json;

use super::outcome::{Outcome, of_all};
use super::{name, place};
use crate::cases::CaseError;
use crate::cases::record::Case;
use crate::store::Value;

/// The columns of a row, by name.
pub(super) type Columns = Vec<(&'static str, Value)>;

/// What a case's facts say of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Projection {
    /// Of `case_row`, without its key, its number and when it was registered.
    pub(super) case: Columns,
    /// Of `dispatch_order`: each order's key and the rest.
    pub(super) orders: Vec<([u8; 16], Columns)>,
}

impl Projection {
    pub(super) fn of(case: &Case) -> Result<Self, CaseError> {
        let clocks = clocks_as_stated(case)?;
        let orders = case.record.orders.iter();
        Ok(Self {
            case: case_columns(case, &clocks)?,
            orders: orders
                .map(|order| (*order.issued.fact.as_bytes(), order_columns(case, order, &clocks)))
                .collect(),
        })
    }
}

/// All clocks as of the newest fact, so that they depend on nothing but the facts.
fn clocks_as_stated(case: &Case) -> Result<Vec<Clock>, CaseError> {
    let stated = case.facts.iter().filter_map(|(_, fact)| match fact.author {
        Author::Hub(at) => Some(at),
        Author::Device(_) => None,
    });
    let Some(newest) = stated.max() else { return Ok(Vec::new()) };
    Ok(clocks(&case.record, &Policies::built_in(), newest)?)
}

fn case_columns(case: &Case, clocks: &[Clock]) -> Result<Columns, CaseError> {
    let record = &case.record;
    let mut columns = vec![
        ("phase", phase(record).map_or_else(String::new, |phase| name(&phase)).into()),
        ("version", i64::try_from(case.facts.len()).unwrap_or(i64::MAX).into()),
    ];
    about(record, &mut columns);
    newest_order(record, clocks, &mut columns);
    progress(record, clocks, &mut columns)?;
    centre(clocks, &mut columns);
    Ok(columns)
}

/// What was registered.
fn about(record: &CaseRecord, columns: &mut Columns) {
    let registration = record.registration.as_ref().map(|registration| &registration.body);
    let text = |part: Option<String>| Value::from(part.unwrap_or_default());
    let view = registration.map(|about| {
        json!({
            "class": about.class,
            "channel": about.channel,
            "matter": about.matter,
            "summary": about.summary,
            "drill": about.drill,
            "grave": about.grave,
        })
    });
    let at = registration.and_then(|about| about.site.as_ref()).and_then(place::of_site);
    columns.extend([
        ("class", text(registration.map(|about| name(&about.class)))),
        ("channel", text(registration.map(|about| name(&about.channel)))),
        ("matter", text(registration.map(|about| about.matter.clone()))),
        ("drill", registration.is_some_and(|about| about.drill).into()),
        ("grave", registration.is_some_and(|about| about.grave).into()),
        ("received_at", registration.map(|about| about.received_at).into()),
        ("lat", Value::Int(at.map(|at| at.lat_e7.into()))),
        ("lon", Value::Int(at.map(|at| at.lon_e7.into()))),
        ("cell", Value::Int(at.map(place::cell))),
        ("view", view.map_or_else(|| "null".to_owned(), |view| view.to_string()).into()),
    ]);
}

/// The order that counts now.
fn newest_order(record: &CaseRecord, clocks: &[Clock], columns: &mut Columns) {
    let live = record.live_order();
    let order = live.or_else(|| record.orders.last());
    let issued = order.map(|order| &order.issued);
    let id = |bytes: Option<[u8; 16]>| Value::Bytes(bytes.map(|bytes| bytes.to_vec()));
    let verdict = order.and_then(|order| order.deciding_claim()).map(|claim| name(&claim.1));
    let waits = |clock: &&Clock| {
        clock.kind == ClockKind::Arrival
            && live.is_some_and(|live| clock.order == Some(live.issued.fact))
            && clock.stopped_at.is_none()
            && matches!(clock.state, ClockState::Running { .. } | ClockState::Breached)
    };
    columns.extend([
        ("unit_id", id(issued.map(|issued| *issued.body.unit.as_bytes()))),
        ("order_id", id(issued.map(|issued| *issued.fact.as_bytes()))),
        ("inspection", id(issued.map(|issued| *issued.body.inspection.as_bytes()))),
        ("ordered_at", issued.map(|issued| issued.at).into()),
        ("due_at", clocks.iter().find(waits).map(|clock| clock.due).into()),
        ("verdict", Value::Text(verdict)),
    ]);
}

/// How far the case has come.
fn progress(record: &CaseRecord, clocks: &[Clock], columns: &mut Columns) -> Result<(), CaseError> {
    let closed = record.is_closed().then(|| record.closures.last()).flatten();
    let reopened = record
        .closures
        .iter()
        .filter(|closure| matches!(closure.body, Closure::Reopened(_)))
        .count();
    let referral = record
        .measures
        .iter()
        .any(|measure| measure.taken.body.step == MeasureStep::AccountabilityReferral);
    let opinion = record.opinions.last();
    let undelivered = record.not_reached.iter().any(|one| one.body.why == NoReach::NotDelivered);
    columns.extend([
        ("closed_at", closed.map(|closed| closed.at).into()),
        ("closed_on_time", Value::Int(closed.map(|_| on_time(record, clocks).into()))),
        ("told_at", record.tellings().last().map(|(at, _)| *at).into()),
        ("reopened", i64::try_from(reopened).unwrap_or(i64::MAX).into()),
        ("referral", referral.into()),
        ("opinion", opinion.map_or_else(String::new, |one| name(&one.given.body.opinion)).into()),
        ("opinion_open", opinion.is_some_and(is_open).into()),
        ("undelivered", undelivered.into()),
    ]);
    Ok(())
}

/// Nobody who answered for the case in the end was late: no feedback or rework of the unit of its
/// newest order that was not withdrawn; without one, no clock of the command centre before the answer.
fn on_time(record: &CaseRecord, clocks: &[Clock]) -> bool {
    let orders = record.orders.iter();
    let unit = orders.rev().find(|order| order.withdrawn.is_none());
    let unit = unit.map(|order| order.issued.body.unit);
    let answered_for = clocks.iter().filter(|clock| match (clock.owner, unit) {
        (Owner::Unit { unit: owner }, Some(unit)) => owner == unit && is_feedback(clock.kind),
        (Owner::CommandCentre, None) => clock.kind != ClockKind::ComplainantFeedback,
        _ => false,
    });
    of_all(answered_for).0 != Outcome::Late
}

/// The clocks of the command centre.
fn centre(clocks: &[Clock], columns: &mut Columns) {
    let of = |kind| of_all(clocks.iter().filter(move |clock| clock.kind == kind));
    let (dispatch, dispatch_due) = of(ClockKind::Dispatch);
    let (coordination, coordination_due) = of(ClockKind::Coordination);
    let (telling, telling_due) = of(ClockKind::ComplainantFeedback);
    columns.extend([
        ("registration", of(ClockKind::Registration).0.as_str().into()),
        ("dispatch", dispatch.as_str().into()),
        ("dispatch_due", dispatch_due.into()),
        ("coordination", coordination.as_str().into()),
        ("coordination_due", coordination_due.into()),
        ("telling", telling.as_str().into()),
        ("telling_due", telling_due.into()),
    ]);
}

fn order_columns(case: &Case, order: &Order, clocks: &[Clock]) -> Columns {
    let issued = &order.issued;
    let own = |wanted: fn(ClockKind) -> bool| {
        clocks.iter().filter(move |clock| clock.order == Some(issued.fact) && wanted(clock.kind))
    };
    let (arrival, arrival_due) = of_all(own(|kind| kind == ClockKind::Arrival));
    let (feedback, feedback_due) = of_all(own(is_feedback));
    let receipt = order.receipts.iter().min_by_key(|receipt| (receipt.body.at, receipt.fact));
    let result = order.standing_result();
    let decided = order.deciding_claim().and_then(|(claim, _)| claim.arrived_at());
    let many = |count: usize| Value::from(i64::try_from(count).unwrap_or(i64::MAX));
    vec![
        ("case_id", (*case.id.as_bytes()).into()),
        ("inspection", (*issued.body.inspection.as_bytes()).into()),
        ("unit_id", (*issued.body.unit.as_bytes()).into()),
        ("issued_at", issued.at.into()),
        ("received_at", receipt.map(|receipt| receipt.body.at).into()),
        ("receipt", receipt.map_or("", |receipt| how(&receipt.body.receipt)).into()),
        ("ended_at", case.record.ended(order).into()),
        ("arrival", arrival.as_str().into()),
        ("arrival_due", arrival_due.into()),
        ("arrived_at", decided.into()),
        ("feedback", feedback.as_str().into()),
        ("feedback_due", feedback_due.into()),
        ("fed_back_at", result.map(|result| result.body.at).into()),
        (
            "result",
            result
                .and_then(|one| one.body.result)
                .map_or_else(String::new, |one| name(&one))
                .into(),
        ),
        ("unproven", result.is_some_and(|result| result.body.unproven()).into()),
        ("returns", many(order.returns.len())),
        ("urges", many(order.urges.len())),
    ]
}

fn is_feedback(kind: ClockKind) -> bool {
    matches!(kind, ClockKind::OnTheSpotFeedback | ClockKind::ComplexFeedback | ClockKind::Rework)
}

const fn how(receipt: &Receipt) -> &'static str {
    match receipt {
        Receipt::Device { .. } => "device",
        Receipt::Desk { .. } => "desk",
        Receipt::Deemed => "deemed",
    }
}

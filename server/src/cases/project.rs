//! The row that lists find a case by: worked out from its facts, and written again with each.

use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::arrival::Conclusion;
use onscene_sync_core::rules::clocks::{ClockKind, ClockState, clocks};
use onscene_sync_core::rules::phase::phase;
use onscene_sync_core::rules::policy::{Policies, Policy};
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};

use super::CaseError;
use super::record::Case;
use crate::store::{RowExt as _, StoreError, Tx};

/// The next case number of the local day: `20261123-0001`.
///
/// # Errors
/// When the database refuses.
pub(super) async fn next_number(tx: &mut Tx, now: Millis) -> Result<String, CaseError> {
    let day = local_day(now, &super::record::policy_in_force()?);
    let row = sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, '1') ON CONFLICT (key) DO UPDATE \
         SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT) RETURNING value",
    )
    .bind(format!("case_number.{day}"))
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(format!("{day}-{:0>4}", row.text("value")?))
}

/// Begins the row of a new case.
pub(super) async fn begin(
    tx: &mut Tx,
    id: DocId,
    number: &str,
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO case_row (case_id, number, phase, registered_at, version, view) \
         VALUES ($1, $2, 'registered', $3, 0, '{}')",
    )
    .bind(&id.as_bytes()[..])
    .bind(number)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Brings the row up to date.
pub(super) async fn write(tx: &mut Tx, case: &Case, now: Millis) -> Result<(), CaseError> {
    let phase = phase(&case.record).map_or_else(String::new, |phase| name(&phase));
    let order = case.record.live_order().or_else(|| case.record.orders.last());
    let verdict = order.and_then(|order| order.deciding_claim()).map(|claim| claim.1);
    let closed = case.record.is_closed().then(|| case.record.closures.last()).flatten();
    sqlx::query(
        "UPDATE case_row SET phase = $2, unit_id = $3, order_id = $4, inspection = $5, \
         ordered_at = $6, due_at = $7, verdict = $8, closed_at = $9, version = $10, view = $11 \
         WHERE case_id = $1",
    )
    .bind(&case.id.as_bytes()[..])
    .bind(phase)
    .bind(order.map(|order| order.issued.body.unit.as_bytes().to_vec()))
    .bind(order.map(|order| order.issued.fact.as_bytes().to_vec()))
    .bind(order.map(|order| order.issued.body.inspection.as_bytes().to_vec()))
    .bind(order.map(|order| order.issued.at.0))
    .bind(arrival_due(case, now)?.map(|due| due.0))
    .bind(verdict.map(|verdict: Conclusion| name(&verdict)))
    .bind(closed.map(|closed| closed.at.0))
    .bind(i64::try_from(case.facts.len()).unwrap_or(i64::MAX))
    .bind(summary(case).to_string())
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(())
}

/// The units that hold or held the case, the newest last; none before it was dispatched.
///
/// # Errors
/// When the database refuses.
pub async fn unit_of(tx: &mut Tx, case: DocId) -> Result<Option<Option<UnitId>>, StoreError> {
    let row = sqlx::query("SELECT unit_id FROM case_row WHERE case_id = $1")
        .bind(&case.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok(row.opt_array("unit_id")?.map(UnitId::from_bytes))).transpose()
}

/// When the arrival clock of the live order runs out; `None` when it waits for nothing.
fn arrival_due(case: &Case, now: Millis) -> Result<Option<Millis>, CaseError> {
    let Some(order) = case.record.live_order() else { return Ok(None) };
    let running = clocks(&case.record, &Policies::built_in(), now)?.into_iter().find(|clock| {
        clock.kind == ClockKind::Arrival
            && clock.order == Some(order.issued.fact)
            && clock.stopped_at.is_none()
            && matches!(clock.state, ClockState::Running { .. } | ClockState::Breached)
    });
    Ok(running.map(|clock| clock.due))
}

/// What a list shows besides the columns.
fn summary(case: &Case) -> Value {
    case.record.registration.as_ref().map_or(Value::Null, |registration| {
        let about = &registration.body;
        json!({
            "class": about.class,
            "channel": about.channel,
            "matter": about.matter,
            "summary": about.summary,
            "drill": about.drill,
            "grave": about.grave,
        })
    })
}

/// The name of a plain enumeration's value in JSON.
pub(super) fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn local_day(at: Millis, policy: &Policy) -> String {
    let offset = UtcOffset::from_whole_seconds(policy.utc_offset_min * 60);
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000));
    match (moment, offset) {
        (Ok(moment), Ok(offset)) => {
            let date = moment.to_offset(offset).date();
            format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
        }
        _ => "00000000".to_owned(),
    }
}

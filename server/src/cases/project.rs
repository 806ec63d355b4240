//! The row that lists find a case by: worked out from its facts, and written again with each.

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::Author;
use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::clocks::{ClockKind, ClockState, clocks};
use onscene_sync_core::rules::phase::phase;
use onscene_sync_core::rules::policy::{Policies, Policy};
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};

use super::record::{Case, load};
use super::{CaseError, grounds, measure};
use crate::hub::kind_code;
use crate::intake::{repeats, trace};
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Cases checked in one transaction.
const BATCH: i64 = 100;

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

/// Brings the rows up to date.
pub(super) async fn write(tx: &mut Tx, case: &Case) -> Result<(), CaseError> {
    measure::write(tx, case).await?;
    let row = Projection::of(case)?;
    sqlx::query(
        "UPDATE case_row SET phase = $2, unit_id = $3, order_id = $4, inspection = $5, \
         ordered_at = $6, due_at = $7, verdict = $8, closed_at = $9, version = $10, view = $11 \
         WHERE case_id = $1",
    )
    .bind(&case.id.as_bytes()[..])
    .bind(row.phase)
    .bind(row.unit)
    .bind(row.order)
    .bind(row.inspection)
    .bind(row.ordered_at)
    .bind(row.due_at)
    .bind(row.verdict)
    .bind(row.closed_at)
    .bind(row.version)
    .bind(row.view)
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(())
}

/// Works every case's row out anew from its facts and names those that differ. Changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub async fn faults(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut after = Vec::new();
    loop {
        let read =
            store.with_read("verify.cases", after, |tx, after| Box::pin(faults_after(tx, after)));
        let (last, found) = read.await?;
        faults.extend(found);
        let Some(last) = last else { break };
        after = last;
    }
    faults.extend(repeats::faults(store).await?);
    Ok(faults)
}

async fn faults_after(
    tx: &mut Tx,
    after: &[u8],
) -> Result<(Option<Vec<u8>>, Vec<String>), StoreError> {
    let rows = sqlx::query(
        "SELECT doc_id FROM doc WHERE kind = $3 AND doc_id > $1 ORDER BY doc_id LIMIT $2",
    )
    .bind(after)
    .bind(BATCH)
    .bind(kind_code(DocKind::Case))
    .fetch_all(tx.conn())
    .await?;
    let mut faults = Vec::new();
    let mut last = None;
    for row in rows {
        let id = DocId::from_bytes(row.array("doc_id")?);
        last = Some(id.as_bytes().to_vec());
        let case = load(tx, id, false).await;
        let (case, expected) = match case.and_then(|case| Ok((Projection::of(&case)?, case))) {
            Ok((expected, case)) => (case, expected),
            Err(CaseError::Store(error)) => return Err(error),
            Err(error) => {
                faults.push(format!("case {id}: {error}"));
                continue;
            }
        };
        let found = Projection::read(tx, id).await?;
        if found.as_ref() != Some(&expected) {
            faults.push(format!("case {id}: its row is {found:?}, its facts say {expected:?}"));
        }
        faults.extend(measure::faults(tx, &case).await?);
        faults.extend(grounds::faults(tx, &case).await?);
        faults.extend(trace::fault(tx, id, &case.record).await?);
        faults.extend(repeats::fault(tx, id, &case.record).await?);
    }
    Ok((last, faults))
}

/// The row's columns: a pure function of the case's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Projection {
    phase: String,
    unit: Option<Vec<u8>>,
    order: Option<Vec<u8>>,
    inspection: Option<Vec<u8>>,
    ordered_at: Option<i64>,
    due_at: Option<i64>,
    verdict: Option<String>,
    closed_at: Option<i64>,
    version: i64,
    view: String,
}

impl Projection {
    fn of(case: &Case) -> Result<Self, CaseError> {
        let record = &case.record;
        let order = record.live_order().or_else(|| record.orders.last());
        let issued = order.map(|order| &order.issued);
        let verdict = order.and_then(|order| order.deciding_claim()).map(|claim| claim.1);
        let closed = record.is_closed().then(|| record.closures.last()).flatten();
        Ok(Self {
            phase: phase(record).map_or_else(String::new, |phase| name(&phase)),
            unit: issued.map(|issued| issued.body.unit.as_bytes().to_vec()),
            order: issued.map(|issued| issued.fact.as_bytes().to_vec()),
            inspection: issued.map(|issued| issued.body.inspection.as_bytes().to_vec()),
            ordered_at: issued.map(|issued| issued.at.0),
            due_at: arrival_due(case)?.map(|due| due.0),
            verdict: verdict.map(|verdict| name(&verdict)),
            closed_at: closed.map(|closed| closed.at.0),
            version: i64::try_from(case.facts.len()).unwrap_or(i64::MAX),
            view: summary(case).to_string(),
        })
    }

    async fn read(tx: &mut Tx, id: DocId) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query(
            "SELECT phase, unit_id, order_id, inspection, ordered_at, due_at, verdict, closed_at, \
             version, view FROM case_row WHERE case_id = $1",
        )
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            phase: row.text("phase")?,
            unit: row.opt_bytes("unit_id")?,
            order: row.opt_bytes("order_id")?,
            inspection: row.opt_bytes("inspection")?,
            ordered_at: row.opt_int("ordered_at")?,
            due_at: row.opt_int("due_at")?,
            verdict: row.opt_text("verdict")?,
            closed_at: row.opt_int("closed_at")?,
            version: row.int("version")?,
            view: row.text("view")?,
        }))
    }
}

/// The unit of the case's newest order; `None` inside before there is one, outside without a case.
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

/// A case's number.
///
/// # Errors
/// When the database refuses.
pub async fn number_of(tx: &mut Tx, case: DocId) -> Result<Option<String>, StoreError> {
    let query = sqlx::query("SELECT number FROM case_row WHERE case_id = $1");
    let row = query.bind(&case.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| row.text("number")).transpose()
}

/// When the arrival clock of the live order runs out, as of its newest fact; `None` when it waits
/// for nothing or stands still.
fn arrival_due(case: &Case) -> Result<Option<Millis>, CaseError> {
    let Some(order) = case.record.live_order() else { return Ok(None) };
    let stated = case.facts.iter().filter_map(|(_, fact)| match fact.author {
        Author::Hub(at) => Some(at),
        Author::Device(_) => None,
    });
    let Some(newest) = stated.max() else { return Ok(None) };
    let running = clocks(&case.record, &Policies::built_in(), newest)?.into_iter().find(|clock| {
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
pub(crate) fn name(value: &impl serde::Serialize) -> String {
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

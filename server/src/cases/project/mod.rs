//! The rows that lists and statistics find a case and its orders by: worked out from its facts, and
//! written again with each.
//!
//! | module | holds |
//! |---|---|
//! | `row` | the columns |
//! | `outcome` | how a clock came out |
//! | [`place`] | one point for a site, and its cell of the map |
//! | [`grams`] | what a search looks up |
//! | [`refill`] | rows of an earlier program |

pub mod grams;
mod outcome;
pub mod place;
pub mod refill;
mod row;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::policy::Policy;
use onscene_sync_core::time::Millis;
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;
use time::{OffsetDateTime, UtcOffset};

use self::row::{Columns, Projection};
use super::record::{Case, load};
use super::{CaseError, grounds, measure};
use crate::hub::kind_code;
use crate::intake::{repeats, trace};
use crate::store::{RowExt as _, Store, StoreError, Tx, Value};
use crate::supervision::supervise;

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
pub(crate) async fn begin(
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

/// Brings the rows of the case and of its orders up to date.
pub(crate) async fn write(tx: &mut Tx, case: &Case) -> Result<(), CaseError> {
    measure::write(tx, case).await?;
    supervise::write(tx, case).await?;
    let Projection { case: columns, orders } = Projection::of(case)?;
    let set: Vec<_> = columns.iter().zip(2..).map(|(one, n)| format!("{} = ${n}", one.0)).collect();
    let sql = format!("UPDATE case_row SET {} WHERE case_id = $1", set.join(", "));
    let key = Value::from(*case.id.as_bytes());
    run(tx, sql, &key, &columns).await?;
    for (order, columns) in orders {
        let names: Vec<_> = columns.iter().map(|one| one.0).collect();
        let values: Vec<_> = (2..2 + names.len()).map(|n| format!("${n}")).collect();
        let set: Vec<_> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let sql = format!(
            "INSERT INTO dispatch_order (order_id, {}) VALUES ($1, {}) \
             ON CONFLICT (order_id) DO UPDATE SET {}",
            names.join(", "),
            values.join(", "),
            set.join(", ")
        );
        run(tx, sql, &order.into(), &columns).await?;
    }
    Ok(())
}

async fn run(tx: &mut Tx, sql: String, key: &Value, columns: &Columns) -> Result<(), StoreError> {
    let query = key.bind(sqlx::query(AssertSqlSafe(sql)));
    let query = columns.iter().fold(query, |query, (_, value)| value.bind(query));
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Works every case's row out anew from its facts and names those that differ. Changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub async fn faults(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut after = None;
    loop {
        let read =
            store.with_read("verify.cases", after, |tx, after| Box::pin(faults_after(tx, *after)));
        let (last, found) = read.await?;
        faults.extend(found);
        if last.is_none() {
            break;
        }
        after = last;
    }
    faults.extend(repeats::faults(store).await?);
    Ok(faults)
}

/// The next `most` cases after one, by their ids.
pub(crate) async fn cases_after(
    tx: &mut Tx,
    after: Option<DocId>,
    most: i64,
) -> Result<Vec<DocId>, StoreError> {
    const SQL: &str =
        "SELECT doc_id FROM doc WHERE kind = $1 AND doc_id > $2 ORDER BY doc_id LIMIT $3";
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let query = sqlx::query(SQL).bind(kind_code(DocKind::Case)).bind(after).bind(most);
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(DocId::from_bytes(row.array("doc_id")?))).collect()
}

async fn faults_after(
    tx: &mut Tx,
    after: Option<DocId>,
) -> Result<(Option<DocId>, Vec<String>), StoreError> {
    let cases = cases_after(tx, after, BATCH).await?;
    let mut faults = Vec::new();
    for &id in &cases {
        match compare(tx, id).await {
            Ok(found) => faults.extend(found),
            Err(CaseError::Store(error)) => return Err(error),
            Err(error) => faults.push(format!("case {id}: {error}")),
        }
    }
    Ok((cases.last().copied(), faults))
}

/// What differs between a case's rows and its facts.
async fn compare(tx: &mut Tx, id: DocId) -> Result<Vec<String>, CaseError> {
    let case = load(tx, id, false).await?;
    let expected = Projection::of(&case)?;
    let key = Value::from(*id.as_bytes());
    let mut faults = differences(tx, "case_row", "case_id", &key, &expected.case).await?;
    for (order, columns) in &expected.orders {
        let key = Value::from(*order);
        faults.extend(differences(tx, "dispatch_order", "order_id", &key, columns).await?);
    }
    let row = sqlx::query("SELECT count(*) AS found FROM dispatch_order WHERE case_id = $1")
        .bind(&id.as_bytes()[..])
        .fetch_one(tx.conn());
    let found: usize = row.await.map_err(StoreError::from)?.number("found")?;
    if found != expected.orders.len() {
        faults.push(format!("{found} orders in the table, {} in its facts", expected.orders.len()));
    }
    match grams::missing(tx, &case).await? {
        0 => {}
        missing => faults.push(format!("a search does not find {missing} pairs of its summary")),
    }
    let mut faults: Vec<_> =
        faults.into_iter().map(|fault| format!("case {id}: {fault}")).collect();
    faults.extend(measure::faults(tx, &case).await?);
    faults.extend(supervise::faults(tx, &case).await?);
    faults.extend(grounds::faults(tx, &case).await?);
    faults.extend(trace::fault(tx, id, &case.record).await?);
    faults.extend(repeats::fault(tx, id, &case.record).await?);
    Ok(faults)
}

async fn differences(
    tx: &mut Tx,
    table: &'static str,
    key: &'static str,
    id: &Value,
    expected: &Columns,
) -> Result<Vec<String>, StoreError> {
    let names: Vec<_> = expected.iter().map(|one| one.0).collect();
    let sql = format!("SELECT {} FROM {table} WHERE {key} = $1", names.join(", "));
    let row = id.bind(sqlx::query(AssertSqlSafe(sql))).fetch_optional(tx.conn()).await?;
    let Some(row) = row else { return Ok(vec![format!("its row in `{table}` is missing")]) };
    let mut faults = Vec::new();
    for (name, value) in expected {
        let found = value.read_alike(&row, name)?;
        if found != *value {
            faults.push(format!("`{table}.{name}` is {found:?}, its facts say {value:?}"));
        }
    }
    Ok(faults)
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

/// The name of a plain enumeration's value in JSON.
pub(crate) fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Json::String(name)) => name,
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

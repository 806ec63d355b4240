//! Lists of cases, newest first, page by page.

use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::time::Millis;
use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;

use super::project::name;
use crate::auth::{SWEEP, Sweep};
use crate::store::{RowExt as _, StoreError, Tx};

/// Cases on one page at most.
pub const PAGE: u32 = 200;

/// Which cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Units in reach. Cases of no unit yet are in reach of who reaches everything.
    pub sweep: Sweep,
    /// Only in this phase.
    pub phase: Option<Phase>,
    /// Only those whose team is late, or only those whose team is not.
    pub overdue: Option<bool>,
    /// Only those with a verdict that a person has to settle, or only the others.
    pub needs_review: Option<bool>,
    /// Only those after this one in the list.
    pub after: Option<Key>,
    /// How many at most, up to [`PAGE`].
    pub limit: u32,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// When the case was registered.
    pub registered_at: Millis,
    /// Its document.
    pub id: DocId,
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its document.
    pub id: DocId,
    /// Its number, for people.
    pub number: String,
    /// Its phase.
    pub phase: String,
    /// The unit of its newest order.
    pub unit: Option<UnitId>,
    /// When it was registered.
    pub registered_at: Millis,
    /// When its newest order was issued.
    pub ordered_at: Option<Millis>,
    /// When the time to be on scene is up, while nobody is.
    pub due_at: Option<Millis>,
    /// That time is up.
    pub overdue: bool,
    /// What was found of its arrival.
    pub verdict: Option<String>,
    /// When it was closed, if it is.
    pub closed_at: Option<Millis>,
    /// What it is about.
    pub about: Value,
}

/// A page of cases by `filter`, as of `now`.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter, now: Millis) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "{SWEEP} SELECT case_id, number, phase, unit_id, registered_at, ordered_at, due_at, \
         verdict, closed_at, view FROM case_row \
         WHERE (unit_id IN (SELECT unit_id FROM sweep) OR ($4 = 1 AND unit_id IS NULL)) \
         AND ($5 = '' OR phase = $5) \
         AND ($6 = -1 OR $6 = CASE WHEN due_at < $7 THEN 1 ELSE 0 END) \
         AND ($8 = -1 OR $8 = CASE WHEN verdict = 'needs_review' THEN 1 ELSE 0 END) \
         AND (registered_at < $9 OR (registered_at = $9 AND case_id < $10)) \
         ORDER BY registered_at DESC, case_id DESC LIMIT $11"
    );
    let first = Key { registered_at: Millis(i64::MAX), id: DocId::from_bytes([0xff; 16]) };
    let after = filter.after.unwrap_or(first);
    let choice = |choice: Option<bool>| choice.map_or(-1, i64::from);
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(filter.sweep.everything))
        .bind(&filter.sweep.unit.as_bytes()[..])
        .bind(i64::from(filter.sweep.below))
        .bind(i64::from(filter.sweep.everything))
        .bind(filter.phase.map_or_else(String::new, |phase| name(&phase)))
        .bind(choice(filter.overdue))
        .bind(now.0)
        .bind(choice(filter.needs_review))
        .bind(after.registered_at.0)
        .bind(&after.id.as_bytes()[..])
        .bind(i64::from(filter.limit.min(PAGE)))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| read(row, now)).collect()
}

fn read(row: &AnyRow, now: Millis) -> Result<Row, StoreError> {
    let due_at = row.opt_millis("due_at")?;
    let view = row.text("view")?;
    Ok(Row {
        id: DocId::from_bytes(row.array("case_id")?),
        number: row.text("number")?,
        phase: row.text("phase")?,
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        registered_at: row.millis("registered_at")?,
        ordered_at: row.opt_millis("ordered_at")?,
        due_at,
        overdue: due_at.is_some_and(|due| due < now),
        verdict: row.opt_text("verdict")?,
        closed_at: row.opt_millis("closed_at")?,
        about: serde_json::from_str(&view).map_err(|error| StoreError::Inconsistent {
            column: "view".to_owned(),
            found: error.to_string(),
            expected: "JSON".to_owned(),
        })?,
    })
}

//! Steps of supervision (督察处理): taken, concluded, listed.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Measure, MeasureConcluded};
use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::rules::record::TakenMeasure;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use super::project::name;
use super::record::{Case, Stated, load};
use super::{CaseError, required_text};
use crate::app::App;
use crate::auth::Sweep;
use crate::store::{RowExt as _, StoreError, Tx};

/// Takes a step. The case may be closed: what was done badly stays badly done.
///
/// # Errors
/// [`CaseError::UnknownCase`], [`CaseError::UnknownOrder`]; [`CaseError::Invalid`] without a reason.
pub async fn take(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    measure: &Measure,
) -> Result<Stated, CaseError> {
    required_text("reason", &measure.reason)?;
    let mut case = load(tx, case, true).await?;
    case.order(measure.order)?;
    case.state(tx, app, vec![Body::MeasureTaken(measure.clone())]).await
}

/// Puts on record what came of a step.
///
/// # Errors
/// [`CaseError::UnknownMeasure`]; [`CaseError::Invalid`] without words; a conflict when it is
/// concluded already.
pub async fn conclude(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    conclusion: &MeasureConcluded,
) -> Result<Stated, CaseError> {
    required_text("text", &conclusion.text)?;
    let mut case = load(tx, case, true).await?;
    let id = conclusion.measure;
    let measure = case.record.measure(id).ok_or(CaseError::UnknownMeasure(id))?;
    if let Some(before) = measure.concluded.first() {
        return Err(CaseError::Conflict {
            code: "already_concluded",
            why: format!("it was concluded by {}: read the case again", before.body.by),
        });
    }
    case.state(tx, app, vec![Body::MeasureConcluded(conclusion.clone())]).await
}

/// A step in a list. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "MeasureRow")]
pub struct Row {
    /// Its fact.
    pub id: FactId,
    /// Its case.
    pub case: DocId,
    /// The unit that answers for it.
    pub unit: UnitId,
    /// Which step.
    pub step: String,
    /// Why it was taken.
    pub cause: String,
    /// When it was taken.
    pub taken_at: Millis,
    /// When it was concluded.
    pub concluded_at: Option<Millis>,
}

impl Row {
    fn of(case: &Case, measure: &TakenMeasure) -> Option<Self> {
        let about = &measure.taken.body;
        Some(Self {
            id: measure.taken.fact,
            case: case.id,
            unit: case.record.order(about.order)?.issued.body.unit,
            step: name(&about.step),
            cause: name(&about.cause),
            taken_at: measure.taken.at,
            concluded_at: measure.concluded.first().map(|concluded| concluded.at),
        })
    }

    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: FactId::from_bytes(row.array("fact_id")?),
            case: DocId::from_bytes(row.array("case_id")?),
            unit: UnitId::from_bytes(row.array("unit_id")?),
            step: row.text("step")?,
            cause: row.text("cause")?,
            taken_at: row.millis("taken_at")?,
            concluded_at: row.opt_millis("concluded_at")?,
        })
    }
}

/// Which steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Units in reach.
    pub sweep: Sweep,
    /// Only those without a conclusion.
    pub open: bool,
    /// Only those after this one in the list.
    pub after: Option<(Millis, FactId)>,
    /// How many at most.
    pub limit: u32,
}

/// A page of steps, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "SELECT fact_id, case_id, unit_id, step, cause, taken_at, concluded_at \
         FROM measure \
         WHERE unit_id IN (SELECT unit_id FROM sweep) AND ($4 = 0 OR concluded_at IS NULL) \
         AND (taken_at < $5 OR (taken_at = $5 AND fact_id < $6)) \
         ORDER BY taken_at DESC, fact_id DESC LIMIT $7";
    let first = (Millis(i64::MAX), FactId::from_bytes([0xff; 16]));
    let (at, fact) = filter.after.unwrap_or(first);
    let rows = filter
        .sweep
        .query(SQL)
        .bind(i64::from(filter.open))
        .bind(at.0)
        .bind(&fact.as_bytes()[..])
        .bind(i64::from(filter.limit))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(Row::read).collect()
}

/// Brings the rows of a case up to date.
pub(super) async fn write(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    for row in rows_of(case) {
        sqlx::query(
            "INSERT INTO measure \
             (fact_id, case_id, unit_id, step, cause, taken_at, concluded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (fact_id) DO UPDATE SET concluded_at = excluded.concluded_at",
        )
        .bind(&row.id.as_bytes()[..])
        .bind(&row.case.as_bytes()[..])
        .bind(&row.unit.as_bytes()[..])
        .bind(row.step)
        .bind(row.cause)
        .bind(row.taken_at.0)
        .bind(row.concluded_at.map(|at| at.0))
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Where the rows of a case differ from what its facts say.
pub(super) async fn faults(tx: &mut Tx, case: &Case) -> Result<Option<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT fact_id, case_id, unit_id, step, cause, taken_at, concluded_at FROM measure \
         WHERE case_id = $1 ORDER BY taken_at, fact_id",
    )
    .bind(&case.id.as_bytes()[..])
    .fetch_all(tx.conn())
    .await?;
    let found = rows.iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
    let expected = rows_of(case);
    Ok((found != expected).then(|| {
        format!("case {}: its measures are {found:?}, its facts say {expected:?}", case.id)
    }))
}

fn rows_of(case: &Case) -> Vec<Row> {
    let measures = case.record.measures.iter();
    let mut rows: Vec<_> = measures.filter_map(|measure| Row::of(case, measure)).collect();
    rows.sort_by_key(|row| (row.taken_at, row.id));
    rows
}

//! Special checks (专项督察) of duty, intake, dispatch and turn-out: at least one a month, on real cases
//! or by a drill.

use std::collections::BTreeSet;

use onscene_sync_core::id::{DocId, PersonId, UnitId};
use onscene_sync_core::rules::policy::Policy;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::Sweep;
use crate::cases::project::{name, unit_of};
use crate::cases::{CaseError, required_text};
use crate::hub::inconsistent;
use crate::statistics::period::local_day;
use crate::store::{RowExt as _, StoreError, Tx};
use crate::vault::guard;

/// Checks in one answer.
const SHOWN: i64 = 500;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Whether somebody stands by (值班).
    Duty,
    /// How matters are taken in (受理).
    Intake,
    /// How they are dispatched (调度).
    Dispatch,
    /// How fast and how teams go out (出警).
    TurnOut,
}

/// A special check. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// Its number.
    pub id: i64,
    /// What is checked.
    pub subject: Subject,
    /// Where.
    pub unit: UnitId,
    /// The case that it is checked on.
    pub case: Option<DocId>,
    /// That case is a drill.
    pub drill: bool,
    /// When it began.
    pub begun_at: Millis,
    /// Who checks.
    pub begun_by: PersonId,
    /// Whether it was in order; `null` while nothing was found yet.
    pub in_order: Option<bool>,
    /// What was found.
    pub finding: Option<String>,
    /// When.
    pub found_at: Option<Millis>,
    /// Who says so.
    pub found_by: Option<PersonId>,
}

/// A check to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// What is checked.
    pub subject: Subject,
    /// Where.
    pub unit: UnitId,
    /// On which case; only duty can be checked without one.
    pub case: Option<DocId>,
}

const SELECT: &str = "SELECT k.id, k.subject, k.unit_id, k.case_id, c.drill, k.begun_at, k.begun_by, \
     k.in_order, k.finding, k.found_at, k.found_by \
     FROM special_check k LEFT JOIN case_row c ON c.case_id = k.case_id";

/// Begins a check.
///
/// # Errors
/// [`CaseError::Invalid`] names what is wrong.
pub async fn begin(tx: &mut Tx, app: &App, by: PersonId, new: Begin) -> Result<Check, CaseError> {
    let invalid = |why: &str| CaseError::Invalid { field: "case", why: why.to_owned() };
    match new.case {
        Some(case) if unit_of(tx, case).await?.is_none() => {
            return Err(invalid("names no case: check its id"));
        }
        None if new.subject != Subject::Duty => {
            let why = "must name a case, a real one or a drill: only duty is checked without";
            return Err(invalid(why));
        }
        _ => {}
    }
    let sql = "INSERT INTO special_check (subject, unit_id, case_id, begun_at, begun_by) \
               VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let row = sqlx::query(sql)
        .bind(name(&new.subject))
        .bind(&new.unit.as_bytes()[..])
        .bind(new.case.map(|case| case.as_bytes().to_vec()))
        .bind(app.now().0)
        .bind(&by.as_bytes()[..])
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    noted(tx, row.int("id")?, (by, app.now()), "begun").await
}

/// Puts on record what a check found. The words stay: a second finding is another check's.
///
/// # Errors
/// [`CaseError::Invalid`] without words; [`CaseError::Exposed`] when they would give a person away;
/// a conflict when it has a finding already.
pub async fn conclude(
    tx: &mut Tx,
    app: &App,
    by: PersonId,
    check: &Check,
    (in_order, finding): (bool, &str),
) -> Result<Check, CaseError> {
    required_text("finding", finding)?;
    let seen = match check.case {
        Some(case) => guard::check_text(tx, app, case, "finding", finding).await?,
        None => guard::check("finding", finding, None),
    };
    seen.map_err(CaseError::Exposed)?;
    let sql = "UPDATE special_check SET in_order = $2, finding = $3, found_at = $4, found_by = $5 \
               WHERE id = $1 AND found_at IS NULL";
    let query = sqlx::query(sql).bind(check.id).bind(i64::from(in_order)).bind(finding);
    let query = query.bind(app.now().0).bind(&by.as_bytes()[..]);
    if query.execute(tx.conn()).await.map_err(StoreError::from)?.rows_affected() == 0 {
        let why = "its finding is on record: begin another check for what was found since";
        return Err(CaseError::Conflict { code: "already_concluded", why: why.to_owned() });
    }
    noted(tx, check.id, (by, app.now()), "concluded").await
}

/// One check.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, id: i64) -> Result<Option<Check>, StoreError> {
    let sql = format!("{SELECT} WHERE k.id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

/// The checks of the units of `sweep` that began in `[from, until)`, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    sweep: &Sweep,
    (from, until): (Millis, Millis),
) -> Result<Vec<Check>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE k.unit_id IN (SELECT unit_id FROM sweep) \
         AND k.begun_at >= $4 AND k.begun_at < $5 ORDER BY k.begun_at DESC, k.id DESC LIMIT $6"
    );
    let query = sweep.query(AssertSqlSafe(sql));
    let query = query.bind(from.0).bind(until.0).bind(SHOWN);
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

/// Those of `months` (`2026-10`) in which no check with a finding began.
#[must_use]
pub fn months_without(months: Vec<String>, checks: &[Check], policy: &Policy) -> Vec<String> {
    let month =
        |check: &Check| Some(local_day(check.begun_at, policy)?.to_string()[..7].to_owned());
    let concluded = checks.iter().filter(|check| check.found_at.is_some());
    let with: BTreeSet<String> = concluded.filter_map(month).collect();
    months.into_iter().filter(|month| !with.contains(month)).collect()
}

async fn noted(
    tx: &mut Tx,
    id: i64,
    (by, at): (PersonId, Millis),
    word: &'static str,
) -> Result<Check, CaseError> {
    let check = find(tx, id).await?;
    let check = check.ok_or_else(|| CaseError::Broken(format!("no special check {id}")))?;
    let entry = Entry::new(Deed::SpeciallyChecked, at).by(by).to(check.unit.as_bytes());
    audit::note(tx, &[entry.detail(word).object(id.to_be_bytes())]).await?;
    Ok(check)
}

fn read(row: &AnyRow) -> Result<Check, StoreError> {
    let subject = row.text("subject")?;
    let value = serde_json::Value::String(subject.clone());
    Ok(Check {
        id: row.int("id")?,
        subject: serde_json::from_value(value)
            .map_err(|_| inconsistent("subject", subject, "a subject"))?,
        unit: UnitId::from_bytes(row.array("unit_id")?),
        case: row.opt_array("case_id")?.map(DocId::from_bytes),
        drill: row.opt_int("drill")? == Some(1),
        begun_at: row.millis("begun_at")?,
        begun_by: PersonId::from_bytes(row.array("begun_by")?),
        in_order: row.opt_int("in_order")?.map(|in_order| in_order == 1),
        finding: row.opt_text("finding")?,
        found_at: row.opt_millis("found_at")?,
        found_by: row.opt_array("found_by")?.map(PersonId::from_bytes),
    })
}

//! What each person was told. Numbers of an inbox have no gap, and whoever gives a notice holds the
//! inbox until it is committed: who reads on from a number misses none.

use onscene_sync_core::id::{DocId, FactId, PersonId, UnitId};
use onscene_sync_core::rules::escalation::Because;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::event::Event;
use crate::cases::project::name;
use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An order is overdue: a rung of the ladder was taken.
    Overdue,
    /// An accountability referral was opened.
    Referral,
    /// A grave matter, or criticism of officers, is on record.
    Grave,
    /// A drawn recheck is for this person.
    Recheck,
    /// A clock is about to run out.
    Clock,
}

/// A notice before it is anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub kind: Kind,
    /// The case.
    pub case: Option<DocId>,
    /// The order.
    pub order: Option<FactId>,
    /// The unit that answers.
    pub unit: Option<UnitId>,
    /// The recheck's document.
    pub inspection: Option<DocId>,
    /// The clock's kind.
    pub clock: Option<String>,
    /// The rung, from 0.
    pub step: Option<u32>,
    /// When the time is, or was, up.
    pub due: Option<Millis>,
}

impl Notice {
    /// About nothing in particular yet.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            case: None,
            order: None,
            unit: None,
            inspection: None,
            clock: None,
            step: None,
            due: None,
        }
    }
}

/// A notice in somebody's inbox. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told {
    /// Its number in this inbox, from 1, without gaps.
    pub n: i64,
    /// What it is about.
    pub kind: Kind,
    /// Why this person is told; `centre` where nobody else could be.
    pub because: Because,
    /// The case.
    pub case: Option<DocId>,
    /// The case's number, for people.
    pub number: Option<String>,
    /// The case is made up, to test duty.
    pub drill: bool,
    /// The order.
    pub order: Option<FactId>,
    /// The unit that answers.
    pub unit: Option<UnitId>,
    /// Its name.
    pub unit_name: Option<String>,
    /// The recheck's document.
    pub inspection: Option<DocId>,
    /// The clock, as in `GET /v1/cases/{id}`.
    pub clock: Option<String>,
    /// The rung of the escalation ladder, from 0.
    pub step: Option<u32>,
    /// When the time is, or was, up.
    pub due: Option<Millis>,
    /// When it was given.
    pub at: Millis,
    /// When it was marked as read.
    pub read_at: Option<Millis>,
}

/// Gives a notice of `event` to each of `people` who was not told of it yet.
///
/// # Errors
/// When the database refuses.
pub async fn give(
    tx: &mut Tx,
    event: &Event,
    notice: &Notice,
    people: impl IntoIterator<Item = (PersonId, Because)>,
    now: Millis,
) -> Result<(), StoreError> {
    const NUMBER: &str = "INSERT INTO inbox (person_id, n) VALUES ($1, 1) \
         ON CONFLICT (person_id) DO UPDATE SET n = inbox.n + 1 RETURNING n";
    let event = event.name();
    let mut people: Vec<_> = people.into_iter().collect();
    // Everybody locks inboxes in one order.
    people.sort_unstable_by_key(|one| one.0);
    for (person, because) in people {
        let id = &person.as_bytes()[..];
        let n = sqlx::query(NUMBER).bind(id).fetch_one(tx.conn()).await?.int("n")?;
        if !insert(tx, (person, n), &event, notice, because, now).await? {
            let back = sqlx::query("UPDATE inbox SET n = n - 1 WHERE person_id = $1").bind(id);
            back.execute(tx.conn()).await?;
        }
    }
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    (person, n): (PersonId, i64),
    event: &str,
    notice: &Notice,
    because: Because,
    now: Millis,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO notice (person_id, n, event, kind, because, case_id, order_id, \
         unit_id, inspection, clock, step, due_at, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (person_id, event) DO NOTHING";
    let done = sqlx::query(SQL)
        .bind(&person.as_bytes()[..])
        .bind(n)
        .bind(event)
        .bind(name(&notice.kind))
        .bind(name(&because))
        .bind(notice.case.map(|case| case.as_bytes().to_vec()))
        .bind(notice.order.map(|order| order.as_bytes().to_vec()))
        .bind(notice.unit.map(|unit| unit.as_bytes().to_vec()))
        .bind(notice.inspection.map(|document| document.as_bytes().to_vec()))
        .bind(notice.clock.as_deref())
        .bind(notice.step.map(i64::from))
        .bind(notice.due.map(|due| due.0))
        .bind(now.0)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What of an inbox is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Whose.
    pub person: PersonId,
    /// Only those after this number.
    pub after: i64,
    /// Only those that are not marked as read.
    pub unread: bool,
    /// How many at most.
    pub limit: u32,
}

/// The notices of an inbox, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, ask: Ask) -> Result<Vec<Told>, StoreError> {
    const SQL: &str = "SELECT i.n, i.kind, i.because, i.case_id, c.number, c.drill, i.order_id, \
         i.unit_id, u.name, i.inspection, i.clock, i.step, i.due_at, i.at, i.read_at \
         FROM notice i LEFT JOIN case_row c ON c.case_id = i.case_id \
         LEFT JOIN unit u ON u.unit_id = i.unit_id \
         WHERE i.person_id = $1 AND i.n > $2 AND ($3 = 0 OR i.read_at IS NULL) \
         ORDER BY i.n LIMIT $4";
    let query = sqlx::query(SQL).bind(&ask.person.as_bytes()[..]).bind(ask.after);
    let query = query.bind(i64::from(ask.unread)).bind(i64::from(ask.limit));
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

/// How many notices of an inbox are not marked as read.
///
/// # Errors
/// When the database refuses.
pub async fn unread(tx: &mut Tx, person: PersonId) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) AS found FROM notice WHERE person_id = $1 AND read_at IS NULL";
    sqlx::query(sql).bind(&person.as_bytes()[..]).fetch_one(tx.conn()).await?.int("found")
}

/// Marks notices as read; those that are already, or do not exist, are passed over.
///
/// # Errors
/// When the database refuses.
pub async fn mark_read(
    tx: &mut Tx,
    person: PersonId,
    numbers: &[i64],
    now: Millis,
) -> Result<(), StoreError> {
    for n in numbers {
        let sql = "UPDATE notice SET read_at = $3 \
                   WHERE person_id = $1 AND n = $2 AND read_at IS NULL";
        let query = sqlx::query(sql).bind(&person.as_bytes()[..]).bind(*n).bind(now.0);
        query.execute(tx.conn()).await?;
    }
    Ok(())
}

fn read(row: &AnyRow) -> Result<Told, StoreError> {
    Ok(Told {
        n: row.int("n")?,
        kind: word(row, "kind")?,
        because: word(row, "because")?,
        case: row.opt_array("case_id")?.map(DocId::from_bytes),
        number: row.opt_text("number")?,
        drill: row.opt_int("drill")? == Some(1),
        order: row.opt_array("order_id")?.map(FactId::from_bytes),
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        unit_name: row.opt_text("name")?,
        inspection: row.opt_array("inspection")?.map(DocId::from_bytes),
        clock: row.opt_text("clock")?,
        step: row.opt_int("step")?.and_then(|step| u32::try_from(step).ok()),
        due: row.opt_millis("due_at")?,
        at: row.millis("at")?,
        read_at: row.opt_millis("read_at")?,
    })
}

fn word<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let text = row.text(column)?;
    let value = serde_json::Value::String(text.clone());
    serde_json::from_value(value).map_err(|_| inconsistent(column, text, "a known name"))
}

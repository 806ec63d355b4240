//! A team that must ask the complainant something asks the command centre, which knows the number:
//! the team never does. A question is open for thirty minutes, its answer is shown for thirty more;
//! then the words are deleted, and only that somebody asked stays.

use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::store::{RowExt as _, StoreError, Tx};

/// How long a question is open, and an answer is shown.
pub const VALID_MS: i64 = 30 * 60_000;

/// A question to a complainant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CallBack {
    /// Its number.
    pub id: i64,
    /// The case.
    pub case: DocId,
    /// Who of the team asks.
    pub asked_by: PersonId,
    /// When.
    pub asked_at: Millis,
    /// Until when it can be answered, or the answer be read.
    pub until: Millis,
    /// What to ask.
    pub question: String,
    /// Who of the command centre asked the complainant.
    pub answered_by: Option<PersonId>,
    /// When.
    pub answered_at: Option<Millis>,
    /// What the complainant said, without what would give them away.
    pub answer: Option<String>,
}

const COLUMNS: &str = "SELECT id, case_id, asked_by, asked_at, until_at, question, answered_by, \
     answered_at, answer FROM call_back";

fn read(row: &AnyRow) -> Result<CallBack, StoreError> {
    Ok(CallBack {
        id: row.int("id")?,
        case: DocId::from_bytes(row.array("case_id")?),
        asked_by: PersonId::from_bytes(row.array("asked_by")?),
        asked_at: row.millis("asked_at")?,
        until: row.millis("until_at")?,
        question: row.text("question")?,
        answered_by: row.opt_array("answered_by")?.map(PersonId::from_bytes),
        answered_at: row.opt_millis("answered_at")?,
        answer: row.opt_text("answer")?,
    })
}

/// Puts a question.
///
/// # Errors
/// When the database refuses.
pub async fn ask(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    by: PersonId,
    question: &str,
) -> Result<CallBack, StoreError> {
    const SQL: &str = "INSERT INTO call_back (case_id, asked_by, asked_at, until_at, question) \
         VALUES ($1, $2, $3, $4, $5) RETURNING id, case_id, asked_by, asked_at, until_at, \
         question, answered_by, answered_at, answer";
    let now = app.now();
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]).bind(&by.as_bytes()[..]);
    let query = query.bind(now.0).bind(now.plus(VALID_MS).0).bind(question);
    let asked = read(&query.fetch_one(tx.conn()).await?)?;
    let entry = Entry::new(Deed::CallBackAsked, now).by(by).to(case.as_bytes());
    audit::note(tx, &[entry.object(asked.id.to_be_bytes())]).await?;
    Ok(asked)
}

/// One question that is still shown.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: i64, now: Millis) -> Result<Option<CallBack>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = $1 AND until_at > $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).bind(now.0);
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

/// Answers a question; `false` when somebody did already or its time is over.
///
/// # Errors
/// When the database refuses.
pub async fn answer(
    tx: &mut Tx,
    app: &App,
    asked: &CallBack,
    by: PersonId,
    answer: &str,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE call_back SET answered_by = $2, answered_at = $3, until_at = $4, \
         answer = $5 WHERE id = $1 AND answered_at IS NULL AND until_at > $3";
    let now = app.now();
    let query = sqlx::query(SQL).bind(asked.id).bind(&by.as_bytes()[..]).bind(now.0);
    let query = query.bind(now.plus(VALID_MS).0).bind(answer);
    if query.execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let entry = Entry::new(Deed::CallBackAnswered, now).by(by).to(asked.case.as_bytes());
    audit::note(tx, &[entry.object(asked.id.to_be_bytes())]).await?;
    Ok(true)
}

/// Which questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those of a case that are still shown.
    Of(DocId),
    /// Those that wait for an answer, in the whole bureau.
    Open,
}

/// Questions, oldest first, at most 200.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, which: Which, now: Millis) -> Result<Vec<CallBack>, StoreError> {
    let condition = match which {
        Which::Of(_) => "AND case_id = $2",
        Which::Open => "AND answered_at IS NULL",
    };
    let sql = format!("{COLUMNS} WHERE until_at > $1 {condition} ORDER BY id LIMIT 200");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0);
    let query = match which {
        Which::Of(case) => query.bind(case.as_bytes().to_vec()),
        Which::Open => query,
    };
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

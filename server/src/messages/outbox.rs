//! The outbox: one row for each message, with what became of it.

use onscene_sync_core::id::{DocId, FactId, MessageId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MessageState")]
pub enum State {
    /// It waits to be sent.
    Queued,
    /// The gateway has it.
    Sent,
    /// It arrived: the complainant is told.
    Delivered,
    /// It did not arrive.
    NotDelivered,
    /// Nothing was heard of it in time.
    Expired,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Queued, Self::Sent, Self::Delivered, Self::NotDelivered, Self::Expired];

    /// As it stands in the database and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::NotDelivered => "not_delivered",
            Self::Expired => "expired",
        }
    }

    /// Nothing more is awaited.
    #[must_use]
    pub const fn settled(self) -> bool {
        matches!(self, Self::Delivered | Self::NotDelivered | Self::Expired)
    }
}

/// A message as it is shown. It never says to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Message {
    /// Its id, also at the gateway.
    pub id: MessageId,
    /// The case.
    pub case: DocId,
    /// The unit's result that it tells of; `null` for what is answered without an order.
    pub result: Option<FactId>,
    /// The text that was used.
    pub template: String,
    /// What it says.
    pub text: String,
    /// How many messages the telephone network makes of it.
    pub parts: u32,
    /// It asks for an opinion.
    pub asks: bool,
    /// Who had it sent.
    pub by: PersonId,
    /// What became of it.
    pub state: State,
    /// Why it was not delivered, a word of the gateway's; empty otherwise.
    pub reason: String,
    /// How often it was handed to the gateway, or tried to be.
    pub attempts: i64,
    /// When it was ordered.
    pub queued_at: Millis,
    /// When the gateway gives it up; it is asked for a day more what became of it.
    pub expires_at: Millis,
    /// When it leaves, or left last.
    pub send_at: Millis,
    /// When it left; `null` until the gateway says that it has it.
    pub sent_at: Option<Millis>,
    /// When it was settled what became of it.
    pub settled_at: Option<Millis>,
    /// When the gateway said otherwise after that.
    pub contradicted_at: Option<Millis>,
    /// The message that was sent in its place.
    pub resent_as: Option<MessageId>,
}

const COLUMNS: &str = "message_id, case_id, result, template, text, parts, asks, ordered_by, state, \
     reason, attempts, queued_at, expires_at, send_at, sent_at, settled_at, contradicted_at, \
     resent_as";

fn read(row: &AnyRow) -> Result<Message, StoreError> {
    let name = row.text("state")?;
    let state = State::ALL.into_iter().find(|state| state.name() == name);
    Ok(Message {
        id: MessageId::from_bytes(row.array("message_id")?),
        case: DocId::from_bytes(row.array("case_id")?),
        result: row.opt_array("result")?.map(FactId::from_bytes),
        template: row.text("template")?,
        text: row.text("text")?,
        parts: row.number("parts")?,
        asks: row.int("asks")? != 0,
        by: PersonId::from_bytes(row.array("ordered_by")?),
        state: state.ok_or_else(|| inconsistent("message.state", name, "a known state"))?,
        reason: row.text("reason")?,
        attempts: row.int("attempts")?,
        queued_at: row.millis("queued_at")?,
        expires_at: row.millis("expires_at")?,
        send_at: row.millis("send_at")?,
        sent_at: row.opt_millis("sent_at")?,
        settled_at: row.opt_millis("settled_at")?,
        contradicted_at: row.opt_millis("contradicted_at")?,
        resent_as: row.opt_array("resent_as")?.map(MessageId::from_bytes),
    })
}

/// One message.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, id: MessageId) -> Result<Option<Message>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM message WHERE message_id = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&id.as_bytes()[..]);
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

/// All messages of a case, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn of_case(tx: &mut Tx, case: DocId) -> Result<Vec<Message>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM message WHERE case_id = $1 ORDER BY message_id");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&case.as_bytes()[..]);
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

/// Which messages.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only older than this one.
    pub before: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

/// Messages, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<Vec<Message>, StoreError> {
    let before = filter.before.unwrap_or(MessageId::from_bytes([0xff; 16]));
    let state = if filter.state.is_some() { "AND state = $3" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM message WHERE message_id < $1 {state} \
         ORDER BY message_id DESC LIMIT $2"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before.as_bytes().to_vec());
    let query = query.bind(i64::from(filter.limit));
    let query = match filter.state {
        Some(state) => query.bind(state.name()),
        None => query,
    };
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

/// Puts a message into the outbox.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO message (message_id, case_id, result, template, text, parts, asks, \
         ordered_by, state, reason, attempts, queued_at, expires_at, send_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 0, $10, $11, $12)";
    sqlx::query(SQL)
        .bind(&message.id.as_bytes()[..])
        .bind(&message.case.as_bytes()[..])
        .bind(message.result.map(|result| result.as_bytes().to_vec()))
        .bind(&message.template)
        .bind(&message.text)
        .bind(i64::from(message.parts))
        .bind(i64::from(message.asks))
        .bind(&message.by.as_bytes()[..])
        .bind(message.state.name())
        .bind(message.queued_at.0)
        .bind(message.expires_at.0)
        .bind(message.send_at.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// When the next message may leave: `gap_ms` after the last one leaves or left.
///
/// # Errors
/// When the database refuses.
pub async fn next_slot(tx: &mut Tx, now: Millis, gap_ms: i64) -> Result<Millis, StoreError> {
    const SQL: &str = "SELECT max(send_at) AS last FROM message";
    let last = sqlx::query(SQL).fetch_one(tx.conn()).await?.opt_millis("last")?;
    Ok(last.map_or(now, |last| last.plus(gap_ms).max(now)))
}

/// Counts an attempt at `now`; `false` when somebody else is at it or the message does not wait any more.
///
/// # Errors
/// When the database refuses.
pub async fn attempt(tx: &mut Tx, message: &Message, now: Millis) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE message SET attempts = attempts + 1, send_at = $3 \
         WHERE message_id = $1 AND state = 'queued' AND attempts = $2";
    let query = sqlx::query(SQL).bind(&message.id.as_bytes()[..]).bind(message.attempts);
    let query = query.bind(now.0);
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Notes what became of a message: its state, reason and moments.
///
/// # Errors
/// When the database refuses.
pub async fn update(tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE message SET state = $2, reason = $3, sent_at = $4, settled_at = $5, \
         contradicted_at = $6 WHERE message_id = $1";
    sqlx::query(SQL)
        .bind(&message.id.as_bytes()[..])
        .bind(message.state.name())
        .bind(&message.reason)
        .bind(message.sent_at.map(|at| at.0))
        .bind(message.settled_at.map(|at| at.0))
        .bind(message.contradicted_at.map(|at| at.0))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes that what did not arrive of a case was sent again as `id`.
///
/// # Errors
/// When the database refuses.
pub async fn resent(tx: &mut Tx, case: DocId, id: MessageId) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE message SET resent_as = $2 WHERE case_id = $1 \
         AND resent_as IS NULL AND state IN ('not_delivered', 'expired')";
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]).bind(&id.as_bytes()[..]);
    query.execute(tx.conn()).await?;
    Ok(())
}

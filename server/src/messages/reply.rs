//! What complainants write back. A reply belongs to the message that it names, or to the one that its number
//! was told by; one that belongs to none, or says more than 1, 2 or 3, waits for a person.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::telling::{Opinion, OpinionGiven};
use onscene_sync_core::id::{DocId, MessageId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::gateway::Standing;
use super::order::tells_what_stands;
use super::outbox::{self, Message, State};
use super::standing;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::cases::CaseError;
use crate::cases::project::name;
use crate::cases::record::load;
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};
use crate::vault::reply::{Reply, SealedReply};

/// How long after a message a reply without its id is taken for one to it.
const ANSWERED_WITHIN_MS: i64 = 7 * 24 * 3_600_000;

/// A reply on its way into the hub.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its id here.
    pub id: DocId,
    /// Its id at the gateway.
    pub reference: String,
    /// The message that it answers, if the gateway knows.
    pub in_reply_to: Option<MessageId>,
    /// Keyed hash of the number; `None` for what is no number.
    caller: Option<Vec<u8>>,
    /// What it says of the result, and whether it says nothing else.
    said: Option<(Opinion, bool)>,
    sealed: SealedReply,
}

impl Incoming {
    /// Seals what came in.
    #[must_use]
    pub fn new(
        app: &App,
        reference: String,
        in_reply_to: Option<MessageId>,
        reply: &Reply,
    ) -> Self {
        let id = DocId::from_bytes(app.new_id());
        let caller = app.keys.vault.caller(&reply.from);
        let sealed = SealedReply::new(app, id, reply);
        Self { id, reference, in_reply_to, caller, said: said(&reply.text), sealed }
    }
}

/// What a reply says of the result, and whether it says nothing else.
fn said(text: &str) -> Option<(Opinion, bool)> {
    let text = text.trim();
    let alone = text.trim_end_matches(['。', '.', '！', '!', '，', ',']);
    let whole = match alone {
        "1" | "１" | "满意" | "1满意" => Some(Opinion::Satisfied),
        "2" | "２" | "基本满意" | "2基本满意" => Some(Opinion::Partly),
        "3" | "３" | "不满意" | "3不满意" => Some(Opinion::NotSatisfied),
        _ => None,
    };
    if let Some(opinion) = whole {
        return Some((opinion, true));
    }
    let mut letters = text.chars();
    let opinion = match letters.next()? {
        '1' | '１' => Opinion::Satisfied,
        '2' | '２' => Opinion::Partly,
        '3' | '３' => Opinion::NotSatisfied,
        _ => return None,
    };
    // `3楼的灯` is no opinion.
    let parted = letters.next().is_some_and(|c| c.is_whitespace() || "，。,.；;:：、".contains(c));
    parted.then_some((opinion, false))
}

/// Keeps a reply, and states the opinion that it gives. One that came before is known by its reference.
///
/// # Errors
/// When the case or the vault cannot be read or written.
pub async fn take(tx: &mut Tx, app: &App, reply: &Incoming) -> Result<Vec<Poke>, CaseError> {
    let answered = answered(tx, app, reply).await?;
    let mut pokes = Vec::new();
    let mut heard = None;
    if !is_known(tx, &reply.reference).await?
        && let Some(message) = &answered
    {
        // Who answers a message has it.
        pokes =
            standing::take(tx, app, message.id, &Standing::Delivered).await?.unwrap_or_default();
        if let Some((opinion, more)) = hear(tx, app, reply, message).await? {
            heard = Some(opinion);
            pokes.extend(more);
        }
    }
    let settled = heard.is_some() && reply.said.is_some_and(|(_, alone)| alone);
    keep(tx, app, reply, answered.as_ref(), heard, settled).await?;
    Ok(pokes)
}

/// States the opinion, unless one was given in answer to this message before or it tells what does not
/// stand any more.
async fn hear(
    tx: &mut Tx,
    app: &App,
    reply: &Incoming,
    message: &Message,
) -> Result<Option<(Opinion, Vec<Poke>)>, CaseError> {
    let mut case = load(tx, message.case, true).await?;
    let before = case.record.opinions.iter().any(|one| one.given.body.message == Some(message.id));
    let Some((opinion, _)) = reply.said.filter(|_| message.asks && !before) else {
        return Ok(None);
    };
    if !tells_what_stands(&case.record, message) {
        return Ok(None);
    }
    let (reason, message) = (String::new(), Some(message.id));
    let given = Body::OpinionGiven(OpinionGiven { opinion, reason, by: None, message });
    Ok(Some((opinion, case.state(tx, app, vec![given]).await?.pokes)))
}

/// The message that a reply answers, if it is certain: its number is the one that the message went to.
async fn answered(tx: &mut Tx, app: &App, reply: &Incoming) -> Result<Option<Message>, StoreError> {
    const SQL: &str = "SELECT m.message_id AS id FROM complainant c \
         JOIN message m ON m.case_id = c.case_id \
         WHERE c.caller = $1 AND m.attempts > 0 AND m.queued_at >= $2 \
         ORDER BY m.message_id DESC LIMIT 200";
    let Some(caller) = reply.caller.clone() else { return Ok(None) };
    let since = app.now().plus(-ANSWERED_WITHIN_MS);
    let query = sqlx::query(SQL).bind(caller);
    let rows = match reply.in_reply_to {
        // A named message may be answered late.
        Some(_) => query.bind(0_i64),
        None => query.bind(since.0),
    };
    let rows = rows.fetch_all(tx.conn()).await?;
    let ids = rows.iter().map(|row| row.array("id").map(MessageId::from_bytes));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if let Some(named) = reply.in_reply_to {
        return if ids.contains(&named) { outbox::find(tx, named).await } else { Ok(None) };
    }
    let mut messages = Vec::new();
    for id in ids {
        messages.extend(outbox::find(tx, id).await?);
    }
    // Nobody answers what was never handed over, or what the gateway says did not arrive.
    messages.retain(|message| matches!(message.state, State::Sent | State::Delivered));
    // Two cases of one caller: a bare `3` may be about either.
    let one_case = messages.iter().all(|message| message.case == messages[0].case);
    Ok(messages.into_iter().next().filter(|_| one_case))
}

async fn is_known(tx: &mut Tx, reference: &str) -> Result<bool, StoreError> {
    let query = sqlx::query("SELECT reply_id FROM reply WHERE reference = $1").bind(reference);
    Ok(query.fetch_optional(tx.conn()).await?.is_some())
}

async fn keep(
    tx: &mut Tx,
    app: &App,
    reply: &Incoming,
    answered: Option<&Message>,
    heard: Option<Opinion>,
    settled: bool,
) -> Result<(), CaseError> {
    const SQL: &str = "INSERT INTO reply (reply_id, reference, received_at, case_id, message_id, \
         opinion, generation, wrapped_key, sealed, settled_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (reference) DO NOTHING";
    let (generation, wrapped, sealed) = reply.sealed.wrap(tx, app, reply.id).await?;
    sqlx::query(SQL)
        .bind(&reply.id.as_bytes()[..])
        .bind(&reply.reference)
        .bind(app.now().0)
        .bind(answered.map(|message| message.case.as_bytes().to_vec()))
        .bind(answered.map(|message| message.id.as_bytes().to_vec()))
        .bind(heard.map_or_else(String::new, |opinion| name(&opinion)))
        .bind(i64::from(generation))
        .bind(wrapped)
        .bind(sealed)
        .bind(settled.then_some(app.now().0))
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(())
}

/// A reply as it is listed: without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waiting {
    /// The reply.
    pub id: DocId,
    /// When it came.
    pub received_at: Millis,
    /// The case that it is about, if that is certain.
    pub case: Option<DocId>,
    /// The message that it answers.
    pub message: Option<MessageId>,
    /// The opinion that was taken from it; empty when none was.
    pub opinion: String,
}

/// At most `limit` replies that wait for a person, oldest first, from the one after `after` on.
///
/// # Errors
/// When the database refuses.
pub async fn waiting(
    tx: &mut Tx,
    after: Option<DocId>,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    const SQL: &str = "SELECT reply_id, received_at, case_id, message_id, opinion FROM reply \
         WHERE settled_at IS NULL AND reply_id > $1 ORDER BY reply_id LIMIT $2";
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let query = sqlx::query(SQL).bind(after).bind(i64::from(limit));
    let rows = query.fetch_all(tx.conn()).await?;
    let read = |row: &sqlx::any::AnyRow| {
        Ok(Waiting {
            id: DocId::from_bytes(row.array("reply_id")?),
            received_at: row.millis("received_at")?,
            case: row.opt_array("case_id")?.map(DocId::from_bytes),
            message: row.opt_array("message_id")?.map(MessageId::from_bytes),
            opinion: row.text("opinion")?,
        })
    };
    rows.iter().map(read).collect()
}

/// A person is done with a reply; `false` when there is none that waits.
///
/// # Errors
/// When the database refuses.
pub async fn settle(tx: &mut Tx, id: DocId, by: PersonId, now: Millis) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE reply SET settled_at = $2, settled_by = $3 \
         WHERE reply_id = $1 AND settled_at IS NULL";
    let query = sqlx::query(SQL).bind(&id.as_bytes()[..]).bind(now.0).bind(&by.as_bytes()[..]);
    if query.execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(false);
    }
    audit::note(tx, &[Entry::new(Deed::ReplySettled, now).by(by).to(id.as_bytes())]).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_an_opinion_only_where_it_is_plain() {
        let cases = [
            ("1", Some((Opinion::Satisfied, true))),
            (" ２。", Some((Opinion::Partly, true))),
            ("不满意", Some((Opinion::NotSatisfied, true))),
            ("3，还是很吵", Some((Opinion::NotSatisfied, false))),
            ("3 nobody came", Some((Opinion::NotSatisfied, false))),
            ("3楼的灯不亮", None),
            ("13812345678", None),
            ("谢谢", None),
            ("", None),
            ("4", None),
        ];
        for (text, expected) in cases {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}

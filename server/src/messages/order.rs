//! A person has a message sent.

use onscene_sync_core::fact::body::FedBack;
use onscene_sync_core::id::{DocId, MessageId, PersonId};
use onscene_sync_core::rules::closing::{answered_since, owes_telling};
use onscene_sync_core::rules::record::{CaseRecord, Stated as Said};

use super::outbox::{self, Message, State};
use super::send::{EXPIRE, SEND};
use super::template::{self, Template, Values};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::cases::CaseError;
use crate::cases::project::number_of;
use crate::cases::record::{Case, Stated, load};
use crate::cases::telling::require_answer;
use crate::intake::matters;
use crate::jobs::{NewJob, enqueue};
use crate::store::Tx;
use crate::vault::record::has_number;

/// A message that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its id.
    pub id: MessageId,
    /// Which text.
    pub template: String,
}

/// Puts a message to the complainant of a case into the outbox.
///
/// # Errors
/// A conflict when there is no gateway, no result or no number, or when one is under way already;
/// [`CaseError::Invalid`] for an unknown text or one that is too long when filled in.
pub async fn order(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    wanted: &Wanted,
) -> Result<Stated, CaseError> {
    let case = load(tx, id, true).await?;
    require_answer(&case)?;
    let about = case.record.registration.as_ref().map(|registration| &registration.body);
    if !about.is_some_and(owes_telling) {
        let why = "nobody waits to be told: it is a suggestion, a drill or what a patrol found";
        return Err(conflict("nobody_to_tell", why));
    }
    if app.gateway.is_none() {
        return Err(conflict(
            "sms_off",
            "no gateway is configured: tell the complainant by telephone",
        ));
    }
    if !has_number(tx, id).await? {
        let why = "no number is stored with the case: put on record that the complainant is anonymous, \
                   or tell them another way";
        return Err(conflict("no_number", why));
    }
    let result = standing_result(&case.record).map(|result| result.fact);
    let before = outbox::of_case(tx, id).await?;
    if before.iter().any(|one| !one.state.settled() && one.result == result) {
        let why = "a message about this result is under way: wait for what becomes of it";
        return Err(conflict("message_under_way", why));
    }
    let template = open_template(tx, &wanted.template).await?;
    let text = filled(tx, app, &case, &template).await?;
    let parts = template::parts(&text);
    if parts > app.config.sms.parts {
        let most = app.config.sms.parts;
        let why =
            format!("makes {parts} messages when filled in, at most {most} are sent: shorten it");
        return Err(CaseError::Invalid { field: "template", why });
    }
    let now = app.now();
    let gap_ms = 60_000 / i64::from(app.config.sms.per_minute.max(1));
    let message = Message {
        id: wanted.id,
        case: id,
        result,
        template: template.key,
        text,
        parts,
        asks: template.asks,
        by,
        state: State::Queued,
        reason: String::new(),
        attempts: 0,
        queued_at: now,
        expires_at: now.plus(i64::from(app.config.sms.expire_hours) * 3_600_000),
        send_at: outbox::next_slot(tx, now, gap_ms).await?,
        sent_at: None,
        settled_at: None,
        contradicted_at: None,
        resent_as: None,
    };
    put(tx, &message).await?;
    Ok(Stated::default())
}

async fn put(tx: &mut Tx, message: &Message) -> Result<(), CaseError> {
    let now = message.queued_at;
    outbox::resent(tx, message.case, message.id).await?;
    outbox::insert(tx, message).await?;
    let entry = Entry::new(Deed::MessageOrdered, now).by(message.by).to(message.case.as_bytes());
    audit::note(tx, &[entry.object(message.id.as_bytes().to_vec())]).await?;
    enqueue(tx, NewJob::new(SEND, message.send_at, &(message.id, 0))?).await?;
    enqueue(tx, NewJob::new(EXPIRE, message.expires_at, &message.id)?).await?;
    Ok(())
}

async fn open_template(tx: &mut Tx, key: &str) -> Result<Template, CaseError> {
    let found = template::find(tx, key).await?;
    found.filter(|template| template.closed_at.is_none()).ok_or_else(|| {
        let why = "is no open text: GET /v1/message-templates lists them".to_owned();
        CaseError::Invalid { field: "template", why }
    })
}

async fn filled(
    tx: &mut Tx,
    app: &App,
    case: &Case,
    template: &Template,
) -> Result<String, CaseError> {
    let number = number_of(tx, case.id).await?.unwrap_or_default();
    let about = case.record.registration.as_ref().map(|registration| &registration.body);
    let key = about.map_or("", |about| about.matter.as_str());
    let matter = matters::find(tx, key).await?.map_or_else(String::new, |matter| matter.zh);
    let result = standing_result(&case.record).and_then(|result| result.body.result);
    let local = app.config.bureau.local(app.now());
    let values = Values {
        number: &number,
        matter: &matter,
        result: result.map_or("已答复", template::result_words),
        date: local.split(' ').next().unwrap_or_default(),
    };
    Ok(template::fill(&template.text, &values))
}

/// The result that the complainant is told now, also of a case that was closed with it.
#[must_use]
pub fn standing_result(record: &CaseRecord) -> Option<&Said<FedBack>> {
    let order = record.orders.iter().rev().find(|order| order.withdrawn.is_none())?;
    order.standing_result()
}

/// Whether `message` tells what the complainant is to be told now.
#[must_use]
pub fn tells_what_stands(record: &CaseRecord, message: &Message) -> bool {
    let result = standing_result(record).map(|result| result.fact);
    result == message.result && (answered_since(record).is_some() || record.is_closed())
}

fn conflict(code: &'static str, why: &str) -> CaseError {
    CaseError::Conflict { code, why: why.to_owned() }
}

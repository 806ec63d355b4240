//! Sending: long work, so that no transaction waits for the gateway.
//!
//! Each step is committed before the next: first the attempt is counted and the look at the number put on
//! record, then the message leaves. An attempt whose answer was lost is asked about before another is
//! made; and the gateway sends an id once, however often it is handed over.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::id::MessageId;

use super::gateway::{Gateway, Outgoing, Reason, Standing, Unclear};
use super::order::tells_what_stands;
use super::outbox::{self, Message, State};
use super::standing;
use crate::app::App;
use crate::cases::CaseError;
use crate::cases::record::load;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::random;
use crate::store::{StoreError, Tx};
use crate::vault::VaultError;
use crate::vault::read::{Look, Purpose, look};
use crate::vault::record::Complainant;

/// Kind of the work that sends a message.
pub const SEND: &str = "message.send";
/// Kind of the work that asks what became of a message when its time is over.
pub const EXPIRE: &str = "message.expire";
/// Kind of the work that asks so again.
pub const ASK: &str = "message.ask";

/// The longest wait after the first attempt that brought no answer; doubled each time.
const FIRST_WAIT_MS: i64 = 2_000;
/// The longest wait between attempts.
const LONGEST_WAIT_MS: i64 = 15 * 60_000;
/// The wait after the gateway was first asked in vain what became of a message; doubled each time.
const FIRST_ASKED_AGAIN_MS: i64 = 5 * 60_000;
/// The longest such wait.
const LAST_ASKED_AGAIN_MS: i64 = 60 * 60_000;
/// How long it is asked after the message's time is over.
const ASKED_FOR_MS: i64 = 24 * 60 * 60_000;

/// Does [`SEND`].
pub fn run(app: App, job: Job) -> BoxFuture<'static, Result<(), JobError>> {
    async move {
        let (id, tries) = job.payload()?;
        let Some(message) = find(&app, id).await?.filter(|one| one.state == State::Queued) else {
            return Ok(());
        };
        let Some(gateway) = app.gateway.clone() else {
            return again(&app, &message, tries, "no gateway is configured").await;
        };
        if gateway.rests() {
            return again(&app, &message, tries, "the gateway failed a moment ago").await;
        }
        if message.attempts > 0 {
            match gateway.ask(id).await {
                Ok(Some(standing)) => return take(&app, id, standing).await,
                Ok(None) => {}
                Err(unclear) => return again(&app, &message, tries, &unclear.0).await,
            }
        }
        if is_overtaken(&app, &message).await? {
            return take(&app, id, Standing::Failed(Reason::new("overtaken"))).await;
        }
        hand_over(&app, &*gateway, &message, tries).await
    }
    .boxed()
}

/// Does [`EXPIRE`].
pub fn expire(app: App, job: Job) -> BoxFuture<'static, Result<(), JobError>> {
    async move { conclude(&app, job.payload()?, 0).await }.boxed()
}

/// Does [`ASK`].
pub fn ask(app: App, job: Job) -> BoxFuture<'static, Result<(), JobError>> {
    async move {
        let (id, asked) = job.payload()?;
        conclude(&app, id, asked).await
    }
    .boxed()
}

/// Asks for a receipt that was lost, again and again while the gateway does not say, and then gives the
/// message up.
async fn conclude(app: &App, id: MessageId, asked: u32) -> Result<(), JobError> {
    let Some(message) = find(app, id).await?.filter(|one| !one.state.settled()) else {
        return Ok(());
    };
    let heard = match &app.gateway {
        _ if message.attempts == 0 => Ok(None),
        Some(gateway) => gateway.ask(id).await,
        None => Err(Unclear("no gateway is configured".to_owned())),
    };
    match heard {
        Ok(None) => return take(app, id, Standing::Expired).await,
        Ok(Some(Standing::Accepted)) => take(app, id, Standing::Accepted).await?,
        Ok(Some(settled)) => return take(app, id, settled).await,
        Err(unclear) => tracing::warn!(message = %id, asked, why = unclear.0, "asked in vain"),
    }
    let wait_ms = (FIRST_ASKED_AGAIN_MS << asked.min(20)).min(LAST_ASKED_AGAIN_MS);
    let next = app.now().plus(wait_ms);
    if next > message.expires_at.plus(ASKED_FOR_MS) {
        return take(app, id, Standing::Expired).await;
    }
    plan(app, NewJob::new(ASK, next, &(id, asked.saturating_add(1)))?).await
}

async fn hand_over(
    app: &App,
    gateway: &dyn Gateway,
    message: &Message,
    tries: u32,
) -> Result<(), JobError> {
    let reason = format!("text message {}", message.id);
    let wish = Look::new(app, message.case, message.by, Purpose::Message, reason);
    let input = (app.clone(), message.clone(), wish);
    // The number is used only after the transaction that puts the look on record was committed.
    let seen = app.store.with_tx("message.reveal", input, |tx, (app, message, wish)| {
        Box::pin(reveal(tx, app, message, wish))
    });
    let complainant = match seen.await {
        Ok(Some(complainant)) if !complainant.number.is_empty() => complainant,
        Ok(None) => return Ok(()),
        Ok(Some(_)) | Err(VaultError::Absent(_) | VaultError::Erased(_)) => {
            return take(app, message.id, Standing::Failed(Reason::new("no_number"))).await;
        }
        Err(VaultError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(JobError::Failed(error.to_string())),
    };
    let (id, expires_at) = (message.id, message.expires_at);
    let outgoing = Outgoing { id, to: &complainant.number, text: &message.text, expires_at };
    match gateway.send(outgoing).await {
        Ok(standing) => take(app, message.id, standing).await,
        Err(unclear) => again(app, message, tries, &unclear.0).await,
    }
}

/// Counts the attempt and opens the record; `None` when somebody else is at it.
async fn reveal(
    tx: &mut Tx,
    app: &App,
    message: &Message,
    wish: &Look,
) -> Result<Option<Complainant>, VaultError> {
    if !outbox::attempt(tx, message, app.now()).await? {
        return Ok(None);
    }
    look(tx, app, wish).await.map(Some)
}

/// Whether a message tells of a result that does not stand any more.
async fn is_overtaken(app: &App, message: &Message) -> Result<bool, JobError> {
    let stands = app.store.with_read("message.stands", message.clone(), |tx, message| {
        Box::pin(async move {
            let case = load(tx, message.case, false).await?;
            Ok::<_, CaseError>(tells_what_stands(&case.record, message))
        })
    });
    Ok(!stands.await?)
}

async fn find(app: &App, id: MessageId) -> Result<Option<Message>, StoreError> {
    app.store
        .with_read("message.find", id, |tx, id| {
            Box::pin(async move { outbox::find(tx, *id).await })
        })
        .await
}

async fn take(app: &App, id: MessageId, standing: Standing) -> Result<(), JobError> {
    let input = (app.clone(), id, standing);
    let taken = app.store.with_tx("message.take", input, |tx, (app, id, standing)| {
        Box::pin(async move { standing::take(tx, app, *id, standing).await })
    });
    let pokes = taken.await.map_err(|error: CaseError| JobError::from(error))?;
    pokes.into_iter().flatten().for_each(|poke| app.pokes.ring(poke));
    Ok(())
}

/// Tries again after a while, until the message's time is over.
async fn again(app: &App, message: &Message, tries: u32, why: &str) -> Result<(), JobError> {
    tracing::warn!(message = %message.id, tries, why, "a message waits");
    let next = app.now().plus(wait_ms(app, tries));
    if next >= message.expires_at {
        return Ok(());
    }
    let job = NewJob::new(SEND, next, &(message.id, tries.saturating_add(1)))?;
    plan(app, job).await
}

async fn plan(app: &App, job: NewJob) -> Result<(), JobError> {
    let planned = app.store.with_tx("message.again", job, |tx, job| {
        Box::pin(async move { enqueue(tx, job.clone()).await })
    });
    planned.await?;
    Ok(())
}

/// Anything between nothing and a bound that doubles (full jitter): messages that failed together do not
/// come again together.
fn wait_ms(app: &App, tries: u32) -> i64 {
    let bound = (FIRST_WAIT_MS << tries.min(20)).min(LONGEST_WAIT_MS);
    bound * i64::from(u16::from_be_bytes(random::bytes(&*app.random))) / i64::from(u16::MAX)
}

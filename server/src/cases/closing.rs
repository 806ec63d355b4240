//! Closing a case: by a person once nothing is missing, or by itself when nothing has been missing for
//! `cases.close_after_days`. And opening it again.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{RecheckFinding, Text};
use onscene_sync_core::fact::telling::{ReopenCause, Reopening};
use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::rules::closing::{Missing, missing, settled_since};
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::time::Millis;

use super::act::require;
use super::record::{Case, load, policy_of};
use super::{CaseError, evidence, required_text};
use crate::app::App;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::Tx;

/// Kind of the job that closes a case by itself.
pub const CLOSE: &str = "case.close";

const DAY_MS: i64 = 24 * 3_600_000;

/// A person closes the case.
///
/// # Errors
/// [`CaseError::Unfinished`] names all that is missing.
pub(super) async fn close(
    tx: &mut Tx,
    case: &Case,
    by: PersonId,
    words: &str,
) -> Result<Body, CaseError> {
    required_text("text", words)?;
    case.require_open()?;
    let missing = lacks(tx, case).await?;
    if !missing.is_empty() {
        return Err(CaseError::Unfinished(missing));
    }
    Ok(Body::Closed(Text { text: words.to_owned(), by: Some(by) }))
}

/// What an open case lacks to be closed.
pub(crate) async fn lacks(tx: &mut Tx, case: &Case) -> Result<Vec<Missing>, CaseError> {
    let conflict = match case.record.live_order() {
        Some(order) => {
            let visit = evidence::document(tx, order.issued.body.inspection).await?;
            visit.outcomes().into_iter().filter(|id| !order.is_taken_back(*id)).count() > 1
        }
        None => false,
    };
    Ok(missing(&case.record, &policy_of(&case.record)?, conflict))
}

/// Plans that the case closes by itself, if nothing but time is missing.
pub(super) async fn plan(tx: &mut Tx, app: &App, case: &Case) -> Result<(), CaseError> {
    let Some(ripe) = ripe_at(app, case)? else { return Ok(()) };
    let job = NewJob::new(CLOSE, ripe, &case.id)?;
    enqueue(tx, job.once(format!("{} {}", case.id, ripe.0))).await?;
    Ok(())
}

/// When an open case that lacks nothing closes by itself: so long after the last that bears on it. Never
/// when nothing shows the result: a person has to look at that.
fn ripe_at(app: &App, case: &Case) -> Result<Option<Millis>, CaseError> {
    let days = i64::from(app.config.cases.close_after_days);
    if days == 0 || case.record.is_closed() || case.record.registration.is_none() {
        return Ok(None);
    }
    let missing = missing(&case.record, &policy_of(&case.record)?, false);
    let result = case.record.live_order().and_then(|order| order.standing_result());
    if !missing.is_empty() || result.is_some_and(|result| result.body.unproven()) {
        return Ok(None);
    }
    Ok(settled_since(&case.record).map(|since| since.plus(days * DAY_MS)))
}

/// Handler of [`CLOSE`].
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let id: DocId = job.payload()?;
        let mut case = load(tx, id, true).await?;
        // Something that bears on it may have been stated since: then another job was planned, if any.
        if ripe_at(app, &case)?.is_none_or(|ripe| ripe > app.now()) {
            return Ok(Vec::new());
        }
        // The team's results differ. That it agrees is stated in the case only if its result changes.
        if !lacks(tx, &case).await?.is_empty() {
            let next = app.now().plus(DAY_MS);
            let again = NewJob::new(CLOSE, next, &id)?;
            enqueue(tx, again.once(format!("{id} {}", next.0))).await?;
            return Ok(Vec::new());
        }
        let days = app.config.cases.close_after_days;
        let text = format!("nothing has been missing for {days} days");
        let closed = Body::Closed(Text { text, by: None });
        Ok(case.state(tx, app, vec![closed]).await?.pokes)
    }
    .boxed()
}

/// Opens the case again.
pub(super) fn reopen(
    case: &Case,
    by: PersonId,
    words: &str,
    cause: ReopenCause,
) -> Result<Body, CaseError> {
    required_text("text", words)?;
    require(case.record.is_closed(), "case_open", "the case is open already")?;
    require(
        cause != ReopenCause::Finding || found_wanting(&case.record),
        "no_finding",
        "no recheck since the closure found the work wanting: name another cause",
    )?;
    Ok(Body::Reopened(Reopening { text: words.to_owned(), by: Some(by), cause: Some(cause) }))
}

/// A recheck since the last closure found other than what was reported.
fn found_wanting(record: &CaseRecord) -> bool {
    let closed = record.closures.last().map(|closure| closure.at);
    let since = |at: Millis| closed.is_none_or(|closed| at >= closed);
    record.rechecks.iter().any(|one| since(one.at) && one.body.finding != RecheckFinding::Upheld)
}

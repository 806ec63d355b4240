//! Judging a claim again when its phone brought more evidence: the clock readings of an anchor, the
//! facts that its chain lacked, or a receipt that moves the start of the order's clock; and when
//! another claim turned out to rest on the same track.
//!
//! Another verdict is stated only where it says something else; a claim that a supervisor settled,
//! or that its phone took back, is left alone.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::body::Judged;
use onscene_sync_core::id::{DeviceId, DocId, FactId};
use onscene_sync_core::rules::arrival::Verdict;
use onscene_sync_core::rules::record::Order;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::CaseError;
use super::dispatch::order_of;
use super::judge::{self, judged};
use super::record::load;
use crate::app::App;
use crate::hub::record::FactArrived;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// Kind of the job that judges one claim again.
pub const REJUDGE: &str = "case.rejudge";
/// Kind of the job that finds the claims behind a gap that was filled.
pub const SWEEP: &str = "case.rejudge_sweep";

/// Claims planned for at once.
const CLAIMS: usize = 16;
/// A claim is looked at again for so many anchors after it; later ones tell next to nothing.
const ANCHORS_AFTER: i64 = 3;
/// A difference of the latest moment below this, milliseconds, is not worth another verdict.
const SAME_MOMENT_MS: i64 = 60_000;

/// What a request brought that may tell about earlier claims of its phone.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// The phone.
    pub device: DeviceId,
    /// The hub learned when the phone had received an anchor.
    pub acknowledged: bool,
    /// Places in its chain that were filled: install and number.
    pub facts: &'a [(u32, u64)],
}

/// Plans a second look at the claims that the news may bear on. `true` when a job is due at once.
///
/// # Errors
/// When the database refuses.
pub async fn expect(tx: &mut Tx, news: &News<'_>, now: Millis) -> Result<bool, StoreError> {
    let mut due = false;
    if news.acknowledged || !news.facts.is_empty() {
        let claims = recent(tx, news.device, now).await?;
        due |= plan(tx, &claims, now).await?;
    }
    let mut first: Vec<(u32, u64)> = news.facts.to_vec();
    first.sort_unstable();
    first.dedup_by_key(|place| place.0);
    for (install, after) in first {
        let gap = Gap { device: news.device, install, after, before: now };
        due |= sweep_from(tx, gap, now).await?;
    }
    Ok(due)
}

/// Plans a second look at the claims of an order whose receipt has moved.
///
/// # Errors
/// When the database refuses.
pub(super) async fn expect_for_receipt(
    tx: &mut Tx,
    order: &Order,
    now: Millis,
) -> Result<(), StoreError> {
    let inspection = order.issued.body.inspection;
    let claims = order.claims.iter().rev().take(CLAIMS);
    let claims: Vec<_> =
        claims.map(|claim| FactArrived { inspection, fact: claim.arrival }).collect();
    plan(tx, &claims, now).await.map(drop)
}

/// Handler of [`REJUDGE`].
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move { Ok(judge_again(tx, app, job.payload()?).await?) }.boxed()
}

/// Handler of [`SWEEP`].
pub fn sweep<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        sweep_from(tx, job.payload()?, app.now()).await?;
        Ok(Vec::new())
    }
    .boxed()
}

async fn judge_again(
    tx: &mut Tx,
    app: &App,
    FactArrived { inspection, fact }: FactArrived,
) -> Result<Vec<Poke>, CaseError> {
    let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let mut case = load(tx, found.case, true).await?;
    let order = case.order(found.order)?;
    let claim = order.claims.iter().find(|claim| claim.arrival == fact);
    let Some(claim) = claim.filter(|claim| claim.settled.is_empty()) else {
        return Ok(Vec::new());
    };
    if order.is_taken_back(fact) {
        return Ok(Vec::new());
    }
    let again = judged(tx, &case, found.order, inspection, fact).await?;
    let same = |last: &Judged| says_the_same(&last.verdict, &again.0.verdict);
    if claim.judged.last().is_some_and(|last| same(&last.body)) {
        return Ok(Vec::new());
    }
    judge::state(tx, app, &mut case, again).await
}

/// Whether nothing but a few seconds of a bound lies between two verdicts.
fn says_the_same(before: &Verdict, after: &Verdict) -> bool {
    let same_moment = match (before.time.bounds.latest, after.time.bounds.latest) {
        (Some(before), Some(after)) => before.since(after).abs() < SAME_MOMENT_MS,
        (before, after) => before == after,
    };
    let told = |verdict: &Verdict| {
        let Verdict { conclusion, grade, place, timing, started_at, deadline, .. } = *verdict;
        (conclusion, grade, place, timing, started_at, deadline)
    };
    same_moment
        && told(before) == told(after)
        && (&before.flags, &before.reasons) == (&after.flags, &after.reasons)
}

/// Claims admitted since the anchor before the newest few that the phone acknowledged.
async fn recent(
    tx: &mut Tx,
    device: DeviceId,
    now: Millis,
) -> Result<Vec<FactArrived>, StoreError> {
    const SINCE: &str = "SELECT a.at AS at FROM anchor l \
         JOIN anchor a ON a.device = l.device AND a.number = l.acknowledges \
         WHERE l.device = $1 AND l.acknowledges IS NOT NULL \
         ORDER BY l.number DESC LIMIT 1 OFFSET $2";
    const SQL: &str = "SELECT fact_id, doc_id FROM fact \
         WHERE device = $1 AND kind = 1 AND received_at >= $2 AND received_at < $3 \
         ORDER BY received_at DESC, seq DESC LIMIT $4";
    let since = sqlx::query(SINCE).bind(&device.as_bytes()[..]).bind(ANCHORS_AFTER - 1);
    let since = since.fetch_optional(tx.conn()).await?;
    let since = since.map_or(Ok(i64::MIN), |row| row.int("at"))?;
    let query = sqlx::query(SQL).bind(&device.as_bytes()[..]).bind(since);
    let query = query.bind(now.0).bind(i64::try_from(CLAIMS).unwrap_or(i64::MAX));
    query.fetch_all(tx.conn()).await?.iter().map(claim).collect()
}

/// A place in a chain that was filled while facts after it were here already.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Gap {
    device: DeviceId,
    install: u32,
    after: u64,
    /// The facts meant were admitted before this.
    before: Millis,
}

/// Plans for the first claims after a gap, and for a look at the rest.
async fn sweep_from(tx: &mut Tx, gap: Gap, now: Millis) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT fact_id, doc_id, seq FROM fact \
         WHERE device = $1 AND install = $2 AND seq > $3 AND kind = 1 AND received_at < $4 \
         ORDER BY seq LIMIT $5";
    let query = sqlx::query(SQL).bind(&gap.device.as_bytes()[..]).bind(i64::from(gap.install));
    let query = query.bind(i64::try_from(gap.after).unwrap_or(i64::MAX)).bind(gap.before.0);
    let rows = query.bind(i64::try_from(CLAIMS).unwrap_or(i64::MAX)).fetch_all(tx.conn()).await?;
    let claims = rows.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
    if let Some(last) = rows.last().filter(|_| rows.len() == CLAIMS) {
        let rest = Gap { after: last.number("seq")?, ..gap };
        let job = NewJob::new(SWEEP, now, &rest).expect("ids and numbers have a JSON form");
        enqueue(tx, job).await?;
    }
    plan(tx, &claims, now).await
}

fn claim(row: &AnyRow) -> Result<FactArrived, StoreError> {
    let inspection = DocId::from_bytes(row.array("doc_id")?);
    Ok(FactArrived { inspection, fact: FactId::from_bytes(row.array("fact_id")?) })
}

/// One job for each claim, and no second one for the same moment.
pub(super) async fn plan(
    tx: &mut Tx,
    claims: &[FactArrived],
    now: Millis,
) -> Result<bool, StoreError> {
    let mut due = false;
    for claim in claims {
        let job = NewJob::new(REJUDGE, now, claim).expect("two ids have a JSON form");
        due |= enqueue(tx, job.once(format!("{} {}", claim.fact, now.0))).await?;
    }
    Ok(due)
}

//! Runs what is due: once for tests and simulations, for ever in a server.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Effect, Job, JobError, sweep, table};
use crate::app::App;
use crate::audit;
use crate::evidence;
use crate::random;
use crate::store::StoreError;

/// Jobs claimed at once.
const BATCH: i64 = 16;
/// Batches in one pass, so that a job that keeps enqueuing itself cannot hold the runner.
const BATCHES: usize = 1_000;
/// Tries of one job before a person must look.
const TRIES: i64 = 12;
/// Wait after the first failed try; doubled each time.
const FIRST_WAIT_MS: i64 = 1_000;
/// The longest wait between tries.
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// How often done jobs are forgotten and the rest counted.
const TIDY_EVERY_MS: i64 = 60_000;
/// How often the other tables are swept.
const SWEEP_EVERY_MS: i64 = 3_600_000;
/// How often the audit log is looked after, and the checkpoints of other processes looked for.
const KEEP_LOG_EVERY_MS: i64 = 5_000;
/// How long a done job, and with it its key, is kept.
const KEEP_DONE_MS: i64 = 35 * 24 * 3_600_000;
/// How often the table is looked at when nobody rings. Deadlines are kept to this.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// Runs every job that is due by the hub's clock, those that they enqueue included, and returns
/// how many were claimed.
///
/// # Errors
/// When the database refuses to hand out jobs. A job's own failure is recorded with the job.
pub async fn run_due(app: &App) -> Result<usize, StoreError> {
    let kinds: Vec<_> = app.jobs.handlers.keys().copied().collect();
    if kinds.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    for _ in 0..BATCHES {
        let jobs = app
            .store
            .with_tx("job.claim", (kinds.clone(), app.now()), |tx, (kinds, now)| {
                Box::pin(table::claim(tx, kinds, *now, BATCH))
            })
            .await?;
        if jobs.is_empty() {
            break;
        }
        count += jobs.len();
        for job in jobs {
            if let Some(effect) = app.jobs.handlers.get(job.kind.as_str()) {
                run_one(app, job, *effect).await?;
            }
        }
    }
    Ok(count)
}

/// Runs jobs as they fall due until the program stops. Errors are logged and tried again.
pub async fn keep_running(app: App) {
    let mut stop = app.stopper.listen();
    let mut tidied = None;
    let mut swept = None;
    let mut kept = None;
    loop {
        if let Err(error) = run_due(&app).await {
            tracing::error!(%error, "jobs cannot be claimed");
        }
        let now = app.now();
        if tidied.is_none_or(|last| now.since(last).abs() >= TIDY_EVERY_MS) {
            tidied = Some(now);
            if let Err(error) = tidy(&app).await {
                tracing::error!(%error, "done jobs cannot be forgotten");
            }
        }
        if swept.is_none_or(|last| now.since(last).abs() >= SWEEP_EVERY_MS) {
            swept = Some(now);
            if let Err(error) = sweep(&app).await {
                tracing::error!(%error, "what is over cannot be forgotten");
            }
            if let Err(error) = evidence::sweep::sweep(&app).await {
                tracing::error!(%error, "files whose time is over cannot be cleared away");
            }
        }
        if kept.is_none_or(|last| now.since(last).abs() >= KEEP_LOG_EVERY_MS) {
            kept = Some(now);
            if let Err(error) = audit::tend(&app).await {
                tracing::error!(%error, "the audit log cannot be kept");
            }
        }
        tokio::select! {
            () = stop.requested() => return,
            () = app.jobs.bell.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Forgets what was done long ago and shows how many jobs wait and how many were given up.
///
/// # Errors
/// When the database refuses.
pub async fn tidy(app: &App) -> Result<u64, StoreError> {
    let before = app.now().plus(-KEEP_DONE_MS);
    let mut count = 0;
    loop {
        let forgotten = app
            .store
            .with_tx("job.forget", before, |tx, before| Box::pin(table::forget(tx, *before)))
            .await?;
        count += forgotten;
        if forgotten < table::FORGET_AT_ONCE {
            break;
        }
    }
    let standing =
        app.store.with_read("job.standing", (), |tx, ()| Box::pin(table::standing(tx))).await?;
    metrics::gauge!("onscene_jobs", "state" => "pending").set(standing.pending as f64);
    metrics::gauge!("onscene_jobs", "state" => "failed").set(standing.failed as f64);
    Ok(count)
}

async fn run_one(app: &App, job: Job, effect: Effect) -> Result<(), StoreError> {
    let run = app.store.with_tx("job.run", (app.clone(), job.clone()), move |tx, (app, job)| {
        Box::pin(async move {
            if !table::complete(tx, job, app.now()).await? {
                return Ok(Vec::new());
            }
            effect(tx, app, job).await
        })
    });
    let result = AssertUnwindSafe(run)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(JobError::Failed("the handler panicked".to_owned())));
    let outcome = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!("onscene_jobs_total", "kind" => job.kind.clone(), "outcome" => outcome)
        .increment(1);
    match result {
        Ok(pokes) => {
            pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
            Ok(())
        }
        Err(error) => put_back(app, job, error.to_string()).await,
    }
}

pub(super) async fn put_back(app: &App, job: Job, error: String) -> Result<(), StoreError> {
    let now = app.now();
    let again = (job.attempt < TRIES).then(|| now.plus(wait_ms(app, job.attempt)));
    tracing::warn!(
        kind = job.kind,
        attempt = job.attempt,
        given_up = again.is_none(),
        error,
        "job"
    );
    app.store
        .with_tx("job.put_back", (job, error, now, again), |tx, (job, error, now, again)| {
            Box::pin(table::put_back(tx, job, error, *now, *again))
        })
        .await
}

/// Doubling up to an hour, plus up to a quarter, so that what failed together does not return
/// together.
fn wait_ms(app: &App, attempt: i64) -> i64 {
    let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(20);
    let wait = (FIRST_WAIT_MS << doublings).min(LONGEST_WAIT_MS);
    let spread = i64::from(u16::from_be_bytes(random::bytes(&*app.random)));
    wait + wait / 4 * spread / i64::from(u16::MAX)
}

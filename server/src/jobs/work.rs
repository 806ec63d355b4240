//! Long work: what takes seconds, or waits for other systems, and must not hold a transaction or
//! the other jobs meanwhile.
//!
//! It is claimed like any job and runs outside of a transaction; its completion is recorded after it.
//! So it may run twice (a process may end in between), and its effect must be one that does no harm
//! twice.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::runner::{POLL, put_back};
use super::{Job, JobError, table};
use crate::app::App;
use crate::store::StoreError;

/// What one kind of long work does.
pub type Work = fn(App, Job) -> BoxFuture<'static, Result<(), JobError>>;

/// Does all long work that is due by the hub's clock, one after the other; returns how much.
///
/// # Errors
/// When the database refuses to hand it out. The work's own failure is recorded with the job.
pub async fn work_due(app: &App) -> Result<usize, StoreError> {
    let kinds: Vec<_> = app.jobs.work.keys().copied().collect();
    if kinds.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    loop {
        let claim = app.store.with_tx("work.claim", (kinds.clone(), app.now()), |tx, input| {
            Box::pin(table::claim(tx, &input.0, input.1, 1))
        });
        let Some(job) = claim.await?.pop() else { return Ok(count) };
        count += 1;
        if let Some(work) = app.jobs.work.get(job.kind.as_str()) {
            work_one(app, job, *work).await?;
        }
    }
}

async fn work_one(app: &App, job: Job, work: Work) -> Result<(), StoreError> {
    let result = AssertUnwindSafe(work(app.clone(), job.clone()))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(JobError::Failed("the work panicked".to_owned())));
    let outcome = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!("onscene_jobs_total", "kind" => job.kind.clone(), "outcome" => outcome)
        .increment(1);
    if let Err(error) = result {
        return put_back(app, job, error.to_string()).await;
    }
    let done = app.store.with_tx("work.complete", (job, app.now()), |tx, (job, now)| {
        Box::pin(table::complete(tx, job, *now))
    });
    done.await.map(drop)
}

/// Does long work as it falls due until the program stops.
pub async fn keep_working(app: App) {
    let mut stop = app.stopper.listen();
    loop {
        tokio::select! {
            () = stop.requested() => return,
            worked = work_due(&app) => {
                if let Err(error) = worked {
                    tracing::error!(%error, "long work cannot be claimed");
                }
            }
        }
        tokio::select! {
            () = stop.requested() => return,
            () = app.jobs.work_bell.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

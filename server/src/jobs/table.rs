//! The table's statements.

use onscene_sync_core::time::Millis;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{Job, JobError};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// How long a claimed job belongs to its claimer. Far longer than any effect takes.
const LEASE_MS: i64 = 60_000;
/// Rows deleted in one transaction, so that it stays short.
pub(super) const FORGET_AT_ONCE: u64 = 500;
/// Characters of an error that are kept.
const ERROR_CHARS: usize = 500;

/// A job to be inserted.
#[derive(Debug, Clone)]
pub struct NewJob {
    kind: &'static str,
    key: Option<String>,
    run_at: Millis,
    payload: String,
}

impl NewJob {
    /// A job of `kind`, due at `run_at`.
    ///
    /// # Errors
    /// When the payload has no JSON form.
    pub fn new<T: Serialize>(
        kind: &'static str,
        run_at: Millis,
        payload: &T,
    ) -> Result<Self, JobError> {
        let payload = serde_json::to_string(payload)
            .map_err(|error| JobError::Failed(format!("payload of `{kind}`: {error}")))?;
        Ok(Self { kind, key: None, run_at, payload })
    }

    /// At most one job of this kind and `key` is in the table, where done ones stay for 35 days.
    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Inserts `job`; `false` when one of its kind and key is there already, done or not.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(tx: &mut Tx, job: NewJob) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO job (kind, key, payload, run_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (kind, key) DO NOTHING",
    )
    .bind(job.kind)
    .bind(job.key)
    .bind(job.payload)
    .bind(job.run_at.0)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Inserts `jobs`, but those whose kind and key are there already, done or not.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue_all(tx: &mut Tx, jobs: &[NewJob]) -> Result<(), StoreError> {
    const HEAD: &str = "INSERT INTO job (kind, key, payload, run_at)";
    insert_many(tx, HEAD, 4, jobs, "ON CONFLICT (kind, key) DO NOTHING", |query, job| {
        query.bind(job.kind).bind(job.key.as_deref()).bind(&job.payload[..]).bind(job.run_at.0)
    })
    .await?;
    Ok(())
}

/// Moves the pending job of `kind` and `key` to `run_at`; `false` when none is pending.
///
/// # Errors
/// When the database refuses.
pub async fn reschedule(
    tx: &mut Tx,
    kind: &'static str,
    key: &str,
    run_at: Millis,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE job SET run_at = $1 \
         WHERE kind = $2 AND key = $3 AND done_at IS NULL AND failed_at IS NULL",
    )
    .bind(run_at.0)
    .bind(kind)
    .bind(key)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many jobs wait and how many were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Not done yet.
    pub pending: i64,
    /// Given up after too many tries; a person must look.
    pub failed: i64,
}

/// Counts the jobs that are not done.
///
/// # Errors
/// When the database refuses.
pub async fn standing(tx: &mut Tx) -> Result<Standing, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS open, count(failed_at) AS failed FROM job WHERE done_at IS NULL",
    )
    .fetch_one(tx.conn())
    .await?;
    let failed = row.int("failed")?;
    Ok(Standing { pending: row.int("open")? - failed, failed })
}

/// Forgets up to [`FORGET_AT_ONCE`] jobs that were done before `before`; returns how many.
pub(super) async fn forget(tx: &mut Tx, before: Millis) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM job WHERE id IN \
         (SELECT id FROM job WHERE done_at < $1 ORDER BY done_at LIMIT $2)",
    )
    .bind(before.0)
    .bind(FORGET_AT_ONCE.cast_signed())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Claims up to `limit` due jobs of the given kinds, oldest first. A lease that ends implausibly
/// late was written before the clock was set back, and counts as over.
pub(super) async fn claim(
    tx: &mut Tx,
    kinds: &[&'static str],
    now: Millis,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let names: Vec<_> = (5..5 + kinds.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "UPDATE job SET leased_until = $1, attempts = attempts + 1 WHERE id IN (\
         SELECT id FROM job WHERE done_at IS NULL AND failed_at IS NULL AND run_at <= $2 \
         AND (leased_until IS NULL OR leased_until <= $2 OR leased_until > $3) \
         AND kind IN ({}) ORDER BY run_at, id LIMIT $4{}) \
         RETURNING id, kind, payload, run_at, attempts",
        names.join(", "),
        tx.engine().for_update_skip_locked(),
    );
    let lease_end = now.plus(LEASE_MS).0;
    let mut query =
        sqlx::query(AssertSqlSafe(sql)).bind(lease_end).bind(now.0).bind(lease_end).bind(limit);
    for kind in kinds {
        query = query.bind(*kind);
    }
    let rows = query.fetch_all(tx.conn()).await?;
    let job = |row: &sqlx::any::AnyRow| {
        Ok(Job {
            id: row.int("id")?,
            kind: row.text("kind")?,
            run_at: row.millis("run_at")?,
            attempt: row.int("attempts")?,
            payload: row.text("payload")?,
        })
    };
    let mut jobs = rows.iter().map(job).collect::<Result<Vec<_>, StoreError>>()?;
    jobs.sort_by_key(|job| (job.run_at, job.id));
    Ok(jobs)
}

/// Marks `job` done if this claim still holds it. Run first in the effect's transaction, it also
/// locks the row against whoever claimed it after our lease ran out.
pub(super) async fn complete(tx: &mut Tx, job: &Job, now: Millis) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE job SET done_at = $1, leased_until = NULL, last_error = NULL \
         WHERE id = $2 AND attempts = $3 AND done_at IS NULL",
    )
    .bind(now.0)
    .bind(job.id)
    .bind(job.attempt)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a job back until `again`, or gives it up when that is `None`.
pub(super) async fn put_back(
    tx: &mut Tx,
    job: &Job,
    error: &str,
    now: Millis,
    again: Option<Millis>,
) -> Result<(), StoreError> {
    let error: String = error.chars().take(ERROR_CHARS).collect();
    sqlx::query(
        "UPDATE job SET leased_until = NULL, last_error = $1, run_at = $2, failed_at = $3 \
         WHERE id = $4 AND attempts = $5 AND done_at IS NULL",
    )
    .bind(error)
    .bind(again.unwrap_or(job.run_at).0)
    .bind(again.is_none().then_some(now.0))
    .bind(job.id)
    .bind(job.attempt)
    .execute(tx.conn())
    .await?;
    Ok(())
}

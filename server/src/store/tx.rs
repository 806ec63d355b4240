//! The one place that begins, commits and retries transactions.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{Any, AnyConnection, Transaction};
use tokio::time::Instant;

use super::{Engine, Store, StoreError, TxError};

/// Tries of one transaction before its error is handed back.
const TRIES: u32 = 6;
/// Wait after the first failed try; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(4);

/// A running transaction. Dropped without a commit it is rolled back.
pub struct Tx {
    transaction: Transaction<'static, Any>,
    engine: Engine,
}

impl Tx {
    /// The connection to run statements on.
    pub fn conn(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Which engine runs them.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Access {
    Write,
    Read,
}

impl Store {
    /// Runs `body` in a writing transaction and commits if it returns `Ok`.
    ///
    /// It runs in a task of its own, so that a client that hangs up cannot stop it half-way. When
    /// another transaction is in the way, or the connection breaks before COMMIT, `body` runs
    /// again (at most six times): it must have no effect but its statements. `input` is what it
    /// works on, lent to each try. `name` labels metrics and log lines.
    ///
    /// `store.with_tx("unit.add", unit, |tx, unit| Box::pin(async move { add(tx, unit).await }))`
    ///
    /// # Errors
    /// Those of `body`, and the database's.
    ///
    /// # Panics
    /// When `body` panics; the transaction is rolled back.
    pub async fn with_tx<I, T, E, F>(&self, name: &'static str, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: TxError,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.spawn(name, Access::Write, input, body).await
    }

    /// Runs `body` in a read-only transaction that sees one moment of the database throughout.
    /// Otherwise as [`Store::with_tx`].
    ///
    /// # Errors
    /// Those of `body`, and the database's.
    ///
    /// # Panics
    /// When `body` panics.
    pub async fn with_read<I, T, E, F>(&self, name: &'static str, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: TxError,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.spawn(name, Access::Read, input, body).await
    }

    async fn spawn<I, T, E, F>(
        &self,
        name: &'static str,
        access: Access,
        input: I,
        body: F,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: TxError,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let store = self.clone();
        let task = tokio::spawn(async move { store.attempts(name, access, &input, &body).await });
        match task.await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Unreachable("the program is stopping".into()).into()),
            },
        }
    }

    async fn attempts<I, T, E, F>(
        &self,
        name: &'static str,
        access: Access,
        input: &I,
        body: &F,
    ) -> Result<T, E>
    where
        I: Send + Sync,
        T: Send,
        E: TxError,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    {
        let started = Instant::now();
        let mut attempt = 1;
        let result = loop {
            let result = self.attempt(access, input, body).await;
            let retry = result
                .as_ref()
                .err()
                .and_then(TxError::store_error)
                .is_some_and(StoreError::is_retryable);
            if !retry || attempt == TRIES {
                break result;
            }
            metrics::counter!("onscene_tx_retries_total", "name" => name).increment(1);
            tokio::time::sleep(self.wait_before_retry(attempt)).await;
            attempt += 1;
        };
        let outcome = if result.is_ok() { "committed" } else { "failed" };
        metrics::counter!("onscene_tx_total", "name" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("onscene_tx_seconds", "name" => name)
            .record(started.elapsed().as_secs_f64());
        if let Some(error) = result.as_ref().err().and_then(TxError::store_error) {
            tracing::warn!(tx = name, attempt, %error, "transaction failed");
        }
        result
    }

    async fn attempt<I, T, E, F>(&self, access: Access, input: &I, body: &F) -> Result<T, E>
    where
        I: Send + Sync,
        T: Send,
        E: TxError,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    {
        let mut tx = self.begin(access).await?;
        let value = body(&mut tx, input).await?;
        tx.transaction.commit().await.map_err(commit_error)?;
        Ok(value)
    }

    async fn begin(&self, access: Access) -> Result<Tx, StoreError> {
        let statement = match (self.engine(), access) {
            (Engine::Sqlite, Access::Write) => "BEGIN IMMEDIATE",
            (Engine::Sqlite, Access::Read) => "BEGIN DEFERRED",
            (Engine::Postgres, Access::Write) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Engine::Postgres, Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let pool = match access {
            Access::Write => &self.writers,
            Access::Read => &self.readers,
        };
        let conn = pool.acquire().await?;
        let transaction = Transaction::begin(conn, Some(sqlx::SqlSafeStr::into_sql_str(statement)));
        Ok(Tx { transaction: transaction.await?, engine: self.engine() })
    }

    /// Doubling, with a spread so that two that collided do not collide again. The spread is drawn
    /// from a counter: the injected randomness must not depend on how often databases collide.
    fn wait_before_retry(&self, attempt: u32) -> Duration {
        let draw = self.retries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let spread = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let full = FIRST_WAIT * 2_u32.pow(attempt - 1);
        full / 2 + full.mul_f64(f64::from(u32::try_from(spread).unwrap_or(0)) / 256.0)
    }
}

/// A broken connection during COMMIT leaves the outcome open, so it must not be retried.
fn commit_error(error: sqlx::Error) -> StoreError {
    let error = StoreError::from(error);
    if let StoreError::Unreachable(text) = error { StoreError::CommitUnknown(text) } else { error }
}

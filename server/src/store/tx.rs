//! The one place that begins, commits and retries transactions. By plain statements: a connection's
//! own notion of its transactions is what a dropped future upsets (sqlx 0.9.0, issue 4385).

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};
use tokio::time::Instant;

use super::lend::{Lender, Lent};
use super::{Engine, Store, StoreError, TxError};

/// Tries of one transaction before its error is handed back.
const TRIES: u32 = 6;
/// Wait after the first failed try; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(4);

/// A running transaction. Dropped without a commit it is rolled back before its connection is lent
/// again.
pub struct Tx {
    conn: Lent,
    engine: Engine,
    name: &'static str,
}

impl Tx {
    /// The connection to run one statement on; ask again for the next.
    pub fn conn(&mut self) -> &mut AnyConnection {
        count(self.name);
        &mut self.conn
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(self.conn()).await.map_err(broken_at_the_end)?;
        self.conn.give_back_clean();
        Ok(())
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

/// Each is a round trip to the database, or to the thread that runs SQLite: BEGIN and COMMIT too.
fn count(name: &'static str) {
    metrics::counter!("onscene_statements_total", "name" => name).increment(1);
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

    /// Runs one SELECT outside of a transaction: alone it sees one moment anyway, and costs a third.
    /// `query` is made anew for each try.
    ///
    /// # Errors
    /// The database's.
    pub async fn read_one<Q>(&self, name: &'static str, query: Q) -> Result<Vec<AnyRow>, StoreError>
    where
        Q: Fn() -> Query<'static, Any, AnyArguments> + Send + Sync,
    {
        let read = || async {
            let mut conn = self.readers.lend().await?;
            count(name);
            let rows = query().fetch_all(&mut *conn).await?;
            conn.give_back_clean();
            Ok(rows)
        };
        self.persist(name, read).await
    }

    /// Runs one statement that writes, outside of a transaction: alone it is done wholly or not at
    /// all. Returns how many rows it touched.
    ///
    /// # Errors
    /// The database's.
    pub async fn write_one<Q>(&self, name: &'static str, query: Q) -> Result<u64, StoreError>
    where
        Q: Fn() -> Query<'static, Any, AnyArguments> + Send + Sync,
    {
        let write = || async {
            let mut conn = self.writers.lend().await?;
            count(name);
            let done = query().execute(&mut *conn).await.map_err(broken_at_the_end)?;
            conn.give_back_clean();
            Ok(done.rows_affected())
        };
        self.persist(name, write).await
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
        let task = tokio::spawn(async move {
            store.persist(name, || store.attempt(name, access, &input, &body)).await
        });
        match task.await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Unreachable("the program is stopping".into()).into()),
            },
        }
    }

    /// Tries again what others were in the way of, and measures.
    async fn persist<T, E, A>(&self, name: &'static str, attempt: impl Fn() -> A) -> Result<T, E>
    where
        E: TxError,
        A: Future<Output = Result<T, E>>,
    {
        let started = Instant::now();
        let mut tries = 1;
        let result = loop {
            let result = attempt().await;
            let error = result.as_ref().err().and_then(TxError::store_error);
            if matches!(error, Some(StoreError::Unreachable(_) | StoreError::CommitUnknown(_))) {
                self.lenders().for_each(Lender::distrust);
            }
            if !error.is_some_and(StoreError::is_retryable) || tries == TRIES {
                break result;
            }
            metrics::counter!("onscene_tx_retries_total", "name" => name).increment(1);
            tokio::time::sleep(self.wait_before_retry(tries)).await;
            tries += 1;
        };
        let outcome = if result.is_ok() { "committed" } else { "failed" };
        metrics::counter!("onscene_tx_total", "name" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("onscene_tx_seconds", "name" => name)
            .record(started.elapsed().as_secs_f64());
        if let Some(error) = result.as_ref().err().and_then(TxError::store_error) {
            tracing::warn!(tx = name, tries, %error, "transaction failed");
        }
        result
    }

    async fn attempt<I, T, E, F>(
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
        let mut tx = self.begin(name, access).await?;
        let value = body(&mut tx, input).await?;
        tx.commit().await?;
        Ok(value)
    }

    async fn begin(&self, name: &'static str, access: Access) -> Result<Tx, StoreError> {
        let statement = match (self.engine(), access) {
            (Engine::Sqlite, Access::Write) => "BEGIN IMMEDIATE",
            (Engine::Sqlite, Access::Read) => "BEGIN DEFERRED",
            (Engine::Postgres, Access::Write) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Engine::Postgres, Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let lender = match access {
            Access::Write => &self.writers,
            Access::Read => &self.readers,
        };
        let mut tx = Tx { conn: lender.lend().await?, engine: self.engine(), name };
        sqlx::query(statement).execute(tx.conn()).await?;
        Ok(tx)
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

/// A broken connection during COMMIT, or during a write of one statement, leaves the outcome open, so
/// it must not be retried.
fn broken_at_the_end(error: sqlx::Error) -> StoreError {
    let error = StoreError::from(error);
    if let StoreError::Unreachable(text) = error { StoreError::CommitUnknown(text) } else { error }
}

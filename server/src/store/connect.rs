//! Opening a database: whose it is, how old it is, how its connections behave.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Once};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Executor as _};

use super::StoreError;
use super::inspect::{self, SchemaState};
use super::lend::Lender;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a connection waits for another process's lock, or for a free connection.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// The two engines. Their differences are the methods here; everything else is common SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One process, one file.
    Sqlite,
    /// Several processes.
    Postgres,
}

impl Engine {
    /// Appended to a SELECT, locks its rows until the end of the transaction.
    #[must_use]
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Appended to a SELECT, locks its rows and passes over those that others have locked.
    #[must_use]
    pub const fn for_update_skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    pub(super) fn migrations(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE_MIGRATIONS,
            Self::Postgres => &POSTGRES_MIGRATIONS,
        }
    }
}

/// A pool of connections to one database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) writers: Lender,
    pub(super) readers: Lender,
    pub(super) retries: Arc<AtomicU64>,
    engine: Engine,
}

impl Store {
    /// Connects to `url` and makes sure that the database is ours, or empty, and not from a newer
    /// program. `sqlite:` files are created when absent. Does not migrate.
    ///
    /// # Errors
    /// When it cannot be reached, is somebody else's, or is newer than this program.
    pub async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let engine = if url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres };
        let options: AnyConnectOptions = url.parse().map_err(StoreError::from)?;
        let options = options.disable_statement_logging();
        // On a bare connection first: a pool's settings would write into a file that is not ours, and
        // a pool tries a hopeless address for long.
        let mut bare = AnyConnection::connect_with(&options).await?;
        inspect::refuse_foreign(&mut bare, engine).await?;
        bare.close().await?;
        let (writers, readers) = match engine {
            // One writer: those that wait do so in order, in the pool, and not by polling the file.
            Engine::Sqlite => {
                let writers = pool(1, SQLITE_WRITER).connect_with(options.clone()).await?;
                let readers = pool(connections, SQLITE_READER).connect_lazy_with(options);
                (Lender::new(writers), Lender::new(readers))
            }
            Engine::Postgres => {
                let pool = pool(connections, POSTGRES).connect_with(options).await?;
                let lender = Lender::new(pool);
                (lender.clone(), lender)
            }
        };
        Ok(Self { writers, readers, retries: Arc::new(AtomicU64::new(0)), engine })
    }

    /// The URL of an SQLite file, created when absent.
    #[must_use]
    pub fn sqlite_url(file: &Path) -> String {
        let escape = |byte: u8| match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        let path: String =
            file.as_os_str().as_encoded_bytes().iter().copied().map(escape).collect();
        format!("sqlite://{path}?mode=rwc")
    }

    /// Which engine runs the statements.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Brings the schema up to date; safe when several processes start at once.
    ///
    /// # Errors
    /// When the database is read-only, full, newer than this program, or a migration fails.
    pub async fn migrate(&self) -> Result<SchemaState, StoreError> {
        let state = self.schema().await?.not_newer()?;
        if self.engine == Engine::Sqlite && state.found == 0 {
            let mark = format!("PRAGMA application_id = {}", inspect::APPLICATION_ID);
            sqlx::raw_sql(sqlx::AssertSqlSafe(mark))
                .execute(&mut *self.writers.lend().await?)
                .await?;
        }
        self.run_migrations(state.missing).await
    }

    /// SQLite has no lock around migrations: a process that finds one of them done by another just
    /// now goes on behind it, for as long as somebody gets ahead.
    async fn run_migrations(&self, mut missing: usize) -> Result<SchemaState, StoreError> {
        loop {
            let result = self.engine.migrations().run(self.writers.pool()).await;
            let state = self.schema().await?;
            match result.map_err(migration_error) {
                Err(StoreError::Migration(_)) if state.missing < missing => missing = state.missing,
                result => return result.map(|()| state),
            }
        }
    }

    /// Makes sure that the schema is exactly this program's.
    ///
    /// # Errors
    /// When it is older (run `onscene migrate`) or newer (upgrade the program).
    pub async fn require_current(&self) -> Result<SchemaState, StoreError> {
        let state = self.schema().await?.not_newer()?;
        if state.missing > 0 {
            return Err(StoreError::TooOld { found: state.found, known: state.known });
        }
        Ok(state)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut conn = self.writers.lend().await?;
        sqlx::query("SELECT 1").execute(&mut *conn).await?;
        conn.give_back_clean();
        Ok(())
    }

    /// Faults that the engine itself finds in its files and references; reads everything, so it
    /// takes long. PostgreSQL looks after its own files: use `pg_amcheck` there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn faults(&self) -> Result<Vec<String>, StoreError> {
        match self.engine {
            Engine::Sqlite => inspect::faults(&mut *self.readers.lend().await?).await,
            Engine::Postgres => Ok(Vec::new()),
        }
    }

    /// Waits for running transactions and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }

    pub(super) fn lenders(&self) -> impl Iterator<Item = &Lender> {
        [&self.readers, &self.writers].into_iter()
    }

    async fn schema(&self) -> Result<SchemaState, StoreError> {
        let mut conn = self.writers.lend().await?;
        inspect::schema(&mut conn, self.engine).await
    }
}

const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF";
const SQLITE_READER: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF";
/// Notices are silenced because the ROLLBACK of [`clean`] gives one each time.
const POSTGRES: &str = "SET idle_in_transaction_session_timeout = '10s'; \
    SET lock_timeout = '5s'; SET statement_timeout = '30s'; SET client_min_messages = error";

/// A connection is not tested when it is taken: it was when it came back, and what its break stops is
/// run again.
fn pool(connections: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            Box::pin(async move { conn.execute(settings).await.map(|_| ()) })
        })
        .after_release(|conn, _| Box::pin(clean(conn)))
}

/// A connection that comes back inside a transaction would swallow the next borrower's writes, so it
/// is rolled back. SQLite says so if there was none (it ends one by itself when the disk is full).
async fn clean(conn: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let rolled_back = conn.execute("ROLLBACK").await;
    if conn.backend_name() != "SQLite" {
        rolled_back?;
    }
    Ok(true)
}

/// Tells a full or read-only database from a migration that is wrong.
fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    let (Execute(error) | ExecuteMigration(error, _)) = error else {
        return StoreError::Migration(error);
    };
    let error = StoreError::from(error);
    if let StoreError::Other(error) = error { StoreError::Migration(Execute(error)) } else { error }
}

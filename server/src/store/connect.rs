//! Opening a database: whose it is, how old it is, how its connections behave.

use std::path::Path;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Executor as _, Row as _};
use tokio::sync::Mutex;

use super::StoreError;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// `PRAGMA application_id` of our files: "OnSc".
const APPLICATION_ID: i64 = 0x4f6e_5363;
/// 3.51.3 mends a race between WAL checkpoints that could lose a committed page.
const OLDEST_SQLITE: (&str, [u32; 3]) = ("3.51.3", [3, 51, 3]);
/// How long a connection waits for another process's lock, or for a free connection.
const WAIT: Duration = Duration::from_secs(10);

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

    fn migrations(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE_MIGRATIONS,
            Self::Postgres => &POSTGRES_MIGRATIONS,
        }
    }
}

/// How the database's schema stands to this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaState {
    /// The database's newest migration; 0 when it is empty.
    pub found: i64,
    /// This program's newest migration.
    pub known: i64,
}

/// A pool of connections to one database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: AnyPool,
    pub(super) writer: Arc<Mutex<()>>,
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
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(WAIT)
            .after_connect(move |conn, _| Box::pin(prepare(conn, engine)))
            .after_release(|conn, _| Box::pin(clean(conn)))
            .connect_with(options)
            .await?;
        let store = Self {
            pool,
            writer: Arc::new(Mutex::new(())),
            retries: Arc::new(AtomicU64::new(0)),
            engine,
        };
        if engine == Engine::Sqlite {
            store.refuse_old_sqlite().await?;
        }
        store.refuse_foreign().await?;
        Ok(store)
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
        let state = self.schema().await?;
        if state.found > state.known {
            return Err(StoreError::TooNew { found: state.found, known: state.known });
        }
        if self.engine == Engine::Sqlite && state.found == 0 {
            let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&self.pool).await?;
        }
        self.engine.migrations().run(&self.pool).await.map_err(migration_error)?;
        self.schema().await
    }

    /// Makes sure that the schema is exactly this program's.
    ///
    /// # Errors
    /// When it is older (run `onscene migrate`) or newer (upgrade the program).
    pub async fn require_current(&self) -> Result<SchemaState, StoreError> {
        let state = self.schema().await?;
        if state.found > state.known {
            return Err(StoreError::TooNew { found: state.found, known: state.known });
        }
        if state.found < state.known {
            return Err(StoreError::TooOld { found: state.found, known: state.known });
        }
        Ok(state)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits for running transactions and closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn schema(&self) -> Result<SchemaState, StoreError> {
        let known = self.engine.migrations().iter().map(|migration| migration.version).max();
        let found = if self.tables().await?.iter().any(|table| table == "_sqlx_migrations") {
            let row = sqlx::query("SELECT max(version) AS version FROM _sqlx_migrations")
                .fetch_one(&self.pool)
                .await?;
            row.try_get::<Option<i64>, _>("version")?
        } else {
            None
        };
        Ok(SchemaState { found: found.unwrap_or(0), known: known.unwrap_or(0) })
    }

    async fn refuse_old_sqlite(&self) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT sqlite_version() AS version").fetch_one(&self.pool).await?;
        let found: String = row.try_get("version")?;
        let parts: Vec<u32> = found.split('.').map_while(|part| part.parse().ok()).collect();
        if parts.as_slice() < OLDEST_SQLITE.1.as_slice() {
            return Err(StoreError::OldSqlite { found, needed: OLDEST_SQLITE.0 });
        }
        Ok(())
    }

    async fn refuse_foreign(&self) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let ours = match self.engine {
            Engine::Sqlite => {
                let row = sqlx::query("PRAGMA application_id").fetch_one(&self.pool).await?;
                let id: i64 = row.try_get(0)?;
                id == APPLICATION_ID || (id == 0 && tables.is_empty())
            }
            Engine::Postgres => tables.is_empty() || self.has_our_mark(&tables).await?,
        };
        if !ours {
            let what = match self.engine {
                Engine::Sqlite => "the file",
                Engine::Postgres => "the database's current schema",
            };
            return Err(StoreError::NotOurs { what: what.to_owned() });
        }
        let state = self.schema().await?;
        if state.found > state.known {
            return Err(StoreError::TooNew { found: state.found, known: state.known });
        }
        Ok(())
    }

    async fn has_our_mark(&self, tables: &[String]) -> Result<bool, StoreError> {
        if tables == ["_sqlx_migrations"] {
            return Ok(true);
        }
        if !tables.iter().any(|table| table == "meta") {
            return Ok(false);
        }
        let row = sqlx::query("SELECT 1 FROM meta WHERE key = 'application' AND value = 'onscene'")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let sql = match self.engine {
            Engine::Sqlite => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
                 WHERE table_schema = current_schema()"
            }
        };
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
    }
}

/// A new connection's settings.
async fn prepare(conn: &mut AnyConnection, engine: Engine) -> Result<(), sqlx::Error> {
    let settings = match engine {
        Engine::Sqlite => {
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF"
        }
        Engine::Postgres => {
            "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '10s'; \
             SET statement_timeout = '30s'"
        }
    };
    conn.execute(settings).await?;
    Ok(())
}

/// A connection that comes back inside a transaction would swallow the next borrower's writes
/// (sqlx 0.9.0, issue 4385). `false` closes it.
async fn clean(conn: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    match conn.backend_name() {
        "SQLite" => {
            // "no transaction is active" is the good case here.
            let _ = conn.execute("ROLLBACK").await;
            Ok(true)
        }
        _ => conn.execute("ROLLBACK").await.map(|_| true),
    }
}

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            match StoreError::from(error) {
                StoreError::Other(error) => {
                    StoreError::Migration(sqlx::migrate::MigrateError::Execute(error))
                }
                known => known,
            }
        }
        other => StoreError::Migration(other),
    }
}

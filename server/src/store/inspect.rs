//! Looking at a database before touching it: whose it is and how old.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Row as _};

use super::{Engine, StoreError};

/// `PRAGMA application_id` of our files: "OnSc".
pub(super) const APPLICATION_ID: i64 = 0x4f6e_5363;
/// Before 3.51.3 two connections that checkpoint the WAL at once could corrupt the database.
const OLDEST_SQLITE: (&str, [u32; 3]) = ("3.51.3", [3, 51, 3]);

/// How the database's schema stands to this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaState {
    /// The database's newest migration; 0 when it is empty.
    pub found: i64,
    /// This program's newest migration.
    pub known: i64,
    /// How many of this program's migrations the database lacks. They may lie below `found`.
    pub missing: usize,
}

impl SchemaState {
    /// Refuses a database that a newer program wrote.
    pub(super) const fn not_newer(self) -> Result<Self, StoreError> {
        if self.found > self.known {
            return Err(StoreError::TooNew { found: self.found, known: self.known });
        }
        Ok(self)
    }
}

/// Refuses what is neither ours nor empty, what is newer than this program, and an SQLite library
/// too old to be safe. Reads only.
pub(super) async fn refuse_foreign(
    conn: &mut AnyConnection,
    engine: Engine,
) -> Result<(), StoreError> {
    let (ours, what) = match engine {
        Engine::Sqlite => {
            refuse_old_sqlite(conn).await?;
            (is_our_file(conn).await?, "the file")
        }
        Engine::Postgres => (is_our_schema(conn).await?, "the database's current schema"),
    };
    if !ours {
        return Err(StoreError::NotOurs { what: what.to_owned() });
    }
    schema(conn, engine).await?.not_newer().map(|_| ())
}

/// The newest migration of the database and of this program.
pub(super) async fn schema(
    conn: &mut AnyConnection,
    engine: Engine,
) -> Result<SchemaState, StoreError> {
    let migrations = engine.migrations();
    let migrated = tables(conn, engine).await?.iter().any(|table| table == "_sqlx_migrations");
    let mut applied = BTreeSet::new();
    if migrated {
        let rows = sqlx::query("SELECT version FROM _sqlx_migrations").fetch_all(conn).await?;
        for row in rows {
            applied.insert(row.try_get::<i64, _>("version")?);
        }
    }
    let known = migrations.iter().map(|migration| migration.version);
    let missing = known.clone().filter(|version| !applied.contains(version)).count();
    let found = applied.last().copied().unwrap_or(0);
    Ok(SchemaState { found, known: known.max().unwrap_or(0), missing })
}

/// What SQLite's own checks find.
pub(super) async fn faults(conn: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    for row in sqlx::query("PRAGMA quick_check(20)").fetch_all(&mut *conn).await? {
        let line: String = row.try_get(0)?;
        if line != "ok" {
            faults.push(line);
        }
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(conn).await?.iter().take(20) {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        faults.push(format!("a row of `{table}` names a row of `{parent}` that is not there"));
    }
    Ok(faults)
}

async fn refuse_old_sqlite(conn: &mut AnyConnection) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT sqlite_version() AS version").fetch_one(conn).await?;
    let found: String = row.try_get("version")?;
    if is_old(&found) {
        return Err(StoreError::OldSqlite { found, needed: OLDEST_SQLITE.0 });
    }
    Ok(())
}

fn is_old(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    parts.as_slice() < OLDEST_SQLITE.1.as_slice()
}

async fn is_our_file(conn: &mut AnyConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("PRAGMA application_id").fetch_one(&mut *conn).await?;
    match row.try_get::<i64, _>(0)? {
        APPLICATION_ID => Ok(true),
        0 => Ok(tables(conn, Engine::Sqlite).await?.is_empty()),
        _ => Ok(false),
    }
}

async fn is_our_schema(conn: &mut AnyConnection) -> Result<bool, StoreError> {
    let tables = tables(conn, Engine::Postgres).await?;
    // The migrations' own table stands alone for a moment while another process migrates.
    if tables.is_empty() || tables == ["_sqlx_migrations"] {
        return Ok(true);
    }
    if !tables.iter().any(|table| table == "meta") {
        return Ok(false);
    }
    let mark = "SELECT 1 FROM meta WHERE key = 'application' AND value = 'onscene'";
    Ok(sqlx::query(mark).fetch_optional(conn).await?.is_some())
}

async fn tables(conn: &mut AnyConnection, engine: Engine) -> Result<Vec<String>, StoreError> {
    let sql = match engine {
        Engine::Sqlite => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
             WHERE table_schema = current_schema()"
        }
    };
    let rows = sqlx::query(sql).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_have_the_same_schema() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let read = |engine: &str| {
            let files = std::fs::read_dir(folder.join(engine)).unwrap();
            let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
            files.sort();
            files
        };
        let (sqlite, postgres) = (read("sqlite"), read("postgres"));
        assert_eq!(sqlite.len(), postgres.len());
        for (sqlite, postgres) in sqlite.iter().zip(&postgres) {
            assert_eq!(sqlite.file_name(), postgres.file_name());
            same_schema(sqlite, postgres);
        }
    }

    fn same_schema(file: &std::path::Path, postgres: &std::path::Path) {
        let sqlite = std::fs::read_to_string(file).unwrap();
        let postgres = std::fs::read_to_string(postgres).unwrap();
        let file = file.display();
        let translated = sqlite
            .replace("    id INTEGER PRIMARY", "    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY")
            .replace("INTEGER", "BIGINT")
            .replace("BLOB", "BYTEA")
            .replace(") STRICT;", ");")
            .replace(") STRICT, WITHOUT ROWID;", ");");
        for (number, (ours, theirs)) in translated.lines().zip(postgres.lines()).enumerate().skip(1)
        {
            assert_eq!(ours, theirs, "line {} of {file}", number + 1);
        }
        assert_eq!(translated.lines().count(), postgres.lines().count(), "{file}");
    }

    #[test]
    fn sqlite_before_the_mended_release_is_old() {
        for old in ["3.51.2", "3.50.4", "2.8.17", ""] {
            assert!(is_old(old), "{old}");
        }
        for new in ["3.51.3", "3.51.10", "3.53.0", "4.0.0"] {
            assert!(!is_old(new), "{new}");
        }
    }
}

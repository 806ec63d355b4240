//! What can go wrong between us and the database, and whether trying again helps.

use thiserror::Error;

/// The database could not do what it was asked. Expected refusals are values, not this.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another transaction was in the way; nothing was written and the same call may succeed.
    #[error("another transaction was in the way ({0})")]
    Contended(String),
    /// The connection broke; nothing was written.
    #[error("the database cannot be reached ({0}): check that it runs and `database.url`")]
    Unreachable(String),
    /// No connection could be had in time; nothing was written.
    #[error(
        "no connection to the database within 10 s: check that it runs, `database.url` and \
         `database.connections`"
    )]
    NoConnection,
    /// The answer to COMMIT was lost: the writes are either all there or all absent.
    #[error("the connection broke during COMMIT ({0}): the writes may or may not be there")]
    CommitUnknown(String),
    /// No room left.
    #[error("the database has no room left ({0}): free space on its disk")]
    Full(String),
    /// The database takes no writes.
    #[error("the database is read-only ({0}): give this process write access to it and its folder")]
    ReadOnly(String),
    /// The file or database belongs to something else.
    #[error("{what} is not an Onscene database: point `database.url` at one or at an empty one")]
    NotOurs {
        /// What was opened.
        what: String,
    },
    /// A newer Onscene wrote it.
    #[error(
        "the database has schema {found}, this program knows up to {known}: upgrade the program"
    )]
    TooNew {
        /// The database's newest migration.
        found: i64,
        /// This program's newest migration.
        known: i64,
    },
    /// It has not been migrated yet.
    #[error("the database has schema {found}, this program needs {known}: run `onscene migrate`")]
    TooOld {
        /// The database's newest migration; 0 when empty.
        found: i64,
        /// This program's newest migration.
        known: i64,
    },
    /// The library linked into this program is too old to be safe.
    #[error("SQLite {found} is linked, at least {needed} is needed: rebuild with a newer one")]
    OldSqlite {
        /// What is linked.
        found: String,
        /// The oldest accepted.
        needed: &'static str,
    },
    /// A row holds what no version of this program writes.
    #[error("column `{column}` holds {found}, not {expected}")]
    Inconsistent {
        /// The column.
        column: String,
        /// What stands there.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// A migration failed.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Anything else: a bug here or a broken database.
    #[error("the database refused: {0}")]
    Other(sqlx::Error),
}

impl StoreError {
    /// Whether nothing was written and the same transaction may succeed at once.
    pub(super) const fn is_retryable(&self) -> bool {
        matches!(self, Self::Contended(_) | Self::Unreachable(_))
    }

    /// Whether nothing was written and the same transaction may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        self.is_retryable() || matches!(self, Self::NoConnection)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, WorkerCrashed};
        let text = error.to_string();
        if matches!(error, PoolTimedOut) {
            return Self::NoConnection;
        }
        if matches!(error, Io(_) | PoolClosed | WorkerCrashed) {
            return Self::Unreachable(text);
        }
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref().map_or(Class::Other, class_of) {
            Class::Contended => Self::Contended(text),
            Class::Unreachable => Self::Unreachable(text),
            Class::Full => Self::Full(text),
            Class::ReadOnly => Self::ReadOnly(text),
            Class::NotADatabase => Self::NotOurs { what: "the file".to_owned() },
            Class::Other => Self::Other(error),
        }
    }
}

enum Class {
    Contended,
    Unreachable,
    Full,
    ReadOnly,
    NotADatabase,
    Other,
}

/// Sorts an SQLSTATE (five characters, PostgreSQL appendix A) or an SQLite extended result code
/// (a decimal number whose low byte is the primary code).
fn class_of(code: &str) -> Class {
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" | "55P03" => Class::Contended,
            "53100" => Class::Full,
            "25006" => Class::ReadOnly,
            "53300" | "57P01" | "57P02" | "57P03" | "25P03" => Class::Unreachable,
            _ if code.starts_with("08") => Class::Unreachable,
            _ => Class::Other,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Class::Contended,
        Ok(8) => Class::ReadOnly,
        Ok(13) => Class::Full,
        Ok(26) => Class::NotADatabase,
        _ => Class::Other,
    }
}

/// The error of a transaction's body: it can carry a [`StoreError`], which decides on a retry.
pub trait TxError: From<StoreError> + Send + 'static {
    /// The database's part in this error, if it has one.
    fn store_error(&self) -> Option<&StoreError>;
}

impl TxError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_engines_fall_into_the_same_classes() {
        for code in ["40001", "40P01", "5", "6", "261", "517"] {
            assert!(matches!(class_of(code), Class::Contended), "{code}");
        }
        for code in ["13", "53100"] {
            assert!(matches!(class_of(code), Class::Full), "{code}");
        }
        for code in ["8", "1032", "25006"] {
            assert!(matches!(class_of(code), Class::ReadOnly), "{code}");
        }
        for code in ["08006", "57P01"] {
            assert!(matches!(class_of(code), Class::Unreachable), "{code}");
        }
        for code in ["23505", "2067", "1", ""] {
            assert!(matches!(class_of(code), Class::Other), "{code}");
        }
    }
}

//! Reading columns without surprises, and inserting many rows with one statement.

use onscene_sync_core::time::Millis;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

use super::{StoreError, Tx};

/// Typed access to a row's columns by name; a wrong value names its column.
pub trait RowExt {
    /// A whole number.
    ///
    /// # Errors
    /// When the column is absent, null or of another type; the same for all below.
    fn int(&self, column: &str) -> Result<i64, StoreError>;
    /// A whole number or null.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError>;
    /// Text.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn text(&self, column: &str) -> Result<String, StoreError>;
    /// Text or null.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError>;
    /// Bytes.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError>;
    /// Bytes or null.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Exactly `N` bytes: `row.array("doc_id").map(DocId::from_bytes)`.
    ///
    /// # Errors
    /// As [`RowExt::int`], or when there are more or fewer bytes.
    fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], StoreError> {
        exact(column, self.bytes(column)?)
    }

    /// Exactly `N` bytes or null.
    ///
    /// # Errors
    /// As [`RowExt::array`].
    fn opt_array<const N: usize>(&self, column: &str) -> Result<Option<[u8; N]>, StoreError> {
        self.opt_bytes(column)?.map(|bytes| exact(column, bytes)).transpose()
    }

    /// A whole number that fits an unsigned or smaller type.
    ///
    /// # Errors
    /// As [`RowExt::int`], or when it does not fit.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| StoreError::Inconsistent {
            column: column.to_owned(),
            found: value.to_string(),
            expected: std::any::type_name::<T>().to_owned(),
        })
    }

    /// A moment.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn millis(&self, column: &str) -> Result<Millis, StoreError> {
        self.int(column).map(Millis)
    }

    /// A moment or null.
    ///
    /// # Errors
    /// As [`RowExt::int`].
    fn opt_millis(&self, column: &str) -> Result<Option<Millis>, StoreError> {
        Ok(self.opt_int(column)?.map(Millis))
    }
}

fn exact<const N: usize>(column: &str, bytes: Vec<u8>) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|bytes: Vec<u8>| StoreError::Inconsistent {
        column: column.to_owned(),
        found: format!("{} bytes", bytes.len()),
        expected: format!("{N} bytes"),
    })
}

impl RowExt for AnyRow {
    fn int(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.try_get(column)?)
    }
}

/// What stands in a column, for statements that are put together from parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number or null.
    Int(Option<i64>),
    /// Text or null.
    Text(Option<String>),
    /// Bytes or null.
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// Binds it as the query's next value.
    pub fn bind<'q>(&'q self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        match self {
            Self::Int(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.as_deref()),
            Self::Bytes(value) => query.bind(value.as_deref()),
        }
    }

    /// What stands in `column` of `row`, which is of the same type as this value.
    ///
    /// # Errors
    /// When the column is absent or of another type.
    pub fn read_alike(&self, row: &AnyRow, column: &str) -> Result<Self, StoreError> {
        Ok(match self {
            Self::Int(_) => Self::Int(row.opt_int(column)?),
            Self::Text(_) => Self::Text(row.opt_text(column)?),
            Self::Bytes(_) => Self::Bytes(row.opt_bytes(column)?),
        })
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<Millis> for Value {
    fn from(value: Millis) -> Self {
        Self::Int(Some(value.0))
    }
}

impl From<Option<Millis>> for Value {
    fn from(value: Option<Millis>) -> Self {
        Self::Int(value.map(|value| value.0))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<[u8; 16]> for Value {
    fn from(value: [u8; 16]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

/// Rows in one statement, by descending size: few distinct statements, so that the engines'
/// caches of prepared statements hold them all, and far from the limits on parameters
/// (32,766 in SQLite, 65,535 in PostgreSQL).
const CHUNKS: [usize; 8] = [256, 64, 32, 16, 8, 4, 2, 1];

/// Runs `{head} VALUES (…), (…) {tail}` for all `rows`, in order, and returns how many were
/// inserted. `bind` binds the `columns` values of one row.
///
/// `insert_many(tx, "INSERT INTO fact (fact_id, seq)", 2, &facts, "ON CONFLICT DO NOTHING",
/// |query, fact| query.bind(&fact.id[..]).bind(fact.seq))`
///
/// # Errors
/// When the database refuses.
pub async fn insert_many<R: Sync>(
    tx: &mut Tx,
    head: &'static str,
    columns: usize,
    rows: &[R],
    tail: &'static str,
    bind: impl for<'q> Fn(Query<'q, Any, AnyArguments>, &'q R) -> Query<'q, Any, AnyArguments> + Send,
) -> Result<u64, StoreError> {
    let mut inserted = 0;
    let mut rest = rows;
    for size in CHUNKS {
        while rest.len() >= size {
            let (chunk, after) = rest.split_at(size);
            let sql = format!("{head} VALUES {} {tail}", placeholders(size, columns));
            let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), &bind);
            inserted += query.execute(tx.conn()).await?.rows_affected();
            rest = after;
        }
    }
    Ok(inserted)
}

/// `($1, $2), ($3, $4)` for two rows of two columns.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let names: Vec<_> = (1..=columns).map(|n| format!("${}", row * columns + n)).collect();
        format!("({})", names.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_through_all_rows() {
        assert_eq!(placeholders(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(placeholders(1, 1), "($1)");
    }
}

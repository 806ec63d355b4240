//! How the hub's nouns stand in columns.

use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::sync::message::Bucket;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::store::{StoreError, Tx};

/// Sizes of `IN` lists: few, so that the engines' caches of prepared statements hold them all.
const LISTS: [usize; 5] = [1, 4, 16, 64, 256];

/// Runs `{head} IN (…) {tail}` for all `keys`, as many statements as it takes. `keys` are ascending
/// where the statement locks rows.
pub(crate) async fn fetch_in(
    tx: &mut Tx,
    head: &str,
    keys: &[Vec<u8>],
    tail: &str,
) -> Result<Vec<AnyRow>, StoreError> {
    let mut rows = Vec::new();
    for chunk in keys.chunks(LISTS[LISTS.len() - 1]) {
        let size = LISTS.into_iter().find(|size| *size >= chunk.len()).unwrap_or(chunk.len());
        let names: Vec<String> = (1..=size).map(|n| format!("${n}")).collect();
        let sql = format!("{head} IN ({}) {tail}", names.join(", "));
        // The list is filled up with its last key: a key named twice matches once.
        let filled = chunk.iter().chain(std::iter::repeat(&chunk[chunk.len() - 1])).take(size);
        let query = filled.fold(sqlx::query(AssertSqlSafe(sql)), |query, key| query.bind(&key[..]));
        rows.extend(query.fetch_all(tx.conn()).await?);
    }
    Ok(rows)
}

/// A bucket as its key: one byte for its form, then the id.
pub(crate) fn bucket_key(bucket: &Bucket) -> Vec<u8> {
    let (form, id) = match bucket {
        Bucket::Unit(unit) => (1, unit.as_bytes()),
        Bucket::Person(person) => (2, person.as_bytes()),
        Bucket::Supervision(unit) => (3, unit.as_bytes()),
    };
    [&[form], &id[..]].concat()
}

/// Reads a bucket's key.
pub(crate) fn bucket_of(key: &[u8]) -> Result<Bucket, StoreError> {
    let bucket = key.split_first().and_then(|(form, id)| {
        let id: [u8; 16] = id.try_into().ok()?;
        match form {
            1 => Some(Bucket::Unit(UnitId::from_bytes(id))),
            2 => Some(Bucket::Person(PersonId::from_bytes(id))),
            3 => Some(Bucket::Supervision(UnitId::from_bytes(id))),
            _ => None,
        }
    });
    bucket.ok_or_else(|| inconsistent("bucket", format!("{key:02x?}"), "a bucket's key"))
}

/// A kind of document as a number.
pub(crate) const fn kind_code(kind: DocKind) -> i64 {
    match kind {
        DocKind::Case => 0,
        DocKind::Response => 1,
        DocKind::Patrol => 2,
        DocKind::Recheck => 3,
    }
}

/// Reads a kind of document.
pub(crate) fn kind_of(code: i64) -> Result<DocKind, StoreError> {
    match code {
        0 => Ok(DocKind::Case),
        1 => Ok(DocKind::Response),
        2 => Ok(DocKind::Patrol),
        3 => Ok(DocKind::Recheck),
        _ => Err(inconsistent("kind", code.to_string(), "a kind of document, 0 to 3")),
    }
}

pub(crate) fn inconsistent(column: &str, found: String, expected: &str) -> StoreError {
    StoreError::Inconsistent { column: column.to_owned(), found, expected: expected.to_owned() }
}

/// A count as a column holds it; none of ours comes near the limit.
pub(crate) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_kinds_survive_their_columns() {
        for bucket in [
            Bucket::Unit(UnitId::from_bytes([1; 16])),
            Bucket::Person(PersonId::from_bytes([1; 16])),
            Bucket::Supervision(UnitId::from_bytes([1; 16])),
        ] {
            assert_eq!(bucket_of(&bucket_key(&bucket)).unwrap(), bucket);
        }
        for wrong in [&[][..], &[1; 16], &[9; 17], &[1; 18]] {
            assert!(bucket_of(wrong).unwrap_err().to_string().contains("bucket"));
        }
        for kind in [DocKind::Case, DocKind::Response, DocKind::Patrol, DocKind::Recheck] {
            assert_eq!(kind_of(kind_code(kind)).unwrap(), kind);
        }
        assert!(kind_of(4).is_err());
    }
}

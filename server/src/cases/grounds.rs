//! The grounds of verdicts, by their hash: rows that are added and never changed.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::Body;
use onscene_sync_core::id::Hash;
use onscene_sync_core::rules::arrival::Grounds;

use super::record::Case;
use crate::store::{RowExt as _, StoreError, Tx};

/// Keeps the grounds of a verdict that is about to be stated.
///
/// # Errors
/// When the database refuses.
pub(super) async fn keep(tx: &mut Tx, grounds: &Grounds) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO verdict_grounds (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    let (hash, bytes) = grounds.to_bytes();
    sqlx::query(SQL).bind(&hash.as_bytes()[..]).bind(bytes).execute(tx.conn()).await?;
    Ok(())
}

/// The grounds of this hash, as they were written down; `None` when they are not there.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let query = sqlx::query("SELECT body FROM verdict_grounds WHERE hash = $1");
    let row = query.bind(&hash.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| row.bytes("body")).transpose()
}

/// The verdicts of a case whose grounds are not there, or are others.
///
/// # Errors
/// When the database refuses.
pub(super) async fn faults(tx: &mut Tx, case: &Case) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    for (fact, stated) in &case.facts {
        let Body::Judged(judged) = &stated.body else { continue };
        let Some(hash) = judged.grounds else { continue };
        if find(tx, hash).await?.is_none_or(|bytes| sha256(&bytes) != hash) {
            faults.push(format!("case {}: the grounds of verdict {fact} are not there", case.id));
        }
    }
    Ok(faults)
}

//! Rows of the change log. What stands there is never changed.

use onscene_sync_core::id::{DeviceId, DocId, Hash};
use onscene_sync_core::time::Millis;

use super::HubError;
use super::sql::count;
use crate::store::{Tx, insert_many};

/// A change to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewChange {
    pub(crate) doc: DocId,
    /// Its place among the document's changes, from 1.
    pub(crate) ord: u64,
    pub(crate) hash: Hash,
    pub(crate) actor: [u8; 16],
    /// Its author's number for it.
    pub(crate) seq: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) device: DeviceId,
    /// Its document had left the device's scope when it arrived.
    pub(crate) late: bool,
}

/// Records changes of documents whose rows are locked.
///
/// # Errors
/// [`HubError::Moved`] when one of them is there already.
pub(crate) async fn insert(
    tx: &mut Tx,
    changes: &[&NewChange],
    now: Millis,
) -> Result<(), HubError> {
    const HEAD: &str =
        "INSERT INTO change (doc_id, ord, hash, actor, seq, body, device, late, received_at)";
    let inserted = insert_many(tx, HEAD, 9, changes, "ON CONFLICT DO NOTHING", |query, change| {
        query
            .bind(&change.doc.as_bytes()[..])
            .bind(count(change.ord))
            .bind(&change.hash.as_bytes()[..])
            .bind(&change.actor[..])
            .bind(count(change.seq))
            .bind(&change.body[..])
            .bind(&change.device.as_bytes()[..])
            .bind(i64::from(change.late))
            .bind(now.0)
    })
    .await?;
    if inserted == changes.len() as u64 { Ok(()) } else { Err(HubError::Moved) }
}

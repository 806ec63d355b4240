//! Rows of the change log. What stands there is never changed.

use std::collections::BTreeMap;

use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::id::{DeviceId, DocId, FactId, Hash};
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
    /// Who handed it in, where that was a colleague.
    pub(crate) carried: Option<Carried>,
}

/// How a colleague's change came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) carrier: DeviceId,
    /// The author's signed statement that lists it.
    pub(crate) statement: Vec<u8>,
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
    if inserted == changes.len() as u64 {
        insert_carried(tx, changes).await
    } else {
        Err(HubError::Moved)
    }
}

async fn insert_carried(tx: &mut Tx, changes: &[&NewChange]) -> Result<(), HubError> {
    const PROOF: &str = "INSERT INTO statement (statement_id, body)";
    const HEAD: &str = "INSERT INTO carried_change (doc_id, hash, carrier, statement_id)";
    let carried: Vec<_> = changes
        .iter()
        .filter_map(|change| Some((change.doc, change.hash, change.carried.as_ref()?)))
        .collect();
    if carried.is_empty() {
        return Ok(());
    }
    // One statement lists many changes.
    let statements: BTreeMap<FactId, &[u8]> = carried
        .iter()
        .map(|(.., carried)| (fact_id(&carried.statement), &carried.statement[..]))
        .collect();
    let statements: Vec<_> = statements.into_iter().collect();
    insert_many(tx, PROOF, 2, &statements, "ON CONFLICT DO NOTHING", |query, (id, body)| {
        query.bind(id.as_bytes().to_vec()).bind(*body)
    })
    .await?;
    insert_many(tx, HEAD, 4, &carried, "", |query, (doc, hash, carried)| {
        query
            .bind(&doc.as_bytes()[..])
            .bind(&hash.as_bytes()[..])
            .bind(&carried.carrier.as_bytes()[..])
            .bind(fact_id(&carried.statement).as_bytes().to_vec())
    })
    .await?;
    Ok(())
}

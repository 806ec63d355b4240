//! Whether the rows beside the log say what the log says: part of `onscene check`.
//!
//! A log whose row adds up may still have been rewritten together with it. What a phone signed
//! cannot be: every fact of a phone is checked against the key that it was enrolled with, and the hub's
//! own against the hub's key.

use std::collections::BTreeSet;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{Body, Fact, envelope};
use onscene_sync_core::handover::statement;
use onscene_sync_core::id::{DeviceId, FactId, Hash};
use onscene_sync_core::sync::message::Bucket;

use super::documents::DocRow;
use super::sql::bucket_key;
use crate::auth::jwk::verify_p256_fast;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Refused changes read in one transaction.
const BATCH: i64 = 100;

/// What the rows of a document's changes and facts say otherwise than the document.
pub(super) async fn of_document(
    tx: &mut Tx,
    row: &DocRow,
    document: &Document,
    hub_key: Option<&[u8; 32]>,
) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    if !document.change_hashes().collect::<BTreeSet<_>>().eq(&noted_changes(tx, row).await?) {
        faults.push("the hashes noted for its changes are not theirs".to_owned());
    }
    for hash in unproven(tx, row).await? {
        faults.push(format!("its author's statement for the carried change {hash} proves nothing"));
    }
    let of_hub =
        |(_, envelope): &(_, Vec<u8>)| row.kind == DocKind::Case || begins_recheck(row, envelope);
    let (own, facts): (Vec<_>, Vec<_>) = document.facts().into_iter().partition(of_hub);
    for (id, envelope) in own {
        if hub_key.is_some_and(|key| envelope::read_from_hub(&envelope, key).is_err()) {
            faults.push(format!("fact {id} is not signed by this hub"));
        }
    }
    // The hub's own facts have no place in a phone's chain, hence no row.
    if row.kind != DocKind::Case {
        let ids: BTreeSet<FactId> = facts.iter().map(|(id, _)| *id).collect();
        if ids != noted_facts(tx, row).await? {
            faults.push("the facts noted for it are not those that it holds".to_owned());
        }
        for (id, envelope) in facts {
            if !is_signed(tx, &envelope).await? {
                faults.push(format!("fact {id} is not signed by the phone that it names"));
            }
        }
    }
    Ok(faults.into_iter().map(|fault| format!("document {}: {fault}", row.id)).collect())
}

/// The first row of a bucket's log that names a change that is not there.
pub(super) async fn of_bucket(tx: &mut Tx, bucket: &Bucket) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT l.seq AS seq FROM bucket_log l \
         LEFT JOIN change c ON c.doc_id = l.doc_id AND c.hash = l.hash \
         WHERE l.bucket = $1 AND l.hash IS NOT NULL AND c.hash IS NULL ORDER BY l.seq LIMIT 1";
    let row = sqlx::query(SQL).bind(bucket_key(bucket)).fetch_optional(tx.conn()).await?;
    row.map(|row| Ok(format!("row {} names a change that is not there", row.int("seq")?)))
        .transpose()
}

/// The refused changes whose bytes are not those that were refused.
pub(super) async fn of_quarantine(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut after = 0;
    loop {
        let read =
            store.with_read("verify.quarantine", after, |tx, after| Box::pin(altered(tx, *after)));
        let (last, found) = read.await?;
        faults.extend(found);
        match last {
            Some(last) => after = last,
            None => return Ok(faults),
        }
    }
}

async fn altered(tx: &mut Tx, after: i64) -> Result<(Option<i64>, Vec<String>), StoreError> {
    const SQL: &str = "SELECT id, hash, body FROM quarantine WHERE id > $1 ORDER BY id LIMIT $2";
    let (mut last, mut faults) = (None, Vec::new());
    for row in sqlx::query(SQL).bind(after).bind(BATCH).fetch_all(tx.conn()).await? {
        let id = row.int("id")?;
        last = Some(id);
        if sha256(&row.bytes("body")?) != Hash::from_bytes(row.array("hash")?) {
            faults.push(format!("refused change {id}: its bytes are not those that came"));
        }
    }
    Ok((last, faults))
}

async fn noted_changes(tx: &mut Tx, row: &DocRow) -> Result<BTreeSet<Hash>, StoreError> {
    const SQL: &str = "SELECT hash FROM change WHERE doc_id = $1";
    let rows = sqlx::query(SQL).bind(&row.id.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| row.array("hash").map(Hash::from_bytes)).collect()
}

/// Changes that a colleague brought and whose author's signed statement does not list them.
async fn unproven(tx: &mut Tx, row: &DocRow) -> Result<Vec<Hash>, StoreError> {
    const SQL: &str = "SELECT k.hash AS hash, s.body AS statement, c.device AS device, \
         d.key AS key FROM carried_change k \
         JOIN statement s ON s.statement_id = k.statement_id \
         JOIN change c ON c.doc_id = k.doc_id AND c.hash = k.hash \
         JOIN device d ON d.device = c.device WHERE k.doc_id = $1";
    let mut unproven = Vec::new();
    for found in sqlx::query(SQL).bind(&row.id.as_bytes()[..]).fetch_all(tx.conn()).await? {
        let hash = Hash::from_bytes(found.array("hash")?);
        let (author, key) = (DeviceId::from_bytes(found.array("device")?), found.bytes("key")?);
        let key_of = |device| (device == author).then_some(key);
        let read = statement::read(&found.bytes("statement")?, key_of, verify_p256_fast);
        if !read.is_ok_and(|statement| statement.lists(row.id, &hash)) {
            unproven.push(hash);
        }
    }
    Ok(unproven)
}

async fn noted_facts(tx: &mut Tx, row: &DocRow) -> Result<BTreeSet<FactId>, StoreError> {
    const SQL: &str = "SELECT fact_id FROM fact WHERE doc_id = $1";
    let rows = sqlx::query(SQL).bind(&row.id.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| row.array("fact_id").map(FactId::from_bytes)).collect()
}

/// The one fact that the hub states in a document of phones.
fn begins_recheck(row: &DocRow, envelope: &[u8]) -> bool {
    let ordered = |fact: Fact| matches!(fact.body, Body::RecheckOrdered(_));
    row.kind == DocKind::Recheck && envelope::read(envelope).is_ok_and(ordered)
}

async fn is_signed(tx: &mut Tx, fact: &[u8]) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT key FROM device WHERE device = $1";
    let read = envelope::read(fact).ok();
    let Some(author) = read.as_ref().and_then(|fact| fact.device()) else { return Ok(false) };
    let query = sqlx::query(SQL).bind(&author.device.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(false) };
    Ok(envelope::read_from_device(fact, &row.bytes("key")?, verify_p256_fast).is_ok())
}

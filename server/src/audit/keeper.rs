//! The keeper of the log: gives new entries their places, adds them to the tree, and signs a
//! checkpoint, at most once a minute. Any process of the hub may do it; they take turns.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use onscene_sync_core::audit::checkpoint::{Checkpoint, Restore, SignedCheckpoint};
use onscene_sync_core::audit::tree::Span;
use onscene_sync_core::id::Hash;
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::entry::{self, Deed};
use super::tiles;
use crate::app::App;
use crate::hub::{HubError, count, epoch};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Time between two checkpoints, milliseconds.
pub const EVERY_MS: i64 = 60_000;
/// Entries taken in by one transaction.
const AT_ONCE: i64 = 1_000;
/// Proofs remembered: most phones come with one of the last few checkpoints.
const PROOFS: usize = 1_000;

/// The newest checkpoint as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) signed: SignedCheckpoint,
    pub(crate) at: Millis,
}

/// What this process remembers of the log, so that a sync without news asks the database nothing.
#[derive(Debug, Default)]
pub struct Keeper {
    /// `None` until it was looked for.
    newest: RwLock<Option<Option<Arc<Newest>>>>,
    proofs: Mutex<Vec<(u64, Arc<[Hash]>)>>,
}

impl Keeper {
    fn set(&self, newest: Option<Newest>) -> Option<Arc<Newest>> {
        let mut held = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref()
            && held.as_deref() == newest.as_ref()
        {
            return held.clone();
        }
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let newest = newest.map(Arc::new);
        *held = Some(newest.clone());
        newest
    }

    pub(super) fn newest(&self) -> Option<Option<Arc<Newest>>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The proof from `size` to the newest checkpoint, if it was worked out before.
    pub(super) fn proof(&self, size: u64) -> Option<Arc<[Hash]>> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.iter().find(|(from, _)| *from == size).map(|(_, proof)| Arc::clone(proof))
    }

    /// Remembers a proof to `newest`, unless there is a newer one by now.
    pub(super) fn keep_proof(&self, size: u64, proof: &Arc<[Hash]>, newest: &Arc<Newest>) {
        if self.newest().flatten().is_some_and(|held| Arc::ptr_eq(&held, newest)) {
            let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
            if proofs.len() < PROOFS {
                proofs.push((size, Arc::clone(proof)));
            }
        }
    }
}

/// Reads which checkpoint is the newest, for this process to remember.
pub(super) async fn refresh(app: &App) -> Result<Option<Arc<Newest>>, StoreError> {
    let newest = app.store.with_read("audit.newest", (), |tx, ()| Box::pin(newest(tx))).await?;
    Ok(app.audit.set(newest))
}

/// The newest checkpoint of the hub's present life.
pub(crate) async fn newest(tx: &mut Tx) -> Result<Option<Newest>, StoreError> {
    const SQL: &str = "SELECT at, signed FROM audit_checkpoint ORDER BY size DESC LIMIT 1";
    let Some(row) = sqlx::query(SQL).fetch_optional(tx.conn()).await? else { return Ok(None) };
    let newest = Newest { signed: signed(&row)?, at: row.millis("at")? };
    // A hub restored just now has yet to say so: its old word would look like a log cut short.
    let present = epoch::present(tx).await?;
    Ok(Some(newest).filter(|newest| newest.signed.checkpoint.epoch() == present))
}

pub(super) fn signed(row: &AnyRow) -> Result<SignedCheckpoint, StoreError> {
    let bytes = row.bytes("signed")?;
    minicbor::decode(&bytes).map_err(|error| StoreError::Inconsistent {
        column: "audit_checkpoint.signed".to_owned(),
        found: format!("{} bytes: {error}", bytes.len()),
        expected: "a checkpoint".to_owned(),
    })
}

/// How many entries have their places; locked, if `lock`, until the transaction ends.
pub(super) async fn size(tx: &mut Tx, lock: bool) -> Result<u64, StoreError> {
    let lock = if lock { tx.engine().for_update() } else { "" };
    let sql = format!("SELECT size FROM audit_head WHERE one = 1{lock}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await?.number("size")
}

/// The root over the first `size` entries.
pub(super) async fn root(tx: &mut Tx, size: u64) -> Result<Hash, StoreError> {
    let hashes = tiles::hashes(tx, &[Span { from: 0, to: size }]).await?;
    Ok(hashes[0])
}

/// Takes in what was logged and signs a checkpoint, if a minute has passed since the last one or the
/// hub was restored; then reads which is the newest. Returns how many entries were taken in.
///
/// # Errors
/// When the database refuses or the key cannot sign.
pub async fn tend(app: &App) -> Result<u64, HubError> {
    let newest = refresh(app).await?;
    let now = app.now();
    if newest.is_some_and(|newest| now.since(newest.at).abs() < EVERY_MS) {
        return Ok(0);
    }
    let mut taken = 0;
    loop {
        let more = app.store.with_tx("audit.take_in", (), |tx, ()| Box::pin(take_in(tx))).await?;
        taken += more;
        if more < AT_ONCE.unsigned_abs() {
            break;
        }
    }
    let input = (app.clone(), now);
    let signing = app
        .store
        .with_tx("audit.checkpoint", input, |tx, (app, now)| Box::pin(checkpoint(tx, app, *now)));
    signing.await?;
    // Its own, or the one that another process has signed meanwhile.
    refresh(app).await?;
    Ok(taken)
}

/// Gives the oldest new entries their places.
async fn take_in(tx: &mut Tx) -> Result<u64, StoreError> {
    const PLACE: &str = "UPDATE audit_entry SET n = v.column2 FROM (";
    const OF: &str = ") AS v WHERE audit_entry.id = v.column1";
    let size = size(tx, true).await?;
    let columns = entry::COLUMNS;
    let sql = format!("SELECT {columns} FROM audit_entry WHERE n IS NULL ORDER BY id LIMIT $1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(AT_ONCE).fetch_all(tx.conn()).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut leaves = Vec::with_capacity(rows.len());
    let mut places = Vec::with_capacity(rows.len());
    for (row, n) in rows.iter().zip(size..) {
        leaves.push(entry::read(row)?.leaf());
        places.push((row.int("id")?, count(n)));
    }
    let taken = places.len() as u64;
    insert_many(tx, PLACE, 2, &places, OF, |query, (id, n)| query.bind(*id).bind(*n)).await?;
    tiles::append(tx, size, leaves).await?;
    let sql = "UPDATE audit_head SET size = $1 WHERE one = 1";
    sqlx::query(sql).bind(count(size + taken)).execute(tx.conn()).await?;
    Ok(taken)
}

/// Signs what the log is now, unless the newest checkpoint says it already.
async fn checkpoint(tx: &mut Tx, app: &App, now: Millis) -> Result<(), HubError> {
    const SQL: &str = "INSERT INTO audit_checkpoint (size, at, signed) VALUES ($1, $2, $3)";
    let size = size(tx, true).await?;
    let largest = sqlx::query("SELECT coalesce(max(size), 0) AS size FROM audit_checkpoint");
    let largest = largest.fetch_one(tx.conn()).await.map_err(StoreError::from)?;
    if largest.number::<u64>("size")? >= size {
        return Ok(());
    }
    let root = root(tx, size).await?;
    let checkpoint = Checkpoint { size, root, restores: restores(tx).await? };
    let signed = checkpoint.sign(&app.keys.facts.public_key(), &app.keys.facts)?;
    let bytes = minicbor::to_vec(&signed).expect("writing CBOR to memory cannot fail");
    let query = sqlx::query(SQL).bind(count(size)).bind(now.0).bind(bytes);
    query.execute(tx.conn()).await.map_err(StoreError::from)?;
    metrics::gauge!("onscene_audit_entries").set(size as f64);
    Ok(())
}

/// Every restore that has its place in the log.
pub(super) async fn restores(tx: &mut Tx) -> Result<Vec<Restore>, StoreError> {
    const SQL: &str =
        "SELECT object FROM audit_entry WHERE action = 0 AND n IS NOT NULL ORDER BY n";
    let rows = sqlx::query(SQL).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| read_restore(&row.bytes("object")?)).collect()
}

fn read_restore(object: &[u8]) -> Result<Restore, StoreError> {
    let restore = object.split_first_chunk::<4>().and_then(|(epoch, rest)| {
        let (size, _root) = rest.split_first_chunk::<8>()?;
        Some(Restore { epoch: u32::from_be_bytes(*epoch), size: u64::from_be_bytes(*size) })
    });
    restore.ok_or_else(|| StoreError::Inconsistent {
        column: "audit_entry.object".to_owned(),
        found: format!("{} bytes", object.len()),
        expected: "an epoch, a size and a root".to_owned(),
    })
}

/// Logs that the database was restored: what this log was when the new life of the hub began.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn note_restore(tx: &mut Tx, epoch: u32, now: Millis) -> Result<(), StoreError> {
    let size = size(tx, true).await?;
    let root = root(tx, size).await?;
    let object = [&epoch.to_be_bytes()[..], &size.to_be_bytes(), root.as_bytes()].concat();
    entry::note(tx, &[entry::Entry::new(Deed::HubRestored, now).object(object)]).await
}

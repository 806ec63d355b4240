//! A new master key: every record's key is wrapped anew, the records stay as they are. Once the old
//! master key is destroyed, backups of the time before hold nothing that anybody can read.

use std::sync::Arc;

use onscene_sync_core::id::DocId;

use super::VaultError;
use super::record::generation;
use super::seal::{self, Fresh};
use crate::audit::{self, Deed, Entry};
use crate::clock::Clock;
use crate::keys::Keys;
use crate::random::Random;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Records wrapped anew in one transaction.
const AT_ONCE: usize = 200;

/// What is sealed: the tables, and what their rows are known by.
const SEALED: [(&str, &str); 2] = [("complainant", "case_id"), ("reply", "reply_id")];

/// What a rotation needs.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The hub's keys, the new master key among them.
    pub keys: Arc<Keys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// Makes the newest master key among the files the one in use, and wraps every record's key under
/// it. Returns its generation and how many were wrapped. It may be stopped and run again.
///
/// # Errors
/// When a master key is absent, a record is damaged, or the database refuses.
pub async fn rotate(store: &Store, rotation: Rotation) -> Result<(u32, u64), VaultError> {
    let newest = rotation.keys.vault.newest();
    let input = (rotation.clone(), newest);
    let begun = store.with_tx("vault.rotate", input, |tx, (rotation, newest)| {
        Box::pin(begin(tx, rotation, *newest))
    });
    begun.await?;
    let mut count = 0;
    loop {
        let fresh: Vec<Fresh> = (0..AT_ONCE).map(|_| Fresh::draw(&*rotation.random)).collect();
        let input = (rotation.clone(), newest, fresh);
        let wrapped = store.with_tx("vault.wrap", input, |tx, (rotation, newest, fresh)| {
            Box::pin(wrap_some(tx, rotation, *newest, fresh))
        });
        let wrapped = wrapped.await?;
        count += wrapped;
        if wrapped == 0 {
            return Ok((newest, count));
        }
    }
}

/// The generation of the master key in use.
///
/// # Errors
/// When the database refuses.
pub async fn in_use(store: &Store) -> Result<u32, StoreError> {
    store
        .with_read("vault.generation", (), |tx, ()| {
            Box::pin(async move {
                let query = sqlx::query("SELECT generation FROM vault WHERE one = 1");
                query.fetch_one(tx.conn()).await?.number("generation")
            })
        })
        .await
}

async fn begin(tx: &mut Tx, rotation: &Rotation, newest: u32) -> Result<(), VaultError> {
    rotation.keys.vault.master(newest)?;
    if generation(tx).await? == newest {
        return Ok(());
    }
    let query = sqlx::query("UPDATE vault SET generation = $1 WHERE one = 1");
    query.bind(i64::from(newest)).execute(tx.conn()).await.map_err(StoreError::from)?;
    let entry = Entry::new(Deed::VaultRotated, rotation.clock.now());
    Ok(audit::note(tx, &[entry.object(newest.to_be_bytes())]).await?)
}

async fn wrap_some(
    tx: &mut Tx,
    rotation: &Rotation,
    newest: u32,
    fresh: &[Fresh],
) -> Result<u64, VaultError> {
    for (table, id) in SEALED {
        let wrapped = wrap_rows(tx, rotation, newest, fresh, (table, id)).await?;
        if wrapped > 0 {
            return Ok(wrapped);
        }
    }
    Ok(0)
}

async fn wrap_rows(
    tx: &mut Tx,
    rotation: &Rotation,
    newest: u32,
    fresh: &[Fresh],
    (table, id): (&str, &str),
) -> Result<u64, VaultError> {
    let old = format!(
        "SELECT {id} AS id, generation, wrapped_key FROM {table} \
         WHERE erased_at IS NULL AND generation <> $1 ORDER BY {id} LIMIT $2{}",
        tx.engine().for_update()
    );
    let new = format!("UPDATE {table} SET generation = $2, wrapped_key = $3 WHERE {id} = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(old)).bind(i64::from(newest));
    let limit = i64::try_from(fresh.len()).unwrap_or(i64::MAX);
    let rows = query.bind(limit).fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    let master = rotation.keys.vault.master(newest)?;
    for (row, fresh) in rows.iter().zip(fresh) {
        let id = DocId::from_bytes(row.array("id")?);
        let generation = row.number("generation")?;
        let former = rotation.keys.vault.master(generation)?;
        let key = seal::unwrap(&former, id, generation, &row.bytes("wrapped_key")?);
        let key = key.ok_or(VaultError::Damaged(id))?;
        let wrapped = seal::wrap(&master, *fresh, id, newest, &key);
        let query = sqlx::query(sqlx::AssertSqlSafe(new.clone())).bind(&id.as_bytes()[..]);
        let query = query.bind(i64::from(newest)).bind(wrapped);
        query.execute(tx.conn()).await.map_err(StoreError::from)?;
    }
    Ok(rows.len() as u64)
}

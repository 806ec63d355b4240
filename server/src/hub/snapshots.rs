//! Whole documents as bytes: what a phone is sent in place of many changes, and what saves the hub
//! from replaying long logs. A snapshot is read back and compared before it is kept, and the log
//! that it sums up is never dropped.

use std::collections::BTreeMap;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::{Document, DocumentError};
use onscene_sync_core::id::DocId;
use onscene_sync_core::time::Millis;

use super::HubError;
use super::documents::{self, DocRow, Material};
use super::sql::count;
use crate::app::App;
use crate::store::{StoreError, Tx, insert_many};

/// A snapshot to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) doc: DocId,
    pub(crate) changes: u64,
    heads: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Snapshot {
    /// Saves a document, reads it back and compares.
    ///
    /// # Errors
    /// When what was saved does not read back as the same document.
    pub(crate) fn of(document: &Document) -> Result<Self, DocumentError> {
        let body = document.save_verified()?;
        let heads: Vec<u8> = document.heads().iter().flat_map(|hash| *hash.as_bytes()).collect();
        let heads = sha256(&heads).as_bytes().to_vec();
        Ok(Self { doc: document.id(), changes: document.len() as u64, heads, body })
    }
}

/// Documents as they are sent whole.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// Their bytes.
    pub(crate) bodies: BTreeMap<DocId, Vec<u8>>,
    /// Those of them that were made just now.
    pub(crate) fresh: Vec<Snapshot>,
    /// Those that do not add up and must be rebuilt from their logs.
    pub(crate) damaged: Vec<DocRow>,
}

/// Turns material into bytes: a snapshot that is up to date is sent as it is.
pub(crate) fn save_all(materials: Vec<Material>) -> Saved {
    let mut saved = Saved::default();
    for material in materials {
        let id = material.row.id;
        match material {
            Material { row, snapshot: Some((changes, body)), .. } if changes == row.changes => {
                saved.bodies.insert(id, body);
            }
            material => match material.build().and_then(|document| Snapshot::of(&document)) {
                Ok(snapshot) => {
                    saved.bodies.insert(id, snapshot.body.clone());
                    saved.fresh.push(snapshot);
                }
                Err(_) => saved.damaged.push(material.row),
            },
        }
    }
    saved
}

/// Keeps snapshots, each unless a newer one is there. Nothing depends on it: a fault is only logged.
pub(crate) async fn keep(app: &App, fresh: Vec<Snapshot>) {
    if fresh.is_empty() {
        return;
    }
    let work = (fresh, app.now());
    let kept = app
        .store
        .with_tx("hub.snapshot", work, |tx, (fresh, now)| Box::pin(insert(tx, fresh, *now)));
    if let Err(error) = kept.await {
        tracing::warn!(%error, "snapshots were not kept");
    }
}

/// Sums up documents whose logs have grown long.
pub(crate) async fn sum_up(app: &App, long: Vec<Document>) {
    if long.is_empty() {
        return;
    }
    let save = move || long.iter().map(Snapshot::of).collect::<Result<Vec<_>, _>>();
    match tokio::task::spawn_blocking(save).await {
        Ok(Ok(fresh)) => keep(app, fresh).await,
        Ok(Err(error)) => tracing::error!(%error, "a document does not read back as it was saved"),
        Err(_) => tracing::error!("saving a document was interrupted"),
    }
}

/// Rebuilds a document from its log, drops the snapshot that does not fit it, and shelves it.
///
/// # Errors
/// [`HubError::Corrupt`] when the log itself does not add up.
pub(crate) async fn repair(app: &App, row: DocRow) -> Result<(), HubError> {
    tracing::error!(doc = %row.id, "a snapshot does not fit its log: rebuilding from the log");
    let rebuilt = app.store.with_tx("hub.repair", row, |tx, row| {
        Box::pin(async move {
            let document = documents::rebuild(tx, row).await?;
            const SQL: &str = "DELETE FROM snapshot WHERE doc_id = $1";
            let drop = sqlx::query(SQL).bind(&row.id.as_bytes()[..]).execute(tx.conn()).await;
            drop.map_err(StoreError::from)?;
            Ok::<_, HubError>(document)
        })
    });
    app.warm.put(rebuilt.await?);
    Ok(())
}

async fn insert(tx: &mut Tx, fresh: &[Snapshot], now: Millis) -> Result<(), StoreError> {
    const HEAD: &str = "INSERT INTO snapshot (doc_id, changes, heads_hash, body, made_at)";
    const TAIL: &str = "ON CONFLICT (doc_id) DO UPDATE SET changes = excluded.changes, \
         heads_hash = excluded.heads_hash, body = excluded.body, made_at = excluded.made_at \
         WHERE excluded.changes > snapshot.changes";
    insert_many(tx, HEAD, 5, fresh, TAIL, |query, snapshot| {
        query
            .bind(&snapshot.doc.as_bytes()[..])
            .bind(count(snapshot.changes))
            .bind(&snapshot.heads[..])
            .bind(&snapshot.body[..])
            .bind(now.0)
    })
    .await?;
    Ok(())
}

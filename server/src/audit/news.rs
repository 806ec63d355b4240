//! The log and the phones: each is told of the newest checkpoint with a proof that the log only grew
//! since the one that it has, and says when that does not hold.

use std::sync::Arc;

use onscene_sync_core::audit::checkpoint::SignedCheckpoint;
use onscene_sync_core::audit::tree;
use onscene_sync_core::audit::witness::{Mark, News};
use onscene_sync_core::id::{DeviceId, Hash};
use onscene_sync_core::time::Millis;

use super::entry::{Deed, Entry, note};
use super::keeper::{self, Newest};
use super::tiles;
use crate::app::App;
use crate::hub::count;
use crate::store::{StoreError, Tx};

/// What a phone that has seen `seen` is to be told; `None` when that is the newest.
///
/// # Errors
/// When the database refuses.
pub async fn since(app: &App, seen: Option<Mark>) -> Result<Option<News>, StoreError> {
    let is_beyond = |newest: &Option<Arc<Newest>>| {
        let newest = newest.as_ref().map(|newest| &newest.signed.checkpoint);
        seen.is_some_and(|seen| newest.is_none_or(|n| seen.size > n.size || seen.epoch > n.epoch()))
    };
    let newest = match app.audit.newest() {
        // Another process may have signed a newer one since this one looked.
        Some(newest) if !is_beyond(&newest) => newest,
        _ => keeper::refresh(app).await?,
    };
    let Some(newest) = newest else { return Ok(None) };
    let log = &newest.signed.checkpoint;
    if seen == Some(Mark { epoch: log.epoch(), size: log.size }) {
        return Ok(None);
    }
    // Nothing can be shown to who has seen more than there is: the phone draws its conclusion.
    let provable = seen.filter(|seen| seen.size <= log.kept_since(seen.epoch));
    let proof = match provable.and_then(|seen| tree::consistency(seen.size, log.size)) {
        None => Vec::new(),
        Some(spans) if spans.is_empty() => Vec::new(),
        Some(spans) => {
            let from = seen.map_or(0, |seen| seen.size);
            prove(app, from, spans, &newest).await?.to_vec()
        }
    };
    Ok(Some(News { checkpoint: newest.signed.clone(), proof }))
}

async fn prove(
    app: &App,
    from: u64,
    spans: Vec<tree::Span>,
    newest: &Arc<Newest>,
) -> Result<Arc<[Hash]>, StoreError> {
    if let Some(proof) = app.audit.proof(from) {
        return Ok(proof);
    }
    let read = app
        .store
        .with_read("audit.consistency", spans, |tx, spans| Box::pin(tiles::hashes(tx, spans)));
    let proof: Arc<[Hash]> = read.await?.into();
    app.audit.keep_proof(from, &proof, newest);
    Ok(proof)
}

/// Hears a phone that holds a checkpoint which this hub signed and whose log is not ours. It goes
/// into the log, once, with the proof beside it; anything else is passed over.
///
/// # Errors
/// When the database refuses.
pub async fn hear(
    app: &App,
    device: DeviceId,
    disputed: &SignedCheckpoint,
) -> Result<(), StoreError> {
    if !disputed.is_signed_by(&app.keys.facts.public_key()) {
        return Ok(());
    }
    let input = (device, disputed.clone(), app.now());
    let heard = app.store.with_tx("audit.hear", input, |tx, (device, disputed, now)| {
        Box::pin(judge(tx, *device, disputed, *now))
    });
    match heard.await? {
        None => {}
        Some(Deed::LossWitnessed) => {
            tracing::warn!(%device, size = disputed.checkpoint.size,
                "a phone has proof of log entries that were lost when the hub was restored");
        }
        Some(_) => {
            metrics::counter!("onscene_audit_disputes_total").increment(1);
            tracing::error!(%device, size = disputed.checkpoint.size,
                "a phone has proof that the audit log was rewritten or cut: run `onscene audit \
                 verify`; if the database was restored, run `onscene migrate --restored`");
        }
    }
    Ok(())
}

async fn judge(
    tx: &mut Tx,
    device: DeviceId,
    disputed: &SignedCheckpoint,
    now: Millis,
) -> Result<Option<Deed>, StoreError> {
    const SQL: &str = "INSERT INTO audit_dispute (epoch, size, root, device, at, signed) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let theirs = &disputed.checkpoint;
    let Some(action) = difference(tx, disputed).await? else { return Ok(None) };
    let signed = minicbor::to_vec(disputed).expect("writing CBOR to memory cannot fail");
    let query = sqlx::query(SQL).bind(i64::from(theirs.epoch())).bind(count(theirs.size));
    let query = query.bind(&theirs.root.as_bytes()[..]).bind(&device.as_bytes()[..]);
    let fresh = query.bind(now.0).bind(signed).execute(tx.conn()).await?.rows_affected() > 0;
    if !fresh {
        return Ok(None);
    }
    note(tx, &[Entry::new(action, now).device(device).hashes([&theirs.root])]).await?;
    Ok(Some(action))
}

/// How the log differs from a checkpoint that this hub signed: not at all, by a restore, or without
/// an excuse.
pub(super) async fn difference(
    tx: &mut Tx,
    signed: &SignedCheckpoint,
) -> Result<Option<Deed>, StoreError> {
    let theirs = &signed.checkpoint;
    let restores = keeper::restores(tx).await?;
    let ours = onscene_sync_core::audit::checkpoint::Checkpoint {
        size: keeper::size(tx, false).await?,
        root: theirs.root,
        restores,
    };
    if theirs.size > ours.kept_since(theirs.epoch()) {
        return Ok(Some(Deed::LossWitnessed));
    }
    if theirs.size > ours.size || !ours.restores.starts_with(&theirs.restores) {
        return Ok(Some(Deed::LogDisputed));
    }
    let same = keeper::root(tx, theirs.size).await? == theirs.root;
    Ok((!same).then_some(Deed::LogDisputed))
}

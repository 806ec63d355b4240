//! One sync request from its first row to its reply.
//!
//! A phone that brings and finds nothing is answered by `idle`. Otherwise:
//!
//! 1. Rule on the changes, without a lock ([`admit`]).
//! 2. One transaction: documents, changes, facts, jobs, quarantine, the device's chain and anchor,
//!    buckets last. When it has committed, everything in the reply is durable.
//! 3. Read what the phone has not seen ([`pull`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::bytes::ByteVec;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::id::{Actor, DeviceId};
use onscene_sync_core::sync::bucket::State;
use onscene_sync_core::sync::message::{
    Bucket, Cursor, PushResult, Standing, SyncReply, SyncRequest,
};
use onscene_sync_core::time::Millis;

use super::admit::{self, Batch, Brought, DocBatch};
use super::anchors::{self, Receipt};
use super::authors::Judged;
use super::pull::{self, Ask, Told};
use super::scope::{self, Caller};
use super::{Chains, HubError, certificates, idle, quarantine, record, snapshots};
use crate::app::App;
use crate::audit::news;
use crate::cases::admitted::note_fetched;
use crate::cases::rejudge::{self, News};
use crate::poke::Poke;
use crate::store::Tx;

/// Times that a request is ruled on anew because others wrote to its documents meanwhile. Each time somebody
/// else got on; a node that has to read a document anew can lose many times in a row to one that has it.
const TRIES: u32 = 64;

/// What the transaction works on.
struct Work {
    app: App,
    caller: Caller,
    request: Arc<SyncRequest>,
    batch: Arc<Batch>,
    now: Millis,
}

/// What the transaction came to.
struct Done {
    receipt: Option<Receipt>,
    certificate: Option<Vec<u8>>,
    noted: BTreeMap<Bucket, State>,
    pokes: Vec<Poke>,
    /// A job is due at once: the phone has an order in hand that waited for it, or brought
    /// evidence for an earlier claim.
    due: bool,
    /// Places of colleagues' changes that were refused and for which quarantine has no room.
    held_back: Vec<usize>,
    full: Option<HubError>,
}

/// Answers a sync request. `request.protocol` has been agreed on.
///
/// # Errors
/// [`HubError::QuarantineFull`] when refused changes could not be kept (what was accepted is), and
/// when the database or a document does not allow it.
pub async fn sync(app: &App, caller: &Caller, request: SyncRequest) -> Result<SyncReply, HubError> {
    let now = app.now();
    match idle::answer(app, caller, &request, now).await? {
        Some(reply) => Ok(reply),
        None => in_full(app, caller, request, now).await,
    }
}

/// Answers any request.
pub(super) async fn in_full(
    app: &App,
    caller: &Caller,
    mut request: SyncRequest,
    now: Millis,
) -> Result<SyncReply, HubError> {
    let brought = Brought {
        push: std::mem::take(&mut request.push).into(),
        statements: std::mem::take(&mut request.statements).into(),
    };
    let request = Arc::new(request);
    let mut chains = Chains::new();
    for _ in 0..TRIES {
        let batch = match admit::judge(app, caller, &brought, chains.clone()).await {
            Err(HubError::Moved) => continue,
            other => Arc::new(other?),
        };
        let work = Work {
            app: app.clone(),
            caller: caller.clone(),
            request: Arc::clone(&request),
            batch: Arc::clone(&batch),
            now,
        };
        let done = app.store.with_tx("hub.sync", work, |tx, work| Box::pin(commit(tx, work)));
        match done.await {
            Ok(done) => return finish(app, caller, &request, batch, done, now).await,
            Err(HubError::Moved) => metrics::counter!("onscene_sync_rejudged_total").increment(1),
            Err(HubError::Forked(known)) => chains = known,
            Err(error) => return Err(error),
        }
    }
    Err(HubError::Moved)
}

async fn commit(tx: &mut Tx, work: &Work) -> Result<Done, HubError> {
    let Work { app, caller, request, batch, now } = work;
    if batch.judged.len() > 1 {
        let found = anchors::lock(tx, batch.judged.keys().copied()).await?;
        let same = |(device, judged): (&DeviceId, &Judged)| {
            found.get(device) == Some(&(judged.install, judged.revoked))
        };
        if !batch.judged.iter().all(same) {
            return Err(HubError::Moved);
        }
    }
    let row = anchors::touch(tx, caller.device, *now).await?;
    if let Some(judged) = batch.judged.get(&caller.device)
        && (judged.install != row.install || judged.revoked != row.revoked)
    {
        return Err(HubError::Moved);
    }
    let additions = record::record(tx, batch, *now).await?;
    anchors::sight(tx, &batch.heads, *now).await?;
    let install = request.head.install;
    let kept = quarantine::keep(tx, caller.device, install, &batch.refused, *now).await;
    let (held_back, full) = match kept {
        Ok(held_back) => (held_back, None),
        Err(full @ HubError::QuarantineFull { .. }) => (Vec::new(), Some(full)),
        Err(error) => return Err(error),
    };
    let receipt = match row.revoked {
        true => None,
        false => Some(anchors::receipt(tx, app, caller.device, request, *now).await?),
    };
    let mut due = rejudge(tx, work, receipt.as_ref()).await?;
    let certificate = match &receipt {
        Some(receipt) if request.certify => {
            let install = receipt.standing.install().unwrap_or(row.install);
            Some(certificates::issue(tx, app, caller, install, *now).await?)
        }
        _ => None,
    };
    if receipt.is_some() {
        let cursors = request.cursors.iter();
        let readable: Vec<Cursor> =
            cursors.filter(|cursor| caller.buckets.contains(&cursor.bucket)).copied().collect();
        due |= note_fetched(tx, caller.device, &readable, *now).await?;
    }
    let pokes = additions.write(tx, *now).await?;
    let noted = if row.revoked { BTreeMap::new() } else { scope::follow(tx, caller).await? };
    Ok(Done { receipt, certificate, noted, pokes, due, held_back, full })
}

/// Plans a second look at claims that this request brought evidence for. `true` when one is due.
async fn rejudge(tx: &mut Tx, work: &Work, receipt: Option<&Receipt>) -> Result<bool, HubError> {
    let mut places: BTreeMap<DeviceId, Vec<(u32, u64)>> = BTreeMap::new();
    if receipt.is_some_and(|receipt| receipt.acknowledged) {
        places.entry(work.caller.device).or_default();
    }
    let admitted = work.batch.docs.iter().flat_map(|doc| &doc.facts);
    for author in admitted.filter_map(|(_, fact)| fact.device()) {
        places.entry(author.device).or_default().push((author.install, author.seq));
    }
    let mut due = false;
    for (device, facts) in &places {
        let acknowledged =
            *device == work.caller.device && receipt.is_some_and(|receipt| receipt.acknowledged);
        let news = News { device: *device, acknowledged, facts };
        due |= rejudge::expect(tx, &news, work.now).await?;
    }
    Ok(due)
}

async fn finish(
    app: &App,
    caller: &Caller,
    request: &SyncRequest,
    batch: Arc<Batch>,
    done: Done,
    now: Millis,
) -> Result<SyncReply, HubError> {
    done.pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
    if done.due || batch.docs.iter().any(|doc| !doc.changes.is_empty()) {
        app.jobs.wake();
    }
    let mut results = settle(app, batch).await;
    for place in done.held_back {
        results[place] = PushResult::Later(NO_ROOM.to_owned());
    }
    if let Some(disputed) = &request.disputed {
        news::hear(app, caller.device, disputed).await?;
    }
    if let Some(full) = done.full {
        return Err(full);
    }
    let Some(receipt) = done.receipt else {
        return Ok(revoked(request, results, now));
    };
    let sound = receipt.standing == Standing::Good;
    let own = Actor { device: caller.device, install: request.head.install, incarnation: 0 };
    let own = own.to_bytes().first_chunk::<12>().copied().filter(|_| sound);
    let ask = Ask {
        caller: caller.clone(),
        cursors: request.cursors.clone(),
        want: request.want.clone(),
        max_bytes: usize::try_from(request.max_bytes).unwrap_or(usize::MAX),
        own,
        noted: done.noted,
    };
    let Told { pages, docs } = pull::pull(app, ask).await?;
    let log = news::since(app, request.seen).await?;
    Ok(SyncReply {
        protocol: request.protocol,
        results,
        buckets: pages,
        docs,
        head: receipt.admitted,
        anchor: Some(receipt.anchor.into()),
        at: now,
        standing: receipt.standing,
        log,
        certificate: done.certificate.map(ByteVec::from),
    })
}

/// Counts the results, puts the documents back on the shelf and sums up long logs.
async fn settle(app: &App, batch: Arc<Batch>) -> Vec<PushResult> {
    let batch = match Arc::try_unwrap(batch) {
        Ok(batch) => batch,
        Err(shared) => return shared.results.clone(),
    };
    for result in &batch.results {
        metrics::counter!("onscene_changes_total", "result" => name(result)).increment(1);
    }
    let long = batch.docs.iter().filter(|doc| is_due(doc)).map(|doc| doc.after.clone()).collect();
    snapshots::sum_up(app, long).await;
    batch.docs.into_iter().for_each(|doc| app.warm.put(doc.after));
    batch.results
}

const NO_ROOM: &str = "a colleague's record was refused, and so much that this phone carried is in \
     quarantine that there is no room: a supervisor has to settle some";

/// A snapshot is due each time that a document's log has grown by this many changes.
const LOG_BETWEEN_SNAPSHOTS: u64 = 64;

fn is_due(doc: &DocBatch) -> bool {
    doc.before.changes / LOG_BETWEEN_SNAPSHOTS != doc.after.len() as u64 / LOG_BETWEEN_SNAPSHOTS
}

fn name(result: &PushResult) -> &'static str {
    match result {
        PushResult::Accepted => "accepted",
        PushResult::Duplicate => "duplicate",
        PushResult::MissingDeps(_) => "missing_deps",
        PushResult::Refused(_) => "refused",
        PushResult::Later(_) => "later",
    }
}

fn revoked(request: &SyncRequest, results: Vec<PushResult>, now: Millis) -> SyncReply {
    SyncReply {
        protocol: request.protocol,
        results,
        buckets: Vec::new(),
        docs: Vec::new(),
        head: Head { install: request.head.install, seq: 0, fact: None },
        anchor: None,
        at: now,
        standing: Standing::Revoked,
        log: None,
        certificate: None,
    }
}

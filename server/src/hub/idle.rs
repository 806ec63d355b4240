//! A phone that comes back with nothing and finds nothing new, which is what most requests of a fleet
//! are: one statement reads that it is so, one records the phone's anchor. Anything else takes the
//! long way of [`exchange`](super::exchange), and so does whatever this cannot tell.

use std::collections::BTreeMap;

use onscene_sync_core::sync::bucket::State;
use onscene_sync_core::sync::chain;
use onscene_sync_core::sync::message::{Bucket, Standing, SyncReply, SyncRequest};
use onscene_sync_core::time::Millis;
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::anchors::{self, Chain, Next};
use super::scope::Caller;
use super::sql::{bucket_key, bucket_of};
use super::{HubError, buckets, pull};
use crate::app::App;
use crate::audit::news;
use crate::store::{RowExt as _, StoreError};

/// Beside the phone's chain: since when an acknowledged anchor makes its claims be judged again (see
/// [`rejudge`](crate::cases::rejudge)) and its newest claim; and of each bucket `$6` and `$7` how far
/// it goes, how far the phone was told, and the first open order of the unit `$8` in it.
const GLANCE: &str = anchors::chain_sql!(
    ", (SELECT a.at FROM anchor l JOIN anchor a ON a.device = l.device AND a.number = l.acknowledges \
            WHERE l.device = $1 AND l.acknowledges IS NOT NULL \
            ORDER BY l.number DESC LIMIT 1 OFFSET 2) AS judged_again_since, \
        (SELECT max(received_at) FROM fact WHERE device = $1 AND kind = 1) AS claimed_at, \
        b.bucket AS bucket, b.n AS n, b.epoch AS epoch, b.checksum AS checksum, t.to_seq AS to_seq, \
        (SELECT min(m.first_seq) FROM dispatch_order o \
            JOIN doc_bucket m ON m.doc_id = o.inspection AND m.bucket = b.bucket \
            WHERE o.unit_id = $8 AND o.received_at IS NULL AND m.left_seq IS NULL) AS open_order",
    " LEFT JOIN bucket b ON b.bucket IN ($6, $7) \
      LEFT JOIN device_bucket t ON t.device = d.device AND t.bucket = b.bucket"
);

/// The answer to such a phone; `None` to any other.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    request: &SyncRequest,
    now: Millis,
) -> Result<Option<SyncReply>, HubError> {
    let asks = request.renew || request.certify || request.disputed.is_some();
    if !request.push.is_empty() || asks {
        return Ok(None);
    }
    let rows = app.store.read_one("hub.glance", || glance(caller, request)).await?;
    let Some(chain) = undisturbed(&rows, request)? else { return Ok(None) };
    let Some(states) = told(&rows, caller, request)? else { return Ok(None) };
    let Some(pages) = pull::nothing_new(&request.cursors, &request.want, &states) else {
        return Ok(None);
    };
    let next = Next::sign(app, caller.device, &chain, request, now)?;
    if app.store.write_one("hub.anchor", || next.insert()).await? == 0 {
        return Ok(None);
    }
    Ok(Some(SyncReply {
        protocol: request.protocol,
        results: Vec::new(),
        buckets: pages,
        docs: Vec::new(),
        head: chain.admitted(&request.head),
        anchor: Some(next.envelope.into()),
        at: now,
        standing: Standing::Good,
        log: news::since(app, request.seen).await?,
        certificate: None,
    }))
}

fn glance(caller: &Caller, request: &SyncRequest) -> Query<'static, Any, AnyArguments> {
    let mut keys = caller.buckets.iter().map(bucket_key);
    let first = keys.next().unwrap_or_default();
    let last = keys.next_back().unwrap_or_else(|| first.clone());
    let query = anchors::bind_chain(GLANCE, caller.device, request).bind(first).bind(last);
    query.bind(caller.unit.as_bytes().to_vec())
}

/// The phone's chain, if nothing follows from what it says about it.
fn undisturbed(rows: &[AnyRow], request: &SyncRequest) -> Result<Option<Chain>, StoreError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let chain = Chain::of(row, request.head.install)?;
    let good = chain::standing(&request.head, &chain.known) == Standing::Good;
    let claimed = row.opt_millis("claimed_at")?;
    let judged_again = chain.acknowledged
        && claimed.is_some()
        && claimed >= row.opt_millis("judged_again_since")?;
    let plain = good && !chain.is_further(&request.head) && !judged_again;
    Ok(plain.then_some(chain))
}

/// How far each of the phone's buckets goes, if it has been told all of it and holds no order whose
/// receipt is yet to be stated.
fn told(
    rows: &[AnyRow],
    caller: &Caller,
    request: &SyncRequest,
) -> Result<Option<BTreeMap<Bucket, State>>, StoreError> {
    let mut states: BTreeMap<_, _> =
        caller.buckets.iter().map(|bucket| (*bucket, State::default())).collect();
    for row in rows {
        let Some(key) = row.opt_bytes("bucket")? else { continue };
        let (bucket, state) = (bucket_of(&key)?, buckets::state_of(row)?);
        let followed = row.opt_int("to_seq")?.is_some_and(|to| to.cast_unsigned() >= state.seq);
        let order = row.opt_int("open_order")?.map(i64::cast_unsigned);
        let received = matches!(bucket, Bucket::Unit(_))
            && order.is_some_and(|order| {
                request.cursors.iter().any(|at| at.bucket == bucket && order <= at.seq)
            });
        if !followed || received {
            return Ok(None);
        }
        states.insert(bucket, state);
    }
    Ok(Some(states))
}

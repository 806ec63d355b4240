//! What a phone may rely on, and what the hub may hold against it: numbered signed anchors, the
//! first sight of each end of its chain, and its standing.

use onscene_sync_core::fact::AnchorRef;
use onscene_sync_core::fact::anchor::{Anchor, Head};
use onscene_sync_core::fact::envelope::seal_anchor;
use onscene_sync_core::id::{BootId, DeviceId, FactId};
use onscene_sync_core::sync::chain::{self, Known};
use onscene_sync_core::sync::message::{Standing, SyncRequest};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::HubError;
use super::sql::count;
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

/// A device's row, locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    /// Its newest install number.
    pub(crate) install: u32,
    pub(crate) revoked: bool,
    /// How many anchors it has been given, the one for this request included.
    pub(crate) anchors: u64,
}

/// What the hub says about a phone's chain and the time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) standing: Standing,
    /// The end of what was admitted of the asking install.
    pub(crate) admitted: Head,
    /// The signed anchor.
    pub(crate) anchor: Vec<u8>,
    /// The hub learned when the phone had received an anchor.
    pub(crate) acknowledged: bool,
}

/// Locks the device's row and counts one more anchor for it.
pub(crate) async fn touch(
    tx: &mut Tx,
    device: DeviceId,
    now: Millis,
) -> Result<DeviceRow, HubError> {
    const SQL: &str = "UPDATE device SET anchors = anchors + 1, last_seen_at = $2 \
         WHERE device = $1 RETURNING install, revoked_at, anchors";
    let query = sqlx::query(SQL).bind(&device.as_bytes()[..]).bind(now.0);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let row = row.ok_or(HubError::UnknownDevice)?;
    Ok(DeviceRow {
        install: row.number("install")?,
        revoked: row.opt_int("revoked_at")?.is_some(),
        anchors: row.number("anchors")?,
    })
}

/// Judges the phone's standing, records what its request proves, issues a new install number if it
/// asks for one, and signs its anchor.
pub(crate) async fn receipt(
    tx: &mut Tx,
    app: &App,
    device: DeviceId,
    row: &DeviceRow,
    request: &SyncRequest,
    now: Millis,
) -> Result<Receipt, HubError> {
    let head = request.head;
    let named = end(tx, HEADS, device, head.install).await?;
    let admitted = end(tx, FACTS, device, head.install).await?;
    let at_end = fact_at(tx, device, &head, admitted).await?;
    let known = Known { revoked: row.revoked, install: row.install, named, admitted, at_end };
    let mut standing = chain::standing(&head, &known);
    if standing == Standing::Good && named.is_none_or(|named| named.seq < head.seq) {
        note_head(tx, device, &head, now).await?;
    }
    let acknowledged = match &request.anchor {
        Some(anchor) => acknowledge(tx, device, anchor, request.clock.boot).await?,
        None => false,
    };
    if request.renew && !row.revoked {
        standing = Standing::Renewed(renew(tx, device, row.install, head.install, now).await?);
    }
    let anchor = Anchor { device, number: row.anchors, head, at: now };
    let (proof, envelope) = seal_anchor(&anchor, &app.keys.facts)?;
    record(tx, &anchor, proof).await?;
    let nothing = Head { install: head.install, seq: 0, fact: None };
    Ok(Receipt { standing, admitted: admitted.unwrap_or(nothing), anchor: envelope, acknowledged })
}

const HEADS: &str = "SELECT seq, fact FROM device_head WHERE device = $1 AND install = $2 \
     ORDER BY seq DESC LIMIT 1";
const FACTS: &str = "SELECT seq, fact_id AS fact FROM fact WHERE device = $1 AND install = $2 \
     ORDER BY seq DESC LIMIT 1";

async fn end(
    tx: &mut Tx,
    sql: &'static str,
    device: DeviceId,
    install: u32,
) -> Result<Option<Head>, StoreError> {
    let query = sqlx::query(sql).bind(&device.as_bytes()[..]).bind(i64::from(install));
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| Ok(Head { install, seq: row.number("seq")?, fact: fact_of(&row)? })).transpose()
}

fn fact_of(row: &AnyRow) -> Result<Option<FactId>, StoreError> {
    Ok(row.opt_array("fact")?.map(FactId::from_bytes))
}

/// The admitted fact at the place that the phone names as its end; known without asking when that
/// is at or beyond the furthest admitted one.
async fn fact_at(
    tx: &mut Tx,
    device: DeviceId,
    head: &Head,
    admitted: Option<Head>,
) -> Result<Option<FactId>, StoreError> {
    const SQL: &str = "SELECT fact_id AS fact FROM fact \
         WHERE device = $1 AND install = $2 AND seq = $3";
    match admitted {
        Some(furthest) if furthest.seq == head.seq => Ok(furthest.fact),
        Some(furthest) if furthest.seq > head.seq => {
            let query = sqlx::query(SQL).bind(&device.as_bytes()[..]);
            let query = query.bind(i64::from(head.install)).bind(count(head.seq));
            let row = query.fetch_optional(tx.conn()).await?;
            row.map_or(Ok(None), |row| fact_of(&row))
        }
        _ => Ok(None),
    }
}

async fn note_head(
    tx: &mut Tx,
    device: DeviceId,
    head: &Head,
    now: Millis,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO device_head (device, install, seq, fact, seen_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let fact = head.fact.map(|fact| fact.as_bytes().to_vec());
    let query = sqlx::query(SQL).bind(&device.as_bytes()[..]).bind(i64::from(head.install));
    query.bind(count(head.seq)).bind(fact).bind(now.0).execute(tx.conn()).await?;
    Ok(())
}

/// Records between which of its own clock readings the phone received an anchor. The first word
/// counts, and only from who holds the anchor. `true` when it is news.
async fn acknowledge(
    tx: &mut Tx,
    device: DeviceId,
    anchor: &AnchorRef,
    boot: BootId,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE anchor SET boot = $4, sent_boot_ns = $5, received_boot_ns = $6 \
         WHERE device = $1 AND number = $2 AND proof = $3 AND sent_boot_ns IS NULL";
    let query = sqlx::query(SQL).bind(&device.as_bytes()[..]).bind(count(anchor.number));
    let query = query.bind(&anchor.proof.as_bytes()[..]).bind(&boot.as_bytes()[..]);
    let query = query.bind(count(anchor.sent_boot_ns)).bind(count(anchor.received_boot_ns));
    Ok(query.execute(tx.conn()).await?.rows_affected() > 0)
}

/// The install number for a phone that asks for a new one.
async fn renew(
    tx: &mut Tx,
    device: DeviceId,
    newest: u32,
    asking: u32,
    now: Millis,
) -> Result<u32, HubError> {
    const RAISE: &str = "UPDATE device SET install = $2 WHERE device = $1";
    const ISSUE: &str = "INSERT INTO device_install (device, install, issued_at, reason) \
         VALUES ($1, $2, $3, 'renewed')";
    let used = end(tx, HEADS, device, newest).await?.is_some()
        || end(tx, FACTS, device, newest).await?.is_some();
    if chain::may_reuse(asking, newest, used) {
        return Ok(newest);
    }
    let next = newest.checked_add(1).ok_or(HubError::UnknownDevice)?;
    let raise = sqlx::query(RAISE).bind(&device.as_bytes()[..]).bind(i64::from(next));
    raise.execute(tx.conn()).await.map_err(StoreError::from)?;
    let issue = sqlx::query(ISSUE).bind(&device.as_bytes()[..]).bind(i64::from(next)).bind(now.0);
    issue.execute(tx.conn()).await.map_err(StoreError::from)?;
    Ok(next)
}

async fn record(tx: &mut Tx, anchor: &Anchor, proof: FactId) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO anchor (device, number, install, head_seq, head_fact, at, proof) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let fact = anchor.head.fact.map(|fact| fact.as_bytes().to_vec());
    let query = sqlx::query(SQL).bind(&anchor.device.as_bytes()[..]).bind(count(anchor.number));
    let query = query.bind(i64::from(anchor.head.install)).bind(count(anchor.head.seq));
    let query = query.bind(fact).bind(anchor.at.0).bind(&proof.as_bytes()[..]);
    query.execute(tx.conn()).await?;
    Ok(())
}

//! What a phone may rely on, and what the hub may hold against it: numbered signed anchors, the
//! first sight of each end of its chain, and its standing.

use std::collections::BTreeMap;

use onscene_sync_core::crypto::SigningFailed;
use onscene_sync_core::fact::AnchorRef;
use onscene_sync_core::fact::anchor::{Anchor, Head};
use onscene_sync_core::fact::envelope::seal_anchor;
use onscene_sync_core::id::{BootId, DeviceId, FactId};
use onscene_sync_core::sync::chain::{self, Known};
use onscene_sync_core::sync::message::{Standing, SyncRequest};
use onscene_sync_core::time::Millis;
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::HubError;
use super::sql::{count, fetch_in};
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

/// A device's row, locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    /// Its newest install number.
    pub(crate) install: u32,
    pub(crate) revoked: bool,
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

/// Locks the device's row and notes that it was here.
pub(crate) async fn touch(
    tx: &mut Tx,
    device: DeviceId,
    now: Millis,
) -> Result<DeviceRow, HubError> {
    const SQL: &str = "UPDATE device SET last_seen_at = $2 \
         WHERE device = $1 RETURNING install, revoked_at";
    let query = sqlx::query(SQL).bind(&device.as_bytes()[..]).bind(now.0);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let row = row.ok_or(HubError::UnknownDevice)?;
    Ok(DeviceRow { install: row.number("install")?, revoked: row.opt_int("revoked_at")?.is_some() })
}

/// The statement that reads how a phone's chain stands to what the hub knows, with more columns and
/// joins. `$1` is the device, `$2` and `$3` install and number of the end that it names, `$4` and
/// `$5` number and proof of the anchor that it acknowledges. The first word about an anchor counts,
/// and only from who holds it.
macro_rules! chain_sql {
    ($columns:literal, $joins:literal) => {
        concat!(
            "SELECT d.install AS install, d.revoked_at AS revoked_at, \
                 h.seq AS named_seq, h.fact AS named_fact, \
                 f.seq AS admitted_seq, f.fact_id AS admitted_fact, e.fact_id AS fact_at_end, \
                 (SELECT max(number) FROM anchor WHERE device = $1) AS anchors, \
                 k.number AS acknowledged",
            $columns,
            " FROM device d \
             LEFT JOIN device_head h ON h.device = d.device AND h.install = $2 AND h.seq = \
                 (SELECT max(seq) FROM device_head WHERE device = $1 AND install = $2) \
             LEFT JOIN fact f ON f.device = d.device AND f.install = $2 AND f.seq = \
                 (SELECT max(seq) FROM fact WHERE device = $1 AND install = $2) \
             LEFT JOIN fact e ON e.device = d.device AND e.install = $2 AND e.seq = $3 \
             LEFT JOIN anchor k ON k.device = d.device AND k.number = $4 AND k.proof = $5 \
                 AND NOT EXISTS (SELECT 1 FROM anchor later \
                     WHERE later.device = $1 AND later.number > $4 AND later.acknowledges = $4)",
            $joins,
            " WHERE d.device = $1"
        )
    };
}
pub(super) use chain_sql;

/// What [`chain_sql!`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) known: Known,
    /// Anchors that the device has been given.
    anchors: u64,
    /// The request says when an anchor was received of which that was not known.
    pub(super) acknowledged: bool,
}

impl Chain {
    /// Reads it from a row; `install` is the one that the phone names.
    pub(super) fn of(row: &AnyRow, install: u32) -> Result<Self, StoreError> {
        let end = |seq, fact| -> Result<Option<Head>, StoreError> {
            if row.opt_int(seq)?.is_none() {
                return Ok(None);
            }
            let fact = row.opt_array(fact)?.map(FactId::from_bytes);
            Ok(Some(Head { install, seq: row.number(seq)?, fact }))
        };
        let known = Known {
            revoked: row.opt_int("revoked_at")?.is_some(),
            install: row.number("install")?,
            named: end("named_seq", "named_fact")?,
            admitted: end("admitted_seq", "admitted_fact")?,
            at_end: row.opt_array("fact_at_end")?.map(FactId::from_bytes),
        };
        let anchors = row.opt_int("anchors")?.map_or(0, i64::cast_unsigned);
        let acknowledged = row.opt_int("acknowledged")?.is_some();
        Ok(Self { known, anchors, acknowledged })
    }

    /// The end of what was admitted of the install that the phone names.
    pub(super) fn admitted(&self, head: &Head) -> Head {
        self.known.admitted.unwrap_or(Head { install: head.install, seq: 0, fact: None })
    }

    /// Whether the phone names an end that it has not named before.
    pub(super) fn is_further(&self, head: &Head) -> bool {
        self.known.named.is_none_or(|named| named.seq < head.seq)
    }
}

/// Binds what [`chain_sql!`] asks for.
pub(super) fn bind_chain(
    sql: &'static str,
    device: DeviceId,
    request: &SyncRequest,
) -> Query<'static, Any, AnyArguments> {
    let anchor = request.anchor.as_ref();
    let proof = anchor.map_or_else(Vec::new, |anchor| anchor.proof.as_bytes().to_vec());
    sqlx::query(sql)
        .bind(device.as_bytes().to_vec())
        .bind(i64::from(request.head.install))
        .bind(count(request.head.seq))
        .bind(anchor.map_or(0, |anchor| count(anchor.number)))
        .bind(proof)
}

/// Locks the rows of several devices, ascending, and says how each stands: install and revoked.
pub(crate) async fn lock(
    tx: &mut Tx,
    devices: impl Iterator<Item = DeviceId>,
) -> Result<BTreeMap<DeviceId, (u32, bool)>, StoreError> {
    const HEAD: &str = "SELECT device, install, revoked_at FROM device WHERE device";
    let keys: Vec<_> = devices.map(|device| device.as_bytes().to_vec()).collect();
    let tail = format!("ORDER BY device{}", tx.engine().for_update());
    let rows = fetch_in(tx, HEAD, &keys, &tail).await?;
    rows.iter()
        .map(|row| {
            let revoked = row.opt_int("revoked_at")?.is_some();
            Ok((DeviceId::from_bytes(row.array("device")?), (row.number("install")?, revoked)))
        })
        .collect()
}

/// Notes the ends of colleagues' chains that this request has brought: their facts were there by now.
pub(crate) async fn sight(
    tx: &mut Tx,
    heads: &[(DeviceId, Head)],
    now: Millis,
) -> Result<(), StoreError> {
    const NEWEST: &str =
        "SELECT max(seq) AS seq FROM device_head WHERE device = $1 AND install = $2";
    for (device, head) in heads {
        let query = sqlx::query(NEWEST).bind(device.as_bytes().to_vec());
        let query = query.bind(i64::from(head.install));
        let named = query.fetch_one(tx.conn()).await?.opt_int("seq")?;
        if named.is_none_or(|named| named < count(head.seq)) {
            note_head(tx, *device, head, now).await?;
        }
    }
    Ok(())
}

/// Judges the phone's standing, records what its request proves, issues a new install number if it
/// asks for one, and signs its anchor.
pub(crate) async fn receipt(
    tx: &mut Tx,
    app: &App,
    device: DeviceId,
    request: &SyncRequest,
    now: Millis,
) -> Result<Receipt, HubError> {
    const SQL: &str = chain_sql!("", "");
    let head = request.head;
    let row = bind_chain(SQL, device, request).fetch_one(tx.conn()).await;
    let chain = Chain::of(&row.map_err(StoreError::from)?, head.install)?;
    let mut standing = chain::standing(&head, &chain.known);
    if standing == Standing::Good && chain.is_further(&head) {
        note_head(tx, device, &head, now).await?;
    }
    if request.renew && !chain.known.revoked {
        let newest = chain.known.install;
        standing = Standing::Renewed(renew(tx, device, newest, head.install, now).await?);
    }
    let next = Next::sign(app, device, &chain, request, now)?;
    if next.insert().execute(tx.conn()).await.map_err(StoreError::from)?.rows_affected() == 0 {
        return Err(HubError::Moved);
    }
    let admitted = chain.admitted(&head);
    let acknowledged = chain.acknowledged;
    Ok(Receipt { standing, admitted, anchor: next.envelope, acknowledged })
}

/// The anchor that answers a request, with what the request said about an earlier one.
#[derive(Debug, Clone)]
pub(super) struct Next {
    anchor: Anchor,
    proof: FactId,
    acknowledges: Option<(AnchorRef, BootId)>,
    /// What the phone gets.
    pub(super) envelope: Vec<u8>,
}

impl Next {
    pub(super) fn sign(
        app: &App,
        device: DeviceId,
        chain: &Chain,
        request: &SyncRequest,
        now: Millis,
    ) -> Result<Self, SigningFailed> {
        let number = chain.anchors.saturating_add(1);
        let anchor = Anchor { device, number, head: request.head, at: now };
        let (proof, envelope) = seal_anchor(&anchor, &app.keys.facts)?;
        let named = request.anchor.filter(|_| chain.acknowledged);
        let acknowledges = named.map(|named| (named, request.clock.boot));
        Ok(Self { anchor, proof, acknowledges, envelope })
    }

    /// The statement that records it. It touches no row when another request of the phone was given
    /// the number first.
    pub(super) fn insert(&self) -> Query<'static, Any, AnyArguments> {
        const SQL: &str = "INSERT INTO anchor (device, number, install, head_seq, head_fact, at, \
                 proof, acknowledges, boot, sent_boot_ns, received_boot_ns) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
        let Anchor { device, number, head, at } = &self.anchor;
        let (named, boot) = self.acknowledges.as_ref().map(|(named, boot)| (named, boot)).unzip();
        sqlx::query(SQL)
            .bind(device.as_bytes().to_vec())
            .bind(count(*number))
            .bind(i64::from(head.install))
            .bind(count(head.seq))
            .bind(head.fact.map(|fact| fact.as_bytes().to_vec()))
            .bind(at.0)
            .bind(self.proof.as_bytes().to_vec())
            .bind(named.map(|named| count(named.number)))
            .bind(boot.map(|boot| boot.as_bytes().to_vec()))
            .bind(named.map(|named| count(named.sent_boot_ns)))
            .bind(named.map(|named| count(named.received_boot_ns)))
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
    const USED: &str = "SELECT 1 AS one FROM device_head WHERE device = $1 AND install = $2 \
         UNION SELECT 1 AS one FROM fact WHERE device = $1 AND install = $2";
    let used = sqlx::query(USED).bind(&device.as_bytes()[..]).bind(i64::from(newest));
    let used = used.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    if chain::may_reuse(asking, newest, used.is_some()) {
        return Ok(newest);
    }
    let next = newest.checked_add(1).ok_or(HubError::UnknownDevice)?;
    let raise = sqlx::query(RAISE).bind(&device.as_bytes()[..]).bind(i64::from(next));
    raise.execute(tx.conn()).await.map_err(StoreError::from)?;
    let issue = sqlx::query(ISSUE).bind(&device.as_bytes()[..]).bind(i64::from(next)).bind(now.0);
    issue.execute(tx.conn()).await.map_err(StoreError::from)?;
    Ok(next)
}

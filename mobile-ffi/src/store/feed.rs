//! Buckets with their documents, and the anchors received.

use minicbor::{Decode, Encode};
use onscene_sync_core::fact::AnchorRef;
use onscene_sync_core::fact::anchor::Anchor;
use onscene_sync_core::id::{BootId, DocId, FactId};
use onscene_sync_core::limits::ANCHOR_REFS;
use onscene_sync_core::rules::arrival::KnownAnchor;
use onscene_sync_core::sync::message::{Bucket, Cursor};
use onscene_sync_core::sync::replica::Member;
use onscene_sync_core::time::{ClockReading, Millis};
use rusqlite::{Row, params};

use super::db::{Column, Db};
use super::meta::{from_cbor, to_cbor};
use super::{documents, meta};
use crate::error::DeviceError;

/// Anchors kept; the oldest go first.
const ANCHORS_KEPT: i64 = 2_000;
/// The newest anchor that the present chain names.
const ANCHOR_NAMED: &str = "anchor_named";

const READING: Column = Column { table: "anchor", name: "reading" };

/// When an anchor was given, and the phone's own clock around the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Reading {
    #[n(0)]
    pub(super) at: Millis,
    #[n(1)]
    pub(super) boot: BootId,
    #[n(2)]
    pub(super) sent_boot_ns: u64,
    #[n(3)]
    pub(super) received_boot_ns: u64,
}

/// All buckets followed.
pub(crate) fn buckets(db: Db<'_>) -> Result<Vec<Bucket>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT bucket FROM bucket ORDER BY bucket")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| from_cbor(&bytes?, "bucket")).collect()
}

/// How far each bucket has been read; one to be read from its beginning has no cursor.
pub(crate) fn cursors(db: Db<'_>) -> Result<Vec<Cursor>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT bucket, epoch, seq FROM bucket WHERE seq IS NOT NULL ORDER BY bucket",
    )?;
    let mut rows = statement.query([])?;
    let mut cursors = Vec::new();
    while let Some(row) = rows.next()? {
        let bucket = from_cbor(&row.get::<_, Vec<u8>>(0)?, "bucket")?;
        let seq = row.get::<_, i64>(2)?.cast_unsigned();
        cursors.push(Cursor { bucket, epoch: row.get(1)?, seq });
    }
    Ok(cursors)
}

/// The documents of a bucket.
pub(crate) fn members(db: Db<'_>, bucket: Bucket) -> Result<Vec<Member>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT member.doc, fresh, coalesce(doc.sum, 0) FROM member
         LEFT JOIN doc ON doc.doc = member.doc WHERE bucket = ?1 ORDER BY member.doc",
    )?;
    let rows = statement.query_map([to_cbor(&bucket)], |row| {
        let sum = row.get::<_, i64>(2)?.cast_unsigned();
        Ok(Member { doc: DocId::from_bytes(row.get(0)?), fresh: row.get(1)?, sum })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sets how far a bucket has been read.
pub(crate) fn set_cursor(db: Db<'_>, cursor: &Cursor) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO bucket (bucket, epoch, seq) VALUES (?1, ?2, ?3)
         ON CONFLICT (bucket) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
    )?
    .execute(params![to_cbor(&cursor.bucket), cursor.epoch, cursor.seq.cast_signed()])?;
    Ok(())
}

/// A bucket is to be read from its beginning; what it holds stays until then.
pub(crate) fn reset(db: Db<'_>, bucket: Bucket) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO bucket (bucket) VALUES (?1)
         ON CONFLICT (bucket) DO UPDATE SET epoch = NULL, seq = NULL",
    )?
    .execute([to_cbor(&bucket)])?;
    Ok(())
}

/// All documents of a bucket are to be confirmed.
pub(crate) fn restart(db: Db<'_>, bucket: Bucket) -> Result<(), DeviceError> {
    db.execute("UPDATE member SET fresh = 0 WHERE bucket = ?1", [to_cbor(&bucket)])?;
    Ok(())
}

/// A document is in a bucket.
pub(crate) fn join(db: Db<'_>, bucket: Bucket, doc: DocId) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO member (bucket, doc, fresh) VALUES (?1, ?2, 1)
         ON CONFLICT (bucket, doc) DO UPDATE SET fresh = 1",
    )?
    .execute(params![to_cbor(&bucket), doc.as_bytes()])?;
    documents::set_gone(db, doc, false)
}

/// A document is in a bucket no more.
pub(crate) fn part(db: Db<'_>, bucket: Bucket, doc: DocId) -> Result<(), DeviceError> {
    db.prepare_cached("DELETE FROM member WHERE bucket = ?1 AND doc = ?2")?
        .execute(params![to_cbor(&bucket), doc.as_bytes()])?;
    let mut statement =
        db.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM member WHERE doc = ?1)")?;
    let gone = statement.query_row([doc.as_bytes()], |row| row.get(0))?;
    documents::set_gone(db, doc, gone)
}

/// A bucket is not followed any more.
pub(crate) fn unfollow(db: Db<'_>, bucket: Bucket) -> Result<(), DeviceError> {
    for member in members(db, bucket)? {
        part(db, bucket, member.doc)?;
    }
    db.execute("DELETE FROM bucket WHERE bucket = ?1", [to_cbor(&bucket)])?;
    Ok(())
}

/// Everything here was another device's: its anchors go, its buckets are read from the beginning.
pub(crate) fn forget_device(db: Db<'_>) -> Result<(), DeviceError> {
    db.execute("DELETE FROM anchor", [])?;
    for bucket in buckets(db)? {
        reset(db, bucket)?;
    }
    Ok(())
}

/// Keeps an anchor with the phone's own clock around the exchange.
pub(crate) fn add_anchor(
    db: Db<'_>,
    anchor: &Anchor,
    reference: &AnchorRef,
    boot: BootId,
) -> Result<(), DeviceError> {
    let reading = Reading {
        at: anchor.at,
        boot,
        sent_boot_ns: reference.sent_boot_ns,
        received_boot_ns: reference.received_boot_ns,
    };
    keep_anchor(
        db,
        anchor.number,
        reference.proof,
        (anchor.head.install, anchor.head.seq),
        &reading,
    )?;
    let oldest = anchor.number.cast_signed() - ANCHORS_KEPT;
    db.execute("DELETE FROM anchor WHERE number <= ?1", [oldest])?;
    Ok(())
}

pub(super) fn keep_anchor(
    db: Db<'_>,
    number: u64,
    proof: FactId,
    (install, seq): (u32, u64),
    reading: &Reading,
) -> Result<(), DeviceError> {
    let number = number.cast_signed();
    db.prepare_cached(
        "INSERT OR IGNORE INTO anchor (number, proof, install, seq, reading)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        number,
        proof.as_bytes(),
        install,
        seq.cast_signed(),
        db.put(READING, &number.to_be_bytes(), reading)
    ])?;
    Ok(())
}

/// The columns of an anchor's row.
pub(super) const ANCHOR_COLUMNS: &[&str] = &["number", "proof", "install", "seq", "reading"];

/// Whether a row of these columns can be read.
pub(super) fn is_sound(db: Db<'_>, row: &Row<'_>) -> bool {
    match (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(4)) {
        (Ok(number), Ok(reading)) => db.open(READING, &number.to_be_bytes(), &reading).is_ok(),
        _ => false,
    }
}

/// The newest anchor, to be told to the hub: only one of the present boot, since the hub reads its
/// clock readings together with the request's.
pub(crate) fn newest_anchor(db: Db<'_>, boot: BootId) -> Result<Option<AnchorRef>, DeviceError> {
    let newest = readings_after(db, 0, 1)?.pop();
    Ok(newest.filter(|(_, reading)| reading.boot == boot).map(|(anchor, _)| anchor))
}

/// The anchors that the next fact refers to: the newest of those that no fact of this chain names.
pub(crate) fn name_anchors(db: Db<'_>) -> Result<Vec<AnchorRef>, DeviceError> {
    let named = meta::get(db, ANCHOR_NAMED)?.unwrap_or(0);
    let anchors = readings_after(db, named, ANCHOR_REFS)?;
    if let Some((newest, _)) = anchors.last() {
        meta::put(db, ANCHOR_NAMED, &newest.number)?;
    }
    Ok(anchors.into_iter().map(|(anchor, _)| anchor).collect())
}

/// The newest `max` anchors after number `after`, oldest first.
fn readings_after(
    db: Db<'_>,
    after: u64,
    max: usize,
) -> Result<Vec<(AnchorRef, Reading)>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT number, proof, reading FROM anchor WHERE number > ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.cast_signed(), max])?;
    let mut anchors = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let sealed: Vec<u8> = row.get(2)?;
        let reading: Reading = db.get(READING, &number.to_be_bytes(), &sealed)?;
        let anchor = AnchorRef {
            number: number.cast_unsigned(),
            proof: FactId::from_bytes(row.get(1)?),
            sent_boot_ns: reading.sent_boot_ns,
            received_boot_ns: reading.received_boot_ns,
        };
        anchors.push((anchor, reading));
    }
    anchors.reverse();
    Ok(anchors)
}

/// All anchors kept, oldest first, as the arrival rule takes them.
pub(crate) fn known_anchors(db: Db<'_>) -> Result<Vec<KnownAnchor>, DeviceError> {
    let anchors = readings_after(db, 0, usize::MAX)?;
    let known = anchors.into_iter().map(|(anchor, reading)| KnownAnchor {
        number: anchor.number,
        at: reading.at,
        boot: reading.boot,
        sent_boot_ns: reading.sent_boot_ns,
        received_boot_ns: reading.received_boot_ns,
    });
    Ok(known.collect())
}

/// The hub's clock in its newest anchor.
pub(crate) fn newest_anchor_at(db: Db<'_>) -> Result<Option<Millis>, DeviceError> {
    Ok(readings_after(db, 0, 1)?.pop().map(|(_, reading)| reading.at))
}

/// A moment of the hub's clock that has certainly passed. Phones' wall clocks say nothing.
pub(crate) fn hub_time_at_least(db: Db<'_>, now: &ClockReading) -> Result<Millis, DeviceError> {
    let Some((_, newest)) = readings_after(db, 0, 1)?.pop() else { return Ok(Millis(0)) };
    let since_ns = now.boot_ns.saturating_sub(newest.received_boot_ns);
    let since_ms = if newest.boot == now.boot { since_ns / 1_000_000 } else { 0 };
    Ok(newest.at.plus(i64::try_from(since_ms).unwrap_or(0)))
}

/// How far the hub's signed receipts cover the chain of an installation.
pub(crate) fn anchored(db: Db<'_>, install: u32) -> Result<u64, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT coalesce(max(seq), 0) FROM anchor WHERE install = ?1")?;
    Ok(statement.query_row([install], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

//! What happened, in order, for a screen to read when it likes.

use onscene_sync_core::id::DocId;
use rusqlite::{Row, params};
use serde::Serialize;

use super::db::{Column, Db};
use crate::error::DeviceError;

/// Events kept; the oldest go first.
const KEPT: i64 = 10_000;

/// Kinds of event. Numbers stand in stores and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The phone was enrolled.
    Enrolled = 0,
    /// Something recorded here reached the hub.
    Delivered = 1,
    /// The hub put something recorded here into quarantine.
    Refused = 2,
    /// A document was built anew around a refusal.
    Rebuilt = 3,
    /// The hub sees that this phone was restored from a backup or copied.
    Restored = 4,
    /// A new installation began; what was undelivered was stated anew.
    Renewed = 5,
    /// The hub has revoked this phone.
    Revoked = 6,
    /// The hub or this store did what neither should: a person ought to look.
    Alarm = 7,
    /// A document came or changed.
    DocumentChanged = 8,
    /// A document went out of this phone's scope.
    DocumentLeft = 9,
    /// The server answered with a problem.
    Problem = 10,
    /// The hub lost something that it had; it is delivered again.
    Redelivering = 11,
    /// The hub signed that it has a file of evidence whole.
    FileVerified = 12,
    /// A file of evidence was set aside, is missing, or is not what was recorded.
    FileTrouble = 13,
    /// The phone removed its copy of a file that the hub has had for long.
    CopyReleased = 14,
    /// Somebody threw a file away that was being taken and not stated.
    CaptureDiscarded = 15,
    /// The hub was restored from a backup and has lost entries of its audit log.
    HubRestored = 16,
    /// The store was damaged and has been mended.
    Mended = 17,
    /// Room on the phone runs out, or there is some again.
    Storage = 18,
    /// A colleague's phone handed something over.
    HandedOver = 19,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number, rising.
    pub n: i64,
    /// The phone's wall clock, Unix milliseconds.
    pub wall_ms: i64,
    /// What kind.
    pub kind: EventKind,
    /// The document it is about.
    pub doc: Option<DocId>,
    /// In words. Never what a citizen said.
    pub detail: String,
}

const TOLD: Column = Column { table: "event", name: "told" };

/// Adds an event.
pub(crate) fn add(
    db: Db<'_>,
    wall_ms: i64,
    kind: EventKind,
    doc: Option<DocId>,
    detail: &str,
) -> Result<(), DeviceError> {
    // The newest is never removed, so no number is used twice.
    let n: i64 = db
        .prepare_cached("SELECT coalesce(max(n), 0) + 1 FROM event")?
        .query_row([], |row| row.get(0))?;
    keep(db, n, kind as i64, doc, &(wall_ms, detail))?;
    db.prepare_cached("DELETE FROM event WHERE n <= ?1")?.execute([n - KEPT])?;
    Ok(())
}

pub(super) fn keep(
    db: Db<'_>,
    n: i64,
    kind: i64,
    doc: Option<DocId>,
    told: &(i64, &str),
) -> Result<(), DeviceError> {
    let told = db.put(TOLD, &n.to_be_bytes(), told);
    let doc = doc.as_ref().map(DocId::as_bytes);
    db.prepare_cached("INSERT INTO event (n, kind, doc, told) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![n, kind, doc, told])?;
    Ok(())
}

/// Whether a row of number, kind, document and words can be read.
pub(super) fn is_sound(db: Db<'_>, row: &Row<'_>) -> bool {
    match (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(3)) {
        (Ok(n), Ok(told)) => db.open(TOLD, &n.to_be_bytes(), &told).is_ok(),
        _ => false,
    }
}

/// Events after number `cursor`, at most `max`.
pub(crate) fn since(db: Db<'_>, cursor: i64, max: u32) -> Result<Vec<Event>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT n, kind, doc, told FROM event WHERE n > ?1 ORDER BY n LIMIT ?2")?;
    let mut rows = statement.query(params![cursor, max])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let n: i64 = row.get(0)?;
        let (wall_ms, detail) = db.get(TOLD, &n.to_be_bytes(), &row.get::<_, Vec<u8>>(3)?)?;
        let doc = row.get::<_, Option<[u8; 16]>>(2)?.map(DocId::from_bytes);
        events.push(Event { n, wall_ms, kind: kind(row.get(1)?)?, doc, detail });
    }
    Ok(events)
}

fn kind(number: i64) -> Result<EventKind, DeviceError> {
    Ok(match number {
        0 => EventKind::Enrolled,
        1 => EventKind::Delivered,
        2 => EventKind::Refused,
        3 => EventKind::Rebuilt,
        4 => EventKind::Restored,
        5 => EventKind::Renewed,
        6 => EventKind::Revoked,
        7 => EventKind::Alarm,
        8 => EventKind::DocumentChanged,
        9 => EventKind::DocumentLeft,
        10 => EventKind::Problem,
        11 => EventKind::Redelivering,
        12 => EventKind::FileVerified,
        13 => EventKind::FileTrouble,
        14 => EventKind::CopyReleased,
        15 => EventKind::CaptureDiscarded,
        16 => EventKind::HubRestored,
        17 => EventKind::Mended,
        18 => EventKind::Storage,
        19 => EventKind::HandedOver,
        _ => return Err(DeviceError::damaged("event")),
    })
}

//! Files of evidence: what is being taken, what was taken, and how far the bytes of each have come.

use minicbor::bytes::ByteVec;
use onscene_sync_core::evidence::receipt::Receipt;
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::{DocId, FactId, Hash};
use onscene_sync_core::time::{ClockReading, Millis};
use rusqlite::{Row, params};

use super::db::{Column, Db};
use super::intents;
use crate::error::DeviceError;

const BEGUN: Column = Column { table: "capture", name: "begun" };
const ORDERED_AT: Column = Column { table: "evidence", name: "ordered_at" };
const PLACE: Column = Column { table: "evidence", name: "place" };
const TROUBLE: Column = Column { table: "evidence", name: "trouble" };
const RECEIPT: Column = Column { table: "evidence", name: "receipt" };

/// A file that is being taken or copied in: its intent stands here before the camera opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) id: u64,
    pub(crate) doc: DocId,
    pub(crate) media: Media,
    pub(crate) extension: String,
    /// By the app's own camera, rather than copied in.
    pub(crate) captured: bool,
    /// The file that shows the same before.
    pub(crate) before: Option<FactId>,
    /// The clocks when it was begun.
    pub(crate) begun: ClockReading,
}

/// What was found of the file on this phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// It was there, as its fact says, when it was looked at last.
    Kept = 0,
    /// Removed by this library, because the hub has it.
    Released = 1,
    /// It is not there.
    Missing = 2,
    /// It is not what its fact says.
    Changed = 3,
}

/// A file that a fact names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// The number of the record that states it; below 0 for one that was inherited.
    pub(crate) n: i64,
    /// The fact that names it, where that is of a former device and in no record here.
    pub(crate) inherited: Option<FactId>,
    /// Its name in the media folder.
    pub(crate) name: String,
    pub(crate) sha256: Hash,
    pub(crate) bytes: u64,
    pub(crate) media: Media,
    pub(crate) on_disk: OnDisk,
    /// Where the hub takes its bytes.
    pub(crate) place: Option<String>,
    /// Bytes that the hub has, as far as it was heard.
    pub(crate) sent: u64,
    /// The hub stands at `sent`: nothing is on its way.
    pub(crate) certain: bool,
    /// Why it was set aside.
    pub(crate) trouble: Option<String>,
    /// When the hub had it whole, by its signed receipt.
    pub(crate) received_at: Option<Millis>,
    /// When the order was issued that its visit answers.
    pub(crate) ordered_at: Option<Millis>,
}

/// Puts down that a file is about to be taken.
pub(crate) fn begin(db: Db<'_>, capture: &Capture) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO capture (id, doc, media, extension, captured, before, begun)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        capture.id.cast_signed(),
        capture.doc.as_bytes(),
        media_number(capture.media),
        capture.extension,
        capture.captured,
        capture.before.map(|fact| *fact.as_bytes()),
        db.put(BEGUN, &capture.id.to_be_bytes(), &capture.begun)
    ])?;
    Ok(())
}

/// All files that are being taken.
pub(crate) fn captures(db: Db<'_>) -> Result<Vec<Capture>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT id, doc, media, extension, captured, before, begun FROM capture ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut captures = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?.cast_unsigned();
        captures.push(Capture {
            id,
            doc: DocId::from_bytes(row.get(1)?),
            media: media_from(row.get(2)?)?,
            extension: row.get(3)?,
            captured: row.get(4)?,
            before: row.get::<_, Option<[u8; 16]>>(5)?.map(FactId::from_bytes),
            begun: db.get(BEGUN, &id.to_be_bytes(), &row.get::<_, Vec<u8>>(6)?)?,
        });
    }
    Ok(captures)
}

/// The capture is over, one way or the other.
pub(crate) fn end(db: Db<'_>, id: u64) -> Result<(), DeviceError> {
    db.execute("DELETE FROM capture WHERE id = ?1", [id.cast_signed()])?;
    Ok(())
}

/// A fact names a file from now on.
pub(crate) fn add(db: Db<'_>, file: &File) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO evidence (n, name, sha256, bytes, media, ordered_at, fact)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        file.n,
        file.name,
        file.sha256.as_bytes(),
        file.bytes.cast_signed(),
        media_number(file.media),
        file.ordered_at.map(|at| db.put(ORDERED_AT, &file.n.to_be_bytes(), &at)),
        file.inherited.map(|fact| *fact.as_bytes())
    ])?;
    Ok(())
}

const COLUMNS: &str = "n, name, sha256, bytes, media, ordered_at, file, place, sent, certain, \
                       trouble, receipt, fact";

/// The columns of a capture.
pub(super) const CAPTURE_COLUMNS: &[&str] =
    &["id", "doc", "media", "extension", "captured", "before", "begun"];
/// The columns of a file.
pub(super) const FILE_COLUMNS: &[&str] = &[
    "n",
    "name",
    "sha256",
    "bytes",
    "media",
    "ordered_at",
    "file",
    "place",
    "sent",
    "certain",
    "trouble",
    "receipt",
    "fact",
];

/// Removes captures that cannot be read (their files stay in the folder), and forgets how far files
/// have come where that cannot be read: the hub is asked again.
pub(super) fn mend(db: Db<'_>) -> Result<(), DeviceError> {
    let numbers = |sql| -> Result<Vec<i64>, DeviceError> {
        let mut statement = db.prepare(sql)?;
        let numbers = statement.query_map([], |row| row.get(0))?;
        Ok(numbers.collect::<Result<_, _>>()?)
    };
    if captures(db).is_err() {
        db.execute("DELETE FROM capture", [])?;
    }
    for n in numbers("SELECT n FROM evidence")? {
        if file(db, n).is_err() {
            db.execute(
                "UPDATE evidence SET ordered_at = NULL, place = NULL, trouble = NULL,
                    receipt = NULL, sent = 0, certain = 0 WHERE n = ?1",
                [n],
            )?;
        }
        if file(db, n).is_err() {
            db.execute("DELETE FROM evidence WHERE n = ?1", [n])?;
        }
    }
    Ok(())
}

/// Files of records after number `after`, oldest first, at most `max`.
pub(crate) fn page(db: Db<'_>, after: i64, max: u32) -> Result<Vec<File>, DeviceError> {
    select(db, "n > ?1 ORDER BY n LIMIT ?2", params![after, max])
}

/// The files of former stores, in the order in which they were taken over.
pub(crate) fn inherited(db: Db<'_>) -> Result<Vec<File>, DeviceError> {
    select(db, "n < 0 ORDER BY n DESC", [])
}

/// A number for a file that is taken over.
pub(crate) fn next_inherited(db: Db<'_>) -> Result<i64, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT min(coalesce(min(n), 0), 0) - 1 FROM evidence")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The fact that names a file now.
pub(crate) fn fact(db: Db<'_>, file: &File) -> Result<Option<FactId>, DeviceError> {
    if file.inherited.is_some() {
        return Ok(file.inherited);
    }
    Ok(intents::one(db, file.n)?.and_then(|intent| intent.sealed).map(|sealed| sealed.id))
}

/// One file.
pub(crate) fn file(db: Db<'_>, n: i64) -> Result<Option<File>, DeviceError> {
    Ok(select(db, "n = ?1", [n])?.pop())
}

/// The files whose turn it is, by number: their facts are at the hub and they are not. No video
/// before anything else; then the order issued first, whose clock is the nearest; then the smallest.
pub(crate) fn queue(db: Db<'_>) -> Result<Vec<i64>, DeviceError> {
    let waiting = "receipt IS NULL AND (fact IS NOT NULL
        OR (SELECT state FROM intent WHERE intent.n = evidence.n) = 2)";
    let mut files = select(db, waiting, [])?;
    files.sort_by_key(|file| {
        let clock = (file.ordered_at.is_none(), file.ordered_at);
        (file.media == Media::Video, clock, file.bytes, file.n)
    });
    Ok(files.into_iter().map(|file| file.n).collect())
}

/// Files that the hub had whole before `before` and that are still on this phone.
pub(crate) fn releasable(db: Db<'_>, before: Millis) -> Result<Vec<File>, DeviceError> {
    let mut files = select(db, "receipt IS NOT NULL AND file <> 1", [])?;
    files.retain(|file| file.received_at.is_some_and(|at| at < before));
    Ok(files)
}

/// Bytes of the files on this phone, and of those that the hub does not have.
pub(crate) fn sizes(db: Db<'_>) -> Result<(u64, u64), DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT coalesce(sum(bytes), 0), coalesce(sum(bytes) FILTER (WHERE receipt IS NULL), 0)
         FROM evidence WHERE file IN (0, 3)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })?)
}

/// Whether a file of this name belongs to a fact.
pub(crate) fn is_named(db: Db<'_>, name: &str) -> Result<bool, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM evidence WHERE name = ?1)")?;
    Ok(statement.query_row([name], |row| row.get(0))?)
}

/// What was found of a file.
pub(crate) fn set_on_disk(db: Db<'_>, n: i64, found: OnDisk) -> Result<(), DeviceError> {
    db.prepare_cached("UPDATE evidence SET file = ?2 WHERE n = ?1")?
        .execute(params![n, found as i64])?;
    Ok(())
}

/// Where the hub takes a file, and how much of it the hub has.
pub(crate) fn set_place(
    db: Db<'_>,
    n: i64,
    place: Option<&str>,
    sent: u64,
) -> Result<(), DeviceError> {
    db.prepare_cached("UPDATE evidence SET place = ?2, sent = ?3, certain = 1 WHERE n = ?1")?
        .execute(params![
            n,
            place.map(|place| db.seal(PLACE, &n.to_be_bytes(), place.as_bytes())),
            sent.cast_signed()
        ])?;
    Ok(())
}

/// How much the hub has; a file that moves on has no trouble any more.
pub(crate) fn set_sent(db: Db<'_>, n: i64, sent: u64) -> Result<(), DeviceError> {
    db.prepare_cached(
        "UPDATE evidence SET trouble = CASE WHEN sent < ?2 THEN NULL ELSE trouble END,
            sent = ?2, certain = 1 WHERE n = ?1",
    )?
    .execute(params![n, sent.cast_signed()])?;
    Ok(())
}

/// How much the hub has is not known until it is asked.
pub(crate) fn set_uncertain(db: Db<'_>, n: i64) -> Result<(), DeviceError> {
    db.prepare_cached("UPDATE evidence SET certain = 0 WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// A file is set aside.
pub(crate) fn set_trouble(db: Db<'_>, n: i64, trouble: &str) -> Result<(), DeviceError> {
    db.prepare_cached("UPDATE evidence SET trouble = ?2 WHERE n = ?1")?
        .execute(params![n, db.seal(TROUBLE, &n.to_be_bytes(), trouble.as_bytes())])?;
    Ok(())
}

/// The hub has signed for a file.
pub(crate) fn set_received(
    db: Db<'_>,
    n: i64,
    envelope: &[u8],
    receipt: &Receipt,
) -> Result<(), DeviceError> {
    let kept = (receipt.at, ByteVec::from(envelope.to_vec()));
    db.prepare_cached(
        "UPDATE evidence SET receipt = ?2, sent = bytes, certain = 1, place = NULL, trouble = NULL
         WHERE n = ?1",
    )?
    .execute(params![n, db.put(RECEIPT, &n.to_be_bytes(), &kept)])?;
    Ok(())
}

/// The hub has forgotten something: it is asked anew about every file that is still here.
pub(crate) fn doubt(db: Db<'_>) -> Result<(), DeviceError> {
    db.execute(
        "UPDATE evidence SET receipt = NULL, place = NULL, sent = 0, certain = 0
         WHERE file <> 1",
        [],
    )?;
    Ok(())
}

impl File {
    /// What it is called where a person reads of it.
    pub(crate) fn title(&self) -> String {
        match self.inherited {
            None => format!("record {}", self.n),
            Some(fact) => format!("fact {fact} of a former store"),
        }
    }
}

fn select(
    db: Db<'_>,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<File>, DeviceError> {
    let sql = format!("SELECT {COLUMNS} FROM evidence WHERE {condition}");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        files.push(read(db, row)?);
    }
    Ok(files)
}

fn read(db: Db<'_>, row: &Row<'_>) -> Result<File, DeviceError> {
    let n: i64 = row.get(0)?;
    let key = n.to_be_bytes();
    let sealed = |at: usize| row.get::<_, Option<Vec<u8>>>(at);
    let text = |column, at: usize| -> Result<Option<String>, DeviceError> {
        let Some(bytes) = sealed(at)? else { return Ok(None) };
        let text = String::from_utf8(db.open(column, &key, &bytes)?);
        text.map(Some).map_err(|_| DeviceError::damaged("text of a file"))
    };
    let receipt: Option<(Millis, ByteVec)> =
        sealed(11)?.map(|bytes| db.get(RECEIPT, &key, &bytes)).transpose()?;
    Ok(File {
        n,
        inherited: row.get::<_, Option<[u8; 16]>>(12)?.map(FactId::from_bytes),
        name: row.get(1)?,
        sha256: Hash::from_bytes(row.get(2)?),
        bytes: row.get::<_, i64>(3)?.cast_unsigned(),
        media: media_from(row.get(4)?)?,
        ordered_at: sealed(5)?.map(|bytes| db.get(ORDERED_AT, &key, &bytes)).transpose()?,
        on_disk: on_disk_from(row.get(6)?)?,
        place: text(PLACE, 7)?,
        sent: row.get::<_, i64>(8)?.cast_unsigned(),
        certain: row.get(9)?,
        trouble: text(TROUBLE, 10)?,
        received_at: receipt.map(|(at, _)| at),
    })
}

const fn media_number(media: Media) -> i64 {
    match media {
        Media::Photo => 0,
        Media::Video => 1,
        Media::Audio => 2,
        Media::Document => 3,
    }
}

pub(super) fn media_from(number: i64) -> Result<Media, DeviceError> {
    match number {
        0 => Ok(Media::Photo),
        1 => Ok(Media::Video),
        2 => Ok(Media::Audio),
        3 => Ok(Media::Document),
        _ => Err(DeviceError::damaged("kind of evidence")),
    }
}

fn on_disk_from(number: i64) -> Result<OnDisk, DeviceError> {
    match number {
        0 => Ok(OnDisk::Kept),
        1 => Ok(OnDisk::Released),
        2 => Ok(OnDisk::Missing),
        3 => Ok(OnDisk::Changed),
        _ => Err(DeviceError::damaged("state of a file")),
    }
}

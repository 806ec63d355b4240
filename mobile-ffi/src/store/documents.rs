//! The hub's state of each document, and the view a person sees: that state with what waits here.

use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{Body, envelope};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::replica::OwnState;
use rusqlite::{OptionalExtension, params};

use super::db::{Column, Db};
use super::{carried, events};
use crate::error::DeviceError;

const BASE: Column = Column { table: "doc", name: "base" };

/// What is known of a document beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: DocKind,
    pub(crate) incarnation: u32,
    pub(crate) has_base: bool,
}

/// Where a dispatch order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderedIn {
    pub(crate) case: DocId,
    pub(crate) inspection: DocId,
}

/// A document's row.
pub(crate) fn row(db: Db<'_>, doc: DocId) -> Result<Option<Row>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT kind, incarnation, base IS NOT NULL FROM doc WHERE doc = ?1")?;
    let row: Option<(i64, u32, bool)> = statement
        .query_row([doc.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    row.map(|(kind, incarnation, has_base)| {
        Ok(Row { kind: kind_from(kind)?, incarnation, has_base })
    })
    .transpose()
}

/// Makes sure that a document has a row.
pub(crate) fn ensure(db: Db<'_>, doc: DocId, kind: DocKind) -> Result<(), DeviceError> {
    let mut statement =
        db.prepare_cached("INSERT OR IGNORE INTO doc (doc, kind) VALUES (?1, ?2)")?;
    statement.execute(params![doc.as_bytes(), kind_number(kind)])?;
    Ok(())
}

/// All documents of a kind that are on this phone.
pub(crate) fn of_kind(db: Db<'_>, kind: DocKind) -> Result<Vec<DocId>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT doc FROM doc WHERE kind = ?1 AND (base IS NOT NULL
            OR EXISTS (SELECT 1 FROM intent WHERE intent.doc = doc.doc)
            OR EXISTS (SELECT 1 FROM carried WHERE carried.doc = doc.doc AND state = 0))
         ORDER BY doc",
    )?;
    let rows = statement.query_map([kind_number(kind)], |row| row.get(0))?;
    Ok(rows.map(|bytes| bytes.map(DocId::from_bytes)).collect::<Result<_, _>>()?)
}

/// The hub's state of a document; `None` when there is none here or it does not load.
pub(crate) fn base(db: Db<'_>, doc: DocId) -> Result<Option<Document>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT kind, base FROM doc WHERE doc = ?1 AND base IS NOT NULL")?;
    let row: Option<(i64, Vec<u8>)> =
        statement.query_row([doc.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((kind, base)) = row else { return Ok(None) };
    let base = db.open(BASE, doc.as_bytes(), &base)?;
    Ok(Document::load(doc, kind_from(kind)?, &base).ok())
}

/// Stores the hub's state of a document, read back first.
pub(crate) fn set_base(db: Db<'_>, document: &Document) -> Result<(), DeviceError> {
    let doc = document.id();
    let base = db.seal(BASE, doc.as_bytes(), &document.save_verified()?);
    let sum = i64::from_be_bytes(document.sum().to_be_bytes());
    ensure(db, doc, document.kind())?;
    let mut statement =
        db.prepare_cached("UPDATE doc SET base = ?2, sum = ?3, kind = ?4 WHERE doc = ?1")?;
    statement.execute(params![doc.as_bytes(), base, sum, kind_number(document.kind())])?;
    db.touch(doc);
    if document.kind() == DocKind::Case { index_orders(db, document) } else { Ok(()) }
}

pub(super) fn index_orders(db: Db<'_>, case: &Document) -> Result<(), DeviceError> {
    for (id, bytes) in case.facts() {
        let Ok(fact) = envelope::read(&bytes) else { continue };
        if let Body::Ordered(order) = fact.body {
            index_order(db, case.id(), id, order.inspection)?;
        }
    }
    Ok(())
}

/// The checksum that stands beside a document.
pub(super) fn sum(db: Db<'_>, doc: DocId) -> Result<u64, DeviceError> {
    let mut statement = db.prepare_cached("SELECT sum FROM doc WHERE doc = ?1")?;
    Ok(statement.query_row([doc.as_bytes()], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// The hub's state of a document is damaged: it is to be fetched anew. What is written without it
/// begins at the beginning, under another author's number.
pub(super) fn lose(db: Db<'_>, doc: DocId) -> Result<(), DeviceError> {
    db.execute(
        "UPDATE doc SET base = NULL, sum = 0, wanted = 1, incarnation = incarnation + 1
         WHERE doc = ?1",
        [doc.as_bytes()],
    )?;
    Ok(())
}

/// As [`lose`], where not even the row is left: the author's number that stood there is not known,
/// so one far beyond it is taken.
pub(super) fn lose_row(db: Db<'_>, doc: DocId) -> Result<(), DeviceError> {
    const FAR_BEYOND: u32 = 1 << 16;
    let mut ordered =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM ordered WHERE inspection = ?1)")?;
    let is_response: bool = ordered.query_row([doc.as_bytes()], |row| row.get(0))?;
    let kind = if is_response { DocKind::Response } else { DocKind::Patrol };
    db.execute(
        "INSERT INTO doc (doc, kind, incarnation, wanted) VALUES (?1, ?2, ?3, ?4)",
        params![doc.as_bytes(), kind_number(kind), FAR_BEYOND, is_response],
    )?;
    Ok(())
}

/// Notes where an order stands and which inspection answers it.
pub(crate) fn index_order(
    db: Db<'_>,
    case: DocId,
    order: FactId,
    inspection: DocId,
) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO ordered (fact, case_doc, inspection) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![order.as_bytes(), case.as_bytes(), inspection.as_bytes()])?;
    Ok(())
}

/// The document as a person sees it: the hub's state with everything that waits here, colleagues'
/// changes included, as far as it fits. `None` when nothing of it is on this phone.
pub(crate) fn view(db: Db<'_>, doc: DocId) -> Result<Option<Document>, DeviceError> {
    let Some(row) = row(db, doc)? else { return Ok(None) };
    let mut view = base(db, doc)?.unwrap_or_else(|| Document::new(doc, row.kind));
    for change in carried::beside(db, doc)? {
        let waits =
            change.state == OwnState::Waiting || change.state == OwnState::Held && !change.carried;
        if waits && change.ruled {
            // One that does not fit is about to be authored anew, or what it builds on to come.
            view.apply(&change.bytes).ok();
        }
    }
    Ok(Some(view))
}

/// What this phone's own changes of a document are written on: the hub's state with colleagues'
/// changes, as far as they fit.
pub(crate) fn ground(db: Db<'_>, doc: DocId, kind: DocKind) -> Result<Document, DeviceError> {
    let mut ground = base(db, doc)?.unwrap_or_else(|| Document::new(doc, kind));
    for (_, change) in carried::waiting(db, doc)?.into_iter().filter(|(ruled, _)| *ruled) {
        ground.apply(&change).ok();
    }
    carried::put_first(db, doc)?;
    Ok(ground)
}

/// Where an order stands.
pub(crate) fn order(db: Db<'_>, order: FactId) -> Result<Option<OrderedIn>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT case_doc, inspection FROM ordered WHERE fact = ?1")?;
    let found = statement.query_row([order.as_bytes()], |row| {
        Ok(OrderedIn {
            case: DocId::from_bytes(row.get(0)?),
            inspection: DocId::from_bytes(row.get(1)?),
        })
    });
    Ok(found.optional()?)
}

/// The order that an inspection answers.
pub(crate) fn order_of(db: Db<'_>, inspection: DocId) -> Result<Option<FactId>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT fact FROM ordered WHERE inspection = ?1")?;
    let fact = statement.query_row([inspection.as_bytes()], |row| row.get(0)).optional()?;
    Ok(fact.map(FactId::from_bytes))
}

/// The next author number in a document: raised before it is used.
pub(crate) fn raise_incarnation(db: Db<'_>, doc: DocId) -> Result<u32, DeviceError> {
    let mut statement = db.prepare_cached(
        "UPDATE doc SET incarnation = incarnation + 1 WHERE doc = ?1 RETURNING incarnation",
    )?;
    Ok(statement.query_row([doc.as_bytes()], |row| row.get(0))?)
}

/// A new installation starts its author numbers anew.
pub(crate) fn reset_incarnations(db: Db<'_>) -> Result<(), DeviceError> {
    db.execute("UPDATE doc SET incarnation = 0 WHERE incarnation <> 0", [])?;
    Ok(())
}

/// Asks for a document whole, or stops asking.
pub(crate) fn set_wanted(db: Db<'_>, doc: DocId, wanted: bool) -> Result<(), DeviceError> {
    db.execute("UPDATE doc SET wanted = ?2 WHERE doc = ?1", params![doc.as_bytes(), wanted])?;
    Ok(())
}

/// Documents to ask for.
pub(crate) fn wanted(db: Db<'_>) -> Result<Vec<DocId>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT doc FROM doc WHERE wanted = 1 ORDER BY doc")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.map(|bytes| bytes.map(DocId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Marks a document that is in no bucket any more, or is in one again.
pub(crate) fn set_gone(db: Db<'_>, doc: DocId, gone: bool) -> Result<(), DeviceError> {
    db.execute("UPDATE doc SET gone = ?2 WHERE doc = ?1", params![doc.as_bytes(), gone])?;
    Ok(())
}

/// Removes what documents hold that this phone may not keep, once nothing of them waits here.
pub(crate) fn sweep(db: Db<'_>, wall_ms: i64) -> Result<(), DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT doc FROM doc WHERE gone = 1 AND base IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM intent WHERE intent.doc = doc.doc AND state IN (0, 1))",
    )?;
    let docs: Vec<[u8; 16]> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for doc in docs {
        // What is written without the base begins at the beginning: under another author's number.
        db.execute(
            "UPDATE doc SET base = NULL, sum = 0, wanted = 0, incarnation = incarnation + 1
             WHERE doc = ?1",
            [doc],
        )?;
        db.execute("DELETE FROM ordered WHERE case_doc = ?1", [doc])?;
        let doc = DocId::from_bytes(doc);
        db.touch(doc);
        let what = "no longer in your scope";
        events::add(db, wall_ms, events::EventKind::DocumentLeft, Some(doc), what)?;
    }
    Ok(())
}

pub(crate) const fn kind_number(kind: DocKind) -> i64 {
    match kind {
        DocKind::Case => 0,
        DocKind::Response => 1,
        DocKind::Patrol => 2,
        DocKind::Recheck => 3,
    }
}

pub(crate) fn kind_from(number: i64) -> Result<DocKind, DeviceError> {
    match number {
        0 => Ok(DocKind::Case),
        1 => Ok(DocKind::Response),
        2 => Ok(DocKind::Patrol),
        3 => Ok(DocKind::Recheck),
        _ => Err(DeviceError::damaged("document kind")),
    }
}

//! Facts of cases on a colleague's word: signed by the hub, so they are true, but perhaps not all or
//! not the newest. They go when the hub itself has spoken.

use onscene_sync_core::fact::{Body, Fact, envelope};
use onscene_sync_core::id::{DocId, FactId};
use rusqlite::params;

use super::db::{Column, Db};
use super::documents;
use super::mend::copy;
use crate::error::DeviceError;

const ENVELOPE: Column = Column { table: "told", name: "envelope" };

/// Keeps a fact of a case.
pub(crate) fn add(
    db: Db<'_>,
    case: DocId,
    (id, fact): (FactId, &Fact),
    envelope: &[u8],
) -> Result<bool, DeviceError> {
    let sealed = db.seal(ENVELOPE, id.as_bytes(), envelope);
    let new = db
        .prepare_cached(
            "INSERT OR IGNORE INTO told (fact, case_doc, envelope) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![id.as_bytes(), case.as_bytes(), sealed])?;
    if let Body::Ordered(order) = &fact.body {
        documents::index_order(db, case, id, order.inspection)?;
    }
    db.touch(case);
    Ok(new > 0)
}

/// What was told of a case.
pub(crate) fn of_case(db: Db<'_>, case: DocId) -> Result<Vec<(FactId, Vec<u8>)>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT fact, envelope FROM told WHERE case_doc = ?1 ORDER BY fact")?;
    let mut rows = statement.query([case.as_bytes()])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let id: [u8; 16] = row.get(0)?;
        let envelope = db.open(ENVELOPE, &id, &row.get::<_, Vec<u8>>(1)?)?;
        facts.push((FactId::from_bytes(id), envelope));
    }
    Ok(facts)
}

/// The cases that something was told of.
pub(crate) fn cases(db: Db<'_>) -> Result<Vec<DocId>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT case_doc FROM told ORDER BY case_doc")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.map(|case| case.map(DocId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Number of facts told.
pub(crate) fn count(db: Db<'_>) -> Result<u64, DeviceError> {
    let mut statement = db.prepare_cached("SELECT count(*) FROM told")?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// Forgets what was told of one case: no order of it is for this unit.
pub(crate) fn forget(db: Db<'_>, case: DocId) -> Result<(), DeviceError> {
    db.prepare_cached("DELETE FROM told WHERE case_doc = ?1")?.execute([case.as_bytes()])?;
    db.touch(case);
    unindex(db)
}

/// The newest row: what the hub is being asked knows more than what was told until now.
pub(crate) fn newest(db: Db<'_>) -> Result<i64, DeviceError> {
    let mut statement = db.prepare_cached("SELECT coalesce(max(rowid), 0) FROM told")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The hub has spoken: forgets what was told up to row `newest`.
pub(crate) fn clear(db: Db<'_>, newest: i64) -> Result<(), DeviceError> {
    cases(db)?.into_iter().for_each(|case| db.touch(case));
    if db.execute("DELETE FROM told WHERE rowid <= ?1", [newest])? > 0 {
        unindex(db)
    } else {
        Ok(())
    }
}

/// Puts what is whole of `old` into an empty store.
pub(super) fn mend(old: Db<'_>, new: Db<'_>) -> Result<(), DeviceError> {
    copy(old, new, "told", &["fact", "case_doc", "envelope"], |row| {
        let (id, sealed) = (row.get::<_, Vec<u8>>(0), row.get::<_, Vec<u8>>(2));
        matches!((id, sealed), (Ok(id), Ok(sealed)) if old.open(ENVELOPE, &id, &sealed).is_ok())
    });
    for case in cases(new)? {
        for (id, bytes) in of_case(new, case)? {
            if let Ok(Fact { body: Body::Ordered(order), .. }) = envelope::read(&bytes) {
                documents::index_order(new, case, id, order.inspection)?;
            }
        }
    }
    Ok(())
}

fn unindex(db: Db<'_>) -> Result<(), DeviceError> {
    db.execute(
        "DELETE FROM ordered WHERE case_doc NOT IN (SELECT doc FROM doc WHERE base IS NOT NULL)
         AND case_doc NOT IN (SELECT case_doc FROM told)",
        [],
    )?;
    Ok(())
}

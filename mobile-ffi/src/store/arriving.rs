//! Arrivals that are being recorded: the claim of a visit so far, kept from the tap on.

use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::id::DocId;
use rusqlite::{OptionalExtension, Row, params};

use super::db::{Column, Db};
use crate::error::DeviceError;

const CLAIM: Column = Column { table: "arriving", name: "claim" };

/// The columns of the table.
pub(super) const COLUMNS: &[&str] = &["doc", "claim"];

/// The claim that is being recorded in a visit.
pub(crate) fn get(db: Db<'_>, doc: DocId) -> Result<Option<ArrivalClaim>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT claim FROM arriving WHERE doc = ?1")?;
    let sealed: Option<Vec<u8>> =
        statement.query_row([doc.as_bytes()], |row| row.get(0)).optional()?;
    sealed.map(|sealed| db.get(CLAIM, doc.as_bytes(), &sealed)).transpose()
}

/// Keeps the claim of a visit in the place of what it was before.
pub(crate) fn put(db: Db<'_>, doc: DocId, claim: &ArrivalClaim) -> Result<(), DeviceError> {
    let sealed = db.put(CLAIM, doc.as_bytes(), claim);
    db.prepare_cached(
        "INSERT INTO arriving (doc, claim) VALUES (?1, ?2)
         ON CONFLICT (doc) DO UPDATE SET claim = excluded.claim",
    )?
    .execute(params![doc.as_bytes(), sealed])?;
    Ok(())
}

/// The claim is on record.
pub(crate) fn end(db: Db<'_>, doc: DocId) -> Result<(), DeviceError> {
    db.execute("DELETE FROM arriving WHERE doc = ?1", [doc.as_bytes()])?;
    Ok(())
}

/// All claims that are being recorded.
pub(crate) fn all(db: Db<'_>) -> Result<Vec<(DocId, ArrivalClaim)>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT doc, claim FROM arriving ORDER BY doc")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    rows.map(|row| {
        let (doc, sealed) = row?;
        Ok((DocId::from_bytes(doc), db.get(CLAIM, &doc, &sealed)?))
    })
    .collect()
}

/// Whether a row opens and is a claim.
pub(super) fn is_sound(db: Db<'_>, row: &Row<'_>) -> bool {
    let read = || -> Result<ArrivalClaim, DeviceError> {
        let (doc, sealed): ([u8; 16], Vec<u8>) = (row.get(0)?, row.get(1)?);
        db.get(CLAIM, &doc, &sealed)
    };
    read().is_ok()
}

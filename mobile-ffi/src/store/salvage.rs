//! Reading what is whole in a store without its key.

use onscene_sync_core::id::DocId;
use onscene_sync_core::recovery::escrow::Escrow;
use onscene_sync_core::recovery::file::{Record, RecoveryFile};
use rusqlite::{Connection, OptionalExtension, Row};

use super::documents::kind_from;
use crate::error::DeviceError;

/// What the hub has not acknowledged, sealed as it is.
pub(crate) fn undelivered(
    connection: &Connection,
    escrow: Escrow,
) -> Result<RecoveryFile, DeviceError> {
    let install =
        connection
            .query_row("SELECT coalesce(max(install), 1) FROM intent", [], |row| row.get(0))?;
    let head: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE key = 'head'", [], |row| row.get(0))
        .optional()?;
    let mut statement = connection.prepare(
        "SELECT n, intent.doc, doc.kind, change FROM intent JOIN doc ON doc.doc = intent.doc
         WHERE state IN (0, 1) ORDER BY n",
    )?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(RecoveryFile { escrow, install, head: head.unwrap_or_default().into(), records })
}

fn record(row: &Row<'_>) -> Result<Record, DeviceError> {
    Ok(Record {
        n: row.get::<_, i64>(0)?.cast_unsigned(),
        doc: DocId::from_bytes(row.get(1)?),
        kind: kind_from(row.get(2)?)?,
        change: row.get::<_, Vec<u8>>(3)?.into(),
    })
}

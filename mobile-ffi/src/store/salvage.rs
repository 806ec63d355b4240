//! Reading what is whole in a store without its key.

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::{DocId, FactId, Hash};
use onscene_sync_core::recovery::escrow::Escrow;
use onscene_sync_core::recovery::file::{Record, RecoveryFile};
use rusqlite::{Connection, OptionalExtension, Row};

use super::documents::kind_from;
use super::evidence::media_from;
use crate::error::DeviceError;

/// A file that a fact of a former device names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormerFile {
    pub(crate) fact: FactId,
    /// Its name in the media folder.
    pub(crate) name: String,
    pub(crate) sha256: Hash,
    pub(crate) bytes: u64,
    pub(crate) media: Media,
}

/// The files that the hub has not signed for and does not refuse.
pub(crate) fn unsigned_files(connection: &Connection) -> Result<Vec<FormerFile>, DeviceError> {
    const STATED: &str = "SELECT intent.fact, name, sha256, bytes, media FROM evidence
         JOIN intent ON intent.n = evidence.n
         WHERE receipt IS NULL AND file <> 1 AND state <> 3 AND intent.fact IS NOT NULL";
    const TAKEN_OVER: &str = "SELECT fact, name, sha256, bytes, media FROM evidence
         WHERE n < 0 AND receipt IS NULL AND file <> 1";
    // An older store keeps no files, or none of a former one.
    let keeps = |column: &str| -> Result<bool, DeviceError> {
        let sql = "SELECT count(*) FROM pragma_table_info('evidence') WHERE name = ?1";
        Ok(connection.query_row(sql, [column], |row| row.get::<_, i64>(0))? > 0)
    };
    let mut files = Vec::new();
    for (column, sql) in [("name", STATED), ("fact", TAKEN_OVER)] {
        if !keeps(column)? {
            continue;
        }
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            files.push(FormerFile {
                fact: FactId::from_bytes(row.get(0)?),
                name: row.get(1)?,
                sha256: Hash::from_bytes(row.get(2)?),
                bytes: row.get::<_, i64>(3)?.cast_unsigned(),
                media: media_from(row.get(4)?)?,
            });
        }
    }
    Ok(files)
}

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

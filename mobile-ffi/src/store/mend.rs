//! Mending a damaged store: what can be read goes into a new file, row by row; what the hub has is
//! fetched from it anew; of the outbox everything readable stays, and what is lost is named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::replica::OwnState;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior};
use rusqlite::{params, params_from_iter};
use serde::Serialize;

use super::db::Db;
use super::{arriving, carried, documents, events, evidence, feed, intents, key, meta, told, work};
use crate::author;
use crate::error::DeviceError;
use crate::host::Host;

/// What mending came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// Records kept.
    pub kept: u64,
    /// Records that cannot be read any more.
    pub lost: Vec<LostRecord>,
    /// Documents that are fetched anew from the hub.
    pub refetched: u64,
    /// Where the damaged file lies, for an examination.
    pub damaged_file: PathBuf,
}

/// A record that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostRecord {
    /// Its number on this phone.
    pub n: i64,
    /// The document that it belonged to, if that can be read.
    pub doc: Option<DocId>,
    /// The hub had acknowledged it: it is only this phone's copy that is gone.
    pub delivered: bool,
}

/// Rows looked for beyond what an index names, when the end of a table cannot be read.
const BLIND_ROWS: i64 = 100_000;

impl Mended {
    pub(crate) fn in_words(&self) -> String {
        let lost = self.lost.iter().map(|lost| match lost.delivered {
            true => format!("{} (the hub has it)", lost.n),
            false => lost.n.to_string(),
        });
        let lost: Vec<String> = lost.collect();
        let lost = if lost.is_empty() { "none".to_owned() } else { lost.join(", ") };
        format!(
            "{} records kept, {} documents are fetched anew, records lost: {lost}",
            self.kept, self.refetched
        )
    }
}

/// What in a store is damaged, in words.
pub(super) fn check(db: Db<'_>) -> Result<Vec<String>, DeviceError> {
    let mut found = Vec::new();
    let quick = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match quick {
        Ok(said) if said == "ok" => {}
        Ok(said) => found.push(said),
        Err(error) => found.push(error.to_string()),
    }
    let mut count = |what: &str, result: Result<(u64, u64), DeviceError>| match result {
        Ok((0, _)) => {}
        Ok((bad, all)) => found.push(format!("{bad} of {all} {what}")),
        Err(error) => found.push(format!("{what}: {error}")),
    };
    count("single values", sound(db, "SELECT key, value FROM meta", |row| meta::is_sound(db, row)));
    let anchors = format!("SELECT {} FROM anchor", feed::ANCHOR_COLUMNS.join(", "));
    count("anchors", sound(db, &anchors, |row| feed::is_sound(db, row)));
    let events = "SELECT n, kind, doc, told FROM event";
    count("events", sound(db, events, |row| events::is_sound(db, row)));
    let arriving = "SELECT doc, claim FROM arriving";
    count("begun arrivals", sound(db, arriving, |row| arriving::is_sound(db, row)));
    let docs = "SELECT doc FROM doc WHERE base IS NOT NULL";
    count("documents", sound(db, docs, |row| row.get(0).is_ok_and(|doc| whole(db, doc).is_some())));
    let is_record = |row: &Row<'_>| {
        row.get(0).is_ok_and(|n| {
            intents::raw(db, n).is_ok_and(|raw| raw.is_some_and(|raw| raw.is_sound(db)))
        })
    };
    count("records", sound(db, "SELECT n FROM intent", is_record));
    Ok(found)
}

/// How many rows are not sound, of how many.
fn sound(
    db: Db<'_>,
    sql: &str,
    is_sound: impl Fn(&Row<'_>) -> bool,
) -> Result<(u64, u64), DeviceError> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut bad, mut all) = (0, 0);
    while let Some(row) = rows.next()? {
        all += 1;
        bad += u64::from(!is_sound(row));
    }
    Ok((bad, all))
}

/// A name beside the store's.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Makes a new store at `fresh` of what can be read from `old`.
pub(super) fn make(old: Db<'_>, fresh: &Path, host: &Host) -> Result<Mended, DeviceError> {
    // Left by an earlier try that was cut short.
    for rest in ["", "-journal", "-wal", "-shm"] {
        let mut name = fresh.as_os_str().to_owned();
        name.push(rest);
        fs::remove_file(name).ok();
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(fresh, flags)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", "ON")?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    super::lay_out(&tx)?;
    key::copy(&old, &tx, old.key(), host)?;
    let mended = salvage(old, old.at(&tx))?;
    tx.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(mended)
}

/// Puts the new file in the place of the old one; returns where that is now.
pub(super) fn exchange(old: Connection, fresh: &Path, path: &Path) -> Result<PathBuf, DeviceError> {
    // The log belongs to the old file and must not meet the new one.
    let busy: i64 = old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(DeviceError::Store("another process has the store open".to_owned()));
    }
    old.close().map_err(|(_, error)| error)?;
    let failed = |error: std::io::Error| DeviceError::Store(error.to_string());
    let mut number = 1;
    let aside = loop {
        let aside = beside(path, &format!("damaged{number}"));
        if !aside.try_exists().map_err(failed)? {
            break aside;
        }
        number += 1;
    };
    fs::copy(path, &aside).map_err(failed)?;
    fs::rename(fresh, path).map_err(failed)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        _ => {}
    }
    Ok(aside)
}

/// Copies what can be read from `old` into an empty store.
fn salvage(old: Db<'_>, new: Db<'_>) -> Result<Mended, DeviceError> {
    copy(old, new, "meta", &["key", "value"], |row| meta::is_sound(old, row));
    copy(old, new, "alias", &["old", "new"], |_| true);
    copy(old, new, "anchor", feed::ANCHOR_COLUMNS, |row| feed::is_sound(old, row));
    copy(old, new, "event", &["n", "kind", "doc", "told"], |row| events::is_sound(old, row));
    let (all, mut broken) = copy_documents(old, new)?;
    let buckets = copy(old, new, "bucket", &["bucket", "epoch", "seq"], |_| true);
    let members = copy(old, new, "member", &["bucket", "doc", "fresh"], |_| true);
    if !(all && buckets && members) {
        // Read from the beginning, every document of a bucket is confirmed or sent again.
        new.execute("UPDATE bucket SET epoch = NULL, seq = NULL", [])?;
    }
    let refetched = broken.len() as u64;
    let (kept, lost) = copy_records(old, new, &mut broken)?;
    copy(old, new, "capture", evidence::CAPTURE_COLUMNS, |row| {
        let row = row.get(1).map(|doc| documents::row(new, DocId::from_bytes(doc)));
        matches!(row, Ok(Ok(Some(_))))
    });
    copy(old, new, "evidence", evidence::FILE_COLUMNS, |row| match row.get::<_, i64>(0) {
        Ok(n) => n < 0 || matches!(intents::raw(new, n), Ok(Some(_))),
        Err(_) => false,
    });
    copy(old, new, "arriving", arriving::COLUMNS, |row| {
        let known = row.get(0).map(|doc| documents::row(new, DocId::from_bytes(doc)));
        matches!(known, Ok(Ok(Some(_)))) && arriving::is_sound(old, row)
    });
    evidence::mend(new)?;
    carried::mend(old, new);
    told::mend(old, new)?;
    mend_head(new)?;
    if meta::identity(new).is_ok() {
        for doc in broken {
            author::rebuild(new, doc)?;
        }
    }
    work::rebuild(new)?;
    Ok(Mended { kept, lost, refetched, damaged_file: PathBuf::new() })
}

/// The hub's state of a document, if it is what was written.
fn whole(db: Db<'_>, doc: [u8; 16]) -> Option<Document> {
    let doc = DocId::from_bytes(doc);
    let base = documents::base(db, doc).ok()??;
    (documents::sum(db, doc).ok()? == base.sum()).then_some(base)
}

/// Copies the sound rows of a table; says whether all of it could be read.
pub(super) fn copy(
    old: Db<'_>,
    new: Db<'_>,
    table: &str,
    columns: &[&str],
    is_sound: impl Fn(&Row<'_>) -> bool,
) -> bool {
    let list = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} ({list}) VALUES ({marks})");
    // From both ends, so that a damaged page costs no more than what lies on it.
    ["ASC", "DESC"].into_iter().any(|order| {
        let select = format!("SELECT {list} FROM {table} ORDER BY {} {order}", columns[0]);
        let read = || -> Result<bool, rusqlite::Error> {
            let (mut select, mut insert) = (old.prepare(&select)?, new.prepare(&insert)?);
            let mut rows = select.query([])?;
            let mut whole = true;
            while let Some(row) = rows.next()? {
                if is_sound(row) {
                    let values = (0..columns.len()).map(|at| row.get::<_, Value>(at));
                    let values = values.collect::<Result<Vec<_>, _>>()?;
                    insert.execute(params_from_iter(values))?;
                } else {
                    whole = false;
                }
            }
            Ok(whole)
        };
        // Whole, or damaged in single rows only: the other direction would read no more.
        read().is_ok_and(|whole| whole)
    })
}

/// Copies the documents; says whether all rows could be read, and which are to be fetched anew.
fn copy_documents(old: Db<'_>, new: Db<'_>) -> Result<(bool, BTreeSet<DocId>), DeviceError> {
    const COLUMNS: &[&str] = &["doc", "kind", "base", "sum", "incarnation", "wanted", "gone"];
    let all = copy(old, new, "doc", COLUMNS, |row| {
        let kind = row.get(1).map(documents::kind_from);
        row.get::<_, [u8; 16]>(0).is_ok() && kind.is_ok_and(|kind| kind.is_ok())
    });
    let mut statement = new.prepare("SELECT doc FROM doc WHERE base IS NOT NULL")?;
    let docs = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    let mut broken = BTreeSet::new();
    for doc in docs {
        match whole(new, doc) {
            Some(base) if base.kind() == DocKind::Case => documents::index_orders(new, &base)?,
            Some(_) => {}
            None => {
                let doc = DocId::from_bytes(doc);
                documents::lose(new, doc)?;
                broken.insert(doc);
            }
        }
    }
    Ok((all, broken))
}

/// Copies the records, each by its number, so that one on a damaged page costs no other. Returns how
/// many there are, and those that are lost.
fn copy_records(
    old: Db<'_>,
    new: Db<'_>,
    broken: &mut BTreeSet<DocId>,
) -> Result<(u64, Vec<LostRecord>), DeviceError> {
    let last = old.query_row("SELECT coalesce(max(n), 0) FROM intent", [], |row| row.get(0));
    let blind = last.is_err();
    let (mut kept, mut lost) = (0, Vec::new());
    for n in 1..=last.unwrap_or(BLIND_ROWS) {
        match intents::raw(old, n) {
            Ok(Some(raw)) if raw.is_sound(old) => {
                if documents::row(new, raw.clear.doc)?.is_none() {
                    documents::lose_row(new, raw.clear.doc)?;
                    broken.insert(raw.clear.doc);
                }
                raw.insert(new)?;
                kept += 1;
            }
            Ok(Some(raw)) => {
                let delivered = raw.clear.state == OwnState::Delivered as i64;
                lost.push(LostRecord { n, doc: Some(raw.clear.doc), delivered });
            }
            Ok(None) if blind => {}
            Ok(None) | Err(_) => lost.push(LostRecord { n, doc: None, delivered: false }),
        }
    }
    Ok((kept, lost))
}

/// Finds the end of the chain by the records, where it was lost itself.
fn mend_head(db: Db<'_>) -> Result<(), DeviceError> {
    let Ok(identity) = meta::identity(db) else { return Ok(()) };
    if meta::head(db).is_ok() {
        return Ok(());
    }
    let install = identity.install;
    let last: Option<(i64, [u8; 16])> = db
        .query_row(
            "SELECT seq, fact FROM intent WHERE install = ?1 AND seq IS NOT NULL
             ORDER BY seq DESC LIMIT 1",
            params![install],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (seq, fact) =
        last.map_or((0, None), |(seq, fact)| (seq.cast_unsigned(), Some(FactId::from_bytes(fact))));
    meta::set_head(db, Head { install, seq, fact })
}

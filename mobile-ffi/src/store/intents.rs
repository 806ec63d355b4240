//! Everything recorded on this phone, each deed with the change that carries it now.

use std::collections::BTreeMap;

use onscene_sync_core::document::Written;
use onscene_sync_core::id::{DocId, FactId, Hash};
use onscene_sync_core::sync::device::Queued;
use onscene_sync_core::sync::message::Refusal;
use onscene_sync_core::sync::replica::{OwnChange, OwnState};
use onscene_sync_core::time::ClockReading;
use rusqlite::{OptionalExtension, Row, params};

use super::db::{Column, Db};
use super::documents::kind_from;
use crate::act::Act;
use crate::error::DeviceError;

/// One deed as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intent {
    pub(crate) n: i64,
    pub(crate) doc: DocId,
    pub(crate) act: Act,
    /// The clocks when the person acted.
    pub(crate) clock: ClockReading,
    /// The signed fact, if the deed states something.
    pub(crate) sealed: Option<Sealed>,
    pub(crate) state: OwnState,
    /// The hub's feed has shown it.
    pub(crate) seen: bool,
    /// How often it was turned away for its author's number.
    pub(crate) tries: u32,
    /// Why it was turned away, last.
    pub(crate) code: Option<String>,
    pub(crate) detail: Option<String>,
}

/// A signed fact with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) id: FactId,
    pub(crate) envelope: Vec<u8>,
    pub(crate) install: u32,
    pub(crate) seq: u64,
}

impl Sealed {
    pub(crate) fn entry(&self) -> (FactId, Vec<u8>) {
        (self.id, self.envelope.clone())
    }
}

const ACT: Column = Column { table: "intent", name: "act" };
const CLOCK: Column = Column { table: "intent", name: "clock" };
const ENVELOPE: Column = Column { table: "intent", name: "envelope" };
const CHANGE: Column = Column { table: "intent", name: "change" };
const DETAIL: Column = Column { table: "intent", name: "detail" };
const COLUMNS: &str = "n, doc, act, clock, fact, envelope, install, seq, state, seen, tries, code, \
                       detail";

/// Records a new deed; returns its number.
pub(crate) fn add(
    db: Db<'_>,
    doc: DocId,
    act: &Act,
    clock: &ClockReading,
    sealed: Option<&Sealed>,
    install: u32,
) -> Result<i64, DeviceError> {
    // No deed is ever removed, so no number is used twice.
    let n: i64 = db
        .prepare_cached("SELECT coalesce(max(n), 0) + 1 FROM intent")?
        .query_row([], |row| row.get(0))?;
    let key = n.to_be_bytes();
    db.prepare_cached(
        "INSERT INTO intent (n, doc, act, clock, fact, envelope, install, seq, hash, change)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, x'', x'')",
    )?
    .execute(params![
        n,
        doc.as_bytes(),
        db.put(ACT, &key, act),
        db.put(CLOCK, &key, clock),
        sealed.map(|sealed| *sealed.id.as_bytes()),
        sealed.map(|sealed| db.seal(ENVELOPE, &key, &sealed.envelope)),
        install,
        sealed.map(|sealed| sealed.seq.cast_signed())
    ])?;
    Ok(n)
}

/// Sets the change that carries a deed from now on.
pub(crate) fn set_change(db: Db<'_>, n: i64, change: &Written) -> Result<(), DeviceError> {
    let sealed = db.seal(CHANGE, &n.to_be_bytes(), &change.bytes);
    let doc = db
        .prepare_cached(
            "UPDATE intent SET hash = ?2, change = ?3, state = 0 WHERE n = ?1 RETURNING doc",
        )?
        .query_row(params![n, change.hash.as_bytes(), sealed], |row| row.get(0))?;
    db.touch(DocId::from_bytes(doc));
    Ok(())
}

/// States a deed anew: another act (facts it names have other ids), fact and installation.
pub(crate) fn restate(
    db: Db<'_>,
    n: i64,
    act: &Act,
    sealed: Option<&Sealed>,
    install: u32,
) -> Result<(), DeviceError> {
    let key = n.to_be_bytes();
    if let Some(sealed) = sealed {
        db.prepare_cached(
            "INSERT INTO alias (old, new) SELECT fact, ?2 FROM intent
             WHERE n = ?1 AND fact IS NOT NULL ON CONFLICT (old) DO UPDATE SET new = excluded.new",
        )?
        .execute(params![n, sealed.id.as_bytes()])?;
    }
    db.prepare_cached(
        "UPDATE intent SET act = ?2, fact = ?3, envelope = ?4, seq = ?5, install = ?6 WHERE n = ?1",
    )?
    .execute(params![
        n,
        db.put(ACT, &key, act),
        sealed.map(|sealed| *sealed.id.as_bytes()),
        sealed.map(|sealed| db.seal(ENVELOPE, &key, &sealed.envelope)),
        sealed.map(|sealed| sealed.seq.cast_signed()),
        install
    ])?;
    Ok(())
}

/// What facts that were stated anew are called now.
pub(crate) fn aliases(db: Db<'_>) -> Result<BTreeMap<FactId, FactId>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT old, new FROM alias")?;
    let rows = statement.query_map([], |row| {
        Ok((FactId::from_bytes(row.get(0)?), FactId::from_bytes(row.get(1)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The changes to push, in the order of recording.
pub(crate) fn queue(db: Db<'_>, max: usize) -> Result<Vec<Queued>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT n, intent.doc, doc.kind, hash, change FROM intent JOIN doc ON doc.doc = intent.doc
         WHERE state = 0 AND doc.wanted = 0 ORDER BY n LIMIT ?1",
    )?;
    let mut rows = statement.query([i64::try_from(max).unwrap_or(i64::MAX)])?;
    let mut queue = Vec::new();
    while let Some(row) = rows.next()? {
        queue.push(Queued {
            doc: DocId::from_bytes(row.get(1)?),
            kind: kind_from(row.get(2)?)?,
            hash: Hash::from_bytes(row.get(3)?),
            bytes: change(db, row.get(0)?, row.get(4)?)?,
        });
    }
    Ok(queue)
}

/// The changes of this phone in a document, in the order of recording.
pub(crate) fn own(db: Db<'_>, doc: DocId) -> Result<Vec<OwnChange>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT n, doc.kind, hash, change, fact, state FROM intent JOIN doc ON doc.doc = intent.doc
         WHERE intent.doc = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([doc.as_bytes()])?;
    let mut own = Vec::new();
    while let Some(row) = rows.next()? {
        own.push(OwnChange {
            kind: kind_from(row.get(1)?)?,
            hash: Hash::from_bytes(row.get(2)?),
            bytes: change(db, row.get(0)?, row.get(3)?)?,
            fact: row.get::<_, Option<[u8; 16]>>(4)?.map(FactId::from_bytes),
            state: state_from(row.get(5)?)?,
        });
    }
    Ok(own)
}

/// The deeds of a document that the hub has not settled, in the order of recording.
pub(crate) fn unsettled(db: Db<'_>, doc: DocId) -> Result<Vec<Intent>, DeviceError> {
    select(db, "doc = ?1 AND state IN (0, 1) ORDER BY n", params![doc.as_bytes()])
}

/// All deeds that the hub has not settled, in the order of recording.
pub(crate) fn all_unsettled(db: Db<'_>) -> Result<Vec<Intent>, DeviceError> {
    select(db, "state IN (0, 1) ORDER BY n", params![])
}

/// Deeds after number `after`, oldest first, at most `max`.
pub(crate) fn page(db: Db<'_>, after: i64, max: u32) -> Result<Vec<Intent>, DeviceError> {
    select(db, "n > ?1 ORDER BY n LIMIT ?2", params![after, max])
}

/// The deed that a change carries.
pub(crate) fn by_hash(db: Db<'_>, hash: Hash) -> Result<Option<Intent>, DeviceError> {
    Ok(select(db, "hash = ?1", params![hash.as_bytes()])?.pop())
}

/// A deed by its number.
pub(crate) fn one(db: Db<'_>, n: i64) -> Result<Option<Intent>, DeviceError> {
    Ok(select(db, "n = ?1", [n])?.pop())
}

/// How many deeds are in each state.
pub(crate) fn counts(db: Db<'_>) -> Result<BTreeMap<i64, u64>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT state, count(*) FROM intent GROUP BY state")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sets what became of a deed; `refusal` says why where it was turned away.
pub(crate) fn set_state(
    db: Db<'_>,
    n: i64,
    state: OwnState,
    refusal: Option<&Refusal>,
) -> Result<(), DeviceError> {
    let code = refusal.map(code_name);
    let detail =
        refusal.map(|refusal| db.seal(DETAIL, &n.to_be_bytes(), refusal.detail.as_bytes()));
    let doc = db
        .prepare_cached(
            "UPDATE intent SET state = ?2, code = ?3, detail = ?4 WHERE n = ?1 RETURNING doc",
        )?
        .query_row(params![n, state as i64, code, detail], |row| row.get(0))?;
    db.touch(DocId::from_bytes(doc));
    Ok(())
}

/// The hub's feed has shown a deed.
pub(crate) fn set_seen(db: Db<'_>, n: i64) -> Result<(), DeviceError> {
    db.execute("UPDATE intent SET seen = 1 WHERE n = ?1", [n])?;
    Ok(())
}

/// Counts one more time that a deed was turned away for its author's number.
pub(crate) fn count_try(db: Db<'_>, n: i64) -> Result<u32, DeviceError> {
    let mut statement =
        db.prepare_cached("UPDATE intent SET tries = tries + 1 WHERE n = ?1 RETURNING tries")?;
    Ok(statement.query_row([n], |row| row.get(0))?)
}

/// Whether anything waits to be pushed.
pub(crate) fn any_waiting(db: Db<'_>) -> Result<bool, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM intent WHERE state = 0)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The document in which this phone stated a fact.
pub(crate) fn doc_of(db: Db<'_>, fact: FactId) -> Result<Option<DocId>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT doc FROM intent WHERE fact = ?1")?;
    let doc = statement.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
    Ok(doc.map(DocId::from_bytes))
}

fn select(
    db: Db<'_>,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Intent>, DeviceError> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM intent WHERE {condition}"))?;
    let mut rows = statement.query(values)?;
    let mut intents = Vec::new();
    while let Some(row) = rows.next()? {
        intents.push(read(db, row)?);
    }
    Ok(intents)
}

/// Opens the change that carries a deed.
fn change(db: Db<'_>, n: i64, sealed: Vec<u8>) -> Result<Vec<u8>, DeviceError> {
    db.open(CHANGE, &n.to_be_bytes(), &sealed)
}

fn read(db: Db<'_>, row: &Row<'_>) -> Result<Intent, DeviceError> {
    let n: i64 = row.get(0)?;
    let key = n.to_be_bytes();
    let fact: Option<[u8; 16]> = row.get(4)?;
    let envelope: Option<Vec<u8>> = row.get(5)?;
    let seq: Option<i64> = row.get(7)?;
    let sealed = match (fact, envelope, seq) {
        (Some(id), Some(envelope), Some(seq)) => Some(Sealed {
            id: FactId::from_bytes(id),
            envelope: db.open(ENVELOPE, &key, &envelope)?,
            install: row.get(6)?,
            seq: seq.cast_unsigned(),
        }),
        _ => None,
    };
    let detail = row.get::<_, Option<Vec<u8>>>(12)?;
    let detail = detail.map(|sealed| db.open(DETAIL, &key, &sealed)).transpose()?;
    Ok(Intent {
        n,
        doc: DocId::from_bytes(row.get(1)?),
        act: db.get(ACT, &key, &row.get::<_, Vec<u8>>(2)?)?,
        clock: db.get(CLOCK, &key, &row.get::<_, Vec<u8>>(3)?)?,
        sealed,
        state: state_from(row.get(8)?)?,
        seen: row.get(9)?,
        tries: row.get(10)?,
        code: row.get(11)?,
        detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    })
}

fn state_from(number: i64) -> Result<OwnState, DeviceError> {
    match number {
        0 => Ok(OwnState::Waiting),
        1 => Ok(OwnState::Held),
        2 => Ok(OwnState::Delivered),
        3 => Ok(OwnState::Refused),
        _ => Err(DeviceError::damaged("state of a record")),
    }
}

/// The name of a refusal, as it stands in JSON.
fn code_name(refusal: &Refusal) -> String {
    match serde_json::to_value(refusal.code) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "unknown".to_owned(),
    }
}

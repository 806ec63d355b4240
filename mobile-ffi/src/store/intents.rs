//! Everything recorded on this phone, each deed with the change that carries it now.

use std::collections::BTreeMap;

use minicbor::Encode;
use minicbor::bytes::ByteVec;
use onscene_sync_core::document::Written;
use onscene_sync_core::id::{DocId, FactId, Hash};
use onscene_sync_core::sync::device::Queued;
use onscene_sync_core::sync::message::Refusal;
use onscene_sync_core::sync::replica::{OwnChange, OwnState};
use onscene_sync_core::time::ClockReading;
use rusqlite::{OptionalExtension, Row, params};

use super::db::{Column, Db};
use super::documents::kind_from;
use super::meta::to_cbor;
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
const STAMP: Column = Column { table: "intent", name: "stamp" };
const COLUMNS: &str = "n, intent.doc, fact, install, seq, hash, state, seen, tries, code, stamp, \
                       act, clock, envelope, change, detail";

/// A row as it stands.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) clear: Clear,
    stamp: Vec<u8>,
    act: Vec<u8>,
    clock: Vec<u8>,
    envelope: Option<Vec<u8>>,
    change: Vec<u8>,
    detail: Option<Vec<u8>>,
}

/// What of a row stands in the clear. It is the associated data of the row's stamp.
#[derive(Debug, Encode)]
#[cbor(array)]
pub(super) struct Clear {
    #[n(0)]
    pub(super) n: i64,
    #[n(1)]
    pub(super) doc: DocId,
    #[n(2)]
    fact: Option<FactId>,
    #[n(3)]
    install: u32,
    #[n(4)]
    seq: Option<u64>,
    #[n(5)]
    hash: ByteVec,
    #[n(6)]
    pub(super) state: i64,
    #[n(7)]
    seen: bool,
    #[n(8)]
    tries: u32,
    #[n(9)]
    code: Option<String>,
}

impl Clear {
    /// The first ten of [`COLUMNS`].
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            n: row.get(0)?,
            doc: DocId::from_bytes(row.get(1)?),
            fact: row.get::<_, Option<[u8; 16]>>(2)?.map(FactId::from_bytes),
            install: row.get(3)?,
            seq: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            hash: row.get::<_, Vec<u8>>(5)?.into(),
            state: row.get(6)?,
            seen: row.get(7)?,
            tries: row.get(8)?,
            code: row.get(9)?,
        })
    }

    fn check(&self, db: Db<'_>, stamp: &[u8]) -> Result<(), DeviceError> {
        db.open(STAMP, &to_cbor(self), stamp).map(drop)
    }
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            clear: Clear::read(row)?,
            stamp: row.get(10)?,
            act: row.get(11)?,
            clock: row.get(12)?,
            envelope: row.get(13)?,
            change: row.get(14)?,
            detail: row.get(15)?,
        })
    }

    /// The change that carries the deed, its hash and its state.
    fn change(&self, db: Db<'_>) -> Result<(Hash, Vec<u8>, OwnState), DeviceError> {
        self.clear.check(db, &self.stamp)?;
        let hash = <[u8; 32]>::try_from(&self.clear.hash[..]);
        let hash = Hash::from_bytes(hash.map_err(|_| DeviceError::damaged("hash of a record"))?);
        let bytes = db.open(CHANGE, &self.clear.n.to_be_bytes(), &self.change)?;
        Ok((hash, bytes, state_from(self.clear.state)?))
    }

    fn open(&self, db: Db<'_>) -> Result<Intent, DeviceError> {
        let clear = &self.clear;
        clear.check(db, &self.stamp)?;
        let key = clear.n.to_be_bytes();
        let sealed = match (clear.fact, &self.envelope, clear.seq) {
            (Some(id), Some(envelope), Some(seq)) => {
                let envelope = db.open(ENVELOPE, &key, envelope)?;
                Some(Sealed { id, envelope, install: clear.install, seq })
            }
            _ => None,
        };
        let detail =
            self.detail.as_ref().map(|sealed| db.open(DETAIL, &key, sealed)).transpose()?;
        Ok(Intent {
            n: clear.n,
            doc: clear.doc,
            act: db.get(ACT, &key, &self.act)?,
            clock: db.get(CLOCK, &key, &self.clock)?,
            sealed,
            state: state_from(clear.state)?,
            seen: clear.seen,
            tries: clear.tries,
            code: clear.code.clone(),
            detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// Whether all of it can be read.
    pub(super) fn is_sound(&self, db: Db<'_>) -> bool {
        self.open(db).is_ok() && self.change(db).is_ok()
    }

    /// Puts it into another store of the same key.
    pub(super) fn insert(&self, db: Db<'_>) -> Result<(), DeviceError> {
        let Self { clear, stamp, act, clock, envelope, change, detail } = self;
        db.prepare_cached(
            "INSERT INTO intent (n, doc, fact, install, seq, hash, state, seen, tries, code, stamp,
                 act, clock, envelope, change, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            clear.n,
            clear.doc.as_bytes(),
            clear.fact.map(|fact| *fact.as_bytes()),
            clear.install,
            clear.seq.map(u64::cast_signed),
            &clear.hash[..],
            clear.state,
            clear.seen,
            clear.tries,
            clear.code,
            stamp,
            act,
            clock,
            envelope,
            change,
            detail
        ])?;
        Ok(())
    }
}

/// One row as it stands.
pub(super) fn raw(db: Db<'_>, n: i64) -> Result<Option<Raw>, DeviceError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM intent WHERE n = ?1"))?;
    Ok(statement.query_row([n], Raw::read).optional()?)
}

/// Stamps every row, for stores that had no stamps.
pub(super) fn stamp_all(db: Db<'_>) -> Result<(), DeviceError> {
    let mut statement = db.prepare("SELECT n FROM intent")?;
    let numbers = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    numbers.into_iter().try_for_each(|n| stamp(db, n))
}

/// Stamps what stands in the clear of a row, after a change of it.
pub(super) fn stamp(db: Db<'_>, n: i64) -> Result<(), DeviceError> {
    let select = format!("SELECT {COLUMNS} FROM intent WHERE n = ?1");
    let clear = db.prepare_cached(&select)?.query_row([n], Clear::read)?;
    let stamp = db.seal(STAMP, &to_cbor(&clear), b"");
    db.prepare_cached("UPDATE intent SET stamp = ?2 WHERE n = ?1")?.execute(params![n, stamp])?;
    Ok(())
}

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
    stamp(db, n)
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

/// The changes to push with their numbers, in the order of recording; not [carried](super::carried).
pub(crate) fn queue(db: Db<'_>, max: usize) -> Result<Vec<(i64, bool, Queued)>, DeviceError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, doc.kind FROM intent JOIN doc ON doc.doc = intent.doc
         WHERE state = 0 AND doc.wanted = 0 ORDER BY n LIMIT ?1",
    ))?;
    let mut rows = statement.query([i64::try_from(max).unwrap_or(i64::MAX)])?;
    let mut queue = Vec::new();
    while let Some(row) = rows.next()? {
        let raw = Raw::read(row)?;
        let (hash, bytes, _) = raw.change(db)?;
        let (doc, kind, proofs) = (raw.clear.doc, kind_from(row.get(16)?)?, Vec::new());
        queue.push((raw.clear.n, false, Queued { doc, kind, hash, bytes, proofs }));
    }
    Ok(queue)
}

/// The changes of this phone in a document with their numbers, in the order of recording.
pub(crate) fn own(db: Db<'_>, doc: DocId) -> Result<Vec<(i64, OwnChange)>, DeviceError> {
    let renamed = aliases(db)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, doc.kind FROM intent JOIN doc ON doc.doc = intent.doc
         WHERE intent.doc = ?1 ORDER BY n",
    ))?;
    let mut rows = statement.query([doc.as_bytes()])?;
    let mut own = Vec::new();
    while let Some(row) = rows.next()? {
        let raw = Raw::read(row)?;
        let (hash, bytes, state) = raw.change(db)?;
        let (carried, kind, fact) = (false, kind_from(row.get(16)?)?, raw.clear.fact);
        let earlier = fact.map(|fact| names_before(&renamed, fact)).unwrap_or_default();
        let change = OwnChange { carried, ruled: true, kind, hash, bytes, fact, earlier, state };
        own.push((raw.clear.n, change));
    }
    Ok(own)
}

/// The facts that were stated anew as this one, one after the other.
fn names_before(renamed: &BTreeMap<FactId, FactId>, fact: FactId) -> Vec<FactId> {
    let mut before: Vec<FactId> = Vec::new();
    let mut newest = fact;
    while let Some((old, _)) = renamed.iter().find(|(_, new)| **new == newest) {
        before.push(*old);
        newest = *old;
    }
    before
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
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM intent"))?;
    let mut rows = statement.query([])?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let clear = Clear::read(row)?;
        clear.check(db, &row.get::<_, Vec<u8>>(10)?)?;
        *counts.entry(clear.state).or_default() += 1;
    }
    Ok(counts)
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
    stamp(db, n)
}

/// The hub's feed has shown a deed.
pub(crate) fn set_seen(db: Db<'_>, n: i64) -> Result<(), DeviceError> {
    db.execute("UPDATE intent SET seen = 1 WHERE n = ?1", [n])?;
    stamp(db, n)
}

/// Counts one more time that a deed was turned away for its author's number.
pub(crate) fn count_try(db: Db<'_>, n: i64) -> Result<u32, DeviceError> {
    let mut statement =
        db.prepare_cached("UPDATE intent SET tries = tries + 1 WHERE n = ?1 RETURNING tries")?;
    let tries = statement.query_row([n], |row| row.get(0))?;
    stamp(db, n)?;
    Ok(tries)
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
        intents.push(Raw::read(row)?.open(db)?);
    }
    Ok(intents)
}

pub(crate) fn state_from(number: i64) -> Result<OwnState, DeviceError> {
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

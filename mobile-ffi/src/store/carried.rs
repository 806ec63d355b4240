//! Colleagues' changes that this phone carries, with their authors' proofs, and the one order in which
//! they and its own go to the hub.

use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::id::{DeviceId, DocId, FactId, Hash};
use onscene_sync_core::limits::{CARRIED_CHANGES, STATEMENTS};
use onscene_sync_core::sync::device::Queued;
use onscene_sync_core::sync::replica::{OwnChange, OwnState};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::db::{Column, Db};
use super::documents::{self, kind_from};
use super::intents;
use super::mend::copy;
use crate::error::DeviceError;

const CHANGE: Column = Column { table: "carried", name: "change" };
const BODY: Column = Column { table: "statement", name: "body" };
const CERTIFICATE: Column = Column { table: "colleague", name: "certificate" };

/// How many of colleagues' changes this phone carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Not yet at the hub, as far as this phone knows.
    pub waiting: u64,
    /// At the hub.
    pub delivered: u64,
    /// In quarantine at the hub.
    pub refused: u64,
}

/// A colleague's change as it comes in.
#[derive(Debug)]
pub(crate) struct NewCarried<'a> {
    pub(crate) hash: Hash,
    pub(crate) doc: DocId,
    pub(crate) device: DeviceId,
    /// The statement that lists it.
    pub(crate) statement: FactId,
    pub(crate) fact: Option<FactId>,
    /// The guard has let it in.
    pub(crate) ruled: bool,
    pub(crate) change: &'a [u8],
}

/// Keeps a colleague's change.
pub(crate) fn add(db: Db<'_>, new: &NewCarried<'_>) -> Result<(), DeviceError> {
    // The newest is never removed, so no number is used twice.
    let n: i64 = db
        .prepare_cached("SELECT coalesce(max(n), 0) + 1 FROM carried")?
        .query_row([], |row| row.get(0))?;
    db.prepare_cached(
        "INSERT INTO carried (n, hash, doc, device, statement, fact, place, bytes, change, ruled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT coalesce(max(n), 0) FROM intent), ?7, ?8, ?9)",
    )?
    .execute(params![
        n,
        new.hash.as_bytes(),
        new.doc.as_bytes(),
        new.device.as_bytes(),
        new.statement.as_bytes(),
        new.fact.map(|fact| *fact.as_bytes()),
        i64::try_from(new.change.len()).unwrap_or(i64::MAX),
        db.seal(CHANGE, new.hash.as_bytes(), new.change),
        new.ruled
    ])?;
    db.touch(new.doc);
    Ok(())
}

/// Keeps a signed statement, which makes `docs` known to the phone that it was made for; returns its id.
pub(crate) fn add_statement(
    db: Db<'_>,
    bytes: &[u8],
    to: DeviceId,
    docs: &[DocId],
) -> Result<FactId, DeviceError> {
    let id = fact_id(bytes);
    db.prepare_cached("INSERT OR IGNORE INTO statement (id, body) VALUES (?1, ?2)")?
        .execute(params![id.as_bytes(), db.seal(BODY, id.as_bytes(), bytes)])?;
    let mut introduce = db.prepare_cached(
        "INSERT OR IGNORE INTO introduced (doc, receiver, statement) VALUES (?1, ?2, ?3)",
    )?;
    for doc in docs {
        introduce.execute(params![doc.as_bytes(), to.as_bytes(), id.as_bytes()])?;
    }
    Ok(id)
}

/// How many statements are kept.
pub(crate) fn statements(db: Db<'_>) -> Result<u64, DeviceError> {
    let count: i64 =
        db.prepare_cached("SELECT count(*) FROM statement")?.query_row([], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Whether a change is carried, whatever became of it.
pub(crate) fn contains(db: Db<'_>, hash: Hash) -> Result<bool, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM carried WHERE hash = ?1)")?;
    Ok(statement.query_row([hash.as_bytes()], |row| row.get(0))?)
}

/// Sets what became of a carried change; `false` when it is none.
pub(crate) fn set_state(db: Db<'_>, hash: Hash, state: OwnState) -> Result<bool, DeviceError> {
    let mut statement =
        db.prepare_cached("UPDATE carried SET state = ?2 WHERE hash = ?1 RETURNING doc")?;
    let doc = statement.query_row(params![hash.as_bytes(), state as i64], |row| row.get(0));
    let doc = doc.optional()?.map(DocId::from_bytes);
    if let Some(doc) = doc {
        db.touch(doc);
    }
    Ok(doc.is_some())
}

/// What is recorded here builds on everything carried in a document from now on.
pub(crate) fn put_first(db: Db<'_>, doc: DocId) -> Result<(), DeviceError> {
    db.prepare_cached("UPDATE carried SET place = 0 WHERE doc = ?1")?.execute([doc.as_bytes()])?;
    Ok(())
}

/// Everything of a document that is not the hub's: this phone's changes and those it carries, each
/// after what it may build on.
pub(crate) fn beside(db: Db<'_>, doc: DocId) -> Result<Vec<OwnChange>, DeviceError> {
    let mut beside = intents::own(db, doc)?;
    let mut statement = db.prepare_cached(
        "SELECT place, kind, hash, change, fact, state, ruled FROM carried JOIN doc ON doc.doc = carried.doc
         WHERE carried.doc = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([doc.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let hash: [u8; 32] = row.get(2)?;
        let change = OwnChange {
            carried: true,
            ruled: row.get(6)?,
            kind: kind_from(row.get(1)?)?,
            hash: Hash::from_bytes(hash),
            bytes: db.open(CHANGE, &hash, &row.get::<_, Vec<u8>>(3)?)?,
            fact: row.get::<_, Option<[u8; 16]>>(4)?.map(FactId::from_bytes),
            earlier: Vec::new(),
            state: intents::state_from(row.get(5)?)?,
        };
        beside.push((row.get(0)?, change));
    }
    // What was carried after a record comes behind it.
    beside.sort_by_key(|(place, change)| (*place, change.carried));
    Ok(beside.into_iter().map(|(_, change)| change).collect())
}

/// The bytes of the colleagues' changes of a document that wait for the hub, and whether the guard has
/// let them in.
pub(crate) fn waiting(db: Db<'_>, doc: DocId) -> Result<Vec<(bool, Vec<u8>)>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT hash, change, ruled FROM carried WHERE doc = ?1 AND state = 0 ORDER BY n",
    )?;
    let mut rows = statement.query([doc.as_bytes()])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let hash: [u8; 32] = row.get(0)?;
        waiting.push((row.get(2)?, db.open(CHANGE, &hash, &row.get::<_, Vec<u8>>(1)?)?));
    }
    Ok(waiting)
}

/// The changes to push, each after what it may build on: the first `max`.
pub(crate) fn queue(db: Db<'_>, max: usize) -> Result<Vec<Queued>, DeviceError> {
    let mut queue = intents::queue(db, max)?;
    let mut statement = db.prepare_cached(
        "SELECT place, carried.doc, kind, hash, change, statement, carried.device FROM carried
         JOIN doc ON doc.doc = carried.doc
         WHERE state = 0 AND wanted = 0 ORDER BY place, n LIMIT ?1",
    )?;
    let mut rows = statement.query([i64::try_from(max).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let hash: [u8; 32] = row.get(3)?;
        let queued = Queued {
            doc: DocId::from_bytes(row.get(1)?),
            kind: kind_from(row.get(2)?)?,
            hash: Hash::from_bytes(hash),
            bytes: db.open(CHANGE, &hash, &row.get::<_, Vec<u8>>(4)?)?,
            proofs: vec![statement_body(db, row.get(5)?)?],
        };
        queue.push((row.get(0)?, true, queued));
    }
    queue.sort_by_key(|(place, carried, _)| (*place, *carried));
    queue.truncate(max);
    let mut ready = Vec::with_capacity(queue.len());
    for (_, carried, mut change) in queue {
        if carried || !is_member(db, change.doc)? {
            let introductions = introductions(db, change.doc)?;
            change.proofs.extend(introductions.into_iter().take(STATEMENTS - 1));
        }
        ready.push(change);
    }
    Ok(ready)
}

/// Whether the hub has shown a document to this phone in a bucket that it follows.
fn is_member(db: Db<'_>, doc: DocId) -> Result<bool, DeviceError> {
    let mut statement = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM member WHERE doc = ?1)")?;
    Ok(statement.query_row([doc.as_bytes()], |row| row.get(0))?)
}

/// The statements that made a document known, to this phone and others.
pub(crate) fn introductions(db: Db<'_>, doc: DocId) -> Result<Vec<Vec<u8>>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT statement FROM introduced WHERE doc = ?1 ORDER BY statement",
    )?;
    let ids = statement.query_map([doc.as_bytes()], |row| row.get(0))?;
    let ids = ids.collect::<Result<Vec<[u8; 16]>, _>>()?;
    ids.into_iter().map(|id| statement_body(db, id)).collect()
}

fn statement_body(db: Db<'_>, id: [u8; 16]) -> Result<Vec<u8>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT body FROM statement WHERE id = ?1")?;
    let body: Vec<u8> = statement.query_row([id], |row| row.get(0))?;
    db.open(BODY, &id, &body)
}

/// The author of a carried change and the statement that lists it.
pub(crate) fn proof(db: Db<'_>, hash: Hash) -> Result<Option<(DeviceId, Vec<u8>)>, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT device, statement FROM carried WHERE hash = ?1")?;
    let found: Option<([u8; 8], [u8; 16])> =
        statement.query_row([hash.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((device, id)) = found else { return Ok(None) };
    Ok(Some((DeviceId::from_bytes(device), statement_body(db, id)?)))
}

/// The documents in which something waits for the hub.
pub(crate) fn waiting_docs(db: Db<'_>) -> Result<Vec<DocId>, DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT doc FROM intent WHERE state = 0 UNION SELECT doc FROM carried WHERE state = 0",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.map(|doc| doc.map(DocId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Whether anything carried waits to be pushed.
pub(crate) fn any_waiting(db: Db<'_>) -> Result<bool, DeviceError> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM carried WHERE state = 0)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Changes carried and their bytes, those not answered for by the hub.
pub(crate) fn load(db: Db<'_>) -> Result<(u64, u64), DeviceError> {
    let mut statement = db.prepare_cached(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM carried WHERE state IN (0, 1)",
    )?;
    let load: (i64, i64) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((load.0.cast_unsigned(), load.1.cast_unsigned()))
}

/// Hashes of the changes carried, the newest `max`.
pub(crate) fn newest(db: Db<'_>, max: usize) -> Result<Vec<Hash>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT hash FROM carried ORDER BY n DESC LIMIT ?1")?;
    let rows = statement.query_map([i64::try_from(max).unwrap_or(i64::MAX)], |row| row.get(0))?;
    Ok(rows.map(|hash| hash.map(Hash::from_bytes)).collect::<Result<_, _>>()?)
}

/// How many are in each state.
pub(crate) fn counts(db: Db<'_>) -> Result<Carried, DeviceError> {
    let mut statement = db.prepare_cached("SELECT state, count(*) FROM carried GROUP BY state")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let mut counts = Carried::default();
    for row in rows {
        let (state, count) = row?;
        let place = match intents::state_from(state)? {
            OwnState::Waiting | OwnState::Held => &mut counts.waiting,
            OwnState::Delivered => &mut counts.delivered,
            OwnState::Refused => &mut counts.refused,
        };
        *place += count.cast_unsigned();
    }
    Ok(counts)
}

/// Keeps the certificate of a colleague.
pub(crate) fn set_certificate(
    db: Db<'_>,
    device: DeviceId,
    certificate: &[u8],
) -> Result<(), DeviceError> {
    db.prepare_cached(
        "INSERT INTO colleague (device, certificate) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET certificate = excluded.certificate",
    )?
    .execute(params![device.as_bytes(), db.seal(CERTIFICATE, device.as_bytes(), certificate)])?;
    Ok(())
}

/// The certificate of a colleague.
pub(crate) fn certificate(db: Db<'_>, device: DeviceId) -> Result<Option<Vec<u8>>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT certificate FROM colleague WHERE device = ?1")?;
    let sealed: Option<Vec<u8>> =
        statement.query_row([device.as_bytes()], |row| row.get(0)).optional()?;
    sealed.map(|sealed| db.open(CERTIFICATE, device.as_bytes(), &sealed)).transpose()
}

/// Puts what is whole of `old` into an empty store that has the documents already.
pub(super) fn mend(old: Db<'_>, new: Db<'_>) {
    let opens = |row: &Row<'_>, column: Column| {
        let (key, sealed) = (row.get::<_, Vec<u8>>(0), row.get::<_, Vec<u8>>(1));
        matches!((key, sealed), (Ok(key), Ok(sealed)) if old.open(column, &key, &sealed).is_ok())
    };
    let stated = |row: &Row<'_>, at: usize| {
        let id = row.get::<_, [u8; 16]>(at);
        id.is_ok_and(|id| statement_body(new, id).is_ok())
    };
    copy(old, new, "colleague", &["device", "certificate"], |row| opens(row, CERTIFICATE));
    copy(old, new, "statement", &["id", "body"], |row| opens(row, BODY));
    copy(old, new, "introduced", &["doc", "receiver", "statement"], |row| stated(row, 2));
    const COLUMNS: &[&str] = &[
        "hash",
        "change",
        "n",
        "doc",
        "device",
        "statement",
        "fact",
        "place",
        "bytes",
        "state",
        "ruled",
    ];
    copy(old, new, "carried", COLUMNS, |row| {
        let known = row.get(3).map(|doc| documents::row(new, DocId::from_bytes(doc)));
        opens(row, CHANGE) && stated(row, 5) && matches!(known, Ok(Ok(Some(_))))
    });
}

/// Forgets what the hub has had for long, and proofs that prove nothing any more.
pub(crate) fn sweep(db: Db<'_>) -> Result<(), DeviceError> {
    let kept = i64::try_from(CARRIED_CHANGES).unwrap_or(i64::MAX);
    let gone = db
        .prepare_cached(
            "DELETE FROM carried WHERE state IN (2, 3) AND n <= (SELECT max(n) FROM carried) - ?1",
        )?
        .execute([kept])?;
    if gone > 0 {
        db.execute_batch(
            "DELETE FROM introduced WHERE doc NOT IN (SELECT doc FROM carried)
                AND doc IN (SELECT doc FROM member);
             DELETE FROM statement WHERE id NOT IN (SELECT statement FROM carried)
                AND id NOT IN (SELECT statement FROM introduced);",
        )?;
    }
    Ok(())
}

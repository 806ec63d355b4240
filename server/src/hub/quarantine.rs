//! What phones sent and the hub did not let in: kept whole, for a person to look at.

use std::collections::BTreeMap;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::{DeviceId, DocId, Hash, PersonId};
use onscene_sync_core::sync::message::{Refusal, RefusalCode};
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::HubError;
use super::sql::{inconsistent, kind_code, kind_of};
use crate::audit::{self, Deed, Entry};
use crate::auth::{SWEEP, Sweep};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Refused changes of one device that may wait for a person.
pub const WAITING_CHANGES: u64 = 2_000;
/// Bytes of refused changes of one device that may wait for a person.
pub const WAITING_BYTES: u64 = 16 * 1024 * 1024;

/// A change that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its place in the request.
    pub(crate) place: usize,
    /// The phone that wrote it, or that handed in what bears no proof of another.
    pub(crate) device: DeviceId,
    /// The installation that wrote it, if it says so.
    pub(crate) install: Option<u32>,
    pub(crate) doc: DocId,
    pub(crate) kind: DocKind,
    /// SHA-256 of the bytes, which need not be a change.
    pub(crate) hash: Hash,
    pub(crate) body: Vec<u8>,
    pub(crate) refusal: Refusal,
}

/// Keeps what `carrier` handed in and was refused; what is kept already stays as it is and takes no
/// room. What it carried for others has a room of its own, so that colleagues cannot fill a phone's:
/// returns the places in the request of those for which it has no place now.
///
/// # Errors
/// [`HubError::QuarantineFull`] when too much of the phone's own waits already, and the database's.
pub(crate) async fn keep(
    tx: &mut Tx,
    carrier: DeviceId,
    install: u32,
    refused: &[Refused],
    now: Millis,
) -> Result<Vec<usize>, HubError> {
    let (own, carried): (Vec<_>, Vec<_>) =
        refused.iter().cloned().partition(|refused| refused.device == carrier);
    let mut held_back = Vec::new();
    if overflow(tx, carrier, &carried).await?.is_none() {
        insert(tx, carrier, install, &carried, now).await?;
    } else {
        let fresh = not_kept(tx, &carried).await?;
        held_back.extend(fresh.into_iter().map(|refused| refused.place));
    }
    if let Some(waiting) = overflow(tx, carrier, &own).await? {
        return Err(HubError::QuarantineFull { waiting });
    }
    insert(tx, carrier, install, &own, now).await?;
    Ok(held_back)
}

/// How many wait in the room of these refused changes, if it has no place for them.
async fn overflow(
    tx: &mut Tx,
    carrier: DeviceId,
    refused: &[Refused],
) -> Result<Option<u64>, StoreError> {
    let Some(first) = refused.first() else { return Ok(None) };
    let (waiting, bytes) = waiting(tx, carrier, first.device != carrier).await?;
    let is_full = |more: &[Refused]| {
        let size: usize = more.iter().map(|refused| refused.body.len()).sum();
        waiting + more.len() as u64 > WAITING_CHANGES || bytes + size as u64 > WAITING_BYTES
    };
    let full = is_full(refused) && is_full(&not_kept(tx, refused).await?);
    Ok(full.then_some(waiting))
}

async fn insert(
    tx: &mut Tx,
    carrier: DeviceId,
    install: u32,
    refused: &[Refused],
    now: Millis,
) -> Result<(), StoreError> {
    const HEAD: &str = "INSERT INTO quarantine \
         (hash, doc_id, kind, body, code, detail, device, install, received_at, carrier)";
    if refused.is_empty() {
        return Ok(());
    }
    let kept = insert_many(tx, HEAD, 10, refused, "ON CONFLICT DO NOTHING", |query, refused| {
        query
            .bind(&refused.hash.as_bytes()[..])
            .bind(&refused.doc.as_bytes()[..])
            .bind(kind_code(refused.kind))
            .bind(&refused.body[..])
            .bind(code_name(refused.refusal.code))
            .bind(&refused.refusal.detail[..])
            .bind(refused.device.as_bytes().to_vec())
            .bind(i64::from(refused.install.unwrap_or(install)))
            .bind(now.0)
            .bind((refused.device != carrier).then(|| carrier.as_bytes().to_vec()))
    })
    .await?;
    if kept > 0 {
        audit::note(tx, &entries(refused, now)).await?;
    }
    Ok(())
}

/// What the audit log says of refused changes: an entry for each document and author.
fn entries(refused: &[Refused], now: Millis) -> Vec<Entry> {
    let mut of: BTreeMap<(DocId, DeviceId), Vec<&Hash>> = BTreeMap::new();
    for refused in refused {
        of.entry((refused.doc, refused.device)).or_default().push(&refused.hash);
    }
    let entry = |((doc, device), hashes): ((DocId, DeviceId), Vec<&Hash>)| {
        let entry = Entry::new(Deed::ChangesRefused, now).device(device);
        entry.to(doc.as_bytes()).hashes(hashes)
    };
    of.into_iter().map(entry).collect()
}

/// Those of `refused` that are not kept yet.
async fn not_kept(tx: &mut Tx, refused: &[Refused]) -> Result<Vec<Refused>, StoreError> {
    const SQL: &str =
        "SELECT 1 AS one FROM quarantine WHERE device = $1 AND doc_id = $2 AND hash = $3";
    let mut fresh = Vec::new();
    for refused in refused {
        let query = sqlx::query(SQL).bind(&refused.device.as_bytes()[..]);
        let query = query.bind(&refused.doc.as_bytes()[..]).bind(&refused.hash.as_bytes()[..]);
        if query.fetch_optional(tx.conn()).await?.is_none() {
            fresh.push(refused.clone());
        }
    }
    Ok(fresh)
}

async fn waiting(tx: &mut Tx, carrier: DeviceId, carried: bool) -> Result<(u64, u64), StoreError> {
    let whose = if carried { "carrier = $1" } else { "device = $1 AND carrier IS NULL" };
    let sql = format!(
        "SELECT count(*) AS changes, CAST(COALESCE(sum(length(body)), 0) AS BIGINT) AS bytes \
         FROM quarantine WHERE settled_at IS NULL AND {whose}"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&carrier.as_bytes()[..]);
    let row = query.fetch_one(tx.conn()).await?;
    Ok((row.number("changes")?, row.number("bytes")?))
}

/// What a supervisor decides about a refused change. Its bytes stay in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It is of no consequence.
    Dismissed,
    /// It is on record and matters: for example it has been entered by hand elsewhere.
    Noted,
}

impl Settlement {
    const fn name(self) -> &'static str {
        match self {
            Self::Dismissed => "dismissed",
            Self::Noted => "noted",
        }
    }
}

/// A row of the list of refused changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    pub id: i64,
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// The document it was for.
    pub doc: DocId,
    /// That document's kind, as the phone named it.
    pub kind: DocKind,
    /// The phone that wrote it.
    pub device: DeviceId,
    /// The colleague's phone that handed it in, if one did.
    pub carrier: Option<DeviceId>,
    /// Whose phone that is.
    pub person: PersonId,
    /// Which installation.
    pub install: u32,
    /// Why it was refused.
    pub code: RefusalCode,
    /// The same in words.
    pub detail: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it arrived.
    pub received_at: Millis,
    /// What was decided, with who, when and why.
    pub settled: Option<Settled>,
}

/// A decision on a refused change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What.
    pub ruling: Settlement,
    /// The written reason.
    pub reason: String,
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Millis,
}

const COLUMNS: &str = "SELECT q.id AS id, q.hash AS hash, q.doc_id AS doc_id, q.kind AS kind, \
     q.device AS device, q.carrier AS carrier, q.install AS install, q.code AS code, q.detail AS detail, \
     CAST(length(q.body) AS BIGINT) AS bytes, q.received_at AS received_at, \
     q.settled_at AS settled_at, q.settled_by AS settled_by, q.ruling AS ruling, \
     q.settled_note AS settled_note, d.person_id AS person_id \
     FROM quarantine q JOIN device d ON d.device = q.device \
     JOIN person p ON p.person_id = d.person_id \
     WHERE p.unit_id IN (SELECT unit_id FROM sweep)";

/// Refused changes of phones in the units of `sweep`, those before number `before`, newest first,
/// at most `limit`; only those that wait, or all.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    sweep: &Sweep,
    waiting_only: bool,
    before: i64,
    limit: i64,
) -> Result<Vec<Item>, StoreError> {
    let open = if waiting_only { "AND q.settled_at IS NULL" } else { "" };
    let sql = format!("{SWEEP} {COLUMNS} AND q.id < $4 {open} ORDER BY q.id DESC LIMIT $5");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(sweep.everything))
        .bind(&sweep.unit.as_bytes()[..])
        .bind(i64::from(sweep.below))
        .bind(before)
        .bind(limit);
    query.fetch_all(tx.conn()).await?.iter().map(item).collect()
}

/// One refused change of a phone in the units of `sweep`.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, sweep: &Sweep, id: i64) -> Result<Option<Item>, StoreError> {
    let sql = format!("{SWEEP} {COLUMNS} AND q.id = $4");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(sweep.everything))
        .bind(&sweep.unit.as_bytes()[..])
        .bind(i64::from(sweep.below))
        .bind(id);
    query.fetch_optional(tx.conn()).await?.as_ref().map(item).transpose()
}

/// The bytes of one refused change.
///
/// # Errors
/// When the database refuses.
pub async fn body(tx: &mut Tx, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
    const SQL: &str = "SELECT body FROM quarantine WHERE id = $1";
    let row = sqlx::query(SQL).bind(id).fetch_optional(tx.conn()).await?;
    row.map(|row| row.bytes("body")).transpose()
}

/// Settles a refused change that waits; `false` when it does not.
///
/// # Errors
/// When the database refuses.
pub async fn settle(tx: &mut Tx, id: i64, settled: &Settled) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE quarantine SET settled_at = $2, settled_by = $3, ruling = $4, \
         settled_note = $5 WHERE id = $1 AND settled_at IS NULL";
    let query = sqlx::query(SQL).bind(id).bind(settled.at.0).bind(&settled.by.as_bytes()[..]);
    let query = query.bind(settled.ruling.name()).bind(&settled.reason[..]);
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

fn item(row: &AnyRow) -> Result<Item, StoreError> {
    Ok(Item {
        id: row.int("id")?,
        hash: Hash::from_bytes(row.array("hash")?),
        doc: DocId::from_bytes(row.array("doc_id")?),
        kind: kind_of(row.int("kind")?)?,
        device: DeviceId::from_bytes(row.array("device")?),
        carrier: row.opt_array("carrier")?.map(DeviceId::from_bytes),
        person: PersonId::from_bytes(row.array("person_id")?),
        install: row.number("install")?,
        code: named(&row.text("code")?, "code")?,
        detail: row.text("detail")?,
        bytes: row.number("bytes")?,
        received_at: row.millis("received_at")?,
        settled: settled_of(row)?,
    })
}

fn settled_of(row: &AnyRow) -> Result<Option<Settled>, StoreError> {
    let Some(at) = row.opt_millis("settled_at")? else { return Ok(None) };
    Ok(Some(Settled {
        ruling: named(&row.text("ruling")?, "ruling")?,
        reason: row.text("settled_note")?,
        by: PersonId::from_bytes(row.array("settled_by")?),
        at,
    }))
}

/// Reads a name as JSON spells it.
fn named<T: for<'de> Deserialize<'de>>(name: &str, column: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|_| inconsistent(column, name.to_owned(), "a name that this program writes"))
}

fn code_name(code: RefusalCode) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("a unit variant's JSON is its name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_their_names() {
        assert_eq!(code_name(RefusalCode::OutOfScope), "out_of_scope");
        assert_eq!(named::<RefusalCode>("out_of_scope", "code").unwrap(), RefusalCode::OutOfScope);
        assert!(named::<RefusalCode>("nonsense", "code").is_err());
        assert_eq!(
            named::<Settlement>(Settlement::Noted.name(), "ruling").unwrap(),
            Settlement::Noted
        );
    }
}

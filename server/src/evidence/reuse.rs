//! The same file, or nearly the same photo, on another case: a flag for a supervisor.
//!
//! Photos of one case are not compared with each other: before and after look alike, and a file may
//! be recorded twice. A flag stands on the file that came later.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::{DocId, FactId, Hash, PersonId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::auth::Sweep;
use crate::picture::likeness::{BANDS, Likeness, RADIUS};
use crate::store::{RowExt as _, StoreError, Tx};

/// Flags that one file raises at most; nearest first.
const FLAGS: usize = 20;
/// Photos of one likeness band that are looked at.
const CANDIDATES: i64 = 5_000;

/// The case that a file belongs to; a patrol's visit stands for itself.
const OWNER: &str = "COALESCE(o.case_id, e.doc_id)";

/// Compares the file of `fact` with those of other cases; returns how many flags that raised. Also with
/// those that came after it: what a photo shows may be found out late.
///
/// # Errors
/// When the database refuses.
pub(super) async fn compare(tx: &mut Tx, fact: FactId, now: Millis) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT {OWNER} AS owner, e.doc_id, e.sha256, e.stored_at, p.likeness FROM evidence e \
         LEFT JOIN dispatch_order o ON o.inspection = e.doc_id \
         LEFT JOIN picture p ON p.sha256 = e.sha256 \
         WHERE e.fact_id = $1 AND e.stored_at IS NOT NULL AND e.erased_at IS NULL"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&fact.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(0) };
    let this = File {
        fact,
        doc: DocId::from_bytes(row.array("doc_id")?),
        owner: row.bytes("owner")?,
        stored_at: row.millis("stored_at")?,
    };
    let own = Hash::from_bytes(row.array("sha256")?);
    let mut near = BTreeMap::from([(own, None)]);
    if let Some(likeness) = row.opt_array("likeness")?.map(u64::from_be_bytes).map(Likeness) {
        for (hash, distance) in alike(tx, likeness).await? {
            near.entry(hash).or_insert(Some(distance));
        }
    }
    let mut found = Vec::new();
    for (hash, distance) in near {
        found.extend(others(tx, &this, hash).await?.into_iter().map(|other| (distance, other)));
    }
    found.sort_by_key(|(distance, other)| (*distance, other.fact));
    found.truncate(FLAGS);
    let mut raised = 0;
    for (distance, other) in found {
        let mut pair = [&this, &other];
        pair.sort_by_key(|file| (file.stored_at, file.fact));
        raised += raise(tx, pair, distance, now).await?;
    }
    Ok(raised)
}

struct File {
    fact: FactId,
    doc: DocId,
    owner: Vec<u8>,
    stored_at: Millis,
}

/// Photos within [`RADIUS`] of a likeness: those that share a band but for one bit, then counted out.
async fn alike(tx: &mut Tx, likeness: Likeness) -> Result<BTreeMap<Hash, u32>, StoreError> {
    let mut found = BTreeMap::new();
    for band in 0..BANDS {
        let values: BTreeSet<i64> = likeness.probes(band).collect();
        let names: Vec<_> = (3..3 + values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT p.sha256, p.likeness FROM picture_band b JOIN picture p ON p.sha256 = b.sha256 \
             WHERE b.band = $1 AND b.value IN ({}) LIMIT $2",
            names.join(", ")
        );
        let mut query =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(i64::from(band)).bind(CANDIDATES);
        for value in values {
            query = query.bind(value);
        }
        for row in query.fetch_all(tx.conn()).await? {
            let Some(other) = row.opt_array("likeness")?.map(u64::from_be_bytes) else { continue };
            let distance = likeness.distance(Likeness(other));
            if distance <= RADIUS {
                found.insert(Hash::from_bytes(row.array("sha256")?), distance);
            }
        }
    }
    Ok(found)
}

/// Files of other cases with these bytes.
async fn others(tx: &mut Tx, this: &File, hash: Hash) -> Result<Vec<File>, StoreError> {
    let sql = format!(
        "SELECT {OWNER} AS owner, e.fact_id, e.doc_id, e.stored_at FROM evidence e \
         LEFT JOIN dispatch_order o ON o.inspection = e.doc_id \
         WHERE e.sha256 = $1 AND e.stored_at IS NOT NULL AND e.erased_at IS NULL AND {OWNER} <> $2 \
         ORDER BY e.stored_at LIMIT $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&hash.as_bytes()[..])
        .bind(&this.owner[..])
        .bind(i64::try_from(FLAGS).unwrap_or(i64::MAX))
        .fetch_all(tx.conn())
        .await?;
    let file = |row: &AnyRow| {
        Ok(File {
            fact: FactId::from_bytes(row.array("fact_id")?),
            doc: DocId::from_bytes(row.array("doc_id")?),
            owner: row.bytes("owner")?,
            stored_at: row.millis("stored_at")?,
        })
    };
    rows.iter().map(file).collect()
}

async fn raise(
    tx: &mut Tx,
    [earlier, later]: [&File; 2],
    distance: Option<u32>,
    now: Millis,
) -> Result<u64, StoreError> {
    let raised = sqlx::query(
        "INSERT INTO reuse (fact_id, doc_id, earlier_fact, earlier_doc, distance, raised_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (fact_id, earlier_fact) DO NOTHING",
    )
    .bind(&later.fact.as_bytes()[..])
    .bind(&later.doc.as_bytes()[..])
    .bind(&earlier.fact.as_bytes()[..])
    .bind(&earlier.doc.as_bytes()[..])
    .bind(distance.map(i64::from))
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(raised.rows_affected())
}

/// What a supervisor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The photo was used again.
    Reused,
    /// It only looks alike, or there is a good reason.
    Harmless,
}

/// A flag. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReuseFlag")]
pub struct Flag {
    /// Its number.
    pub id: i64,
    /// The file that came later.
    pub fact: FactId,
    /// The visit that it was recorded in.
    pub visit: DocId,
    /// The file that came before.
    pub earlier: FactId,
    /// Its visit.
    pub earlier_visit: DocId,
    /// Of 64 bits of what they show, those that differ; `None`: it is the same file.
    pub distance: Option<u32>,
    /// When it was raised.
    pub raised_at: Millis,
    /// When it was settled.
    pub settled_at: Option<Millis>,
    /// By whom.
    pub settled_by: Option<PersonId>,
    /// As what.
    pub finding: Option<Finding>,
    /// Why.
    pub reason: Option<String>,
}

const COLUMNS: &str = "r.id, r.fact_id, r.doc_id, r.earlier_fact, r.earlier_doc, r.distance, \
     r.raised_at, r.settled_at, r.settled_by, r.ruling, r.settled_note";

fn read(row: &AnyRow) -> Result<Flag, StoreError> {
    let finding = match row.opt_text("ruling")?.as_deref() {
        Some("reused") => Some(Finding::Reused),
        Some(_) => Some(Finding::Harmless),
        None => None,
    };
    Ok(Flag {
        id: row.int("id")?,
        fact: FactId::from_bytes(row.array("fact_id")?),
        visit: DocId::from_bytes(row.array("doc_id")?),
        earlier: FactId::from_bytes(row.array("earlier_fact")?),
        earlier_visit: DocId::from_bytes(row.array("earlier_doc")?),
        distance: row.opt_int("distance")?.and_then(|distance| u32::try_from(distance).ok()),
        raised_at: row.millis("raised_at")?,
        settled_at: row.opt_millis("settled_at")?,
        settled_by: row.opt_array("settled_by")?.map(PersonId::from_bytes),
        finding,
        reason: row.opt_text("settled_note")?,
    })
}

/// At most `limit` flags of the units that `sweep` goes through, newest first; those settled too if
/// `all`.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    sweep: &Sweep,
    all: bool,
    before: i64,
    limit: u32,
) -> Result<Vec<Flag>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM reuse r \
         LEFT JOIN dispatch_order o ON o.inspection = r.doc_id \
         LEFT JOIN evidence e ON e.fact_id = r.fact_id \
         LEFT JOIN device d ON d.device = e.device \
         LEFT JOIN person p ON p.person_id = d.person_id \
         WHERE COALESCE(o.unit_id, p.unit_id) IN (SELECT unit_id FROM sweep) \
         AND ($4 = 1 OR r.settled_at IS NULL) AND r.id < $5 ORDER BY r.id DESC LIMIT $6"
    );
    let rows = sweep
        .query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(all))
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(read).collect()
}

/// A flag and the unit whose it is.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: i64) -> Result<Option<(Flag, Option<UnitId>)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, COALESCE(o.unit_id, p.unit_id) AS unit_id FROM reuse r \
         LEFT JOIN dispatch_order o ON o.inspection = r.doc_id \
         LEFT JOIN evidence e ON e.fact_id = r.fact_id \
         LEFT JOIN device d ON d.device = e.device \
         LEFT JOIN person p ON p.person_id = d.person_id WHERE r.id = $1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(tx.conn()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((read(&row)?, row.opt_array("unit_id")?.map(UnitId::from_bytes))))
}

/// Flags on files of a visit, and on later files that are like one of them.
///
/// # Errors
/// When the database refuses.
pub async fn of_visit(tx: &mut Tx, visit: DocId) -> Result<Vec<Flag>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM reuse r WHERE r.doc_id = $1 ORDER BY r.id");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&visit.as_bytes()[..]);
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

/// Settles a flag; `false` when it was settled before.
///
/// # Errors
/// When the database refuses.
pub async fn settle(
    tx: &mut Tx,
    id: i64,
    finding: Finding,
    reason: &str,
    by: PersonId,
    at: Millis,
) -> Result<bool, StoreError> {
    let ruling = match finding {
        Finding::Reused => "reused",
        Finding::Harmless => "harmless",
    };
    let settled = sqlx::query(
        "UPDATE reuse SET settled_at = $2, settled_by = $3, ruling = $4, settled_note = $5 \
         WHERE id = $1 AND settled_at IS NULL",
    )
    .bind(id)
    .bind(at.0)
    .bind(&by.as_bytes()[..])
    .bind(ruling)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(settled.rows_affected() == 1)
}

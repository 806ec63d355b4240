//! What the hub holds around a phone's fact: between which moments of its own clock the fact came
//! to be, and what stands out about its author.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{AnchorRef, Body, DeviceAuthor, envelope};
use onscene_sync_core::id::{BootId, DocId, FactId};
use onscene_sync_core::rules::arrival::{Flag, KnownAnchor};
use onscene_sync_core::time::Millis;

use super::CaseError;
use crate::auth::nonce::OLDEST_REQUEST_MS;
use crate::hub::documents;
use crate::store::{RowExt as _, StoreError, Tx};

/// Facts after the claim among which a chain end that covers it is looked for.
const COVERING: i64 = 512;
/// Facts before the claim among which its newest anchor is looked for.
const ANCESTRY: i64 = 32;
/// Anchors that the rule is given: those of the claim's boot first, of each boot the newest.
const ANCHORS: i64 = 500;

/// See [`around`].
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    /// Anchors whose receipt on the phone's clock is known.
    pub anchors: Vec<KnownAnchor>,
    /// The hub's first sight of a chain end that covers the fact.
    pub not_after: Millis,
    /// The fact was signed after this: the newest anchor in its ancestry, or the newest request that
    /// named a chain end before it.
    pub anchored_at: Option<Millis>,
    /// What the hub found out about the fact and its author.
    pub flags: BTreeSet<Flag>,
}

/// The inspection document `id`.
///
/// # Errors
/// [`CaseError::UnknownCase`] when there is no such document or it is not a visit.
pub async fn document(tx: &mut Tx, id: DocId) -> Result<Document, CaseError> {
    let rows = documents::rows(tx, [id], false).await?;
    let row = rows.get(&id).filter(|row| row.kind != DocKind::Case);
    let row = row.ok_or(CaseError::UnknownCase(id))?;
    Ok(documents::load(tx, row).await?)
}

/// A phone's fact in a document.
///
/// # Errors
/// When it is not there or not a phone's.
pub fn device_fact(document: &Document, id: FactId) -> Result<(DeviceAuthor, Body), CaseError> {
    let missing = |why: &str| CaseError::Broken(format!("fact {id} of {}: {why}", document.id()));
    let bytes = document.fact(&id).ok_or_else(|| missing("it is not there"))?;
    let fact = envelope::read(&bytes).map_err(|error| missing(&error.to_string()))?;
    let author = fact.device().cloned().ok_or_else(|| missing("it is not a phone's"))?;
    Ok((author, fact.body))
}

/// When the hub first knew of a fact: a chain end that covers it, or the fact itself.
///
/// # Errors
/// When the fact was never admitted.
pub async fn first_seen(
    tx: &mut Tx,
    author: &DeviceAuthor,
    fact: FactId,
) -> Result<Millis, CaseError> {
    let received = received_at(tx, fact).await?;
    let covering = covering(tx, author, fact).await?;
    let Some(last) = covering.last_key_value().map(|(seq, _)| *seq) else { return Ok(received) };
    let heads = sqlx::query(
        "SELECT seq, fact, seen_at FROM device_head \
         WHERE device = $1 AND install = $2 AND seq >= $3 AND seq <= $4",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(seq_of(author))
    .bind(last)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let mut first = received;
    for head in heads {
        let named = head.opt_array("fact")?.map(FactId::from_bytes);
        if named.is_some() && named == covering.get(&head.int("seq")?).copied() {
            first = first.min(head.millis("seen_at")?);
        }
    }
    Ok(first)
}

/// When a fact was admitted.
///
/// # Errors
/// When it never was.
pub async fn received_at(tx: &mut Tx, fact: FactId) -> Result<Millis, CaseError> {
    let row = sqlx::query("SELECT received_at FROM fact WHERE fact_id = $1")
        .bind(&fact.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let row = row.ok_or_else(|| CaseError::Broken(format!("fact {fact} was never admitted")))?;
    Ok(row.millis("received_at")?)
}

/// Everything the hub holds around the fact `id` of `document`, whose claim was made in `boot`.
///
/// # Errors
/// When the fact was never admitted, and the database's.
pub async fn around(
    tx: &mut Tx,
    document: &Document,
    id: FactId,
    author: &DeviceAuthor,
    boot: BootId,
) -> Result<Around, CaseError> {
    let received = received_at(tx, id).await?;
    let not_after = first_seen(tx, author, id).await?;
    let newest = newest_reference(tx, document, author).await?;
    let mut flags = BTreeSet::new();
    if author.restates.is_some() {
        flags.insert(Flag::Restated);
    }
    if facts_before(tx, author).await? != seq_of(author) - 1 {
        flags.insert(Flag::ChainGap);
    }
    if forked(tx, author, received).await? {
        flags.insert(Flag::ChainFork);
    }
    if revoked(tx, author, received).await? {
        flags.insert(Flag::Revoked);
    }
    let hidden = hidden_anchor(tx, author, newest.map_or(0, |newest| newest.0), not_after).await?;
    if hidden.is_some() {
        flags.insert(Flag::HiddenAnchor);
    }
    Ok(Around {
        anchors: anchors_of(tx, author, boot).await?,
        not_after,
        anchored_at: newest
            .map(|newest| newest.1)
            .max(hidden.map(|at| at.plus(-OLDEST_REQUEST_MS))),
        flags,
    })
}

/// The admitted facts from this one on, as far as each names the one before it.
async fn covering(
    tx: &mut Tx,
    author: &DeviceAuthor,
    fact: FactId,
) -> Result<BTreeMap<i64, FactId>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, fact_id, prev FROM fact WHERE device = $1 AND install = $2 AND seq >= $3 \
         ORDER BY seq LIMIT $4",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(seq_of(author))
    .bind(COVERING)
    .fetch_all(tx.conn())
    .await?;
    let mut chain = BTreeMap::new();
    let mut end: Option<(i64, FactId)> = None;
    for row in rows {
        let (seq, id) = (row.int("seq")?, FactId::from_bytes(row.array("fact_id")?));
        let prev = row.opt_array("prev")?.map(FactId::from_bytes);
        let follows = match end {
            None => id == fact,
            Some((last, before)) => seq == last + 1 && prev == Some(before),
        };
        if !follows {
            break;
        }
        chain.insert(seq, id);
        end = Some((seq, id));
    }
    Ok(chain)
}

async fn facts_before(tx: &mut Tx, author: &DeviceAuthor) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS n FROM fact WHERE device = $1 AND install = $2 AND seq < $3",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(seq_of(author))
    .fetch_one(tx.conn())
    .await?;
    row.int("n")
}

/// Whether a fork of the chain had shown by `then`. A phone that is restored from a backup later
/// forks what was whole when the fact came.
async fn forked(tx: &mut Tx, author: &DeviceAuthor, then: Millis) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS n FROM quarantine \
         WHERE device = $1 AND install = $2 AND code = 'equivocation' AND received_at <= $3",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(then.0)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.int("n")? > 0)
}

/// Whether the phone was revoked by `then`: what it delivered before that stands.
async fn revoked(tx: &mut Tx, author: &DeviceAuthor, then: Millis) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT revoked_at FROM device WHERE device = $1")
        .bind(&author.device.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.map_or(Ok(false), |row| Ok(row.opt_int("revoked_at")?.is_some_and(|at| at <= then.0)))
}

/// The newest anchor that the fact, or a fact before it in its chain, refers to with proof: its
/// number and the hub's time.
async fn newest_reference(
    tx: &mut Tx,
    document: &Document,
    author: &DeviceAuthor,
) -> Result<Option<(i64, Millis)>, CaseError> {
    let here = proven(tx, author, &author.anchors).await?;
    if here.is_some() {
        return Ok(here);
    }
    let rows = sqlx::query(
        "SELECT fact_id, doc_id FROM fact WHERE device = $1 AND install = $2 AND seq < $3 \
         ORDER BY seq DESC LIMIT $4",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(seq_of(author))
    .bind(ANCESTRY)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let mut visited: BTreeMap<DocId, Document> = BTreeMap::new();
    for row in rows {
        let (id, doc) =
            (FactId::from_bytes(row.array("fact_id")?), DocId::from_bytes(row.array("doc_id")?));
        if doc != document.id() && !visited.contains_key(&doc) {
            visited.insert(doc, self::document(tx, doc).await?);
        }
        let (before, _) = device_fact(visited.get(&doc).unwrap_or(document), id)?;
        let found = proven(tx, author, &before.anchors).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The newest of these references that names an anchor as only its receiver can.
async fn proven(
    tx: &mut Tx,
    author: &DeviceAuthor,
    references: &[AnchorRef],
) -> Result<Option<(i64, Millis)>, StoreError> {
    let mut newest = None;
    for reference in references {
        let number = i64::try_from(reference.number).unwrap_or(i64::MAX);
        let row =
            sqlx::query("SELECT at FROM anchor WHERE device = $1 AND number = $2 AND proof = $3")
                .bind(&author.device.as_bytes()[..])
                .bind(number)
                .bind(&reference.proof.as_bytes()[..])
                .fetch_optional(tx.conn())
                .await?;
        if let Some(row) = row {
            newest = newest.max(Some((number, row.millis("at")?)));
        }
    }
    Ok(newest)
}

/// When the hub last answered this device, at an earlier end of its chain, with an anchor newer
/// than the newest that the fact knows of: its reply was lost, or the phone hides it. What was
/// issued once the fact was here is hidden from nobody: a phone restored from a backup names an
/// earlier end again.
async fn hidden_anchor(
    tx: &mut Tx,
    author: &DeviceAuthor,
    newest: i64,
    first_seen: Millis,
) -> Result<Option<Millis>, StoreError> {
    let row = sqlx::query(
        "SELECT at FROM anchor \
         WHERE device = $1 AND install = $2 AND number > $3 AND head_seq < $4 AND at < $5 \
         ORDER BY at DESC LIMIT 1",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(i64::from(author.install))
    .bind(newest)
    .bind(seq_of(author))
    .bind(first_seen.0)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| row.millis("at")).transpose()
}

async fn anchors_of(
    tx: &mut Tx,
    author: &DeviceAuthor,
    boot: BootId,
) -> Result<Vec<KnownAnchor>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.number AS number, a.at AS at, l.boot AS boot, l.sent_boot_ns AS sent_boot_ns, \
             l.received_boot_ns AS received_boot_ns \
         FROM anchor l JOIN anchor a ON a.device = l.device AND a.number = l.acknowledges \
         WHERE l.device = $1 AND l.acknowledges IS NOT NULL \
         ORDER BY CASE WHEN l.boot = $2 THEN 0 ELSE 1 END, a.number DESC LIMIT $3",
    )
    .bind(&author.device.as_bytes()[..])
    .bind(&boot.as_bytes()[..])
    .bind(ANCHORS)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(KnownAnchor {
                number: row.number("number")?,
                at: row.millis("at")?,
                boot: BootId::from_bytes(row.array("boot")?),
                sent_boot_ns: row.number("sent_boot_ns")?,
                received_boot_ns: row.number("received_boot_ns")?,
            })
        })
        .collect()
}

fn seq_of(author: &DeviceAuthor) -> i64 {
    i64::try_from(author.seq).unwrap_or(i64::MAX)
}

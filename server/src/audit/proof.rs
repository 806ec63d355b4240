//! That one entry is in the log: a text (C2SP `tlog-proof`) that can be checked by anybody who has
//! the hub's public key, without the database.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onscene_sync_core::audit::checkpoint::{NotACheckpoint, SignedCheckpoint};
use onscene_sync_core::audit::tree;
use onscene_sync_core::id::{DeviceId, DocId, Hash, PersonId};
use thiserror::Error;

use super::entry::{self, Deed, Entry};
use super::{keeper, tiles};
use crate::hub::count;
use crate::store::{RowExt as _, StoreError, Tx};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry, its place, and the hashes that lead from it to a signed root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Its place, from 0.
    pub index: u64,
    /// The hashes beside the way up.
    pub path: Vec<Hash>,
    /// The log that it is in.
    pub checkpoint: SignedCheckpoint,
}

/// A text that proves nothing.
#[derive(Debug, Error)]
pub enum NotAProof {
    /// Not the form of a proof.
    #[error("not a proof of an entry: {0}")]
    Malformed(&'static str),
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] NotACheckpoint),
    /// The hashes do not lead to the root.
    #[error("the entry is not in the log of this checkpoint: the hashes do not lead to its root")]
    Wrong,
    /// The entry itself.
    #[error("the entry cannot be read: {0}")]
    Entry(#[from] minicbor::decode::Error),
}

impl Proof {
    /// The text.
    #[must_use]
    pub fn to_text(&self, hub_key: &[u8; 32]) -> String {
        let path: String =
            self.path.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect();
        let (extra, index) = (STANDARD.encode(&self.entry), self.index);
        let note = self.checkpoint.to_note(hub_key);
        format!("{HEADER}\nextra {extra}\nindex {index}\n{path}\n{note}")
    }

    /// Reads and checks a text; returns the proof and what the entry says.
    ///
    /// # Errors
    /// When it is none, the hub did not sign its checkpoint, or it does not prove its entry.
    pub fn check(text: &str, hub_key: &[u8; 32]) -> Result<(Self, Entry), NotAProof> {
        let malformed = NotAProof::Malformed;
        let (head, note) = text.split_once("\n\n").ok_or(malformed("no empty line in it"))?;
        let mut lines = head.lines();
        if lines.next() != Some(HEADER) {
            return Err(malformed("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let decode = |text: &str| STANDARD.decode(text).ok();
        let entry = lines.next().and_then(|line| decode(line.strip_prefix("extra ")?));
        let entry = entry.ok_or(malformed("its second line is not `extra` and the entry"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let index = index.ok_or(malformed("its third line is not `index` and a number"))?;
        let path = lines.map(|line| Some(Hash::from_bytes(decode(line)?.try_into().ok()?)));
        let path: Vec<Hash> =
            path.collect::<Option<_>>().ok_or(malformed("a line is not a hash"))?;
        let checkpoint = SignedCheckpoint::from_note(note, hub_key)?;
        let log = &checkpoint.checkpoint;
        if !tree::includes(tree::leaf(&entry), index, log.size, log.root, &path) {
            return Err(NotAProof::Wrong);
        }
        let read = entry::from_bytes(&entry)?;
        Ok((Self { entry, index, path, checkpoint }, read))
    }
}

/// The proof of entry `n` under the newest checkpoint; `None` when that does not cover it yet, or
/// there is no such entry.
///
/// # Errors
/// When the database refuses.
pub async fn of_entry(tx: &mut Tx, n: u64) -> Result<Option<Proof>, StoreError> {
    match keeper::newest(tx).await? {
        Some(newest) => under(tx, &newest.signed, n).await,
        None => Ok(None),
    }
}

/// Proofs under `checkpoint` of all that was admitted to these documents or stated in them, oldest
/// first.
///
/// # Errors
/// When the database refuses.
pub async fn of_documents(
    tx: &mut Tx,
    checkpoint: &SignedCheckpoint,
    documents: &BTreeSet<DocId>,
) -> Result<Vec<Proof>, StoreError> {
    const SQL: &str = "SELECT n FROM audit_entry \
         WHERE subject = $1 AND action IN ($2, $3) AND n < $4";
    let mut places = BTreeSet::new();
    for document in documents {
        let query = sqlx::query(SQL).bind(&document.as_bytes()[..]);
        let query = query.bind(Deed::ChangesAdmitted as i64).bind(Deed::FactsStated as i64);
        let query = query.bind(count(checkpoint.checkpoint.size));
        for row in query.fetch_all(tx.conn()).await? {
            places.insert(row.number("n")?);
        }
    }
    of_places(tx, checkpoint, places).await
}

/// Proofs under `checkpoint` that these phones were enrolled for these people.
///
/// # Errors
/// When the database refuses.
pub async fn of_enrolments(
    tx: &mut Tx,
    checkpoint: &SignedCheckpoint,
    phones: &[(PersonId, DeviceId)],
) -> Result<Vec<Proof>, StoreError> {
    const SQL: &str = "SELECT n FROM audit_entry \
         WHERE person = $1 AND action = $2 AND device = $3 AND n < $4";
    let mut places = BTreeSet::new();
    for (person, phone) in phones {
        let query = sqlx::query(SQL).bind(&person.as_bytes()[..]).bind(Deed::DeviceEnrolled as i64);
        let query = query.bind(&phone.as_bytes()[..]).bind(count(checkpoint.checkpoint.size));
        for row in query.fetch_all(tx.conn()).await? {
            places.insert(row.number("n")?);
        }
    }
    of_places(tx, checkpoint, places).await
}

async fn of_places(
    tx: &mut Tx,
    checkpoint: &SignedCheckpoint,
    places: BTreeSet<u64>,
) -> Result<Vec<Proof>, StoreError> {
    let mut proofs = Vec::with_capacity(places.len());
    for n in places {
        proofs.extend(under(tx, checkpoint, n).await?);
    }
    Ok(proofs)
}

async fn under(
    tx: &mut Tx,
    checkpoint: &SignedCheckpoint,
    n: u64,
) -> Result<Option<Proof>, StoreError> {
    let Some(spans) = tree::inclusion(n, checkpoint.checkpoint.size) else { return Ok(None) };
    let sql = format!("SELECT {} FROM audit_entry WHERE n = $1", entry::COLUMNS);
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(count(n));
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(None) };
    let entry = entry::read(&row)?.to_bytes();
    let mut path = Vec::with_capacity(spans.len());
    path.extend(tiles::hashes(tx, &spans).await?);
    Ok(Some(Proof { entry, index: n, path, checkpoint: checkpoint.clone() }))
}

//! Documents in memory: rebuilt from a snapshot and the log behind it, kept warm for a while, and
//! believed only if they add up to what their row says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use onscene_sync_core::document::{DocKind, Document, DocumentError};
use onscene_sync_core::id::DocId;
use onscene_sync_core::time::Millis;

use super::HubError;
use super::sql::{count, fetch_in, kind_code, kind_of};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Documents kept warm, at about 50 kB each.
const WARM: usize = 512;

/// A document's row: what the log behind it adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DocRow {
    pub(crate) id: DocId,
    pub(crate) kind: DocKind,
    /// Raised by every write to the document or its buckets.
    pub(crate) version: i64,
    /// Number of its changes.
    pub(crate) changes: u64,
    /// Wrapping sum of the prefixes of their hashes.
    pub(crate) sum: u64,
    /// Bytes of its changes, an upper bound of its size when sent whole.
    pub(crate) bytes: usize,
}

impl DocRow {
    pub(crate) fn new(id: DocId, kind: DocKind) -> Self {
        Self { id, kind, version: 0, changes: 0, sum: 0, bytes: 0 }
    }

    fn is_of(&self, document: &Document) -> bool {
        document.sum() == self.sum && document.len() as u64 == self.changes
    }
}

/// Begins a document without changes; `false` when it exists.
///
/// # Errors
/// When the database refuses.
pub async fn create(
    tx: &mut Tx,
    id: DocId,
    kind: DocKind,
    now: Millis,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO doc (doc_id, kind, version, changes, sum, bytes, heads, \
         created_at, updated_at) VALUES ($1, $2, 0, 0, 0, 0, $3, $4, $4) ON CONFLICT DO NOTHING";
    let query = sqlx::query(SQL).bind(&id.as_bytes()[..]).bind(kind_code(kind)).bind(&[][..]);
    Ok(query.bind(now.0).execute(tx.conn()).await?.rows_affected() == 1)
}

/// The rows of those of `ids` that exist, locked until the end of the transaction if `lock`.
pub(crate) async fn rows(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = DocId>,
    lock: bool,
) -> Result<BTreeMap<DocId, DocRow>, StoreError> {
    const HEAD: &str = "SELECT doc_id, kind, version, changes, sum, bytes FROM doc WHERE doc_id";
    let mut keys: Vec<_> = ids.into_iter().map(|id| id.as_bytes().to_vec()).collect();
    keys.sort_unstable();
    keys.dedup();
    let tail =
        if lock { format!("ORDER BY doc_id{}", tx.engine().for_update()) } else { String::new() };
    let rows = fetch_in(tx, HEAD, &keys, &tail).await?;
    rows.iter()
        .map(|row| {
            let id = DocId::from_bytes(row.array("doc_id")?);
            let kind = kind_of(row.int("kind")?)?;
            let row = DocRow {
                id,
                kind,
                version: row.int("version")?,
                changes: row.number("changes")?,
                sum: row.int("sum")?.cast_unsigned(),
                bytes: row.number("bytes")?,
            };
            Ok((id, row))
        })
        .collect()
}

/// A document that takes changes.
#[derive(Debug)]
pub(crate) struct Advance<'a> {
    pub(crate) before: &'a DocRow,
    pub(crate) after: &'a Document,
    /// Bytes of the changes that it takes.
    pub(crate) bytes: usize,
}

/// Writes down what documents, ascending, now add up to; `false` when somebody else wrote to one of
/// them in between. They exist: only so can one statement update many of them on both engines.
pub(crate) async fn advance(
    tx: &mut Tx,
    documents: &[Advance<'_>],
    now: Millis,
) -> Result<bool, StoreError> {
    const HEAD: &str = "INSERT INTO doc (doc_id, kind, version, changes, sum, bytes, heads, \
         created_at, updated_at)";
    const TAIL: &str = "ON CONFLICT (doc_id) DO UPDATE SET version = doc.version + 1, \
         changes = excluded.changes, sum = excluded.sum, bytes = excluded.bytes, \
         heads = excluded.heads, updated_at = excluded.updated_at \
         WHERE doc.version = excluded.version";
    let advanced = insert_many(tx, HEAD, 9, documents, TAIL, |query, document| {
        let Advance { before, after, bytes } = document;
        let heads: Vec<u8> = after.heads().iter().flat_map(|hash| *hash.as_bytes()).collect();
        query
            .bind(&before.id.as_bytes()[..])
            .bind(kind_code(before.kind))
            .bind(before.version)
            .bind(count(after.len() as u64))
            .bind(after.sum().cast_signed())
            .bind(count((before.bytes + bytes) as u64))
            .bind(heads)
            .bind(now.0)
            .bind(now.0)
    })
    .await?;
    Ok(advanced == documents.len() as u64)
}

/// What a document is built from.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) row: DocRow,
    /// Newest snapshot and how many changes it holds.
    pub(crate) snapshot: Option<(u64, Vec<u8>)>,
    /// The changes after it, in the order in which they were admitted.
    pub(crate) tail: Vec<Vec<u8>>,
}

/// Reads what `rows` are built from. Without a lock somebody may write to a document after its row was read:
/// changes that the row does not count are left out.
pub(crate) async fn material(tx: &mut Tx, rows: &[DocRow]) -> Result<Vec<Material>, StoreError> {
    const SNAPSHOTS: &str = "SELECT doc_id, changes, body FROM snapshot WHERE doc_id";
    const TAILS: &str = "SELECT c.doc_id AS doc_id, c.ord AS ord, c.body AS body FROM change c \
         LEFT JOIN snapshot s ON s.doc_id = c.doc_id \
         WHERE c.ord > COALESCE(s.changes, 0) AND c.doc_id";
    let keys: Vec<_> =
        rows.iter().filter(|row| row.changes > 0).map(|row| row.id.as_bytes().to_vec()).collect();
    let counted: BTreeMap<DocId, u64> = rows.iter().map(|row| (row.id, row.changes)).collect();
    // The tails first: a snapshot that is renewed in between then holds some of them, too, which does
    // no harm. The other way round, changes would be missing.
    let mut tails: BTreeMap<DocId, Vec<Vec<u8>>> = BTreeMap::new();
    for row in fetch_in(tx, TAILS, &keys, "ORDER BY c.doc_id, c.ord").await? {
        let id = DocId::from_bytes(row.array("doc_id")?);
        let ord: u64 = row.number("ord")?;
        if counted.get(&id).is_some_and(|changes| ord <= *changes) {
            tails.entry(id).or_default().push(row.bytes("body")?);
        }
    }
    let mut snapshots = BTreeMap::new();
    for row in fetch_in(tx, SNAPSHOTS, &keys, "").await? {
        let id = DocId::from_bytes(row.array("doc_id")?);
        snapshots.insert(id, (row.number("changes")?, row.bytes("body")?));
    }
    let material = |row: &DocRow| Material {
        row: *row,
        snapshot: snapshots.remove(&row.id),
        tail: tails.remove(&row.id).unwrap_or_default(),
    };
    Ok(rows.iter().map(material).collect())
}

impl Material {
    /// The document, if it adds up to its row.
    pub(crate) fn build(&self) -> Result<Document, DocumentError> {
        let DocRow { id, kind, .. } = self.row;
        let document = match &self.snapshot {
            None => Document::replay(id, kind, self.tail.iter().map(Vec::as_slice))?,
            Some((_, snapshot)) => {
                let mut document = Document::load(id, kind, snapshot)?;
                for change in &self.tail {
                    document.apply(change)?;
                }
                document
            }
        };
        if self.row.is_of(&document) { Ok(document) } else { Err(DocumentError::Unfaithful) }
    }
}

/// Rebuilds a document from its log, as it was when its row was read: when a snapshot or a warm copy is not
/// what it should be.
///
/// # Errors
/// [`HubError::Corrupt`] when the log itself does not add up to the row.
pub(crate) async fn rebuild(tx: &mut Tx, row: &DocRow) -> Result<Document, HubError> {
    replay(tx, row, row.changes).await
}

/// Rebuilds a document from its whole log, which must hold nothing that its row does not count.
///
/// # Errors
/// [`HubError::Corrupt`] when it does not add up to the row.
pub(crate) async fn rebuild_whole(tx: &mut Tx, row: &DocRow) -> Result<Document, HubError> {
    replay(tx, row, u64::MAX).await
}

async fn replay(tx: &mut Tx, row: &DocRow, most: u64) -> Result<Document, HubError> {
    const SQL: &str = "SELECT body FROM change WHERE doc_id = $1 AND ord <= $2 ORDER BY ord";
    let query = sqlx::query(SQL).bind(&row.id.as_bytes()[..]).bind(count(most));
    let log = query.fetch_all(tx.conn()).await;
    let log = log.map_err(StoreError::from)?;
    let log = log.iter().map(|row| row.bytes("body")).collect::<Result<Vec<_>, _>>()?;
    let document = Document::replay(row.id, row.kind, log.iter().map(Vec::as_slice))
        .map_err(|error| HubError::Corrupt { doc: row.id, detail: error.to_string() })?;
    if row.is_of(&document) {
        return Ok(document);
    }
    let detail = format!(
        "its log holds {} changes with sum {:016x}, its row says {} with {:016x}",
        document.len(),
        document.sum(),
        row.changes,
        row.sum
    );
    Err(HubError::Corrupt { doc: row.id, detail })
}

/// Builds one document inside a transaction, as it was when its row was read.
pub(crate) async fn load(tx: &mut Tx, row: &DocRow) -> Result<Document, HubError> {
    let material = material(tx, std::slice::from_ref(row)).await?;
    // A snapshot may have been made since.
    let newer = |snapshot: &(u64, Vec<u8>)| snapshot.0 > row.changes;
    let material = material.first().filter(|one| !one.snapshot.as_ref().is_some_and(newer));
    match material.map(Material::build) {
        Some(Ok(document)) => Ok(document),
        Some(Err(error)) => {
            tracing::error!(doc = %row.id, %error, "a snapshot is not its log: rebuilding");
            rebuild(tx, row).await
        }
        None => rebuild(tx, row).await,
    }
}

/// Documents that were used last, whoever asks for one says how it must add up.
#[derive(Default)]
pub struct Warm(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    documents: BTreeMap<DocId, (u64, Document)>,
    by_age: BTreeMap<u64, DocId>,
    clock: u64,
}

impl Warm {
    /// Whether the copy here is what `row` says.
    pub(crate) fn has(&self, row: &DocRow) -> bool {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.documents.get(&row.id).is_some_and(|(_, document)| row.is_of(document))
    }

    /// Takes a document out, if the copy here is what `row` says.
    pub(crate) fn take(&self, row: &DocRow) -> Option<Document> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (age, document) = shelf.documents.remove(&row.id)?;
        shelf.by_age.remove(&age);
        row.is_of(&document).then_some(document)
    }

    /// Puts a document back; the one that was not used for longest goes.
    pub(crate) fn put(&self, document: Document) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let (age, id) = (shelf.clock, document.id());
        if let Some((old, _)) = shelf.documents.insert(id, (age, document)) {
            shelf.by_age.remove(&old);
        }
        shelf.by_age.insert(age, id);
        if shelf.documents.len() > WARM
            && let Some((_, oldest)) = shelf.by_age.pop_first()
        {
            shelf.documents.remove(&oldest);
        }
    }
}

impl fmt::Debug for Warm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Warm(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(byte: u8) -> DocRow {
        DocRow::new(DocId::from_bytes([byte; 16]), DocKind::Patrol)
    }

    fn document(row: &DocRow) -> Document {
        Document::new(row.id, row.kind)
    }

    #[test]
    fn a_warm_copy_that_does_not_add_up_is_dropped() {
        let warm = Warm::default();
        warm.put(document(&row(1)));
        let elsewhere = DocRow { changes: 1, sum: 7, ..row(1) };
        assert!(warm.take(&elsewhere).is_none());
        assert!(warm.take(&row(1)).is_none(), "the stale copy is gone");
        warm.put(document(&row(1)));
        assert!(warm.take(&row(1)).is_some());
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let warm = Warm::default();
        let rows: Vec<_> = (0..=WARM)
            .map(|n| {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&(n as u64).to_be_bytes());
                DocRow::new(DocId::from_bytes(id), DocKind::Patrol)
            })
            .collect();
        for row in &rows[..WARM] {
            warm.put(document(row));
        }
        let first = warm.take(&rows[0]).unwrap();
        warm.put(first);
        warm.put(document(&rows[WARM]));
        assert!(warm.take(&rows[0]).is_some(), "used just now");
        assert!(warm.take(&rows[1]).is_none(), "the oldest");
    }
}

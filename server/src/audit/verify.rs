//! The whole log, worked out anew from its entries and held against everything that says what it
//! should be: the tree's stored hashes, every checkpoint that was signed, the checkpoints that phones
//! hold, and the record of changes.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use onscene_sync_core::audit::checkpoint::SignedCheckpoint;
use onscene_sync_core::audit::tree::{self, Node};
use onscene_sync_core::id::{DocId, Hash};

use super::entry::{self, Deed, Entry};
use super::{keeper, news, tiles};
use crate::hub::count;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// Entries read in one transaction.
const PAGE: u64 = 2_000;
/// Faults of one kind that are told one by one.
const TOLD: usize = 20;

/// What was looked at and what does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries with a place in the log.
    pub entries: u64,
    /// Entries that the keeper has yet to take in.
    pub waiting: u64,
    /// Checkpoints compared, those of phones included.
    pub checkpoints: u64,
    /// Changes and refused changes that entries name.
    pub changes: u64,
    /// What a reader should know and is no fault.
    pub notes: Vec<String>,
    /// What does not fit.
    pub faults: Vec<String>,
}

/// A checkpoint to be held against the log, with where it is from.
#[derive(Debug, Clone)]
pub struct Claim {
    /// For the report.
    pub from: String,
    /// What it says.
    pub signed: SignedCheckpoint,
}

/// Checks the log of the hub whose public key is `hub_key`; `claims` are checkpoints from elsewhere.
/// Changes nothing. Writers are not held up.
///
/// # Errors
/// When the database cannot be read. What does not fit is in the report.
pub async fn verify(
    store: &Store,
    hub_key: &[u8; 32],
    claims: Vec<Claim>,
) -> Result<Report, StoreError> {
    let begin = store.with_read("audit.verify", (claims, *hub_key), |tx, (claims, hub_key)| {
        Box::pin(begin(tx, claims.clone(), *hub_key))
    });
    let (mut walk, mut report) = begin.await?;
    while walk.size < walk.end {
        let (size, end) = (walk.size, walk.end);
        let page = store.with_read("audit.verify_page", (size, end), |tx, (size, end)| {
            Box::pin(page(tx, *size, *end))
        });
        let page = page.await?;
        report.changes += page.changes;
        report.faults.extend(page.faults);
        if page.entries.is_empty() {
            break;
        }
        for entry in page.entries {
            walk.push(entry.leaf());
            report.faults.extend(walk.compare());
        }
        report.entries = walk.size;
    }
    report.faults.extend(walk.compare_rest());
    let logged = report.changes;
    let end = walk.end;
    let rest = store.with_read("audit.verify_end", (walk.root(), end, logged), |tx, at| {
        Box::pin(finish(tx, at.0, at.1, at.2))
    });
    report.faults.extend(rest.await?);
    if report.faults.len() > TOLD {
        let more = report.faults.len() - TOLD;
        report.faults.truncate(TOLD);
        report.faults.push(format!("and {more} more"));
    }
    Ok(report)
}

/// The tree as it grows, entry by entry.
struct Walk {
    size: u64,
    end: u64,
    /// Complete subtrees, large to small.
    range: Vec<(Node, Hash)>,
    /// What the root must be at some sizes, and who says so.
    claims: BTreeMap<u64, Vec<(String, Hash)>>,
}

impl Walk {
    fn push(&mut self, leaf: Hash) {
        let mut node = (Node { level: 0, index: self.size }, leaf);
        self.size += 1;
        while let Some((left, hash)) = self.range.pop_if(|(left, _)| left.level == node.0.level) {
            let above = Node { level: left.level + 1, index: left.index / 2 };
            node = (above, tree::parent(&hash, &node.1));
        }
        self.range.push(node);
    }

    fn root(&self) -> Hash {
        tree::root(self.range.iter().map(|(_, hash)| *hash))
    }

    /// Compares what is claimed of the present size.
    fn compare(&mut self) -> Vec<String> {
        let Some(claims) = self.claims.remove(&self.size) else { return Vec::new() };
        let root = self.root();
        let wrong = claims.into_iter().filter(|(_, claimed)| *claimed != root);
        let size = self.size;
        wrong
            .map(|(from, _)| format!("{from}: its log of {size} entries is not this one"))
            .collect()
    }

    fn compare_rest(&mut self) -> Vec<String> {
        let end = self.size;
        let rest = std::mem::take(&mut self.claims);
        let beyond = rest.into_iter().flat_map(|(size, claims)| {
            claims.into_iter().map(move |(from, _)| {
                format!("{from}: it is of {size} entries, the log ends after {end}")
            })
        });
        beyond.collect()
    }
}

async fn begin(
    tx: &mut Tx,
    claims: Vec<Claim>,
    hub_key: [u8; 32],
) -> Result<(Walk, Report), StoreError> {
    let mut report = Report::default();
    let end = keeper::size(tx, false).await?;
    let mut held = disputes(tx).await?;
    held.extend(claims);
    let own = own_checkpoints(tx).await?.into_iter().map(|claim| (claim, true));
    let all = own.chain(held.into_iter().map(|claim| (claim, false)));
    let mut walk = Walk { size: 0, end, range: Vec::new(), claims: BTreeMap::new() };
    for (Claim { from, signed }, is_own) in all {
        report.checkpoints += 1;
        if !signed.is_signed_by(&hub_key) {
            report.faults.push(format!("{from}: not signed by this hub's key"));
            continue;
        }
        let log = &signed.checkpoint;
        // What this database signed stands in it, whatever was restored.
        if !is_own && news::difference(tx, &signed).await? == Some(Deed::LossWitnessed) {
            let size = log.size;
            report.notes.push(format!("{from}: of {size} entries, lost in part by a restore"));
            continue;
        }
        walk.claims.entry(log.size).or_default().push((from, log.root));
    }
    let sql = "SELECT count(*) AS n FROM audit_entry WHERE n IS NULL";
    report.waiting = sqlx::query(sql).fetch_one(tx.conn()).await?.number("n")?;
    for restore in keeper::restores(tx).await? {
        let (epoch, size) = (restore.epoch, restore.size);
        report.notes.push(format!(
            "the hub was restored from a backup: epoch {epoch} began after {size} entries"
        ));
    }
    Ok((walk, report))
}

async fn own_checkpoints(tx: &mut Tx) -> Result<Vec<Claim>, StoreError> {
    let sql = "SELECT size, signed FROM audit_checkpoint ORDER BY size";
    let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| {
            let from = format!("the hub's own checkpoint of {} entries", row.int("size")?);
            Ok(Claim { from, signed: keeper::signed(row)? })
        })
        .collect()
}

async fn disputes(tx: &mut Tx) -> Result<Vec<Claim>, StoreError> {
    let sql = "SELECT lower(hex(device)) AS phone, signed FROM audit_dispute ORDER BY at, size";
    let sql = match tx.engine() {
        crate::store::Engine::Sqlite => sql.to_owned(),
        crate::store::Engine::Postgres => {
            sql.replace("lower(hex(device))", "encode(device, 'hex')")
        }
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| {
            let from = format!("the checkpoint that phone {} holds", row.text("phone")?);
            Ok(Claim { from, signed: keeper::signed(row)? })
        })
        .collect()
}

#[derive(Default)]
struct Page {
    entries: Vec<Entry>,
    changes: u64,
    faults: Vec<String>,
}

/// The entries from `size` on. One that is absent ends the page with a fault.
async fn page(tx: &mut Tx, size: u64, end: u64) -> Result<Page, StoreError> {
    let to = end.min(size + PAGE);
    let columns = entry::COLUMNS;
    let sql = format!("SELECT {columns} FROM audit_entry WHERE n >= $1 AND n < $2 ORDER BY n");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(count(size)).bind(count(to));
    let rows = query.fetch_all(tx.conn()).await?;
    let mut page = Page::default();
    for (row, n) in rows.iter().zip(size..) {
        if row.number::<u64>("n")? != n {
            break;
        }
        page.entries.push(entry::read(row)?);
    }
    let found = size + page.entries.len() as u64;
    if found < to {
        page.faults.push(format!("entry {found} is gone: nothing after it can be checked"));
        page.entries.clear();
        return Ok(page);
    }
    let mut known = BTreeMap::new();
    for (entry, n) in page.entries.iter().zip(size..) {
        let (named, absent) = record(tx, entry, &mut known).await?;
        page.changes += named;
        if absent > 0 {
            let fault = format!("entry {n}: {absent} of the changes that it names are gone");
            page.faults.push(fault);
        }
    }
    Ok(page)
}

/// How many changes an entry names that must be on record, and how many of them are not.
async fn record(
    tx: &mut Tx,
    entry: &Entry,
    known: &mut BTreeMap<(bool, DocId), BTreeSet<Hash>>,
) -> Result<(u64, u64), StoreError> {
    const ADMITTED: &str = "SELECT hash FROM change WHERE doc_id = $1";
    const REFUSED: &str = "SELECT hash FROM quarantine WHERE doc_id = $1";
    let admitted = match Deed::from_number(entry.action) {
        Some(Deed::ChangesAdmitted | Deed::FactsStated) => true,
        Some(Deed::ChangesRefused) => false,
        _ => return Ok((0, 0)),
    };
    let Some(doc) = entry.subject.map(DocId::from_bytes) else { return Ok((0, 1)) };
    let key = (admitted, doc);
    let known = match known.entry(key) {
        btree_map::Entry::Occupied(known) => known.into_mut(),
        btree_map::Entry::Vacant(unread) => {
            let query = sqlx::query(if admitted { ADMITTED } else { REFUSED });
            let rows = query.bind(&doc.as_bytes()[..]).fetch_all(tx.conn()).await?;
            let hashes = rows.iter().map(|row| Ok(Hash::from_bytes(row.array("hash")?)));
            unread.insert(hashes.collect::<Result<_, StoreError>>()?)
        }
    };
    let (hashes, rest) = entry.object.as_chunks::<32>();
    let on_record = |hash: &&[u8; 32]| known.contains(&Hash::from_bytes(**hash));
    let absent = hashes.len() - hashes.iter().filter(on_record).count();
    let named = if admitted { hashes.len() as u64 } else { 0 };
    Ok((named, absent as u64 + u64::from(!rest.is_empty())))
}

/// The stored hashes, and whether there are changes that no entry names.
async fn finish(tx: &mut Tx, root: Hash, end: u64, logged: u64) -> Result<Vec<String>, StoreError> {
    const SINCE: &str = "SELECT count(*) AS n FROM change \
         WHERE received_at >= (SELECT min(at) FROM audit_entry)";
    const WAITING: &str = "SELECT object FROM audit_entry \
         WHERE (n IS NULL OR n >= $1) AND action IN (1, 2)";
    let mut faults = Vec::new();
    let whole = tiles::hashes(tx, &[tree::Span { from: 0, to: end }]).await;
    if !matches!(whole.as_deref(), Ok([stored]) if *stored == root) {
        faults.push("the tree's stored hashes are not those of the entries".to_owned());
    }
    let waiting = sqlx::query(WAITING).bind(count(end)).fetch_all(tx.conn()).await?;
    let mut named = logged;
    for row in waiting {
        named += row.bytes("object")?.len() as u64 / 32;
    }
    let changes: u64 = sqlx::query(SINCE).fetch_one(tx.conn()).await?.number("n")?;
    if changes > named {
        let more = changes - named;
        faults.push(format!("{more} changes are on record that no entry of the log names"));
    }
    Ok(faults)
}

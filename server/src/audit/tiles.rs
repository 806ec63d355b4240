//! The tree's hashes in the database, 256 in a row, so that a proof reads a handful of rows. They
//! can be worked out anew from the entries, and `verify` does.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::audit::tree::{self, Node, Span};
use onscene_sync_core::id::Hash;

use crate::hub::count;
use crate::store::{RowExt as _, StoreError, Tx};

/// Levels of the tree in one row.
const HEIGHT: u32 = 8;
/// Hashes in a full row.
pub(super) const WIDTH: u64 = 1 << HEIGHT;
const HASH_BYTES: usize = 32;

type Key = (u32, u64);

/// Takes the hashes of new entries in behind the first `size`.
pub(super) async fn append(tx: &mut Tx, size: u64, leaves: Vec<Hash>) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO audit_tile (level, idx, hashes) VALUES ($1, $2, $3) \
         ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes";
    let (mut level, mut from, mut fresh) = (0, size, leaves);
    while !fresh.is_empty() {
        let mut full = Vec::new();
        let mut index = from / WIDTH;
        let mut tile = match from % WIDTH {
            0 => Vec::new(),
            held => begun(tx, (level, index), held).await?,
        };
        let mut rest = &fresh[..];
        while !rest.is_empty() {
            let room = usize::try_from(WIDTH).unwrap_or(usize::MAX) - tile.len();
            let (taken, after) = rest.split_at(room.min(rest.len()));
            tile.extend_from_slice(taken);
            rest = after;
            let bytes: Vec<u8> = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let query = sqlx::query(SQL).bind(i64::from(level)).bind(count(index));
            query.bind(bytes).execute(tx.conn()).await?;
            if tile.len() as u64 == WIDTH {
                full.push(top(std::mem::take(&mut tile)));
                index += 1;
            }
        }
        (level, from, fresh) = (level + 1, from / WIDTH, full);
    }
    Ok(())
}

/// The first `held` hashes of a row that is not full yet.
async fn begun(tx: &mut Tx, key: Key, held: u64) -> Result<Vec<Hash>, StoreError> {
    let tile = load(tx, [key].into()).await?.remove(&key).unwrap_or_default();
    let whole = tile.len() as u64 == held;
    if whole { Ok(tile) } else { Err(damaged(key, &format!("{} hashes", tile.len()))) }
}

/// The hash of each span, in order.
pub(super) async fn hashes(tx: &mut Tx, spans: &[Span]) -> Result<Vec<Hash>, StoreError> {
    let keys: BTreeSet<Key> =
        spans.iter().flat_map(|span| span.nodes()).map(|node| place(node).0).collect();
    let tiles = load(tx, keys).await?;
    spans
        .iter()
        .map(|span| {
            let parts = span.nodes().into_iter().map(|node| subtree(&tiles, node));
            Ok(tree::root(parts.collect::<Result<Vec<_>, StoreError>>()?.into_iter()))
        })
        .collect()
}

/// The row that a subtree's hashes stand in, and from where to where.
fn place(node: Node) -> (Key, std::ops::Range<usize>) {
    let above = node.level % HEIGHT;
    let first = node.index << above;
    let from = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
    ((node.level / HEIGHT, first / WIDTH), from..from + (1 << above))
}

fn subtree(tiles: &BTreeMap<Key, Vec<Hash>>, node: Node) -> Result<Hash, StoreError> {
    let (key, range) = place(node);
    let hashes = tiles.get(&key).and_then(|tile| tile.get(range));
    let hashes = hashes.ok_or_else(|| damaged(key, "too few hashes"))?;
    Ok(top(hashes.to_vec()))
}

/// The hash over a row of subtrees of one size; they are a power of two.
fn top(mut row: Vec<Hash>) -> Hash {
    while row.len() > 1 {
        row = row.chunks(2).map(|two| tree::root(two.iter().copied())).collect();
    }
    tree::root(row.into_iter())
}

async fn load(tx: &mut Tx, keys: BTreeSet<Key>) -> Result<BTreeMap<Key, Vec<Hash>>, StoreError> {
    const SQL: &str = "SELECT hashes FROM audit_tile WHERE level = $1 AND idx = $2";
    let mut tiles = BTreeMap::new();
    for key in keys {
        let query = sqlx::query(SQL).bind(i64::from(key.0)).bind(count(key.1));
        let Some(row) = query.fetch_optional(tx.conn()).await? else { continue };
        let bytes = row.bytes("hashes")?;
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() {
            return Err(damaged(key, &format!("{} bytes", bytes.len())));
        }
        tiles.insert(key, hashes.iter().copied().map(Hash::from_bytes).collect());
    }
    Ok(tiles)
}

fn damaged(key: Key, found: &str) -> StoreError {
    StoreError::Inconsistent {
        column: format!("audit_tile.hashes of level {}, row {}", key.0, key.1),
        found: found.to_owned(),
        expected: "the hashes of the entries: run `onscene audit verify`".to_owned(),
    }
}

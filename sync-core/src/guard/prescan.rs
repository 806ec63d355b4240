//! The first step: what a change claims, read without allocating and without Automerge.
//!
//! Automerge's parser expands runs, inflates, and does not check the checksum; so everything that
//! can be known before calling it is found out here.

use crate::document::chunk::{self, Column, Extent, Fault, Layout, Reader};
use crate::id::Hash;
use crate::limits::{
    CHANGE_ACTORS, CHANGE_BYTES, CHANGE_DEPS, CHANGE_KEY_BYTES, CHANGE_OPS, CHANGE_PREDS,
    DOCUMENT_MAX_OP,
};

/// Column specifications: (column id << 4) | type.
mod column {
    pub(super) const OBJECT_ACTOR: u64 = 0x01;
    pub(super) const OBJECT_COUNTER: u64 = 0x02;
    pub(super) const KEY: u64 = 0x15;
    pub(super) const INSERT: u64 = 0x34;
    pub(super) const ACTION: u64 = 0x42;
    pub(super) const VALUE_META: u64 = 0x56;
    pub(super) const VALUE: u64 = 0x57;
    pub(super) const PREDS: u64 = 0x70;
    pub(super) const PRED_ACTOR: u64 = 0x71;
    pub(super) const PRED_COUNTER: u64 = 0x73;
}

/// The columns of changes that write keys of maps. Lists, marks and deflated columns have others.
const KNOWN: [u64; 10] = [
    column::OBJECT_ACTOR,
    column::OBJECT_COUNTER,
    column::KEY,
    column::INSERT,
    column::ACTION,
    column::VALUE_META,
    column::VALUE,
    column::PREDS,
    column::PRED_ACTOR,
    column::PRED_COUNTER,
];

/// The highest action allowed; 0 makes a map, 1 sets, 2 makes a list, 3 deletes.
const DELETE: u64 = 3;
const ACTOR_BYTES: usize = 16;

/// What a change claims about itself.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) hash: Hash,
    /// Ascending, without repeats.
    deps: &'a [[u8; 32]],
    pub(crate) actor: [u8; ACTOR_BYTES],
    /// From 1.
    pub(crate) seq: u64,
    /// Upper bound of its operations, from 1.
    pub(crate) ops: usize,
}

impl Scan<'_> {
    pub(crate) fn deps(&self) -> impl Iterator<Item = Hash> + '_ {
        self.deps.iter().copied().map(Hash::from_bytes)
    }
}

/// Reads one uncompressed change of the form that [`Document`](crate::document::Document) writes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn scan(change: &[u8]) -> Result<Scan<'_>, Fault> {
    if change.len() > CHANGE_BYTES {
        return Err("it is larger than a change may be");
    }
    let chunk = chunk::read(change)?;
    if chunk.kind != chunk::CHANGE {
        return Err("it is not an uncompressed change");
    }
    let mut reader = Reader(chunk.body);
    let deps = read_deps(&mut reader)?;
    let actor =
        reader.prefixed()?.try_into().map_err(|_| "its actor does not have sixteen bytes")?;
    let seq = reader.unsigned()?;
    let start_op = reader.unsigned()?;
    if seq == 0 || start_op == 0 || seq > DOCUMENT_MAX_OP || start_op > DOCUMENT_MAX_OP {
        return Err("its sequence number or first operation is out of range");
    }
    if reader.signed()? != 0 || !reader.prefixed()?.is_empty() {
        return Err("it carries a time or a message of its own");
    }
    let others = read_other_actors(&mut reader)?;
    let layout = Layout::read(&mut reader, &KNOWN)?;
    let ops = count_operations(layout, &mut reader, others)?;
    if !reader.is_empty() {
        return Err("it carries extra bytes");
    }
    Ok(Scan { hash: chunk.hash, deps, actor, seq, ops })
}

fn read_deps<'a>(reader: &mut Reader<'a>) -> Result<&'a [[u8; 32]], Fault> {
    let count = reader.unsigned()?;
    if count == 0 || count > CHANGE_DEPS as u64 {
        return Err("it builds on no change, or on too many");
    }
    let (deps, _) = reader.take(count * 32)?.as_chunks::<32>();
    if deps.is_sorted_by(|earlier, later| earlier < later) {
        Ok(deps)
    } else {
        Err("the changes it builds on are not in order")
    }
}

fn read_other_actors(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let count = reader.unsigned()?;
    if count > CHANGE_ACTORS as u64 {
        return Err("it names too many actors");
    }
    let mut last: Option<&[u8]> = None;
    for _ in 0..count {
        let actor = reader.prefixed()?;
        if actor.len() != ACTOR_BYTES || last.is_some_and(|last| last >= actor) {
            return Err("the actors it names are not in order or not of sixteen bytes");
        }
        last = Some(actor);
    }
    Ok(count)
}

fn count_operations<'a>(
    layout: Layout<'a>,
    reader: &mut Reader<'a>,
    others: u64,
) -> Result<usize, Fault> {
    let mut ops = 0;
    layout.visit(reader, |column| {
        let extent = column.extent()?;
        check_extent(&column, extent, others)?;
        ops = ops.max(extent.rows);
        Ok(())
    })?;
    match usize::try_from(ops) {
        Ok(0) => Err("it does nothing"),
        Ok(ops) => Ok(ops),
        Err(_) => Err(TOO_MANY),
    }
}

const TOO_MANY: Fault = "it has more operations than a change may have";

fn check_extent(column: &Column<'_>, extent: Extent, others: u64) -> Result<(), Fault> {
    let rows = match column.spec {
        column::PRED_ACTOR | column::PRED_COUNTER => CHANGE_PREDS,
        _ => CHANGE_OPS,
    };
    if extent.rows > rows as u64 {
        return Err(TOO_MANY);
    }
    match column.spec {
        column::PREDS if extent.members > CHANGE_PREDS as u64 => {
            Err("its operations replace too many others")
        }
        column::KEY if extent.longest > CHANGE_KEY_BYTES as u64 => Err("a key is too long"),
        // Automerge's decoder panics on both.
        column::ACTION if extent.largest > DELETE => {
            Err("it does something else than to set or delete")
        }
        column::OBJECT_ACTOR | column::PRED_ACTOR if extent.largest > others => {
            Err("it refers to an actor that it does not name")
        }
        _ => Ok(()),
    }
}

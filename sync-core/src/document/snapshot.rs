//! What a snapshot claims, read before Automerge expands it.

use super::chunk::{self, Extent, Fault, Layout, Reader};
use crate::limits::{CHANGE_DEPS, DOCUMENT_CHANGES, DOCUMENT_OPS, SNAPSHOT_BYTES};

/// Columns of changes: actor, seq, max op, time, message, deps, extra bytes.
const CHANGE_COLUMNS: [u64; 9] = [0x01, 0x03, 0x13, 0x23, 0x35, 0x40, 0x43, 0x56, 0x57];
/// Columns of operations: object, key, id, insert, action, value, successors, marks.
const OPERATION_COLUMNS: [u64; 15] =
    [0x01, 0x02, 0x11, 0x13, 0x15, 0x21, 0x23, 0x34, 0x42, 0x56, 0x57, 0x80, 0x81, 0x83, 0x94];

/// Checks that `snapshot` is one document chunk without deflated columns and within the limits;
/// returns an upper bound of its operations.
pub(super) fn scan(snapshot: &[u8]) -> Result<usize, Fault> {
    if snapshot.len() > SNAPSHOT_BYTES {
        return Err("it is larger than a document may be");
    }
    let chunk = chunk::read(snapshot)?;
    if chunk.kind != chunk::DOCUMENT {
        return Err("it is not a whole document");
    }
    let mut reader = Reader(chunk.body);
    let actors = reader.unsigned()?;
    for _ in 0..actors {
        reader.prefixed()?;
    }
    let heads = reader.unsigned()?;
    reader.take(heads.saturating_mul(32))?;
    let changes = Layout::read(&mut reader, &CHANGE_COLUMNS)?;
    let operations = Layout::read(&mut reader, &OPERATION_COLUMNS)?;
    // The genesis change is one more.
    rows(changes, &mut reader, DOCUMENT_CHANGES + 1, CHANGE_DEPS)?;
    rows(operations, &mut reader, DOCUMENT_OPS, 2)
}

/// The most rows of any column, refused above `limit`; a row may have `members` on the mean.
fn rows<'a>(
    layout: Layout<'a>,
    reader: &mut Reader<'a>,
    limit: usize,
    members: usize,
) -> Result<usize, Fault> {
    const TOO_MANY: Fault = "it has more changes or operations than a document may have";
    let mut most = 0;
    layout.visit(reader, |column| {
        let Extent { rows, members: sum, .. } = column.extent()?;
        let member = matches!(column.spec, 0x43 | 0x81 | 0x83);
        let allowed = if member { limit * members } else { limit };
        let grouped = matches!(column.spec & 0x7, 0) && sum > (limit * members) as u64;
        if rows > allowed as u64 || grouped {
            return Err(TOO_MANY);
        }
        if !member {
            most = most.max(rows);
        }
        Ok(())
    })?;
    usize::try_from(most).map_err(|_| TOO_MANY)
}

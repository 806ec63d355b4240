//! What a snapshot claims, read before Automerge expands it.

use super::chunk::{self, Extent, Fault, Layout, Reader};
use crate::limits::{
    CHANGE_DEPS, CHANGE_KEY_BYTES, DOCUMENT_CHANGES, DOCUMENT_OPS, SNAPSHOT_BYTES,
};

/// Columns of changes: actor, seq, max op, time, deps, kinds of the (absent) extra bytes. Without
/// messages: one long text could stand for every change.
const CHANGE_COLUMNS: [u64; 7] = [0x01, 0x03, 0x13, 0x23, 0x40, 0x43, 0x56];
const KEY: u64 = 0x15;
/// Columns of operations: object, key, id, insert, action, value, successors. Without elements of
/// lists and marks.
const OPERATION_COLUMNS: [u64; 12] =
    [0x01, 0x02, KEY, 0x21, 0x23, 0x34, 0x42, 0x56, 0x57, 0x80, 0x81, 0x83];

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
        let Extent { rows, members: sum, longest, .. } = column.extent()?;
        if longest > CHANGE_KEY_BYTES as u64 {
            return Err("a key is too long");
        }
        let member = matches!(column.spec, 0x43 | 0x81 | 0x83);
        let allowed = if member { limit * members } else { limit };
        let grouped = column.spec & 0x7 == 0 && sum > (limit * members) as u64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{fact_id, sha256};
    use crate::document::{DocKind, Document, Entry};
    use crate::id::{Actor, DocId};

    /// A document chunk with the right checksum around these columns of operations.
    fn snapshot(columns: &[(u8, &[u8])]) -> Vec<u8> {
        // No actors, no heads, no columns of changes.
        let mut body = vec![0, 0, 0, u8::try_from(columns.len()).expect("few columns")];
        for (spec, data) in columns {
            if *spec >= 0x80 {
                body.extend([*spec, 1]);
            } else {
                body.push(*spec);
            }
            body.push(u8::try_from(data.len()).expect("a short column"));
        }
        columns.iter().for_each(|(_, data)| body.extend_from_slice(data));
        let mut hashed = vec![chunk::DOCUMENT, u8::try_from(body.len()).expect("a short body")];
        hashed.extend(body);
        let checksum = sha256(&hashed);
        [&[0x85, 0x6f, 0x4a, 0x83], &checksum.as_bytes()[..4], &hashed].concat()
    }

    #[test]
    fn an_honest_snapshot_is_counted() {
        let mut document = Document::new(DocId::from_bytes([1; 16]), DocKind::Case);
        for text in ["a", "b", "c"] {
            let facts = vec![(fact_id(text.as_bytes()), text.as_bytes().to_vec())];
            let entry = Entry { facts, ..Entry::default() };
            document.write(Actor::hub(0), &entry).expect("it is new");
        }
        // Six operations of the first change and one of each other.
        assert_eq!(scan(&document.save()), Ok(9));
    }

    #[test]
    fn small_bombs_are_refused() {
        let million = [0xc0, 0x84, 0x3d];
        assert_eq!(scan(&snapshot(&[(0x42, &[0x02, 0x01])])), Ok(2));
        let repeated = [&million[..], &[1]].concat();
        for spec in [0x01, 0x02, 0x42, 0x56, 0x80, 0x81] {
            assert!(scan(&snapshot(&[(spec, &repeated)])).is_err(), "column {spec:#x}");
        }
        assert!(scan(&snapshot(&[(0x34, &million)])).is_err());
        assert!(scan(&snapshot(&[(0x15, &[&[0][..], &million].concat())])).is_err());
        let many_successors = [0x02, 0xc0, 0x84, 0x3d];
        assert!(scan(&snapshot(&[(0x80, &many_successors)])).is_err());
        let long_key = [&[0x7f, 65][..], &[b'x'; 65]].concat();
        assert!(scan(&snapshot(&[(0x15, &long_key)])).is_err());
    }

    #[test]
    fn columns_that_this_version_does_not_write_are_refused() {
        for spec in [0x11, 0x13, 0x94, 0x4a] {
            assert!(scan(&snapshot(&[(spec, &[0x01, 0x01])])).is_err(), "column {spec:#x}");
        }
    }
}

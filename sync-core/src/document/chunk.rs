//! Reading Automerge's binary chunks without trusting or expanding them.
//!
//! Automerge stores operations in run-length encoded columns: a hundred bytes can stand for a
//! million operations, and its own parser expands before it judges. This reader only adds up run
//! lengths. Nothing here allocates in proportion to what the bytes claim. The format is the
//! "Automerge Binary Document Format" (automerge.org/automerge-binary-format-spec).

use crate::crypto::sha256;
use crate::id::Hash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;

/// Chunk type of a whole document.
pub(crate) const DOCUMENT: u8 = 0;
/// Chunk type of one uncompressed change.
pub(crate) const CHANGE: u8 = 1;

/// What is wrong with the bytes, in words.
pub(crate) type Fault = &'static str;

/// Consumes bytes from the front; `None`-free: every shortage is a [`Fault`].
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).map_err(|_| "it ends early")?;
        let (head, tail) = self.0.split_at_checked(count).ok_or("it ends early")?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.take(1).map(|byte| byte[0])
    }

    /// An unsigned LEB128 number in its shortest form.
    pub(crate) fn unsigned(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err("a number is too large");
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(value) } else { Err("a number is not in shortest form") };
            }
        }
        Err("a number is too large")
    }

    /// A signed LEB128 number in its shortest form.
    pub(crate) fn signed(&mut self) -> Result<i64, Fault> {
        let mut value = 0_i64;
        let mut previous = 0_u8;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err("a number is too large");
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                let redundant = shift > 0
                    && ((byte == 0 && previous & 0x40 == 0)
                        || (byte == 0x7f && previous & 0x40 != 0));
                if redundant {
                    return Err("a number is not in shortest form");
                }
                if negative && shift + 7 < 64 {
                    value |= -1 << (shift + 7);
                }
                return Ok(value);
            }
            previous = byte;
        }
        Err("a number is too large")
    }

    /// A byte string with its length before it.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.unsigned()?;
        self.take(length)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A chunk whose length and checksum are right.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: u8,
    /// SHA-256 over type, length and body: Automerge's own name of a change.
    pub(crate) hash: Hash,
    pub(crate) body: &'a [u8],
}

/// Reads the one chunk that fills `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Chunk<'_>, Fault> {
    let mut reader = Reader(bytes);
    if reader.take(4)? != MAGIC {
        return Err("it does not begin as an Automerge chunk");
    }
    let checksum = reader.take(CHECKSUM_BYTES as u64)?;
    let hashed = reader.0;
    let kind = reader.byte()?;
    let body = reader.prefixed()?;
    if !reader.is_empty() {
        return Err("more bytes follow the chunk");
    }
    let hash = sha256(hashed);
    if hash.as_bytes()[..CHECKSUM_BYTES] != *checksum {
        return Err("its checksum is wrong");
    }
    Ok(Chunk { kind, hash, body })
}

/// One column: what it is and its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    pub(crate) spec: u64,
    pub(crate) data: &'a [u8],
}

/// How much a column stands for once expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Rows.
    pub(crate) rows: u64,
    /// Sum of the numbers of a group column: the rows of its members.
    pub(crate) members: u64,
    /// Bytes of the longest text.
    pub(crate) longest: u64,
    /// The largest number, in a column of unsigned ones.
    pub(crate) largest: u64,
}

/// The descriptions of columns, read but not yet joined with their data.
#[derive(Debug, Clone)]
pub(crate) struct Layout<'a> {
    count: u64,
    specs: Reader<'a>,
}

impl<'a> Layout<'a> {
    /// Reads the descriptions: ascending, each of a kind in `known` (so never deflated), none
    /// empty.
    pub(crate) fn read(reader: &mut Reader<'a>, known: &[u64]) -> Result<Self, Fault> {
        let count = reader.unsigned()?;
        let start = reader.clone();
        let mut last = None;
        for _ in 0..count {
            let spec = reader.unsigned()?;
            if !known.contains(&spec) {
                return Err("it has a column that this version does not write");
            }
            if last.is_some_and(|last| last >= spec) {
                return Err("its columns are not in order");
            }
            if reader.unsigned()? == 0 {
                return Err("it has an empty column");
            }
            last = Some(spec);
        }
        Ok(Self { count, specs: start })
    }

    /// Hands each column with its data, taken from `data`, to `visit`.
    pub(crate) fn visit(
        mut self,
        data: &mut Reader<'a>,
        mut visit: impl FnMut(Column<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for _ in 0..self.count {
            let spec = self.specs.unsigned()?;
            let length = self.specs.unsigned()?;
            visit(Column { spec, data: data.take(length)? })?;
        }
        Ok(())
    }
}

impl Column<'_> {
    /// Adds up the runs. Raw value columns have no runs and are bounded by their own bytes.
    pub(crate) fn extent(&self) -> Result<Extent, Fault> {
        let mut reader = Reader(self.data);
        match self.spec & 0x7 {
            7 => Ok(Extent::default()),
            4 => boolean_extent(&mut reader),
            item => runs_extent(&mut reader, item),
        }
    }
}

fn boolean_extent(reader: &mut Reader<'_>) -> Result<Extent, Fault> {
    let mut extent = Extent::default();
    while !reader.is_empty() {
        extent.rows = extent.rows.saturating_add(reader.unsigned()?);
    }
    Ok(extent)
}

fn runs_extent(reader: &mut Reader<'_>, item: u64) -> Result<Extent, Fault> {
    let mut extent = Extent::default();
    while !reader.is_empty() {
        let run = reader.signed()?;
        if run == 0 {
            let nulls = reader.unsigned()?;
            if nulls == 0 {
                return Err("a run has no rows");
            }
            extent.rows = extent.rows.saturating_add(nulls);
            continue;
        }
        let (distinct, repeats) =
            if run > 0 { (1, run.unsigned_abs()) } else { (run.unsigned_abs(), 1) };
        extent.rows = extent.rows.saturating_add(run.unsigned_abs());
        // Each turn consumes a byte at least, so a large claim runs out of data.
        for _ in 0..distinct {
            match item {
                3 => {
                    reader.signed()?;
                }
                5 => {
                    let length = reader.prefixed()?.len() as u64;
                    extent.longest = extent.longest.max(length);
                }
                _ => {
                    let number = reader.unsigned()?;
                    extent.largest = extent.largest.max(number);
                    extent.members = extent.members.saturating_add(number.saturating_mul(repeats));
                }
            }
        }
    }
    Ok(extent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(Reader(&[0x80, 0x01]).unsigned(), Ok(128));
        assert!(Reader(&[0x80, 0x00]).unsigned().is_err());
        assert_eq!(Reader(&[0x00]).unsigned(), Ok(0));
        assert_eq!(Reader(&[0x7f]).signed(), Ok(-1));
        assert!(Reader(&[0xff, 0x7f]).signed().is_err());
        assert!(Reader(&[0xc0, 0x80]).signed().is_err());
        assert_eq!(Reader(&[0xc0, 0x00]).signed(), Ok(64));
        assert!(Reader(&[0xff; 11]).unsigned().is_err());
        assert!(Reader(&[0xff; 11]).signed().is_err());
    }

    #[test]
    fn runs_are_added_up_and_never_expanded() {
        let million = [0xc0, 0x84, 0x3d];
        let column = |spec, data| Column { spec, data };
        let repeat = [&million[..], &[7]].concat();
        assert_eq!(column(0x42, &repeat).extent().map(|extent| extent.rows), Ok(1_000_000));
        let nulls = [&[0_u8][..], &million].concat();
        assert_eq!(column(0x15, &nulls).extent().map(|extent| extent.rows), Ok(1_000_000));
        assert_eq!(column(0x34, &million).extent().map(|extent| extent.rows), Ok(1_000_000));
        let group = column(0x70, &repeat).extent();
        assert_eq!(group.map(|extent| extent.members), Ok(7_000_000));
        let texts = [0x7e, 1, b'a', 3, b'b', b'c', b'd'];
        let expected = Extent { rows: 2, longest: 3, ..Extent::default() };
        assert_eq!(column(0x15, &texts).extent(), Ok(expected));
    }

    proptest! {
        #[test]
        fn any_column_is_judged_without_panic(
            spec in 0_u64..256,
            data in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = Column { spec, data: &data }.extent();
        }

        #[test]
        fn any_bytes_are_judged_without_panic(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(read(&data).is_err());
            let mut reader = Reader(&data);
            if let Ok(layout) = Layout::read(&mut reader, &[0x01, 0x42]) {
                let _ = layout.visit(&mut reader, |column| column.extent().map(|_| ()));
            }
        }
    }
}

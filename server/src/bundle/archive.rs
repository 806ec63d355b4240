//! Reading the zip file of somebody who may wish ill: nothing is unpacked to disk, nothing is
//! decompressed, and no byte of it can be read in two ways.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use onscene_sync_core::id::Hash;
use onscene_sync_core::limits::{
    BUNDLE_BYTES, BUNDLE_DIRECTORY_BYTES, BUNDLE_ENTRIES, BUNDLE_KEPT_BYTES, BUNDLE_PART_BYTES,
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::format::EVIDENCE;

/// Longest name of an entry.
const NAME_BYTES: usize = 100;
/// Bytes of the record at the end of a zip file, without a comment (PKWARE APPNOTE 4.3.16).
const END_BYTES: usize = 22;

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// How many they are.
    pub bytes: u64,
    /// The bytes; empty for a file of evidence, which is only hashed.
    pub content: Vec<u8>,
}

/// A file that is not read as a bundle.
#[derive(Debug, Error)]
pub enum NotABundle {
    /// The end is not that of a zip file.
    #[error(
        "it is cut off, has something after its end, or is no zip file: get it again from whom it is"
    )]
    NoEnd,
    /// Larger than a bundle can be.
    #[error("it has more than {BUNDLE_BYTES} bytes or {BUNDLE_ENTRIES} entries: no bundle does")]
    TooLarge,
    /// Two entries have one name.
    #[error("two of its entries have one name: programs would differ in which one they show")]
    Twice,
    /// An entry shares bytes with another, or what stands before it and in the directory differ.
    #[error("its entries and its directory do not agree: {0}")]
    Inconsistent(ZipError),
    /// Bytes that belong to no entry.
    #[error("bytes that belong to no entry stand in it: something is hidden there")]
    Hidden,
    /// A name that could lead elsewhere when somebody unpacks it.
    #[error("{0:?} is not a name that a bundle uses")]
    Name(String),
    /// Compressed or encrypted: it could unfold to any size.
    #[error("{0} is compressed or encrypted, which a bundle never is")]
    NotStored(String),
    /// Too much to hold in memory.
    #[error(
        "{0}: a bundle's documents have at most {BUNDLE_PART_BYTES} bytes each and \
         {BUNDLE_KEPT_BYTES} together"
    )]
    PartTooLarge(String),
    /// An entry's bytes are not those of its checksum.
    #[error("{0} is damaged: {1}")]
    Damaged(String, io::Error),
    /// The zip format's other troubles.
    #[error("it cannot be read as a zip file: {0}")]
    Zip(#[from] ZipError),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads all entries. Nothing is written anywhere.
///
/// # Errors
/// Why it is not read.
pub fn read(mut file: impl Read + Seek) -> Result<BTreeMap<String, Found>, NotABundle> {
    check_end(&mut file)?;
    let mut zip = ZipArchive::new(file)?;
    if zip.has_duplicate_names() {
        return Err(NotABundle::Twice);
    }
    zip.validate_header_consistency().map_err(NotABundle::Inconsistent)?;
    check_that_all_is_said(&mut zip)?;
    let (mut all, mut kept) = (BTreeMap::new(), 0);
    for index in 0..zip.len() {
        let (name, found) = entry(&mut zip, index)?;
        kept += found.content.len();
        if kept > BUNDLE_KEPT_BYTES {
            return Err(NotABundle::PartTooLarge(name));
        }
        all.insert(name, found);
    }
    Ok(all)
}

/// The file ends with the record of its end, which has no comment, and that says how large the
/// directory is: so reading that is bounded, and nothing stands after it.
fn check_end(file: &mut (impl Read + Seek)) -> Result<(), NotABundle> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.checked_sub(END_BYTES as u64).ok_or(NotABundle::NoEnd)?;
    let mut end = [0; END_BYTES];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut end)?;
    let number = |at: usize| u64::from(u32::from_le_bytes([0, 1, 2, 3].map(|n| end[at + n])));
    let entries = usize::from(u16::from_le_bytes([end[10], end[11]]));
    if !end.starts_with(b"PK\x05\x06") || end[20..] != [0, 0] {
        return Err(NotABundle::NoEnd);
    }
    let (size, offset) = (number(12), number(16));
    if length > BUNDLE_BYTES || entries > BUNDLE_ENTRIES || size > BUNDLE_DIRECTORY_BYTES as u64 {
        return Err(NotABundle::TooLarge);
    }
    if offset + size == start { Ok(()) } else { Err(NotABundle::Hidden) }
}

/// Each byte before the directory belongs to exactly one entry.
fn check_that_all_is_said<R: Read + Seek>(zip: &mut ZipArchive<R>) -> Result<(), NotABundle> {
    let mut spans = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index)?;
        let begin = entry.data_start().unwrap_or(u64::MAX);
        spans.push((entry.header_start(), begin.saturating_add(entry.compressed_size())));
    }
    spans.sort_unstable();
    let mut reached = 0;
    for (from, to) in spans {
        if from != reached {
            return Err(NotABundle::Hidden);
        }
        reached = to;
    }
    let whole = reached == zip.central_directory_start() && zip.offset() == 0;
    if whole { Ok(()) } else { Err(NotABundle::Hidden) }
}

fn entry<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    index: usize,
) -> Result<(String, Found), NotABundle> {
    let raw = zip.by_index_raw(index)?;
    let name = plain_name(raw.name_raw())?;
    let stored = raw.compression() == CompressionMethod::Stored && !raw.encrypted();
    if !stored || raw.compressed_size() != raw.size() {
        return Err(NotABundle::NotStored(name));
    }
    drop(raw);
    let mut from = zip.by_index(index)?;
    let keep = !name.starts_with(EVIDENCE);
    if keep && from.size() > BUNDLE_PART_BYTES as u64 {
        return Err(NotABundle::PartTooLarge(name));
    }
    let (mut digest, mut bytes, mut content) = (Sha256::new(), 0, Vec::new());
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(NotABundle::Damaged(name, error)),
        };
        digest.update(&buffer[..read]);
        bytes += read as u64;
        if keep {
            content.extend_from_slice(&buffer[..read]);
        }
    }
    let sha256 = Hash::from_bytes(digest.finalize().into());
    Ok((name, Found { sha256, bytes, content }))
}

/// Letters, digits, dots and hyphens, in parts that do not begin with a dot.
fn plain_name(raw: &[u8]) -> Result<String, NotABundle> {
    let shown = || String::from_utf8_lossy(&raw[..raw.len().min(NAME_BYTES)]).into_owned();
    let name = std::str::from_utf8(raw).map_err(|_| NotABundle::Name(shown()))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain)
    };
    if raw.len() <= NAME_BYTES && name.split('/').all(part) {
        Ok(name.to_owned())
    } else {
        Err(NotABundle::Name(shown()))
    }
}

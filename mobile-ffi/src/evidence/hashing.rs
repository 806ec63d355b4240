//! SHA-256 of a file while it grows.

use std::io::{self, Read, Write};

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::Hash;
use sha2::{Digest as _, Sha256};

use super::folder::BUFFER;

/// Bytes of the beginning that are looked at again in the end.
const FIRST_BLOCK: usize = 64 * 1024;

/// The hash of what a file held so far.
///
/// A recorder may go back and mend the header of its file (MP4 does). The beginning is therefore
/// kept apart and compared in the end; a file that was mended is hashed anew.
#[derive(Debug, Clone)]
pub(crate) struct Hashing {
    sha256: Sha256,
    bytes: u64,
    first: Sha256,
    first_bytes: usize,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        Self { sha256: Sha256::new(), bytes: 0, first: Sha256::new(), first_bytes: 0 }
    }

    /// Bytes hashed.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hashes everything that `source` has, and writes it to `copy`.
    pub(super) fn read_on(
        &mut self,
        source: &mut impl Read,
        copy: &mut impl Write,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return copy.flush(),
                Ok(read) => {
                    copy.write_all(&buffer[..read])?;
                    self.update(&buffer[..read]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        let first = &bytes[..bytes.len().min(FIRST_BLOCK - self.first_bytes)];
        self.first.update(first);
        self.first_bytes += first.len();
    }

    /// How much of the beginning [`Self::is_first_block`] compares.
    pub(super) const fn first_block_bytes(&self) -> usize {
        self.first_bytes
    }

    /// Whether the file began like this when it was hashed.
    pub(super) fn is_first_block(&self, block: &[u8]) -> bool {
        sha256(block) == Hash::from_bytes(self.first.clone().finalize().into())
    }

    pub(crate) fn finish(self) -> Hash {
        Hash::from_bytes(self.sha256.finalize().into())
    }
}

//! The hub's secrets. One root is kept; each purpose has a key of its own that follows from it, so
//! that a token can never pass for an anchor and every node of a city derives the same.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use onscene_sync_core::crypto::SoftwareEd25519;
use thiserror::Error;

/// Name of the root secret's file inside the data folder.
pub const ROOT_SECRET_FILE: &str = "hub.secret";

/// The 32 bytes from which every key of the hub follows. `Debug` does not show them.
pub struct RootSecret([u8; 32]);

/// The root secret could not be had.
#[derive(Debug, Error)]
pub enum RootSecretError {
    /// The file could not be read or written.
    #[error("{path}: {source}: the hub's secret must be readable and writable by the server alone")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this program writes.
    #[error(
        "{path} does not hold 64 hexadecimal digits: restore it from the backup; \
         with another secret every phone has to be enrolled again"
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl RootSecret {
    /// Takes 32 uniformly random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads `<data>/hub.secret`, or writes `fresh` there (mode 0600) when there is none.
    ///
    /// # Errors
    /// When the file can neither be read nor created, or holds something else.
    pub fn load_or_create(data: &Path, fresh: [u8; 32]) -> Result<Self, RootSecretError> {
        let path = data.join(ROOT_SECRET_FILE);
        let io = |source| RootSecretError::Io { path: path.clone(), source };
        match write_private(&path, &hex(&fresh)) {
            Ok(()) => return Ok(Self(fresh)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        let mut text = String::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(128).read_to_string(&mut text))
            .map_err(io)?;
        let root: onscene_sync_core::id::Hash =
            text.trim().parse().map_err(|_| RootSecretError::Malformed { path })?;
        Ok(Self(*root.as_bytes()))
    }

    /// The key for one purpose: HKDF-Expand (RFC 5869) of one block, the label as its info.
    fn derive(&self, label: &str) -> [u8; 32] {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let block = hmac::sign(&root, &[label.as_bytes(), &[1]].concat());
        block.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }
}

impl fmt::Debug for RootSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootSecret(…)")
    }
}

/// Writes a new file that only its owner can read, and makes sure that it is on the disk.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8; 32]) -> String {
    onscene_sync_core::id::Hash::from_bytes(*bytes).to_string()
}

/// Every key that the hub works with.
pub struct HubKeys {
    /// Signs access tokens (Ed25519 seed).
    pub(super) token_seed: [u8; 32],
    /// Makes DPoP nonces.
    pub(super) nonce: hmac::Key,
    /// Hashes enrolment codes, so that a copy of the database alone cannot be searched for them.
    pub(super) code: hmac::Key,
    /// Signs anchors and the hub's facts.
    pub anchor: SoftwareEd25519,
}

impl HubKeys {
    /// Derives them all.
    #[must_use]
    pub fn derive(root: &RootSecret) -> Self {
        let mac = |label| hmac::Key::new(hmac::HMAC_SHA256, &root.derive(label));
        Self {
            token_seed: root.derive("onscene access token v1"),
            nonce: mac("onscene dpop nonce v1"),
            code: mac("onscene enrolment code v1"),
            anchor: SoftwareEd25519::from_seed(&root.derive("onscene anchor v1")),
        }
    }
}

impl fmt::Debug for HubKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_written_once_and_read_back() {
        let data = tempfile::tempdir().expect("a folder");
        let first = RootSecret::load_or_create(data.path(), [7; 32]).expect("created");
        let second = RootSecret::load_or_create(data.path(), [8; 32]).expect("read");
        assert_eq!(first.0, second.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(data.path().join(ROOT_SECRET_FILE)).expect("a file");
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_secret_is_named_and_not_replaced() {
        let data = tempfile::tempdir().expect("a folder");
        let path = data.path().join(ROOT_SECRET_FILE);
        std::fs::write(&path, "half a sec").expect("written");
        let error = RootSecret::load_or_create(data.path(), [8; 32]).expect_err("damaged");
        assert!(error.to_string().contains("restore it from the backup"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), "half a sec");
    }

    #[test]
    fn each_purpose_has_its_own_key() {
        let root = RootSecret::new([1; 32]);
        let keys = HubKeys::derive(&root);
        assert_ne!(
            keys.anchor.public_key(),
            SoftwareEd25519::from_seed(&keys.token_seed).public_key()
        );
        assert_eq!(keys.anchor.public_key(), HubKeys::derive(&root).anchor.public_key());
        // RFC 5869, HKDF-Expand with one block: HMAC(root, info ‖ 0x01).
        let expected = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]),
            b"onscene access token v1\x01",
        );
        assert_eq!(keys.token_seed.as_slice(), expected.as_ref());
    }
}

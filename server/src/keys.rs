//! The hub's own keys: one signs facts and anchors, one access tokens, one opens what phones that
//! lost their key hand in; those of the vault.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::SoftwareEd25519;
use onscene_sync_core::recovery::offer::{self, RecoverySecret};
use thiserror::Error;

use crate::random::{self, Random};
use crate::vault::keys::VaultKeys;

/// A key file that cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a seed.
    #[error("{0}: expected 64 lower-case hexadecimal digits (32 bytes)")]
    Malformed(PathBuf),
    /// Others can read it.
    #[error("{0}: other users can read this private key: `chmod 600` it")]
    Exposed(PathBuf),
    /// Where keys are given by configuration, none is made.
    #[error("{0}: no such key. `keys.dir` is set, so keys are never made here: put them there")]
    Missing(PathBuf),
}

/// The hub's keys. `Debug` does not show them.
pub struct Keys {
    /// Signs hub facts and anchors.
    pub facts: SoftwareEd25519,
    /// Seed of the key that signs access tokens.
    pub token_seed: [u8; 32],
    /// Opens the keys of phones' stores (see [`onscene_sync_core::recovery`]).
    pub recovery: RecoverySecret,
    /// The keys to complainants.
    pub vault: VaultKeys,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Reads `facts.seed`, `token.seed`, `recovery.seed` and the vault's keys from `dir`; with `make`,
    /// absent ones are made first.
    ///
    /// # Errors
    /// When a file is absent (without `make`), unreadable, malformed or readable by others.
    pub fn open(dir: &Path, make: bool, random: &dyn Random) -> Result<Self, KeyError> {
        if make {
            make_private_dir(dir).map_err(at(dir))?;
        }
        let seed = |name| read_or_make(&dir.join(name), make, random);
        let facts = SoftwareEd25519::from_seed(&seed("facts.seed")?);
        let token_seed = seed("token.seed")?;
        let recovery = RecoverySecret::from_seed(&seed("recovery.seed")?);
        let vault = VaultKeys::open(dir, make, random)?;
        Ok(Self { facts, token_seed, recovery, vault })
    }

    /// Keys from chance alone, for tests.
    #[must_use]
    pub fn ephemeral(random: &dyn Random) -> Self {
        let facts = SoftwareEd25519::from_seed(&random::bytes(random));
        let token_seed = random::bytes(random);
        let recovery = RecoverySecret::from_seed(&random::bytes(random));
        let vault = VaultKeys::ephemeral(&token_seed);
        Self { facts, token_seed, recovery, vault }
    }

    /// The public recovery key as phones get it: signed, base64url.
    #[must_use]
    pub fn recovery_offer(&self) -> String {
        let offer = offer::seal(&self.recovery.public(), &self.facts);
        URL_SAFE_NO_PAD.encode(offer.expect("a key in memory signs"))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    |source| KeyError::Io { path, source }
}

/// Reads a secret of 32 bytes that only its owner can read; with `make`, an absent one is made first.
pub(crate) fn read_or_make(
    path: &Path,
    make: bool,
    random: &dyn Random,
) -> Result<[u8; 32], KeyError> {
    match parse_file(path)? {
        Some(secret) => Ok(secret),
        None if make => {
            let secret = random::bytes(random);
            write_secret(path, &secret)?;
            Ok(secret)
        }
        None => Err(KeyError::Missing(path.to_owned())),
    }
}

/// The secret in a file; `None` when there is no such file.
fn parse_file(path: &Path) -> Result<Option<[u8; 32]>, KeyError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let secret = parse_seed(text.trim_end());
    secret.map(Some).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

/// Reads a secret of 32 bytes.
pub(crate) fn read_secret(path: &Path) -> Result<[u8; 32], KeyError> {
    parse_file(path)?.ok_or_else(|| KeyError::Missing(path.to_owned()))
}

/// Writes a new secret of 32 bytes.
pub(crate) fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), KeyError> {
    write_private(path, &to_text(secret)).map_err(at(path))
}

/// Writes a new file that only its owner can read, and makes sure that it is on the disk. It is
/// there whole or not at all, wherever the program is stopped.
///
/// # Errors
/// When it exists already or cannot be written.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    let written = write_draft(&draft, text).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    written.and(removed)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => fs::File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    // A stopped process of the same number may have left one.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// Makes a folder, and those above it, that only its owner can enter. One that is there stays as it
/// is.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes an empty file that only its owner can read, unless there is a file.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_file(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn to_text(seed: &[u8; 32]) -> String {
    onscene_sync_core::id::Hash::from_bytes(*seed).to_string()
}

fn parse_seed(text: &str) -> Option<[u8; 32]> {
    text.parse::<onscene_sync_core::id::Hash>().ok().map(|hash| *hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn keys_are_made_once_privately_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        let first = Keys::open(&dir, true, &SeededRandom::new(1)).unwrap();
        let again = Keys::open(&dir, false, &SeededRandom::new(2)).unwrap();
        assert_eq!(first.facts.public_key(), again.facts.public_key());
        assert_eq!(first.token_seed, again.token_seed);
        let mode = fs::metadata(dir.join("token.seed")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(
            SoftwareEd25519::from_seed(&first.token_seed).public_key(),
            first.facts.public_key(),
            "one key for each purpose"
        );
    }

    #[test]
    fn a_key_that_is_absent_malformed_or_exposed_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let refused =
            || Keys::open(dir.path(), false, &SeededRandom::new(1)).unwrap_err().to_string();
        assert!(refused().contains("facts.seed: no such key"));
        let file = dir.path().join("facts.seed");
        write_private(&file, "not a seed").unwrap();
        assert!(refused().contains("64 lower-case hexadecimal"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused().contains("chmod 600"));
    }

    #[test]
    fn a_private_file_is_never_replaced_nor_left_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let left = dir.path().join(format!("secret.{}.new", std::process::id()));
        fs::write(&left, "half of a dra").unwrap();
        write_private(&file, "first").unwrap();
        let again = write_private(&file, "second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "first\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn keys_do_not_show_when_printed() {
        let keys = Keys::ephemeral(&SeededRandom::new(1));
        assert_eq!(format!("{keys:?}"), "Keys(…)");
    }
}

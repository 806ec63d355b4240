//! The folder that plays the phone's storage: its key, its database, its switch for the network.
//!
//! | file | holds |
//! |---|---|
//! | `key` | the phone's P-256 key, 64 hexadecimal digits, readable by its owner only |
//! | `phone.db` | the device library's store: documents, outbox, intents |
//! | `offline` | is there while the phone is offline |
//!
//! A real phone keeps the key in secure hardware; here a copy of the folder is a cloned phone.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use onscene_mobile::SoftwareKeys;
use onscene_sync_core::id::Hash;
use thiserror::Error;

use crate::keys::write_private;
use crate::random::{self, Random};

/// A folder that cannot play a phone.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file holds something else.
    #[error("{0}: expected a P-256 key of 64 lower-case hexadecimal digits")]
    NotAKey(PathBuf),
    /// Others can read the key.
    #[error("{0}: other users can read this private key: `chmod 600` it")]
    Exposed(PathBuf),
    /// There is no phone in it yet.
    #[error("{0}: no phone here: enrol one with `onscene phone enrol --server URL --code CODE`")]
    NoPhone(PathBuf),
}

/// The folder of one phone.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of a phone that exists.
    ///
    /// # Errors
    /// When there is no phone in it.
    pub fn existing(dir: &Path) -> Result<Self, FolderError> {
        let folder = Self(dir.to_owned());
        if folder.key_path().is_file() { Ok(folder) } else { Err(FolderError::NoPhone(folder.0)) }
    }

    /// The folder of a phone, made private and given a key where there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn make(dir: &Path, random: &dyn Random) -> Result<Self, FolderError> {
        let folder = Self(dir.to_owned());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let path = folder.key_path();
        if !path.exists() {
            let scalar = std::iter::repeat_with(|| random::bytes(random))
                .find(|scalar| SoftwareKeys::from_scalar(scalar).is_some())
                .expect("nearly every 32 bytes are a key");
            write_private(&path, &Hash::from_bytes(scalar).to_string()).map_err(at(&path))?;
        }
        Ok(folder)
    }

    /// The phone's keys.
    ///
    /// # Errors
    /// When it cannot be read, is not a key, or others can read it.
    pub fn keys(&self) -> Result<SoftwareKeys, FolderError> {
        let path = self.key_path();
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let mode = fs::metadata(&path).map_err(at(&path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(FolderError::Exposed(path));
        }
        text.trim_end()
            .parse::<Hash>()
            .ok()
            .and_then(|scalar| SoftwareKeys::from_scalar(scalar.as_bytes()))
            .ok_or(FolderError::NotAKey(path))
    }

    /// Where the device library keeps its store.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.0.join("phone.db")
    }

    /// Whether the network is switched off.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline_path().exists()
    }

    /// Switches the network off or on.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn set_offline(&self, offline: bool) -> Result<(), FolderError> {
        let path = self.offline_path();
        let done = if offline { fs::write(&path, "") } else { fs::remove_file(&path) };
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !offline => Ok(()),
            done => done.map_err(at(&path)),
        }
    }

    fn key_path(&self) -> PathBuf {
        self.0.join("key")
    }

    fn offline_path(&self) -> PathBuf {
        self.0.join("offline")
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| FolderError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use onscene_mobile::KeyStore as _;

    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_phone_keeps_its_key_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("phone");
        assert!(matches!(Folder::existing(&dir), Err(FolderError::NoPhone(_))));
        let key = Folder::make(&dir, &SeededRandom::new(1)).unwrap().keys().unwrap();
        let again = Folder::make(&dir, &SeededRandom::new(2)).unwrap().keys().unwrap();
        assert_eq!(key.public_key(), again.public_key(), "a key is made once");
        fs::set_permissions(dir.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = Folder::existing(&dir).unwrap().keys();
        assert!(matches!(exposed, Err(FolderError::Exposed(_))));
    }

    #[test]
    fn a_garbled_key_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path(), &SeededRandom::new(1)).unwrap();
        for text in ["", "zz", &"0".repeat(64)] {
            fs::write(dir.path().join("key"), text).unwrap();
            assert!(matches!(folder.keys(), Err(FolderError::NotAKey(_))), "{text}");
        }
    }

    #[test]
    fn the_network_switch_may_be_turned_twice() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path(), &SeededRandom::new(1)).unwrap();
        for offline in [true, true, false, false] {
            folder.set_offline(offline).unwrap();
            assert_eq!(folder.is_offline(), offline);
        }
    }
}

//! The master keys and the key that recognises callers: files beside the hub's other keys, apart
//! from the database and its backups.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::privacy::normal_number;

use super::VaultError;
use super::seal::Key;
use crate::keys::{KeyError, read_or_make, read_secret, write_secret};
use crate::random::{self, Random};

/// Name of the key that recognises callers.
const CALLERS: &str = "callers.key";

/// The vault's keys. `Debug` does not show them.
pub struct VaultKeys {
    /// Where new ones appear; `None` in tests.
    dir: Option<PathBuf>,
    masters: RwLock<BTreeMap<u32, Key>>,
    callers: hmac::Key,
}

impl fmt::Debug for VaultKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKeys(…)")
    }
}

fn file_of(dir: &Path, generation: u32) -> PathBuf {
    dir.join(format!("vault.{generation}.key"))
}

impl VaultKeys {
    /// Reads `vault.<generation>.key` and `callers.key` from `dir`; with `make`, absent ones are
    /// made first.
    ///
    /// # Errors
    /// When a file is absent (without `make`), unreadable, malformed or readable by others.
    pub fn open(dir: &Path, make: bool, random: &dyn Random) -> Result<Self, KeyError> {
        let mut masters = found(dir)?;
        if masters.is_empty() {
            masters.insert(1, Key::from_bytes(read_or_make(&file_of(dir, 1), make, random)?));
        }
        let callers = read_or_make(&dir.join(CALLERS), make, random)?;
        Ok(Self {
            dir: Some(dir.to_owned()),
            masters: RwLock::new(masters),
            callers: hmac::Key::new(hmac::HMAC_SHA256, &callers),
        })
    }

    /// Keys that follow from a seed and lie in no file, for tests.
    #[must_use]
    pub fn ephemeral(seed: &[u8; 32]) -> Self {
        let key = |name: &[u8]| *sha256(&[&seed[..], name].concat()).as_bytes();
        Self {
            dir: None,
            masters: RwLock::new([(1, Key::from_bytes(key(b"master")))].into()),
            callers: hmac::Key::new(hmac::HMAC_SHA256, &key(b"callers")),
        }
    }

    /// The master key of a generation; looks for it among the files if it is new.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn master(&self, generation: u32) -> Result<Key, VaultError> {
        let held = |keys: &Self| {
            let masters = keys.masters.read().unwrap_or_else(PoisonError::into_inner);
            masters.get(&generation).cloned()
        };
        if let Some(key) = held(self) {
            return Ok(key);
        }
        if let Some(dir) = &self.dir {
            match found(dir) {
                Ok(masters) => {
                    *self.masters.write().unwrap_or_else(PoisonError::into_inner) = masters;
                }
                Err(error) => tracing::error!(%error, "the vault's keys cannot be read"),
            }
        }
        held(self).ok_or(VaultError::NoKey(generation))
    }

    /// The newest generation among the files.
    #[must_use]
    pub fn newest(&self) -> u32 {
        let masters = self.masters.read().unwrap_or_else(PoisonError::into_inner);
        masters.last_key_value().map_or(0, |(generation, _)| *generation)
    }

    /// Makes the master key of a generation.
    ///
    /// # Errors
    /// When its file exists or cannot be written.
    pub fn make(&self, generation: u32, random: &dyn Random) -> Result<(), KeyError> {
        let bytes: [u8; 32] = random::bytes(random);
        if let Some(dir) = &self.dir {
            write_secret(&file_of(dir, generation), &bytes)?;
        }
        let mut masters = self.masters.write().unwrap_or_else(PoisonError::into_inner);
        masters.insert(generation, Key::from_bytes(bytes));
        Ok(())
    }

    /// The same for the same caller, and nothing else to who has not this key; `None` without a
    /// number.
    #[must_use]
    pub fn caller(&self, number: &str) -> Option<Vec<u8>> {
        let number = normal_number(number);
        (!number.is_empty()).then(|| hmac::sign(&self.callers, number.as_bytes()).as_ref().to_vec())
    }

    /// A fingerprint of what a request says about somebody, which tells nothing to others.
    #[must_use]
    pub fn fingerprint(&self, text: &[u8]) -> Vec<u8> {
        hmac::sign(&self.callers, &[b"request", text].concat()).as_ref().to_vec()
    }
}

fn found(dir: &Path) -> Result<BTreeMap<u32, Key>, KeyError> {
    let io = |source| KeyError::Io { path: dir.to_owned(), source };
    let mut masters = BTreeMap::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(masters),
        Err(error) => return Err(io(error)),
    };
    for entry in entries {
        let name = entry.map_err(io)?.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix("vault.").and_then(|rest| rest.strip_suffix(".key"));
        if let Some(generation) = number.and_then(|number| number.parse::<u32>().ok()) {
            let key = read_secret(&file_of(dir, generation))?;
            masters.insert(generation, Key::from_bytes(key));
        }
    }
    Ok(masters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn keys_are_made_once_and_a_new_generation_is_seen_by_a_running_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = VaultKeys::open(dir.path(), true, &SeededRandom::new(1)).unwrap();
        let again = VaultKeys::open(dir.path(), false, &SeededRandom::new(2)).unwrap();
        assert_eq!(first.master(1).unwrap(), again.master(1).unwrap());
        assert!(matches!(first.master(2), Err(VaultError::NoKey(2))));
        again.make(2, &SeededRandom::new(3)).unwrap();
        assert_eq!(first.master(2).unwrap(), again.master(2).unwrap());
        assert_eq!((first.newest(), again.newest()), (2, 2));
        assert!(again.make(2, &SeededRandom::new(4)).is_err(), "a key is never replaced");
    }

    #[test]
    fn a_caller_is_known_by_any_spelling_of_the_number_and_only_here() {
        let [ours, theirs] = [1, 2].map(|seed| VaultKeys::ephemeral(&[seed; 32]));
        assert_eq!(ours.caller("138-1234-5678"), ours.caller("+86 13812345678"));
        assert_ne!(ours.caller("13812345678"), ours.caller("13812345679"));
        assert_ne!(ours.caller("13812345678"), theirs.caller("13812345678"));
        assert_eq!(ours.caller("unknown"), None);
    }
}

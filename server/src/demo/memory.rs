//! What a demonstration's folder remembers, so that the next run goes on from there.

use std::fs;
use std::path::{Path, PathBuf};

use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use super::error::DemoError;
use super::handset::Handset;

/// 08:00 of Monday 23 November 2026 at Jinan.
pub const FIRST_MORNING: Millis = Millis(1_795_392_000_000);
const DAY_MS: i64 = 86_400_000;

/// The memory of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Decides everything that chance decides.
    pub seed: u64,
    /// The hub's port: the phones know it.
    pub port: u16,
    /// Days that have been lived through.
    pub days: u32,
    /// The hub's clock.
    pub now: Millis,
    /// The district bureau.
    pub bureau: UnitId,
    /// The squads, as in [`SQUADS`](super::people::SQUADS).
    pub squads: Vec<UnitId>,
    /// The inspectors' phones, as in [`INSPECTORS`](super::people::INSPECTORS).
    pub phones: Vec<Remembered>,
    /// Records that the clone's storage held when it was copied, once there is a clone.
    pub copied: Option<u64>,
    /// Changes that the hostile phone has forged and sent.
    pub forged: u64,
}

/// One phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Whose.
    pub person: PersonId,
    /// Its clocks.
    pub handset: Handset,
    /// Records made on it.
    pub recorded: u64,
    /// Photos taken with it.
    #[serde(default)]
    pub taken: u64,
}

impl Memory {
    /// The memory of `dir`; `None` if nothing has happened there.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn load(dir: &Path) -> Result<Option<Self>, DemoError> {
        let path = path(dir);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| DemoError::Memory { path, why: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DemoError::Memory { path, why: error.to_string() }),
        }
    }

    /// Replaces the memory of `dir`, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), DemoError> {
        let path = path(dir);
        let new = path.with_extension("new");
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::from)
            .and_then(|bytes| fs::write(&new, bytes))
            .and_then(|()| fs::rename(&new, &path));
        written.map_err(|error| DemoError::Memory { path, why: error.to_string() })
    }

    /// When the next day begins: the first morning after now.
    #[must_use]
    pub fn next_morning(&self) -> Millis {
        if self.days == 0 {
            return FIRST_MORNING.max(self.now);
        }
        let days = self.now.since(FIRST_MORNING).div_euclid(DAY_MS) + 1;
        FIRST_MORNING.plus(days * DAY_MS)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("demo.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory {
            seed: 1,
            port: 8461,
            days: 1,
            now: FIRST_MORNING.plus(5 * 3_600_000),
            bureau: UnitId::from_bytes([1; 16]),
            squads: Vec::new(),
            phones: Vec::new(),
            copied: None,
            forged: 0,
        }
    }

    #[test]
    fn a_memory_is_kept_and_a_garbled_one_refused_with_its_mend() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Memory::load(dir.path()).unwrap(), None);
        memory().save(dir.path()).unwrap();
        assert_eq!(Memory::load(dir.path()).unwrap(), Some(memory()));
        fs::write(dir.path().join("demo.json"), "{").unwrap();
        let error = Memory::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("demo.json") && error.contains("another --dir"), "{error}");
    }

    #[test]
    fn the_next_day_begins_on_the_next_morning() {
        assert_eq!(memory().next_morning(), FIRST_MORNING.plus(DAY_MS));
        let late = Memory { now: FIRST_MORNING.plus(DAY_MS + 1), ..memory() };
        assert_eq!(late.next_morning(), FIRST_MORNING.plus(2 * DAY_MS));
        assert_eq!(Memory { days: 0, now: Millis(0), ..memory() }.next_morning(), FIRST_MORNING);
    }
}

//! The clocks of one made-up phone: a wall clock that may be wrong, a boot clock that drifts, and
//! restarts.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::BootId;
use onscene_sync_core::time::{ClockReading, Millis};
use serde::{Deserialize, Serialize};

/// What a phone's clocks show, as a function of the true time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handset {
    /// Which phone.
    pub number: u32,
    /// By how much its wall clock is off, milliseconds.
    pub wall_offset_ms: i64,
    /// By how much its boot clock is fast, parts per million (a quartz: some tens at most).
    pub drift_ppm: i32,
    /// How often it was started.
    pub boots: u32,
    /// When it was started last.
    pub booted_at: Millis,
}

impl Handset {
    /// What its clocks show at `now`.
    #[must_use]
    pub fn reading(&self, now: Millis) -> ClockReading {
        ClockReading {
            wall_ms: now.plus(self.wall_offset_ms).0,
            boot_ns: self.boot_ns(now),
            boot: self.boot(),
        }
    }

    /// What its boot clock shows at `now`, nanoseconds.
    #[must_use]
    pub fn boot_ns(&self, now: Millis) -> u64 {
        let ms = i128::from(now.since(self.booted_at).max(0));
        let ns = ms * (1_000_000 + i128::from(self.drift_ppm));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Switches it off and on again.
    pub fn restart(&mut self, now: Millis) {
        self.boots += 1;
        self.booted_at = now;
    }

    fn boot(&self) -> BootId {
        let hash = sha256(format!("handset {} boot {}", self.number, self.boots).as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        BootId::from_bytes(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handset() -> Handset {
        Handset {
            number: 3,
            wall_offset_ms: -7_200_000,
            drift_ppm: 20,
            boots: 1,
            booted_at: Millis(10_000),
        }
    }

    #[test]
    fn a_wrong_wall_clock_does_not_touch_the_boot_clock() {
        let reading = handset().reading(Millis(1_010_000));
        assert_eq!(reading.wall_ms, 1_010_000 - 7_200_000);
        assert_eq!(reading.boot_ns, 1_000_020_000_000, "1000 s and 20 ppm of it");
    }

    #[test]
    fn a_restart_begins_the_boot_clock_anew_under_another_id() {
        let mut handset = handset();
        let before = handset.reading(Millis(1_010_000));
        handset.restart(Millis(1_020_000));
        let after = handset.reading(Millis(1_021_000));
        assert_ne!(before.boot, after.boot);
        assert_eq!(after.boot_ns, 1_000_020_000);
    }
}

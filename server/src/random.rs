//! The only drawer of chance, and a seeded one for tests and simulations.

use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};

use onscene_sync_core::time::Millis;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Where the hub's randomness comes from.
pub trait Random: Send + Sync + Debug {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A UUID of version 7 (RFC 9562): ids made later sort later, which keeps indexes compact.
#[must_use]
pub fn uuid_v7(random: &dyn Random, now: Millis) -> [u8; 16] {
    let ms = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &bytes(random)).into_uuid().into_bytes()
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system always has randomness once booted");
    }
}

/// ChaCha20 from a seed: the same seed gives the same hub.
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// A generator that starts at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

impl Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats_and_another_does_not() {
        let draw = |seed| {
            let random = SeededRandom::new(seed);
            (bytes::<16>(&random), bytes::<16>(&random))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7).0, draw(7).1);
    }

    #[test]
    fn ids_made_later_sort_later() {
        let random = SeededRandom::new(1);
        let ids: Vec<_> =
            (0..50).map(|n| uuid_v7(&random, Millis(1_700_000_000_000 + n))).collect();
        assert!(ids.is_sorted());
        assert_eq!(uuid::Uuid::from_bytes(ids[0]).get_version_num(), 7);
    }

    #[test]
    fn the_system_never_repeats() {
        assert_ne!(bytes::<32>(&SystemRandom), bytes::<32>(&SystemRandom));
    }
}

//! The only reader of the wall clock, and a clock that tests turn by hand.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use onscene_sync_core::time::Millis;

/// Where the hub's time comes from.
pub trait Clock: Send + Sync + Debug {
    /// This moment.
    fn now(&self) -> Millis;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Millis {
        let now = SystemTime::now();
        let ms = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Millis(ms)
    }
}

/// A clock that stands still until it is turned. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock standing at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// Turns the clock to `now`, forward or back.
    pub fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Turns the clock by `span_ms` milliseconds and returns what it then shows.
    pub fn advance(&self, span_ms: i64) -> Millis {
        Millis(self.0.fetch_add(span_ms, Ordering::SeqCst).saturating_add(span_ms))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_its_clones_agree() {
        let clock = ManualClock::at(Millis(5));
        let seen_by_the_hub: Arc<dyn Clock> = Arc::new(clock.clone());
        assert_eq!(seen_by_the_hub.now(), Millis(5));
        assert_eq!(clock.advance(10), Millis(15));
        assert_eq!(seen_by_the_hub.now(), Millis(15));
        clock.set(Millis(-1));
        assert_eq!(seen_by_the_hub.now(), Millis(-1));
    }

    #[test]
    fn the_system_clock_is_in_this_century() {
        let year_2020 = Millis(1_577_836_800_000);
        let year_2100 = Millis(4_102_444_800_000);
        assert!((year_2020..year_2100).contains(&SystemClock.now()));
    }
}

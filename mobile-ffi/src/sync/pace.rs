//! When to try again. Kept in memory only: an app that was started anew may try at once.

use onscene_sync_core::id::BootId;
use onscene_sync_core::limits::PUSH_CHANGES;
use onscene_sync_core::time::ClockReading;

use super::http::WaitReason;

/// The shortest pause after a failure, milliseconds.
const SHORTEST_MS: u64 = 100;
/// The longest pause after failures, milliseconds.
const LONGEST_MS: u64 = 30_000;
/// The longest pause that a server may ask for, milliseconds.
const LONGEST_ASKED_MS: u64 = 3_600_000;
/// How long an answer may take, milliseconds.
pub(crate) const DEADLINE_MS: u64 = 60_000;

/// The rhythm of sync.
#[derive(Debug)]
pub(crate) struct Pace {
    /// There is a reason to sync beside what waits in the store.
    pub(crate) due: bool,
    /// Changes in one request, lowered when the server found one too large.
    pub(crate) max_changes: usize,
    pub(crate) backoff: Backoff,
    in_flight: Option<(u64, Moment)>,
}

/// Pauses after failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    longest_ms: u64,
    failures: u32,
    pause: Option<(Moment, WaitReason)>,
}

/// A moment of the boot clock.
#[derive(Debug, Clone, Copy)]
struct Moment {
    boot: BootId,
    boot_ns: u64,
}

impl Moment {
    fn after(now: &ClockReading, ms: u64) -> Self {
        Self { boot: now.boot, boot_ns: now.boot_ns.saturating_add(ms.saturating_mul(1_000_000)) }
    }

    /// Milliseconds until then; none when it has passed or the phone was started anew.
    fn left(self, now: &ClockReading) -> Option<u64> {
        let left_ns = self.boot_ns.checked_sub(now.boot_ns).filter(|left| *left > 0)?;
        (self.boot == now.boot).then(|| left_ns.div_ceil(1_000_000))
    }
}

impl Pace {
    pub(crate) const fn new() -> Self {
        let backoff = Backoff::up_to(LONGEST_MS);
        Self { due: true, max_changes: PUSH_CHANGES, backoff, in_flight: None }
    }

    /// How long to wait, and why; `None` when a request may go.
    pub(crate) fn wait(&self, now: &ClockReading) -> Option<(u64, WaitReason)> {
        let in_flight = self.in_flight.and_then(|(_, until)| until.left(now));
        in_flight.map(|ms| (ms, WaitReason::InFlight)).or_else(|| self.backoff.wait(now))
    }

    /// A request leaves.
    pub(crate) fn sent(&mut self, id: u64, now: &ClockReading) {
        self.in_flight = Some((id, Moment::after(now, DEADLINE_MS)));
    }

    /// The request has been answered or has failed.
    pub(crate) fn landed(&mut self, id: u64) {
        if self.in_flight.is_some_and(|(sent, _)| sent == id) {
            self.in_flight = None;
        }
    }

    /// The person asked to try now.
    pub(crate) fn hurry(&mut self) {
        self.due = true;
        self.backoff.hurry();
    }
}

impl Backoff {
    /// Pauses that grow up to so many milliseconds.
    pub(crate) const fn up_to(longest_ms: u64) -> Self {
        Self { longest_ms, failures: 0, pause: None }
    }

    /// How long to wait, and why.
    pub(crate) fn wait(&self, now: &ClockReading) -> Option<(u64, WaitReason)> {
        let (until, why) = self.pause?;
        Some((until.left(now)?, why))
    }

    /// What was tried has worked.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.pause = None;
    }

    /// Pause after a failure: anything from the shortest up to a bound that doubles each time
    /// ("full jitter"), so that phones that failed together do not come back together.
    pub(crate) fn failed(&mut self, now: &ClockReading, chance: [u8; 8]) {
        let bound = SHORTEST_MS.saturating_mul(1 << self.failures.min(30)).min(self.longest_ms);
        self.failures = self.failures.saturating_add(1);
        let ms = SHORTEST_MS + u64::from_be_bytes(chance) % (bound - SHORTEST_MS + 1);
        self.pause = Some((Moment::after(now, ms), WaitReason::Backoff));
    }

    /// Pause because the server said so.
    pub(crate) fn asked(&mut self, now: &ClockReading, ms: u64, why: WaitReason) {
        let ms = ms.clamp(SHORTEST_MS, LONGEST_ASKED_MS);
        self.pause = Some((Moment::after(now, ms), why));
    }

    /// The person asked to try now.
    pub(crate) fn hurry(&mut self) {
        if matches!(self.pause, Some((_, WaitReason::Backoff))) {
            self.pause = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> ClockReading {
        ClockReading { wall_ms: 0, boot_ns: ms * 1_000_000, boot: BootId::from_bytes([1; 8]) }
    }

    proptest! {
        #[test]
        fn pauses_grow_to_half_a_minute_and_end(chances in prop::collection::vec(any::<[u8; 8]>(), 1..40)) {
            let mut pace = Backoff::up_to(LONGEST_MS);
            let mut now = 1_000;
            for (n, chance) in chances.into_iter().enumerate() {
                pace.failed(&at(now), chance);
                let (ms, why) = pace.wait(&at(now)).expect("a pause");
                prop_assert_eq!(why, WaitReason::Backoff);
                prop_assert!((100..=30_000).contains(&ms));
                prop_assert!(ms <= 100 << n.min(20));
                prop_assert_eq!(pace.wait(&at(now + ms)), None);
                now += ms;
            }
        }
    }

    #[test]
    fn the_whole_range_is_drawn_from() {
        let mut pace = Backoff::up_to(LONGEST_MS);
        (0..10).for_each(|_| pace.failed(&at(0), [0; 8]));
        assert_eq!(pace.wait(&at(0)), Some((100, WaitReason::Backoff)));
        pace.failed(&at(0), 29_900_u64.to_be_bytes());
        assert_eq!(pace.wait(&at(0)), Some((30_000, WaitReason::Backoff)));
        pace.succeeded();
        pace.failed(&at(0), [0xff; 8]);
        assert_eq!(pace.wait(&at(0)), Some((100, WaitReason::Backoff)), "it starts over");
    }

    #[test]
    fn a_reboot_or_an_answer_ends_the_wait() {
        let mut pace = Pace::new();
        pace.sent(7, &at(0));
        assert_eq!(pace.wait(&at(1)), Some((DEADLINE_MS - 1, WaitReason::InFlight)));
        let rebooted = ClockReading { boot: BootId::from_bytes([2; 8]), ..at(1) };
        assert_eq!(pace.wait(&rebooted), None);
        pace.landed(6);
        assert!(pace.wait(&at(1)).is_some());
        pace.landed(7);
        assert_eq!(pace.wait(&at(1)), None);
    }

    #[test]
    fn haste_does_not_override_the_server() {
        let mut pace = Pace::new();
        pace.backoff.asked(&at(0), 5_000, WaitReason::ServerBusy);
        pace.hurry();
        assert_eq!(pace.wait(&at(0)), Some((5_000, WaitReason::ServerBusy)));
        pace.backoff.asked(&at(0), u64::MAX, WaitReason::ServerBusy);
        assert_eq!(pace.wait(&at(0)), Some((3_600_000, WaitReason::ServerBusy)));
    }
}

//! The rhythm of the lane. Kept in memory only: an app that was started anew may try at once.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::time::ClockReading;

use super::answer::Outcome;
use super::{Open, Step};
use crate::sync::{Backoff, DEADLINE_MS, WaitReason};

/// The smallest part, bytes.
pub(super) const SMALLEST: u64 = 64 * 1024;
/// The first part, bytes.
const FIRST: u64 = 256 * 1024;
/// The largest part, bytes.
const LARGEST: u64 = 4 * 1024 * 1024;
/// A part that took less than this may be followed by a larger one, milliseconds.
const QUICK_MS: u64 = 4_000;
/// A part that took more than this is followed by a smaller one, milliseconds.
const SLOW_MS: u64 = 20_000;
/// The longest pause of the lane after failures, milliseconds.
const LONGEST_MS: u64 = 30_000;
/// The longest pause of a file that was set aside, milliseconds.
const LONGEST_ASIDE_MS: u64 = 6 * 3_600_000;
/// Requests that may follow each other at once while no file moves on: an address, a fresh proof, a
/// question how far the hub came.
const IDLE_STEPS: u32 = 6;
/// How long to leave it to sync to fetch a token, milliseconds.
pub(super) const SYNC_PAUSE_MS: u64 = 1_000;

/// Pauses, parts, and which files were looked at.
#[derive(Debug)]
pub(crate) struct Lane {
    backoff: Backoff,
    /// Files that wait for themselves, so that one of them holds nothing up.
    aside: BTreeMap<i64, Backoff>,
    /// How often each file went unanswered: the others go first.
    unanswered: BTreeMap<i64, u32>,
    /// Files that were found to be what their facts say.
    looked_at: BTreeSet<i64>,
    /// Bytes of the next part.
    part: u64,
    /// Requests since the last that moved a file on.
    idle_steps: u32,
}

/// Milliseconds until a request that left at `sent` has had its time.
pub(super) fn left(sent: &ClockReading, now: &ClockReading) -> Option<u64> {
    let until = sent.boot_ns.saturating_add(DEADLINE_MS * 1_000_000);
    let left_ns = until.checked_sub(now.boot_ns).filter(|left| *left > 0)?;
    (sent.boot == now.boot).then(|| left_ns.div_ceil(1_000_000).min(DEADLINE_MS))
}

impl Lane {
    pub(crate) const fn new() -> Self {
        Self {
            backoff: Backoff::up_to(LONGEST_MS),
            aside: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            looked_at: BTreeSet::new(),
            part: FIRST,
            idle_steps: 0,
        }
    }

    /// How long the whole lane waits.
    pub(super) fn pause(&self, now: &ClockReading) -> Option<(u64, WaitReason)> {
        self.backoff.wait(now)
    }

    /// How long one file waits.
    pub(super) fn wait(&self, n: i64, now: &ClockReading) -> Option<(u64, WaitReason)> {
        self.aside.get(&n)?.wait(now)
    }

    /// The queue with those behind that went unanswered most often.
    pub(super) fn in_turn(&self, mut queue: Vec<i64>) -> Vec<i64> {
        queue.sort_by_key(|n| self.unanswered.get(n).copied().unwrap_or(0));
        queue
    }

    /// Bytes of the next part.
    pub(super) const fn part(&self) -> u64 {
        self.part
    }

    pub(super) fn was_looked_at(&self, n: i64) -> bool {
        self.looked_at.contains(&n)
    }

    pub(super) fn note_looked_at(&mut self, n: i64) {
        self.looked_at.insert(n);
    }

    /// Sets a file aside, longer each time.
    pub(super) fn set_aside(&mut self, n: i64, now: &ClockReading, chance: [u8; 8]) {
        self.looked_at.remove(&n);
        let aside = self.aside.entry(n).or_insert_with(|| Backoff::up_to(LONGEST_ASIDE_MS));
        aside.failed(now, chance);
    }

    /// The person asked to try now.
    pub(super) fn hurry(&mut self) {
        self.backoff.hurry();
        self.aside.clear();
        self.unanswered.clear();
    }

    /// No answer came.
    pub(super) fn unanswered(&mut self, open: &Open, now: &ClockReading, chance: [u8; 8]) {
        *self.unanswered.entry(open.n).or_default() += 1;
        if let Step::Append(..) = open.step {
            self.halve();
        }
        self.backoff.failed(now, chance);
    }

    /// Goes on from an answer.
    pub(super) fn follow(
        &mut self,
        open: &Open,
        outcome: Outcome,
        now: &ClockReading,
        chance: [u8; 8],
    ) {
        match outcome {
            Outcome::Moved => {
                self.moved(open, now);
                return;
            }
            Outcome::Next | Outcome::Token | Outcome::Damaged if self.idle_steps < IDLE_STEPS => {
                self.idle_steps += 1;
                if outcome == Outcome::Damaged {
                    self.looked_at.remove(&open.n);
                }
                return;
            }
            Outcome::Next | Outcome::Token | Outcome::Damaged | Outcome::Aside => {}
            Outcome::TooLarge => self.halve(),
            Outcome::Broken => self.backoff.failed(now, chance),
            Outcome::Asked { ms, why } => {
                self.backoff.asked(now, ms, why);
                return;
            }
        }
        self.idle_steps = 0;
        self.set_aside(open.n, now, chance);
    }

    fn moved(&mut self, open: &Open, now: &ClockReading) {
        self.idle_steps = 0;
        self.backoff.succeeded();
        self.aside.remove(&open.n);
        self.unanswered.remove(&open.n);
        let Step::Append(_, length) = open.step else { return };
        if open.clock.boot != now.boot {
            return;
        }
        let ms = now.boot_ns.saturating_sub(open.clock.boot_ns) / 1_000_000;
        if ms > SLOW_MS {
            self.halve();
        } else if ms < QUICK_MS && length >= self.part {
            self.part = (self.part * 2).min(LARGEST);
        }
    }

    fn halve(&mut self) {
        self.part = (self.part / 2).max(SMALLEST);
    }
}

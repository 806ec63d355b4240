//! A phone as a witness: it keeps the checkpoints that it was shown, and a log that does not go on
//! from them does not pass.

use minicbor::{Decode, Encode};

use super::checkpoint::SignedCheckpoint;
use super::tree;
use crate::id::Hash;

/// A checkpoint that the phone does not have, on its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct News {
    /// The hub's newest.
    #[n(0)]
    pub checkpoint: SignedCheckpoint,
    /// That its log begins with the one whose [`Mark`] the request named.
    #[n(1)]
    pub proof: Vec<Hash>,
}

/// Which checkpoint a phone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Mark {
    /// Its epoch.
    #[n(0)]
    pub epoch: u32,
    /// Its size.
    #[n(1)]
    pub size: u64,
}

/// A checkpoint with the phone's wall clock when it came, Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Kept {
    /// When.
    #[n(0)]
    pub wall_ms: i64,
    /// Which.
    #[n(1)]
    pub checkpoint: SignedCheckpoint,
}

/// What a phone keeps: the newest checkpoint, and the last one of each of some days before, so that a
/// hub that was restored from a backup can still be held to what it had then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Book(#[n(0)] Vec<Kept>);

/// What a phone makes of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The log goes on from what was seen.
    Sound,
    /// The hub was restored from a backup and says so. `lost` entries that the phone has seen the
    /// checkpoint `of` are gone.
    Restored {
        /// How many.
        lost: u64,
        /// The proof that they were there.
        of: SignedCheckpoint,
    },
    /// The hub contradicts what it signed before.
    Contradicted(Contradiction),
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// The checkpoint is not signed by the hub.
    Unsigned,
    /// It is of fewer entries, or of an earlier life of the hub: entries are gone.
    RolledBack,
    /// Entries that were there are not, or are others.
    Forked,
}

/// Days of which a checkpoint is kept.
const DAYS: usize = 14;
const DAY_MS: i64 = 24 * 3_600_000;

impl Book {
    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&Kept> {
        self.0.last()
    }

    /// What a request names.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        let newest = &self.newest()?.checkpoint.checkpoint;
        Some(Mark { epoch: newest.epoch(), size: newest.size })
    }

    /// Takes in what the hub of `hub_key` sent in answer to a request that named [`Book::mark`].
    pub fn take(&mut self, news: &News, hub_key: &[u8; 32], wall_ms: i64) -> Finding {
        if !news.checkpoint.is_signed_by(hub_key) {
            return Finding::Contradicted(Contradiction::Unsigned);
        }
        let Some(seen) = self.newest().map(|kept| kept.checkpoint.clone()) else {
            self.keep(&news.checkpoint, wall_ms);
            return Finding::Sound;
        };
        let (old, new) = (&seen.checkpoint, &news.checkpoint.checkpoint);
        if !new.restores.starts_with(&old.restores) {
            return Finding::Contradicted(Contradiction::RolledBack);
        }
        let left = new.kept_since(old.epoch());
        if old.size > left {
            // The next request names what was seen of the part that is left.
            self.0.retain(|kept| {
                let kept = &kept.checkpoint.checkpoint;
                kept.size <= new.kept_since(kept.epoch())
            });
            if self.0.is_empty() {
                self.keep(&news.checkpoint, wall_ms);
            }
            return Finding::Restored { lost: old.size - left, of: seen };
        }
        if new.size < old.size {
            return Finding::Contradicted(Contradiction::RolledBack);
        }
        if !tree::extends(old.size, old.root, new.size, new.root, &news.proof) {
            return Finding::Contradicted(Contradiction::Forked);
        }
        self.keep(&news.checkpoint, wall_ms);
        Finding::Sound
    }

    /// The newest of a day takes the place of the one before it.
    fn keep(&mut self, checkpoint: &SignedCheckpoint, wall_ms: i64) {
        let day = |wall_ms: i64| wall_ms.div_euclid(DAY_MS);
        if self.0.last().is_some_and(|kept| day(kept.wall_ms) == day(wall_ms)) {
            self.0.pop();
        }
        self.0.push(Kept { wall_ms, checkpoint: checkpoint.clone() });
        let surplus = self.0.len().saturating_sub(DAYS);
        self.0.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::checkpoint::{Checkpoint, Restore};
    use crate::audit::tree::{Span, consistency, leaf, root};
    use crate::crypto::SoftwareEd25519;

    fn key() -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[7; 32])
    }

    /// A log as a hub would hold it.
    #[derive(Clone, Default)]
    struct Log {
        leaves: Vec<Hash>,
        restores: Vec<Restore>,
    }

    impl Log {
        fn grown(size: u64) -> Self {
            let leaves = (0..size).map(|n| leaf(&n.to_be_bytes())).collect();
            Self { leaves, restores: Vec::new() }
        }

        fn of(&self, span: Span) -> Hash {
            let at = |n: u64| usize::try_from(n).unwrap();
            root(span.nodes().into_iter().map(|node| {
                let mut level: Vec<Hash> = self.leaves
                    [at(node.index << node.level)..at((node.index + 1) << node.level)]
                    .to_vec();
                while level.len() > 1 {
                    level = level.chunks(2).map(|two| tree::parent(&two[0], &two[1])).collect();
                }
                level[0]
            }))
        }

        fn news(&self, mark: Option<Mark>) -> News {
            let size = self.leaves.len() as u64;
            let root = self.of(Span { from: 0, to: size });
            let checkpoint = Checkpoint { size, root, restores: self.restores.clone() };
            let from = mark.map_or(0, |mark| mark.size);
            let spans = consistency(from, size).unwrap_or_default();
            let proof = spans.into_iter().map(|span| self.of(span)).collect();
            News { checkpoint: checkpoint.sign(&key().public_key(), &key()).unwrap(), proof }
        }
    }

    fn show(book: &mut Book, log: &Log, day: i64) -> Finding {
        let news = log.news(book.mark());
        book.take(&news, &key().public_key(), day * DAY_MS)
    }

    proptest! {
        #[test]
        fn an_honest_log_always_passes(steps in prop::collection::vec((0_u64..40, 0_i64..3), 1..20)) {
            let mut book = Book::default();
            let (mut size, mut day) = (1, 0);
            for (more, days) in steps {
                size += more;
                day += days;
                prop_assert_eq!(show(&mut book, &Log::grown(size), day), Finding::Sound);
                prop_assert_eq!(book.mark(), Some(Mark { epoch: 1, size }));
            }
            prop_assert!(minicbor::to_vec(&book).unwrap().len() < 2_000);
        }

        #[test]
        fn no_log_that_was_rewritten_or_cut_passes(size in 2_u64..80, more in 0_u64..40, at in any::<prop::sample::Index>()) {
            let mut book = Book::default();
            show(&mut book, &Log::grown(size), 0);
            let before = book.clone();
            let mut forged = Log::grown(size + more);
            forged.leaves[at.index(usize::try_from(size).unwrap())] = leaf(b"rewritten");
            prop_assert_eq!(show(&mut book, &forged, 1), Finding::Contradicted(Contradiction::Forked));
            let cut = Log::grown(1 + at.index(usize::try_from(size - 1).unwrap()) as u64);
            prop_assert_eq!(show(&mut book, &cut, 1), Finding::Contradicted(Contradiction::RolledBack));
            prop_assert_eq!(book, before, "what was seen stays");
        }
    }

    #[test]
    fn a_restored_hub_that_says_so_is_told_from_one_that_does_not() {
        let mut book = Book::default();
        show(&mut book, &Log::grown(30), 1);
        show(&mut book, &Log::grown(50), 2);
        let mut restored = Log::grown(40);
        restored.leaves.extend((0_u8..30).map(|n| leaf(&[n])));
        let silent = show(&mut book.clone(), &restored, 3);
        assert_eq!(silent, Finding::Contradicted(Contradiction::Forked));
        restored.restores.push(Restore { epoch: 2, size: 40 });
        let Finding::Restored { lost: 10, of } = show(&mut book, &restored, 3) else {
            panic!("ten of the fifty are gone")
        };
        assert_eq!(of.checkpoint.size, 50);
        assert_eq!(book.mark(), Some(Mark { epoch: 1, size: 30 }), "the last that is left");
        assert_eq!(show(&mut book, &restored, 3), Finding::Sound);
        assert_eq!(book.mark(), Some(Mark { epoch: 2, size: 70 }));
        let former = Log::grown(80);
        let back = show(&mut book, &former, 4);
        assert_eq!(back, Finding::Contradicted(Contradiction::RolledBack), "no way back");
    }

    #[test]
    fn a_restore_does_not_excuse_what_the_backup_held() {
        let mut book = Book::default();
        show(&mut book, &Log::grown(30), 1);
        show(&mut book, &Log::grown(50), 2);
        let mut restored = Log::grown(60);
        restored.restores.push(Restore { epoch: 2, size: 40 });
        restored.leaves[12] = leaf(b"rewritten");
        assert!(matches!(show(&mut book, &restored, 3), Finding::Restored { .. }));
        assert_eq!(show(&mut book, &restored, 3), Finding::Contradicted(Contradiction::Forked));
    }

    #[test]
    fn a_phone_that_saw_less_than_the_backup_held_notices_nothing_but_goes_on() {
        let mut book = Book::default();
        show(&mut book, &Log::grown(30), 1);
        let mut restored = Log::grown(60);
        restored.restores.push(Restore { epoch: 2, size: 40 });
        assert_eq!(show(&mut book, &restored, 3), Finding::Sound);
    }

    #[test]
    fn a_stranger_is_not_heard() {
        let mut book = Book::default();
        let news = Log::grown(3).news(None);
        let stranger = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        let unsigned = Finding::Contradicted(Contradiction::Unsigned);
        assert_eq!(book.take(&news, &stranger, 0), unsigned);
        assert_eq!(book.newest(), None);
    }
}

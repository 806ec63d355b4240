//! Honest phones that work apart: nothing of theirs is ever refused, and all copies agree.

use onscene_sync_core::document::{Answer, DocKind, Document, DocumentError, Entry};
use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::guard::{self, Denied};

use crate::fuzz::cases;
use crate::world::{DOC, Phone};

/// SplitMix64: chance that is the same on every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % sides as u64).expect("smaller than a usize")
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// Three phones of one team, each with changes that it has yet to push.
pub(crate) struct Team {
    pub(crate) hub: Document,
    pub(crate) phones: Vec<Phone>,
    outboxes: Vec<Vec<Vec<u8>>>,
    /// Every change that was pushed, with its author's place among the phones.
    pub(crate) pushed: Vec<(usize, Vec<u8>)>,
}

impl Team {
    pub(crate) fn new() -> Self {
        let kind = DocKind::Response;
        Self {
            hub: Document::new(DOC, kind),
            phones: (1..=3).map(|number| Phone::new(number, kind)).collect(),
            outboxes: vec![Vec::new(); 3],
            pushed: Vec::new(),
        }
    }

    /// One of them does something: mostly writes, sometimes syncs.
    pub(crate) fn step(&mut self, dice: &mut Dice) {
        let who = dice.roll(3);
        match dice.roll(10) {
            0..7 => self.write(who, dice),
            7 => self.push(who),
            8 => self.pull(who),
            _ => {
                self.push(who);
                self.pull(who);
            }
        }
    }

    fn write(&mut self, who: usize, dice: &mut Dice) {
        let phone = &mut self.phones[who];
        let written = match dice.roll(4) {
            0 => Ok(phone.note("记录")),
            1 => Ok(phone.settle(dice.pick(&[Outcome::Stopped, Outcome::NotFound]))),
            2 => {
                let outcome = phone.document.outcomes().first().copied();
                phone.document.write(phone.actor, &Entry { outcome, ..Entry::default() })
            }
            _ => phone.answer(dice.pick(&["fire_lane", "noise"]), dice.pick(&Answer::ALL)),
        };
        match written {
            Ok(written) => self.outboxes[who].push(written.bytes),
            Err(error) => assert_eq!(error, DocumentError::Unchanged),
        }
    }

    pub(crate) fn push(&mut self, who: usize) {
        let changes = std::mem::take(&mut self.outboxes[who]);
        let author = self.phones[who].author();
        let run = changes.iter().map(Vec::as_slice);
        for (change, result) in changes.iter().zip(guard::admit_run(&mut self.hub, run, &author)) {
            result.expect("an honest change is admitted");
            assert_eq!(self.phones[who].push(&mut self.hub, change), Err(Denied::Duplicate));
            self.pushed.push((who, change.clone()));
        }
    }

    fn pull(&mut self, who: usize) {
        let document = &mut self.phones[who].document;
        for (_, change) in self.hub.changes_since(&document.heads()) {
            document.apply(&change).expect("the hub admitted it");
        }
    }

    pub(crate) fn meet(&mut self) {
        (0..3).for_each(|who| self.push(who));
        (0..3).for_each(|who| self.pull(who));
    }
}

#[test]
fn nothing_honest_is_refused_and_all_copies_agree() {
    let (mut changes, mut conflicts) = (0, 0);
    let seeds = cases() as u64 / 200;
    for seed in 0..seeds {
        let mut dice = Dice(seed);
        let mut team = Team::new();
        for _ in 0..60 {
            team.step(&mut dice);
            conflicts += usize::from(team.hub.outcomes().len() > 1);
        }
        team.meet();
        team.hub.save_verified().expect("the document is sound");
        for phone in &team.phones {
            assert!(phone.document.same_as(&team.hub));
            assert_eq!(phone.document.outcomes(), team.hub.outcomes());
            assert_eq!(phone.document.checklist(), team.hub.checklist());
            assert_eq!(phone.document.sum(), team.hub.sum());
        }
        let log: Vec<_> = team.pushed.iter().map(|(_, change)| change.as_slice()).collect();
        let rebuilt = Document::replay(DOC, DocKind::Response, log).expect("the log is whole");
        assert!(rebuilt.same_as(&team.hub));
        changes += team.hub.len();
    }
    println!("{changes} honest changes, {conflicts} conflicts seen");
    let expected = usize::try_from(20 * seeds).expect("a number of changes");
    assert!(changes > expected && conflicts > 0, "{changes} changes, {conflicts} conflicts");
}

#[test]
fn a_run_is_judged_as_its_changes_one_by_one() {
    let mut dice = Dice(7);
    let mut team = Team::new();
    (0..40).for_each(|_| team.step(&mut dice));
    let mut alone = team.hub.clone();
    let outbox = team.outboxes[0].clone();
    assert!(!outbox.is_empty());
    let run = outbox.iter().map(Vec::as_slice);
    let together = guard::admit_run(&mut team.hub, run, &team.phones[0].author());
    let singly: Vec<_> =
        outbox.iter().map(|change| team.phones[0].push(&mut alone, change)).collect();
    assert_eq!(together, singly);
    assert!(alone.same_as(&team.hub));
}

#[test]
fn a_refused_change_strands_only_those_that_build_on_it() {
    let mut hub = Document::new(DOC, DocKind::Response);
    let mut phone = Phone::new(1, DocKind::Response);
    let bad = phone.note("");
    let after = phone.note("好");
    let run = [bad.bytes.as_slice(), after.bytes.as_slice()];
    let results = guard::admit_run(&mut hub, run, &phone.author());
    assert!(matches!(results[0], Err(Denied::Refused(_))));
    assert_eq!(results[1], Err(Denied::MissingDeps(vec![bad.hash])));

    phone.document = hub.clone();
    phone.actor.incarnation += 1;
    let anew = phone.note("好");
    phone.push(&mut hub, &anew.bytes).expect("a new incarnation begins at 1");
    assert_eq!(hub.len(), 1);
}

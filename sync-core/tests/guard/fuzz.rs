//! Chance: altered operations and altered bytes, with and without the guard.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{ElementId, Key, ObjectId, OpId, OpType};
use automerge::{ActorId, Automerge, Change, ExpandedChange, ObjType, ScalarValue};
use onscene_sync_core::document::{Answer, Document, Entry};
use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::guard::{self, Author, Denied};
use onscene_sync_core::id::Actor;
use onscene_sync_core::sync::message::RefusalCode;

use crate::forge::{CHANGE, body, chunk, encoded};
use crate::histories::{Dice, Team};
use crate::world::Phone;

pub(crate) fn cases() -> usize {
    let default = 2_500;
    std::env::var("ONSCENE_FUZZ_CASES").map_or(default, |cases| cases.parse().expect("a number"))
}

/// A history, and honest changes on top of it that were not pushed.
struct Base {
    hub: Document,
    phones: Vec<Phone>,
    honest: Vec<(usize, Vec<u8>)>,
}

fn bases(dice: &mut Dice) -> Vec<Base> {
    (0..6).map(|_| base(dice)).collect()
}

fn base(dice: &mut Dice) -> Base {
    let mut team = Team::new();
    (0..25).for_each(|_| team.step(dice));
    if dice.roll(2) == 0 {
        team.meet();
    }
    (0..3).for_each(|who| team.push(who));
    let Team { hub, mut phones, .. } = team;
    let mut honest = Vec::new();
    for (who, phone) in phones.iter_mut().enumerate() {
        let before = phone.document.clone();
        let item = dice.pick(&["fire_lane", "noise", "new_item"]);
        let answers = Answer::ALL.map(|answer| {
            let written = phone.answer(item, answer);
            phone.document = before.clone();
            written
        });
        honest.extend(answers.into_iter().flatten().map(|written| (who, written.bytes)));
        honest.push((who, phone.note("记").bytes));
        phone.document = before.clone();
        honest.push((who, phone.settle(Outcome::Corrected).bytes));
        phone.document = before.clone();
        for outcome in before.outcomes().into_iter().map(Some) {
            let entry = Entry { outcome, ..Entry::default() };
            if let Ok(written) = phone.document.write(phone.actor, &entry) {
                honest.push((who, written.bytes));
            }
            phone.document = before.clone();
        }
    }
    Base { hub, phones, honest }
}

fn some_id(dice: &mut Dice, change: &ExpandedChange) -> OpId {
    let actor = match dice.roll(4) {
        0 => change.actor_id.clone(),
        1 => ActorId::from(Actor::GENESIS),
        2 => ActorId::from([2; 16]),
        _ => change
            .operations
            .iter()
            .flat_map(|op| op.pred.iter())
            .next()
            .map_or_else(|| change.actor_id.clone(), |id| id.actor().clone()),
    };
    let counter = [1, 4, 5, 6, 7, 9, change.start_op.get(), change.start_op.get() + 1];
    OpId::new(dice.pick(&counter), &actor)
}

fn alter(dice: &mut Dice, change: &mut ExpandedChange) {
    match dice.roll(8) {
        0 => change.seq = dice.pick(&[0, 1, change.seq + 1, change.seq.saturating_sub(1)]),
        1 => {
            let start =
                dice.pick(&[1, change.start_op.get() + 1, change.start_op.get() - 1, 1 << 33]);
            change.start_op = start.max(1).try_into().expect("it is not 0");
        }
        2 => change.time = dice.pick(&[1, -1, i64::MIN, i64::MAX]),
        3 => {
            let at = dice.roll(change.deps.len().max(1));
            if at < change.deps.len() {
                change.deps.remove(at);
            }
        }
        4 => change.extra_bytes = vec![1, 1, 7],
        5 if !change.operations.is_empty() => {
            let copy = change.operations[dice.roll(change.operations.len())].clone();
            change.operations.push(copy);
        }
        _ => alter_operation(dice, change),
    }
}

fn alter_operation(dice: &mut Dice, change: &mut ExpandedChange) {
    if change.operations.is_empty() {
        return;
    }
    let id = some_id(dice, change);
    let at = dice.roll(change.operations.len());
    let op = &mut change.operations[at];
    match dice.roll(9) {
        0 => op.insert = !op.insert,
        1 => {
            let container = dice.pick(&[4, 5, 6]);
            op.obj = ObjectId::Id(OpId::new(container, &Actor::GENESIS.into()));
        }
        2 => op.obj = ObjectId::Root,
        3 => op.obj = ObjectId::Id(id),
        4 => {
            op.key =
                Key::Map(dice.pick(&["facts", "outcome", "site", "fire_lane", "noise", ""]).into())
        }
        5 => op.key = Key::Seq(if dice.roll(2) == 0 { ElementId::Head } else { ElementId::Id(id) }),
        6 => op.pred = Vec::new().into(),
        7 => op.pred = op.pred.iter().cloned().chain([id]).collect(),
        _ => {
            op.action = match dice.roll(7) {
                0 => OpType::Delete,
                1 => OpType::Make(dice.pick(&[ObjType::Map, ObjType::List, ObjType::Text])),
                2 => OpType::Increment(1),
                3 => OpType::MarkEnd(true),
                4 => OpType::Put(ScalarValue::Null),
                5 => OpType::Put(dice.pick(&["yes", "no", "n/a"]).into()),
                _ => OpType::Put(ScalarValue::Bytes(vec![1; 16])),
            }
        }
    }
}

/// What became of many mutants.
#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    admitted: usize,
    /// Refused only because Automerge failed inside.
    faults: usize,
    broken_unguarded: usize,
}

/// Sends one mutant with and without the guard. An admitted change must leave a sound document in
/// which honest phones can go on.
fn send(base: &Base, who: usize, mutant: &[u8], tally: &mut Tally) {
    tally.sent += 1;
    tally.broken_unguarded += usize::from(breaks_unguarded(&base.hub, mutant));
    let mut hub = base.hub.clone();
    let author = base.phones[who].author();
    let judged = catch_unwind(AssertUnwindSafe(|| guard::admit(&mut hub, mutant, &author)));
    if let Err(denied) = judged.expect("the guard does not panic") {
        let fault =
            matches!(denied, Denied::Refused(refusal) if refusal.code == RefusalCode::Fault);
        tally.faults += usize::from(fault);
        assert_eq!(hub.save(), base.hub.save());
        return;
    }
    tally.admitted += 1;
    hub.save_verified().expect("the document is sound");
    go_on(&mut hub, &base.phones[(who + 1) % 3]);
}

fn go_on(hub: &mut Document, phone: &Phone) {
    let mut copy = hub.clone();
    let author = Author { install: 2, ..phone.author() };
    let actor = Actor { install: 2, ..phone.actor };
    let answer = Some(("later".to_owned(), Answer::Yes));
    let next = copy.write(actor, &Entry { answer, ..Entry::default() }).expect("it is new");
    guard::admit(hub, &next.bytes, &author).expect("honest work goes on");
    hub.save_verified().expect("the document is sound");
}

/// Whether Automerge by itself panics on the change, or saves what it cannot load again.
fn breaks_unguarded(hub: &Document, mutant: &[u8]) -> bool {
    let taken = catch_unwind(AssertUnwindSafe(|| {
        let mut document = Automerge::load(&hub.save()).expect("the document is sound");
        let Ok(change) = Change::try_from(mutant) else { return true };
        if document.apply_changes([change]).is_err() {
            return true;
        }
        let loaded = Automerge::load(&document.save());
        loaded.is_ok_and(|loaded| loaded.get_heads() == document.get_heads())
    }));
    !matches!(taken, Ok(true))
}

#[test]
fn altered_operations_break_automerge_but_not_the_guard() {
    let mut dice = Dice(0x0001);
    let bases = bases(&mut dice);
    let mut tally = Tally::default();
    for _ in 0..cases() {
        let base = &bases[dice.roll(bases.len())];
        let (who, honest) = &base.honest[dice.roll(base.honest.len())];
        let mut change = Change::try_from(honest.as_slice()).expect("it is honest").decode();
        for _ in 0..=dice.roll(3) {
            alter(&mut dice, &mut change);
        }
        if let Some(mutant) = encoded(change) {
            send(base, *who, &mutant, &mut tally);
        }
    }
    println!("altered operations: {tally:?}");
    assert!(tally.admitted > 0, "{tally:?}");
    assert!(tally.broken_unguarded > tally.sent / 4, "{tally:?}");
}

#[test]
fn altered_bytes_do_not_break_the_guard() {
    let mut dice = Dice(0x0002);
    let bases = bases(&mut dice);
    let mut tally = Tally::default();
    for _ in 0..cases() {
        let base = &bases[dice.roll(bases.len())];
        let (who, honest) = &base.honest[dice.roll(base.honest.len())];
        let mut altered = body(honest).to_vec();
        for _ in 0..=dice.roll(2) {
            let at = dice.roll(altered.len());
            altered[at] ^= 1 << dice.roll(8);
        }
        send(base, *who, &chunk(CHANGE, &altered), &mut tally);
    }
    println!("altered bytes: {tally:?}");
    assert!(tally.broken_unguarded > 0, "{tally:?}");
}

#[test]
fn altered_snapshots_do_not_break_the_loader() {
    let mut dice = Dice(0x0003);
    let base = base(&mut dice);
    let snapshot = base.hub.save();
    let mut loaded = 0;
    for _ in 0..cases() {
        let mut altered = body(&snapshot).to_vec();
        for _ in 0..=dice.roll(2) {
            let at = dice.roll(altered.len());
            altered[at] = altered[at].wrapping_add(1 << dice.roll(8));
        }
        let altered = chunk(0, &altered);
        let result = Document::load(base.hub.id(), base.hub.kind(), &altered);
        if let Ok(document) = result {
            document.save_verified().expect("what was loaded is sound");
            loaded += 1;
        }
    }
    println!("altered snapshots: {loaded} of {} loaded", cases());
    assert!(loaded < cases() / 2, "changes have hashes, so few alterations can pass: {loaded}");
}

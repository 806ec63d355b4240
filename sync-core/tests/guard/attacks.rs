//! Forged operations: each is well-formed, checksum and all, and must be refused.

use automerge::legacy::{ElementId, Key, MarkData, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, ExpandedChange, ObjType, ScalarValue};
use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::document::{Answer, DocKind, Document, Entry};
use onscene_sync_core::guard::Denied;
use onscene_sync_core::id::{Actor, DeviceId, Hash};
use onscene_sync_core::limits::{DOCUMENT_BYTES, REPLY_FRAME_BYTES};
use onscene_sync_core::sync::message::RefusalCode::{self, *};

use crate::forge::altered;
use crate::world::{DOC, Phone, refusal, visit};

type Alteration = (&'static str, RefusalCode, fn(&mut ExpandedChange));

/// Alters phone 1's change of its answer from yes to no.
fn check(alterations: &[Alteration]) {
    let (mut hub, mut one, _) = visit();
    let honest = one.answer("fire_lane", Answer::No).expect("another answer").bytes;
    for (name, code, alter) in alterations {
        let forged = altered(&honest, alter);
        assert_ne!(forged, honest, "{name} alters nothing");
        assert_eq!(refusal(&mut hub, &one, &forged), *code, "{name}");
    }
    one.push(&mut hub, &honest).expect("the honest change still goes in");
    hub.save_verified().expect("the document is sound");
}

fn genesis(counter: u64) -> OpId {
    OpId::new(counter, &Actor::GENESIS.into())
}

fn set(op: &mut Op, value: impl Into<ScalarValue>) {
    op.action = OpType::Put(value.into());
}

fn no_preds(op: &mut Op) {
    op.pred = Vec::new().into();
}

fn pred(op: &mut Op, id: OpId) {
    op.pred = vec![id].into();
}

fn key(op: &mut Op, key: &str) {
    op.key = Key::Map(key.into());
}

#[test]
fn forged_numbers_are_refused() {
    check(&[
        ("seq skips one", NotReproducible, |change| change.seq += 1),
        ("seq 0", Malformed, |change| change.seq = 0),
        ("seq beyond all", Malformed, |change| change.seq = u64::MAX),
        ("seq used before", Equivocation, |change| change.seq = 3),
        ("first seq", Equivocation, |change| change.seq = 1),
        ("start overlaps", NotReproducible, |change| {
            change.start_op = 1.try_into().expect("it is not 0");
        }),
        ("start skips", NotReproducible, |change| {
            change.start_op = change.start_op.saturating_add(1);
        }),
        ("start at the end of numbers", Malformed, |change| {
            change.start_op = u64::from(u32::MAX).try_into().expect("it is not 0");
        }),
        ("time", Malformed, |change| change.time = 1),
        ("time at the end of numbers", Malformed, |change| change.time = i64::MIN),
        ("message", Malformed, |change| change.message = Some("hello".to_owned())),
        ("extra bytes", Malformed, |change| change.extra_bytes = vec![0]),
        ("author footer", Malformed, |change| change.extra_bytes = vec![1, 2, 7, 7]),
    ]);
}

#[test]
fn foreign_actors_are_refused() {
    fn by(change: &mut ExpandedChange, actor: Actor) {
        change.actor_id = actor.into();
    }
    const ONE: Actor = Actor { device: DeviceId::from_bytes([1; 8]), install: 1, incarnation: 0 };
    check(&[
        ("another device", WrongActor, |change| {
            by(change, Actor { device: DeviceId::from_bytes([2; 8]), ..ONE });
        }),
        ("the first change's", WrongActor, |change| by(change, Actor::GENESIS)),
        ("the hub", WrongActor, |change| by(change, Actor::hub(0))),
        ("no installation", WrongActor, |change| by(change, Actor { install: 0, ..ONE })),
        ("one not yet issued", WrongActor, |change| by(change, Actor { install: 2, ..ONE })),
        ("fifteen bytes", Malformed, |change| change.actor_id = ActorId::from([1; 15])),
        ("no bytes", Malformed, |change| change.actor_id = ActorId::from([0; 0])),
        ("5000 bytes", Malformed, |change| change.actor_id = ActorId::from(vec![1; 5000])),
        ("an own one that has written nothing", NotReproducible, |change| {
            by(change, Actor { incarnation: 9, ..ONE });
        }),
    ]);
}

#[test]
fn forged_dependencies_are_refused() {
    check(&[
        ("none", Malformed, |change| change.deps.clear()),
        ("one twice", Malformed, |change| change.deps.push(change.deps[0])),
        ("too many", Malformed, |change| {
            change.deps = (0..17).map(|byte| automerge::ChangeHash([byte; 32])).collect();
        }),
    ]);
}

#[test]
fn a_change_builds_on_all_that_its_author_saw_and_on_its_own_last() {
    let (mut hub, mut one, mut two) = visit();
    let own = one.note("一");
    two.document.apply(&own.bytes).expect("it builds on what is here");
    let other = two.note("二");
    one.document.apply(&other.bytes).expect("it builds on what is here");
    one.push(&mut hub, &own.bytes).expect("an honest change");
    two.push(&mut hub, &other.bytes).expect("an honest change");
    let honest = one.note("三").bytes;
    for kept in [own.hash, other.hash] {
        let forged = altered(&honest, |change| {
            assert_eq!(change.deps.len(), 2);
            change.deps = vec![kept.into()];
        });
        assert_eq!(refusal(&mut hub, &one, &forged), NotReproducible);
    }
    one.push(&mut hub, &honest).expect("an honest change");
}

#[test]
fn unknown_dependencies_are_asked_for_and_never_queued() {
    let (mut hub, mut one, _) = visit();
    let honest = one.answer("fire_lane", Answer::No).expect("another answer").bytes;
    let before = hub.save();
    let unknown = Hash::from_bytes([0xab; 32]);
    for _ in 0..100 {
        let orphan = altered(&honest, |change| change.deps.push(unknown.into()));
        assert_eq!(one.push(&mut hub, &orphan), Err(Denied::MissingDeps(vec![unknown])));
    }
    assert_eq!(hub.save(), before);
}

#[test]
fn forged_predecessors_are_refused() {
    check(&[
        ("none", NotReproducible, |change| no_preds(&mut change.operations[0])),
        ("unknown", NotReproducible, |change| {
            pred(&mut change.operations[0], OpId::new(77, &change.actor_id));
        }),
        ("at another key", NotReproducible, |change| {
            // Operation 7 put the note.
            pred(&mut change.operations[0], OpId::new(7, &change.actor_id));
        }),
        ("at another object", NotReproducible, |change| {
            pred(&mut change.operations[0], genesis(4));
        }),
        ("its own", NotReproducible, |change| {
            let own = change.start_op.get();
            pred(&mut change.operations[0], OpId::new(own, &change.actor_id));
        }),
        ("of an actor that is not here", NotReproducible, |change| {
            pred(&mut change.operations[0], OpId::new(7, &ActorId::from([9; 16])));
        }),
        ("two of one", NotReproducible, |change| {
            let one = change.operations[0].pred.iter().next().expect("it replaces one").clone();
            change.operations[0].pred = vec![one.clone(), one].into();
        }),
    ]);
}

#[test]
fn forged_deletions_and_insertions_are_refused() {
    check(&[
        ("delete", NotReproducible, |change| change.operations[0].action = OpType::Delete),
        ("delete nothing", NotReproducible, |change| {
            change.operations[0].action = OpType::Delete;
            no_preds(&mut change.operations[0]);
        }),
        ("delete what is not there", NotReproducible, |change| {
            change.operations[0].action = OpType::Delete;
            key(&mut change.operations[0], "no_such_item");
        }),
        ("delete and insert", Forbidden, |change| {
            change.operations[0].action = OpType::Delete;
            change.operations[0].insert = true;
        }),
        ("insert", Forbidden, |change| change.operations[0].insert = true),
        ("insert into a list", Malformed, |change| {
            change.operations[0].key = Key::Seq(ElementId::Head);
            change.operations[0].insert = true;
        }),
        ("key of a list element", Malformed, |change| {
            change.operations[0].key = Key::Seq(ElementId::Id(genesis(4)));
        }),
    ]);
}

#[test]
fn forged_places_are_refused() {
    check(&[
        ("the root", Forbidden, |change| change.operations[0].obj = ObjectId::Root),
        ("a container", Forbidden, |change| {
            change.operations[0].obj = ObjectId::Root;
            key(&mut change.operations[0], "facts");
            pred(&mut change.operations[0], genesis(4));
        }),
        ("a scalar", Forbidden, |change| change.operations[0].obj = ObjectId::Id(genesis(1))),
        ("an unknown object", Forbidden, |change| {
            change.operations[0].obj = ObjectId::Id(OpId::new(4, &change.actor_id));
        }),
        ("no such register", Forbidden, |change| {
            change.operations[0].obj = ObjectId::Id(genesis(5));
            key(&mut change.operations[0], "verdict");
        }),
        ("an item with a strange name", Forbidden, |change| {
            key(&mut change.operations[0], "Fire lane");
        }),
        ("an item without a name", Forbidden, |change| key(&mut change.operations[0], "")),
        ("a long key", Malformed, |change| {
            key(&mut change.operations[0], &"x".repeat(65));
        }),
    ]);
}

#[test]
fn forged_actions_and_values_are_refused() {
    check(&[
        ("a map", Forbidden, |change| change.operations[0].action = OpType::Make(ObjType::Map)),
        ("a list", Forbidden, |change| change.operations[0].action = OpType::Make(ObjType::List)),
        ("a text", Malformed, |change| change.operations[0].action = OpType::Make(ObjType::Text)),
        ("a table", Malformed, |change| change.operations[0].action = OpType::Make(ObjType::Table)),
        ("an increment", Malformed, |change| change.operations[0].action = OpType::Increment(1)),
        ("the end of a mark", Malformed, |change| {
            change.operations[0].action = OpType::MarkEnd(false);
        }),
        ("a mark", Malformed, |change| {
            let (name, value) = ("bold".into(), ScalarValue::Null);
            change.operations[0].action = OpType::MarkBegin(MarkData { name, value, expand: true });
        }),
        ("nothing", Malformed, |change| change.operations.clear()),
        ("another word", Forbidden, |change| set(&mut change.operations[0], "maybe")),
        ("the same word again", NotReproducible, |change| set(&mut change.operations[0], "yes")),
        ("null", Forbidden, |change| set(&mut change.operations[0], ScalarValue::Null)),
        ("a number", Forbidden, |change| set(&mut change.operations[0], 1)),
        ("a counter", Forbidden, |change| {
            set(&mut change.operations[0], ScalarValue::counter(1));
        }),
        ("bytes", Forbidden, |change| set(&mut change.operations[0], b"no".to_vec())),
        ("513 operations", Malformed, |change| {
            change.operations = vec![change.operations[0].clone(); 513];
        }),
        ("hidden behind an honest operation", Forbidden, |change| {
            let mut second = change.operations[0].clone();
            second.obj = ObjectId::Root;
            no_preds(&mut second);
            change.operations.push(second);
        }),
    ]);
}

#[test]
fn facts_cannot_be_rewritten() {
    let (mut hub, mut one, two) = visit();
    let honest = one.note("第二次").bytes;
    let facts = hub.facts();
    let (id, envelope) = &facts[0];
    let taken = |op: &mut Op| key(op, &id.to_string());
    let forged = [
        (
            "a fact under a taken key",
            NotReproducible,
            altered(&honest, |c| taken(&mut c.operations[0])),
        ),
        (
            "the same fact again",
            NotReproducible,
            altered(&honest, |c| {
                taken(&mut c.operations[0]);
                set(&mut c.operations[0], envelope.clone());
            }),
        ),
        (
            "a fact replaced",
            Forbidden,
            altered(&honest, |c| {
                taken(&mut c.operations[0]);
                pred(&mut c.operations[0], OpId::new(7, &c.actor_id));
            }),
        ),
        (
            "a fact deleted",
            Forbidden,
            altered(&honest, |c| {
                taken(&mut c.operations[0]);
                c.operations[0].action = OpType::Delete;
                pred(&mut c.operations[0], OpId::new(7, &c.actor_id));
            }),
        ),
        ("a key that is no id", BadFact, altered(&honest, |c| key(&mut c.operations[0], "note"))),
        ("a fact as text", Forbidden, altered(&honest, |c| set(&mut c.operations[0], "note"))),
    ];
    for (name, code, change) in forged {
        assert_eq!(refusal(&mut hub, &one, &change), code, "{name}");
    }
    assert_eq!(refusal(&mut hub, &two, &honest), WrongActor);
    one.push(&mut hub, &honest).expect("the honest change still goes in");
    assert_eq!(hub.facts().len(), facts.len() + 1);
}

#[test]
fn registers_take_only_the_ids_of_facts() {
    let (mut hub, mut one, _) = visit();
    let honest = one.note("第二次").bytes;
    for (register, value) in [("outcome", vec![1; 15]), ("site", vec![1; 16]), ("site", vec![])] {
        let forged = altered(&honest, |change| {
            let op = &mut change.operations[0];
            op.obj = ObjectId::Id(genesis(5));
            key(op, register);
            set(op, value);
        });
        assert_eq!(refusal(&mut hub, &one, &forged), Forbidden, "{register}");
    }
    one.push(&mut hub, &honest).expect("the honest change still goes in");
}

#[test]
fn cases_take_nothing_from_phones() {
    let mut phone = Phone::new(1, DocKind::Case);
    let note = phone.note("到场");
    let mut hub = Document::new(DOC, DocKind::Case);
    assert_eq!(refusal(&mut hub, &phone, &note.bytes), Forbidden);
}

#[test]
fn a_full_document_takes_no_more() {
    let mut hub = Document::new(DOC, DocKind::Response);
    let mut phone = Phone::new(1, DocKind::Response);
    let other = Actor { device: DeviceId::from_bytes([9; 8]), install: 1, incarnation: 0 };
    let mut filled = 0;
    while filled < DOCUMENT_BYTES {
        let envelope = vec![u8::try_from(hub.len()).expect("few changes"); 48 * 1024];
        let facts = vec![(fact_id(&envelope), envelope)];
        let entry = Entry { facts, ..Entry::default() };
        filled += hub.write(other, &entry).expect("it is new").bytes.len();
    }
    let late = phone.note("迟到");
    assert_eq!(refusal(&mut hub, &phone, &late.bytes), DocumentFull);
    let snapshot = hub.save_verified().expect("the document is sound");
    assert!(snapshot.len() < REPLY_FRAME_BYTES);
}

#[test]
fn a_number_used_twice_is_equivocation_and_a_repeat_is_a_duplicate() {
    let (mut hub, mut one, _) = visit();
    let mut restored = Phone::new(1, DocKind::Response);
    restored.document = one.document.clone();
    let (mine, other) = (one.note("原机"), restored.note("备份"));
    one.push(&mut hub, &mine.bytes).expect("the first to come is taken");
    assert_eq!(one.push(&mut hub, &mine.bytes), Err(Denied::Duplicate));
    assert_eq!(refusal(&mut hub, &restored, &other.bytes), Equivocation);
}

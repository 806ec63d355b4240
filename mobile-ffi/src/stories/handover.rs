//! Colleagues meet without a network, and one of them is online first.

use minicbor::bytes::ByteVec;
use onscene_sync_core::crypto::{SoftwareP256, sha256};
use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::handover::frames::{Joined, Joiner, split};
use onscene_sync_core::handover::hello::{self, Hello, Stranger};
use onscene_sync_core::handover::part::{self, Message, Part, Secret};
use onscene_sync_core::handover::statement::{self, Listed, Statement};
use onscene_sync_core::id::{DeviceId, FactId, UnitId};
use onscene_sync_core::limits::{HANDOVER_MESSAGE_BYTES, LISTED_CHANGES, STATEMENTS};
use onscene_sync_core::place::Datum;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use tempfile::TempDir;

use super::everyday::report;
use crate::store::db::Db;
use crate::store::{carried, documents};
use crate::testing::{FakeHost, Hub, UNIT};
use crate::{
    Clock as _, Device, DeviceError, Event, EventKind, Given, Handover, HandoverError, ItemState,
    Job,
};

/// An inspector with a phone.
struct Person {
    fake: FakeHost,
    device: Device,
    folder: TempDir,
}

impl Person {
    fn new(seed: u8, hub: &mut Hub) -> Self {
        let (folder, fake) = (tempfile::tempdir().unwrap(), FakeHost::new(seed));
        let device = fake.enrolled(folder.path(), hub);
        Self { fake, device, folder }
    }

    fn sync(&mut self, hub: &mut Hub) -> usize {
        self.fake.sync(&mut self.device, hub)
    }

    fn id(&self) -> DeviceId {
        self.device.standing().unwrap().unwrap().device
    }

    fn texts(&self, job: Job) -> usize {
        self.device.visit(job).unwrap().facts.len()
    }

    fn events(&self, kind: EventKind) -> Vec<Event> {
        let events = self.device.events_since(0, 1_000).unwrap();
        events.into_iter().filter(|event| event.kind == kind).collect()
    }
}

fn waits(device: &Device) -> bool {
    device.items(0, 1_000).unwrap().iter().any(|item| item.state == ItemState::Saved)
}

/// Carries messages both ways until neither has any.
fn meet(one: &mut Device, other: &mut Device) -> (Given, Given) {
    let (mut first, mut second) = (one.hand_over().unwrap(), other.hand_over().unwrap());
    for _ in 0..50 {
        let mut moved = false;
        while let Some(message) = first.next(one).unwrap() {
            assert!(message.len() <= HANDOVER_MESSAGE_BYTES);
            second.take(other, &message).unwrap();
            moved = true;
        }
        while let Some(message) = second.next(other).unwrap() {
            first.take(one, &message).unwrap();
            moved = true;
        }
        if !moved {
            break;
        }
    }
    assert!(first.is_done() && second.is_done());
    (first.given().clone(), second.given().clone())
}

/// The messages with which `giver` answers this phone's first message.
fn answers(giver: &mut Device, taker: &mut Device) -> (Handover, Vec<Vec<u8>>) {
    let (mut theirs, mut ours) = (giver.hand_over().unwrap(), taker.hand_over().unwrap());
    theirs.next(giver).unwrap().expect("who it is");
    let hello = ours.next(taker).unwrap().expect("who it is");
    theirs.take(giver, &hello).unwrap();
    let mut messages = Vec::new();
    while let Some(message) = theirs.next(giver).unwrap() {
        messages.push(message);
    }
    (ours, messages)
}

#[test]
fn what_was_handed_over_is_delivered_by_whoever_is_online_first_and_counts_once() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    let job = Job::Order(order);
    anna.device.accept(order).unwrap();
    anna.device.answer(job, "fire_lane", Answer::No).unwrap();
    anna.device.outcome(job, report("moved on")).unwrap();
    bo.device.outcome(job, report("they were gone")).unwrap();

    let (to_anna, to_bo) = meet(&mut anna.device, &mut bo.device);
    assert_eq!((to_bo.changes, to_bo.refused.len(), to_bo.told), (3, 0, 0));
    assert_eq!(to_anna.changes, 1);
    assert_eq!(bo.texts(job), 3, "the colleague's facts show");
    assert_eq!(bo.device.conflicts(job).unwrap().outcomes.len(), 2, "and so does the conflict");
    assert!(waits(&anna.device), "handed over is not delivered");

    let settled = bo.device.conflicts(job).unwrap().outcomes[0];
    bo.device.choose_outcome(job, settled).unwrap();
    bo.sync(&mut hub);
    assert_eq!(hub.facts().len(), 3);
    assert_eq!(bo.device.carried().unwrap().delivered, 3);
    assert_eq!(hub.devices[&anna.id()].facts.len(), 2, "in the author's own chain");
    assert!(hub.quarantine.is_empty());

    anna.sync(&mut hub);
    assert!(!waits(&anna.device), "the author learns that it is delivered");
    assert_eq!(hub.facts().len(), 3, "nothing counts twice");
    assert!(anna.device.conflicts(job).unwrap().outcomes.is_empty());
    for person in [&anna, &bo] {
        assert!(person.events(EventKind::Alarm).is_empty());
        assert!(person.events(EventKind::Renewed).is_empty());
    }
    let (to_anna, to_bo) = meet(&mut anna.device, &mut bo.device);
    assert_eq!((to_anna.changes, to_bo.changes), (0, 0), "there is nothing left to give");
}

#[test]
fn an_order_is_passed_on_and_worked_on_before_the_hub_tells_of_it() {
    let mut hub = Hub::new();
    let mut bo = Person::new(2, &mut hub);
    let (order, case, inspection) = hub.dispatch(1);
    let mut anna = Person::new(1, &mut hub);
    anna.device.note(Job::Order(order), "follow me").unwrap();
    assert!(bo.device.my_work().unwrap().is_empty());

    let (_, to_bo) = meet(&mut anna.device, &mut bo.device);
    assert_eq!((to_bo.told, to_bo.changes), (3, 1));
    let work = bo.device.my_work().unwrap();
    assert_eq!((work[0].order, work[0].case, work[0].inspection), (order, case, inspection));
    assert_eq!(bo.device.case(case).unwrap().inspections[0].facts.len(), 1);
    bo.device.note(Job::Order(order), "behind you").unwrap();

    bo.sync(&mut hub);
    assert_eq!(hub.notes(), ["behind you", "follow me"]);
    assert_eq!(bo.device.my_work().unwrap().len(), 1, "now from the hub itself");
    assert_eq!(bo.texts(Job::Order(order)), 2);
}

#[test]
fn an_order_that_nobody_wrote_about_yet_is_worked_on_by_its_visit() {
    let mut hub = Hub::new();
    let mut bo = Person::new(2, &mut hub);
    let (_, _, inspection) = hub.dispatch(1);
    let mut anna = Person::new(1, &mut hub);
    meet(&mut anna.device, &mut bo.device);
    let job = Job::Inspection(inspection);
    let tap = bo.fake.read().unwrap();
    bo.device.begin_arrival(job, tap, Datum::Wgs84, Vec::new()).unwrap();
    bo.device.finish_arrival(job).unwrap();
    bo.device.note(job, "first here").unwrap();
    bo.sync(&mut hub);
    assert_eq!(hub.notes(), ["first here"]);
}

#[test]
fn many_orders_come_whole_in_whatever_order_their_parts_come() {
    let mut hub = Hub::new();
    let mut bo = Person::new(2, &mut hub);
    for number in 1..=100 {
        hub.dispatch(number);
    }
    let mut anna = Person::new(1, &mut hub);
    let (mut taking, parts) = answers(&mut anna.device, &mut bo.device);
    assert!(parts.len() > 1, "they do not fit into one");
    for part in parts.iter().rev() {
        taking.take(&mut bo.device, part).unwrap();
    }
    assert_eq!(taking.given().refused, Vec::<String>::new());
    let whole = |person: &Person| {
        let mut work = person.device.my_work().unwrap();
        work.sort_by_key(|item| item.order);
        work.into_iter().map(|item| (item.order, item.matter, item.summary)).collect::<Vec<_>>()
    };
    assert_eq!(whole(&bo), whole(&anna));
}

#[test]
fn what_a_locked_key_kept_back_is_given_when_it_opens() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    anna.device.note(Job::Order(order), "mine").unwrap();
    let (mut giving, mut taking) =
        (anna.device.hand_over().unwrap(), bo.device.hand_over().unwrap());
    let hello = giving.next(&mut anna.device).unwrap().expect("who Anna is");
    taking.take(&mut bo.device, &hello).unwrap();
    let hello = taking.next(&mut bo.device).unwrap().expect("who Bo is");
    giving.take(&mut anna.device, &hello).unwrap();
    anna.fake.break_key(true);
    giving.next(&mut anna.device).unwrap_err();
    assert!(!giving.is_done());
    anna.fake.break_key(false);
    let part = giving.next(&mut anna.device).unwrap().expect("what Bo lacks");
    let given = taking.take(&mut bo.device, &part).unwrap();
    assert_eq!((given.changes, given.complete), (1, true));
}

#[test]
fn a_third_phone_delivers_for_both_and_every_carrier_counts_once() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut team: Vec<Person> = (1..=4).map(|seed| Person::new(seed, &mut hub)).collect();
    let [anna, bo, chen, dai] = &mut team[..] else { panic!("four people") };
    let patrol = anna.device.begin_patrol().unwrap();
    anna.device.note(Job::Inspection(patrol), "on the way").unwrap();
    anna.device.note(job, "from Anna").unwrap();
    meet(&mut anna.device, &mut bo.device);
    bo.device.note(job, "from Bo").unwrap();
    bo.device.note(Job::Inspection(patrol), "with her").unwrap();
    for third in [&mut *chen, &mut *dai] {
        let (_, given) = meet(&mut bo.device, &mut third.device);
        assert_eq!((given.changes, given.refused), (4, Vec::new()));
        assert_eq!(third.texts(Job::Inspection(patrol)), 2);
    }
    let (_, again) = meet(&mut chen.device, &mut dai.device);
    assert_eq!(again.changes, 0, "it has them all");
    for carrier in [&mut *chen, &mut *dai] {
        carrier.sync(&mut hub);
    }
    assert_eq!(hub.notes(), ["from Anna", "from Bo", "on the way", "with her"]);
    for person in &mut team {
        person.sync(&mut hub);
        assert!(!waits(&person.device));
        assert_eq!(person.texts(job), 2);
        assert!(person.events(EventKind::Alarm).is_empty());
        assert!(person.events(EventKind::Refused).is_empty());
    }
    assert_eq!(hub.notes().len(), 4);
    assert!(hub.quarantine.is_empty());
}

#[test]
fn one_way_with_frames_lost_doubled_and_out_of_order_is_enough() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    for n in 0..60 {
        anna.device.note(Job::Order(order), &format!("{n} {}", "long ".repeat(300))).unwrap();
    }
    let (mut session, messages) = answers(&mut anna.device, &mut bo.device);
    assert!(messages.len() > 1, "several parts");
    let mut frames: Vec<Vec<u8>> =
        messages.iter().flat_map(|message| split(message, 700).unwrap()).collect();
    frames.reverse();
    let mut joiner = Joiner::default();
    let lost = frames.len() / 2;
    for round in 0..2 {
        for (n, frame) in frames.iter().enumerate().filter(|(n, _)| round > 0 || *n != lost) {
            let mut damaged = frame.clone();
            damaged[n % frame.len()] ^= 1;
            assert_eq!(joiner.take(&damaged), Joined::Damaged);
            if let Joined::Whole(message) = joiner.take(frame) {
                session.take(&mut bo.device, &message).unwrap();
            }
        }
        assert_eq!(session.given().complete, round > 0, "one frame was lost at first");
    }
    assert_eq!(bo.texts(Job::Order(order)), 60);
    // The app was killed after some of it: what was taken is there, and the rest comes another time.
    bo.device = bo.fake.open(bo.folder.path());
    assert_eq!(bo.device.carried().unwrap().waiting, 60);
    bo.sync(&mut hub);
    assert_eq!(hub.notes().len(), 60);
}

#[test]
fn a_meeting_that_is_cut_leaves_whole_changes_and_goes_on_another_time() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    for n in 0..60 {
        anna.device.note(Job::Order(order), &format!("{n} {}", "long ".repeat(300))).unwrap();
    }
    let (mut session, messages) = answers(&mut anna.device, &mut bo.device);
    session.take(&mut bo.device, messages.last().unwrap()).unwrap();
    let early = bo.device.carried().unwrap().waiting;
    assert!(early > 0 && early < 60);
    assert_eq!(bo.texts(Job::Order(order)) as u64, early, "they show though what is before lacks");
    let late = session.take(&mut bo.device, messages.last().unwrap()).unwrap();
    assert_eq!(late.changes, early, "a repeat changes nothing");
    bo.sync(&mut hub);
    assert!(hub.notes().is_empty(), "they build on what the hub does not have");
    let (_, rest) = meet(&mut anna.device, &mut bo.device);
    assert_eq!(rest.changes + early, 60);
    bo.sync(&mut hub);
    assert_eq!(hub.notes().len(), 60);
    assert!(bo.events(EventKind::Alarm).is_empty());
}

#[test]
fn however_often_a_document_was_passed_on_a_message_fits() {
    let mut hub = Hub::new();
    let (order, _, inspection) = hub.dispatch(1);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    anna.device.note(Job::Order(order), "ours").unwrap();
    let key = SoftwareP256::from_scalar(&[66; 32]).unwrap();
    let head = Head { install: 1, seq: 0, fact: None };
    for n in 0..=STATEMENTS {
        let hash = |place: usize| sha256(&(n * LISTED_CHANGES + place).to_be_bytes());
        let docs =
            vec![Listed { doc: inspection, changes: (0..LISTED_CHANGES).map(hash).collect() }];
        let device = |n: usize| DeviceId::from_bytes((n as u64).to_be_bytes());
        let stated = Statement { device: device(n), to: device(n + 1), head, docs };
        let bytes = statement::seal(&stated, &key).unwrap();
        let keep = |tx: Db<'_>| carried::add_statement(tx, &bytes, stated.to, &[inspection]);
        anna.device.store.write(keep).unwrap();
    }
    let (_, to_bo) = meet(&mut anna.device, &mut bo.device);
    assert_eq!(to_bo.changes, 1);
}

#[test]
fn nothing_goes_to_a_phone_of_another_unit_another_hub_or_without_a_fresh_certificate() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let mut anna = Person::new(1, &mut hub);
    anna.device.note(Job::Order(order), "ours").unwrap();
    let mut stranger = Person::new(2, &mut hub);
    hub.devices.get_mut(&stranger.id()).unwrap().unit = UnitId::from_bytes([9; 16]);
    // Its certificate names a unit whose bucket it does not follow: it asks for another.
    stranger.fake.advance(1_000);
    meta_certificate(&mut stranger, &hub);

    let mut ours = anna.device.hand_over().unwrap();
    let mut theirs = stranger.device.hand_over().unwrap();
    let hello = theirs.next(&mut stranger.device).unwrap().unwrap();
    let refused = ours.take(&mut anna.device, &hello);
    assert_eq!(refused, Err(HandoverError::AnotherUnit));
    ours.next(&mut anna.device).unwrap().expect("who it is");
    assert_eq!(ours.next(&mut anna.device).unwrap(), None, "nothing more is said");

    let own = anna.device.hand_over().unwrap().next(&mut anna.device).unwrap().unwrap();
    assert_eq!(ours.take(&mut anna.device, &own), Err(HandoverError::Mirror));

    let mut bo = Person::new(3, &mut hub);
    let hello = bo.device.hand_over().unwrap().next(&mut bo.device).unwrap().unwrap();
    hub.now += 31 * 24 * 3_600_000;
    anna.sync(&mut hub);
    let refused = ours.take(&mut anna.device, &hello);
    assert_eq!(refused, Err(HandoverError::Stranger(Stranger::Expired)));
    bo.sync(&mut hub);
    let hello = bo.device.hand_over().unwrap().next(&mut bo.device).unwrap().unwrap();
    assert!(ours.take(&mut anna.device, &hello).is_ok(), "it has synced and is believed again");

    let folder = tempfile::tempdir().unwrap();
    let mut fresh = FakeHost::new(9).open(folder.path());
    let refused = fresh.hand_over().unwrap().next(&mut fresh);
    assert_eq!(refused, Err(HandoverError::Device(DeviceError::NotEnrolled)));
}

/// Gives a phone the certificate that the hub would issue now.
fn meta_certificate(person: &mut Person, hub: &Hub) {
    let bytes = hub.certificate(person.id());
    let kept = person.device.store.write(|tx| crate::handover::keep_certificate(tx, &bytes));
    assert_eq!(kept, Ok(Ok(())));
}

/// What `giver` sends `taker`, opened, altered and sealed again, as a hostile app could.
fn altered(giver: &mut Person, taker: &mut Person, alter: impl Fn(&mut Part)) -> Given {
    let secret = Secret::new(&[7; 32]);
    let certificate = {
        let bytes = crate::handover::own_certificate(taker.device.store.read()).unwrap();
        bytes.unwrap().1
    };
    let hello = Hello {
        certificate: certificate.into(),
        meeting: secret.public().to_vec().into(),
        orders: Vec::new(),
        carried: Vec::new(),
    };
    let bytes = hello::seal(&hello, &taker.fake).unwrap();
    let mut theirs = giver.device.hand_over().unwrap();
    theirs.next(&mut giver.device).unwrap();
    theirs.take(&mut giver.device, &Message::Hello(bytes.into()).encode()).unwrap();
    let mut session = taker.device.hand_over().unwrap();
    let meeting = match Message::decode(&session.next(&mut taker.device).unwrap().unwrap()).unwrap()
    {
        Message::Hello(bytes) => {
            let key = crate::store::meta::identity(taker.device.store.read()).unwrap().hub_key;
            let verify = onscene_sync_core::crypto::verify_p256;
            let now = onscene_sync_core::time::Millis(0);
            hello::read(&bytes, &key, now, verify).unwrap().0.meeting
        }
        Message::Part(_) => panic!("it begins with who it is"),
    };
    while let Some(message) = theirs.next(&mut giver.device).unwrap() {
        let Message::Part(sealed) = Message::decode(&message).unwrap() else { continue };
        let mut part = part::open(&sealed, &secret).unwrap();
        alter(&mut part);
        let mut chance = ChaCha20Rng::from_seed([8; 32]);
        let place = (sealed.index, sealed.last);
        let sealed = part::seal(&part, place, &meeting, &mut chance).unwrap();
        session.take(&mut taker.device, &Message::Part(sealed).encode()).unwrap();
    }
    session.given().clone()
}

#[test]
fn what_is_altered_forged_or_not_this_units_is_not_taken_and_the_rest_is() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    let mut chen = Person::new(3, &mut hub);
    anna.device.note(job, "from Anna").unwrap();
    meet(&mut anna.device, &mut bo.device);
    bo.device.note(job, "from Bo").unwrap();

    let flip = |bytes: &mut ByteVec, at: usize| {
        let at = at % bytes.len();
        bytes[at] ^= 1;
    };
    for at in [0, 5, 40, 100, 200, 300] {
        let given = altered(&mut bo, &mut chen, |part| {
            part.changes.iter_mut().for_each(|given| flip(&mut given.change, at));
            part.told.iter_mut().for_each(|told| flip(&mut told.envelope, at));
        });
        assert_eq!((given.changes, given.told), (0, 0), "byte {at}");
        assert!(!given.refused.is_empty());
        let given = altered(&mut bo, &mut chen, |part| {
            part.statements.iter_mut().for_each(|statement| flip(statement, at));
        });
        assert_eq!(given.changes, 0, "byte {at} of the proofs");
        let given = altered(&mut bo, &mut chen, |part| {
            part.certificates.iter_mut().for_each(|certificate| flip(certificate, at));
        });
        assert_eq!(given.changes, 0, "byte {at} of the certificates");
    }
    let foreign = altered(&mut bo, &mut chen, |part| {
        for given in &mut part.changes {
            given.doc = onscene_sync_core::id::DocId::from_bytes([0x77; 16]);
        }
    });
    assert_eq!(foreign.changes, 0, "a document that is not the unit's");
    assert_eq!(chen.device.carried().unwrap().waiting, 0);
    let honest = altered(&mut bo, &mut chen, |_| {});
    assert_eq!((honest.changes, honest.refused), (2, Vec::new()));
    chen.sync(&mut hub);
    assert_eq!(hub.notes(), ["from Anna", "from Bo"]);
}

#[test]
fn what_builds_on_something_that_is_not_here_is_carried_and_never_applied() {
    let mut hub = Hub::new();
    let (order, _, inspection) = hub.dispatch(1);
    let job = Job::Order(order);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    anna.device.note(job, "first").unwrap();
    anna.device.note(job, "second").unwrap();
    let given = altered(&mut anna, &mut bo, |part| {
        part.changes.remove(0);
    });
    assert_eq!((given.changes, given.refused), (1, Vec::new()));
    assert_eq!(bo.texts(job), 1, "its signed fact shows");
    let viewed = |bo: &Person| {
        let view = documents::view(bo.device.store.read(), inspection).unwrap();
        view.map_or(0, |view| view.facts().len())
    };
    assert_eq!(viewed(&bo), 0);
    meet(&mut anna.device, &mut bo.device);
    assert_eq!((viewed(&bo), bo.texts(job)), (1, 2), "the guard ruled on the first alone");
    bo.device.note(job, "from Bo").unwrap();
    bo.sync(&mut hub);
    assert_eq!(hub.notes(), ["first", "from Bo", "second"]);
    bo.sync(&mut hub);
    assert_eq!((viewed(&bo), waits(&bo.device)), (3, false));
}

#[test]
fn hostile_messages_are_refused_in_words_and_change_nothing() {
    let mut hub = Hub::new();
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    let mut session = anna.device.hand_over().unwrap();
    for bytes in [Vec::new(), vec![0xff; 64], vec![0; HANDOVER_MESSAGE_BYTES + 1]] {
        let refused = session.take(&mut anna.device, &bytes);
        assert!(matches!(refused, Err(HandoverError::Unreadable(_))), "{refused:?}");
    }
    let hello = bo.device.hand_over().unwrap().next(&mut bo.device).unwrap().unwrap();
    for at in 0..hello.len() {
        let mut altered = hello.clone();
        altered[at] ^= 0x20;
        assert!(session.take(&mut anna.device, &altered).is_err(), "byte {at}");
        assert!(session.take(&mut anna.device, &hello[..at]).is_err(), "cut at {at}");
    }
    assert!(session.take(&mut anna.device, &hello).is_ok());
    // A hello that was recorded and is shown again gets an answer that its showman cannot read.
    let forger = SoftwareP256::from_scalar(&[66; 32]).unwrap();
    let certificate = hub.certificate(bo.id()).into();
    let meeting = Secret::new(&[3; 32]).public().to_vec().into();
    let forged = Hello { certificate, meeting, orders: Vec::new(), carried: Vec::new() };
    let forged = Message::Hello(hello::seal(&forged, &forger).unwrap().into()).encode();
    let refused = session.take(&mut anna.device, &forged);
    assert!(matches!(refused, Err(HandoverError::Stranger(Stranger::Unproven(_)))), "{refused:?}");
    assert_eq!(anna.device.carried().unwrap(), crate::Carried::default());
}

#[test]
fn what_a_revoked_author_handed_over_is_kept_apart_and_the_carrier_works_on() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    anna.device.note(job, "from Anna").unwrap();
    meet(&mut anna.device, &mut bo.device);
    bo.device.note(job, "from Bo").unwrap();
    hub.devices.get_mut(&anna.id()).unwrap().revoked = true;
    bo.sync(&mut hub);
    assert_eq!(hub.notes(), ["from Bo"], "written anew without what was refused");
    assert_eq!((hub.quarantine.len(), bo.device.carried().unwrap().refused), (1, 1));
    assert!(!waits(&bo.device));
    assert_eq!(bo.events(EventKind::Refused).len(), 1);
    assert_eq!(bo.texts(job), 1);
}

#[test]
fn a_phone_restored_from_a_backup_gets_its_lost_work_back_through_a_colleague() {
    let mut hub = Hub::new();
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let (mut anna, mut bo) = (Person::new(1, &mut hub), Person::new(2, &mut hub));
    let backup = super::copy_of(&anna.device, anna.folder.path());
    let lost: Vec<FactId> =
        ["one", "two"].iter().map(|text| anna.device.note(job, text).unwrap()).collect();
    meet(&mut anna.device, &mut bo.device);
    anna.device = anna.fake.open(backup.path());
    anna.device.note(job, "after the backup").unwrap();
    bo.sync(&mut hub);
    anna.sync(&mut hub);
    assert_eq!(hub.notes(), ["after the backup", "one", "two"]);
    let seen = anna.device.visit(job).unwrap().facts;
    assert!(lost.iter().all(|fact| seen.iter().any(|(id, _)| id == fact)));
    assert!(!waits(&anna.device));
    assert_eq!(UNIT, hub.devices[&anna.id()].unit);
}

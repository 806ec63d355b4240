//! The hub refuses something: it is shown, kept there, and nothing else suffers.

use std::collections::BTreeSet;

use onscene_sync_core::document::Answer;
use onscene_sync_core::id::FactId;

use super::copy_of;
use crate::testing::{FakeHost, Hub};
use crate::{Counts, Device, EventKind, ItemState, Job};

fn facts(device: &Device) -> Vec<Option<FactId>> {
    device.items(0, 1_000).unwrap().into_iter().map(|item| item.fact).collect()
}

#[test]
fn a_refused_change_is_shown_and_all_around_it_arrives_with_the_facts_as_signed() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (first, _, visit) = hub.dispatch(1);
    let (second, ..) = hub.dispatch(2);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    for (order, text) in
        [(first, "a"), (first, "poison b"), (first, "c"), (second, "d"), (first, "e")]
    {
        device.note(Job::Order(order), text).unwrap();
    }
    device.answer(Job::Order(first), "fire_lane", Answer::Yes).unwrap();
    let before = facts(&device);
    assert_eq!(fake.sync(&mut device, &mut hub), 2, "once to hear of it, once to mend it");
    assert_eq!(hub.notes(), ["a", "c", "d", "e"]);
    assert_eq!(hub.quarantine.len(), 1);
    assert_eq!(facts(&device), before, "no fact was signed anew");
    let authors = hub.rows.iter().filter_map(|(row, actor)| Some((row.doc, (*actor)?)));
    let authors: BTreeSet<u8> =
        authors.filter(|(doc, _)| *doc == visit).map(|(_, actor)| actor[15]).collect();
    assert!(
        authors.len() == 2 && authors.contains(&0),
        "what follows a refused change has one other number: {authors:?}"
    );
    let items = device.items(0, 1_000).unwrap();
    for item in &items {
        match (&item.state, item.n) {
            (ItemState::Refused { code, detail }, 2) => {
                assert_eq!((code.as_str(), detail.as_str()), ("forbidden", "the test says so"));
            }
            (ItemState::Verified, _) => {}
            other => panic!("{other:?}"),
        }
    }
    let counts = Counts { recorded: 6, saved: 0, delivered: 5, refused: 1 };
    assert_eq!(device.counts().unwrap(), counts);
    assert_eq!(device.visit(Job::Order(first)).unwrap().facts.len(), 3);
    device.note(Job::Order(first), "f").unwrap();
    assert_eq!(fake.sync(&mut device, &mut hub), 1);
    assert_eq!(hub.notes(), ["a", "c", "d", "e", "f"]);
    let kinds: Vec<EventKind> =
        device.events_since(0, 1_000).unwrap().into_iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::Refused) && kinds.contains(&EventKind::Rebuilt));
    assert!(!kinds.contains(&EventKind::Alarm));
}

#[test]
fn a_patrol_whose_beginning_is_refused_goes_on() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let job = Job::Inspection(device.begin_patrol().unwrap());
    for text in ["poison a", "b", "poison c", "d", "poison e"] {
        device.note(job, text).unwrap();
    }
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.notes(), ["b", "d"]);
    let counts = Counts { recorded: 5, saved: 0, delivered: 2, refused: 3 };
    assert_eq!(device.counts().unwrap(), counts);
}

#[test]
fn an_answer_that_the_team_gave_meanwhile_needs_no_change_of_its_own() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (fake_one, fake_two, mut hub) = (FakeHost::new(1), FakeHost::new(2), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut first = fake_one.enrolled(one.path(), &mut hub);
    let mut second = fake_two.enrolled(two.path(), &mut hub);
    first.note(job, "poison").unwrap();
    first.answer(job, "fire_lane", Answer::Yes).unwrap();
    second.answer(job, "fire_lane", Answer::Yes).unwrap();
    fake_two.sync(&mut second, &mut hub);
    fake_one.sync(&mut first, &mut hub);
    let counts = Counts { recorded: 2, saved: 0, delivered: 1, refused: 1 };
    assert_eq!(first.counts().unwrap(), counts);
}

#[test]
fn a_revoked_phone_hands_in_its_outbox_and_is_told_nothing() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, case, _) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    for text in ["a", "b", "c"] {
        device.note(Job::Order(order), text).unwrap();
    }
    hub.devices.values_mut().for_each(|phone| phone.revoked = true);
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.quarantine.len(), 3);
    let counts = Counts { recorded: 3, saved: 0, delivered: 0, refused: 3 };
    assert_eq!(device.counts().unwrap(), counts);
    assert!(device.standing().unwrap().unwrap().revoked);
    assert_eq!(device.my_work().unwrap(), []);
    assert!(device.case(case).is_err(), "nothing of the bureau stays on it");
}

#[test]
fn a_phone_enrolled_anew_states_under_its_new_name_what_the_old_one_owed() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(Job::Order(order), "delivered").unwrap();
    fake.sync(&mut device, &mut hub);
    device.note(Job::Order(order), "owed").unwrap();
    let old = device.standing().unwrap().unwrap().device;
    device.enrol("https://hub.example", &hub.code(), None, true).unwrap();
    fake.sync(&mut device, &mut hub);
    assert_ne!(device.standing().unwrap().unwrap().device, old);
    assert_eq!(hub.notes(), ["delivered", "owed"]);
    let counts = Counts { recorded: 2, saved: 0, delivered: 2, refused: 0 };
    assert_eq!(device.counts().unwrap(), counts);
}

#[test]
fn a_refusal_heard_twice_is_one_refusal() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    for text in ["a", "poison", "b"] {
        device.note(Job::Order(order), text).unwrap();
    }
    let copy = copy_of(&device, folder.path());
    fake.sync(&mut device, &mut hub);
    drop(device);
    // A phone set back to before the refusal hears of it once more.
    let mut device = fake.open(copy.path());
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.notes(), ["a", "b"]);
    assert_eq!(hub.quarantine.len(), 1);
    let counts = Counts { recorded: 3, saved: 0, delivered: 2, refused: 1 };
    assert_eq!(device.counts().unwrap(), counts);
}

#[test]
fn the_same_deed_after_a_refusal_is_another_change_and_is_answered_for() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let job = Job::Inspection(device.begin_patrol().unwrap());
    let revoked = hub.devices.values_mut().next().unwrap();
    revoked.revoked = true;
    for refused in 1..=3 {
        device.answer(job, "fire_lane", Answer::Yes).unwrap();
        fake.sync(&mut device, &mut hub);
        let counts = Counts { recorded: refused, saved: 0, delivered: 0, refused };
        assert_eq!(device.counts().unwrap(), counts);
        assert_eq!(hub.quarantine.len() as u64, refused);
    }
}

#[test]
fn a_document_that_was_let_go_is_not_written_under_numbers_used_before() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let job = Job::Inspection(device.begin_patrol().unwrap());
    device.answer(job, "fire_lane", Answer::Yes).unwrap();
    fake.sync(&mut device, &mut hub);
    hub.devices.values_mut().for_each(|phone| phone.revoked = true);
    let other = Job::Inspection(device.begin_patrol().unwrap());
    device.note(other, "the answer to this lets all documents go").unwrap();
    fake.sync(&mut device, &mut hub);
    device.answer(job, "fire_lane", Answer::Yes).unwrap();
    fake.sync(&mut device, &mut hub);
    let counts = Counts { recorded: 3, saved: 0, delivered: 1, refused: 2 };
    assert_eq!(device.counts().unwrap(), counts);
}

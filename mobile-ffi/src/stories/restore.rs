//! Backups: of the phone, and of the hub.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::Hash;

use super::copy_of;
use super::everyday::report;
use crate::testing::{FakeHost, Hub};
use crate::{Counts, EventKind, ItemState, Job};

#[test]
fn a_phone_restored_from_a_backup_delivers_what_is_new_and_learns_what_it_forgot() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(job, "1 before").unwrap();
    fake.sync(&mut device, &mut hub);
    device.note(job, "2 in the backup, delivered later").unwrap();
    let backup = copy_of(&device, folder.path());
    device.note(job, "3 forgotten").unwrap();
    fake.sync(&mut device, &mut hub);
    device.note(job, "4 forgotten too").unwrap();
    fake.sync(&mut device, &mut hub);
    drop(device);

    let mut device = fake.open(backup.path());
    device.note(job, "5 after the restore").unwrap();
    device.note(job, "6 after the restore").unwrap();
    fake.sync(&mut device, &mut hub);
    let notes = hub.notes();
    assert_eq!(notes.len(), 6, "{notes:?}");
    assert_eq!(notes.iter().map(|note| &note[..1]).collect::<String>(), "123456");
    assert_eq!(device.standing().unwrap().unwrap().install, 2);
    assert_eq!(device.visit(job).unwrap().facts.len(), 6, "what was forgotten is back");
    let counts = Counts { recorded: 4, saved: 0, delivered: 4, refused: 0 };
    assert_eq!(device.counts().unwrap(), counts);
    let restated: Vec<_> = hub
        .facts()
        .into_iter()
        .filter_map(|(_, fact)| fact.device().and_then(|author| author.restates))
        .collect();
    assert_eq!(restated.len(), 2, "what was recorded after the restore names what it replaces");
    let events = device.events_since(0, 1_000).unwrap();
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(EventKind::Restored), count(EventKind::Renewed)), (1, 1));
    assert_eq!(count(EventKind::Alarm), 0, "{events:?}");
}

#[test]
fn a_cloned_phone_and_its_original_both_end_well() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut original = fake.enrolled(folder.path(), &mut hub);
    let copy = copy_of(&original, folder.path());
    let mut clone = fake.open(copy.path());
    for round in 0..4 {
        original.note(job, &format!("original {round}")).unwrap();
        clone.note(job, &format!("clone {round}")).unwrap();
        fake.sync(&mut clone, &mut hub);
        fake.sync(&mut original, &mut hub);
    }
    let notes = hub.notes();
    assert_eq!(notes.len(), 8, "{notes:?}");
    for device in [&original, &clone] {
        let counts = Counts { recorded: 4, saved: 0, delivered: 4, refused: 0 };
        assert_eq!(device.counts().unwrap(), counts);
    }
    let installs = [&original, &clone].map(|device| device.standing().unwrap().unwrap().install);
    assert!(installs[0] != installs[1] && hub.devices.len() == 1, "{installs:?}");
}

#[test]
fn what_is_stated_anew_names_its_evidence_under_the_new_name() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let backup = copy_of(&device, folder.path());
    device.note(job, "forgotten").unwrap();
    fake.sync(&mut device, &mut hub);
    drop(device);
    let mut device = fake.open(backup.path());
    let manifest = Manifest {
        sha256: Hash::from_bytes([5; 32]),
        bytes: 10,
        media: Media::Photo,
        captured: true,
        taken: fake.now(),
        fix: None,
        datum: None,
        before: None,
    };
    let photo = device.attach_manifest(job, manifest).unwrap();
    let mut named = report("done");
    named.evidence = vec![photo];
    device.outcome(job, named).unwrap();
    fake.sync(&mut device, &mut hub);
    let facts = hub.facts();
    let evidence = facts.iter().find(|(_, fact)| matches!(fact.body, Body::Evidence(_))).unwrap();
    assert_ne!(evidence.0, photo);
    let outcome = facts.iter().find_map(|(_, fact)| {
        let Body::Outcome(report) = &fact.body else { return None };
        Some(report.evidence.clone())
    });
    assert_eq!(outcome, Some(vec![evidence.0]));
    // The app still knows the photo under its first name.
    let mut again = report("done again");
    again.evidence = vec![photo];
    device.outcome(job, again).unwrap();
    device.withdraw(photo, "blurred").unwrap();
    fake.sync(&mut device, &mut hub);
    let withdrawn = hub.facts().into_iter().find_map(|(_, fact)| {
        let Body::Withdrawal(withdrawal) = fact.body else { return None };
        Some(withdrawal.fact)
    });
    assert_eq!(withdrawn, Some(evidence.0));
    assert!(device.items(0, 100).unwrap().iter().all(|item| item.state == ItemState::Verified));
}

#[test]
fn a_lost_answer_to_the_renewal_does_no_harm() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let backup = copy_of(&device, folder.path());
    device.note(job, "forgotten").unwrap();
    fake.sync(&mut device, &mut hub);
    drop(device);
    let mut device = fake.open(backup.path());
    device.note(job, "new").unwrap();
    for _ in 0..4 {
        let request = fake.next_request(&mut device);
        hub.handle(&request);
        device.sync_failed(request.id, "the network went away").unwrap();
        let request = fake.next_request(&mut device);
        let reply = hub.handle(&request);
        device.sync_apply(request.id, &reply).unwrap();
    }
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.notes(), ["forgotten", "new"]);
}

#[test]
fn a_hub_restored_from_a_backup_is_given_again_what_it_lost() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(job, "a").unwrap();
    fake.sync(&mut device, &mut hub);
    let mut backup = hub.clone();
    device.note(job, "b").unwrap();
    device.note(job, "c").unwrap();
    fake.sync(&mut device, &mut hub);
    device.note(job, "d").unwrap();
    backup.raise_epoch();
    fake.sync(&mut device, &mut backup);
    assert_eq!(backup.notes(), ["a", "b", "c", "d"]);
    let counts = Counts { recorded: 4, saved: 0, delivered: 4, refused: 0 };
    assert_eq!(device.counts().unwrap(), counts);
    let events = device.events_since(0, 1_000).unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Redelivering).count(), 2);
}

#[test]
fn a_wrong_checksum_means_reading_the_bucket_again_with_the_outbox_kept() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    hub.corrupt_checksum(1);
    let request = fake.next_request(&mut device);
    let reply = hub.handle(&request);
    device.sync_apply(request.id, &reply).unwrap();
    let events = device.events_since(0, 1_000).unwrap();
    assert!(events.iter().any(|event| event.kind == EventKind::Alarm), "{events:?}");
    device.note(Job::Order(order), "kept").unwrap();
    assert_eq!(device.my_work().unwrap().len(), 1, "work stays in sight meanwhile");
    hub.corrupt_checksum(0);
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.notes(), ["kept"]);
    assert_eq!(device.my_work().unwrap().len(), 1);
}

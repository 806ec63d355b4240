//! The phone as a witness of the hub's audit log.

use onscene_sync_core::audit::checkpoint::{Restore, SignedCheckpoint};

use crate::testing::{FakeHost, Hub};
use crate::{Counts, Device, EventKind, Job};

fn write(hub: &mut Hub, entries: std::ops::Range<u64>) {
    hub.log.extend(entries.map(|n| n.to_be_bytes().to_vec()));
}

fn sync(fake: &FakeHost, device: &mut Device, hub: &mut Hub) {
    device.sync_soon();
    fake.sync(device, hub);
}

fn count(device: &Device, kind: EventKind) -> usize {
    let events = device.events_since(0, 1_000).unwrap();
    events.iter().filter(|event| event.kind == kind).count()
}

#[test]
fn a_log_that_grows_is_followed_without_a_word() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    assert_eq!(device.witnessed().unwrap(), None);
    let mut size = 0;
    for more in [1, 6, 0, 20] {
        write(&mut hub, size..size + more);
        size += more;
        sync(&fake, &mut device, &mut hub);
        let note = device.witnessed().unwrap().expect("a checkpoint");
        assert_eq!(note.lines().nth(1), Some(&*size.to_string()));
    }
    assert_eq!(count(&device, EventKind::Alarm), 0);
    assert_eq!(hub.disputed, []);
}

#[test]
fn a_log_that_was_rewritten_or_cut_raises_one_alarm_and_the_hub_is_told_and_work_goes_on() {
    for cut in [false, true] {
        let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
        let (order, ..) = hub.dispatch(1);
        let mut device = fake.enrolled(folder.path(), &mut hub);
        write(&mut hub, 0..20);
        sync(&fake, &mut device, &mut hub);
        let seen = device.witnessed().unwrap().unwrap();
        let honest = hub.log.clone();
        if cut {
            hub.log.truncate(7);
        } else {
            hub.log[3] = b"rewritten".to_vec();
            write(&mut hub, 20..25);
        }
        device.note(Job::Order(order), "what happens to the log holds up no work").unwrap();
        sync(&fake, &mut device, &mut hub);
        sync(&fake, &mut device, &mut hub);
        assert_eq!(count(&device, EventKind::Alarm), 1, "once, however often it is asked");
        let counts = Counts { recorded: 1, saved: 0, delivered: 1, refused: 0 };
        assert_eq!(device.counts().unwrap(), counts);
        assert_eq!(device.witnessed().unwrap().as_ref(), Some(&seen), "what was seen stays");
        let told = hub.disputed.last().expect("the hub is told").clone();
        let key = crate::store::meta::identity(device.store.read()).unwrap().hub_key;
        assert_eq!(SignedCheckpoint::from_note(&seen, &key), Ok(told));

        hub.log = honest;
        write(&mut hub, 20..22);
        sync(&fake, &mut device, &mut hub);
        let told = hub.disputed.len();
        sync(&fake, &mut device, &mut hub);
        assert_eq!(hub.disputed.len(), told, "it is as it was: nothing to ask any more");
        assert_eq!(device.witnessed().unwrap().unwrap().lines().nth(1), Some("22"));
    }
}

#[test]
fn a_hub_that_says_it_was_restored_is_followed_and_what_it_lost_is_told_once() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    write(&mut hub, 0..20);
    sync(&fake, &mut device, &mut hub);
    hub.log.truncate(12);
    hub.restores.push(Restore { epoch: 2, size: 12 });
    write(&mut hub, 100..115);
    for _ in 0..4 {
        sync(&fake, &mut device, &mut hub);
    }
    assert_eq!(count(&device, EventKind::HubRestored), 1);
    assert_eq!(count(&device, EventKind::Alarm), 0);
    assert_eq!(hub.disputed.len(), 1, "the hub learns what it had");
    assert_eq!(hub.disputed[0].checkpoint.size, 20);
    assert_eq!(device.witnessed().unwrap().unwrap().lines().nth(1), Some("27"));
}

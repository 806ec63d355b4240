//! The phone dies at any step of the database: what was acknowledged is there, nothing is doubled.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::testing::{FakeHost, Hub};
use crate::{Device, Job, Step};

/// Steps of SQLite's machine between two places where it may die.
const STRIDE: i32 = 5;

/// Lets the database of this device fail after so many strides. Nothing works from then on.
pub(super) fn fuse(device: &Device, strides: u32) -> Arc<AtomicU32> {
    let used = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&used);
    let handler = move || counted.fetch_add(1, Ordering::Relaxed) >= strides;
    device.store.read().progress_handler(STRIDE, Some(handler)).unwrap();
    used
}

struct Life {
    hub: Hub,
    fake: FakeHost,
    acknowledged: Vec<String>,
    poisoned: u64,
}

impl Life {
    /// One stretch of work until it is done or the database dies; says whether it was done.
    fn live(&mut self, device: &mut Device, job: Job, from: usize) -> Result<(), ()> {
        for n in from..from + 3 {
            device.note(job, &format!("{n:03}")).map_err(drop)?;
            self.acknowledged.push(format!("{n:03}"));
        }
        device.note(job, "poison").map_err(drop)?;
        self.poisoned += 1;
        device.note(job, &format!("{:03}", from + 3)).map_err(drop)?;
        self.acknowledged.push(format!("{:03}", from + 3));
        device.sync_soon();
        for _ in 0..20 {
            match device.sync_next().map_err(drop)? {
                Step::Send(request) => {
                    let answer = self.hub.handle(&request);
                    device.sync_apply(request.id, &answer).map_err(drop)?;
                }
                Step::Wait { ms, .. } => self.fake.advance(ms),
                Step::Idle => return Ok(()),
            }
        }
        panic!("sync does not come to an end");
    }
}

/// A life in which the database dies after `strides`; returns how many strides it took in all.
fn one(strides: u32, folder: &Path) -> u32 {
    let (fake, mut hub) = (FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    drop(fake.enrolled(folder, &mut hub));
    let mut life = Life { hub, fake, acknowledged: Vec::new(), poisoned: 0 };
    let mut device = life.fake.open(folder);
    let used = fuse(&device, strides);
    let died = life.live(&mut device, job, 0).is_err();
    let used = used.load(Ordering::Relaxed);
    assert_eq!(died, used > strides, "{used} of {strides}");
    drop(device);

    let mut device = life.fake.open(folder);
    let counts = device.counts().unwrap();
    assert_eq!(counts.recorded, life.acknowledged.len() as u64 + life.poisoned);
    life.live(&mut device, job, 100).unwrap();
    assert_eq!(life.hub.notes(), life.acknowledged, "after {strides} strides");
    let counts = device.counts().unwrap();
    assert_eq!(counts.delivered, life.acknowledged.len() as u64);
    assert_eq!((counts.saved, counts.refused), (0, life.poisoned));
    let damaged: String =
        device.store.read().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(damaged, "ok");
    used
}

#[test]
fn death_at_any_step_loses_nothing_acknowledged_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let all = one(u32::MAX, folder.path());
    assert!(all > 300, "the stride is too long to meet every transaction: {all}");
    for strides in (0..all).step_by(usize::try_from(all / 60).unwrap().max(1)) {
        let folder = tempfile::tempdir().unwrap();
        one(strides, folder.path());
    }
}

#[test]
fn a_full_disk_keeps_what_was_there_and_lets_the_phone_go_on_later() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(job, "before").unwrap();
    let pages: i64 =
        device.store.read().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    device.store.read().pragma_update(None, "max_page_count", pages).unwrap();
    let mut written = vec!["before".to_owned()];
    let full = loop {
        let text = format!("{:03} {}", written.len(), "长".repeat(3_000));
        match device.note(job, &text) {
            Ok(_) => written.push(text),
            Err(error) => break error,
        }
        assert!(written.len() < 20);
    };
    assert!(full.to_string().contains("full"), "{full}");
    assert_eq!(device.counts().unwrap().recorded, written.len() as u64);
    device.store.read().pragma_update(None, "max_page_count", 1_000_000).unwrap();
    device.note(job, "later").unwrap();
    written.push("later".to_owned());
    written.sort();
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.notes(), written);
}

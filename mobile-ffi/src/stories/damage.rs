//! Damage: bytes of the store's files change, or a power cut tears what was being written. What was
//! acknowledged and is intact is delivered; what is not is named; nothing wrong is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::testing::{FakeHost, Hub};
use crate::{Device, DeviceError, EventKind, Item, ItemState, Job};

/// A phone with a little of everything, and its hub.
#[derive(Clone)]
struct Life {
    folder: Arc<TempDir>,
    /// The files as they are while the store is open: much of it stands in the log only.
    live: Arc<TempDir>,
    fake: FakeHost,
    hub: Hub,
    waiting: Vec<String>,
    items: Vec<Item>,
}

/// Two delivered records, a refused one and eight that wait, in three documents.
fn life() -> Life {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let folder = Arc::new(folder);
    let (first, ..) = hub.dispatch(1);
    let (second, ..) = hub.dispatch(2);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    for text in ["delivered 1", "poison", "delivered 2"] {
        device.note(Job::Order(first), text).unwrap();
    }
    fake.sync(&mut device, &mut hub);
    let patrol = device.begin_patrol().unwrap();
    let jobs = [Job::Order(first), Job::Order(second), Job::Inspection(patrol)];
    let mut waiting = Vec::new();
    for n in 0..8 {
        let text = format!("waiting {n} {}", "长".repeat(60));
        device.note(jobs[n % 3], &text).unwrap();
        waiting.push(text);
    }
    let items = device.items(0, 100).unwrap();
    let live = Arc::new(tempfile::tempdir().unwrap());
    copy(folder.path(), live.path());
    Life { folder, live, fake, hub, waiting, items }
}

const FILES: [&str; 2] = ["phone.db", "phone.db-wal"];

fn copy(from: &Path, to: &Path) {
    for name in FILES {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Opens a damaged copy and brings it to its end; returns the numbers of the records lost.
fn survive(life: &mut Life, folder: &Path, what: &str) -> BTreeSet<i64> {
    let in_log = what.ends_with("log");
    let config = crate::OpenConfig {
        path: folder.join("phone.db"),
        model: "Test One".to_owned(),
        app_version: "1.0".to_owned(),
    };
    let everything = || life.items.iter().map(|item| item.n).collect();
    let mut device = match Device::open(config, life.fake.host()) {
        Ok(device) => device,
        // The first page or the key: the file is left as it is for an examination.
        Err(
            DeviceError::Damaged { .. }
            | DeviceError::NotAStore { .. }
            | DeviceError::StoreTooNew { .. }
            | DeviceError::KeyUnavailable { .. }
            | DeviceError::Store(_),
        ) => return everything(),
        Err(error) => panic!("{what}: {error}"),
    };
    if let Ok(items) = device.items(0, 100) {
        for item in items {
            let truth = life.items.iter().find(|truth| truth.n == item.n).unwrap();
            let (state, earlier) = (truth.state.clone(), item.state == ItemState::Saved);
            assert_eq!(Item { state, ..item.clone() }, *truth, "{what}");
            assert!(item == *truth || in_log && earlier, "{what}: {item:?} was never so");
        }
    }
    let Ok(damages) = device.check() else { return everything() };
    let mut lost = BTreeSet::new();
    if !damages.is_empty() {
        let mended = device.mend().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(mended.damaged_file.exists());
        lost.extend(mended.lost.iter().map(|lost| lost.n));
        assert_eq!(device.check(), Ok(Vec::new()), "{what}");
        let events = device.events_since(0, 1_000).unwrap();
        assert!(events.iter().any(|event| event.kind == EventKind::Mended), "{what}");
    }
    let here: BTreeSet<i64> = device.items(0, 100).unwrap().iter().map(|item| item.n).collect();
    lost.extend(life.items.iter().map(|item| item.n).filter(|n| !here.contains(n)));
    if device.sync_next() == Err(DeviceError::NotEnrolled) || device.standing().unwrap().is_none() {
        // The name of the hub or of the phone is lost: what is here goes through a recovery file.
        return everything();
    }
    life.fake.sync(&mut device, &mut life.hub);
    assert_eq!(device.counts().unwrap().saved, 0, "{what}");
    assert_eq!(device.my_work().unwrap().len(), 2, "{what}: documents come back");
    lost
}

/// What the hub must have: all that was delivered, and all that waited and was not lost.
fn assert_delivered(life: &Life, lost: &BTreeSet<i64>, what: &str) {
    let notes = life.hub.notes();
    let waiting = life.items.iter().filter(|item| item.state == ItemState::Saved);
    for (item, text) in waiting.zip(&life.waiting) {
        let times = notes.iter().filter(|note| *note == text).count();
        let good = if lost.contains(&item.n) { times <= 1 } else { times == 1 };
        assert!(good, "{what}: record {} is {times} times at the hub", item.n);
    }
}

/// Changes a byte at `at` thousandths of a file.
fn flip(path: &Path, at: usize) -> usize {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() * at / 1_000;
    bytes[at] ^= 0x41;
    fs::write(path, bytes).unwrap();
    at
}

#[test]
fn a_changed_byte_anywhere_in_the_file_costs_at_most_what_lay_there() {
    let (mut whole, mut partly, sound) = (0, 0, life());
    drop(super::copy_of(&sound.fake.open(sound.folder.path()), sound.folder.path()));
    for at in (3..1_000).step_by(21) {
        let (mut life, copy_dir) = (sound.clone(), tempfile::tempdir().unwrap());
        copy(life.folder.path(), copy_dir.path());
        let at = flip(&copy_dir.path().join("phone.db"), at);
        let what = format!("byte {at}");
        let lost = survive(&mut life, copy_dir.path(), &what);
        assert_delivered(&life, &lost, &what);
        whole += usize::from(lost.is_empty());
        partly += usize::from(!lost.is_empty() && lost.len() < life.items.len());
    }
    assert!(whole > 20 && partly > 0, "{whole} without a loss, {partly} with some");
}

#[test]
fn a_changed_byte_in_the_log_shows_an_earlier_moment_and_nothing_wrong() {
    let sound = life();
    for at in (1..1_000).step_by(53) {
        let (mut life, copy_dir) = (sound.clone(), tempfile::tempdir().unwrap());
        copy(life.live.path(), copy_dir.path());
        let at = flip(&copy_dir.path().join("phone.db-wal"), at);
        let what = format!("byte {at} of the log");
        let lost = survive(&mut life, copy_dir.path(), &what);
        assert_delivered(&life, &lost, &what);
    }
}

/// The files' bytes at one moment.
#[derive(Clone, PartialEq)]
struct Disk([Vec<u8>; 2]);

const SECTOR: usize = 512;

impl Disk {
    fn of(folder: &Path) -> Self {
        Self(FILES.map(|name| fs::read(folder.join(name)).unwrap_or_default()))
    }

    fn write(&self, folder: &Path) {
        for (name, bytes) in FILES.iter().zip(&self.0) {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// `file` as it is on the way from here to `after`: of the sectors that differ, some are written.
    fn torn(&self, after: &Self, file: usize, seed: u64) -> Vec<u8> {
        let (old, new) = (&self.0[file], &after.0[file]);
        let mut torn = old.clone();
        torn.resize(old.len().max(new.len()), 0);
        let mut chance = seed;
        for (at, sector) in new.chunks(SECTOR).enumerate() {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if chance >> 40 & 1 == 0 {
                torn[at * SECTOR..][..sector.len()].copy_from_slice(sector);
            }
        }
        torn
    }
}

/// The model: SQLite in WAL mode with `synchronous=FULL` ends each transaction with a sync of the log,
/// and a checkpoint with a sync of the file before the log is begun anew. So of what changed between
/// two acknowledgements, first sectors of the log reach the disk in any order, then, the log whole,
/// sectors of the file.
#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let pragma =
        device
            .store
            .read()
            .pragma_update_and_check(None, "wal_autocheckpoint", 40, |row| row.get::<_, i64>(0));
    assert_eq!(pragma, Ok(40));
    let mut before = Disk::of(folder.path());
    let recorded = |device: &Device| device.counts().unwrap().recorded;
    let (mut cuts, mut checkpoints) = (0, 0);
    for n in 0..40_u64 {
        let acknowledged = recorded(&device);
        device.note(Job::Order(order), &format!("{n:03}")).unwrap();
        let after = Disk::of(folder.path());
        checkpoints += u32::from(before.0[0] != after.0[0]);
        for seed in 0..4 {
            let log = Disk([before.0[0].clone(), before.torn(&after, 1, n << 8 | seed)]);
            let file = Disk([before.torn(&after, 0, n << 8 | seed), after.0[1].clone()]);
            for (disk, least) in [(log, acknowledged), (file, acknowledged + 1)] {
                let cut = tempfile::tempdir().unwrap();
                disk.write(cut.path());
                let device = fake.open(cut.path());
                let here = recorded(&device);
                assert!((least..=acknowledged + 1).contains(&here), "{here} after note {n}");
                assert_eq!(device.check(), Ok(Vec::new()), "after note {n}");
                cuts += 1;
            }
        }
        before = after;
    }
    assert!(cuts > 300 && checkpoints > 1, "{cuts} cuts, {checkpoints} checkpoints");
}

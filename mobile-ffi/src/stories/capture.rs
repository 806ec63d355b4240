//! Taking files: what is stated is there, what is not is told, and nothing is thrown away unasked.

use std::fs;
use std::io::{Seek as _, Write as _};

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{FactId, Hash};
use onscene_sync_core::limits::EVIDENCE_PHOTO_BYTES;
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use tempfile::TempDir;

use super::{photo, picture, take};
use crate::testing::{FakeHost, Hub};
use crate::{Device, DeviceError, EventKind, EvidenceState, Job, NewFile};

fn scene() -> (TempDir, FakeHost, Hub, Device, Job) {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let device = fake.enrolled(folder.path(), &mut hub);
    (folder, fake, hub, device, Job::Order(order))
}

fn manifest(device: &Device, job: Job, fact: FactId) -> Manifest {
    let facts = device.visit(job).unwrap().facts;
    match facts.into_iter().find(|(id, _)| *id == fact).unwrap().1.body {
        Body::Evidence(manifest) => manifest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_photo_is_kept_as_the_camera_wrote_it_and_stated_before_the_screen_closes() {
    let (folder, fake, _hub, mut device, job) = scene();
    let bytes = picture(1, 70_000);
    let begun = fake.now();
    let capture = device.begin_capture(job, photo()).unwrap();
    assert!(capture.path.starts_with(folder.path()), "{:?}", capture.path);
    assert_eq!(device.unfinished_captures().unwrap()[0].file, None, "the intent is there first");
    fake.advance(60_000);
    fs::write(&capture.path, &bytes).unwrap();
    let position = Position { lat_e7: 366_512_000, lon_e7: 1_171_200_000 };
    let fix = Fix {
        position,
        accuracy_mm: 5_000,
        boot_ns: begun.boot_ns,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: None,
        fix_wall_ms: None,
    };
    let fact = device.finish_capture(capture.id, Some((Datum::Wgs84, fix))).unwrap();

    let manifest = manifest(&device, job, fact);
    assert_eq!((manifest.sha256, manifest.bytes), (sha256(&bytes), 70_000));
    assert_eq!((manifest.media, manifest.captured), (Media::Photo, true));
    assert_eq!((manifest.fix, manifest.datum), (Some(fix), Some(Datum::Wgs84)));
    assert!(manifest.taken.boot_ns > begun.boot_ns + 59_000_000_000, "when the shutter closed");
    let [item] = &device.evidence(0, 10).unwrap()[..] else { panic!("one file") };
    assert_eq!((item.fact, item.bytes, &item.state), (fact, 70_000, &EvidenceState::OnPhone));
    assert_eq!(fs::read(item.path.as_ref().unwrap()).unwrap(), bytes);
    assert_eq!(device.unfinished_captures().unwrap(), []);
    assert_eq!(device.stray_files().unwrap(), []);
    let storage = device.storage().unwrap();
    assert_eq!((storage.evidence_bytes, storage.evidence_waiting_bytes), (70_000, 70_000));
}

#[test]
fn before_and_after_are_a_pair_at_the_hub_too() {
    let (_folder, fake, mut hub, mut device, job) = scene();
    let before = take(&mut device, job, photo(), &picture(1, 100));
    let after = NewFile { before: Some(before), ..photo() };
    let after = take(&mut device, job, after, &picture(2, 100));
    assert_eq!(device.evidence(0, 10).unwrap()[1].before, Some(before));
    fake.sync(&mut device, &mut hub);
    let stated = hub.facts().into_iter().find(|(id, _)| *id == after).unwrap().1;
    assert!(matches!(stated.body, Body::Evidence(manifest) if manifest.before == Some(before)));
}

#[test]
fn a_killed_app_finds_its_half_taken_photos_and_a_person_decides() {
    let (folder, fake, _hub, mut device, job) = scene();
    let unopened = device.begin_capture(job, photo()).unwrap();
    let half = device.begin_capture(job, photo()).unwrap();
    fs::write(&half.path, picture(1, 300)).unwrap();
    let named = device.begin_capture(job, photo()).unwrap();
    fs::write(&named.path, picture(2, 400)).unwrap();
    // Dies between the lasting name and the fact.
    fake.break_key(true);
    assert!(matches!(device.finish_capture(named.id, None), Err(DeviceError::Key(_))));
    fake.break_key(false);
    drop(device);
    fake.advance(3_600_000);

    let mut device = fake.open(folder.path());
    assert_eq!(device.evidence(0, 10).unwrap(), []);
    assert_eq!(device.stray_files().unwrap(), [], "all of them are known");
    let found = |device: &Device, id| {
        let left = device.unfinished_captures().unwrap();
        left.into_iter().find(|left| left.id == id).unwrap()
    };
    assert_eq!(found(&device, unopened.id).file, None);
    assert_eq!(found(&device, half.id).file, Some((half.path.clone(), 300)));
    assert_eq!(found(&device, named.id).file.as_ref().unwrap().1, 400);

    let error = device.finish_capture(unopened.id, None).unwrap_err().to_string();
    assert!(error.contains("discard the capture"), "{error}");
    let begun = found(&device, named.id).begun_wall_ms;
    let fact = device.finish_capture(named.id, None).unwrap();
    let manifest = manifest(&device, job, fact);
    assert_eq!(manifest.sha256, sha256(&picture(2, 400)));
    assert_eq!(manifest.taken.wall_ms, begun, "nobody knows when the shutter was pressed");
    for id in [unopened.id, half.id] {
        device.discard_capture(id).unwrap();
        assert!(device.discard_capture(id).is_err());
    }
    assert!(!half.path.exists());
    let events = device.events_since(0, 100).unwrap();
    let told = events.iter().filter(|event| event.kind == EventKind::CaptureDiscarded);
    assert_eq!(told.count(), 2);
    assert_eq!(device.evidence(0, 10).unwrap().len(), 1);
}

#[test]
fn a_long_video_is_hashed_while_it_grows_and_a_mended_header_is_noticed() {
    let (_folder, _fake, _hub, mut device, job) = scene();
    let video = || NewFile { media: Media::Video, extension: "mp4".to_owned(), before: None };
    let whole = picture(1, 400_000);
    let capture = device.begin_capture(job, video()).unwrap();
    let mut file = fs::File::create(&capture.path).unwrap();
    for (n, part) in whole.chunks(90_000).enumerate() {
        file.write_all(part).unwrap();
        let hashed = device.capture_progress(capture.id).unwrap();
        assert_eq!(hashed, (90_000 * (n as u64 + 1)).min(400_000));
    }
    let fact = device.finish_capture(capture.id, None).unwrap();
    assert_eq!(manifest(&device, job, fact).sha256, sha256(&whole));

    let capture = device.begin_capture(job, video()).unwrap();
    let mut file = fs::File::create(&capture.path).unwrap();
    file.write_all(&whole).unwrap();
    device.capture_progress(capture.id).unwrap();
    file.seek(std::io::SeekFrom::Start(40)).unwrap();
    file.write_all(b"moov").unwrap();
    let fact = device.finish_capture(capture.id, None).unwrap();
    let mended = [&whole[..40], b"moov", &whole[44..]].concat();
    assert_eq!(manifest(&device, job, fact).sha256, sha256(&mended));
}

#[test]
fn a_picked_file_is_copied_in_and_counts_as_imported() {
    let (folder, _fake, _hub, mut device, job) = scene();
    let picked = folder.path().join("IMG_0001.HEIC");
    fs::write(&picked, picture(1, 200_000)).unwrap();
    let new = NewFile { extension: "heic".to_owned(), ..photo() };
    let fact = device.attach(job, &picked, new.clone(), None).unwrap();
    let manifest = manifest(&device, job, fact);
    assert_eq!((manifest.sha256, manifest.captured), (sha256(&picture(1, 200_000)), false));
    assert_eq!(fs::read(&picked).unwrap(), picture(1, 200_000), "the original is left alone");
    fs::remove_file(&picked).unwrap();
    assert!(device.evidence(0, 1).unwrap()[0].path.as_ref().unwrap().exists());

    assert!(matches!(device.attach(job, &picked, new, None), Err(DeviceError::File { .. })));
    assert_eq!(device.unfinished_captures().unwrap(), [], "what failed leaves nothing");
    assert_eq!(device.evidence(0, 10).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_evidence_is_refused_with_its_mend_and_kept() {
    let (folder, fake, mut hub, mut device, job) = scene();
    for extension in ["", "JPG", "a/b", "..", "exten5ion"] {
        let new = NewFile { extension: extension.to_owned(), ..photo() };
        let error = device.begin_capture(job, new).unwrap_err();
        assert!(matches!(error, DeviceError::Invalid { field: "extension", .. }), "{extension}");
    }
    let empty = device.begin_capture(job, photo()).unwrap();
    fs::write(&empty.path, "").unwrap();
    let large = device.begin_capture(job, photo()).unwrap();
    fs::File::create(&large.path).unwrap().set_len(EVIDENCE_PHOTO_BYTES + 1).unwrap();
    for (id, bytes) in [(empty.id, 0), (large.id, EVIDENCE_PHOTO_BYTES + 1)] {
        let error = device.finish_capture(id, None).unwrap_err().to_string();
        assert!(error.contains(&format!("has {bytes} bytes")), "{error}");
    }
    assert!(large.path.exists() && empty.path.exists());
    assert_eq!(device.unfinished_captures().unwrap().len(), 2);
    assert!(matches!(device.finish_capture(7, None), Err(DeviceError::Unknown { .. })));
    assert!(matches!(device.capture_progress(7), Err(DeviceError::Unknown { .. })));
    let nowhere = Job::Order(FactId::from_bytes([9; 16]));
    assert!(matches!(device.begin_capture(nowhere, photo()), Err(DeviceError::Unknown { .. })));
    fs::write(folder.path().join("phone.media/old.jpg"), "of another life").unwrap();
    let [stray] = &device.stray_files().unwrap()[..] else { panic!("one stray file") };
    assert_eq!(stray.bytes, 15);
    fake.sync(&mut device, &mut hub);
    fake.upload(&mut device, &mut hub);
    assert!(stray.path.exists(), "nothing here removes what it does not know");
}

/// A life in which the database dies after so many strides; says how many it took in all.
fn one_life(strides: u32) -> u32 {
    let (folder, fake, _hub, device, job) = scene();
    drop(device);
    let mut device = fake.open(folder.path());
    let used = super::crash::fuse(&device, strides);
    let mut stated: Vec<Hash> = Vec::new();
    let mut begun = 0;
    for seed in 0..4 {
        let bytes = picture(seed, 5_000);
        let Ok(capture) = device.begin_capture(job, photo()) else { continue };
        begun += 1;
        fs::write(&capture.path, &bytes).unwrap();
        if device.finish_capture(capture.id, None).is_ok() {
            stated.push(sha256(&bytes));
        }
    }
    drop(device);
    let mut device = fake.open(folder.path());
    let left = device.unfinished_captures().unwrap();
    assert_eq!(left.len() + stated.len(), begun, "after {strides} strides");
    let items = device.evidence(0, 10).unwrap();
    let kept: Vec<Hash> =
        items.iter().map(|item| sha256(&fs::read(item.path.as_ref().unwrap()).unwrap())).collect();
    assert_eq!(kept, stated);
    assert_eq!(device.stray_files().unwrap(), []);
    for capture in left {
        assert_eq!(capture.file.as_ref().unwrap().1, 5_000, "the photo is not lost");
        device.finish_capture(capture.id, None).unwrap();
    }
    assert_eq!(device.evidence(0, 10).unwrap().len(), begun);
    used.load(std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn death_at_any_step_leaves_each_photo_stated_or_told() {
    let all = one_life(u32::MAX);
    assert!(all > 100, "the stride is too long to meet every transaction: {all}");
    for strides in (0..all).step_by(usize::try_from(all / 50).unwrap().max(1)) {
        one_life(strides);
    }
}

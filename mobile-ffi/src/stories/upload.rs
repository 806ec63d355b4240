//! The lane of the files: in which order, through which trouble, and until when a copy stays.

use std::fs;

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::{DocId, FactId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{photo, picture, take};
use crate::testing::{FakeHost, Hub, body, header, reply};
use crate::{
    Applied, Device, EventKind, EvidenceCounts, EvidenceState, Job, NewFile, Step, UploadBody,
    UploadRequest, UploadStep, WaitReason,
};

pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) fake: FakeHost,
    pub(super) hub: Hub,
    pub(super) device: Device,
    pub(super) job: Job,
}

pub(super) fn scene() -> Scene {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let device = fake.enrolled(folder.path(), &mut hub);
    Scene { folder, fake, hub, device, job: Job::Order(order) }
}

impl Scene {
    /// A phone with a photo of so many bytes whose fact the hub has.
    fn with_photo(bytes: usize) -> Self {
        let mut scene = scene();
        scene.photo(1, bytes);
        scene.sync();
        scene
    }

    pub(super) fn photo(&mut self, seed: u64, bytes: usize) -> FactId {
        take(&mut self.device, self.job, photo(), &picture(seed, bytes))
    }

    pub(super) fn sync(&mut self) {
        self.fake.sync(&mut self.device, &mut self.hub);
    }

    fn upload(&mut self) -> usize {
        self.fake.upload(&mut self.device, &mut self.hub)
    }

    fn next(&mut self) -> UploadRequest {
        self.fake.next_upload(&mut self.device)
    }

    /// The next request, answered by the hub.
    fn answered(&mut self) -> UploadRequest {
        let request = self.next();
        let answer = self.hub.upload(&request);
        assert_eq!(self.device.upload_apply(request.id, &answer).unwrap(), Applied::Taken);
        request
    }

    fn states(&self) -> Vec<EvidenceState> {
        self.device.evidence(0, 100).unwrap().into_iter().map(|item| item.state).collect()
    }

    fn told(&self, kind: EventKind) -> Vec<String> {
        let events = self.device.events_since(0, 1_000).unwrap();
        let told = events.into_iter().filter(|event| event.kind == kind);
        told.map(|event| event.detail).collect()
    }

    fn path(&self, index: usize) -> std::path::PathBuf {
        self.device.evidence(0, 100).unwrap()[index].path.clone().unwrap()
    }

    fn restart(mut self) -> Self {
        drop(self.device);
        self.device = self.fake.open(self.folder.path());
        self
    }
}

fn range(request: &UploadRequest) -> (u64, u64) {
    match request.body {
        UploadBody::Range { offset, length, .. } => (offset, length),
        UploadBody::Empty => panic!("{request:?} has no body"),
    }
}

fn is_verified(state: &EvidenceState) -> bool {
    matches!(state, EvidenceState::Verified { .. })
}

#[test]
fn a_photo_goes_after_its_fact_part_by_part_and_the_hub_signs_for_it() {
    let mut scene = scene();
    scene.photo(1, 600_000);
    assert_eq!(scene.device.upload_next().unwrap(), UploadStep::Idle, "its fact comes first");
    assert_eq!(scene.states(), [EvidenceState::OnPhone]);
    scene.sync();

    let created = scene.answered();
    assert_eq!((created.method, &*created.url), ("POST", "https://hub.example/v1/uploads"));
    assert_eq!(header(&created, "upload-length"), Some("600000"));
    let first = scene.answered();
    assert_eq!((first.method, range(&first)), ("PATCH", (0, 256 * 1024)));
    assert_eq!(header(&first, "upload-offset"), Some("0"));
    assert_eq!(scene.states(), [EvidenceState::Partly { sent: 256 * 1024 }]);
    let second = scene.answered();
    assert_eq!(range(&second), (256 * 1024, 600_000 - 256 * 1024), "the network is quick");
    let at = onscene_sync_core::time::Millis(scene.hub.now);
    assert_eq!(scene.states(), [EvidenceState::Verified { at }]);
    assert_eq!(scene.device.upload_next().unwrap(), UploadStep::Idle);
    assert_eq!(scene.hub.files.whole.values().collect::<Vec<_>>(), [&picture(1, 600_000)]);
    assert_eq!(scene.told(EventKind::FileVerified), ["record 1: 600000 bytes"]);
    let storage = scene.device.storage().unwrap();
    assert_eq!((storage.evidence_bytes, storage.evidence_waiting_bytes), (600_000, 0));
    let printed = format!("{first:?}");
    assert!(!printed.contains("capability"), "an address is a permission: {printed}");
}

#[test]
fn parts_grow_on_a_quick_network_and_shrink_on_a_slow_or_broken_one() {
    let mut scene = Scene::with_photo(12_000_000);
    scene.answered();
    let mut lengths = Vec::new();
    for ms in [100, 100, 5_000, 25_000, 100] {
        let request = scene.next();
        lengths.push(range(&request).1 / 1024);
        let answer = scene.hub.upload(&request);
        scene.fake.advance(ms);
        scene.device.upload_apply(request.id, &answer).unwrap();
    }
    assert_eq!(lengths, [256, 512, 1024, 1024, 512]);
    let mut halved = 1024;
    for _ in 0..6 {
        let request = scene.next();
        if request.method == "HEAD" {
            let answer = scene.hub.upload(&request);
            scene.device.upload_apply(request.id, &answer).unwrap();
            continue;
        }
        assert_eq!(range(&request).1, halved * 1024);
        halved = (halved / 2).max(64);
        scene.device.upload_failed(request.id, "reset").unwrap();
    }
    assert!(halved < 1024);
    scene.upload();
    assert!(is_verified(&scene.states()[0]));
}

#[test]
fn after_a_cut_the_hub_is_asked_and_nothing_goes_twice_that_it_kept() {
    let mut scene = Scene::with_photo(600_000);
    scene.answered();
    let request = scene.next();
    let mut part = body(&request);
    part.truncate(100_000);
    scene.hub.upload_of(&request, part);
    scene.device.upload_failed(request.id, "connection reset").unwrap();
    assert_eq!(scene.device.last_failure(), Some("connection reset"));
    assert_eq!(scene.answered().method, "HEAD");
    assert_eq!(scene.states(), [EvidenceState::Partly { sent: 100_000 }]);
    assert_eq!(range(&scene.answered()).0, 100_000);
    scene.upload();
    assert_eq!(scene.hub.files.received, 600_000);
    assert_eq!(scene.device.last_failure(), None);
    assert!(is_verified(&scene.states()[0]));
}

#[test]
fn an_answer_counts_after_the_app_was_killed_and_only_once() {
    let mut scene = Scene::with_photo(100_000);
    scene.answered();
    let request = scene.next();
    let answer = scene.hub.upload(&request);
    let mut scene = scene.restart();
    let UploadStep::Wait { why, .. } = scene.device.upload_next().unwrap() else {
        panic!("the platform may still carry the request")
    };
    assert_eq!(why, WaitReason::InFlight);
    assert_eq!(scene.device.upload_apply(request.id, &answer).unwrap(), Applied::Taken);
    let states = scene.states();
    assert!(is_verified(&states[0]));
    for id in [request.id, request.id + 1, 0, u64::MAX] {
        assert_eq!(scene.device.upload_apply(id, &answer).unwrap(), Applied::Stale);
        scene.device.upload_failed(id, "late").unwrap();
    }
    assert_eq!(scene.states(), states);
}

#[test]
fn a_request_that_died_with_the_app_need_not_be_waited_for() {
    let mut scene = Scene::with_photo(100_000);
    assert_eq!(scene.device.open_upload(), Ok(None));
    scene.answered();
    let request = scene.next();
    let mut scene = scene.restart();
    assert_eq!(scene.device.open_upload(), Ok(Some(request.id)));
    scene.device.upload_failed(request.id, "the app was started anew").unwrap();
    assert_eq!(scene.device.open_upload(), Ok(None));
    scene.upload();
    assert!(is_verified(&scene.states()[0]));
}

#[test]
fn the_nearest_clock_goes_first_then_the_smallest_and_a_video_lets_photos_pass() {
    let mut scene = scene();
    scene.hub.now += 600_000;
    let (later, ..) = scene.hub.dispatch(2);
    scene.sync();
    let patrol: DocId = scene.device.begin_patrol().unwrap();
    let video = NewFile { media: Media::Video, extension: "mp4".to_owned(), before: None };
    let jobs = [
        (scene.job, video, 900_000),
        (Job::Inspection(patrol), photo(), 10),
        (Job::Order(later), photo(), 40_000),
        (Job::Order(later), photo(), 20_000),
        (scene.job, photo(), 90_000),
    ];
    for (seed, (job, new, bytes)) in (1..).zip(jobs) {
        take(&mut scene.device, job, new, &picture(seed, bytes));
    }
    scene.sync();
    let mut sent = Vec::new();
    while sent.len() < 5 {
        let request = scene.answered();
        if request.method == "PATCH" {
            sent.push(range(&request).1);
        }
    }
    assert_eq!(sent, [90_000, 20_000, 40_000, 10, 256 * 1024]);
    scene.photo(9, 70_000);
    scene.sync();
    let created = scene.answered();
    assert_eq!(header(&created, "upload-length"), Some("70000"), "the video waits for it");
    scene.upload();
    assert!(scene.states().iter().all(is_verified));
}

#[test]
fn a_bad_file_is_set_aside_told_once_and_holds_nothing_up() {
    let mut scene = scene();
    let bad = scene.photo(1, 1_000);
    scene.photo(2, 2_000);
    scene.photo(3, 3_000);
    scene.photo(4, 4_000);
    scene.sync();
    fs::remove_file(scene.path(1)).unwrap();
    let whole = fs::read(scene.path(2)).unwrap();
    fs::write(scene.path(2), [&whole[..2_999], b"x"].concat()).unwrap();
    let problem = r#"{"type": "urn:onscene:problem:forbidden", "title": "Not yours"}"#;
    for _ in 0..40 {
        match scene.device.upload_next().unwrap() {
            UploadStep::Send(request) => {
                let metadata = header(&request, "upload-length");
                let answer = match metadata {
                    Some("1000") => reply(403, problem),
                    _ => scene.hub.upload(&request),
                };
                scene.device.upload_apply(request.id, &answer).unwrap();
            }
            UploadStep::Wait { ms, .. } => scene.fake.advance(ms),
            UploadStep::Idle => panic!("the bad ones are tried again, seldom"),
        }
    }
    let reason = "403: Not yours".to_owned();
    let expected = [
        EvidenceState::SetAside { reason },
        EvidenceState::FileMissing,
        EvidenceState::FileChanged,
    ];
    assert_eq!(scene.states()[..3], expected);
    assert!(is_verified(&scene.states()[3]));
    assert_eq!(scene.told(EventKind::FileTrouble).len(), 3, "each is told once");
    let counts = scene.device.evidence_counts().unwrap();
    assert_eq!(
        counts,
        EvidenceCounts { recorded: 4, verified: 1, waiting: 1, refused: 0, lost: 2 }
    );
    // What comes back is taken up again; the person need not wait for the pause.
    fs::write(scene.path(2), whole).unwrap();
    scene.device.upload_soon();
    for _ in 0..10 {
        if let UploadStep::Send(request) = scene.device.upload_next().unwrap() {
            let answer = scene.hub.upload(&request);
            scene.device.upload_apply(request.id, &answer).unwrap();
        }
    }
    assert!(is_verified(&scene.states()[0]) && is_verified(&scene.states()[2]));
    assert!(scene.hub.facts().iter().any(|(id, _)| *id == bad));
    assert_eq!(scene.states()[1], EvidenceState::FileMissing, "and nothing is forgotten");
}

#[test]
fn each_status_has_its_effect_and_none_loses_the_file() {
    let with = |status, name: &str, value: &str| {
        let mut answer = reply(status, "");
        answer.headers.push((name.to_owned(), value.to_owned()));
        answer
    };
    let cases = [
        (with(429, "Retry-After", "7"), 6_900..=7_000, WaitReason::ServerBusy),
        (with(503, "Retry-After", "2"), 1_900..=2_000, WaitReason::ServerBusy),
        (reply(500, ""), 1..=100, WaitReason::Backoff),
        (reply(426, ""), 800_000..=900_000, WaitReason::NeedsUpdate),
        (reply(423, ""), 1..=100, WaitReason::Backoff),
        (reply(413, ""), 1..=100, WaitReason::Backoff),
        (reply(418, "teapot"), 1..=100, WaitReason::Backoff),
        (reply(204, ""), 1..=100, WaitReason::Backoff),
        (with(204, "Upload-Offset", "99999999"), 1..=100, WaitReason::Backoff),
    ];
    for (answer, range, expected) in cases {
        let mut scene = Scene::with_photo(300_000);
        scene.answered();
        let request = scene.next();
        assert_eq!(scene.device.upload_apply(request.id, &answer).unwrap(), Applied::Taken);
        let UploadStep::Wait { ms, why } = scene.device.upload_next().unwrap() else {
            panic!("{answer:?}")
        };
        assert_eq!(why, expected, "{answer:?}");
        assert!(range.contains(&ms), "{ms} {answer:?}");
        scene.fake.advance(ms);
        assert_eq!(scene.answered().method, "HEAD", "{answer:?}");
        scene.upload();
        assert!(is_verified(&scene.states()[0]), "{answer:?}");
    }
    for (status, next) in [(404, "POST"), (410, "POST"), (409, "HEAD"), (460, "HEAD")] {
        let mut scene = Scene::with_photo(300_000);
        scene.answered();
        let request = scene.next();
        if next == "POST" {
            scene.hub.expire_uploads();
        }
        scene.device.upload_apply(request.id, &reply(status, "")).unwrap();
        assert_eq!(scene.answered().method, next, "{status}");
        scene.upload();
        assert!(is_verified(&scene.states()[0]), "{status}");
    }
}

#[test]
fn a_hub_that_never_moves_on_is_not_hammered() {
    for status in [401, 404, 409, 460] {
        let mut scene = Scene::with_photo(300_000);
        let mut sent = 0;
        while let UploadStep::Send(request) = scene.device.upload_next().unwrap() {
            sent += 1;
            assert!(sent < 12, "{status}");
            let answer = match request.method {
                "PATCH" => reply(status, ""),
                "POST" if status == 401 => {
                    let mut answer = reply(401, "");
                    let nonce = format!("n{sent}");
                    answer.headers.push(("dpop-nonce".to_owned(), nonce));
                    let challenge = r#"DPoP error="use_dpop_nonce""#.to_owned();
                    answer.headers.push(("www-authenticate".to_owned(), challenge));
                    answer
                }
                _ => scene.hub.upload(&request),
            };
            scene.device.upload_apply(request.id, &answer).unwrap();
        }
        assert!(matches!(scene.device.upload_next().unwrap(), UploadStep::Wait { .. }));
    }
}

#[test]
fn an_expired_token_is_left_to_sync_and_an_upload_outlives_it() {
    let mut scene = Scene::with_photo(600_000);
    scene.answered();
    scene.fake.advance(700_000);
    scene.answered();
    scene.photo(2, 100);
    let Step::Send(request) = scene.device.sync_next().unwrap() else { panic!("a record waits") };
    assert!(request.url.ends_with("/v1/token"));
    scene.device.sync_failed(request.id, "no network").unwrap();
    scene.answered();
    assert!(is_verified(&scene.states()[0]), "the address is the permission");
    scene.sync();
    scene.fake.advance(700_000);
    let UploadStep::Wait { why, .. } = scene.device.upload_next().unwrap() else {
        panic!("without a token there is no address")
    };
    assert_eq!(why, WaitReason::NeedsSync);
    scene.sync();
    scene.upload();
    assert!(scene.states().iter().all(is_verified));
}

#[test]
fn neither_lane_waits_for_the_other() {
    let mut scene = Scene::with_photo(600_000);
    scene.answered();
    let upload = scene.next();
    scene.device.note(scene.job, "case data goes at once").unwrap();
    let Step::Send(request) = scene.device.sync_next().unwrap() else { panic!("an open upload") };
    let mut busy = reply(503, "");
    busy.headers.push(("retry-after".to_owned(), "3600".to_owned()));
    scene.device.sync_apply(request.id, &busy).unwrap();
    let answer = scene.hub.upload(&upload);
    scene.device.upload_apply(upload.id, &answer).unwrap();
    scene.answered();
    assert!(is_verified(&scene.states()[0]), "files go on while sync has to wait");
    scene.fake.advance(3_600_000);
    scene.photo(2, 100);
    scene.sync();
    let upload = scene.next();
    scene.device.upload_apply(upload.id, &busy).unwrap();
    scene.device.note(scene.job, "and the other way round").unwrap();
    scene.sync();
    assert_eq!(scene.hub.notes().len(), 2);
}

#[test]
fn a_copy_stays_for_seven_days_of_the_hubs_clock() {
    let mut scene = Scene::with_photo(1_000);
    scene.upload();
    scene.photo(2, 2_000);
    let (day, path) = (24 * 3_600_000_i64, scene.path(0));
    scene.fake.advance(40 * day.unsigned_abs());
    scene.upload_nothing();
    assert!(path.exists(), "the phone's own clock says nothing");
    scene.hub.now += 7 * day - 60_000;
    scene.sync();
    scene.upload_but_never_receive();
    assert!(path.exists());
    scene.hub.now += 120_000;
    scene.sync();
    scene.upload_nothing();
    assert!(!path.exists());
    let items = scene.device.evidence(0, 10).unwrap();
    assert_eq!(items[0].path, None);
    assert!(is_verified(&items[0].state), "it is at the hub all the same");
    assert_eq!(scene.told(EventKind::CopyReleased).len(), 1);
    scene.hub.now += 100 * day;
    scene.sync();
    scene.upload_but_never_receive();
    assert!(scene.path(1).exists(), "what the hub has not signed for stays for ever");
    assert_eq!(scene.device.storage().unwrap().evidence_bytes, 2_000);
}

impl Scene {
    /// A step of the lane that sends nothing that arrives.
    fn upload_nothing(&mut self) {
        if let UploadStep::Send(request) = self.device.upload_next().unwrap() {
            self.device.upload_failed(request.id, "lost").unwrap();
        }
    }

    /// The hub takes everything, and its answers are lost or garbled.
    fn upload_but_never_receive(&mut self) {
        for _ in 0..20 {
            match self.device.upload_next().unwrap() {
                UploadStep::Send(request) => {
                    let mut answer = self.hub.upload(&request);
                    answer.headers.retain(|(name, _)| name != "Onscene-Receipt");
                    self.device.upload_apply(request.id, &answer).unwrap();
                }
                UploadStep::Wait { ms, .. } => self.fake.advance(ms),
                UploadStep::Idle => break,
            }
        }
    }
}

#[test]
fn without_a_receipt_a_file_is_at_the_hub_and_not_verified() {
    let mut scene = Scene::with_photo(1_000);
    scene.upload_but_never_receive();
    assert_eq!(scene.states(), [EvidenceState::AtHub]);
    scene.upload();
    assert!(is_verified(&scene.states()[0]));
    assert_eq!(scene.hub.files.received, 1_000, "the bytes went once");
}

#[test]
fn a_hub_that_was_restored_is_given_again_what_it_lost() {
    let mut scene = Scene::with_photo(1_000);
    let backup = scene.hub.clone();
    scene.upload();
    scene.photo(2, 2_000);
    scene.sync();
    scene.upload();
    assert!(scene.states().iter().all(is_verified));
    let (phones, now) = (scene.hub.devices.clone(), scene.hub.now);
    scene.hub = backup;
    scene.hub.devices = phones;
    scene.hub.now = now;
    scene.hub.raise_epoch();
    scene.sync();
    assert_eq!(scene.states(), [EvidenceState::OnPhone, EvidenceState::OnPhone]);
    scene.sync();
    scene.upload();
    assert!(scene.states().iter().all(is_verified));
    assert_eq!(scene.hub.files.whole.len(), 2);
}

#[test]
fn a_file_whose_fact_is_refused_stays_and_says_why() {
    let mut scene = scene();
    scene.photo(1, 1_000);
    let device = scene.device.standing().unwrap().unwrap().device;
    scene.hub.devices.get_mut(&device).unwrap().revoked = true;
    scene.sync();
    assert_eq!(scene.device.upload_next().unwrap(), UploadStep::Idle);
    assert!(matches!(&scene.states()[0], EvidenceState::Refused { reason } if !reason.is_empty()));
    assert!(scene.path(0).exists());
    assert_eq!(scene.device.evidence_counts().unwrap().refused, 1);
}

/// What happens to the files of a phone at random.
#[derive(Debug, Clone)]
enum Happening {
    Photo(usize),
    Sync,
    Answered,
    RequestLost,
    AnswerLost,
    AnswerTwice,
    Cut(u32),
    Damaged,
    Expired,
    Restart,
    Time(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (1_usize..700_000).prop_map(Happening::Photo),
        2 => Just(Happening::Sync),
        6 => Just(Happening::Answered),
        1 => Just(Happening::RequestLost),
        2 => Just(Happening::AnswerLost),
        1 => Just(Happening::AnswerTwice),
        3 => any::<u32>().prop_map(Happening::Cut),
        1 => Just(Happening::Damaged),
        1 => Just(Happening::Expired),
        1 => Just(Happening::Restart),
        1 => (1_u64..700_000).prop_map(Happening::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_network_does_every_file_arrives_whole_and_once(
        happenings in prop::collection::vec(happening(), 1..50),
    ) {
        let mut scene = scene();
        let mut pictures = Vec::new();
        for happening in happenings {
            match happening {
                Happening::Photo(bytes) => {
                    let seed = pictures.len() as u64;
                    scene.photo(seed, bytes);
                    pictures.push(picture(seed, bytes));
                    continue;
                }
                Happening::Sync => scene.sync(),
                Happening::Expired => scene.hub.expire_uploads(),
                Happening::Restart => scene = scene.restart(),
                Happening::Time(ms) => scene.fake.advance(ms),
                _ => {
                    let UploadStep::Send(request) = scene.device.upload_next().unwrap() else {
                        scene.fake.advance(500);
                        continue;
                    };
                    scene.meets(&request, &happening);
                }
            }
            let states = scene.states();
            let verified = states.iter().filter(|state| is_verified(state)).count();
            prop_assert!(verified <= scene.hub.files.whole.len());
        }
        scene.sync();
        scene.device.upload_soon();
        scene.upload();
        prop_assert!(scene.states().iter().all(is_verified), "{:?}", scene.states());
        let mut arrived: Vec<_> = scene.hub.files.whole.values().cloned().collect();
        arrived.sort();
        pictures.sort();
        prop_assert_eq!(arrived, pictures);
    }
}

impl Scene {
    /// A request meets what happens.
    fn meets(&mut self, request: &UploadRequest, happening: &Happening) {
        let mut part = body(request);
        match happening {
            Happening::RequestLost => {}
            Happening::Cut(at) if !part.is_empty() => {
                part.truncate(*at as usize % part.len());
                self.hub.upload_of(request, part);
            }
            Happening::Damaged if !part.is_empty() => {
                part[0] ^= 1;
                let answer = self.hub.upload_of(request, part);
                assert_eq!(self.device.upload_apply(request.id, &answer), Ok(Applied::Taken));
                return;
            }
            Happening::AnswerTwice => {
                let answer = self.hub.upload(request);
                assert_eq!(self.device.upload_apply(request.id, &answer), Ok(Applied::Taken));
                assert_eq!(self.device.upload_apply(request.id, &answer), Ok(Applied::Stale));
                return;
            }
            Happening::AnswerLost => drop(self.hub.upload(request)),
            _ => {
                let answer = self.hub.upload(request);
                assert_eq!(self.device.upload_apply(request.id, &answer), Ok(Applied::Taken));
                return;
            }
        }
        self.device.upload_failed(request.id, "lost").unwrap();
    }
}

//! A phone loses the key to its store before everything is delivered: the bureau recovers the rest.

use std::path::{Path, PathBuf};

use onscene_mobile::{
    Device, DeviceError, EvidenceState, Job, NewFile, OpenConfig, Step, UploadStep, WaitReason,
};
use onscene_server::hub::recover::{self, RecoverError, Recovered};
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::{DeviceId, DocId, FactId};
use onscene_sync_core::sync::message::PushResult;
use onscene_sync_core::time::Millis;
use onscene_tests::handset::{BEGINNING, Clocks, Handset, WorldTime};
use onscene_tests::hub::{Hub, URL};
use onscene_tests::network::as_http;
use serde_json::{Value, json};
use sqlx::SqlitePool;

struct World {
    dir: tempfile::TempDir,
    hub: Hub,
    time: WorldTime,
    person: String,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let time = WorldTime::at(Millis(BEGINNING));
        let hub = Hub::start(dir.path(), 1, time.now()).await;
        Self { dir, hub, time, person: String::new() }.with_another_person().await
    }

    async fn with_another_person(self) -> Self {
        let me = self.hub.must("GET", "/v1/me", None, Value::Null).await;
        let person = json!({ "name": "Li", "role": "inspector", "unit": me["unit"] });
        let person = self.hub.must("POST", "/v1/people", None, person).await;
        let person = person["id"].as_str().expect("an id").to_owned();
        Self { person, ..self }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("phone.db")
    }

    fn handset(&self, seed: u64) -> Handset {
        Handset::new(Clocks::new(&self.time, 1, 0, 0), seed)
    }

    fn open(&self, handset: &Handset) -> Result<Device, DeviceError> {
        let (model, app_version) = ("simulated".to_owned(), "1".to_owned());
        Device::open(OpenConfig { path: self.store(), model, app_version }, handset.host())
    }

    async fn enrol(&self, device: &mut Device, replace: bool) -> DeviceId {
        let path = format!("/v1/people/{}/enrolment-codes", self.person);
        let code = self.hub.must("POST", &path, None, json!({})).await;
        let code = code["code"].as_str().expect("a code");
        device.enrol(URL, code, None, replace).expect("a valid code");
        self.sync(device).await;
        device.standing().expect("standing").expect("enrolled").device
    }

    async fn sync(&self, device: &mut Device) {
        device.sync_soon();
        for _ in 0..100 {
            match device.sync_next().expect("a step") {
                Step::Send(request) => {
                    let reply = self.hub.answer(&request).await;
                    device.sync_apply(request.id, &reply).expect("an answer");
                }
                Step::Wait { ms, .. } => self.time.pass(i64::try_from(ms).expect("short")),
                Step::Idle => return,
            }
        }
        panic!("sync does not come to an end");
    }

    async fn upload(&self, device: &mut Device) {
        device.upload_soon();
        for _ in 0..100 {
            match device.upload_next().expect("a step") {
                UploadStep::Send(request) => {
                    let reply = self.hub.answer(&as_http(&request)).await;
                    device.upload_apply(request.id, &reply).expect("an answer");
                }
                UploadStep::Wait { why: WaitReason::NeedsSync, .. } => self.sync(device).await,
                UploadStep::Wait { .. } | UploadStep::Idle => return,
            }
        }
        panic!("files do not come to an end");
    }

    async fn database(&self) -> SqlitePool {
        let url = format!("sqlite:{}", self.hub.database().display());
        SqlitePool::connect(&url).await.expect("the database")
    }

    async fn recover(&self, file: &Path) -> Result<Recovered, RecoverError> {
        recover::recover(self.hub.app(), &std::fs::read(file).expect("the file")).await
    }
}

fn notes(device: &Device, patrol: DocId) -> usize {
    device.visit(Job::Inspection(patrol)).expect("the patrol").facts.len()
}

/// Enrols, delivers one note and leaves two undelivered; the device is closed.
async fn work_offline(world: &World, handset: &Handset) -> (DeviceId, DocId) {
    let mut device = world.open(handset).expect("a new store");
    let id = world.enrol(&mut device, false).await;
    let patrol = device.begin_patrol().expect("a patrol");
    device.note(Job::Inspection(patrol), "delivered").expect("a note");
    world.sync(&mut device).await;
    for text in ["not yet", "nor this"] {
        device.note(Job::Inspection(patrol), text).expect("a note");
    }
    (id, patrol)
}

fn results(recovered: &Recovered) -> Vec<&PushResult> {
    recovered.records.iter().map(|(_, _, result)| result).collect()
}

#[tokio::test]
async fn what_was_not_delivered_is_recovered_once_and_the_phone_begins_anew() {
    let world = World::new().await;
    let (id, patrol) = work_offline(&world, &world.handset(1)).await;

    // The platform's key is gone: the same phone, another key.
    let after = world.handset(2);
    let refused = world.open(&after).expect_err("the key is gone");
    assert!(matches!(refused, DeviceError::KeyUnavailable { .. }), "{refused:?}");
    let file = world.dir.path().join("recovery");
    assert_eq!(Device::recovery_file(&world.store(), &file), Ok(2));
    assert!(Device::recovery_file(&world.store(), &file).is_err(), "no file is replaced");
    let bytes = std::fs::read(&file).expect("the file");
    assert!(!bytes.windows(7).any(|window| window == b"not yet"), "it is sealed");

    let recovered = world.recover(&file).await.expect("the hub opens it");
    assert_eq!((recovered.device, recovered.damaged.len()), (id, 0));
    assert_eq!(results(&recovered), [&PushResult::Accepted, &PushResult::Accepted]);
    let again = world.recover(&file).await.expect("it may be repeated");
    assert_eq!(results(&again), [&PushResult::Duplicate, &PushResult::Duplicate]);

    let aside = Device::set_aside(&world.store()).expect("the old store moves");
    assert!(aside.exists() && !world.store().exists());
    let mut device = world.open(&after).expect("a new store in the old place");
    assert_ne!(world.enrol(&mut device, true).await, id);
    world.sync(&mut device).await;
    assert_eq!(notes(&device, patrol), 3, "all three notes are on record, each once");
    let moved = world.dir.path().join("recovery of the moved one");
    assert_eq!(Device::recovery_file(&aside, &moved), Ok(2), "the old store is still whole");
}

#[tokio::test]
async fn a_revoked_phones_records_wait_for_a_supervisor() {
    let world = World::new().await;
    let (id, _) = work_offline(&world, &world.handset(1)).await;
    let path = format!("/v1/devices/{id}/revocation");
    world.hub.must("POST", &path, None, json!({ "reason": "lost" })).await;
    let file = world.dir.path().join("recovery");
    Device::recovery_file(&world.store(), &file).expect("a file");
    let recovered = world.recover(&file).await.expect("the hub opens it");
    assert!(
        results(&recovered).iter().all(|result| matches!(result, PushResult::Refused(_))),
        "{recovered:?}"
    );
    let kept = sqlx::query_scalar("SELECT count(*) FROM quarantine WHERE settled_at IS NULL");
    let kept: i64 = kept.fetch_one(&world.database().await).await.expect("a count");
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn a_file_that_another_phone_made_in_this_ones_name_is_refused() {
    let world = World::new().await;
    let (id, _) = work_offline(&world, &world.handset(1)).await;
    // The hub has another key on record for the phone: so the one who signed is somebody else.
    let other = Handset::new(Clocks::new(&world.time, 1, 0, 0), 9).host().keys.public_key();
    sqlx::query("UPDATE device SET key = $1")
        .bind(other.expect("a key"))
        .execute(&world.database().await)
        .await
        .expect("an update");
    let file = world.dir.path().join("recovery");
    Device::recovery_file(&world.store(), &file).expect("a file");
    let refused = world.recover(&file).await.expect_err("not the phone's");
    assert!(matches!(refused, RecoverError::NotThePhones(device) if device == id), "{refused}");
}

/// Takes photos without a network; the device is closed.
fn photographs(mut device: Device, patrol: DocId, count: u8) -> Vec<FactId> {
    let photo = |n: u8| {
        let new = NewFile { media: Media::Photo, extension: "jpg".to_owned(), before: None };
        let capture = device.begin_capture(Job::Inspection(patrol), new).expect("a capture");
        let picture = [&[0xff, 0xd8, 0xff, 0xe0, n][..], &[n; 300_000]].concat();
        std::fs::write(&capture.path, picture).expect("the folder is there");
        device.finish_capture(capture.id, None).expect("a fact")
    };
    (1..=count).map(photo).collect()
}

fn states(device: &Device) -> Vec<EvidenceState> {
    device.inherited_files().expect("files").into_iter().map(|file| file.state).collect()
}

/// A phone that took two photos and lost its key; returns where its store and its recovery file are.
async fn lost_with_photos(world: &World) -> (PathBuf, PathBuf, Vec<FactId>) {
    let handset = world.handset(1);
    let (_, patrol) = work_offline(world, &handset).await;
    let facts = photographs(world.open(&handset).expect("the store"), patrol, 2);
    let file = world.dir.path().join("recovery");
    assert_eq!(Device::recovery_file(&world.store(), &file), Ok(4));
    (Device::set_aside(&world.store()).expect("the old store moves"), file, facts)
}

#[tokio::test]
async fn photos_of_a_phone_that_lost_its_key_come_with_the_persons_later_phone() {
    let world = World::new().await;
    let (former, file, facts) = lost_with_photos(&world).await;
    world.recover(&file).await.expect("the hub opens it");
    let mut device = world.open(&world.handset(2)).expect("a new store");
    world.enrol(&mut device, true).await;
    assert_eq!(device.stray_files().expect("files").len(), 2);
    assert_eq!(device.inherit(&former), Ok(2));
    assert_eq!(device.inherit(&former), Ok(0), "nothing is taken over twice");
    assert_eq!(device.stray_files(), Ok(Vec::new()));

    world.upload(&mut device).await;
    let verified = |state: &EvidenceState| matches!(state, EvidenceState::Verified { .. });
    assert!(states(&device).iter().all(verified), "{:?}", states(&device));
    assert_eq!(device.inherited_files().expect("files").len(), 2);

    let stored = "SELECT fact_id FROM evidence WHERE stored_at IS NOT NULL";
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar(stored).fetch_all(&world.database().await).await.expect("rows");
    let named = |fact: &FactId| stored.iter().any(|row| row == fact.as_bytes());
    assert!(stored.len() == 2 && facts.iter().all(named), "under the facts that name them");
}

#[tokio::test]
async fn photos_of_somebody_elses_phone_are_not_taken() {
    let world = World::new().await;
    let (former, file, _) = lost_with_photos(&world).await;
    world.recover(&file).await.expect("the hub opens it");
    let world = world.with_another_person().await;
    let mut device = world.open(&world.handset(2)).expect("a new store");
    world.enrol(&mut device, false).await;
    assert_eq!(device.inherit(&former), Ok(2));
    world.upload(&mut device).await;
    for state in states(&device) {
        let EvidenceState::SetAside { reason } = state else { panic!("{state:?}") };
        assert!(reason.starts_with("404"), "{reason}");
    }
    let begun = "SELECT count(*) FROM evidence";
    let begun: i64 =
        sqlx::query_scalar(begun).fetch_one(&world.database().await).await.expect("a count");
    assert_eq!(begun, 0);
}

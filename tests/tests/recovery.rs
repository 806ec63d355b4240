//! A phone loses the key to its store before everything is delivered: the bureau recovers the rest.

use std::path::{Path, PathBuf};

use onscene_mobile::{Device, DeviceError, Job, OpenConfig, Step};
use onscene_server::hub::recover::{self, RecoverError, Recovered};
use onscene_sync_core::id::{DeviceId, DocId};
use onscene_sync_core::sync::message::PushResult;
use onscene_sync_core::time::Millis;
use onscene_tests::handset::{BEGINNING, Clocks, Handset, WorldTime};
use onscene_tests::hub::{Hub, URL};
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
        let me = hub.must("GET", "/v1/me", None, Value::Null).await;
        let person = json!({ "name": "Li", "role": "inspector", "unit": me["unit"] });
        let person = hub.must("POST", "/v1/people", None, person).await;
        let person = person["id"].as_str().expect("an id").to_owned();
        Self { dir, hub, time, person }
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

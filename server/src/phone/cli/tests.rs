//! The command-line phone against the real server.

use clap::Parser;
use onscene_sync_core::id::UnitId;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::demo::desk::Desk;
use crate::demo::founding::{self, ADMIN_KEY};
use crate::demo::hub::Hub;
use crate::demo::memory::FIRST_MORNING;
use crate::phone::drive::Round;
use crate::phone::live::Dialler;
use crate::phone::watch::{Turn, Watch};

const IN_TIME: Duration = Duration::from_secs(10);
const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gnsslogger_pixel6.txt");

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: PhoneArgs,
}

/// A hub with one inspector and one order at the place where the recording was made, and a phone.
struct Trial {
    dir: tempfile::TempDir,
    hub: Hub,
    code: String,
    centre: Desk,
    admin: Desk,
    unit: UnitId,
}

impl Trial {
    async fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::start(dir.path(), 0, FIRST_MORNING, 1).await.unwrap();
        let key = std::fs::read_to_string(dir.path().join(ADMIN_KEY)).unwrap();
        let client = reqwest::Client::new();
        let admin = Desk::new(client.clone(), &hub.address, key.trim());
        let unit: UnitId = admin.get("/v1/units").await.unwrap().read("/units/0/id").unwrap();
        let person = founding::inspector(&admin, unit, "Tester").await.unwrap();
        let code = founding::enrolment_code(&admin, person).await.unwrap();
        let body = json!({ "name": "Centre", "role": "dispatcher", "unit": unit });
        let desk: String = admin.post("/v1/people", &body).await.unwrap().read("/id").unwrap();
        let label = json!({ "label": "test" });
        let key = admin.post(&format!("/v1/people/{desk}/keys"), &label).await.unwrap();
        let centre = Desk::new(client, &hub.address, &key.read::<String>("/key").unwrap());
        let trial = Self { dir, hub, code, centre, admin, unit };
        trial.dispatch().await;
        trial
    }

    /// Orders the unit out to another case.
    async fn dispatch(&self) {
        let case = json!({
            "class": "complaint", "channel": "telephone", "matter": "noise", "summary": "Noise",
            "site": { "datum": "wgs84", "circle": {
                "centre": { "lat": 37.426_6, "lon": -122.173_7 }, "radius_m": 150.0 } },
        });
        let case = self.centre.post("/v1/cases", &case).await.unwrap();
        let orders = format!("/v1/cases/{}/orders", case.read::<String>("/id").unwrap());
        self.centre.post(&orders, &json!({ "unit": self.unit })).await.unwrap();
    }

    /// The phone as the library has it, enrolled.
    async fn device(&self) -> (Folder, Device) {
        self.enrol().await.unwrap();
        let folder = Folder::existing(&self.dir.path().join("phone")).unwrap();
        let device = open(&folder).unwrap();
        (folder, device)
    }

    async fn phone(&self, words: &[&str]) -> Result<String, PhoneError> {
        self.phone_in("phone", words).await
    }

    async fn phone_in(&self, folder: &str, words: &[&str]) -> Result<String, PhoneError> {
        let folder = self.dir.path().join(folder);
        let line = ["phone", "--dir", folder.to_str().unwrap()];
        let line = Line::try_parse_from(line.iter().chain(words)).unwrap();
        let mut out = Vec::new();
        run(line.args, &mut out).await.map(|()| String::from_utf8(out).unwrap())
    }

    async fn json(&self, words: &[&str]) -> Value {
        let out = self.phone(&[words, &["--json"]].concat()).await.unwrap();
        serde_json::from_str(&out).unwrap()
    }

    async fn enrol(&self) -> Result<String, PhoneError> {
        self.phone(&["enrol", "--server", &self.hub.address, "--code", &self.code]).await
    }
}

#[tokio::test]
async fn a_visit_with_a_recorded_walk_is_made_offline_and_delivered_later() {
    let trial = Trial::begin().await;
    assert!(trial.enrol().await.unwrap().contains("check words"));
    assert_eq!(trial.json(&["work"]).await.as_array().unwrap().len(), 1);
    trial.phone(&["offline"]).await.unwrap();
    assert!(trial.phone(&["accept", "1"]).await.unwrap().contains("saved on this phone"));
    let log = ["arrive", "1", "--datum", "wgs84", "--gnsslog", RECORDING];
    let arrival = trial.json(&log).await;
    assert_eq!(arrival["likely"]["place"], "proven_inside", "{arrival}");
    trial.phone(&["note", "1", "quiet now"]).await.unwrap();
    trial.phone(&["checklist", "1", "id_shown", "yes"]).await.unwrap();
    let stopped = ["outcome", "1", "stopped", "--text", "turned down"];
    let unproven = trial.phone(&stopped).await.unwrap_err().to_string();
    assert!(unproven.contains("take a photo"), "{unproven}");
    trial.phone(&["outcome", "1", "unfounded", "--text", "measured"]).await.unwrap();

    let refused = trial.phone(&["sync"]).await.unwrap_err().to_string();
    assert!(refused.contains("offline") && refused.contains("stays on this phone"), "{refused}");
    let before = trial.json(&["status"]).await;
    assert_eq!((&before["recorded"], &before["saved"]), (&json!(5), &json!(5)));
    trial.phone(&["online"]).await.unwrap();
    let after = trial.json(&["sync"]).await;
    assert_eq!(
        (&after["delivered"], &after["saved"], &after["refused"]),
        (&json!(5), &json!(0), &json!(0))
    );
    assert!(trial.phone(&["conflicts", "1"]).await.unwrap().contains("the team agrees"));
    assert!(trial.phone(&["work"]).await.unwrap().contains("on scene, done"));
    trial.hub.stop().await;
}

#[tokio::test]
async fn two_phones_meet_over_two_files_and_the_one_that_is_online_delivers_for_both() {
    let trial = Trial::begin().await;
    trial.enrol().await.unwrap();
    let person = founding::inspector(&trial.admin, trial.unit, "Colleague").await.unwrap();
    let code = founding::enrolment_code(&trial.admin, person).await.unwrap();
    let enrol = ["enrol", "--server", &trial.hub.address, "--code", &code];
    trial.phone_in("other", &enrol).await.unwrap();
    trial.phone(&["offline"]).await.unwrap();
    trial.phone(&["note", "1", "quiet now"]).await.unwrap();

    let path = |name: &str| trial.dir.path().join(name).to_str().unwrap().to_owned();
    let (there, back) = (path("there"), path("back"));
    let alone = ["handover", "--to", &there, "--from", &back, "--wait", "1"];
    let nobody = trial.phone(&alone).await.unwrap_err().to_string();
    assert!(nobody.contains("meet again"), "{nobody}");
    let one = ["handover", "--to", &there, "--from", &back];
    let other = ["handover", "--to", &back, "--from", &there, "--json"];
    let (one, other) = tokio::join!(trial.phone(&one), trial.phone_in("other", &other));
    assert!(one.unwrap().contains("handed over"));
    let given: Value = serde_json::from_str(&other.unwrap()).unwrap();
    assert_eq!((&given["changes"], &given["complete"]), (&json!(1), &json!(true)));
    assert!(trial.phone_in("other", &["status"]).await.unwrap().contains("carried    1"));
    trial.phone_in("other", &["sync"]).await.unwrap();
    assert!(!trial.phone_in("other", &["status"]).await.unwrap().contains("carried"));
    trial.phone(&["online"]).await.unwrap();
    trial.phone(&["sync"]).await.unwrap();
    assert_eq!(trial.json(&["status"]).await["delivered"], 1);

    std::fs::write(path("noise"), [0xff; 64]).unwrap();
    let noise = ["handover", "--to", &there, "--from", &path("noise")];
    let refused = trial.phone(&noise).await.unwrap_err().to_string();
    assert!(refused.contains("not written by `handover`"), "{refused}");
    trial.hub.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_mend() {
    let trial = Trial::begin().await;
    let wrong = |error: PhoneError, mend: &str| {
        assert!(error.to_string().contains(mend), "{error}");
    };
    wrong(trial.phone(&["work"]).await.unwrap_err(), "onscene phone enrol");
    let server = ["enrol", "--server", &trial.hub.address, "--code", "0000-0000"];
    assert!(matches!(trial.phone(&server).await, Err(PhoneError::NotSynced(_))), "a guessed code");
    trial.enrol().await.unwrap();
    wrong(trial.phone(&["accept", "7"]).await.unwrap_err(), "onscene phone work");
    let no_fix = ["arrive", "1", "--datum", "wgs84"];
    wrong(trial.phone(&no_fix).await.unwrap_err(), "--gnsslog");
    let gcj = ["arrive", "1", "--datum", "gcj02", "--gnsslog", RECORDING];
    wrong(trial.phone(&gcj).await.unwrap_err(), "--datum wgs84");
    let no_datum = Line::try_parse_from(["phone", "arrive", "1", "--fix", "36,117,8"]);
    assert!(no_datum.unwrap_err().to_string().contains("--datum"));
    assert_eq!(trial.json(&["status"]).await["recorded"], 0);
    trial.hub.stop().await;
}

fn jpeg(dir: &std::path::Path, name: &str, bytes: usize) -> String {
    let path = dir.join(name);
    let head = [0xff, 0xd8, 0xff, 0xe0];
    let byte = |n: usize| u8::try_from(n * n % 251).expect("below 251");
    let noise = (0..bytes).map(|n| byte(n) ^ name.as_bytes()[0]);
    std::fs::write(&path, head.into_iter().chain(noise).collect::<Vec<u8>>()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn photos_taken_offline_are_sent_later_and_the_hub_signs_for_them() {
    let trial = Trial::begin().await;
    trial.enrol().await.unwrap();
    trial.phone(&["offline"]).await.unwrap();
    let (before, after) =
        (jpeg(trial.dir.path(), "b.jpg", 700_000), jpeg(trial.dir.path(), "a.jpg", 9_000));
    let taken = trial.json(&["photo", "1", &before]).await;
    let fact = taken["fact"].as_str().unwrap();
    trial.phone(&["attach", "1", &after, "--before", fact]).await.unwrap();
    let missing = trial.phone(&["photo", "1", "nowhere.jpg"]).await.unwrap_err().to_string();
    assert!(missing.contains("nowhere.jpg"), "{missing}");
    let status = trial.json(&["status"]).await;
    assert_eq!(status["evidence"]["waiting"], 2, "{status}");
    assert!(matches!(trial.phone(&["upload"]).await, Err(PhoneError::NotSynced(_))));
    trial.phone(&["online"]).await.unwrap();
    let status = trial.json(&["upload"]).await;
    assert_eq!(status["evidence"]["verified"], 2, "{status}");
    assert_eq!(status["files"][0]["captured"], true, "{status}");
    assert_eq!(
        (&status["files"][1]["captured"], &status["files"][1]["before"]),
        (&json!(false), &json!(fact))
    );
    assert!(trial.phone(&["status", "--records"]).await.unwrap().contains("2 verified"));
    trial.hub.stop().await;
}

#[tokio::test]
async fn a_watching_phone_sends_its_files_beside_its_records() {
    let trial = Trial::begin().await;
    let (folder, mut device) = trial.device().await;
    let mut watch = Watch::new(Duration::from_secs(1)).unwrap();
    watch.turn(&mut device, &folder).await.unwrap();
    let job = Job::Order(device.my_work().unwrap()[0].order);
    let photo = jpeg(trial.dir.path(), "w.jpg", 900_000);
    let new = onscene_mobile::NewFile {
        media: onscene_sync_core::fact::body::Media::Photo,
        extension: "jpg".to_owned(),
        before: None,
    };
    device.attach(job, std::path::Path::new(&photo), new, None).unwrap();
    let verified = async {
        while device.evidence_counts().unwrap().verified == 0 {
            watch.turn(&mut device, &folder).await.unwrap();
        }
    };
    timeout(IN_TIME, verified).await.expect("the file arrives in time");
    trial.hub.stop().await;
}

/// Turns until the phone has so many orders.
async fn until_orders(watch: &mut Watch, device: &mut Device, folder: &Folder, orders: usize) {
    let all = async {
        while device.my_work().unwrap().len() < orders {
            watch.turn(device, folder).await.unwrap();
        }
    };
    timeout(IN_TIME, all).await.expect("the orders arrive in time");
}

#[tokio::test]
async fn a_watching_phone_hears_of_an_order_long_before_it_would_ask() {
    let trial = Trial::begin().await;
    let (folder, mut device) = trial.device().await;
    let mut watch = Watch::new(Duration::from_secs(600)).unwrap();
    for _ in 0..2 {
        let turn = timeout(IN_TIME, watch.turn(&mut device, &folder)).await.expect("due at once");
        assert!(matches!(turn, Ok(Turn::Synced(Round::Done { requests: 1.. }))), "{turn:?}");
    }
    assert!(watch.is_live());
    for orders in 2..=3 {
        trial.dispatch().await;
        until_orders(&mut watch, &mut device, &folder, orders).await;
    }
    assert!(watch.is_live());
    trial.hub.stop().await;
    let turn =
        timeout(IN_TIME, watch.turn(&mut device, &folder)).await.expect("the loss is noticed");
    assert!(matches!(turn, Ok(Turn::Synced(Round::Unanswered(_)))), "{turn:?}");
    assert!(!watch.is_live());
}

#[tokio::test]
async fn a_phone_without_a_live_connection_asks_by_the_clock_and_tries_again() {
    let trial = Trial::begin().await;
    let (folder, mut device) = trial.device().await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let request = device.live_request().unwrap().expect("enrolled a moment ago");
        taken.push(Dialler::new().unwrap().open(&request).await.unwrap());
    }
    let mut watch = Watch::new(Duration::from_secs(1)).unwrap();
    watch.turn(&mut device, &folder).await.unwrap();
    assert!(!watch.is_live(), "the hub allows no fourth connection");
    trial.dispatch().await;
    until_orders(&mut watch, &mut device, &folder, 2).await;
    assert!(!watch.is_live());
    drop(taken);
    let live = async {
        while !watch.is_live() {
            watch.turn(&mut device, &folder).await.unwrap();
        }
    };
    timeout(IN_TIME, live).await.expect("a connection once there is room");
    folder.set_offline(true).unwrap();
    let turn = timeout(IN_TIME, watch.turn(&mut device, &folder)).await.expect("due");
    assert_eq!((turn.unwrap(), watch.is_live()), (Turn::Offline, false));
    trial.hub.stop().await;
}

#[tokio::test]
async fn sync_with_watch_delivers_and_stays() {
    let trial = Trial::begin().await;
    trial.enrol().await.unwrap();
    trial.phone(&["note", "1", "quiet now"]).await.unwrap();
    let watching = trial.phone(&["sync", "--watch", "600"]);
    assert!(timeout(Duration::from_secs(3), watching).await.is_err(), "it ends with Ctrl-C only");
    assert_eq!(trial.json(&["status"]).await["delivered"], 1);
    assert!(Line::try_parse_from(["phone", "sync", "--watch", "0"]).is_err());
    trial.hub.stop().await;
}

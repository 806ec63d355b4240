//! The command-line phone against the real server.

use clap::Parser;
use onscene_sync_core::id::UnitId;
use serde_json::{Value, json};

use super::*;
use crate::demo::desk::Desk;
use crate::demo::founding::{self, ADMIN_KEY};
use crate::demo::hub::Hub;
use crate::demo::memory::FIRST_MORNING;

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
        let case = json!({
            "class": "complaint", "channel": "telephone", "matter": "noise", "summary": "Noise",
            "site": { "datum": "wgs84", "circle": {
                "centre": { "lat": 37.426_6, "lon": -122.173_7 }, "radius_m": 150.0 } },
        });
        let case = centre.post("/v1/cases", &case).await.unwrap().read::<String>("/id").unwrap();
        let order = json!({ "unit": unit });
        centre.post(&format!("/v1/cases/{case}/orders"), &order).await.unwrap();
        Self { dir, hub, code }
    }

    async fn phone(&self, words: &[&str]) -> Result<String, PhoneError> {
        let folder = self.dir.path().join("phone");
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

//! A bureau with squads, people, cases and enrolled phones, made through the server's own API.

use std::path::Path;

use onscene_sync_core::time::Millis;
use onscene_tests::handset::WorldTime;
use onscene_tests::process::Server;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::phone::Phone;

/// Squads whose cases are registered at the same time.
const AT_ONCE: usize = 4;
/// When the phones' clocks say it is. The server has a clock of its own.
const NOW: Millis = Millis(1_795_392_000_000);

/// The command centre's desk.
#[derive(Clone)]
struct Desk {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// The bureau and the key to its desk.
pub(crate) struct Bureau {
    administrator: Desk,
    dispatcher: Desk,
    root: String,
    world: WorldTime,
}

impl Bureau {
    pub(crate) async fn found(server: &Server) -> Self {
        let http = reqwest::Client::new();
        let administrator = Desk { http, url: server.url(), key: server.admin_key() };
        let me = administrator.get("/v1/me").await;
        let root = text(&me["unit"]);
        let dispatcher = json!({ "name": "dispatcher", "role": "dispatcher", "unit": root });
        let dispatcher = administrator.post("/v1/people", dispatcher).await;
        let path = format!("/v1/people/{}/keys", text(&dispatcher["id"]));
        let key = text(&administrator.post(&path, json!({ "label": "desk" })).await["key"]);
        let dispatcher = Desk { key, ..administrator.clone() };
        Self { administrator, dispatcher, root, world: WorldTime::at(NOW) }
    }

    /// `count` squads of one phone and `cases` ordered cases each, all synced.
    pub(crate) async fn squads(&self, dir: &Path, count: usize, cases: usize) -> Vec<Phone> {
        let mut phones = Vec::new();
        let mut orders = JoinSet::new();
        for number in 0..count {
            let unit = self.unit(number).await;
            phones.push(self.phone(dir, number, &unit).await);
            if orders.len() >= AT_ONCE {
                orders.join_next().await;
            }
            let desk = self.dispatcher.clone();
            orders.spawn(async move { desk.order(&unit, cases).await });
        }
        orders.join_all().await;
        for phone in &mut phones {
            phone.reconnect().await;
        }
        phones
    }

    /// Two phones of one squad that has `cases` ordered cases; neither has synced.
    pub(crate) async fn pair(&self, dir: &Path, cases: usize) -> [Phone; 2] {
        let unit = self.unit(200).await;
        self.dispatcher.order(&unit, cases).await;
        [self.phone(dir, 200, &unit).await, self.phone(dir, 201, &unit).await]
    }

    async fn unit(&self, number: usize) -> String {
        let unit = json!({ "name": format!("squad {number}"), "parent": self.root });
        text(&self.administrator.post("/v1/units", unit).await["id"])
    }

    async fn phone(&self, dir: &Path, number: usize, unit: &str) -> Phone {
        let person =
            json!({ "name": format!("inspector {number}"), "role": "inspector", "unit": unit });
        let person = text(&self.administrator.post("/v1/people", person).await["id"]);
        let path = format!("/v1/people/{person}/enrolment-codes");
        let code = text(&self.administrator.post(&path, json!({})).await["code"]);
        Phone::new(dir, number, &self.world, &self.administrator.url, &code)
    }
}

impl Desk {
    /// Registers cases and orders a unit to go there.
    async fn order(&self, unit: &str, cases: usize) {
        for number in 0..cases {
            let case = json!({
                "class": "complaint", "channel": "telephone", "matter": "street_vending",
                "summary": format!(
                    "市民反映：经十路与舜耕路路口东南角有流动摊贩占道经营，影响行人通行，\
                     请相关单位尽快到场处置并回复。第{number}件"
                ),
                "site": {
                    "datum": "wgs84",
                    "circle": {
                        "centre": { "lat": 36.65, "lon": 117.0 + number as f64 * 1e-4 },
                        "radius_m": 100,
                    },
                },
                "jurisdiction_clear": true,
            });
            let case = text(&self.post("/v1/cases", case).await["id"]);
            let order = json!({ "unit": unit, "text": "请一小时内到场" });
            self.post(&format!("/v1/cases/{case}/orders"), order).await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.answer(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json");
        self.answer(request.body(body.to_string())).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let reply = request.bearer_auth(&self.key).send().await.expect("the server answers");
        let (status, path) = (reply.status(), reply.url().path().to_owned());
        let bytes = reply.bytes().await.expect("a whole body");
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("the API says text here").to_owned()
}

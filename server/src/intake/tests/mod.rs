//! Intake through the real router, on each engine.

mod at_once;
mod matters;
mod open311;
mod repeats;
mod suggestions;

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::auth::Role::{self, Administrator, Dispatcher};
use crate::auth::tests::kit::{Answer, World, bearer, text};
use crate::store::testing::TestStore;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A bureau with one desk for each role.
struct Desks {
    world: World,
    keys: BTreeMap<Role, String>,
    top: String,
}

impl Desks {
    async fn new(store: TestStore) -> Self {
        let world = World::new(store).await;
        let top = world.top().await;
        let keys = world.keys(&top).await;
        Self { world, keys, top }
    }

    async fn send(&self, role: Role, method: Method, path: &str, body: Value) -> Answer {
        self.world.send(method, path, &bearer(&self.keys[&role]), Some(body)).await
    }

    /// The command centre posts.
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Dispatcher, Method::POST, path, body).await
    }

    async fn get(&self, role: Role, path: &str) -> Answer {
        self.world.get(&self.keys[&role], path).await
    }

    /// The administrator puts a kind of matter, as of a version.
    async fn put_matter(&self, key: &str, version: Option<&str>, body: Value) -> Answer {
        let mut headers = bearer(&self.keys[&Administrator]).to_vec();
        headers.extend(version.map(|version| ("if-match", version.to_owned())));
        let path = format!("/v1/matters/{key}");
        self.world.send(Method::PUT, &path, &headers, Some(body)).await
    }

    /// The tag of a kind of matter as it is now.
    async fn tag(&self, key: &str) -> String {
        let shown = self.get(Administrator, &format!("/v1/matters/{key}")).await;
        text(&json!(shown.headers["etag"].to_str().expect("a tag")))
    }

    /// A case; returns its id.
    async fn register(&self, body: Value) -> String {
        text(&self.post("/v1/cases", body).await.ok()["id"])
    }

    /// A drill, approved by a bureau leader; returns its id.
    async fn drill(&self, mut body: Value) -> String {
        let reason = json!({ "reason": "do clerks see a repeat?" });
        let approved = self.send(Role::Leader, Method::POST, "/v1/drill-approvals", reason).await;
        body["drill"] = json!(true);
        body["approval"] = approved.ok()["id"].clone();
        self.register(body).await
    }

    async fn case(&self, id: &str) -> Value {
        self.get(Dispatcher, &format!("/v1/cases/{id}")).await.ok()
    }

    /// An order to the top unit for a case.
    async fn order(&self, case: &str) {
        let body = json!({ "unit": self.top });
        self.post(&format!("/v1/cases/{case}/orders"), body).await.ok();
    }

    /// What `onscene check` finds wrong with cases.
    async fn faults(&self) -> Vec<String> {
        crate::cases::project::faults(&self.world.app.store).await.unwrap()
    }
}

/// Stalls on a pavement, with a round site around a WGS-84 position.
fn stalls(summary: &str, lat: f64, lon: f64) -> Value {
    json!({
        "class": "complaint", "channel": "telephone", "matter": "street_vending",
        "summary": summary,
        "site": {
            "datum": "wgs84",
            "circle": { "centre": { "lat": lat, "lon": lon }, "radius_m": 50.0 },
        },
    })
}

/// A matter without a place.
fn raised(class: &str, matter: &str, summary: &str) -> Value {
    json!({ "class": class, "channel": "telephone", "matter": matter, "summary": summary })
}

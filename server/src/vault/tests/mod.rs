//! The vault through the real router, on each engine.

mod canary;
mod complainants;

use axum::http::Method;
use serde_json::{Value, json};

use crate::auth::Role;
use crate::auth::tests::kit::{Answer, World, bearer, text};
use crate::store::testing::TestStore;

/// A bureau with desks and one case.
struct Bureau {
    world: World,
    desks: std::collections::BTreeMap<Role, String>,
    top: String,
    case: String,
}

impl Bureau {
    async fn new(store: TestStore) -> Self {
        Self::of(World::new(store).await).await
    }

    async fn of(world: World) -> Self {
        let top = world.top().await;
        let desks = world.keys(&top).await;
        let mut bureau = Self { world, desks, top, case: String::new() };
        bureau.case = bureau.register("stalls block the pavement", Some(wang())).await;
        bureau
    }

    /// Registers a case; returns its id.
    async fn register(&self, summary: &str, complainant: Option<Value>) -> String {
        text(&self.try_register(summary, complainant).await.ok()["id"])
    }

    async fn try_register(&self, summary: &str, complainant: Option<Value>) -> Answer {
        let mut body = json!({ "class": "complaint", "channel": "telephone",
            "matter": "street_vending", "summary": summary });
        if let Some(complainant) = complainant {
            body["complainant"] = complainant;
        }
        self.call(Role::Dispatcher, Method::POST, "/v1/cases", Some(body)).await
    }

    async fn call(&self, role: Role, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.world.send(method, path, &bearer(&self.desks[&role]), body).await
    }

    /// The address of something of the case.
    fn at(&self, what: &str) -> String {
        format!("/v1/cases/{}/{what}", self.case)
    }

    async fn post(&self, role: Role, what: &str, body: Value) -> Answer {
        self.call(role, Method::POST, &self.at(what), Some(body)).await
    }

    async fn get(&self, role: Role, what: &str) -> Answer {
        self.call(role, Method::GET, &self.at(what), None).await
    }

    /// Orders the bureau's top unit out.
    async fn order(&self) {
        self.post(Role::Dispatcher, "orders", json!({ "unit": self.top })).await.ok();
    }
}

fn wang() -> Value {
    json!({ "name": "王小丫", "number": "138-1234-5678", "address": "历下区经十路15号院3号楼2单元501室" })
}

fn because() -> Value {
    json!({ "purpose": "tell_result", "reason": "the stalls are gone" })
}

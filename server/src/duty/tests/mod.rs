//! Territories, the roster and notices through the real router, on each engine.

mod notices;
mod roster;
mod territories;

use axum::http::Method;
use serde_json::{Value, json};

use crate::auth::Role;
use crate::auth::tests::kit::{Answer, World, bearer, text};
use crate::store::testing::TestStore;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A city bureau, a district below it, two squads below that; the clock at 08:00 local time.
struct Bureau {
    world: World,
    top: String,
    district: String,
    squad: String,
    other: String,
    /// The command centre.
    centre: Desk,
    admin: Desk,
    /// Leads the first squad.
    leader: Desk,
}

/// A person with a personal key.
struct Desk {
    person: String,
    key: String,
}

impl Bureau {
    async fn new(store: TestStore) -> Self {
        let world = World::new(store).await;
        let top = world.top().await;
        let district = world.unit("历下区局", &top).await;
        let squad = world.unit("泉城路中队", &district).await;
        let other = world.unit("大明湖中队", &district).await;
        let centre = desk(&world, Role::Dispatcher, &top).await;
        let admin = desk(&world, Role::Administrator, &top).await;
        let leader = desk(&world, Role::UnitLeader, &squad).await;
        Self { world, top, district, squad, other, centre, admin, leader }
    }

    async fn desk(&self, role: Role, unit: &str) -> Desk {
        desk(&self.world, role, unit).await
    }

    async fn get(&self, who: &Desk, path: &str) -> Answer {
        self.world.get(&who.key, path).await
    }

    async fn post(&self, who: &Desk, path: &str, body: Value) -> Answer {
        self.world.post(&who.key, path, body).await
    }

    /// A change as of a version; what stands is another one, or what the caller has seen.
    async fn edit(
        &self,
        who: &Desk,
        method: Method,
        path: &str,
        version: i64,
        body: Value,
    ) -> Answer {
        let shown = self.get(&self.admin, path.trim_end_matches("/swap")).await;
        let tag = if shown.body["version"] == version {
            shown.headers["etag"].to_str().unwrap().to_owned()
        } else {
            "\"of another version\"".to_owned()
        };
        let mut headers = bearer(&who.key).to_vec();
        headers.push(("if-match", tag));
        self.world.send(method, path, &headers, Some(body)).await
    }

    fn now(&self) -> i64 {
        self.world.app.now().0
    }

    /// The administrator puts somebody on duty, some hours from now until others.
    async fn on_duty(&self, person: &str, unit: &str, post: &str, hours: (i64, i64)) -> Value {
        let body = self.shift(person, unit, post, hours);
        self.post(&self.admin, "/v1/duty/shifts", body).await.ok()
    }

    fn shift(&self, person: &str, unit: &str, post: &str, (from, until): (i64, i64)) -> Value {
        json!({ "unit": unit, "person": person, "post": post,
            "from": self.now() + from * HOUR, "until": self.now() + until * HOUR })
    }

    /// A case with a round site, as it is answered.
    async fn case(&self, lat: f64, lon: f64, radius_m: f64) -> Value {
        let body = json!({
            "class": "complaint", "channel": "telephone", "matter": "street_vending",
            "summary": "stalls block the pavement",
            "site": { "datum": "wgs84",
                "circle": { "centre": { "lat": lat, "lon": lon }, "radius_m": radius_m } },
        });
        self.post(&self.centre, "/v1/cases", body).await.ok()
    }

    /// Orders a unit out; the case as it is answered.
    async fn order(&self, case: &str, unit: &str) -> Value {
        let path = format!("/v1/cases/{case}/orders");
        self.post(&self.centre, &path, json!({ "unit": unit })).await.ok()
    }

    async fn pass(&self, minutes: i64) {
        self.world.clock.advance(minutes * MINUTE);
        crate::jobs::run_due(&self.world.app).await.unwrap();
    }

    /// Entries of the audit log of this name, with their words.
    async fn logged(&self, deed: &str) -> Vec<String> {
        let auditor = self.desk(Role::Auditor, &self.top).await;
        crate::audit::tend(&self.world.app).await.unwrap();
        let log = self.get(&auditor, &format!("/v1/audit?action={deed}")).await.ok();
        let entries = log["entries"].as_array().unwrap();
        entries.iter().map(|entry| text(&entry["detail"])).collect()
    }
}

async fn desk(world: &World, role: Role, unit: &str) -> Desk {
    let person = world.person(role, unit).await;
    let key = world.key(&person).await;
    Desk { person, key }
}

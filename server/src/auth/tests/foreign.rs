//! Role by endpoint by foreign object. The routes come from the router's own table, the roles from the
//! table of reach: whoever's reach ends below the bureau asks for every thing of another unit, by every
//! route that has a thing in its path, and must learn nothing of it, not even that it is there. Then
//! somebody of that other unit asks the same, which shows that it was there.

use axum::http::Method;
use serde_json::{Value, json};

use super::kit::{World, bearer, text};
use crate::auth::Role::{Dispatcher, Leader};
use crate::auth::{Access, Reach, Role, Route};
use crate::store::StoreError;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(nobody_reaches_a_thing_of_another_unit);

const FACT: &str = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0";
/// Names nothing: what stands behind the case in a path is looked for within the case.
const NO_FACT: &str = "00000000000000000000000000000000";

/// Things of one unit.
struct Things {
    unit: String,
    person: String,
    device: String,
    case: String,
    order: String,
}

impl Things {
    /// Everything that a path may name, in `unit`.
    async fn of(world: &World, (dispatcher, leader): (&str, &str), unit: &str) -> Self {
        let (person, phone) = world.inspector(unit, 7).await;
        let case = json!({ "class": "complaint", "channel": "telephone", "matter": "street_vending",
            "summary": "stalls block the pavement" });
        let case = text(&world.post(dispatcher, "/v1/cases", case).await.ok()["id"]);
        let orders = format!("/v1/cases/{case}/orders");
        let view = world.post(dispatcher, &orders, json!({ "unit": unit })).await.ok();
        let (order, visit) = (&view["orders"][0]["id"], &view["orders"][0]["inspection"]);
        put_rows(world, &phone.id, &text(visit)).await;
        let from = world.app.now().0 + 3_600_000;
        let shift = json!({ "unit": unit, "person": person, "post": "desk", "from": from,
            "until": from + 3_600_000 });
        let shift = world.post(&world.admin, "/v1/duty/shifts", shift).await.ok();
        let check = json!({ "subject": "duty", "unit": unit });
        let check = world.post(leader, "/v1/special-checks", check).await.ok();
        assert_eq!((&shift["id"], &check["id"]), (&json!(1), &json!(1)));
        Self { unit: unit.to_owned(), person, device: phone.id, case, order: text(order) }
    }

    /// The path with the ids of these things.
    fn fill(&self, path: &str) -> String {
        let kind = path.split('/').nth(2).unwrap_or_default();
        let id = match kind {
            "units" => &self.unit,
            "people" => &self.person,
            "devices" => &self.device,
            "cases" => &self.case,
            // The first of their tables: numbers.
            "quarantine" | "reuse" | "duty" | "special-checks" => "1",
            "evidence" => "",
            _ => panic!("{path}: say in this test which thing of a unit it names"),
        };
        let filled = path.replace("{id}", id).replace("{order}", &self.order);
        let filled = filled.replace("{fact}", FACT);
        ["{judged}", "{measure}", "{statement}"]
            .into_iter()
            .fold(filled, |path, name| path.replace(name, NO_FACT))
    }

    /// A body that the route takes: one that it refuses would hide what it says of the thing.
    fn body(&self, route: &Route) -> Option<Value> {
        if route.method == Method::GET || route.method == Method::DELETE {
            return None;
        }
        let last = route.path.rsplit('/').next().unwrap_or_default();
        Some(match last {
            "enrolment-codes" | "confirmation" | "receipt" => json!({}),
            "revocation" | "urges" | "returns" => json!({ "reason": "a reason" }),
            "settlement" => match route.path.split('/').nth(2) {
                Some("quarantine") => json!({ "ruling": "noted", "reason": "a reason" }),
                Some("reuse") => json!({ "finding": "harmless", "reason": "a reason" }),
                _ => json!({ "ruling": "on_time", "reason": "a reason" }),
            },
            "measures" => {
                json!({ "step": "order_to_correct", "order": self.order, "reason": "a reason" })
            }
            "conclusion" => json!({ "text": "words" }),
            "call-backs" => json!({ "question": "which gate?" }),
            "reopening" => json!({ "text": "words" }),
            "supervisions" => {
                json!({ "manner": "by_order", "handling": "slow", "result": "mended" })
            }
            "finding" => json!({ "in_order": true, "finding": "words" }),
            "swap" => json!({ "with": 2, "version": 1 }),
            "{id}" if route.path.contains("/shifts/") => {
                json!({ "person": self.person, "post": "desk", "from": 0, "until": 1 })
            }
            "reads" => json!({ "purpose": "call_back", "reason": "a reason" }),
            _ => panic!("{} {}: say in this test what it takes", route.method, route.path),
        })
    }
}

/// A refused change, a file of evidence and a flag on it, as a phone's visit leaves them.
async fn put_rows(world: &World, device: &str, visit: &str) {
    let device: onscene_sync_core::id::DeviceId = device.parse().unwrap();
    let visit: onscene_sync_core::id::DocId = visit.parse().unwrap();
    let put = world.app.store.with_tx("test", (device, visit), |tx, (device, visit)| {
        Box::pin(async move {
            let (device, visit) = (&device.as_bytes()[..], &visit.as_bytes()[..]);
            let fact = [0xf0; 16];
            let refused = "INSERT INTO quarantine (hash, doc_id, kind, body, code, detail, device, \
                 install, received_at) VALUES ($1, $2, 1, $3, 'malformed', '', $4, 1, 0)";
            let query = sqlx::query(refused).bind(&[7; 32][..]).bind(visit).bind(&[1, 2][..]);
            query.bind(device).execute(tx.conn()).await?;
            let file = "INSERT INTO evidence (fact_id, doc_id, device, sha256, bytes, media, begun_at) \
                 VALUES ($1, $2, $3, $4, 1, 0, 0)";
            let query = sqlx::query(file).bind(&fact[..]).bind(visit).bind(device);
            query.bind(&[7; 32][..]).execute(tx.conn()).await?;
            let flag = "INSERT INTO reuse (fact_id, doc_id, earlier_fact, earlier_doc, raised_at) \
                 VALUES ($1, $2, $1, $2, 0)";
            sqlx::query(flag).bind(&fact[..]).bind(visit).execute(tx.conn()).await?;
            Ok::<_, StoreError>(())
        })
    });
    put.await.unwrap();
}

/// The roles that may do it somewhere, and not everywhere.
fn bounded(access: Access) -> impl Iterator<Item = Role> {
    let action = match access {
        Access::May(action) | Access::Desk(action) | Access::ApiKey(action) => Some(action),
        Access::Open | Access::Handshake | Access::Phone => None,
    };
    Role::ALL.into_iter().filter(move |role| {
        let reach = action.map(|action| role.reach(action));
        matches!(reach, Some(Reach::Subtree | Reach::OwnUnit))
    })
}

async fn nobody_reaches_a_thing_of_another_unit(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (here, there) = (world.unit("Here", &top).await, world.unit("There", &top).await);
    let (strangers, insiders) = (world.keys(&here).await, world.keys(&there).await);
    let things = Things::of(&world, (&strangers[&Dispatcher], &strangers[&Leader]), &there).await;
    let routes = crate::http::all();
    let mut asked = 0;
    for (keys, inside) in [(&strangers, false), (&insiders, true)] {
        for route in routes.table().filter(|route| route.path.contains('{')) {
            for role in bounded(route.access) {
                let (path, body) = (things.fill(route.path), things.body(route));
                let name = format!("{} {} as {role}", route.method, route.path);
                let [caller] = bearer(&keys[&role]);
                // A change is meant for a version: that it is another one shows that the thing is there.
                let caller = [caller, ("if-match", "\"of another version\"".to_owned())];
                let answer = world.send(route.method.clone(), &path, &caller, body).await;
                // An unknown part of a thing in reach has a code of its own.
                let hidden = matches!(answer.code(), "not_found" | "forbidden");
                assert_eq!(hidden, !inside, "{name}: {} {}", answer.status, answer.body);
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "only {asked} questions were asked");
}

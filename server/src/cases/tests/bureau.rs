//! A bureau of two squads, with people at desks, asked through the hub's router.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt as _;
use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::App;
use crate::auth::Role;
use crate::auth::staff::{NewKey, insert as insert_key, key_hash, key_text};
use crate::clock::ManualClock;
use crate::config::Sms;
use crate::http::people::{NewPerson, insert as insert_person};
use crate::store::testing::TestStore;
use crate::store::{RowExt as _, StoreError, Tx};

pub(super) const MINUTE: i64 = 60_000;
/// The district over both squads.
pub(super) const DISTRICT: UnitId = UnitId::from_bytes([0xd0; 16]);
pub(super) const SQUAD: UnitId = UnitId::from_bytes([0xa1; 16]);
pub(super) const OTHER_SQUAD: UnitId = UnitId::from_bytes([0xb2; 16]);

/// A hub with its bureau, its clock at 08:00 local time.
pub(super) struct Bureau {
    pub(super) app: App,
    pub(super) clock: ManualClock,
    router: Router,
    store: TestStore,
}

/// An answer: its status and body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    #[track_caller]
    pub(super) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }

    #[track_caller]
    pub(super) fn refused(self, status: u16, code: &str) -> String {
        let problem = format!("urn:onscene:problem:{code}");
        assert_eq!(
            (self.status, self.body["type"].as_str()),
            (status, Some(&problem[..])),
            "{}",
            self.body
        );
        self.body["detail"].as_str().unwrap_or_default().to_owned()
    }
}

impl Bureau {
    pub(super) async fn new(store: TestStore) -> Self {
        let (app, clock) = store.app().await;
        Self::of(store, app, clock).await
    }

    /// The same with a gateway for text messages.
    pub(super) async fn with_gateway(store: TestStore, sms: &Sms) -> Self {
        let (app, clock) = store.app().await;
        let app = app.with_gateway(sms).unwrap();
        Self::of(store, app, clock).await
    }

    async fn of(store: TestStore, app: App, clock: ManualClock) -> Self {
        let bureau = Self { router: crate::http::router(&app), app, clock, store };
        let now = bureau.app.now();
        let build = bureau.app.store.with_tx("test", now, |tx, now| {
            Box::pin(async move {
                for (unit, parent) in
                    [(DISTRICT, None), (SQUAD, Some(DISTRICT)), (OTHER_SQUAD, Some(DISTRICT))]
                {
                    add_unit(tx, unit, parent, *now).await?;
                }
                add_desk(tx, Role::Dispatcher, DISTRICT, *now).await?;
                add_desk(tx, Role::Supervisor, DISTRICT, *now).await?;
                add_desk(tx, Role::Leader, DISTRICT, *now).await?;
                add_desk(tx, Role::UnitLeader, SQUAD, *now).await?;
                add_desk(tx, Role::UnitLeader, OTHER_SQUAD, *now).await?;
                add_desk(tx, Role::Administrator, DISTRICT, *now).await
            })
        });
        build.await.unwrap();
        bureau
    }

    /// A request in the name of a role of a unit.
    pub(super) async fn send(
        &self,
        who: (Role, UnitId),
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        let (status, bytes) = self.send_raw(who, method, path, key, body).await;
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// The same with the answer's bytes as they are.
    pub(super) async fn send_raw(
        &self,
        who: (Role, UnitId),
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> (u16, Vec<u8>) {
        let bearer = format!("Bearer {}", desk_key(who.0, who.1));
        let mut request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.raw(request.body(Body::from(body.unwrap_or_default())).unwrap()).await
    }

    /// Another process takes over: nothing of this one's memory is left.
    pub(super) async fn restart(&mut self) {
        let now = self.app.now();
        let (app, clock) = self.store.app().await;
        clock.advance(now.since(app.now()));
        self.router = crate::http::router(&app);
        (self.app, self.clock) = (app, clock);
    }

    /// Any request, answered with bytes.
    pub(super) async fn raw(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().into())
    }

    /// What a role of a unit downloads.
    pub(super) async fn download(&self, who: (Role, UnitId), path: &str) -> (u16, Vec<u8>) {
        let bearer = format!("Bearer {}", desk_key(who.0, who.1));
        let request = Request::get(path).header(header::AUTHORIZATION, bearer);
        self.raw(request.body(Body::empty()).unwrap()).await
    }

    /// The command centre posts.
    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as((Role::Dispatcher, DISTRICT), path, body).await
    }

    pub(super) async fn post_as(&self, who: (Role, UnitId), path: &str, body: Value) -> Answer {
        self.send(who, Method::POST, path, None, Some(body.to_string().into_bytes())).await
    }

    /// The command centre looks.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send((Role::Dispatcher, DISTRICT), Method::GET, path, None, None).await
    }

    /// What registers a drill, approved by a bureau leader.
    pub(super) async fn drill(&self) -> Value {
        let reason = json!({ "reason": "does the squad turn out at night?" });
        let leader = (Role::Leader, DISTRICT);
        let approved = self.post_as(leader, "/v1/drill-approvals", reason).await.ok();
        let mut drill = vending();
        drill["drill"] = json!(true);
        drill["approval"] = approved["id"].clone();
        drill
    }

    /// A case of street vending with a round site, and its id.
    pub(super) async fn register(&self) -> String {
        text(&self.post("/v1/cases", vending()).await.ok()["id"])
    }

    pub(super) async fn case(&self, id: &str) -> Value {
        self.get(&format!("/v1/cases/{id}")).await.ok()
    }

    /// Orders a squad out; returns the order's id.
    pub(super) async fn order(&self, case: &str, unit: UnitId) -> String {
        let path = format!("/v1/cases/{case}/orders");
        let view = self.post(&path, json!({ "unit": unit, "text": "go" })).await.ok();
        text(&view["orders"].as_array().unwrap().last().unwrap()["id"])
    }

    /// Orders a squad out, which reports a result by telephone; returns the order's id.
    pub(super) async fn worked(&self, case: &str, result: &str) -> String {
        let order = self.order(case, SQUAD).await;
        let path = format!("/v1/cases/{case}/orders/{order}/feedback");
        self.post(&path, json!({ "result": result })).await.ok();
        order
    }

    /// Tells the complainant, who is content, and closes.
    pub(super) async fn finish(&self, case: &str) -> Value {
        let content = json!({ "text": "told", "opinion": { "opinion": "satisfied" } });
        self.post(&format!("/v1/cases/{case}/telling"), content).await.ok();
        self.post(&format!("/v1/cases/{case}/closure"), json!({ "text": "done" })).await.ok()
    }

    /// Does what is due.
    pub(super) async fn run_jobs(&self) {
        crate::jobs::run_due(&self.app).await.unwrap();
        let standing =
            self.app.store.with_tx("test", (), |tx, ()| Box::pin(crate::jobs::standing(tx)));
        let failed: Vec<_> = self.failures().await;
        assert_eq!(standing.await.unwrap().failed, 0, "{failed:?}");
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Rows of a table.
    pub(super) async fn count(&self, table: &'static str) -> i64 {
        let read = self.app.store.with_read("test.count", table, |tx, table| {
            Box::pin(async move {
                let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) AS n FROM {table}"));
                sqlx::query(sql).fetch_one(tx.conn()).await.map_err(StoreError::from)?.int("n")
            })
        });
        read.await.unwrap()
    }

    async fn failures(&self) -> Vec<String> {
        let rows = self.app.store.with_read("test", (), |tx, ()| {
            Box::pin(async move {
                use crate::store::RowExt as _;
                let sql = "SELECT last_error FROM job WHERE last_error IS NOT NULL";
                let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
                rows.iter()
                    .map(|row| row.text("last_error"))
                    .collect::<Result<Vec<_>, StoreError>>()
            })
        });
        rows.await.unwrap()
    }
}

/// A registration that is in order.
pub(super) fn vending() -> Value {
    json!({
        "class": "complaint",
        "channel": "telephone",
        "matter": "street_vending",
        "summary": "stalls block the pavement",
        "site": {
            "datum": "wgs84",
            "circle": { "centre": { "lat": 36.651, "lon": 117.12 }, "radius_m": 80.0 },
        },
    })
}

#[track_caller]
pub(super) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The clock of `kind` that started last.
#[track_caller]
pub(super) fn clock<'a>(case: &'a Value, kind: &str) -> &'a Value {
    let clocks = case["clocks"].as_array().expect("clocks");
    clocks
        .iter()
        .rfind(|clock| clock["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}: {case}"))
}

async fn add_unit(
    tx: &mut Tx,
    unit: UnitId,
    parent: Option<UnitId>,
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO unit (unit_id, parent, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(&unit.as_bytes()[..])
        .bind(parent.map(|parent| parent.as_bytes().to_vec()))
        .bind(unit.to_string())
        .bind(now.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn add_desk(tx: &mut Tx, role: Role, unit: UnitId, at: Millis) -> Result<(), StoreError> {
    let person = PersonId::from_bytes(seed(role, unit)[..16].try_into().expect("16 bytes"));
    let name = format!("{role} of {unit}");
    insert_person(tx, &NewPerson { person, name, role, unit, team: None, at }, None).await?;
    let hash = key_hash(&desk_key(role, unit));
    let label = "desk".to_owned();
    insert_key(tx, &NewKey { hash, person, label, created_at: at, expires_at: None }, None).await
}

fn desk_key(role: Role, unit: UnitId) -> String {
    key_text(seed(role, unit))
}

fn seed(role: Role, unit: UnitId) -> [u8; 32] {
    *onscene_sync_core::crypto::sha256(format!("{role} {unit}").as_bytes()).as_bytes()
}

//! A canary: an identity that is pushed through everything and must be found nowhere but in the
//! answer to a logged look.

use std::io::Read as _;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::id::BootId;
use onscene_sync_core::sync::message::SyncRequest;
use onscene_sync_core::sync::{version, wire};
use onscene_sync_core::time::ClockReading;
use serde_json::json;
use tower::ServiceExt as _;

use super::{Bureau, because};
use crate::auth::Role::{self, Auditor, Dispatcher, Inspector, Supervisor};
use crate::auth::tests::kit::World;
use crate::hub::exchange;
use crate::hub::scope::Caller;
use crate::messages::testing::{FakeGateway, Fault};
use crate::store::testing::TestStore;
use crate::store::{Engine, RowExt as _, StoreError};
use crate::telemetry::testing::Lines;
use crate::vault::record::{Complainant, Sealed};

const NAME: &str = "金丝雀某";
const NUMBER: &str = "13907771234";
const ADDRESS: &str = "历下区金丝雀路77号9号楼3单元901室";

/// Every form in which the canary would be recognised.
fn needles() -> Vec<Vec<u8>> {
    let words = [NAME, NUMBER, "139-0777-1234", ADDRESS, "金丝雀路77号"];
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for word in words {
        let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        let escaped: String = word.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        let hash = sha256(word.as_bytes());
        needles.extend([word.as_bytes().to_vec(), hex.into_bytes(), escaped.into_bytes()]);
        needles.extend([hash.as_bytes().to_vec(), hash.to_string().into_bytes()]);
    }
    needles
}

#[track_caller]
fn is_nowhere_in(bytes: &[u8], where_: &str) {
    for needle in needles() {
        let found = bytes.windows(needle.len()).position(|window| window == needle);
        assert_eq!(found, None, "{} in {where_}", String::from_utf8_lossy(&needle));
    }
}

#[test]
#[should_panic(expected = "13907771234 in a letter")]
fn the_canary_would_be_seen() {
    is_nowhere_in(b"call 13907771234 back", "a letter");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Does with the canary whatever can be done, in the right and in the wrong way; returns every answer
/// that must not hold it.
async fn fly(bureau: &mut Bureau, gateway: &FakeGateway) -> Vec<u8> {
    let canary = json!({ "name": NAME, "number": "139-0777-1234", "address": ADDRESS });
    let mut answers = Vec::new();
    let mut keep = |answer: crate::auth::tests::kit::Answer| {
        answers.extend(format!("{:?}{}", answer.headers, answer.body).into_bytes());
        answer
    };
    let registered = keep(bureau.try_register("noise", Some(canary.clone())).await).ok();
    bureau.case = registered["id"].as_str().unwrap().to_owned();
    for text in [NAME, NUMBER, ADDRESS] {
        keep(bureau.try_register(text, Some(canary.clone())).await).expect(422, "personal_data");
    }
    let wrong = json!({ "name": NAME, "number": 13_907_771_234_u64 });
    keep(bureau.try_register("noise", Some(wrong)).await).expect(400, "invalid");
    let path = bureau.at("complainant");
    for role in Role::ALL {
        for method in [Method::PUT, Method::GET] {
            let body = (method == Method::PUT).then(|| canary.clone());
            keep(bureau.call(role, method, &path, body).await);
        }
    }
    bureau.order().await;
    let question = json!({ "question": format!("call {NAME}") });
    keep(bureau.post(Inspector, "call-backs", question).await).expect(422, "personal_data");
    keep(bureau.post(Inspector, "call-backs", json!({ "question": "when?" })).await).ok();
    let reason = json!({ "purpose": "call_back", "reason": format!("{NAME} asked, {NUMBER}") });
    bureau.post(Supervisor, "complainant/reads", reason).await.ok();
    let seen = bureau.post(Dispatcher, "complainant/reads", because()).await.ok();
    assert_eq!(seen["complainant"], canary, "the one place where it may be seen");
    for answer in write(bureau, gateway).await {
        keep(answer);
    }
    let case = format!("/v1/cases/{}", bureau.case);
    let lists = ["cases", "call-backs", "audit", "people", "devices", "messages", "replies"];
    let lists = lists.map(|list| format!("/v1/{list}"));
    for path in lists.iter().chain([&case]) {
        for role in Role::ALL {
            keep(bureau.call(role, Method::GET, path, None).await);
        }
    }
    bureau.world.clock.advance(60_000);
    crate::jobs::run_due(&bureau.world.app).await.unwrap();
    crate::audit::tend(&bureau.world.app).await.unwrap();
    keep(bureau.call(Auditor, Method::GET, "/v1/audit/0/proof", None).await).ok();
    answers
}

/// Has the result sent to the canary, who writes back; returns every answer that must not hold it.
async fn write(bureau: &Bureau, gateway: &FakeGateway) -> Vec<crate::auth::tests::kit::Answer> {
    let case = format!("/v1/cases/{}", bureau.case);
    let view = bureau.call(Dispatcher, Method::GET, &case, None).await.ok();
    let order = view["orders"][0]["id"].as_str().unwrap();
    let feedback = format!("orders/{order}/feedback");
    bureau.post(Dispatcher, &feedback, json!({ "result": "corrected" })).await.ok();
    let mut answers = Vec::new();
    // One attempt fails, and its words stand in a log line.
    gateway.meets(&[Fault::Garbage]);
    answers
        .push(bureau.post(Dispatcher, "messages", json!({ "template": "result_opinion" })).await);
    let app = &bureau.world.app;
    for _ in 0..3 {
        crate::jobs::work_due(app).await.unwrap();
        bureau.world.clock.advance(60_000);
    }
    assert_eq!(gateway.sent()[0].to, "139-0777-1234", "the gateway alone has it");
    let (receipts, inbound) = ("/v1/messages/receipts", "/v1/messages/inbound");
    let words = format!("3，{NAME}，{ADDRESS}，{NUMBER}");
    let calls = [
        (receipts, json!({ "message": NUMBER, "state": "failed" })),
        (inbound, json!({ "id": NUMBER, "from": NUMBER, "text": words })),
        (inbound, json!({ "id": NAME, "from": "13811112222", "text": words })),
        (inbound, json!({ "id": "x", "from": [NUMBER], "text": NAME })),
    ];
    for (nonce, (path, body)) in (1..).zip(calls) {
        let call = gateway.calls(path, &body, app.now(), nonce);
        answers.push(bureau.world.raw(call).await);
    }
    let waiting = bureau.call(Dispatcher, Method::GET, "/v1/replies", None).await.ok();
    let reading = format!("/v1/replies/{}/reading", waiting["replies"][0]["id"].as_str().unwrap());
    let why = json!({ "reason": format!("{NAME} wrote, {NUMBER}") });
    let read = bureau.call(Dispatcher, Method::POST, &reading, Some(why)).await.ok();
    assert_eq!(read["reply"]["text"], words, "the other place where it may be seen");
    answers.push(bureau.call(Dispatcher, Method::GET, &case, None).await);
    answers
}

/// The evidence bundle of the case, every byte of it.
async fn bundle(bureau: &Bureau) -> Vec<u8> {
    let (app, case) = (&bureau.world.app, bureau.case.parse().unwrap());
    let gathered = app.store.with_tx("test", (case, app.now()), |tx, (case, now)| {
        Box::pin(crate::bundle::gather::gather(tx, *case, None, *now))
    });
    let (gathered, file) = (gathered.await.unwrap(), tempfile::tempfile().unwrap());
    let key = &app.keys.facts;
    let sealed = crate::bundle::export::export(gathered, &app.blobs, key, app.now(), file).await;
    let (mut sealed, mut bytes) = (sealed.unwrap(), Vec::new());
    sealed.file.read_to_end(&mut bytes).unwrap();
    bytes
}

async fn sync_reply(bureau: &Bureau) -> Vec<u8> {
    let (person, phone) = bureau.world.inspector(&bureau.top, 9).await;
    let unit = bureau.top.parse().unwrap();
    let device = phone.id.parse().unwrap();
    let caller = Caller::new(device, person.parse().unwrap(), Inspector, unit);
    let request = SyncRequest {
        protocol: version::CURRENT,
        head: Head { install: 1, seq: 0, fact: None },
        clock: ClockReading { wall_ms: 0, boot_ns: 1, boot: BootId::from_bytes([1; 8]) },
        anchor: None,
        cursors: Vec::new(),
        push: Vec::new(),
        want: Vec::new(),
        renew: false,
        max_bytes: 1 << 20,
        seen: None,
        disputed: None,
        statements: Vec::new(),
        certify: false,
    };
    let reply = exchange::sync(&bureau.world.app, &caller, request).await.unwrap();
    assert!(!reply.buckets[0].frames.is_empty(), "the phone gets the case");
    wire::encode(&reply)
}

/// Every row of every table as text, as a dump would have it.
async fn dump(bureau: &Bureau) -> Vec<u8> {
    let store = &bureau.world.app.store;
    if store.engine() == Engine::Sqlite {
        return Vec::new();
    }
    let read = store.with_read("test", (), |tx, ()| {
        Box::pin(async move {
            let tables = "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
                 WHERE table_schema = current_schema()";
            let mut out = Vec::new();
            for table in sqlx::query(tables).fetch_all(tx.conn()).await? {
                let name = table.text("name")?;
                let sql = format!("SELECT CAST(t AS TEXT) AS row FROM {name} t");
                for row in sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(tx.conn()).await? {
                    out.extend(row.text("row")?.into_bytes());
                }
            }
            Ok::<_, StoreError>(out)
        })
    });
    read.await.unwrap()
}

async fn the_canary_is_found_nowhere(store: TestStore) {
    let dir = store.dir.path().to_owned();
    let lines = Lines::default();
    let guard = lines.catch();
    let metrics = crate::http::metrics_router();
    let gateway = FakeGateway::start().await;
    let world = World::new(store).await.with_gateway(&gateway.sms);
    gateway.by(&world.clock);
    let mut bureau = Bureau::of(world).await;
    is_nowhere_in(&fly(&mut bureau, &gateway).await, "an answer");
    is_nowhere_in(&sync_reply(&bureau).await, "a sync reply");
    let bundle = bundle(&bureau).await;
    assert!(bundle.len() > 3_000, "the case is in it");
    is_nowhere_in(&bundle, "an evidence bundle");
    let dump = dump(&bureau).await;
    assert!(dump.len() > 5_000 || bureau.world.app.store.engine() == Engine::Sqlite);
    is_nowhere_in(&dump, "a dump of the database");
    let scraped = metrics.oneshot(Request::get("/metrics").body(Body::empty()).unwrap());
    let scraped = scraped.await.unwrap().into_body().collect().await.unwrap().to_bytes();
    is_nowhere_in(&scraped, "the metrics");
    for path in files(&dir) {
        is_nowhere_in(&std::fs::read(&path).unwrap(), &path.display().to_string());
        is_nowhere_in(path.display().to_string().as_bytes(), "the name of a file");
    }
    drop(guard);
    let lines = lines.caught();
    assert!(lines.len() > 10_000, "the lines were caught");
    is_nowhere_in(&lines, "the log lines");
}

#[tokio::test]
async fn a_canary_is_found_nowhere_outside_the_vault_on_sqlite() {
    the_canary_is_found_nowhere(TestStore::sqlite().await).await;
}

#[tokio::test]
async fn a_canary_is_found_nowhere_outside_the_vault_on_postgres() {
    if let Some(store) = TestStore::postgres().await {
        the_canary_is_found_nowhere(store).await;
    }
}

#[tokio::test]
async fn what_a_crash_would_print_shows_nothing() {
    let store = TestStore::sqlite().await;
    let (app, _) = store.app().await;
    let canary = json!({ "name": NAME, "number": NUMBER, "address": ADDRESS });
    let complainant: Complainant = serde_json::from_value(canary.clone()).unwrap();
    let case = onscene_sync_core::id::DocId::from_bytes([1; 16]);
    let sealed = Sealed::new(&app, case, &complainant);
    let body: crate::http::cases::RegisterCase = serde_json::from_value(json!({
        "class": "help", "channel": "web", "matter": "noise", "summary": "x",
        "complainant": canary,
    }))
    .unwrap();
    let shown = format!("{complainant:?}{sealed:?}{body:?}{:?}", complainant.identity());
    is_nowhere_in(shown.as_bytes(), "a debug print");
    is_nowhere_in(&serde_json::to_vec(&body).unwrap(), "a command that is remembered");
}

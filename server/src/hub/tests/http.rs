//! The same through the router: encodings, versions, limits, live pokes, the quarantine.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::FactId;
use onscene_sync_core::limits::{PUSH_CHANGES, WANTED};
use onscene_sync_core::sync::message::{
    Bucket, Poke, Push, PushResult, RefusalCode, Standing, SyncReply, SyncRequest,
};
use onscene_sync_core::sync::wire;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tower::ServiceExt as _;

use super::world::{Phone, refusal};
use crate::auth::Role;
use crate::auth::tests::kit;
use crate::store::testing::{TestStore, on_each_engine};

/// A squad with one enrolled phone.
pub(super) struct Hub {
    pub(super) world: kit::World,
    router: Router,
    squad: String,
    seat: kit::Phone,
    pub(super) phone: Phone,
}

/// What came back.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn problem(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        (self.status.as_u16(), kind.rsplit(':').next().unwrap_or_default().to_owned())
    }

    pub(super) fn reply(&self) -> SyncReply {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        match self.headers.get("content-encoding") {
            Some(_) => wire::decode(&wire::decompress(&self.body).unwrap()).unwrap(),
            None => wire::decode(&self.body).unwrap(),
        }
    }
}

impl Hub {
    pub(super) async fn new(store: TestStore) -> Self {
        let world = kit::World::new(store).await;
        let squad = world.unit("squad", &world.top().await).await;
        let (person, mut seat) = world.inspector(&squad, 5).await;
        seat.nonce = world.app.auth.proofs.nonce(world.app.now());
        let device = seat.id.parse().unwrap();
        let phone = Phone::enrolled(5, device, person.parse().unwrap(), squad.parse().unwrap());
        let router = crate::http::router(&world.app);
        Self { world, router, squad, seat, phone }
    }

    /// The headers of a phone's request.
    fn signed(&self, method: &str, path: &str) -> Vec<(&'static str, String)> {
        let url = format!("{}{path}", self.world.app.config.http.public_url);
        let proof = self.seat.proof(method, &url, Some(&self.seat.access));
        vec![("authorization", format!("DPoP {}", self.seat.access)), ("dpop", proof)]
    }

    async fn post(&self, extra: &[(&'static str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::post("/v1/sync");
        for (name, value) in self.signed("POST", "/v1/sync") {
            request = request.header(name, value);
        }
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks for a new access token.
    pub(super) async fn renew(&mut self) {
        self.seat.renew(&self.world).await.ok();
    }

    pub(super) async fn sync(&self, request: &SyncRequest) -> Answer {
        self.post(&[("content-type", wire::CONTENT_TYPE)], wire::encode(request)).await
    }
}

const KIND: (&str, &str) = ("content-type", wire::CONTENT_TYPE);
const ZSTD: (&str, &str) = ("content-encoding", "zstd");

async fn a_phone_syncs_plain_and_compressed(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let doc = hub.phone.begin_patrol(9);
    for n in 0..5 {
        hub.phone.note(doc, &format!("note {n}"));
    }
    let request = hub.phone.request();
    let plain = hub.sync(&request).await;
    assert_eq!(plain.headers["content-type"], wire::CONTENT_TYPE);
    assert!(!plain.headers.contains_key("content-encoding"));
    let reply = plain.reply();
    assert_eq!(reply.results, vec![PushResult::Accepted; 5]);
    assert_eq!(reply.standing, Standing::Good);
    let packed = wire::compress(&wire::encode(&request));
    let again = hub.post(&[KIND, ZSTD, ("accept-encoding", "gzip, zstd")], packed).await;
    assert_eq!(again.headers["content-encoding"], "zstd");
    assert!(again.body.len() < plain.body.len());
    assert_eq!(again.reply().results, vec![PushResult::Duplicate; 5]);
}

async fn what_is_not_a_sync_request_is_a_problem_that_says_so(store: TestStore) {
    let hub = Hub::new(store).await;
    let sound = wire::encode(&hub.phone.request());
    let bomb = wire::compress(&vec![0; 64 << 20]);
    type Case = (&'static [(&'static str, &'static str)], Vec<u8>, (u16, &'static str));
    let cases: [Case; 9] = [
        (&[("content-type", "application/json")], b"{}".to_vec(), (415, "not_sync")),
        (&[], sound.clone(), (415, "not_sync")),
        (&[KIND, ("content-encoding", "gzip")], sound.clone(), (415, "unknown_encoding")),
        (&[KIND, ZSTD], sound.clone(), (400, "not_zstd")),
        (&[KIND, ZSTD], bomb, (413, "too_large")),
        (&[KIND], sound[..sound.len() - 3].to_vec(), (400, "not_cbor")),
        (&[KIND], b"plain words".to_vec(), (400, "not_cbor")),
        (&[KIND], Vec::new(), (400, "not_cbor")),
        (&[KIND], vec![0; 2 << 20], (413, "too_large")),
    ];
    for (headers, body, (status, code)) in cases {
        let answer = hub.post(headers, body).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{headers:?}");
    }
}

async fn an_app_too_old_or_too_new_is_told_which_side_needs_an_update(store: TestStore) {
    let hub = Hub::new(store).await;
    for (protocol, code, words) in
        [(0, "protocol_too_old", "update the app"), (99, "protocol_too_new", "the hub needs")]
    {
        let answer = hub.sync(&SyncRequest { protocol, ..hub.phone.request() }).await;
        assert_eq!(answer.problem(), (426, code.to_owned()));
        assert!(String::from_utf8_lossy(&answer.body).contains(words));
        assert_eq!(answer.headers["upgrade"], "onscene-sync/1");
    }
    // A later protocol may look different in everything but its first field.
    let mut unknown = vec![0xa2, 0x00, 0x18, 0x63, 0x01];
    unknown.extend(wire::encode(&"something else"));
    let answer = hub.post(&[KIND], unknown).await;
    assert_eq!(answer.problem(), (426, "protocol_too_new".to_owned()));
}

async fn a_request_over_its_limits_is_refused_whole(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let doc = hub.phone.begin_patrol(9);
    hub.phone.note(doc, "one");
    let one: Push = hub.phone.outbox[0].clone();
    let request = hub.phone.request();
    let large = Push { change: vec![0; 300 * 1024].into(), ..one.clone() };
    let fact = Some(FactId::from_bytes([1; 16]));
    let wrong = [
        (
            SyncRequest { push: vec![one; PUSH_CHANGES + 1], ..request.clone() },
            (413, "batch_too_large"),
        ),
        (SyncRequest { push: vec![large], ..request.clone() }, (413, "batch_too_large")),
        (SyncRequest { want: vec![doc; WANTED + 1], ..request.clone() }, (400, "invalid")),
        (with_head(&request, 0, 1, fact), (400, "invalid")),
        (with_head(&request, 1, 0, fact), (400, "invalid")),
        (with_head(&request, 1, 1, None), (400, "invalid")),
    ];
    for (request, (status, code)) in wrong {
        assert_eq!(hub.sync(&request).await.problem(), (status, code.to_owned()));
    }
    assert_eq!(hub.sync(&request).await.reply().results, [PushResult::Accepted]);
}

fn with_head(request: &SyncRequest, install: u32, seq: u64, fact: Option<FactId>) -> SyncRequest {
    let mut request = request.clone();
    (request.head.install, request.head.seq, request.head.fact) = (install, seq, fact);
    request
}

async fn a_refused_change_is_shown_and_settled_by_a_supervisor_of_the_unit(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let world = &hub.world;
    let doc = hub.phone.begin_patrol(9);
    hub.phone.note(doc, "before the loss");
    let path = format!("/v1/devices/{}/revocation", hub.seat.id);
    world.post(&world.admin, &path, json!({"reason": "lost"})).await.ok();
    let reply = hub.sync(&hub.phone.request()).await.reply();
    assert_eq!(reply.standing, Standing::Revoked);
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::DeviceRevoked));

    let supervisor = world.key(&world.person(Role::Supervisor, &hub.squad).await).await;
    let elsewhere = world.unit("elsewhere", &world.top().await).await;
    let stranger = world.key(&world.person(Role::Supervisor, &elsewhere).await).await;
    let listed = world.get(&supervisor, "/v1/quarantine").await.ok();
    let item = &listed["items"][0];
    assert_eq!((&item["code"], &item["device"]), (&json!("device_revoked"), &json!(hub.seat.id)));
    assert_eq!(world.get(&stranger, "/v1/quarantine").await.ok()["items"], json!([]));

    let path = format!("/v1/quarantine/{}", item["id"]);
    let shown = world.get(&supervisor, &path).await.ok();
    assert_eq!(shown["facts"][0]["text"], "before the loss");
    assert_eq!(shown["facts"][0]["states"], "note");
    world.get(&stranger, &path).await.expect(404, "not_found");

    let settlement = format!("{path}/settlement");
    let ruling = |reason: &str| json!({"ruling": "noted", "reason": reason});
    world.post(&supervisor, &settlement, ruling("  ")).await.expect(400, "invalid");
    world.post(&stranger, &settlement, ruling("mine")).await.expect(404, "not_found");
    let settled = world.post(&supervisor, &settlement, ruling("entered by hand")).await.ok();
    assert_eq!(settled["settled"]["reason"], "entered by hand");
    world.post(&supervisor, &settlement, ruling("again")).await.expect(409, "already_settled");
    assert_eq!(world.get(&supervisor, "/v1/quarantine").await.ok()["items"], json!([]));
    let all = world.get(&supervisor, "/v1/quarantine?all=true").await.ok();
    assert_eq!(all["items"][0]["settled"]["ruling"], "noted");
    assert_eq!(world.get(&supervisor, &path).await.ok()["change"], shown["change"]);
}

async fn a_live_phone_is_poked_when_its_squad_writes(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = hub.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut request = format!("ws://{address}/v1/live").into_client_request().unwrap();
    for (name, value) in hub.signed("GET", "/v1/live") {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let doc = hub.phone.begin_patrol(9);
    hub.phone.note(doc, "news");
    hub.sync(&hub.phone.request()).await.reply();
    let mut poked = Vec::new();
    while poked.len() < 2 {
        let message = tokio::time::timeout(std::time::Duration::from_secs(10), socket.next());
        match message.await.expect("in time").expect("open").unwrap() {
            tungstenite::Message::Binary(bytes) => {
                poked.push(wire::decode::<Poke>(&bytes).unwrap());
            }
            other => assert!(other.is_ping(), "{other:?}"),
        }
    }
    let buckets: std::collections::BTreeSet<Bucket> =
        poked.iter().map(|poke| poke.bucket).collect();
    assert_eq!(buckets, hub.phone.caller.buckets);
    assert!(poked.iter().all(|poke| poke.seq == 1));
    server.abort();
}

async fn a_phone_has_few_live_connections(store: TestStore) {
    let hub = Hub::new(store).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = hub.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut open = Vec::new();
    let refused = loop {
        let mut request = format!("ws://{address}/v1/live").into_client_request().unwrap();
        for (name, value) in hub.signed("GET", "/v1/live") {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => open.push(socket),
            Err(error) => break error,
        }
        assert!(open.len() < 10, "there is a limit");
    };
    let tungstenite::Error::Http(answer) = refused else { panic!("{refused:?}") };
    assert_eq!((answer.status().as_u16(), open.len()), (429, 3));
    server.abort();
}

async fn a_live_connection_needs_a_sound_phone(store: TestStore) {
    let hub = Hub::new(store).await;
    let token = sha256(b"not a token").to_string();
    let request = Request::get("/v1/live").header("authorization", format!("DPoP {token}"));
    let response = hub.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

on_each_engine!(
    a_phone_syncs_plain_and_compressed,
    what_is_not_a_sync_request_is_a_problem_that_says_so,
    an_app_too_old_or_too_new_is_told_which_side_needs_an_update,
    a_request_over_its_limits_is_refused_whole,
    a_refused_change_is_shown_and_settled_by_a_supervisor_of_the_unit,
    a_live_phone_is_poked_when_its_squad_writes,
    a_live_connection_needs_a_sound_phone,
    a_phone_has_few_live_connections,
);

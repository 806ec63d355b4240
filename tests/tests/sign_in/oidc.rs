use onscene_tests::process::Server;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use super::provider::{CLIENT, PAGE, Provider, SECRET, handed};

struct World {
    provider: Provider,
    server: Server,
    person: String,
    _dir: tempfile::TempDir,
}

impl World {
    /// A hub that knows `alice` of the provider as a dispatcher.
    async fn new() -> Option<Self> {
        let provider = Provider::start()?;
        let dir = tempfile::tempdir().unwrap();
        let settings = vec![
            ("ONSCENE_OIDC__ISSUER", provider.issuer.clone()),
            ("ONSCENE_OIDC__CLIENT_ID", CLIENT.to_owned()),
            ("ONSCENE_OIDC__CLIENT_SECRET", SECRET.to_owned()),
            ("ONSCENE_OIDC__REDIRECT_URL", PAGE.to_owned()),
        ];
        let server = Server::start_with(dir.path(), settings).await;
        let me = server.must(Method::GET, "/v1/me", None, Value::Null).await;
        let new = json!({"name": "Alice", "role": "dispatcher", "unit": me["unit"]});
        let person = server.must(Method::POST, "/v1/people", None, new).await;
        let person = person["id"].as_str().unwrap().to_owned();
        let world = Self { provider, server, person, _dir: dir };
        world.link("alice").await;
        Some(world)
    }

    async fn link(&self, identity: &str) {
        let path = format!("/v1/people/{}/identity", self.person);
        self.server.must(Method::PUT, &path, None, json!({"identity": identity})).await;
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = Client::new().post(format!("{}{path}", self.server.url()));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn begin(&self) -> Value {
        let (status, attempt) = self.post("/v1/sign-in/oidc", &json!({})).await;
        assert_eq!(status, 200, "{attempt}");
        attempt
    }

    /// From the beginning to what the hub says.
    async fn sign_in(&self, what: Value) -> (u16, Value) {
        self.provider.tell(what).await;
        let attempt = self.begin().await;
        let brought = self.provider.visit(attempt["address"].as_str().unwrap()).await;
        self.post("/v1/sign-in/oidc/return", &handed(&attempt, &brought)).await
    }

    #[track_caller]
    fn refused((status, body): &(u16, Value), code: &str) {
        let kind = body["type"].as_str().unwrap_or_default();
        assert_eq!((*status, kind), (403, &format!("urn:onscene:problem:{code}")[..]), "{body}");
    }
}

#[tokio::test]
async fn who_is_linked_signs_in_through_the_provider_and_nobody_else() {
    let Some(world) = World::new().await else { return };
    let (status, signed_in) = world.sign_in(json!({"sub": "alice"})).await;
    assert_eq!((status, signed_in["person"].as_str()), (201, Some(&world.person[..])));
    let token = signed_in["token"].as_str().unwrap();
    let me = world.server.must(Method::GET, "/v1/me", Some(token), Value::Null).await;
    assert_eq!(me["role"], "dispatcher");
    let list = world.server.must(Method::GET, "/v1/me/sessions", Some(token), Value::Null).await;
    assert_eq!(list["sessions"][0]["method"], "oidc");

    let stranger = world.sign_in(json!({"sub": "mallory"})).await;
    World::refused(&stranger, "unknown_identity");
    assert_eq!(stranger.1["identity"], "mallory", "for the administrator");
    world.link("alice of another house").await;
    World::refused(&world.sign_in(json!({"sub": "alice"})).await, "unknown_identity");
    world.link("alice").await;
    let path = format!("/v1/people/{}/closure", world.person);
    world.server.must(Method::POST, &path, None, json!({})).await;
    World::refused(&world.sign_in(json!({"sub": "alice"})).await, "unknown_identity");
}

#[tokio::test]
async fn a_provider_may_change_its_key_at_any_moment() {
    let Some(world) = World::new().await else { return };
    for _ in 0..3 {
        assert_eq!(world.sign_in(json!({"sub": "alice", "rotate": true})).await.0, 201);
    }
}

#[tokio::test]
async fn a_token_with_anything_wrong_is_refused() {
    let Some(world) = World::new().await else { return };
    for tamper in [
        "nonce",
        "no_nonce",
        "audience",
        "audiences",
        "expired",
        "future",
        "issuer",
        "signature",
        "unknown_key",
        "unsigned",
        "shared_secret",
    ] {
        let answer = world.sign_in(json!({"sub": "alice", "tamper": tamper})).await;
        assert_eq!(answer.0, 403, "{tamper}: {}", answer.1);
        World::refused(&answer, "provider_refused");
    }
    assert_eq!(world.sign_in(json!({"sub": "alice"})).await.0, 201, "nothing of it stays");
}

#[tokio::test]
async fn an_answer_counts_for_its_own_attempt_and_once() {
    let Some(world) = World::new().await else { return };
    world.provider.tell(json!({"sub": "alice"})).await;
    let [mine, other] = [world.begin().await, world.begin().await];
    let address: Url = mine["address"].as_str().unwrap().parse().unwrap();
    let asked: std::collections::BTreeMap<_, _> = address.query_pairs().into_owned().collect();
    assert_eq!(
        (&asked["code_challenge_method"][..], &asked["response_type"][..]),
        ("S256", "code")
    );
    assert!(asked["nonce"].len() == 43 && asked["nonce"] != asked["state"]);
    let brought = world.provider.visit(address.as_str()).await;
    let path = "/v1/sign-in/oidc/return";
    let good = handed(&mine, &brought);
    let with = |key: &str, value: &str| {
        let mut changed = good.clone();
        changed[key] = json!(value);
        changed
    };
    for changed in [
        with("attempt", other["attempt"].as_str().unwrap()),
        with("attempt", ""),
        with("attempt", &mine["attempt"].as_str().unwrap().replacen(|_| true, "x", 1)),
        with("state", "another"),
        with("iss", "https://another.example.org"),
        with("code", &"x".repeat(5_000)),
    ] {
        World::refused(&world.post(path, &changed).await, "attempt_over");
    }
    World::refused(&world.post(path, &with("code", "another")).await, "provider_refused");
    assert_eq!(world.post(path, &good).await.0, 201);
    World::refused(&world.post(path, &good).await, "provider_refused");
}

#[tokio::test]
async fn a_provider_that_points_elsewhere_is_not_followed() {
    let Some(world) = World::new().await else { return };
    world.provider.tell(json!({"sub": "alice", "elsewhere": true})).await;
    let (status, problem) = world.post("/v1/sign-in/oidc", &json!({})).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (503, Some("urn:onscene:problem:provider_unreachable"))
    );
    // It is left alone for a moment.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert_eq!(world.sign_in(json!({"sub": "alice"})).await.0, 201);
}

//! A hub with people and phones, asked through its router.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use onscene_sync_core::crypto::{Signer as _, SoftwareP256, sha256};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::App;
use crate::auth::Role;
use crate::auth::staff::ADMIN_KEY_FILE;
use crate::clock::ManualClock;
use crate::config::Sms;
use crate::store::Store;
use crate::store::testing::TestStore;

/// Names proofs: no two alike, whichever phone makes them.
static PROOFS: AtomicU64 = AtomicU64::new(0);

/// An answer of the hub.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The last part of a problem's type; empty when it is none.
    pub(crate) fn code(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.rsplit(':').next().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    pub(crate) fn nonce(&self) -> Option<&str> {
        self.headers.get("dpop-nonce")?.to_str().ok()
    }
}

/// The hub, its clock and its first administrator.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    pub(crate) admin: String,
    router: Router,
    store: Option<TestStore>,
}

impl World {
    /// The same hub with a gateway for text messages.
    pub(crate) fn with_gateway(mut self, sms: &Sms) -> Self {
        self.app = self.app.with_gateway(sms).unwrap();
        self.router = crate::http::router(&self.app);
        self
    }

    /// Any request, with its headers as they are.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, mut body) = response.into_parts();
        // A stream of events has no end.
        if parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            body = Body::empty();
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn new(store: TestStore) -> Self {
        let (app, clock) = store.app().await;
        let admin = std::fs::read_to_string(store.dir.path().join(ADMIN_KEY_FILE)).unwrap();
        let router = crate::http::router(&app);
        Self { app, clock, admin: admin.trim().to_owned(), router, store: Some(store) }
    }

    /// The same hub as a second process would run it: the same keys, a pool of its own.
    pub(crate) async fn another_node(&self, store: Store) -> Self {
        let dir = self.store.as_ref().expect("the first node's").dir.path();
        let (mut app, clock) = App::for_tests_on(dir, store).await.unwrap();
        app.keys = Arc::clone(&self.app.keys);
        let app = app.at_public_url(&self.app.config.http.public_url).unwrap();
        let router = crate::http::router(&app);
        Self { app, clock, admin: self.admin.clone(), router, store: None }
    }

    /// Any request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// A desk's GET.
    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.send(Method::GET, path, &bearer(key), None).await
    }

    /// A desk's POST.
    pub(crate) async fn post(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &bearer(key), Some(body)).await
    }

    /// A desk's change of what a GET of `seen` shows it.
    pub(crate) async fn change(
        &self,
        method: Method,
        key: &str,
        (seen, path): (&str, &str),
        body: Value,
    ) -> Answer {
        let tag = self.get(key, seen).await.headers["etag"].to_str().expect("a tag").to_owned();
        let [bearer] = bearer(key);
        self.send(method, path, &[bearer, ("if-match", tag)], Some(body)).await
    }

    /// Moves a person to another post.
    pub(crate) async fn appoint(&self, person: &str, post: Value) -> Answer {
        let seen = format!("/v1/people/{person}");
        let posts = format!("{seen}/posts");
        self.change(Method::POST, &self.admin, (&seen, &posts), post).await
    }

    /// The id of the bureau's top unit.
    pub(crate) async fn top(&self) -> String {
        text(&self.get(&self.admin, "/v1/units").await.ok()["units"][0]["id"])
    }

    pub(crate) async fn unit(&self, name: &str, parent: &str) -> String {
        let body = json!({"name": name, "parent": parent});
        text(&self.post(&self.admin, "/v1/units", body).await.ok()["id"])
    }

    pub(crate) async fn person(&self, role: Role, unit: &str) -> String {
        let body = json!({"name": format!("A {role}"), "role": role.as_str(), "unit": unit});
        text(&self.post(&self.admin, "/v1/people", body).await.ok()["id"])
    }

    /// A personal key.
    pub(crate) async fn key(&self, person: &str) -> String {
        let path = format!("/v1/people/{person}/keys");
        text(&self.post(&self.admin, &path, json!({"label": "desk"})).await.ok()["key"])
    }

    /// An enrolment code from the administrator.
    pub(crate) async fn code(&self, person: &str) -> String {
        let path = format!("/v1/people/{person}/enrolment-codes");
        text(&self.post(&self.admin, &path, json!({})).await.ok()["code"])
    }

    /// A new inspector of `unit` with an enrolled phone.
    pub(crate) async fn inspector(&self, unit: &str, scalar: u8) -> (String, Phone) {
        let person = self.person(Role::Inspector, unit).await;
        let mut phone = Phone::new(scalar);
        let code = self.code(&person).await;
        phone.enrol(self, &code, false).await.ok();
        (person, phone)
    }

    /// One key for each role, all in `unit`.
    pub(crate) async fn keys(&self, unit: &str) -> BTreeMap<Role, String> {
        let mut keys = BTreeMap::new();
        for role in Role::ALL {
            let person = self.person(role, unit).await;
            keys.insert(role, self.key(&person).await);
        }
        keys
    }
}

pub(crate) fn bearer(key: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {key}"))]
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A phone with a key in memory.
pub(crate) struct Phone {
    pub(crate) key: SoftwareP256,
    pub(crate) id: String,
    pub(crate) refresh: String,
    pub(crate) access: String,
    pub(crate) nonce: String,
}

impl Phone {
    pub(crate) fn new(scalar: u8) -> Self {
        Self {
            key: SoftwareP256::from_scalar(&[scalar; 32]).unwrap(),
            id: String::new(),
            refresh: String::new(),
            access: String::new(),
            nonce: String::new(),
        }
    }

    /// A proof for one request.
    pub(crate) fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let jti = PROOFS.fetch_add(1, Ordering::Relaxed);
        let point = self.key.public_key();
        let (x, y) = point[1..].split_at(32);
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = json!({"typ": "dpop+jwt", "alg": "ES256",
            "jwk": {"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)}});
        let mut claims = json!({"jti": jti.to_string(), "htm": method, "htu": url,
            "iat": 12, "nonce": self.nonce});
        if let Some(token) = token {
            claims["ath"] = json!(base64(sha256(token.as_bytes()).as_bytes()));
        }
        let message = [header, claims].map(|part| base64(part.to_string().as_bytes())).join(".");
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64(&signature))
    }

    /// A request as a phone makes it: with the token if there is one, repeated once with the nonce
    /// that the hub asks for.
    pub(crate) async fn send(
        &mut self,
        world: &World,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let url = format!("{}{path}", world.app.config.http.public_url);
        let mut repeated = false;
        loop {
            let proof = self.proof(method.as_str(), &url, token);
            let mut headers = vec![("dpop", proof)];
            headers.extend(token.map(|token| ("authorization", format!("DPoP {token}"))));
            let answer = world.send(method.clone(), path, &headers, body.clone()).await;
            if let Some(nonce) = answer.nonce() {
                nonce.clone_into(&mut self.nonce);
            }
            if answer.code() != "use_dpop_nonce" || repeated {
                return answer;
            }
            repeated = true;
        }
    }

    pub(crate) async fn enrol(&mut self, world: &World, code: &str, replace: bool) -> Answer {
        let body = json!({"code": code, "replace": replace, "phone": {
            "model": "Test 1", "key_level": "software", "app_version": "0.1.0"}});
        let answer = self.send(world, Method::POST, "/v1/enrol", None, Some(body)).await;
        if answer.status == StatusCode::OK {
            self.id = text(&answer.body["device"]);
            self.refresh = text(&answer.body["refresh_token"]);
            self.access = text(&answer.body["access"]["access_token"]);
        }
        answer
    }

    /// Asks for a new access token.
    pub(crate) async fn renew(&mut self, world: &World) -> Answer {
        let body = json!({"refresh_token": self.refresh});
        let answer = self.send(world, Method::POST, "/v1/token", None, Some(body)).await;
        if answer.status == StatusCode::OK {
            self.access = text(&answer.body["access_token"]);
        }
        answer
    }

    /// An ordinary GET.
    pub(crate) async fn get(&mut self, world: &World, path: &str) -> Answer {
        let token = self.access.clone();
        self.send(world, Method::GET, path, Some(&token), None).await
    }
}

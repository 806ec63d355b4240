//! The real hub in this thread: the server's own router and database, without a socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use onscene_mobile::{HttpReply, HttpRequest};
use onscene_server::app::App;
use onscene_server::clock::ManualClock;
use onscene_server::hub::epoch;
use onscene_server::random::SeededRandom;
use onscene_server::store::Store;
use onscene_server::{audit, http, jobs};
use onscene_sync_core::time::Millis;
use serde_json::Value;
use tower::ServiceExt as _;

/// The address that phones believe they talk to; nothing listens there.
pub const URL: &str = "http://127.0.0.1:8460";

/// A hub in a folder, which can be stopped dead and started again.
#[derive(Debug)]
pub struct Hub {
    dir: PathBuf,
    seed: u64,
    starts: u64,
    now: Millis,
    running: Option<Running>,
    admin_key: String,
}

#[derive(Debug)]
struct Running {
    app: App,
    clock: ManualClock,
    router: Router,
}

impl Hub {
    /// Starts a hub in `dir`, on SQLite, at `now`. Everything it draws comes from `seed`.
    pub async fn start(dir: &Path, seed: u64, now: Millis) -> Self {
        let mut hub = Self {
            dir: dir.to_owned(),
            seed,
            starts: 0,
            now,
            running: None,
            admin_key: String::new(),
        };
        hub.boot().await;
        let path = dir.join(onscene_server::auth::staff::ADMIN_KEY_FILE);
        let key = std::fs::read_to_string(path).expect("a new hub writes the administrator's key");
        hub.admin_key = key.trim().to_owned();
        hub
    }

    async fn boot(&mut self) {
        let url = Store::sqlite_url(&self.database());
        let store = Store::open(&url, 4).await.expect("the database opens");
        let (mut app, clock) = App::for_tests_on(&self.dir, store).await.expect("the hub starts");
        clock.set(self.now);
        self.starts += 1;
        app.random = Arc::new(SeededRandom::new(self.seed ^ self.starts << 32));
        let router = http::router(&app);
        self.running = Some(Running { app, clock, router });
    }

    /// Stops the hub as a power cut would, as far as its memory goes, and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join("onscene.db")
    }

    /// Where its files are.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    /// Copies the database, as a backup would.
    pub async fn back_up(&mut self) {
        self.stop().await;
        std::fs::copy(self.database(), self.dir.join("backup.db")).expect("a copy");
        self.boot().await;
    }

    /// Loses everything since the backup, and begins the next epoch as an operator would.
    pub async fn restore(&mut self) {
        self.stop().await;
        std::fs::copy(self.dir.join("backup.db"), self.database()).expect("a copy");
        self.boot().await;
        epoch::begin(&self.app().store, self.app().now()).await.expect("a new epoch");
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.app.store.close().await;
        }
    }

    /// The program's parts.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.running().app
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs between calls")
    }

    /// Turns the hub's clock and does the work that fell due.
    pub async fn advance_to(&mut self, now: Millis) {
        self.now = now;
        self.running().clock.set(now);
        audit::tend(self.app()).await.expect("the log is kept");
        while jobs::run_due(self.app()).await.expect("jobs run") > 0 {}
    }

    /// A phone's request, and the answer as it leaves the hub.
    pub async fn answer(&self, request: &HttpRequest) -> HttpReply {
        let path = request.url.strip_prefix(URL).expect("phones were enrolled at this address");
        let mut builder = Request::builder().method(request.method).uri(path);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let request = builder.body(Body::from(request.body.clone())).expect("a request");
        let reply = self.running().router.clone().oneshot(request).await.expect("always answers");
        let status = reply.status().as_u16();
        let headers = reply.headers().iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let body = reply.into_body().collect().await.expect("a whole body").to_bytes().to_vec();
        HttpReply { status, headers, body }
    }

    /// A request of the command centre, as the administrator or with another key.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let (status, _, answer) = self.send(method, path, key, None, body).await;
        (status, answer)
    }

    /// As [`Hub::call`], of the version that `seen` shows.
    pub async fn change(
        &self,
        method: &str,
        (seen, path): (&str, &str),
        body: &Value,
    ) -> (u16, Value) {
        let (_, tag, _) = self.send("GET", seen, None, None, &Value::Null).await;
        let (status, _, answer) = self.send(method, path, None, tag.as_deref(), body).await;
        (status, answer)
    }

    /// Answers with the status, the `ETag` and the body.
    async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        tag: Option<&str>,
        body: &Value,
    ) -> (u16, Option<String>, Value) {
        let key = key.unwrap_or(&self.admin_key);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).expect("a request");
        let reply = self.running().router.clone().oneshot(request).await.expect("always answers");
        let status = reply.status().as_u16();
        let tag = reply.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = reply.into_body().collect().await.expect("a whole body").to_bytes();
        (status, tag, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// As [`Hub::call`], where anything but success is a fault of the test.
    pub async fn must(&self, method: &str, path: &str, key: Option<&str>, body: Value) -> Value {
        let (status, answer) = self.call(method, path, key, &body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

//! A gateway for text messages, played by a real HTTP server that can misbehave.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::clock::{Clock as _, ManualClock};
use crate::config::{Secret, Sms};
use crate::messages::gateway::signature::Signer;

/// What the next request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is never answered, and nothing is done.
    Silence,
    /// It is done and never answered.
    AnswerLost,
    /// It is answered with this status, and nothing is done.
    Status(u16),
    /// It is answered with what is no answer.
    Garbage,
    /// It is sent elsewhere.
    Redirect,
}

/// What the gateway knows of a message.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) to: String,
    pub(crate) text: String,
    state: &'static str,
}

#[derive(Default)]
struct Inner {
    known: BTreeMap<String, Known>,
    faults: VecDeque<Fault>,
    requests: Vec<String>,
    /// Calls at the address that a redirect named.
    elsewhere: usize,
}

/// The gateway.
#[derive(Clone)]
pub(crate) struct FakeGateway {
    inner: Arc<Mutex<Inner>>,
    pub(crate) sms: Sms,
    clock: Arc<Mutex<Option<ManualClock>>>,
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let sms = Sms {
            url: format!("http://{address}/sms/"),
            key_id: "bureau".to_owned(),
            secret: Secret("a secret that both sides share, 32+".to_owned()),
            timeout_s: 1,
            ..Sms::default()
        };
        let gateway = Self { inner: Arc::default(), sms, clock: Arc::default() };
        let router = Router::new()
            .route("/sms/messages/{id}", axum::routing::any(call))
            .route("/elsewhere", axum::routing::any(elsewhere))
            .with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    /// Sets the clock by which it checks signatures: the hub's.
    pub(crate) fn by(&self, clock: &ManualClock) {
        *self.clock.lock().unwrap() = Some(clock.clone());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn meets(&self, faults: &[Fault]) {
        self.inner().faults.extend(faults);
    }

    /// What was really sent, by id.
    pub(crate) fn sent(&self) -> Vec<Known> {
        self.inner().known.values().cloned().collect()
    }

    /// The requests so far, as `PUT` and `GET`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.inner().requests.clone()
    }

    pub(crate) fn elsewhere(&self) -> usize {
        self.inner().elsewhere
    }

    /// What it says of a message when it is asked.
    pub(crate) fn settle(&self, id: &str, state: &'static str) {
        self.inner().known.get_mut(id).expect("a message that was sent").state = state;
    }

    /// A call to the hub, signed at `now`.
    pub(crate) fn calls(&self, path: &str, body: &Value, now: Millis, nonce: u8) -> Request<Body> {
        let body = body.to_string();
        let signed = Signer::new(&self.sms).sign("POST", path, body.as_bytes(), now, [nonce; 16]);
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let request =
            signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(Body::from(body)).unwrap()
    }
}

async fn elsewhere(State(gateway): State<FakeGateway>) -> StatusCode {
    gateway.inner().elsewhere += 1;
    StatusCode::OK
}

async fn call(
    State(gateway): State<FakeGateway>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let now = gateway.clock.lock().unwrap().as_ref().expect("the hub's clock").now();
    let signer = Signer::new(&gateway.sms);
    let checked =
        signer.verify(parts.method.as_str(), parts.uri.path(), &parts.headers, &bytes, now);
    if let Err(why) = checked {
        return (StatusCode::UNAUTHORIZED, why.to_string()).into_response();
    }
    gateway.inner().requests.push(parts.method.to_string());
    let fault = gateway.inner().faults.pop_front();
    match fault {
        Some(Fault::Status(status)) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Some(Fault::Garbage) => return "<html>welcome</html>".into_response(),
        Some(Fault::Redirect) => {
            let to = [(header::LOCATION, "/elsewhere")];
            return (StatusCode::TEMPORARY_REDIRECT, to).into_response();
        }
        Some(Fault::Silence) => return never().await,
        Some(Fault::AnswerLost) | None => {}
    }
    if parts.method == Method::PUT {
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let known = Known { to: text("to"), text: text("text"), state: "accepted" };
        gateway.inner().known.entry(id.clone()).or_insert(known);
    }
    if fault == Some(Fault::AnswerLost) {
        return never().await;
    }
    match gateway.inner().known.get(&id) {
        Some(known) => {
            axum::Json(json!({ "state": known.state, "reason": "absent" })).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Longer than the hub waits.
async fn never() -> Response {
    tokio::time::sleep(Duration::from_secs(5)).await;
    StatusCode::OK.into_response()
}

use std::time::Duration;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::extract::{BodyBytes, JsonBody};
use super::*;
use crate::config::Http;

/// A served router that stops with the value.
struct Served {
    address: std::net::SocketAddr,
    stopper: Stopper,
    task: JoinHandle<()>,
}

async fn served(router: Router, http: Http) -> Served {
    let listener = TcpListener::bind(http.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stopper = Stopper::default();
    let task = tokio::spawn(serve(listener, router, http, stopper.listen()));
    Served { address, stopper, task }
}

fn quick() -> Http {
    let listen = ([127, 0, 0, 1], 0).into();
    Http { listen, header_timeout_s: 1, stop_timeout_s: 1, ..Http::default() }
}

/// The hub's own router, with the odd limits that the tests need.
async fn hub(change: impl FnOnce(&mut Http)) -> (tempfile::TempDir, Served) {
    let dir = tempfile::tempdir().unwrap();
    let (mut app, _) = App::for_tests(dir.path()).await.unwrap();
    let mut config = (*app.config).clone();
    config.http = quick();
    change(&mut config.http);
    app.config = config.into();
    (dir, served(router(&app), app.config.http.clone()).await)
}

async fn send(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    match tokio::time::timeout(Duration::from_secs(10), read).await.expect("cut in time") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&reply).into_owned()
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

fn post_request(path: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn it_tells_its_health() {
    let (_dir, hub) = hub(|_| ()).await;
    let reply = send(hub.address, &get_request("/health/ready")).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("ready\n"), "{reply}");
    assert!(!reply.contains("x-request-id: "), "{reply}");
    assert!(send(hub.address, &get_request("/health/live")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let (_dir, hub) = hub(|_| ()).await;
    let reply = send(hub.address, &get_request("/nowhere?secret=1")).await;
    assert!(reply.starts_with("HTTP/1.1 404"), "{reply}");
    assert!(reply.contains("x-request-id: "), "{reply}");
    assert!(reply.contains("application/problem+json"), "{reply}");
    assert!(reply.contains("urn:onscene:problem:no_such_route"), "{reply}");
    let reply = send(hub.address, &post_request("/health/live", "text/plain", "")).await;
    assert!(reply.starts_with("HTTP/1.1 405") && reply.contains("wrong_method"), "{reply}");
}

#[tokio::test]
async fn a_hub_without_its_database_is_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = App::for_tests(dir.path()).await.unwrap();
    let hub = served(router(&app), quick()).await;
    app.store.close().await;
    let reply = send(hub.address, &get_request("/health/ready")).await;
    assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("not_ready"), "{reply}");
    assert!(send(hub.address, &get_request("/health/live")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_slow_with_its_head_is_cut() {
    let (_dir, hub) = hub(|_| ()).await;
    let beginnings = ["", "GET /health/live HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n"];
    for beginning in beginnings {
        let started = tokio::time::Instant::now();
        let mut stream = TcpStream::connect(hub.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let reply = read_to_end(&mut stream).await;
        assert!(!reply.starts_with("HTTP/1.1 200"), "{beginning:?}: {reply}");
        assert!(started.elapsed() >= Duration::from_millis(900), "{beginning:?} was cut at once");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let (_dir, hub) = hub(|http| http.connections = 1).await;
    let mut silent = TcpStream::connect(hub.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reply = send(hub.address, &get_request("/health/live")).await;
    assert!(reply.starts_with("HTTP/1.1 200"), "served once the silent one was cut: {reply}");
    assert_eq!(read_to_end(&mut silent).await, "");
}

#[tokio::test]
async fn what_outlives_its_connection_keeps_its_place() {
    static HELD: std::sync::Mutex<Option<Slot>> = std::sync::Mutex::new(None);
    let keep = |axum::Extension(slot): axum::Extension<Slot>| async move {
        *HELD.lock().unwrap() = Some(slot);
    };
    let routes = Router::new().route("/", get(keep)).route("/next", get(|| async { "next" }));
    let hub = served(routes, Http { connections: 1, ..quick() }).await;
    assert!(send(hub.address, &get_request("/")).await.starts_with("HTTP/1.1 200"));
    let mut next = tokio::spawn(async move { send(hub.address, &get_request("/next")).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut next).await;
    assert!(early.is_err(), "the only place is taken");
    HELD.lock().unwrap().take();
    assert!(next.await.unwrap().ends_with("next"));
}

fn with_observation(routes: Router) -> Router {
    let ids = observe::RequestIds::new(&crate::random::SeededRandom::new(1));
    routes.layer(observe::catch_panic()).layer(from_fn_with_state(ids, observe::observe))
}

#[tokio::test]
async fn an_oversized_or_malformed_body_is_a_problem() {
    let routes = Router::new()
        .route("/bytes", post(|BodyBytes(body): BodyBytes| async move { body.len().to_string() }))
        .route("/json", post(|JsonBody(n): JsonBody<u8>| async move { n.to_string() }));
    let hub = served(with_observation(body_limit(routes, 10)), quick()).await;
    let ask = |path: &'static str, kind: &'static str, body: &'static str| {
        let request = post_request(path, kind, body);
        async move { send(hub.address, &request).await }
    };
    assert!(ask("/bytes", "text/plain", "0123456789").await.ends_with("10"));
    let reply = ask("/bytes", "text/plain", "01234567890").await;
    assert!(reply.starts_with("HTTP/1.1 413") && reply.contains("too_large"), "{reply}");
    assert!(ask("/json", "application/json; charset=utf-8", "7").await.ends_with("\r\n7"));
    let reply = ask("/json", "application/json", "\"x\"").await;
    assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("expected u8"), "{reply}");
    let reply = ask("/json", "text/plain", "7").await;
    assert!(reply.starts_with("HTTP/1.1 415") && reply.contains("not_json"), "{reply}");
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_next_request_is_served() {
    async fn explode() -> &'static str {
        panic!("the inspector's secret")
    }
    let hub = served(with_observation(Router::new().route("/", get(explode))), quick()).await;
    for _ in 0..2 {
        let reply = send(hub.address, &get_request("/")).await;
        assert!(reply.starts_with("HTTP/1.1 500"), "{reply}");
        assert!(reply.contains("urn:onscene:problem:internal") && !reply.contains("secret"));
    }
}

#[tokio::test]
async fn a_slow_answer_is_cut_and_too_many_at_once_are_refused() {
    static BUSY: Notify = Notify::const_new();
    let slow = || async {
        BUSY.notify_one();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    let routes = limits::in_flight(deadline(Router::new().route("/", get(slow)), 1), 1);
    let hub = served(with_observation(routes), quick()).await;
    let first = tokio::spawn(async move { send(hub.address, &get_request("/")).await });
    BUSY.notified().await;
    let second = send(hub.address, &get_request("/")).await;
    assert!(second.starts_with("HTTP/1.1 503") && second.contains("problem:busy"), "{second}");
    let first = first.await.unwrap();
    assert!(first.starts_with("HTTP/1.1 503") && first.contains("problem:too_slow"), "{first}");
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish_and_takes_no_new_ones() {
    static RUNNING: Notify = Notify::const_new();
    let work = || async {
        RUNNING.notify_one();
        tokio::time::sleep(Duration::from_millis(300)).await;
        "finished"
    };
    let Served { address, stopper, task } =
        served(Router::new().route("/", get(work)), quick()).await;
    let running = tokio::spawn(async move { send(address, &get_request("/")).await });
    RUNNING.notified().await;
    stopper.stop();
    tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
    assert!(running.await.unwrap().ends_with("finished"));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    static RUNNING: Notify = Notify::const_new();
    let endless = || async {
        RUNNING.notify_one();
        std::future::pending::<()>().await;
    };
    let hub = served(Router::new().route("/", get(endless)), quick()).await;
    let _stuck = tokio::spawn(async move { send(hub.address, &get_request("/")).await });
    RUNNING.notified().await;
    hub.stopper.stop();
    tokio::time::timeout(Duration::from_secs(5), hub.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_name_routes_by_template_and_never_by_value() {
    let metrics = served(metrics_router(), quick()).await;
    let routes = Router::new().route("/cases/{id}", get(|| async { "case" }));
    let hub = served(with_observation(routes), quick()).await;
    send(hub.address, &get_request("/cases/13800138000?phone=13800138000")).await;
    let reply = send(metrics.address, &get_request("/metrics")).await;
    assert!(reply.contains("onscene_http_seconds_bucket"), "{reply}");
    assert!(reply.contains("route=\"/cases/{id}\""), "{reply}");
    assert!(!reply.contains("13800138000"), "{reply}");
}

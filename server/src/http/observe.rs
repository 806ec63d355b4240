//! One log line and one measurement for each request, without anything personal: the route's
//! template, never its parameters, query or body.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::Problem;
use crate::random::{self, Random};

/// Upper ends of the buckets of every histogram: all of them are seconds.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Numbers requests: a random start for the process, then a count.
#[derive(Debug, Clone)]
pub(super) struct RequestIds {
    process: u32,
    count: Arc<AtomicU64>,
}

impl RequestIds {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self { process: u32::from_be_bytes(random::bytes(random)), count: Arc::default() }
    }

    fn next(&self) -> String {
        format!("{:08x}-{}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// Names, measures and logs a request. The answer carries the name when there is something to report.
pub(super) async fn observe(
    State(ids): State<RequestIds>,
    request: Request,
    next: Next,
) -> Response {
    let id = ids.next();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", id, %method, route);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, ms = took.as_secs_f64() * 1e3, "request"));
    metrics::histogram!(
        "onscene_http_seconds",
        "method" => method.to_string(), "route" => route, "status" => status.to_string()
    )
    .record(took.as_secs_f64());
    if status >= 400
        && let Ok(id) = HeaderValue::from_str(&id)
    {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    response
}

/// Turns a panic in a handler into a 500 problem; other requests go on.
pub(super) fn catch_panic() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(on_panic as fn(Box<dyn Any + Send>) -> Response)
}

fn on_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    metrics::counter!("onscene_panics_total").increment(1);
    Problem::internal(&format_args!("a handler panicked: {text}")).into_response()
}

/// `/metrics` in Prometheus' text format, for a listener of its own. Measuring starts with the
/// first call.
pub fn metrics_router() -> Router {
    let handle = recorder();
    Router::new().route("/metrics", get(move || async move { handle.render() }))
}

fn recorder() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!(
                "another recorder of metrics was installed before: /metrics stays empty"
            );
        }
        handle
    })
}

//! The accept loop: connections are counted, silent ones are cut, a stop lets requests finish.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::config::Http;

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 64;
/// Bytes of a request's head at most.
const HEAD_BYTES: u32 = 16 * 1024;
/// How often a quiet HTTP/2 connection is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// Pause after a failed accept (most often: no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection's place among `http.connections`. It is free again when every clone is gone: what
/// outlives the HTTP connection (a WebSocket) holds one, from its request's extensions.
#[derive(Debug, Clone)]
pub struct Slot {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Asks everything that holds its [`Stop`] to stop. Clones ask together.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<bool>);

/// Tells when to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Default for Stopper {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopper {
    /// Hears when stopping is asked for, also when it has been already.
    #[must_use]
    pub fn listen(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Asks to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once stopping was asked for, or nobody is left who could ask.
    pub async fn requested(&mut self) {
        let _nobody_left = self.0.wait_for(|stop| *stop).await;
    }
}

/// Serves `router` on `listener` until `stop`, then lets running requests finish for
/// `http.stop_timeout_s`.
pub async fn serve(listener: TcpListener, router: Router, http: Http, mut stop: Stop) {
    let slots = Arc::new(Semaphore::new(http.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let header_timeout = Duration::from_secs(http.header_timeout_s);
    loop {
        let next = async {
            let permit = Arc::clone(&slots).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = stop.requested() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The semaphore is never closed.
        let Ok(permit) = permit else { break };
        let slot = Slot { _permit: Arc::new(permit) };
        let routes = router.clone();
        tokio::spawn(connection(stream, peer, slot, routes, header_timeout, graceful.watcher()));
    }
    drop(listener);
    let limit = Duration::from_secs(http.stop_timeout_s);
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests still running");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
    router: Router,
    header_timeout: Duration,
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let spoke = Arc::new(AtomicBool::new(false));
    let service = {
        let spoke = Arc::clone(&spoke);
        service_fn(move |mut request: hyper::Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(slot.clone());
            router.clone().oneshot(request)
        })
    };
    let server = builder(header_timeout);
    let connection =
        pin!(watcher.watch(server.serve_connection_with_upgrades(TokioIo::new(stream), service)));
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(error, "connection ended");
            }
        }
        () = stays_silent(&spoke, header_timeout) => {
            metrics::counter!("onscene_silent_connections_total").increment(1);
        }
    }
}

/// Hyper's own timeout begins only after the first bytes have told HTTP/1 from HTTP/2.
async fn stays_silent(spoke: &AtomicBool, limit: Duration) {
    tokio::time::sleep(limit).await;
    if spoke.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES);
    builder
}

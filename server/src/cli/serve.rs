//! `onscene serve`.

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::CliError;
use crate::app::App;
use crate::changes;
use crate::config::{Config, Http};
use crate::http;
use crate::jobs;

/// Runs the hub until SIGTERM or SIGINT.
pub(super) async fn serve(config: Config) -> Result<(), CliError> {
    // First of all: a signal that comes before its handler kills the program half-way.
    let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let metrics = match config.metrics.listen {
        Some(address) => Some((listen(address).await?, http::metrics_router())),
        None => None,
    };
    let listener = listen(config.http.listen).await?;
    let app = App::open(config).await?;
    let mut running = tokio::task::JoinSet::new();
    if let Some((listener, router)) = metrics {
        running.spawn(http::serve(listener, router, Http::default(), app.stopper.listen()));
    }
    tracing::info!(address = %listener.local_addr()?, "listening");
    let router = http::router(&app);
    running.spawn(http::serve(listener, router, app.config.http.clone(), app.stopper.listen()));
    running.spawn(jobs::keep_running(app.clone()));
    running.spawn(jobs::keep_working(app.clone()));
    running.spawn(changes::follow(app.clone()));
    let ended = tokio::select! {
        () = any_of(&mut signals) => Ok(()),
        // They end only when asked to. A hub without one of them must not look alive.
        _ = running.join_next() => Err(CliError::PartEnded),
    };
    tracing::info!("stopping");
    app.stopper.stop();
    while running.join_next().await.is_some() {}
    app.store.close().await;
    ended
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

async fn any_of([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

//! `onscene serve`.

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::app::App;
use crate::config::{Config, Http};
use crate::http;
use crate::jobs;

/// Runs the hub until SIGTERM or SIGINT.
pub(super) async fn serve(config: Config) -> Result<(), CliError> {
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
    asked_to_stop().await?;
    tracing::info!("stopping");
    app.stopper.stop();
    running.join_all().await;
    app.store.close().await;
    Ok(())
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

async fn asked_to_stop() -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

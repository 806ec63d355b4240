//! The hub of the demonstration: the real server in this process, on a clock that is turned by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onscene_sync_core::time::Millis;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::error::DemoError;
use crate::app::App;
use crate::clock::ManualClock;
use crate::config::Config;
use crate::http;
use crate::jobs;
use crate::random::SeededRandom;

/// Once the story is over the clock is turned this often.
const TICK: Duration = Duration::from_millis(100);

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    /// The server's own parts.
    pub app: App,
    /// Its clock.
    pub clock: ManualClock,
    /// Where it is reached.
    pub address: String,
    /// Its port.
    pub port: u16,
    tasks: JoinSet<()>,
}

impl Hub {
    /// Starts the server on loopback with everything in `dir`. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken or the data folder cannot be used.
    pub async fn start(dir: &Path, port: u16, now: Millis, seed: u64) -> Result<Self, DemoError> {
        let listen = |source| DemoError::Listen { port, source };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let address = format!("http://{bound}");
        let mut config = Config::for_tests(dir);
        config.http.listen = bound;
        config.http.public_url.clone_from(&address);
        let clock = ManualClock::at(now);
        let app = App {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(seed)),
            ..App::open(config).await?
        };
        let mut tasks = JoinSet::new();
        let router = http::router(&app);
        tasks.spawn(http::serve(listener, router, app.config.http.clone(), app.stopper.listen()));
        Ok(Self { app, clock, address, port: bound.port(), tasks })
    }

    /// Turns the clock to `now`, never back, and does what is due by then.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn turn_to(&self, now: Millis) -> Result<(), DemoError> {
        self.clock.set(now.max(self.app.now()));
        jobs::run_due(&self.app).await?;
        Ok(())
    }

    /// Does what takes long and is due: looking at photos.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn look_at_photos(&self) -> Result<(), DemoError> {
        jobs::work_due(&self.app).await?;
        Ok(())
    }

    /// From here on the clock runs by itself, as fast as time.
    pub fn run_by_itself(&mut self) {
        self.tasks.spawn(jobs::keep_running(self.app.clone()));
        self.tasks.spawn(jobs::keep_working(self.app.clone()));
        let (clock, mut stop) = (self.clock.clone(), self.app.stopper.listen());
        self.tasks.spawn(async move {
            let step = i64::try_from(TICK.as_millis()).unwrap_or(0);
            let mut ticks = tokio::time::interval(TICK);
            ticks.tick().await;
            loop {
                tokio::select! {
                    () = stop.requested() => return,
                    _ = ticks.tick() => {
                        clock.advance(step);
                    }
                }
            }
        });
    }

    /// Stops everything and closes the database.
    pub async fn stop(mut self) {
        self.app.stopper.stop();
        while self.tasks.join_next().await.is_some() {}
        self.app.store.close().await;
    }
}

//! Work to be done later: rows of a table, inserted in the transaction that calls for them.
//!
//! A job's effect and its completion are one transaction, so the effect happens exactly once,
//! whatever crashes or runs twice. Before that a job is claimed with a lease, in a transaction of
//! its own, so that a job that kills its process is counted as tried. What takes long runs outside
//! of transactions and beside the jobs: see [`Work`].

mod runner;
mod sweep;
mod table;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use onscene_sync_core::time::Millis;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::Notify;

use crate::app::App;
use crate::poke::Poke;
use crate::store::{StoreError, Tx, TxError};

pub use runner::{keep_running, run_due, tidy};
pub use sweep::sweep;
pub use table::{NewJob, Standing, enqueue, enqueue_all, reschedule, standing};
pub use work::{Work, keep_working, work_due};

/// A job as its handler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its row.
    pub id: i64,
    /// Which handler it is for.
    pub kind: String,
    /// When it was to run.
    pub run_at: Millis,
    /// Which try this is, from 1.
    pub attempt: i64,
    payload: String,
}

impl Job {
    /// What [`NewJob::new`] was given.
    ///
    /// # Errors
    /// When the payload is of another shape.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        serde_json::from_str(&self.payload)
            .map_err(|error| JobError::Failed(format!("payload of `{}`: {error}", self.kind)))
    }
}

/// Why a job did not succeed. It is tried again, later and later.
#[derive(Debug, Error)]
pub enum JobError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else, in words without personal data: they are stored and shown.
    #[error("{0}")]
    Failed(String),
}

impl TxError for JobError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Failed(_) => None,
        }
    }
}

/// What one kind of job does, inside the transaction that also completes it. The pokes it returns
/// are rung after the commit.
pub type Effect =
    for<'t> fn(&'t mut Tx, &'t App, &'t Job) -> BoxFuture<'t, Result<Vec<Poke>, JobError>>;

/// The handlers by kind, and the bell that wakes the runner.
#[derive(Clone, Default)]
pub struct Jobs {
    handlers: Arc<BTreeMap<&'static str, Effect>>,
    work: Arc<BTreeMap<&'static str, Work>>,
    bell: Arc<Notify>,
    work_bell: Arc<Notify>,
}

impl Jobs {
    /// Handlers and long work by kind. The kinds this program does not know stay in the table for a newer one.
    #[must_use]
    pub fn new(handlers: &[(&'static str, Effect)], work: &[(&'static str, Work)]) -> Self {
        Self {
            handlers: Arc::new(handlers.iter().copied().collect()),
            work: Arc::new(work.iter().copied().collect()),
            bell: Arc::default(),
            work_bell: Arc::default(),
        }
    }

    /// Rings for the runner; call it after committing a job that is due at once.
    pub fn wake(&self) {
        self.bell.notify_one();
        self.work_bell.notify_one();
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

#[cfg(test)]
mod tests;

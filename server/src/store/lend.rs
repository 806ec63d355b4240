//! Connections on loan from a pool. One that comes back known to be outside of a transaction is lent
//! again as it is; every other goes through the pool, which rolls it back and tests it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::StoreError;
use super::connect::WAIT;

/// Lends the connections of a pool, in the order of asking. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lender(Arc<Inner>);

struct Inner {
    pool: AnyPool,
    /// One for each connection that the pool may open: who waits, waits here.
    places: Arc<Semaphore>,
    clean: Mutex<Vec<PoolConnection<Any>>>,
}

/// A borrowed connection. Dropped, it goes back through the pool.
pub(super) struct Lent {
    conn: PoolConnection<Any>,
    lender: Lender,
    _place: OwnedSemaphorePermit,
}

impl Lender {
    pub(super) fn new(pool: AnyPool) -> Self {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        let places = Arc::new(Semaphore::new(places));
        Self(Arc::new(Inner { pool, places, clean: Mutex::default() }))
    }

    /// The next free connection.
    pub(super) async fn lend(&self) -> Result<Lent, StoreError> {
        let places = Arc::clone(&self.0.places);
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::Closed) => return Err(sqlx::Error::PoolClosed.into()),
            Err(TryAcquireError::NoPermits) => {
                let waited = tokio::time::timeout(WAIT, places.acquire_owned()).await;
                let place = waited.map_err(|_| StoreError::NoConnection)?;
                place.map_err(|_| sqlx::Error::PoolClosed)?
            }
        };
        let clean = self.clean().pop();
        let conn = match clean {
            Some(conn) => conn,
            None => self.0.pool.acquire().await?,
        };
        Ok(Lent { conn, lender: self.clone(), _place: place })
    }

    /// Lets the pool test every connection before it is lent again: one was found broken.
    pub(super) fn distrust(&self) {
        self.clean().clear();
    }

    /// The pool itself, holding all that is not on loan now.
    pub(super) fn pool(&self) -> &AnyPool {
        self.distrust();
        &self.0.pool
    }

    /// Waits until everything has come back and closes it.
    pub(super) async fn close(&self) {
        self.0.places.close();
        self.distrust();
        self.0.pool.close().await;
    }

    fn clean(&self) -> std::sync::MutexGuard<'_, Vec<PoolConnection<Any>>> {
        self.0.clean.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// Gives it back with nothing begun on it: its transaction was committed, or its one statement
    /// ran to its end.
    pub(super) fn give_back_clean(self) {
        let mut clean = self.lender.clean();
        // `close` marks first and then takes what lies here.
        if !self.lender.0.places.is_closed() {
            clean.push(self.conn);
        }
    }
}

impl Deref for Lent {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.conn
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }
}

impl fmt::Debug for Lender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lender").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}

//! That a case has changed, for desks that listen: of which unit, and never what.
//!
//! Every process of the hub writes an entry into the audit log with what it changes, and each process
//! looks once a second at the newest entries. So a desk hears of a change wherever it was made, with
//! nothing between the processes but the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use onscene_sync_core::id::UnitId;
use tokio::sync::broadcast;

use crate::app::App;
use crate::audit::Deed;
use crate::store::{RowExt as _, StoreError, Tx};

/// How often the log is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// Looks at the entries behind the newest after it has stopped moving.
const LINGER: u32 = 10;
/// Entries behind the newest that are looked at again: PostgreSQL numbers them when they are written and
/// shows them when they are committed, so a lower number may come later.
const OVERLAP: i64 = 512;
/// With more new entries than this nobody asks what they are of: whoever listens looks at everything.
const MOST: i64 = 5_000;
/// Looks that a slow listener may fall behind.
const BACKLOG: usize = 64;

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The newest entry about cases of each unit; `None`: of cases that no unit has yet.
    Of(BTreeMap<Option<UnitId>, i64>),
    /// So much that it was not looked at one by one.
    Much,
}

/// Tells who listens in this process.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Arc<Heard>>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Changes {
    /// Hears of every look from here on. `Lagged` means as much as [`Heard::Much`].
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Heard>> {
        self.0.subscribe()
    }
}

/// How far the log was looked at.
#[derive(Debug, Default)]
pub struct Follower {
    newest: i64,
    /// Looks since it moved.
    idle: u32,
    /// Entries that were heard of among the last [`OVERLAP`].
    heard: BTreeSet<i64>,
}

/// Looks until the program stops. Errors are logged, and the next look finds what this one missed.
pub async fn follow(app: App) {
    let mut stop = app.stopper.listen();
    let mut follower = None;
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.requested() => return,
        }
        let looked = match &mut follower {
            Some(follower) => Follower::look(follower, &app).await,
            None => Follower::begin(&app).await.map(|begun| follower = Some(begun)),
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "desks cannot be told what has changed");
        }
    }
}

impl Follower {
    /// Begins at the end of the log.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn begin(app: &App) -> Result<Self, StoreError> {
        let newest = app.store.with_read("changes.begin", (), |tx, ()| Box::pin(newest(tx)));
        let mut begun = Self { newest: newest.await?, ..Self::default() };
        begun.read(app, begun.newest - OVERLAP, begun.newest).await?;
        Ok(begun)
    }

    /// Looks at what is new, and tells who listens.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn look(&mut self, app: &App) -> Result<(), StoreError> {
        let newest = app.store.with_read("changes.newest", (), |tx, ()| Box::pin(newest(tx)));
        let newest = newest.await?;
        let idle = if newest == self.newest { self.idle + 1 } else { 0 };
        if idle > LINGER {
            return Ok(());
        }
        let heard = if newest - self.newest > MOST {
            self.heard.clear();
            Heard::Much
        } else {
            let from = self.newest.min(newest) - OVERLAP;
            Heard::Of(self.read(app, from, newest).await?)
        };
        // Only now: a look that failed is made again.
        (self.newest, self.idle) = (newest, idle);
        if heard != Heard::Of(BTreeMap::new()) {
            let _nobody_listens = app.changes.0.send(Arc::new(heard));
        }
        Ok(())
    }

    /// Entries after `from` that were not heard of before, by unit; `newest` is the newest of the log.
    async fn read(
        &mut self,
        app: &App,
        from: i64,
        newest: i64,
    ) -> Result<BTreeMap<Option<UnitId>, i64>, StoreError> {
        let rows =
            app.store.with_read("changes.read", from, |tx, from| Box::pin(changed(tx, *from)));
        let rows = rows.await?;
        let mut of: BTreeMap<Option<UnitId>, i64> = BTreeMap::new();
        for (entry, unit) in &rows {
            if !self.heard.contains(entry) {
                let known = of.entry(*unit).or_default();
                *known = (*known).max(*entry);
            }
        }
        self.heard.extend(rows.iter().map(|(entry, _)| *entry));
        let old = newest - 2 * OVERLAP;
        self.heard.retain(|entry| *entry > old);
        Ok(of)
    }
}

async fn newest(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT coalesce(max(id), 0) AS id FROM audit_entry");
    row.fetch_one(tx.conn()).await?.int("id")
}

/// Entries about cases and visits after `from`, with the case's unit and those that had orders for it.
async fn changed(tx: &mut Tx, from: i64) -> Result<Vec<(i64, Option<UnitId>)>, StoreError> {
    const SQL: &str = "SELECT e.id AS id, c.unit_id AS unit_id FROM audit_entry e \
             JOIN case_row c ON c.case_id = e.subject WHERE e.id > $1 AND e.action IN ($2, $3) \
         UNION ALL SELECT e.id AS id, o.unit_id AS unit_id FROM audit_entry e \
             JOIN dispatch_order o ON o.case_id = e.subject WHERE e.id > $1 AND e.action IN ($2, $3) \
         UNION ALL SELECT e.id AS id, o.unit_id AS unit_id FROM audit_entry e \
             JOIN dispatch_order o ON o.inspection = e.subject \
             WHERE e.id > $1 AND e.action IN ($2, $3)";
    let query = sqlx::query(SQL).bind(from);
    let query = query.bind(Deed::ChangesAdmitted as i64).bind(Deed::FactsStated as i64);
    let rows = query.fetch_all(tx.conn()).await?;
    let read = |row: &sqlx::any::AnyRow| {
        Ok((row.int("id")?, row.opt_array("unit_id")?.map(UnitId::from_bytes)))
    };
    rows.iter().map(read).collect()
}

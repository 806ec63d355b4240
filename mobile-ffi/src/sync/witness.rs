//! The phone as a witness of the hub's audit log: it keeps the checkpoints that it is shown and
//! tells, its owner and the hub, when the log does not go on from them.

use onscene_sync_core::audit::checkpoint::SignedCheckpoint;
use onscene_sync_core::audit::witness::{Book, Contradiction, Finding, Mark, News};
use onscene_sync_core::time::ClockReading;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::meta;

const BOOK: &str = "log_book";
/// A checkpoint for the hub to explain.
const EVIDENCE: &str = "log_evidence";
/// Set while the hub contradicts what it signed.
const CONTRADICTED: &str = "log_contradicted";

impl Device {
    /// The newest checkpoint of the hub's audit log that this phone has seen, as a signed note (C2SP
    /// `tlog-checkpoint`): whoever holds it can have the hub's log held against it.
    ///
    /// # Errors
    /// When the store fails or the phone is not enrolled.
    pub fn witnessed(&self) -> Result<Option<String>, DeviceError> {
        let db = self.store.read();
        let hub_key = meta::identity(db)?.hub_key;
        let newest = book(db)?.newest().map(|kept| kept.checkpoint.to_note(&hub_key));
        Ok(newest)
    }
}

fn book(db: Db<'_>) -> Result<Book, DeviceError> {
    Ok(meta::get(db, BOOK)?.unwrap_or_default())
}

/// What a request says about the log.
pub(super) fn testimony(
    db: Db<'_>,
) -> Result<(Option<Mark>, Option<SignedCheckpoint>), DeviceError> {
    Ok((book(db)?.mark(), meta::get(db, EVIDENCE)?))
}

/// Everything here was another hub's, or of another enrolment.
pub(super) fn forget(db: Db<'_>) -> Result<(), DeviceError> {
    [BOOK, EVIDENCE, CONTRADICTED].into_iter().try_for_each(|key| meta::remove(db, key))
}

/// Takes in what an answer says about the log. Nothing in it holds up the exchange of records.
pub(super) fn take(db: Db<'_>, news: Option<&News>, now: &ClockReading) -> Result<(), DeviceError> {
    let contradicted = meta::flag(db, CONTRADICTED)?;
    if !contradicted {
        // The hub has answered the request that carried it.
        meta::remove(db, EVIDENCE)?;
    }
    let Some(news) = news else { return Ok(()) };
    let mut book = book(db)?;
    let seen = book.newest().map(|kept| kept.checkpoint.clone());
    let finding = book.take(news, &meta::identity(db)?.hub_key, now.wall_ms);
    if let Finding::Contradicted(how) = finding {
        if contradicted {
            return Ok(());
        }
        meta::put(db, CONTRADICTED, &true)?;
        if let Some(seen) = seen {
            meta::put(db, EVIDENCE, &seen)?;
        }
        return events::add(db, now.wall_ms, EventKind::Alarm, None, in_words(how));
    }
    meta::put(db, BOOK, &book)?;
    meta::put(db, CONTRADICTED, &false)?;
    meta::remove(db, EVIDENCE)?;
    if let Finding::Restored { lost, of } = finding {
        meta::put(db, EVIDENCE, &of)?;
        let what = format!(
            "the hub was restored from a backup: {lost} entries of its audit log that this phone \
             has proof of are gone"
        );
        events::add(db, now.wall_ms, EventKind::HubRestored, None, &what)?;
    }
    Ok(())
}

const fn in_words(how: Contradiction) -> &'static str {
    match how {
        Contradiction::Unsigned => "a checkpoint of the hub's audit log is not signed by the hub",
        Contradiction::RolledBack => {
            "the hub's audit log has fewer entries than this phone has proof of: tell the auditor"
        }
        Contradiction::Forked => {
            "the hub's audit log is not the one that this phone has proof of: tell the auditor"
        }
    }
}

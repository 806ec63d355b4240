//! Removing copies that the hub has signed for, when they are old enough.
//!
//! Their age is told by the hub's clock, from its receipt to its newest anchor: a phone's own clock
//! may be set. Until then a hub that was restored from a backup gets what it lost.

use onscene_sync_core::time::Millis;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::events::{self, EventKind};
use crate::store::evidence::{self, OnDisk};
use crate::store::feed;

/// How long a copy stays after the receipt, milliseconds.
pub(super) const KEPT_MS: i64 = 7 * 24 * 3_600_000;

impl Device {
    /// Removes the copies whose time has come. The file goes first: after a kill in between, its row
    /// is settled the next time.
    pub(crate) fn release_copies(&mut self, wall_ms: i64) -> Result<(), DeviceError> {
        let newest = feed::newest_anchor_at(self.store.read())?;
        let Some(Millis(newest)) = newest else { return Ok(()) };
        let old = Millis(newest.saturating_sub(KEPT_MS));
        for file in evidence::releasable(self.store.read(), old)? {
            self.media.remove(&file.name)?;
            self.store.write(|tx| {
                evidence::set_on_disk(tx, file.n, OnDisk::Released)?;
                let detail = format!(
                    "the copy of {} ({} bytes) was removed: the hub has had it for 7 days",
                    file.title(),
                    file.bytes
                );
                events::add(tx, wall_ms, EventKind::CopyReleased, None, &detail)
            })?;
        }
        Ok(())
    }
}

//! Room on the phone: told while there is still some.

use std::path::Path;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::events::{self, EventKind};
use crate::store::meta;

/// Below this many free bytes the person is told: about 20 photos.
pub(crate) const LOW_BYTES: u64 = 128 * 1024 * 1024;
/// Set while the person has been told.
const TOLD: &str = "storage_low";

/// Free bytes for this app where the store lies; `None` where the system does not say.
pub(crate) fn free(store: &Path) -> Option<u64> {
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty());
    let found = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

impl Device {
    /// Free bytes where the store lies, and whether they are few.
    pub(crate) fn space(&self) -> (Option<u64>, bool) {
        let free = (self.free)(&self.path);
        (free, free.is_some_and(|free| free < LOW_BYTES))
    }

    /// Tells when room begins to run out, and when there is room again: once each.
    pub(crate) fn watch_space(&mut self) -> Result<(), DeviceError> {
        let (free, low) = self.space();
        if meta::flag(self.store.read(), TOLD)? == low {
            return Ok(());
        }
        let wall_ms = self.host.clock.read()?.wall_ms;
        let left = free.unwrap_or_default() / (1024 * 1024);
        let detail = match low {
            true => format!("{left} MB are left on the phone: free some before it is full"),
            false => format!("{left} MB are free again"),
        };
        let told = self.store.write(|tx| {
            meta::put(tx, TOLD, &low)?;
            events::add(tx, wall_ms, EventKind::Storage, None, &detail)
        });
        match told {
            // Too late to write it down; whoever records is told by the error.
            Err(DeviceError::Full) => Ok(()),
            told => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, Hub};

    #[test]
    fn the_person_is_told_once_that_room_runs_out_and_once_that_there_is_some() {
        let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
        let mut device = fake.enrolled(folder.path(), &mut hub);
        let told = |device: &Device| {
            let events = device.events_since(0, 1_000).unwrap();
            let told = events.into_iter().filter(|event| event.kind == EventKind::Storage);
            told.map(|event| event.detail).collect::<Vec<_>>()
        };
        device.free = |_| Some(LOW_BYTES);
        fake.sync(&mut device, &mut hub);
        assert_eq!((told(&device).len(), device.storage().unwrap().low), (0, false));
        device.free = |_| Some(LOW_BYTES - 1);
        for _ in 0..3 {
            fake.sync(&mut device, &mut hub);
        }
        let storage = device.storage().unwrap();
        assert_eq!((storage.free_bytes, storage.low), (Some(LOW_BYTES - 1), true));
        assert_eq!(told(&device), ["127 MB are left on the phone: free some before it is full"]);
        device.free = |_| None;
        fake.sync(&mut device, &mut hub);
        assert_eq!(told(&device).len(), 2);
    }

    #[test]
    fn the_system_says_how_much_room_there_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(&folder.path().join("phone.db")).is_some_and(|free| free > 0));
        assert_eq!(free(Path::new("/nowhere/at/all")), None);
    }
}

//! Whole stories of phones and a hub, told through the public calls.

mod crash;
mod everyday;
mod hostile;
mod live;
mod network;
mod refusal;
mod restore;

use std::path::Path;

use tempfile::TempDir;

use crate::Device;

/// A backup of an open phone's store, in a folder of its own.
fn copy_of(device: &Device, folder: &Path) -> TempDir {
    device.store.read().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("phone.db"), copy.path().join("phone.db")).unwrap();
    copy
}

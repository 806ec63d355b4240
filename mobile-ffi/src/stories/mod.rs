//! Whole stories of phones and a hub, told through the public calls.

mod arriving;
mod capture;
mod crash;
mod damage;
mod everyday;
mod fuzz;
mod handover;
mod hostile;
mod lists;
mod live;
mod network;
mod refusal;
mod restore;
mod upload;
mod witness;

use std::path::Path;

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::FactId;
use tempfile::TempDir;

use crate::{Device, Job, NewFile};

/// A photo to be taken.
fn photo() -> NewFile {
    NewFile { media: Media::Photo, extension: "jpg".to_owned(), before: None }
}

/// So many bytes that no other seed gives.
fn picture(seed: u64, bytes: usize) -> Vec<u8> {
    let blocks = (0_u64..).flat_map(|n| {
        let block = [seed.to_be_bytes(), n.to_be_bytes()].concat();
        *onscene_sync_core::crypto::sha256(&block).as_bytes()
    });
    blocks.take(bytes).collect()
}

/// Takes a file as an app does.
fn take(device: &mut Device, job: Job, new: NewFile, bytes: &[u8]) -> FactId {
    let capture = device.begin_capture(job, new).unwrap();
    std::fs::write(&capture.path, bytes).unwrap();
    device.finish_capture(capture.id, None).unwrap()
}

/// A backup of an open phone's store, in a folder of its own.
fn copy_of(device: &Device, folder: &Path) -> TempDir {
    device.store.read().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("phone.db"), copy.path().join("phone.db")).unwrap();
    copy
}

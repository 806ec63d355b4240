//! When the phone's key store has lost its key: nothing here needs the key to the store.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use onscene_sync_core::recovery::file::RecoveryFile;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::{Store, key, salvage};

impl Device {
    /// Writes what the hub has not acknowledged, sealed as it is, into a file for the bureau, where
    /// `onscene recover FILE` delivers it; returns how many records that are. Works without the key
    /// to the store; the store stays as it is. The device must not be open.
    ///
    /// # Errors
    /// When the store cannot be read, the hub's recovery key never reached it, or the file cannot be
    /// written or is there already.
    pub fn recovery_file(store: &Path, to: &Path) -> Result<u64, DeviceError> {
        let connection = Store::connect(store)?;
        let escrow = key::escrow(&connection)?.ok_or(DeviceError::NoRecovery)?;
        let file: RecoveryFile = salvage::undelivered(&connection, escrow)?;
        write_new(to, &file.to_bytes())
            .map_err(|error| DeviceError::Store(format!("{}: {error}", to.display())))?;
        Ok(file.records.len() as u64)
    }

    /// Moves a store whose key is gone out of the way, beside its old place, so that the phone can
    /// begin a new one there; returns where it is. The device must not be open.
    ///
    /// # Errors
    /// When there is no store, or it cannot be moved.
    pub fn set_aside(store: &Path) -> Result<PathBuf, DeviceError> {
        // Everything must stand in the one file that is moved.
        let connection = Store::connect(store)?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
        let failed = |error: std::io::Error| DeviceError::Store(error.to_string());
        let mut number = 1;
        let aside = loop {
            let mut name = store.as_os_str().to_owned();
            name.push(format!(".old{number}"));
            let aside = PathBuf::from(name);
            if !aside.try_exists().map_err(failed)? {
                break aside;
            }
            number += 1;
        };
        fs::rename(store, &aside).map_err(failed)?;
        for rest in ["-wal", "-shm"] {
            let mut name = store.as_os_str().to_owned();
            name.push(rest);
            // Empty after the checkpoint.
            fs::remove_file(name).ok();
        }
        sync_folder(store).map_err(failed)?;
        Ok(aside)
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path).ok();
    }
    written.and_then(|()| sync_folder(path))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

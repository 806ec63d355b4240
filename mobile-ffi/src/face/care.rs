//! Looking after the store: damage, memory, and a key that is gone.

use std::path::Path;

use super::convert::{signed, text};
use super::core::PhoneCore;
use super::error::PhoneError;
use crate::{Device, LostRecord, Mended};

/// What mending came to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StoreMended {
    /// Records kept.
    pub kept: i64,
    /// Records that cannot be read any more.
    pub lost: Vec<RecordLost>,
    /// Documents that the next sync fetches anew.
    pub refetched: i64,
    /// Where the damaged file lies, for an examination.
    pub damaged_file: String,
}

/// A record that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecordLost {
    /// Its number on this phone.
    pub number: i64,
    /// The visit that it belonged to, if that can be read.
    pub visit: Option<String>,
    /// The server had acknowledged it: only this phone's copy is gone.
    pub delivered: bool,
}

#[uniffi::export]
impl PhoneCore {
    /// What in the store is damaged, in words; nothing when it is whole. Reads all of it: for an hour
    /// when the phone is charged, or after a [`StorageFault::Damaged`](super::StorageFault).
    ///
    /// # Errors
    /// When the store fails in another way.
    pub fn check_store(&self) -> Result<Vec<String>, PhoneError> {
        self.call("check_store", |device| Ok(device.check()?))
    }

    /// Mends a damaged store: what can be read is kept, the rest is fetched anew from the server, and
    /// records that are lost are named. Recording and syncing do this by themselves when they meet
    /// damage.
    ///
    /// # Errors
    /// When there is no room for a second file, or the store fails in another way.
    pub fn mend_store(&self) -> Result<StoreMended, PhoneError> {
        self.call("mend_store", |device| Ok(device.mend()?.into()))
    }

    /// Gives back the memory that lists take: for an app in the background, or one that the platform
    /// asks for memory. The next list reads the store anew.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn forget_list(&self) -> Result<(), PhoneError> {
        self.call("forget_list", |device| {
            device.forget_list();
            Ok(())
        })
    }
}

/// Writes what the server has not acknowledged, sealed as it is, into a new file for the bureau, which
/// delivers it; returns how many records that are. For a store whose key is gone for good: it needs
/// no key, and the store stays as it is.
///
/// # Errors
/// When the store cannot be read, its key was never sealed to the server (it was never enrolled), or
/// the file cannot be written or is there already.
#[uniffi::export]
pub fn recovery_file(store: String, to: String) -> Result<i64, PhoneError> {
    Ok(signed(Device::recovery_file(Path::new(&store), Path::new(&to))?))
}

/// Moves a store whose key is gone for good out of the way, beside its old place, so that the phone
/// can be opened and enrolled anew there; returns where it is now. Make the recovery file first.
///
/// # Errors
/// When there is no store, or it cannot be moved.
#[uniffi::export]
pub fn set_aside(store: String) -> Result<String, PhoneError> {
    Ok(text(Device::set_aside(Path::new(&store))?))
}

impl From<Mended> for StoreMended {
    fn from(mended: Mended) -> Self {
        Self {
            kept: signed(mended.kept),
            lost: mended.lost.into_iter().map(Into::into).collect(),
            refetched: signed(mended.refetched),
            damaged_file: text(mended.damaged_file),
        }
    }
}

impl From<LostRecord> for RecordLost {
    fn from(lost: LostRecord) -> Self {
        let visit = lost.doc.map(|doc| doc.to_string());
        Self { number: lost.n, visit, delivered: lost.delivered }
    }
}

//! What the platform lends: clocks, the key, chance. Every call may fail, none is kept waiting for.

use onscene_sync_core::crypto::Signer;
use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::time::ClockReading;
use thiserror::Error;

/// A service of the platform that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the platform failed: {why}")]
pub struct HostError {
    /// What it said.
    pub why: String,
    /// It will not work again: a key that was deleted, say. Otherwise it may work later.
    pub lost: bool,
}

impl HostError {
    /// It may work later.
    #[must_use]
    pub fn for_now(why: impl ToString) -> Self {
        Self { why: why.to_string(), lost: false }
    }

    /// It will not work again.
    #[must_use]
    pub fn for_good(why: impl ToString) -> Self {
        Self { why: why.to_string(), lost: true }
    }
}

/// The phone's clocks.
pub trait Clock: Send {
    /// All clocks, read together. The boot clock must count the time asleep.
    ///
    /// # Errors
    /// When a clock cannot be read.
    fn read(&self) -> Result<ClockReading, HostError>;
}

/// The phone's P-256 key, in secure hardware where there is some, never in a backup.
pub trait KeyStore: Signer + Send {
    /// The public key as an uncompressed SEC1 point of 65 bytes.
    ///
    /// # Errors
    /// When the key cannot be reached.
    fn public_key(&self) -> Result<Vec<u8>, HostError>;

    /// Where the private key is kept.
    fn level(&self) -> KeyLevel;

    /// Encrypts the key to the store, 32 bytes, with a key of the platform that never leaves it and
    /// is in no backup. Called once, when a store is made.
    ///
    /// # Errors
    /// When the platform cannot.
    fn wrap(&self, data_key: &[u8]) -> Result<Vec<u8>, HostError>;

    /// Decrypts what [`wrap`](KeyStore::wrap) returned, on this phone, once each time a store is
    /// opened. The library wipes its copy.
    ///
    /// # Errors
    /// When the phone is locked, or the platform's key is gone or another.
    fn unwrap(&self, wrapped: &[u8]) -> Result<Vec<u8>, HostError>;
}

/// Chance that nobody can foresee.
pub trait Random: Send {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the platform has none to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HostError>;
}

/// Everything the platform lends.
pub struct Host {
    /// The clocks.
    pub clock: Box<dyn Clock>,
    /// The key.
    pub keys: Box<dyn KeyStore>,
    /// Chance.
    pub random: Box<dyn Random>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl Host {
    /// `N` random bytes.
    pub(crate) fn bytes<const N: usize>(&self) -> Result<[u8; N], HostError> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }
}

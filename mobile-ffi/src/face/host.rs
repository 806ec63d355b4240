//! What the platform lends, as Kotlin and Swift implement it, and its way into the device.

use std::fmt;
use std::sync::Arc;

use onscene_sync_core::crypto::{Signer, SigningFailed, sha256};
use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::id::BootId;
use onscene_sync_core::time::ClockReading;
use p256::ecdsa::Signature;

use super::error::HostFailure;
use crate::{Clock, Host, HostError, KeyStore, Random};

/// The phone's clocks. It must not call back into the library.
#[uniffi::export(foreign)]
pub trait PhoneClock: Send + Sync {
    /// All clocks, read one right after the other.
    ///
    /// # Errors
    /// When a clock cannot be read.
    fn read(&self) -> Result<PhoneReading, HostFailure>;
}

/// What a phone's clocks show at one instant.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneReading {
    /// The wall clock, Unix milliseconds.
    pub wall_ms: i64,
    /// Nanoseconds since the phone was started, time asleep included: Android's
    /// `SystemClock.elapsedRealtimeNanos()`, Apple's `mach_continuous_time` in nanoseconds.
    pub boot_ns: i64,
    /// Which start of the phone that is: Android's `Settings.Global.BOOT_COUNT`, Apple's
    /// `kern.bootsessionuuid`. Any text that is another one after a restart.
    pub boot_id: String,
}

/// The phone's P-256 key, in secure hardware where there is some, never in a backup. It must not
/// call back into the library.
#[uniffi::export(foreign)]
pub trait PhoneKeys: Send + Sync {
    /// Where the private key is kept.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    fn level(&self) -> Result<PhoneKeyLevel, HostFailure>;

    /// The public key: an uncompressed point of 65 bytes (Apple's `x963Representation`) or the
    /// 91 bytes of its `SubjectPublicKeyInfo` (Java's `getEncoded()`).
    ///
    /// # Errors
    /// When the key cannot be reached.
    fn public_key(&self) -> Result<Vec<u8>, HostFailure>;

    /// ECDSA with SHA-256 over `message`: either `r ‖ s` of 64 bytes or DER (Java's
    /// `SHA256withECDSA`, Apple's `ecdsaSignatureMessageX962SHA256`).
    ///
    /// # Errors
    /// When the key store refuses or has lost the key.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, HostFailure>;

    /// Encrypts the key to the store, 32 bytes, with a key of the platform that never leaves it and
    /// is in no backup: AES-GCM of the Android Keystore, ECIES of the Secure Enclave. Called once,
    /// when a store is made.
    ///
    /// # Errors
    /// When the platform cannot.
    fn wrap(&self, data_key: Vec<u8>) -> Result<Vec<u8>, HostFailure>;

    /// Decrypts what `wrap` returned, once each time a store is opened.
    ///
    /// # Errors
    /// When the phone is locked, or the platform's key is gone or another.
    fn unwrap(&self, wrapped: Vec<u8>) -> Result<Vec<u8>, HostFailure>;
}

/// Where a phone keeps its private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PhoneKeyLevel {
    /// Android's separate security chip.
    Strongbox,
    /// Android's trusted execution environment.
    Tee,
    /// Apple's Secure Enclave.
    SecureEnclave,
    /// Ordinary memory.
    Software,
}

impl From<PhoneKeyLevel> for KeyLevel {
    fn from(level: PhoneKeyLevel) -> Self {
        match level {
            PhoneKeyLevel::Strongbox => Self::Strongbox,
            PhoneKeyLevel::Tee => Self::Tee,
            PhoneKeyLevel::SecureEnclave => Self::SecureEnclave,
            PhoneKeyLevel::Software => Self::Software,
        }
    }
}

impl From<HostFailure> for HostError {
    fn from(failure: HostFailure) -> Self {
        match failure {
            HostFailure::Unavailable { reason } => Self::for_now(reason),
            HostFailure::Lost { reason } => Self::for_good(reason),
        }
    }
}

/// Everything that the platform lends, for a device.
pub(super) fn lent(
    clock: &Arc<dyn PhoneClock>,
    keys: &Arc<dyn PhoneKeys>,
    level: KeyLevel,
) -> Host {
    Host {
        clock: Box::new(LentClock(Arc::clone(clock))),
        keys: Box::new(LentKeys { keys: Arc::clone(keys), level }),
        random: Box::new(SystemChance),
    }
}

/// A reading as the library keeps it.
pub(super) fn reading(reading: PhoneReading) -> Result<ClockReading, HostFailure> {
    let PhoneReading { wall_ms, boot_ns, boot_id } = reading;
    let unreadable =
        |_| HostFailure::Unavailable { reason: "the boot clock shows a time before 0".to_owned() };
    let boot_ns = u64::try_from(boot_ns).map_err(unreadable)?;
    Ok(ClockReading { wall_ms, boot_ns, boot: boot_of(&boot_id) })
}

/// The identifier of a start of the phone from the platform's own.
fn boot_of(platform: &str) -> BootId {
    let mut id = [0; 8];
    id.copy_from_slice(&sha256(platform.trim().as_bytes()).as_bytes()[..8]);
    BootId::from_bytes(id)
}

struct LentClock(Arc<dyn PhoneClock>);

impl Clock for LentClock {
    fn read(&self) -> Result<ClockReading, HostError> {
        Ok(reading(self.0.read()?)?)
    }
}

struct LentKeys {
    keys: Arc<dyn PhoneKeys>,
    level: KeyLevel,
}

impl KeyStore for LentKeys {
    fn public_key(&self) -> Result<Vec<u8>, HostError> {
        let key = self.keys.public_key()?;
        match key.len() {
            65 => Ok(key),
            // A SubjectPublicKeyInfo of P-256 (RFC 5480) ends with the point.
            91 => Ok(key[26..].to_vec()),
            length => {
                Err(HostError::for_good(format!("a public key of {length} bytes is neither form")))
            }
        }
    }

    fn level(&self) -> KeyLevel {
        self.level
    }

    fn wrap(&self, data_key: &[u8]) -> Result<Vec<u8>, HostError> {
        Ok(self.keys.wrap(data_key.to_vec())?)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Vec<u8>, HostError> {
        Ok(self.keys.unwrap(wrapped.to_vec())?)
    }
}

impl Signer for LentKeys {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        let signature = self.keys.sign(message.to_vec());
        let signature = signature.map_err(|failure| {
            let HostError { why, lost } = failure.into();
            SigningFailed { why, lost }
        })?;
        let read = match signature.len() {
            64 => Signature::from_slice(&signature),
            _ => Signature::from_der(&signature),
        };
        let read = read.map_err(|_| SigningFailed::for_now("its signature is neither form"))?;
        Ok(read.to_bytes().into())
    }
}

impl fmt::Debug for LentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentKeys").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Chance from the operating system, which is the same call on every platform.
struct SystemChance;

impl Random for SystemChance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        #[expect(clippy::disallowed_methods, reason = "on a phone this is the outermost shell")]
        getrandom::fill(bytes).map_err(HostError::for_now)
    }
}

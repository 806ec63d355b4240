//! One open device behind one lock, and what happens when a call goes wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::sync::version;

use super::error::PhoneError;
use super::host::{self, PhoneClock, PhoneKeys};
use super::log::{LogField, LogLevel, LogLine, PhoneLog};
use crate::{Device, OpenConfig};

/// How to open a phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneConfig {
    /// The store's file, in the app's private storage; made when it is not there. Two more files
    /// stand beside it while it is open. Keep all three out of backups if the platform lets you.
    pub path: String,
    /// Maker and model of the phone, as administrators see it; at most 100 characters.
    pub model: String,
    /// Version of the app, at most 40 characters.
    pub app_version: String,
}

/// What this library is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CoreInfo {
    /// Its version.
    pub version: String,
    /// The newest store that it reads and the one that it writes.
    pub schema: i64,
    /// The version of the sync protocol that it speaks.
    pub protocol: i64,
}

/// What this library is. It needs no store.
///
/// # Errors
/// Never.
#[uniffi::export]
pub fn core_info() -> Result<CoreInfo, PhoneError> {
    Ok(CoreInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: crate::store::SCHEMA,
        protocol: i64::from(version::CURRENT),
    })
}

/// A phone of the bureau: what it records, what it knows, its share of sync.
///
/// One object for one store, for the life of the app. It may be called from any thread; calls wait
/// for each other. A call that records returns only after the disk has it.
#[derive(uniffi::Object)]
pub struct PhoneCore {
    config: OpenConfig,
    clock: Arc<dyn PhoneClock>,
    keys: Arc<dyn PhoneKeys>,
    key_level: KeyLevel,
    log: Option<Arc<dyn PhoneLog>>,
    seat: Mutex<Seat>,
    /// The thread that holds `seat`.
    holder: Mutex<Option<ThreadId>>,
}

/// Where the device is.
enum Seat {
    Open(Box<Device>),
    /// To be opened by the next call: the last one panicked.
    Closed,
    /// Until it is resumed.
    Suspended,
}

impl std::fmt::Debug for PhoneCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PhoneCore").field(&self.config.path).finish()
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Opens a phone's store, or makes a new one.
    ///
    /// # Errors
    /// When the file is not a store of this app, is newer than this app, or cannot be used, and when
    /// the key store cannot say where it keeps keys.
    #[uniffi::constructor]
    pub fn open(
        config: PhoneConfig,
        clock: Arc<dyn PhoneClock>,
        keys: Arc<dyn PhoneKeys>,
        log: Option<Arc<dyn PhoneLog>>,
    ) -> Result<Arc<Self>, PhoneError> {
        let PhoneConfig { path, model, app_version } = config;
        let config = OpenConfig { path: PathBuf::from(path), model, app_version };
        let key_level = keys.level().map_err(PhoneError::platform)?.into();
        let seat = Mutex::new(Seat::Closed);
        let core = Self { config, clock, keys, key_level, log, seat, holder: Mutex::new(None) };
        core.call("open", |_| Ok(()))?;
        Ok(Arc::new(core))
    }

    /// Closes the store until [`Self::resume`]: before iOS suspends the app, say. What was recorded
    /// is on disk. A request that is on its way may still be answered after `resume`.
    ///
    /// # Errors
    /// When a service of the platform calls this from within a call.
    pub fn suspend(&self) -> Result<(), PhoneError> {
        *self.enter()?.seat = Seat::Suspended;
        Ok(())
    }

    /// Opens the store again.
    ///
    /// # Errors
    /// As when it was opened first. The phone is then still suspended.
    pub fn resume(&self) -> Result<(), PhoneError> {
        let mut inside = self.enter()?;
        if matches!(*inside.seat, Seat::Suspended) {
            *inside.seat = Seat::Open(self.device()?);
        }
        Ok(())
    }
}

impl PhoneCore {
    /// Runs one call on the open device. Log lines go out after the lock is free.
    pub(super) fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Device) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError> {
        let result = self.enter().and_then(|mut inside| self.locked(&mut inside.seat, work));
        if let Err(error) = &result {
            let bug = matches!(error, PhoneError::Internal { .. });
            let level = if bug { LogLevel::Error } else { LogLevel::Warning };
            let fields = vec![LogField::code("call", name), LogField::code("error", error.name())];
            self.tell(level, "call_failed", fields);
        }
        result
    }

    /// Writes a line into the app's log, if it keeps one. Never while the lock is held.
    pub(super) fn tell(&self, level: LogLevel, event: &'static str, fields: Vec<LogField>) {
        if let Some(log) = &self.log {
            // A log that fails has nobody to be told of it.
            log.write(LogLine { level, event: event.to_owned(), fields }).ok();
        }
    }

    fn locked<T>(
        &self,
        seat: &mut Seat,
        work: impl FnOnce(&mut Device) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError> {
        if matches!(seat, Seat::Closed) {
            *seat = Seat::Open(self.device()?);
        }
        let Seat::Open(device) = seat else { return Err(PhoneError::Suspended) };
        catch_unwind(AssertUnwindSafe(|| work(device))).unwrap_or_else(|_| {
            // What the device held in memory may be half changed; the store is not.
            *seat = Seat::Closed;
            Err(PhoneError::internal("panic", "a bug; the store is as it was before the call"))
        })
    }

    fn device(&self) -> Result<Box<Device>, PhoneError> {
        let host = host::lent(&self.clock, &self.keys, self.key_level);
        Ok(Box::new(Device::open(self.config.clone(), host)?))
    }

    /// Takes the lock. The thread that has it already would wait for itself.
    fn enter(&self) -> Result<Inside<'_>, PhoneError> {
        let me = thread::current().id();
        if *lock(&self.holder) == Some(me) {
            let why = "the app's clock or key store called back into the library";
            return Err(PhoneError::internal("reentrant", why));
        }
        let seat = lock(&self.seat);
        *lock(&self.holder) = Some(me);
        Ok(Inside { seat, holder: &self.holder })
    }
}

/// The lock, held.
struct Inside<'a> {
    seat: MutexGuard<'a, Seat>,
    holder: &'a Mutex<Option<ThreadId>>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *lock(self.holder) = None;
    }
}

/// Also after a panic: calls on the device do not unwind past [`PhoneCore::locked`].
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

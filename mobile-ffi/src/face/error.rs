//! What a call can fail with, for a program to act on and a person to read.

use thiserror::Error;

use crate::{DeviceError, HandoverError};

/// A call that failed. Nothing of it took effect, and what was recorded before stays recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error, uniffi::Error)]
pub enum PhoneError {
    /// An argument cannot be taken.
    #[error("`{field}` cannot be taken: {reason}")]
    Invalid {
        /// Which argument.
        field: String,
        /// What is wrong with it and how to mend it.
        reason: String,
    },
    /// What the call names is not on this phone: sync, or check the id.
    #[error("there is no {what} {id} on this phone")]
    Unknown {
        /// What was looked for.
        what: String,
        /// Its id.
        id: String,
    },
    /// The phone has not been enrolled: enrol it with a code from an administrator.
    #[error("this phone is not enrolled")]
    NotEnrolled,
    /// The store is closed until `resume`.
    #[error("the store is closed until it is resumed")]
    Suspended,
    /// The phone's key cannot be used: it was lost, or the platform keeps it from the app now.
    #[error("the key cannot be used: {reason}")]
    Key {
        /// Which of the phone's two keys.
        code: KeyFault,
        /// What the key store said.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// A clock, chance or another service of the platform failed.
    #[error("the platform failed: {reason}")]
    Platform {
        /// What it said.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The store cannot be read or written.
    #[error("the store failed: {reason}")]
    Storage {
        /// What is wrong with it.
        code: StorageFault,
        /// What it said.
        reason: String,
        /// Whether the same call may succeed once there is room, or at once.
        retryable: bool,
    },
    /// A newer app wrote the store: update the app. The store was left as it is.
    #[error("the store is of version {found}, this app knows up to {known}")]
    StoreTooNew {
        /// Version of the store.
        found: i64,
        /// Newest version that this app reads.
        known: i64,
    },
    /// Two phones cannot hand over to each other. What was taken before stays.
    #[error("the phones cannot hand over: {reason}")]
    Meeting {
        /// What stands in the way.
        code: MeetingFault,
        /// In words.
        reason: String,
    },
    /// A bug in this library, or in what the app lends it. The store is as it was before the call.
    #[error("the library failed: {reason}")]
    Internal {
        /// `panic` or `reentrant`.
        code: String,
        /// Where.
        reason: String,
    },
}

/// Which key is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum KeyFault {
    /// The one that signs.
    Signing,
    /// The one that opens the store. If it is gone for good (not retryable), make a `recovery_file`
    /// for the bureau, `set_aside` the store and enrol anew.
    Store,
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StorageFault {
    /// The file is something else.
    NotAStore,
    /// There is no room on the phone: free some and try again.
    Full,
    /// A part of it is damaged; the rest works on.
    Damaged,
    /// It cannot be opened, read or written: a read-only disk, say.
    Failed,
}

/// Why two phones cannot hand over to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MeetingFault {
    /// The server has not vouched for this phone yet: sync once, then meet.
    NoCertificate,
    /// The bytes are no message for this meeting, or were altered on the way. The meeting may go on.
    Unreadable,
    /// The other phone is none of this bureau's, or has not been online for 30 days.
    Stranger,
    /// The other phone is of another unit.
    AnotherUnit,
    /// The other phone is this one, or a copy of it.
    Mirror,
}

/// How a service of the platform fails.
#[derive(Debug, Clone, PartialEq, Eq, Error, uniffi::Error)]
pub enum HostFailure {
    /// It may work later: the phone is locked, the user has to authenticate.
    #[error("{reason}")]
    Unavailable {
        /// What the platform said.
        reason: String,
    },
    /// It will not work again: the key was deleted or invalidated.
    #[error("{reason}")]
    Lost {
        /// What the platform said.
        reason: String,
    },
}

/// What an app's implementation throws beside a [`HostFailure`].
impl From<uniffi::UnexpectedUniFFICallbackError> for HostFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Unavailable { reason: error.reason }
    }
}

impl PhoneError {
    /// The name of the variant, for the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Unknown { .. } => "unknown",
            Self::NotEnrolled => "not_enrolled",
            Self::Suspended => "suspended",
            Self::Key { .. } => "key",
            Self::Platform { .. } => "platform",
            Self::Storage { .. } => "storage",
            Self::StoreTooNew { .. } => "store_too_new",
            Self::Meeting { .. } => "meeting",
            Self::Internal { .. } => "internal",
        }
    }

    pub(super) fn invalid(field: &str, reason: impl ToString) -> Self {
        Self::Invalid { field: field.to_owned(), reason: reason.to_string() }
    }

    pub(super) fn internal(code: &str, reason: &str) -> Self {
        Self::Internal { code: code.to_owned(), reason: reason.to_owned() }
    }

    pub(super) fn platform(failure: HostFailure) -> Self {
        let retryable = matches!(failure, HostFailure::Unavailable { .. });
        Self::Platform { reason: failure.to_string(), retryable }
    }

    const fn key(code: KeyFault, reason: String, lost: bool) -> Self {
        Self::Key { code, reason, retryable: !lost }
    }
}

impl From<DeviceError> for PhoneError {
    fn from(error: DeviceError) -> Self {
        let storage =
            |code, retryable| Self::Storage { code, reason: error.to_string(), retryable };
        match error {
            DeviceError::NotAStore { .. } => storage(StorageFault::NotAStore, false),
            DeviceError::Damaged { .. } => storage(StorageFault::Damaged, false),
            DeviceError::Full => storage(StorageFault::Full, true),
            DeviceError::Store(_) | DeviceError::File { .. } => storage(StorageFault::Failed, true),
            DeviceError::StoreTooNew { found, known } => Self::StoreTooNew { found, known },
            DeviceError::KeyUnavailable { why, lost } => Self::key(KeyFault::Store, why, lost),
            DeviceError::NoRecovery => Self::key(KeyFault::Store, error.to_string(), true),
            DeviceError::Key(error) => Self::key(KeyFault::Signing, error.why, error.lost),
            DeviceError::Host(error) => {
                Self::Platform { reason: error.why, retryable: !error.lost }
            }
            DeviceError::NotEnrolled => Self::NotEnrolled,
            DeviceError::Unknown { what, id } => Self::Unknown { what: what.to_owned(), id },
            DeviceError::Invalid { field, why } => Self::invalid(field, why),
            DeviceError::NoEvidence => Self::invalid("evidence", error),
            DeviceError::Document(error) => Self::invalid("document", error),
        }
    }
}

impl From<HandoverError> for PhoneError {
    fn from(error: HandoverError) -> Self {
        let code = match &error {
            HandoverError::Device(error) => return error.clone().into(),
            HandoverError::NoCertificate => MeetingFault::NoCertificate,
            HandoverError::Unreadable(_) => MeetingFault::Unreadable,
            HandoverError::Stranger(_) => MeetingFault::Stranger,
            HandoverError::AnotherUnit => MeetingFault::AnotherUnit,
            HandoverError::Mirror => MeetingFault::Mirror,
        };
        Self::Meeting { code, reason: error.to_string() }
    }
}

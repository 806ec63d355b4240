//! Whose phone this is.

use onscene_sync_core::id::Hash;

use super::convert::{id, signed};
use super::core::PhoneCore;
use super::error::PhoneError;
use crate::Standing;

/// Who this phone is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneStanding {
    /// Its id.
    pub device: String,
    /// Whose it is.
    pub person: String,
    /// That person's unit at enrolment.
    pub unit: String,
    /// Which installation: a phone that was restored from a backup begins another one.
    pub install: i64,
    /// Facts stated by this installation.
    pub facts: i64,
    /// Words that must be the same on the administrator's screen: show them after enrolling.
    pub check_words: Vec<String>,
    /// The bureau has revoked this phone. What is recorded still goes to a supervisor.
    pub revoked: bool,
}

/// An invitation to enrol, as an administrator's screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Enrolment {
    /// Where the server is: `https://host[:port]`.
    pub server: String,
    /// The one-time code, as typed or scanned.
    pub code: String,
    /// The server's key, 64 hexadecimal digits, if the code was scanned: an answer that bears another
    /// one is refused.
    pub hub_key: Option<String>,
    /// Revoke the phone that the person has now. Without it, a second phone is refused.
    pub replace: bool,
}

#[uniffi::export]
impl PhoneCore {
    /// Asks to be enrolled; the next steps of sync carry it out, then [`Self::standing`] tells who
    /// the phone is. A phone that was enrolled before keeps what it has recorded.
    ///
    /// # Errors
    /// When the address or the code is none.
    pub fn enrol(&self, enrolment: Enrolment) -> Result<(), PhoneError> {
        let Enrolment { server, code, hub_key, replace } = enrolment;
        self.call("enrol", |device| {
            let hub_key = hub_key.map(|key| id::<Hash>("hub_key", &key)).transpose()?;
            Ok(device.enrol(&server, &code, hub_key, replace)?)
        })
    }

    /// Who this phone is; nothing before it is enrolled.
    ///
    /// # Errors
    /// When the store fails.
    pub fn standing(&self) -> Result<Option<PhoneStanding>, PhoneError> {
        self.call("standing", |device| Ok(device.standing()?.map(Into::into)))
    }
}

impl From<Standing> for PhoneStanding {
    fn from(standing: Standing) -> Self {
        Self {
            device: standing.device.to_string(),
            person: standing.person.to_string(),
            unit: standing.unit.to_string(),
            install: i64::from(standing.install),
            facts: signed(standing.facts),
            check_words: standing.check_words,
            revoked: standing.revoked,
        }
    }
}

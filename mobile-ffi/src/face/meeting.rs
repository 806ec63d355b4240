//! Meetings: what two colleagues' phones give each other without a network, over any pipe of bytes
//! that the app has: Nearby, Multipeer, a cable, QR codes from screen to camera.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onscene_sync_core::handover::frames::{self, Joined, Joiner};

use super::convert::{signed, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use crate::{Carried, Device, Given, Handover};

/// One meeting with a colleague's phone, made by [`PhoneCore::hand_over`].
///
/// Send what [`Self::next`] gives and hand in what comes with [`Self::take`]. Messages may be lost,
/// doubled or come in any order; what was taken is on the disk. A meeting that was cut needs no
/// mending: the next one gives what is still lacking.
#[derive(uniffi::Object)]
pub struct PhoneMeeting {
    core: Arc<PhoneCore>,
    talk: Mutex<Talk>,
}

/// Locked only within a call of the core, so the core's lock comes first, always.
#[derive(Debug)]
struct Talk {
    handover: Handover,
    joiner: Joiner,
}

/// How far a meeting has come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MeetingState {
    /// Messages with contents that this phone has given.
    pub sent: i64,
    /// Facts of cases that came and were not known here: orders and what the server said of them.
    pub told: i64,
    /// Colleagues' changes that came and were not known here. This phone delivers them from now on.
    pub changes: i64,
    /// Changes that came and were here before.
    pub known: i64,
    /// What was not taken, and why. The phone that gave it still has it.
    pub refused: Vec<String>,
    /// Everything that the other phone has to give has come.
    pub complete: bool,
    /// And this phone has given everything: the meeting is over.
    pub done: bool,
}

/// What a frame did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FrameTaken {
    /// It is damaged or not a frame: show it again.
    Damaged,
    /// So many of the frames of its message are here.
    Gathering {
        /// Different frames seen.
        have: i32,
        /// Frames of the message.
        total: i32,
    },
    /// A message was whole and was taken.
    Taken {
        /// How far the meeting has come.
        state: MeetingState,
    },
}

/// How many of colleagues' changes this phone carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct CarriedCounts {
    /// Not yet at the server, as far as this phone knows.
    pub waiting: i64,
    /// At the server.
    pub delivered: i64,
    /// Kept by the server for a supervisor.
    pub refused: i64,
}

#[uniffi::export]
impl PhoneCore {
    /// Begins a meeting with a colleague's phone.
    ///
    /// # Errors
    /// When the store is closed or the platform has no chance to give.
    pub fn hand_over(self: Arc<Self>) -> Result<Arc<PhoneMeeting>, PhoneError> {
        let handover = self.call("hand_over", |device| Ok(device.hand_over()?))?;
        let talk = Mutex::new(Talk { handover, joiner: Joiner::default() });
        Ok(Arc::new(PhoneMeeting { core: self, talk }))
    }

    /// How much of colleagues' work this phone carries.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn carried(&self) -> Result<CarriedCounts, PhoneError> {
        self.call("carried", |device| Ok(device.carried()?.into()))
    }
}

#[uniffi::export]
impl PhoneMeeting {
    /// The next message for the other phone: first who this phone is, and once the other has shown who
    /// it is, what it lacks. Nothing when there is nothing to send now. At most 192 KiB.
    ///
    /// # Errors
    /// When this phone was never online as what it is now, and when its store or key fails.
    pub fn next(&self) -> Result<Option<Vec<u8>>, PhoneError> {
        self.call("meeting_next", |talk, device| Ok(talk.handover.next(device)?))
    }

    /// Takes a message of the other phone.
    ///
    /// # Errors
    /// When it is not for this meeting, or the other phone is not to be believed or of another unit.
    /// Nothing of it was taken then, and the meeting may go on.
    pub fn take(&self, message: Vec<u8>) -> Result<MeetingState, PhoneError> {
        self.call("meeting_take", |talk, device| talk.take(device, &message))
    }

    /// How far the meeting has come.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn state(&self) -> Result<MeetingState, PhoneError> {
        self.call("meeting_state", |talk, _| Ok(talk.state()))
    }

    /// Splits a message into frames of at most `bytes` bytes, for a pipe that carries little at a time
    /// and one way only: show them as QR codes, all of them again and again.
    ///
    /// # Errors
    /// When frames of this size are too small for the message.
    pub fn frames(&self, message: Vec<u8>, bytes: i32) -> Result<Vec<Vec<u8>>, PhoneError> {
        self.call("meeting_frames", |_, _| {
            let bytes = unsigned("bytes", i64::from(bytes))?;
            frames::split(&message, bytes).map_err(|error| PhoneError::invalid("bytes", error))
        })
    }

    /// Takes a frame: in any order, as often as the camera sees it.
    ///
    /// # Errors
    /// As [`Self::take`], once its message is whole.
    pub fn take_frame(&self, frame: Vec<u8>) -> Result<FrameTaken, PhoneError> {
        self.call("meeting_take_frame", |talk, device| {
            Ok(match talk.joiner.take(&frame) {
                Joined::Damaged => FrameTaken::Damaged,
                Joined::Gathering { have, total } => {
                    FrameTaken::Gathering { have: have.into(), total: total.into() }
                }
                Joined::Whole(message) => FrameTaken::Taken { state: talk.take(device, &message)? },
            })
        })
    }
}

impl PhoneMeeting {
    fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Talk, &mut Device) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError> {
        self.core.call(name, |device| work(&mut self.talk(), device))
    }

    /// Also after a panic: what a meeting holds is checked again by whoever gets it.
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Talk {
    fn take(&mut self, device: &mut Device, message: &[u8]) -> Result<MeetingState, PhoneError> {
        self.handover.take(device, message)?;
        Ok(self.state())
    }

    fn state(&self) -> MeetingState {
        let Given { told, changes, known, refused, complete } = self.handover.given().clone();
        MeetingState {
            sent: self.handover.sent().into(),
            told: signed(told),
            changes: signed(changes),
            known: signed(known),
            refused,
            complete,
            done: self.handover.is_done(),
        }
    }
}

impl From<Carried> for CarriedCounts {
    fn from(carried: Carried) -> Self {
        Self {
            waiting: signed(carried.waiting),
            delivered: signed(carried.delivered),
            refused: signed(carried.refused),
        }
    }
}

impl std::fmt::Debug for PhoneMeeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneMeeting").finish_non_exhaustive()
    }
}

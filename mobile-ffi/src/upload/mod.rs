//! The lane of the files: tus 1.0 without a socket, beside sync and never in its way.
//!
//! It has an open request, pauses and a rhythm of its own. A file is sent once the hub has the fact
//! that names it. The hub gives it an address ([`Step::Create`]), takes it part by part
//! ([`Step::Append`]) and is asked how far it came after any trouble ([`Step::Ask`]). Bytes never
//! cross the boundary of the library: a request names a range of a file.
//!
//! | module | holds |
//! |---|---|
//! | [`http`] | what the host is asked to send |
//! | [`draft`] | which file is next, and its request |
//! | [`answer`] | what an answer leaves in the store |
//! | [`lane`] | pauses, parts, which files were looked at: kept in memory |

mod answer;
mod draft;
mod http;
mod lane;

use minicbor::{Decode, Encode};
use onscene_sync_core::time::ClockReading;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::{evidence, meta};
use crate::sync::{Applied, HttpReply, REVOKED, WaitReason};

pub use http::{UploadBody, UploadRequest, UploadStep};
pub(crate) use lane::Lane;

const OPEN: &str = "open_upload";

/// The request that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Open {
    #[n(0)]
    id: u64,
    #[n(1)]
    clock: ClockReading,
    /// The file, by the number of its record.
    #[n(2)]
    n: i64,
    #[n(3)]
    step: Step,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
enum Step {
    /// An address for the file.
    #[n(0)]
    Create,
    /// How much of it the hub has.
    #[n(1)]
    Ask,
    /// The next part of it.
    #[n(2)]
    Append(#[n(0)] u64, #[n(1)] u64),
}

impl Device {
    /// What to do next for the files of evidence.
    ///
    /// Ask beside [`Device::sync_next`], after it, and not in its place: a file waits until sync has
    /// delivered the fact that names it. Reads and hashes up to one file.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn upload_next(&mut self) -> Result<UploadStep, DeviceError> {
        let now = self.host.clock.read()?;
        if let Some((ms, why)) = self.upload_pause(&now)? {
            return Ok(UploadStep::Wait { ms, why });
        }
        if meta::identity(self.store.read()).is_err() || meta::flag(self.store.read(), REVOKED)? {
            return Ok(UploadStep::Idle);
        }
        self.release_copies(now.wall_ms)?;
        let mut shortest: Option<(u64, WaitReason)> = None;
        for n in self.lane.in_turn(evidence::queue(self.store.read())?) {
            let waiting = match self.lane.wait(n, &now) {
                Some(pause) => Some(pause),
                None => match self.draft_upload(n, &now)? {
                    draft::Drafted::Request(request) => return Ok(UploadStep::Send(request)),
                    draft::Drafted::NotNow => self.lane.wait(n, &now),
                    draft::Drafted::NeedsSync => Some((lane::SYNC_PAUSE_MS, WaitReason::NeedsSync)),
                },
            };
            shortest = shortest.into_iter().chain(waiting).min_by_key(|(ms, _)| *ms);
        }
        Ok(shortest.map_or(UploadStep::Idle, |(ms, why)| UploadStep::Wait { ms, why }))
    }

    /// Takes an answer in. An answer to a request that is not open changes nothing.
    ///
    /// # Errors
    /// When the store or the platform fails; the answer may then be handed in again.
    pub fn upload_apply(&mut self, id: u64, reply: &HttpReply) -> Result<Applied, DeviceError> {
        let now = self.host.clock.read()?;
        let outcome = self.store.write(|tx| {
            let Some(open) = meta::get::<Open>(tx, OPEN)?.filter(|open| open.id == id) else {
                return Ok(None);
            };
            meta::remove(tx, OPEN)?;
            Ok(Some((open, answer::take(tx, &open, reply, &now)?)))
        })?;
        let Some((open, outcome)) = outcome else { return Ok(Applied::Stale) };
        self.lane.follow(&open, outcome, &now, self.host.bytes()?);
        self.pace.due |= outcome == answer::Outcome::Token;
        self.last_failure = None;
        Ok(Applied::Taken)
    }

    /// The request could not be sent, or no answer came.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn upload_failed(&mut self, id: u64, why: &str) -> Result<(), DeviceError> {
        let now = self.host.clock.read()?;
        let open = self.store.write(|tx| {
            let open = meta::get::<Open>(tx, OPEN)?.filter(|open| open.id == id);
            if open.is_some() {
                meta::remove(tx, OPEN)?;
            }
            Ok(open)
        })?;
        if let Some(open) = open {
            self.lane.unanswered(&open, &now, self.host.bytes()?);
            self.last_failure = Some(why.to_owned());
        }
        Ok(())
    }

    /// The request that stands open, also one that a killed app left. A host whose platform does not
    /// carry transfers on by itself hands it to [`Device::upload_failed`] when it starts, and need
    /// not wait for its deadline.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open_upload(&self) -> Result<Option<u64>, DeviceError> {
        Ok(meta::get::<Open>(self.store.read(), OPEN)?.map(|open| open.id))
    }

    /// Tries everything again now: the network is back, the person asked for it.
    pub fn upload_soon(&mut self) {
        self.lane.hurry();
    }

    /// How long to wait for the open request or for the lane as a whole. The request stands in the
    /// store, so an app that was started anew leaves one alone that the platform still carries.
    fn upload_pause(&self, now: &ClockReading) -> Result<Option<(u64, WaitReason)>, DeviceError> {
        let open: Option<Open> = meta::get(self.store.read(), OPEN)?;
        let in_flight = open.and_then(|open| lane::left(&open.clock, now));
        Ok(in_flight.map(|ms| (ms, WaitReason::InFlight)).or_else(|| self.lane.pause(now)))
    }
}

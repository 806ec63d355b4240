//! Sync as the app carries it out: it sends what this library hands out and hands back what comes.

use super::convert::{signed, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::log::{LogField, LogLevel};
use crate::{Applied, HttpReply, HttpRequest, Step, WaitReason};

/// The next thing to do for sync.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum SyncStep {
    /// Send this and hand the answer to `sync_apply`, or the failure to `sync_failed`.
    Send {
        /// What to send.
        request: PhoneRequest,
    },
    /// Nothing before this many milliseconds have passed.
    Wait {
        /// How long.
        ms: i64,
        /// Why.
        why: WaitFor,
    },
    /// Nothing to do until something is recorded or `sync_soon` is called.
    Idle,
}

/// Why there is nothing to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum WaitFor {
    /// A request is on its way.
    InFlight,
    /// The last attempt failed; the pause grows with each and has chance in it.
    Backoff,
    /// The server asked for patience.
    ServerBusy,
    /// This app is too old or too new for the server.
    NeedsUpdate,
    /// The server does not know this phone any more: enrol it again.
    NeedsEnrolment,
    /// An upload can only begin once sync has fetched an access token.
    NeedsSync,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneHeader {
    /// Its name, in lower case in requests and in any case in answers.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A request, to be sent as it is: no redirect, no cache, no cookies, nothing decompressed.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneRequest {
    /// Names the request when its answer comes, also after the app was killed meanwhile.
    pub id: i64,
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The headers. They hold a token: keep them out of logs.
    pub headers: Vec<PhoneHeader>,
    /// The body.
    pub body: Vec<u8>,
    /// Give up after this many milliseconds.
    pub deadline_ms: i64,
}

/// An answer, as it came.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct PhoneReply {
    /// The status.
    pub status: i32,
    /// The headers.
    pub headers: Vec<PhoneHeader>,
    /// The body, as it came over the wire.
    pub body: Vec<u8>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReplyTaken {
    /// It was taken in.
    Taken,
    /// It answers nothing that is open: taken before, or replaced by a later request. Nothing is lost.
    Stale,
}

#[uniffi::export]
impl PhoneCore {
    /// What to do next for sync. At most one request is open; the next one replaces it, so ask only
    /// when the answer to the last is in, has failed, or cannot come any more.
    ///
    /// # Errors
    /// When the store, the key or the platform fails.
    pub fn sync_next(&self) -> Result<SyncStep, PhoneError> {
        let step: SyncStep = self.call("sync_next", |device| Ok(device.sync_next()?.into()))?;
        if let SyncStep::Send { request } = &step {
            self.tell(
                LogLevel::Info,
                "request",
                vec![
                    LogField::number("id", request.id),
                    LogField::number("bytes", signed(request.body.len() as u64)),
                ],
            );
        }
        Ok(step)
    }

    /// Takes an answer in. One that was taken before, or comes too late, changes nothing.
    ///
    /// # Errors
    /// When the store or the platform fails; the answer may then be handed in again.
    pub fn sync_apply(&self, id: i64, reply: PhoneReply) -> Result<ReplyTaken, PhoneError> {
        let status = i64::from(reply.status);
        let bytes = signed(reply.body.len() as u64);
        let taken = self.call("sync_apply", |device| {
            let (id, reply) = (unsigned("id", id)?, reply.try_into()?);
            Ok(device.sync_apply(id, &reply)?.into())
        })?;
        self.tell(
            LogLevel::Info,
            "answer",
            vec![
                LogField::number("id", id),
                LogField::number("status", status),
                LogField::number("bytes", bytes),
            ],
        );
        Ok(taken)
    }

    /// The request could not be sent, or no answer came. `why` is shown by [`Self::last_failure`].
    ///
    /// # Errors
    /// When the platform fails.
    pub fn sync_failed(&self, id: i64, why: String) -> Result<(), PhoneError> {
        self.call("sync_failed", |device| Ok(device.sync_failed(unsigned("id", id)?, &why)?))
    }

    /// Asks for an exchange soon: the app came to the front, the network is back, the person pulled
    /// the list.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn sync_soon(&self) -> Result<(), PhoneError> {
        self.call("sync_soon", |device| {
            device.sync_soon();
            Ok(())
        })
    }

    /// Why the last request failed on the way, while none has succeeded since.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn last_failure(&self) -> Result<Option<String>, PhoneError> {
        self.call("last_failure", |device| Ok(device.last_failure().map(str::to_owned)))
    }

    /// The request that opens the live connection (a WebSocket, RFC 6455; the app adds the headers
    /// of the handshake). Good once; an answer other than 101 goes to [`Self::live_refused`].
    /// Nothing while the phone is not enrolled, was revoked, or sync has to fetch a token first.
    ///
    /// # Errors
    /// When the store, the key or the platform fails.
    pub fn live_request(&self) -> Result<Option<PhoneRequest>, PhoneError> {
        self.call("live_request", |device| Ok(device.live_request()?.map(Into::into)))
    }

    /// The server answered with something else than a connection. Says whether to ask again at once;
    /// otherwise leave it for a while.
    ///
    /// # Errors
    /// When the store fails.
    pub fn live_refused(&self, reply: PhoneReply) -> Result<bool, PhoneError> {
        self.call("live_refused", |device| Ok(device.live_refused(&reply.try_into()?)?))
    }

    /// Reads a binary message of the live connection; true when an exchange is due now.
    ///
    /// # Errors
    /// When the store fails.
    pub fn poked(&self, frame: Vec<u8>) -> Result<bool, PhoneError> {
        self.call("poked", |device| Ok(device.poked(&frame)?))
    }
}

impl From<Step> for SyncStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Send(request) => Self::Send { request: request.into() },
            Step::Wait { ms, why } => Self::Wait { ms: signed(ms), why: why.into() },
            Step::Idle => Self::Idle,
        }
    }
}

impl From<WaitReason> for WaitFor {
    fn from(why: WaitReason) -> Self {
        match why {
            WaitReason::InFlight => Self::InFlight,
            WaitReason::Backoff => Self::Backoff,
            WaitReason::ServerBusy => Self::ServerBusy,
            WaitReason::NeedsUpdate => Self::NeedsUpdate,
            WaitReason::NeedsEnrolment => Self::NeedsEnrolment,
            WaitReason::NeedsSync => Self::NeedsSync,
        }
    }
}

impl PhoneHeader {
    pub(super) fn all(headers: Vec<(&'static str, String)>) -> Vec<Self> {
        let header = |(name, value): (&str, String)| Self { name: name.to_owned(), value };
        headers.into_iter().map(header).collect()
    }
}

impl From<HttpRequest> for PhoneRequest {
    fn from(request: HttpRequest) -> Self {
        Self {
            id: signed(request.id),
            method: request.method.to_owned(),
            url: request.url,
            headers: PhoneHeader::all(request.headers),
            body: request.body,
            deadline_ms: signed(request.deadline_ms),
        }
    }
}

impl TryFrom<PhoneReply> for HttpReply {
    type Error = PhoneError;

    fn try_from(reply: PhoneReply) -> Result<Self, PhoneError> {
        let header = |header: PhoneHeader| (header.name, header.value);
        Ok(Self {
            status: unsigned("status", i64::from(reply.status))?,
            headers: reply.headers.into_iter().map(header).collect(),
            body: reply.body,
        })
    }
}

impl From<Applied> for ReplyTaken {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Taken => Self::Taken,
            Applied::Stale => Self::Stale,
        }
    }
}

impl std::fmt::Debug for PhoneRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PhoneReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneReply").field("status", &self.status).finish_non_exhaustive()
    }
}

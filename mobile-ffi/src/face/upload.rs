//! The lane that sends files of evidence: a request names a range of a file, and its bytes never cross
//! the boundary.

use super::convert::{signed, text, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::sync::{PhoneHeader, PhoneReply, ReplyTaken, WaitFor};
use crate::{UploadBody, UploadRequest, UploadStep};

/// The next thing to do for the files.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FileStep {
    /// Send this and hand the answer to `upload_apply`, or the failure to `upload_failed`.
    Send {
        /// What to send.
        request: FileRequest,
    },
    /// Nothing before this many milliseconds have passed.
    Wait {
        /// How long.
        ms: i64,
        /// Why.
        why: WaitFor,
    },
    /// Nothing to do until something is recorded or sync has delivered something.
    Idle,
}

/// A request with a part of a file as its body. The address lets anybody who has it send this file:
/// keep it out of logs.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct FileRequest {
    /// Names the request when its answer comes; no request of sync has the same.
    pub id: i64,
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The headers. `Content-Length` is the app's, and is the length of the range.
    pub headers: Vec<PhoneHeader>,
    /// The body; nothing for an empty one.
    pub body: Option<FileRange>,
    /// Give up after this many milliseconds.
    pub deadline_ms: i64,
}

/// A part of a file, to be read while it is sent.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FileRange {
    /// The file.
    pub path: String,
    /// Where the part begins.
    pub offset: i64,
    /// Its bytes.
    pub length: i64,
}

#[uniffi::export]
impl PhoneCore {
    /// What to do next for the files of evidence. Ask beside `sync_next`, after it, and not in its
    /// place: a file waits until sync has delivered the statement that names it.
    ///
    /// # Errors
    /// When the store, the key or the platform fails.
    pub fn upload_next(&self) -> Result<FileStep, PhoneError> {
        self.call("upload_next", |device| Ok(device.upload_next()?.into()))
    }

    /// Takes an answer in. One that was taken before, or comes too late, changes nothing.
    ///
    /// # Errors
    /// When the store or the platform fails; the answer may then be handed in again.
    pub fn upload_apply(&self, id: i64, reply: PhoneReply) -> Result<ReplyTaken, PhoneError> {
        self.call("upload_apply", |device| {
            let (id, reply) = (unsigned("id", id)?, reply.try_into()?);
            Ok(device.upload_apply(id, &reply)?.into())
        })
    }

    /// The request could not be sent, or no answer came.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn upload_failed(&self, id: i64, why: String) -> Result<(), PhoneError> {
        self.call("upload_failed", |device| Ok(device.upload_failed(unsigned("id", id)?, &why)?))
    }

    /// The request of the files that is open, also one that a killed app left. A platform that
    /// carries transfers on by itself leaves it; any other says `upload_failed` at the start, and
    /// need not wait for its deadline.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open_upload(&self) -> Result<Option<i64>, PhoneError> {
        self.call("open_upload", |device| Ok(device.open_upload()?.map(signed)))
    }

    /// Tries everything again now: the network is back, the person asked for it.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn upload_soon(&self) -> Result<(), PhoneError> {
        self.call("upload_soon", |device| {
            device.upload_soon();
            Ok(())
        })
    }
}

impl From<UploadStep> for FileStep {
    fn from(step: UploadStep) -> Self {
        match step {
            UploadStep::Send(request) => Self::Send { request: request.into() },
            UploadStep::Wait { ms, why } => Self::Wait { ms: signed(ms), why: why.into() },
            UploadStep::Idle => Self::Idle,
        }
    }
}

impl From<UploadRequest> for FileRequest {
    fn from(request: UploadRequest) -> Self {
        Self {
            id: signed(request.id),
            method: request.method.to_owned(),
            url: request.url,
            headers: PhoneHeader::all(request.headers),
            body: match request.body {
                UploadBody::Empty => None,
                UploadBody::Range { path, offset, length } => Some(FileRange {
                    path: text(path),
                    offset: signed(offset),
                    length: signed(length),
                }),
            },
            deadline_ms: signed(request.deadline_ms),
        }
    }
}

impl std::fmt::Debug for FileRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

//! What the host is asked to send for the files.

use std::fmt;
use std::path::PathBuf;

use crate::sync::WaitReason;

/// The next thing to do for the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadStep {
    /// Send this and hand the answer to `upload_apply`, or the failure to `upload_failed`.
    Send(UploadRequest),
    /// Nothing before this many milliseconds have passed.
    Wait {
        /// How long.
        ms: u64,
        /// Why.
        why: WaitReason,
    },
    /// Nothing to do until something is recorded or sync has delivered something.
    Idle,
}

/// A request to be sent as it is. `Debug` shows neither the headers nor the address, which lets
/// anybody who has it send this file.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// Names the request when its answer comes; no request of sync has the same.
    pub id: u64,
    /// The method.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: UploadBody,
    /// Give up after this many milliseconds.
    pub deadline_ms: u64,
}

/// The body of an upload's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadBody {
    /// None.
    Empty,
    /// A range of a file, to be read while it is sent.
    Range {
        /// The file.
        path: PathBuf,
        /// Where the range begins.
        offset: u64,
        /// Its bytes.
        length: u64,
    },
}

impl fmt::Debug for UploadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, method, body, deadline_ms, .. } = self;
        let shown = format_args!("{id}: {method}, {body:?}, {deadline_ms} ms");
        f.debug_tuple("UploadRequest").field(&shown).finish()
    }
}

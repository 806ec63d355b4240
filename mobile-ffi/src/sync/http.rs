//! What the host is asked to do, and what it brings back. The library itself opens no socket.
//!
//! Headers and bodies hold tokens, codes and what was recorded: printed for debugging, a request
//! and an answer show none of it.

use std::fmt;

/// The next thing to do for sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this and hand the answer to `sync_apply`, or the failure to `sync_failed`.
    Send(HttpRequest),
    /// Nothing before this many milliseconds have passed.
    Wait {
        /// How long.
        ms: u64,
        /// Why.
        why: WaitReason,
    },
    /// Nothing to do until something is recorded or `sync_soon` is called.
    Idle,
}

/// Why there is nothing to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
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

/// A request to be sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Names the request when its answer comes.
    pub id: u64,
    /// The method.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Give up after this many milliseconds.
    pub deadline_ms: u64,
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, method, url, body, deadline_ms, .. } = self;
        let shown = format_args!("{id}: {method} {url}, {} bytes, {deadline_ms} ms", body.len());
        f.debug_tuple("HttpRequest").field(&shown).finish()
    }
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = format_args!("{}, {} bytes", self.status, self.body.len());
        f.debug_tuple("HttpReply").field(&shown).finish()
    }
}

impl HttpReply {
    /// The first header of this name, in whatever case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was taken in.
    Taken,
    /// It answers nothing that is open: taken before, or replaced by a later request.
    Stale,
}

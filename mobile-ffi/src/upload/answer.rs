//! What an answer of the lane leaves in the store. Nothing in an answer is taken on trust: a receipt
//! must bear the hub's signature, an address must be the hub's, a length must fit the file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::evidence::receipt;
use onscene_sync_core::limits::RECEIPT_BYTES;
use onscene_sync_core::time::ClockReading;

use super::lane::SMALLEST;
use super::{Open, Step};
use crate::error::DeviceError;
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::evidence::{self, File};
use crate::store::meta;
use crate::sync::problem::{Problem, wants_fresh_proof};
use crate::sync::{self, HttpReply, UPDATE_PAUSE_MS, WaitReason, account};

/// Bytes of an address that the hub may give.
const PLACE_BYTES: usize = 512;
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 300;

/// What an answer says to the rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The hub has more of the file than before.
    Moved,
    /// A step towards that.
    Next,
    /// A part was damaged on the way, or the file is.
    Damaged,
    /// The same again once sync has fetched an access token.
    Token,
    /// The file waits for a while.
    Aside,
    /// The part was too large.
    TooLarge,
    /// The hub, or something before it, is in trouble.
    Broken,
    /// The hub asks for patience.
    Asked { ms: u64, why: WaitReason },
}

/// Takes an answer in. Everything happens in the caller's transaction.
pub(super) fn take(
    db: Db<'_>,
    open: &Open,
    reply: &HttpReply,
    now: &ClockReading,
) -> Result<Outcome, DeviceError> {
    let fresh_nonce = matches!(open.step, Step::Create) && sync::keep_nonce(db, reply)?;
    let Some(file) = evidence::file(db, open.n)? else { return Ok(Outcome::Moved) };
    let answer = Answer { db, file: &file, reply, now };
    match reply.status {
        200 | 201 | 204 => answer.good(open),
        401 if fresh_nonce && wants_fresh_proof(reply) => Ok(Outcome::Next),
        401 if matches!(open.step, Step::Create) => {
            account::drop_access(db)?;
            Ok(Outcome::Token)
        }
        429 | 503 if answer.asked_ms().is_some() => {
            let ms = answer.asked_ms().unwrap_or(0);
            Ok(Outcome::Asked { ms, why: WaitReason::ServerBusy })
        }
        412 | 426 => {
            let ms = answer.asked_ms().unwrap_or(UPDATE_PAUSE_MS);
            Ok(Outcome::Asked { ms, why: WaitReason::NeedsUpdate })
        }
        // The part does not follow on what is there: how far the hub came is asked before the next.
        409 if !matches!(open.step, Step::Create) => Ok(Outcome::Next),
        // Another request of this file has not ended yet.
        423 if !matches!(open.step, Step::Create) => Ok(Outcome::Aside),
        460 if matches!(open.step, Step::Append(from, length) if from + length < file.bytes) => {
            Ok(Outcome::Damaged)
        }
        404 | 410 if !matches!(open.step, Step::Create) => {
            evidence::set_place(db, open.n, None, 0)?;
            Ok(Outcome::Next)
        }
        413 if matches!(open.step, Step::Append(_, length) if length > SMALLEST) => {
            Ok(Outcome::TooLarge)
        }
        408 | 500..=599 => Ok(Outcome::Broken),
        _ => answer.aside(&answer.problem()),
    }
}

struct Answer<'a> {
    db: Db<'a>,
    file: &'a File,
    reply: &'a HttpReply,
    now: &'a ClockReading,
}

impl Answer<'_> {
    fn good(&self, open: &Open) -> Result<Outcome, DeviceError> {
        if let Some(text) = self.reply.header(receipt::HEADER) {
            return self.receipt(text);
        }
        let offset = self.number("upload-offset");
        let bytes = self.file.bytes;
        match open.step {
            Step::Create => self.created(offset.unwrap_or(0)),
            Step::Ask if self.number("upload-length").is_some_and(|length| length != bytes) => {
                evidence::set_place(self.db, self.file.n, None, 0)?;
                self.lie("the hub holds a file of another length at this address")
            }
            Step::Ask => match offset {
                Some(offset) => self.stands_at(offset),
                None => self.lie("the hub did not say how much of the file it has"),
            },
            Step::Append(from, length) => match offset {
                Some(offset) if offset <= from + length => self.stands_at(offset),
                _ => self.lie("the hub claims more of the file than it was sent"),
            },
        }
    }

    fn created(&self, offset: u64) -> Result<Outcome, DeviceError> {
        let server: String = meta::get(self.db, sync::SERVER)?.unwrap_or_default();
        let location = self.reply.header("location").unwrap_or_default();
        let Some(place) = place(&server, location) else {
            return self.lie("the hub gave an address that is not its own");
        };
        if offset > self.file.bytes {
            return self.lie("the hub claims more of the file than there is");
        }
        evidence::set_place(self.db, self.file.n, Some(&place), offset)?;
        Ok(Outcome::Next)
    }

    fn stands_at(&self, offset: u64) -> Result<Outcome, DeviceError> {
        let File { n, bytes, sent, .. } = *self.file;
        if offset > bytes {
            return self.lie("the hub claims more of the file than there is");
        }
        evidence::set_sent(self.db, n, offset)?;
        Ok(match offset {
            // All is there, and the answer carried no receipt: it is asked for again, later.
            offset if offset == bytes => Outcome::Aside,
            offset if offset > sent => Outcome::Moved,
            _ => Outcome::Next,
        })
    }

    fn receipt(&self, text: &str) -> Result<Outcome, DeviceError> {
        let identity = meta::identity(self.db)?;
        let most = RECEIPT_BYTES.div_ceil(3) * 4;
        let envelope = (text.len() <= most).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        let Some(envelope) = envelope else {
            return self.lie("the receipt cannot be read");
        };
        let receipt = match receipt::read(&envelope, &identity.hub_key) {
            Ok(receipt) => receipt,
            Err(error) => return self.lie(&format!("the receipt is no good: {error}")),
        };
        let File { n, sha256, bytes, .. } = *self.file;
        let is_ours = evidence::fact(self.db, self.file)? == Some(receipt.fact);
        if !is_ours || receipt.sha256 != sha256 || receipt.bytes != bytes {
            return self.lie("the receipt is for another file");
        }
        evidence::set_received(self.db, n, &envelope, &receipt)?;
        self.event(EventKind::FileVerified, &format!("{}: {bytes} bytes", self.file.title()))?;
        Ok(Outcome::Moved)
    }

    /// Something in the answer cannot be.
    fn lie(&self, what: &str) -> Result<Outcome, DeviceError> {
        self.event(EventKind::Alarm, &format!("{}: {what}", self.file.title()))?;
        evidence::set_trouble(self.db, self.file.n, what)?;
        Ok(Outcome::Aside)
    }

    fn aside(&self, reason: &str) -> Result<Outcome, DeviceError> {
        set_aside(self.db, self.file, reason, self.now).map(|()| Outcome::Aside)
    }

    fn problem(&self) -> String {
        let problem = Problem::read(self.reply);
        format!("{}: {} {}", self.reply.status, problem.title, problem.detail).trim().to_owned()
    }

    fn asked_ms(&self) -> Option<u64> {
        self.number("retry-after").map(|seconds| seconds.saturating_mul(1_000))
    }

    fn number(&self, header: &str) -> Option<u64> {
        self.reply.header(header)?.trim().parse().ok()
    }

    fn event(&self, kind: EventKind, detail: &str) -> Result<(), DeviceError> {
        events::add(self.db, self.now.wall_ms, kind, None, detail)
    }
}

/// Notes why a file waits, and tells it once.
pub(super) fn set_aside(
    db: Db<'_>,
    file: &File,
    reason: &str,
    now: &ClockReading,
) -> Result<(), DeviceError> {
    let reason: String = reason.chars().take(REASON_CHARS).collect();
    if file.trouble.as_ref() == Some(&reason) {
        return Ok(());
    }
    let detail = format!("the file of {}: {reason}", file.title());
    events::add(db, now.wall_ms, EventKind::FileTrouble, None, &detail)?;
    evidence::set_trouble(db, file.n, &reason)
}

/// The whole address that a `Location` names, if it is one of this server's: a file must not be sent
/// anywhere else.
fn place(server: &str, location: &str) -> Option<String> {
    let plain = location.bytes().all(|byte| byte.is_ascii_graphic());
    let path = location.strip_prefix(server).unwrap_or(location);
    let good = plain && path.starts_with('/') && !path.starts_with("//");
    (good && path.len() <= PLACE_BYTES).then(|| format!("{server}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_servers_own_or_none() {
        let server = "https://hub.example";
        let whole = Some("https://hub.example/v1/uploads/abc".to_owned());
        assert_eq!(place(server, "/v1/uploads/abc"), whole);
        assert_eq!(place(server, "https://hub.example/v1/uploads/abc"), whole);
        let long = format!("/{}", "a".repeat(PLACE_BYTES));
        for elsewhere in [
            "",
            "https://evil.example/v1/uploads/abc",
            "https://hub.example.evil/v1",
            "https://hub.example@evil/v1",
            "//evil.example/v1",
            "v1/uploads/abc",
            "/v1/uploads/a b",
            "/v1/uploads/a\r\nx-y: z",
            "/v1/上传",
            &long,
        ] {
            assert_eq!(place(server, elsewhere), None, "{elsewhere}");
        }
    }
}

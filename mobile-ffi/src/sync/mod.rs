//! Sync without a socket: the library says what to send, the host sends it.
//!
//! At most one request is open. Its number and what it carried stand in the store, so an answer can
//! be taken in after the app was killed; once a later request is on its way, it is stale.

pub(crate) mod account;
pub(crate) mod dpop;
mod exchange;
mod http;
mod live;
mod pace;
pub(crate) mod problem;
mod witness;

use minicbor::{Decode, Encode};
use onscene_sync_core::enrolment::message::{
    AccessToken, EnrolReply, EnrolRequest, Phone, TokenRequest,
};
use onscene_sync_core::sync::device::Sent;
use onscene_sync_core::sync::message::SyncReply;
use onscene_sync_core::sync::wire;
use onscene_sync_core::time::ClockReading;

use crate::device::Device;
use crate::error::DeviceError;
use crate::host::Host;
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::meta::{self, Enrolment};
use dpop::Occasion;
use problem::{Problem, wants_fresh_proof};

pub(crate) use account::kept_words;
pub(crate) use exchange::REVOKED;
pub use http::{Applied, HttpReply, HttpRequest, Step, WaitReason};
pub(crate) use pace::{Backoff, DEADLINE_MS, Pace};

/// How long to leave a server alone that needs an update, or that needs one of us, milliseconds.
pub(crate) const UPDATE_PAUSE_MS: u64 = 15 * 60 * 1000;
/// How long to leave a server alone that does not know this phone, milliseconds.
const STRANGER_PAUSE_MS: u64 = 5 * 60 * 1000;
/// Answers between two exchanges that may be followed by another request at once: a fresh nonce, a
/// token that has had its day.
const RETRIES: u32 = 3;

const OPEN: &str = "open_request";
const LAST_ID: &str = "last_request";
pub(crate) const NONCE: &str = "nonce";
pub(crate) const SERVER: &str = "server";
pub(crate) const ENROLMENT: &str = "enrolment";

/// The request that is on its way.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
struct Open {
    #[n(0)]
    id: u64,
    #[n(1)]
    clock: ClockReading,
    #[n(2)]
    errand: Errand,
}

/// What it is for.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
enum Errand {
    #[n(0)]
    Enrol,
    #[n(1)]
    Token,
    #[n(2)]
    Sync(#[n(0)] Sent),
}

/// What the transaction that took an answer in says to the rhythm.
enum Verdict {
    /// An exchange did what it was for.
    Exchanged {
        more: bool,
    },
    /// A step towards one.
    Next,
    /// The same again with what the answer brought.
    Retry,
    /// Nothing can be done before a person acts.
    GaveUp,
    Stuck,
    Pause {
        ms: Option<u64>,
        why: WaitReason,
    },
    TooLarge,
}

impl Device {
    /// What to do next for sync.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn sync_next(&mut self) -> Result<Step, DeviceError> {
        self.mending(Self::step)
    }

    fn step(&mut self) -> Result<Step, DeviceError> {
        self.watch_space()?;
        let now = self.host.clock.read()?;
        if let Some((ms, why)) = self.pace.wait(&now) {
            return Ok(Step::Wait { ms, why });
        }
        let Some(errand) = self.errand(&now)? else { return Ok(Step::Idle) };
        let max_changes = self.pace.max_changes;
        let host = &self.host;
        let request = self.store.write(|tx| {
            let id = next_id(tx)?;
            let mut draft = draft(tx, host, errand, &now, max_changes)?;
            let nonce: Option<String> = meta::get(tx, NONCE)?;
            let occasion = Occasion {
                method: "POST",
                url: &draft.url,
                access_token: draft.token.as_deref(),
                nonce: nonce.as_deref(),
                issued_at_s: now.wall_ms.div_euclid(1000),
            };
            draft.headers.push(("dpop", dpop::proof(host, &occasion)?));
            meta::put(tx, OPEN, &Open { id, clock: now, errand: draft.errand })?;
            Ok(HttpRequest {
                id,
                method: "POST",
                url: draft.url,
                headers: draft.headers,
                body: draft.body,
                deadline_ms: pace::DEADLINE_MS,
            })
        })?;
        self.pace.sent(request.id, &now);
        Ok(Step::Send(request))
    }

    /// Takes an answer in. An answer to a request that is not open changes nothing.
    ///
    /// # Errors
    /// When the store or the platform fails; the answer may then be handed in again.
    pub fn sync_apply(&mut self, id: u64, reply: &HttpReply) -> Result<Applied, DeviceError> {
        self.mending(|device| device.take_reply(id, reply))
    }

    fn take_reply(&mut self, id: u64, reply: &HttpReply) -> Result<Applied, DeviceError> {
        let now = self.host.clock.read()?;
        let host = &self.host;
        let verdict = self.store.write(|tx| {
            let Some(open) = meta::get::<Open>(tx, OPEN)?.filter(|open| open.id == id) else {
                return Ok(None);
            };
            meta::remove(tx, OPEN)?;
            let fresh_nonce = keep_nonce(tx, reply)?;
            if reply.status == 200 || reply.status == 201 {
                succeeded(tx, host, &open, reply, &now).map(Some)
            } else {
                failed(tx, &open, reply, &now, fresh_nonce).map(Some)
            }
        })?;
        self.pace.landed(id);
        let Some(verdict) = verdict else { return Ok(Applied::Stale) };
        self.follow(verdict, &now)?;
        Ok(Applied::Taken)
    }

    /// The request could not be sent, or no answer came.
    ///
    /// # Errors
    /// When the platform fails.
    pub fn sync_failed(&mut self, id: u64, why: &str) -> Result<(), DeviceError> {
        let now = self.host.clock.read()?;
        let open = meta::get::<Open>(self.store.read(), OPEN)?;
        self.pace.landed(id);
        if open.is_none_or(|open| open.id != id) {
            return Ok(());
        }
        self.pace.backoff.failed(&now, self.host.bytes()?);
        self.last_failure = Some(why.to_owned());
        Ok(())
    }

    /// Asks for an exchange soon: a poke came, the network is back, the person pulled the list.
    pub fn sync_soon(&mut self) {
        self.pace.hurry();
    }

    /// Why the last request failed on the way, while none has succeeded since.
    #[must_use]
    pub fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    fn errand(&self, now: &ClockReading) -> Result<Option<Kind>, DeviceError> {
        let db = self.store.read();
        if meta::get::<Enrolment>(db, ENROLMENT)?.is_some() {
            return Ok(Some(Kind::Enrol));
        }
        if account::refresh(db)?.is_none() || !(self.pace.due || exchange::is_due(db)?) {
            return Ok(None);
        }
        let has_access = account::access(db, now)?.is_some();
        Ok(Some(if has_access { Kind::Sync } else { Kind::Token }))
    }

    fn follow(&mut self, verdict: Verdict, now: &ClockReading) -> Result<(), DeviceError> {
        match verdict {
            Verdict::Exchanged { more } => {
                self.pace.backoff.succeeded();
                self.pace.due = more;
                self.retries = 0;
                self.last_failure = None;
            }
            Verdict::Next => self.pace.due = true,
            Verdict::Retry if self.retries < RETRIES => self.retries += 1,
            Verdict::GaveUp => self.pace.due = false,
            Verdict::Retry | Verdict::Stuck | Verdict::Pause { ms: None, .. } => {
                self.pace.backoff.failed(now, self.host.bytes()?);
            }
            Verdict::Pause { ms: Some(ms), why } => self.pace.backoff.asked(now, ms, why),
            Verdict::TooLarge => {
                self.pace.max_changes = (self.pace.max_changes / 2).max(1);
                self.pace.backoff.failed(now, self.host.bytes()?);
            }
        }
        Ok(())
    }
}

/// Which request is due.
enum Kind {
    Enrol,
    Token,
    Sync,
}

struct Draft {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    token: Option<String>,
    errand: Errand,
}

fn draft(
    db: Db<'_>,
    host: &Host,
    kind: Kind,
    now: &ClockReading,
    max_changes: usize,
) -> Result<Draft, DeviceError> {
    let server: String = meta::get(db, SERVER)?.ok_or(DeviceError::NotEnrolled)?;
    let json = |path: &str, body: Vec<u8>, errand| Draft {
        url: format!("{server}{path}"),
        headers: vec![("content-type", "application/json".to_owned())],
        body,
        token: None,
        errand,
    };
    match kind {
        Kind::Enrol => {
            let wish: Enrolment = meta::get(db, ENROLMENT)?.ok_or(DeviceError::NotEnrolled)?;
            let key_level = host.keys.level();
            let phone = Phone { model: wish.model, key_level, app_version: wish.app_version };
            let body = to_json(&EnrolRequest { code: wish.code, phone, replace: wish.replace });
            Ok(json("/v1/enrol", body, Errand::Enrol))
        }
        Kind::Token => {
            let refresh = account::refresh(db)?.ok_or(DeviceError::NotEnrolled)?;
            let body = to_json(&TokenRequest { refresh_token: refresh });
            Ok(json("/v1/token", body, Errand::Token))
        }
        Kind::Sync => {
            let token = account::access(db, now)?.ok_or(DeviceError::NotEnrolled)?;
            let (body, sent) = exchange::request(db, *now, max_changes)?;
            let headers = vec![
                ("content-type", wire::CONTENT_TYPE.to_owned()),
                ("content-encoding", "zstd".to_owned()),
                ("accept-encoding", "zstd".to_owned()),
                ("authorization", format!("DPoP {token}")),
            ];
            let url = format!("{server}/v1/sync");
            Ok(Draft { url, headers, body, token: Some(token), errand: Errand::Sync(sent) })
        }
    }
}

fn succeeded(
    tx: Db<'_>,
    host: &Host,
    open: &Open,
    reply: &HttpReply,
    now: &ClockReading,
) -> Result<Verdict, DeviceError> {
    let problem = match &open.errand {
        Errand::Enrol => match serde_json::from_slice::<EnrolReply>(&reply.body) {
            Ok(enrolled) => match take_enrolment(tx, host, open, &enrolled)? {
                Ok(()) => {
                    let detail = format!("as device {}", enrolled.device);
                    events::add(tx, now.wall_ms, EventKind::Enrolled, None, &detail)?;
                    return Ok(Verdict::Next);
                }
                Err(why) => {
                    events::add(tx, now.wall_ms, EventKind::Alarm, None, why)?;
                    return Ok(Verdict::Stuck);
                }
            },
            Err(error) => format!("the answer to the enrolment cannot be read: {error}"),
        },
        Errand::Token => match serde_json::from_slice::<AccessToken>(&reply.body) {
            Ok(token) => {
                account::keep_access(tx, &token, host, &open.clock)?;
                return Ok(Verdict::Next);
            }
            Err(error) => format!("the access token cannot be read: {error}"),
        },
        Errand::Sync(sent) => match read_sync(reply) {
            Ok(answer) => {
                let outcome = exchange::apply(tx, &*host.keys, sent, answer, now)?;
                return Ok(if outcome.stuck {
                    Verdict::Stuck
                } else {
                    Verdict::Exchanged { more: outcome.more }
                });
            }
            Err(error) => format!("the answer to the exchange cannot be read: {error}"),
        },
    };
    events::add(tx, now.wall_ms, EventKind::Problem, None, &problem)?;
    Ok(Verdict::Stuck)
}

fn take_enrolment(
    tx: Db<'_>,
    host: &Host,
    open: &Open,
    reply: &EnrolReply,
) -> Result<Result<(), &'static str>, DeviceError> {
    let wish: Enrolment = meta::get(tx, ENROLMENT)?.ok_or(DeviceError::NotEnrolled)?;
    // One way or the other, the code is used up.
    meta::remove(tx, ENROLMENT)?;
    account::enrolled(tx, &wish, reply, host, &open.clock)
}

fn read_sync(reply: &HttpReply) -> Result<SyncReply, wire::WireError> {
    match reply.header("content-encoding") {
        Some("zstd") => wire::decode(&wire::decompress(&reply.body)?),
        _ => wire::decode(&reply.body),
    }
}

fn failed(
    tx: Db<'_>,
    open: &Open,
    reply: &HttpReply,
    now: &ClockReading,
    fresh_nonce: bool,
) -> Result<Verdict, DeviceError> {
    let problem = Problem::read(reply);
    if reply.status == 401 && fresh_nonce && wants_fresh_proof(reply) {
        return Ok(Verdict::Retry);
    }
    if reply.status == 401 && matches!(open.errand, Errand::Sync(_)) {
        // The access token has had its day; the next step fetches another.
        account::drop_access(tx)?;
        return Ok(Verdict::Retry);
    }
    let detail = format!("{}: {} {}", reply.status, problem.title, problem.detail);
    events::add(tx, now.wall_ms, EventKind::Problem, None, detail.trim())?;
    let asked = reply.header("retry-after").and_then(|text| text.trim().parse::<u64>().ok());
    let asked = asked.map(|seconds| seconds.saturating_mul(1000));
    let pause = |ms, why| Ok(Verdict::Pause { ms, why });
    match (reply.status, &open.errand) {
        (429 | 503, _) => pause(asked, WaitReason::ServerBusy),
        (426, _) => pause(asked.or(Some(UPDATE_PAUSE_MS)), WaitReason::NeedsUpdate),
        (413, Errand::Sync(_)) => Ok(Verdict::TooLarge),
        (400..=499, Errand::Enrol) if problem.is_ours() => {
            // A code is good once: sending it again leads nowhere.
            meta::remove(tx, ENROLMENT)?;
            Ok(Verdict::GaveUp)
        }
        (401, Errand::Token) if problem.is("bad_refresh_token") => {
            pause(asked.or(Some(STRANGER_PAUSE_MS)), WaitReason::NeedsEnrolment)
        }
        (403 | 409, _) => pause(asked.or(Some(STRANGER_PAUSE_MS)), WaitReason::NeedsEnrolment),
        _ => Ok(Verdict::Stuck),
    }
}

/// A number for a request, of whatever lane, that no other has.
pub(crate) fn next_id(tx: Db<'_>) -> Result<u64, DeviceError> {
    let id = meta::get::<u64>(tx, LAST_ID)?.unwrap_or(0) + 1;
    meta::put(tx, LAST_ID, &id)?;
    Ok(id)
}

/// Keeps the nonce that came with an answer; says whether there was one.
pub(crate) fn keep_nonce(tx: Db<'_>, reply: &HttpReply) -> Result<bool, DeviceError> {
    match reply.header("dpop-nonce") {
        Some(nonce) if nonce.len() <= 256 => {
            meta::put(tx, NONCE, &nonce.to_owned())?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain fields of text can be written as JSON")
}

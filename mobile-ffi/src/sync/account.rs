//! Enrolment and access tokens: what the server's answers leave in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use onscene_sync_core::enrolment::message::{AccessToken, EnrolReply};
use onscene_sync_core::enrolment::{EnrolmentCode, check_words};
use onscene_sync_core::id::BootId;
use onscene_sync_core::recovery::offer;
use onscene_sync_core::time::ClockReading;

use crate::author;
use crate::error::DeviceError;
use crate::host::Host;
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::meta::{self, Enrolment, Identity};
use crate::store::{feed, key, work};

/// A token is renewed this long before the server lets it expire, nanoseconds.
const RENEW_EARLY_NS: u64 = 30_000_000_000;

/// An access token with the phone's own clock of its end: the server's clock is not the phone's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Access {
    #[n(0)]
    pub(crate) token: String,
    #[n(1)]
    boot: BootId,
    #[n(2)]
    until_boot_ns: u64,
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";
const WORDS: &str = "check_words";

/// Takes an enrolment in, asked for at `asked`; or says why the
/// answer is not to be trusted.
pub(crate) fn enrolled(
    db: Db<'_>,
    wish: &Enrolment,
    reply: &EnrolReply,
    host: &Host,
    asked: &ClockReading,
) -> Result<Result<(), &'static str>, DeviceError> {
    let key = host.keys.public_key()?;
    if wish.hub_key.is_some_and(|pinned| pinned != reply.hub_key) {
        return Ok(Err("the server's key is not the one in the invitation"));
    }
    let Ok(code) = EnrolmentCode::parse(&wish.code) else {
        return Ok(Err("the code is none"));
    };
    let words = check_words(&key, &code).map(str::to_owned).to_vec();
    if words != reply.check_words {
        return Ok(Err("the check words differ: somebody sits between this phone and the server"));
    }
    let identity = Identity {
        device: reply.device,
        person: reply.person,
        unit: reply.unit,
        install: reply.install,
        hub_key: *reply.hub_key.as_bytes(),
        key: ByteVec::from(key),
    };
    let before = meta::identity(db).ok();
    meta::install(db, &identity)?;
    if before.is_none_or(|before| before.device != identity.device) {
        begin_anew(db, host)?;
    }
    meta::put(db, REFRESH, &reply.refresh_token)?;
    meta::put(db, WORDS, &words)?;
    keep_access(db, &reply.access, host, asked)?;
    Ok(Ok(()))
}

/// The same store under another device id: anchors and cursors of the old one mean nothing any
/// more, and what it has not delivered is stated anew.
fn begin_anew(db: Db<'_>, host: &Host) -> Result<(), DeviceError> {
    feed::forget_device(db)?;
    super::witness::forget(db)?;
    work::rebuild(db)?;
    meta::put(db, super::REVOKED, &false)?;
    meta::put(db, super::exchange::RENEW, &false)?;
    author::restate(db, &*host.keys)
}

/// Keeps an access token that was asked for at `asked`, and takes the hub's recovery key that comes
/// with it.
pub(crate) fn keep_access(
    db: Db<'_>,
    reply: &AccessToken,
    host: &Host,
    asked: &ClockReading,
) -> Result<(), DeviceError> {
    if let Some(offer) = &reply.recovery {
        take_recovery(db, offer, host, asked)?;
    }
    let life_ns = u64::from(reply.expires_in).saturating_mul(1_000_000_000);
    let access = Access {
        token: reply.access_token.clone(),
        boot: asked.boot,
        until_boot_ns: asked.boot_ns.saturating_add(life_ns.saturating_sub(RENEW_EARLY_NS)),
    };
    meta::put(db, ACCESS, &access)
}

fn take_recovery(
    db: Db<'_>,
    offer: &str,
    host: &Host,
    now: &ClockReading,
) -> Result<(), DeviceError> {
    let identity = meta::identity(db)?;
    let offer = URL_SAFE_NO_PAD.decode(offer).unwrap_or_default();
    match offer::read(&offer, &identity.hub_key) {
        Ok(to) => key::deposit(db, identity.device, to, &*host.keys),
        Err(error) => {
            let what = format!("the recovery key is not the hub's: {error}");
            events::add(db, now.wall_ms, EventKind::Alarm, None, &what)
        }
    }
}

/// The access token, if it is good for another while.
pub(crate) fn access(db: Db<'_>, now: &ClockReading) -> Result<Option<String>, DeviceError> {
    let access: Option<Access> = meta::get(db, ACCESS)?;
    let good = access.filter(|a| a.boot == now.boot && now.boot_ns < a.until_boot_ns);
    Ok(good.map(|access| access.token))
}

/// Drops the access token: the server did not take it.
pub(crate) fn drop_access(db: Db<'_>) -> Result<(), DeviceError> {
    meta::remove(db, ACCESS)
}

/// The refresh token.
pub(crate) fn refresh(db: Db<'_>) -> Result<Option<String>, DeviceError> {
    meta::get(db, REFRESH)
}

/// The words to compare with those on the administrator's screen.
pub(crate) fn kept_words(db: Db<'_>) -> Result<Vec<String>, DeviceError> {
    Ok(meta::get(db, WORDS)?.unwrap_or_default())
}

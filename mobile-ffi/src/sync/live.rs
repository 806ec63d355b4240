//! The live connection: a WebSocket over which the hub says when there is something to fetch.
//!
//! The host opens it with [`Device::live_request`] and hands each binary message to
//! [`Device::poked`]. It saves asking every few seconds and carries nothing else: a phone without
//! it gets the same by syncing now and then.

use onscene_sync_core::sync::message::Poke;
use onscene_sync_core::sync::wire;

use super::dpop::{self, Occasion};
use super::exchange::REVOKED;
use super::problem::wants_fresh_proof;
use super::{ENROLMENT, HttpReply, HttpRequest, NONCE, SERVER, account, keep_nonce};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::feed;
use crate::store::meta::{self, Enrolment};

/// How long the hub may take to open the connection, milliseconds.
const OPENING_MS: u64 = 15_000;
/// The number of the request, which no step of sync has.
const NO_STEP: u64 = 0;

impl Device {
    /// The request that opens the live connection (RFC 6455; the host adds the headers of the
    /// handshake). Good once; an answer other than 101 goes to [`Device::live_refused`].
    ///
    /// `None` when there is nobody to listen to, because the phone is not enrolled or was revoked,
    /// and when sync has to fetch an access token or a nonce first: sync, then ask again.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn live_request(&mut self) -> Result<Option<HttpRequest>, DeviceError> {
        let now = self.host.clock.read()?;
        let db = self.store.read();
        if meta::get::<Enrolment>(db, ENROLMENT)?.is_some() || meta::flag(db, REVOKED)? {
            return Ok(None);
        }
        let server: Option<String> = meta::get(db, SERVER)?;
        let nonce: Option<String> = meta::get(db, NONCE)?;
        let token = account::access(db, &now)?;
        let (Some(server), Some(nonce), Some(token)) = (server, nonce, token) else {
            return Ok(None);
        };
        let url = format!("{server}/v1/live");
        let occasion = Occasion {
            method: "GET",
            url: &url,
            access_token: Some(&token),
            nonce: Some(&nonce),
            issued_at_s: now.wall_ms.div_euclid(1000),
        };
        let proof = dpop::proof(&self.host, &occasion)?;
        let headers = vec![("authorization", format!("DPoP {token}")), ("dpop", proof)];
        Ok(Some(HttpRequest {
            id: NO_STEP,
            method: "GET",
            url,
            headers,
            body: Vec::new(),
            deadline_ms: OPENING_MS,
        }))
    }

    /// The hub answered with something else than a connection. Says whether to ask again at once,
    /// which is so when the answer brought the nonce that was missing; otherwise leave it for a
    /// while.
    ///
    /// # Errors
    /// When the store fails.
    pub fn live_refused(&mut self, reply: &HttpReply) -> Result<bool, DeviceError> {
        let (again, token_is_bad) = self.store.write(|tx| {
            let fresh_nonce = keep_nonce(tx, reply)?;
            if reply.status != 401 {
                return Ok((false, false));
            }
            if fresh_nonce && wants_fresh_proof(reply) {
                return Ok((true, false));
            }
            account::drop_access(tx)?;
            Ok((false, true))
        })?;
        self.pace.due |= token_is_bad;
        Ok(again)
    }

    /// Reads a message of the live connection. When it tells of something that this phone has not
    /// read yet, an exchange is due ([`Device::sync_soon`]) and the answer is `true`. Bytes that are
    /// no poke change nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub fn poked(&mut self, frame: &[u8]) -> Result<bool, DeviceError> {
        let Ok(Poke { bucket, seq }) = wire::decode::<Poke>(frame) else { return Ok(false) };
        let cursors = feed::cursors(self.store.read())?;
        let read = cursors.iter().find(|cursor| cursor.bucket == bucket);
        let is_news = seq == 0 || read.is_none_or(|cursor| cursor.seq < seq);
        if is_news {
            self.sync_soon();
        }
        Ok(is_news)
    }
}

//! Server nonces for DPoP (RFC 9449 section 8): they stand in for the phone's clock, which lies.
//!
//! A nonce is a MAC of the current five minutes, so it needs no memory and every node of a city
//! knows it. The nonce before is still taken.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::time::Millis;

/// Milliseconds that one nonce is the newest.
pub(super) const GENERATION_MS: i64 = 5 * 60 * 1000;
/// No request reaches the hub later than this after it was composed: its nonce would be too old.
pub(crate) const OLDEST_REQUEST_MS: i64 = 2 * GENERATION_MS;

/// Makes and recognises nonces.
#[derive(Debug)]
pub(super) struct Nonces(hmac::Key);

impl Nonces {
    pub(super) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The nonce to use at `now`.
    pub(super) fn current(&self, now: Millis) -> String {
        self.of(generation(now))
    }

    /// The generation that `nonce` belongs to, if that is the current one or the one before.
    pub(super) fn recognise(&self, nonce: &str, now: Millis) -> Option<i64> {
        let newest = generation(now);
        [newest, newest - 1].into_iter().find(|generation| {
            let expected = self.of(*generation);
            constant_time::verify_slices_are_equal(expected.as_bytes(), nonce.as_bytes()).is_ok()
        })
    }

    fn of(&self, generation: i64) -> String {
        let mac = hmac::sign(&self.0, &generation.to_be_bytes());
        // 72 bits can only be guessed by asking, and are sent twice with every request.
        URL_SAFE_NO_PAD.encode(&mac.as_ref()[..9])
    }
}

fn generation(now: Millis) -> i64 {
    now.0.div_euclid(GENERATION_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_lives_for_the_rest_of_its_five_minutes_and_the_next() {
        let nonces = Nonces::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let start = Millis(7 * GENERATION_MS);
        let nonce = nonces.current(start);
        assert_eq!(nonces.current(start.plus(GENERATION_MS - 1)), nonce);
        assert_eq!(nonces.recognise(&nonce, start), Some(7));
        assert_eq!(nonces.recognise(&nonce, start.plus(2 * GENERATION_MS - 1)), Some(7));
        assert_eq!(nonces.recognise(&nonce, start.plus(2 * GENERATION_MS)), None);
        assert_eq!(nonces.recognise(&nonce, start.plus(-1)), None);
        assert_eq!(nonces.recognise("", start), None);
        let other = Nonces::new(hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]));
        assert_eq!(other.recognise(&nonce, start), None);
    }
}

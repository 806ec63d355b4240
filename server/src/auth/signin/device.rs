//! Devices that signed in before. A sign-in with a password gives its device a token; tries that bring it are
//! counted apart (OWASP's device cookies), so that who knows a login name cannot keep its owner waiting at
//! the desk where they always sign in. The token opens nothing, the hub keeps none, and none outlives the password
//! that it was given for: who knew a former one has no tries of their own left.

use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::id::Hash;
use onscene_sync_core::time::Millis;

use super::SignIn;
use super::password::NOBODY;
use crate::random::{self, Random};

/// How long a device is known after a sign-in.
const KNOWN_MS: i64 = 180 * 24 * 60 * 60_000;
/// 128 random bits and the token's end.
const BODY_BYTES: usize = 24;
/// The body and a MAC, in base64.
const TOKEN_CHARS: usize = 75;

impl SignIn {
    /// A token for a device that just signed in under `login` with the `password` of this PHC string.
    #[must_use]
    pub fn new_device(
        &self,
        (login, password): (&str, &str),
        random: &dyn Random,
        now: Millis,
    ) -> String {
        let mut token = random::bytes::<16>(random).to_vec();
        token.extend(now.plus(KNOWN_MS).0.to_be_bytes());
        let mac = self.of_device(login, password, &token);
        token.extend(mac.as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The device of a token that was given for this login name and its present password (`None`: nobody has
    /// the name); `None` for any other text.
    #[must_use]
    pub fn known_device(
        &self,
        (login, password): (&str, Option<&str>),
        token: &str,
        now: Millis,
    ) -> Option<Hash> {
        if token.len() != TOKEN_CHARS {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, mac) = token.split_at_checked(BODY_BYTES)?;
        let end = body.last_chunk().copied().map(i64::from_be_bytes)?;
        let expected = self.of_device(login, password.unwrap_or(NOBODY), body);
        constant_time::verify_slices_are_equal(expected.as_bytes(), mac).ok()?;
        (now.0 < end).then_some(expected)
    }

    /// The body has a fixed length and a name no zero byte, so no two texts are alike.
    fn of_device(&self, login: &str, password: &str, body: &[u8]) -> Hash {
        self.keyed(b"device", &[body, login.as_bytes(), &[0], password.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn a_device_is_known_under_the_name_and_password_that_it_signed_in_with_and_for_a_while()
    {
        let store = TestStore::sqlite().await;
        let (app, _) = store.app().await;
        let (auth, now) = (&app.auth.sign_in, app.now());
        let new = || auth.new_device(("li", "$first"), &*app.random, now);
        let known = |login, password, token: &str| auth.known_device((login, password), token, now);
        let token = new();
        assert_eq!(token.len(), super::TOKEN_CHARS);
        let device = known("li", Some("$first"), &token);
        assert!(device.is_some());
        assert_ne!(known("li", Some("$first"), &new()), device);
        assert_eq!(known("wang", Some("$first"), &token), None);
        assert_eq!(known("li", Some("$second"), &token), None);
        assert_eq!(known("li", None, &token), None);
        let late = now.plus(super::KNOWN_MS);
        assert_eq!(auth.known_device(("li", Some("$first")), &token, late), None);
        let mut forged = token.clone().into_bytes();
        forged[30] ^= 1;
        let forged = String::from_utf8_lossy(&forged).into_owned();
        for wrong in ["", "x", &token[1..], &forged, &"é".repeat(40)] {
            assert_eq!(known("li", Some("$first"), wrong), None, "{wrong}");
        }
    }
}

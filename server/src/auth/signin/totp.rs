//! Codes of an authenticator (TOTP, RFC 6238): six digits, a new one each half minute.

use std::fmt;

use aws_lc_rs::constant_time;
use onscene_sync_core::id::PersonId;
use onscene_sync_core::time::Millis;
use totp_rs::{Algorithm, TOTP};

use super::SignIn;
use super::login::LoginName;
use crate::vault::seal::{self, Fresh, Place};

/// Bytes of the secret: those of SHA-1, the one algorithm that every authenticator knows.
pub const SECRET_BYTES: usize = 20;
/// Seconds of one step.
const STEP_S: i64 = 30;
/// Steps before and after that are taken too: phones' clocks differ.
const SKEW: i64 = 1;
const DIGITS: usize = 6;
/// What the authenticator shows beside the login name.
const ISSUER: &str = "Onscene";

/// What the hub and an authenticator share. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// These random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// For the authenticator's camera: `otpauth://totp/…`.
    #[must_use]
    pub fn uri(&self, login: &LoginName) -> String {
        self.totp(login.as_str()).get_url()
    }

    /// For typing: base 32.
    #[must_use]
    pub fn base32(&self) -> String {
        self.totp("").get_secret_base32()
    }

    /// The step whose code this is, if it is later than the last that was used. Each step is
    /// compared, whichever is right.
    #[must_use]
    pub fn step_of(&self, code: &str, now: Millis, last: i64) -> Option<i64> {
        let totp = self.totp("");
        let present = now.0.div_euclid(1000 * STEP_S);
        let right = |step: i64| {
            let seconds = u64::try_from(step * STEP_S).unwrap_or(0);
            let expected = totp.generate(seconds);
            constant_time::verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok()
        };
        let mut found = None;
        for step in present - SKEW..=present + SKEW {
            if right(step) && step > last {
                found = Some(step);
            }
        }
        found
    }

    /// The code of a moment.
    #[cfg(test)]
    pub(crate) fn code(&self, at: Millis) -> String {
        self.totp("").generate(u64::try_from(at.0 / 1000).unwrap())
    }

    fn totp(&self, account: &str) -> TOTP {
        let step = STEP_S.unsigned_abs();
        let issuer = Some(ISSUER.to_owned());
        TOTP::new(Algorithm::SHA1, DIGITS, 1, step, self.0.to_vec(), issuer, account.to_owned())
            .expect("the lengths are right and no colon is in the names")
    }
}

/// Whether this has the form of a code, and not that of a recovery code.
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SignIn {
    /// A secret as the database holds it.
    #[must_use]
    pub fn seal_totp(&self, person: PersonId, fresh: Fresh, secret: &Secret) -> Vec<u8> {
        seal::seal(&self.totp, fresh, Place::SecondFactor(person), &secret.0)
    }

    /// Opens what [`SignIn::seal_totp`] made.
    #[must_use]
    pub fn open_totp(&self, person: PersonId, sealed: &[u8]) -> Option<Secret> {
        let plain = seal::open(&self.totp, Place::SecondFactor(person), sealed)?;
        plain.try_into().ok().map(Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    const RFC: Secret = Secret(*b"12345678901234567890");

    #[test]
    fn codes_are_those_of_the_rfc() {
        // The RFC's codes have eight digits: the last six are those of a code of six.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(RFC.code(Millis(seconds * 1000)), code);
        }
    }

    #[test]
    fn a_code_is_good_for_a_minute_and_a_half_and_once() {
        let now = Millis(1_234_567_890_000);
        let step = now.0 / 30_000;
        for (offset, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let code = RFC.code(now.plus(offset * 30_000));
            assert_eq!(RFC.step_of(&code, now, 0), good.then_some(step + offset), "{offset}");
        }
        let code = RFC.code(now);
        assert_eq!(RFC.step_of(&code, now, step), None, "used");
        assert_eq!(
            RFC.step_of(&RFC.code(now.plus(-30_000)), now, step),
            None,
            "an earlier one too"
        );
        assert_eq!(RFC.step_of(&RFC.code(now.plus(30_000)), now, step), Some(step + 1));
        for wrong in ["", "00000", "0059240", "００５９２４", "abcdef"] {
            assert_eq!(RFC.step_of(wrong, now, 0), None);
        }
    }

    #[test]
    fn the_uri_is_what_authenticators_read() {
        let login = LoginName::try_from("li.ming".to_owned()).unwrap();
        let uri = RFC.uri(&login);
        assert!(
            uri.starts_with(
                "otpauth://totp/Onscene:li.ming?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            ),
            "{uri}"
        );
        assert!(uri.contains("issuer=Onscene"), "{uri}");
        assert_eq!(RFC.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_form_tells_a_code_from_a_recovery_code() {
        assert!(is_code("005924"));
        for other in ["5924", "7K3F-9QXD-7K3F-9QXD", "００５９２４", "12345a"] {
            assert!(!is_code(other));
        }
    }
}

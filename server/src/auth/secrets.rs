//! The secrets of this module. All follow from one seed, so that nodes that share the key files
//! agree on them, and none can pass for another.

use std::fmt;

use aws_lc_rs::hmac;

/// What signs tokens, makes nonces and hashes codes. `Debug` does not show it.
pub struct Secrets {
    /// Signs access tokens (Ed25519 seed).
    pub(super) token_seed: [u8; 32],
    /// Makes DPoP nonces.
    pub(super) nonce: hmac::Key,
    /// Hashes enrolment codes, so that a copy of the database alone cannot be searched for them.
    pub(super) code: hmac::Key,
    /// Seals the secrets of authenticators.
    pub(super) totp: [u8; 32],
    /// Makes and hashes what people sign in with.
    pub(super) sign_in: hmac::Key,
}

impl Secrets {
    /// Derives them from 32 uniformly random bytes.
    #[must_use]
    pub fn derive(seed: &[u8; 32]) -> Self {
        let mac = |label| hmac::Key::new(hmac::HMAC_SHA256, &expand(seed, label));
        Self {
            token_seed: expand(seed, "onscene access token v1"),
            nonce: mac("onscene dpop nonce v1"),
            code: mac("onscene enrolment code v1"),
            totp: expand(seed, "onscene authenticator v1"),
            sign_in: mac("onscene sign-in v1"),
        }
    }
}

/// HKDF-Expand (RFC 5869) of one block, the label as its info.
fn expand(seed: &[u8; 32], label: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let block = hmac::sign(&key, &[label.as_bytes(), &[1]].concat());
    block.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_a_secret_of_its_own() {
        let secrets = Secrets::derive(&[1; 32]);
        assert_eq!(secrets.token_seed, Secrets::derive(&[1; 32]).token_seed);
        assert_ne!(secrets.token_seed, Secrets::derive(&[2; 32]).token_seed);
        assert_ne!(secrets.token_seed, [1; 32]);
        let tag = |key| hmac::sign(key, b"same").as_ref().to_vec();
        assert_ne!(tag(&secrets.nonce), tag(&secrets.code));
        assert_ne!(tag(&secrets.sign_in), tag(&secrets.code));
        assert_ne!(secrets.totp, secrets.token_seed);
    }
}

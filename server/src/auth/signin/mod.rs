//! How people at desks sign in: by password and authenticator, or through an identity provider.
//!
//! | module | does |
//! |---|---|
//! | [`login`], [`password`], [`totp`], [`recovery`] | what people sign in with |
//! | [`invitation`] | how they come to it |
//! | [`prove`] | one try: password and code, in the same steps for every name |
//! | [`oidc`] | sign-in through an OpenID Connect provider |
//! | [`session`] | what a sign-in gives |
//! | [`throttle`], [`source`] | waiting times after failures, per account and per address |
//! | [`device`] | devices that signed in before, whose failures are counted apart |
//! | [`account`] | what an administrator sees and takes away |
//!
//! Nothing of this is in the way of a phone: a phone has a key and a token of its own ([`enrol`](super::enrol)),
//! and neither failures nor resets of its owner touch them.

use aws_lc_rs::hmac;
use axum::http::{HeaderValue, StatusCode, header};
use onscene_sync_core::id::Hash;

use crate::config::Config;
use crate::problem::Problem;
use crate::vault::seal;

use super::secrets::Secrets;

pub mod account;
pub mod device;
pub mod invitation;
pub mod login;
pub mod oidc;
pub mod password;
pub mod prove;
pub mod recovery;
pub mod session;
pub mod source;
pub mod throttle;
pub mod totp;

/// What recognises people: part of [`Auth`](super::Auth).
#[derive(Debug)]
pub struct SignIn {
    /// Hashes passwords, a few at a time.
    pub passwords: password::Hasher,
    /// The identity provider, if one is configured.
    pub oidc: Option<oidc::Provider>,
    /// Seals the secrets of authenticators.
    totp: seal::Key,
    mac: hmac::Key,
}

impl SignIn {
    pub(super) fn new(secrets: &Secrets, config: &Config) -> Self {
        Self {
            passwords: password::Hasher::default(),
            oidc: oidc::Provider::new(&config.oidc),
            totp: seal::Key::from_bytes(secrets.totp),
            mac: secrets.sign_in.clone(),
        }
    }

    /// The same for the same text and purpose, and nothing else to who has not the hub's keys.
    fn keyed(&self, purpose: &[u8], text: &[u8]) -> Hash {
        let mac = hmac::sign(&self.mac, &[purpose, &[0], text].concat());
        Hash::from_bytes(mac.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes"))
    }
}

/// The answer to every try that failed, whichever part was wrong.
fn not_right() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "sign_in_failed", "Not signed in")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        .detail(
            "the login name, the password or the code is not right; a code of the authenticator is \
             good once: wait for the next",
        )
}

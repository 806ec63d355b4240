//! Who calls, and what they may see.
//!
//! | module | holds |
//! |---|---|
//! | [`gate`] | routes, each with the access it demands |
//! | [`role`], [`grants`], [`viewer`] | what posts there are, who may do what, and how far it reaches |
//! | [`token`], [`dpop`], [`jwk`] | a phone's access token and the proof that it is the phone's |
//! | [`enrol`], [`refresh`] | how a phone comes to its tokens |
//! | [`signin`] | how people at desks sign in |
//! | [`staff`] | keys of people at desks, and of other systems |

use std::fmt;

use aws_lc_rs::hmac;

use crate::config::Config;

mod api_key;
mod credentials;
pub mod dpop;
pub mod enrol;
pub mod gate;
pub mod grants;
pub mod jwk;
pub(crate) mod nonce;
pub mod refresh;
pub mod role;
mod secrets;
pub mod signin;
pub mod staff;
pub mod token;
pub mod viewer;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use credentials::{desk, role_column};
pub use gate::{Access, Proven, Route, Routes, Words};
pub use grants::{Action, Reach};
pub use role::Role;
pub use viewer::{SWEEP, Scope, Seat, Sweep, Viewer};

/// What recognises callers: part of [`App`](crate::app::App).
pub struct Auth {
    /// Issues and reads access tokens.
    pub tokens: token::AccessTokens,
    /// Checks proofs of possession.
    pub proofs: dpop::Proofs,
    /// Recognises people by what they sign in with.
    pub sign_in: signin::SignIn,
    code: hmac::Key,
}

impl Auth {
    /// For the hub that `config` describes, with everything secret following from `seed`.
    ///
    /// # Errors
    /// When the signatures of this build do not work.
    pub fn new(seed: &[u8; 32], config: &Config) -> Result<Self, token::SelfTestFailed> {
        let secrets = secrets::Secrets::derive(seed);
        let public_url = config.http.public_url.trim_end_matches('/');
        Ok(Self {
            tokens: token::AccessTokens::new(&secrets, public_url)?,
            proofs: dpop::Proofs::new(&secrets, public_url),
            sign_in: signin::SignIn::new(&secrets, config),
            code: secrets.code,
        })
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

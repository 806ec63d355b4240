//! Who asks, and what they may do.

pub mod dpop;
pub mod jwk;
pub mod keys;
mod nonce;
pub mod token;

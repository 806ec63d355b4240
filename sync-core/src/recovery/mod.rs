//! Recovery: what a phone that lost the key to its store hands to the bureau as it is.
//!
//! The hub offers a public key, signed ([`offer`]). The phone seals its store's key to it, once and
//! while all is well ([`escrow`]). When the phone's own key store fails for good, the sealed records
//! go into a [`file`](mod@file) unread; only the hub opens it.

pub mod escrow;
pub mod file;
pub mod offer;

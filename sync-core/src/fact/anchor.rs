//! The anchor: the hub's signed "at this moment your chain ended here".
//!
//! It is a receipt (what its head covers existed before) and a time signal (what names it came
//! after). Every sync reply carries one.

use minicbor::{Decode, Encode};

use crate::id::{DeviceId, FactId};
use crate::time::Millis;

/// The end of one installation's chain of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Head {
    /// Which installation.
    #[n(0)]
    pub install: u32,
    /// Its newest fact's place in the chain; 0 with no fact yet.
    #[n(1)]
    pub seq: u64,
    /// That fact; `None` exactly when `seq` is 0.
    #[n(2)]
    pub fact: Option<FactId>,
}

/// What the hub signs with Ed25519 in a COSE_Sign1 envelope (RFC 9052).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Anchor {
    /// The phone it is for.
    #[n(0)]
    pub device: DeviceId,
    /// Counted from 1 for each device.
    #[n(1)]
    pub number: u64,
    /// The head that the phone's request named.
    #[n(2)]
    pub head: Head,
    /// The hub's clock.
    #[n(3)]
    pub at: Millis,
}

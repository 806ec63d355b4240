//! Facts: what a person or the hub states, once and for ever.
//!
//! A [`Fact`] is the payload; [`envelope`] signs it and reads it back; [`body`] lists everything
//! that can be stated, [`intake`] what is at the first call, [`telling`] what is about the complainant;
//! [`anchor`] is the hub's signed statement of the time. The facts of one installation of a device
//! form a chain over all its documents ([`DeviceAuthor::prev`]), so that a gap or a fork shows.

pub mod anchor;
pub mod body;
pub mod envelope;
pub mod intake;
pub mod telling;

use minicbor::{Decode, Encode};

use crate::id::{DeviceId, DocId, FactId};
use crate::time::{ClockReading, Millis};

pub use body::Body;

/// The version of the fact encoding that this build writes, and the newest that it reads.
pub const FACT_VERSION: u8 = 1;

/// One statement, bound to its document and its author.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Fact {
    /// [`FACT_VERSION`] of the writer.
    #[n(0)]
    pub version: u8,
    /// The document it belongs to: a fact cannot be moved into another one.
    #[n(1)]
    pub doc: DocId,
    /// Who states it.
    #[n(2)]
    pub author: Author,
    /// What is stated.
    #[n(3)]
    pub body: Body,
}

/// Who states a fact, with what proves when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Author {
    /// A phone.
    #[n(0)]
    Device(#[n(0)] DeviceAuthor),
    /// The hub, at this moment of its clock.
    #[n(1)]
    Hub(#[n(0)] Millis),
}

/// A phone as author: its place in its own chain and what its clocks showed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceAuthor {
    /// The phone.
    #[n(0)]
    pub device: DeviceId,
    /// Which installation of it.
    #[n(1)]
    pub install: u32,
    /// Place in the installation's chain, from 1 without gaps.
    #[n(2)]
    pub seq: u64,
    /// The fact at `seq - 1`; `None` exactly for the first.
    #[n(3)]
    pub prev: Option<FactId>,
    /// The clocks when the person acted.
    #[n(4)]
    pub clock: ClockReading,
    /// Anchors received since the previous fact, oldest first, at most
    /// [`ANCHOR_REFS`](crate::limits::ANCHOR_REFS).
    #[n(5)]
    pub anchors: Vec<AnchorRef>,
    /// Set when this fact states again what an earlier one stated that the hub refused or that a
    /// restored backup made unusable: the id of that earlier fact.
    #[n(6)]
    pub restates: Option<FactId>,
}

/// A phone's reference to an anchor that it received, with its own clock around the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AnchorRef {
    /// Number of the anchor, counted by the hub for each device.
    #[n(0)]
    pub number: u64,
    /// [`fact_id`](crate::crypto::fact_id) of the anchor's envelope: known only to who received it.
    #[n(1)]
    pub proof: FactId,
    /// Boot clock when the request left, nanoseconds.
    #[n(2)]
    pub sent_boot_ns: u64,
    /// Boot clock when the anchor arrived, nanoseconds.
    #[n(3)]
    pub received_boot_ns: u64,
}

impl Fact {
    /// The phone that states it, if a phone does.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceAuthor> {
        match &self.author {
            Author::Device(device) => Some(device),
            Author::Hub(_) => None,
        }
    }
}

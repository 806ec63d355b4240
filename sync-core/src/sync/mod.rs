//! The sync protocol: one request does both directions.
//!
//! The hub's half: [`admission`] lets changes into documents, [`bucket`] is the log of a feed and
//! cuts pages from it, [`chain`] tells a restored phone from a sound one. The phone's half:
//! [`device`] asks, [`replica`] reads the answer. [`message`] holds what travels, [`wire`] its
//! encoding, [`version`] who can talk to whom.
//!
//! # Invariants
//! - A request may be repeated, reordered against others, or cut: the hub recognises every change
//!   by its hash.
//! - A refused change is a value in an ordinary reply. It never blocks the changes of other
//!   documents, and it is kept whole at the hub.
//! - Each bucket has one gapless sequence; what a cursor has passed is never missing.
//! - The checksum of a bucket is the wrapping sum of [`Hash::prefix`](crate::id::Hash::prefix) over
//!   all admitted changes of all documents that are in it now; the genesis change counts nothing.

pub mod admission;
pub mod bucket;
pub mod chain;
pub mod device;
pub mod message;
pub mod replica;
pub mod version;
pub mod wire;

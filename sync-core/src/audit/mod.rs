//! The audit log as mathematics: a Merkle tree (RFC 6962) over entries that nobody rewrites, and the
//! hub's signed word on it.
//!
//! | module | holds |
//! |---|---|
//! | [`tree`] | hashes, proofs that an entry is in the log, proofs that a log only grew |
//! | [`checkpoint`] | size and root, signed; as a C2SP note and as it travels |
//! | [`witness`] | what a phone keeps of them, and what it makes of the next one |
//!
//! What an entry says is the hub's business: here it is bytes.

pub mod checkpoint;
pub mod tree;
pub mod witness;

//! Hand-over without a network: what two phones of a unit tell each other over any pipe of bytes.
//!
//! Each phone shows a [`hello`]: its [`certificate`], a key made for this meeting, and what it knows
//! already. Whoever has seen a hello can answer with [`part`]s that only that phone can read. So one
//! direction is enough once a hello has been seen: from screen to camera, say ([`frames`]).
//!
//! What is handed over carries its author's proof: facts and changes go as they are, and a signed
//! [`statement`] lists the changes. A phone passes on what it was given together with these proofs,
//! and whichever phone meets the hub first delivers it.
//!
//! # Invariants
//! - Nothing goes to a phone of another unit, and no recheck goes to any.
//! - A part stands by itself: parts may be lost, repeated, or come in any order.
//! - What a phone is given never enters its copy of the hub's state; it lies beside it.

pub mod certificate;
pub mod frames;
pub mod hello;
pub mod part;
pub mod statement;

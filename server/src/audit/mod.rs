//! The audit log: every write that matters and every look at a complainant, in an order that cannot
//! be rewritten without it showing.
//!
//! | module | does |
//! |---|---|
//! | [`entry`] | what is logged, in the transaction of the deed itself |
//! | [`keeper`] | gives entries their places and signs checkpoints, once a minute |
//! | `tiles` | the hashes of the tree (RFC 6962) |
//! | [`news`] | what phones are told, and what they testify |
//! | [`proof`] | that one entry is in the log, for somebody without the database |
//! | [`list`] | the log as an auditor reads it |
//! | [`verify`] | the whole log against its tree, its checkpoints and the record |
//!
//! An entry has no place in the log until the keeper comes by: a counter in every transaction would
//! make all writers wait for each other's disk. What is deleted before a phone has seen a checkpoint
//! over it, a minute or so, leaves no trace here; from then on nothing can be changed, taken out or
//! cut off unseen, whoever holds the database and even the hub's key.
//!
//! Entries hold ids and hashes, no words of people. They are never deleted.

pub mod entry;
pub mod keeper;
pub mod list;
pub mod news;
pub mod proof;
mod tiles;
pub mod verify;

pub use entry::{Deed, Entry, note};
pub use keeper::{Keeper, tend};

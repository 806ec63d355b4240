//! Text messages to complainants: ordered by a person, sent through a gateway, told only when delivered.
//!
//! | module | does |
//! |---|---|
//! | [`template`] | the texts, what is filled into them, and how many parts they make |
//! | [`outbox`] | the messages, each with what became of it |
//! | [`order`] | a person has a message sent |
//! | [`send`] | reads the number, calls the gateway, asks it about what is unclear |
//! | [`standing`] | what the gateway says of a message becomes its state, and a fact of the case |
//! | [`reply`] | what complainants write back |
//! | [`gateway`] | the gateway as a trait, over signed HTTP |
//!
//! A number is read from the vault when a message leaves, on record like any look, and is never
//! written down. A message is known to the gateway by its id: what was not answered is asked about, not
//! sent again.

pub mod gateway;
pub mod order;
pub mod outbox;
pub mod reply;
pub mod send;
pub mod standing;
pub mod template;
#[cfg(test)]
pub(crate) mod testing;

use crate::jobs::Work;

/// Long work of messages.
pub const WORK: &[(&str, Work)] =
    &[(send::SEND, send::run), (send::EXPIRE, send::expire), (send::ASK, send::ask)];

//! Notices: what people are told at their desks, each once.
//!
//! | module | holds |
//! |---|---|
//! | [`event`] | what is told, as jobs in the transaction that calls for it |
//! | [`warn`] | clocks that are about to run out |
//! | [`address`] | who stands where now |
//! | [`inbox`] | what each person was told, and has read |
//!
//! A notice holds ids, numbers and moments, never words of a case, so nothing of a complainant can be
//! in one. Whom it goes to is [`rules::escalation`](onscene_sync_core::rules::escalation).

pub mod address;
pub mod event;
pub mod inbox;
pub mod warn;

use crate::jobs::Effect;

/// Handlers of the jobs here.
pub const HANDLERS: &[(&str, Effect)] = &[(event::TELL, event::run)];

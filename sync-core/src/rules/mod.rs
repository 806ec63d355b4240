//! Rules: facts in, verdict out. Pure, versioned, without a clock.
//!
//! [`arrival`] is the 60-minute rule. A phone runs it offline on what it has and the hub runs it on
//! what it received: the same function on the same kind of input. [`track`] tells whether two claims
//! rest on one receiver. [`record`] folds a case's facts, [`phase`] and [`clocks`] are read off the
//! fold, [`closing`] names what a case lacks to be closed, [`accountability`] says when a failure goes on to
//! discipline by itself, [`draw`] draws closed cases for a recheck, [`escalation`] says whom a notice goes to,
//! [`policy`] holds every limit, [`repeat`] says how likely two cases are one matter.

pub mod accountability;
pub mod arrival;
pub mod clocks;
pub mod closing;
pub mod draw;
pub mod escalation;
pub mod phase;
pub mod policy;
pub mod record;
pub mod repeat;
pub mod track;

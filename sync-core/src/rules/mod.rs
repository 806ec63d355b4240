//! Rules: facts in, verdict out. Pure, versioned, without a clock.
//!
//! [`arrival`] is the 60-minute rule. A phone runs it offline on what it has and the hub runs it on
//! what it received: the same function on the same kind of input.

pub mod arrival;

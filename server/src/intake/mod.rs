//! Intake: from the first call to a case that goes its way, or that is answered at once.
//!
//! | module | does |
//! |---|---|
//! | [`matters`] | kinds of matter, the reference data that an administrator keeps |
//! | [`at_once`] | what is not the bureau's, and what an earlier case answers |
//! | [`trace`] | what repeats are looked for by, one row for each case |
//! | [`candidates`] | cases that may be one matter |
//! | [`repeats`] | what people decide about them, and the chains that come of it |
//! | [`suggestions`] | what citizens suggest, by period, grouped by likeness |
//! | [`import`] | cases from files, line by line, none lost |
//!
//! Putting a matter on record itself is [`cases::register`](crate::cases::register).

pub mod at_once;
pub mod candidates;
pub mod import;
pub mod matters;
pub mod repeats;
pub mod suggestions;
pub mod trace;

#[cfg(test)]
mod tests;

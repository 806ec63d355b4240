//! Case and inspection documents, the rules that judge them, and the protocol that carries them.
//!
//! | module | holds |
//! |---|---|
//! | [`id`], [`time`], [`crypto`], [`limits`] | identifiers, moments, signatures, every bound |
//! | [`place`] | datums, positions, sites and the probability of being inside one |
//! | [`fact`] | what people and the hub state, signed and chained |
//! | [`evidence`] | what is said about the files of evidence while they travel |
//! | [`enrolment`] | the one-time code and its check words |
//! | [`document`] | the Automerge documents that hold facts |
//! | [`handover`] | what two phones tell each other without a network |
//! | [`guard`] | what of a phone's changes the hub lets into a document |
//! | [`recovery`] | what a phone that lost the key to its store still hands in |
//! | [`seal`] | values that only the holder of a key can read |
//! | [`rules`] | facts in, verdict out |
//! | [`audit`] | the log that shows when it is rewritten |
//! | [`privacy`] | what would give a person away in a free text |
//! | [`likeness`] | how alike two texts are, in Chinese as in English |
//! | [`sync`] | both halves of the protocol |
//!
//! Deliberately absent: files, sockets, threads, a clock, randomness. They are arguments, and the
//! linter refuses them here.

pub mod audit;
pub mod crypto;
pub mod document;
pub mod enrolment;
pub mod evidence;
pub mod fact;
pub mod guard;
pub mod handover;
pub mod id;
pub mod likeness;
pub mod limits;
pub mod place;
pub mod privacy;
pub mod recovery;
pub mod rules;
pub mod seal;
pub mod sync;
pub mod time;

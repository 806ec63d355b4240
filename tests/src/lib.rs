//! The real pieces driven together.
//!
//! | module | holds |
//! |---|---|
//! | [`hub`] | the server's own router and database in this thread |
//! | [`handset`] | clocks, keys and chance of a simulated phone |
//! | [`network`] | what becomes of a request |
//! | [`simulation`] | a bureau's days by seed, and what must hold after them |
//! | [`process`] | the real server, to be killed |
//! | [`oracle`] | what may stand in a document, said a second time |

#![expect(clippy::print_stdout, reason = "a simulated day can be told aloud")]

pub mod handset;
pub mod hub;
pub mod network;
pub mod oracle;
pub mod process;
pub mod simulation;

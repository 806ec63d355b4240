//! The command-line phone: the device library with a folder for storage and HTTP for transport.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | `onscene phone …` |
//! | [`drive`], [`transport`] | carries the library's requests to the hub and back |
//! | [`watch`], [`live`] | keeps the phone in sync, told by the hub when to |
//! | [`lend`], [`clocks`], [`folder`] | what this machine lends to the library |
//! | [`fixes`], [`gnsslogger`] | positions as testers type or record them |

pub mod cli;
pub mod clocks;
pub mod drive;
pub mod fixes;
pub mod folder;
pub mod gnsslogger;
pub mod lend;
pub mod live;
pub mod transport;
pub mod watch;

//! The command-line phone: the device library with a folder for storage and HTTP for transport.

pub mod clocks;
pub mod fixes;
pub mod folder;
pub mod gnsslogger;

//! The Onscene server, its command-line phone and its demonstration.

pub mod phone;

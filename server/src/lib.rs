//! The Onscene server, its command-line phone and its demonstration.

pub mod auth;
pub mod demo;
pub mod phone;

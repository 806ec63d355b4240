//! onscene-server

pub mod auth;

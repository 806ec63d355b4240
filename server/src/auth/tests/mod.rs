//! Identity through the real router, on both engines.

pub(crate) mod desk;
mod foreign;
pub(crate) mod kit;
mod matrix;
mod organisation;
mod phones;
mod requests;
mod sessions;
mod sign_in;

//! Identity through the real router, on both engines.

mod foreign;
pub(crate) mod kit;
mod matrix;
mod organisation;
mod phones;
mod requests;

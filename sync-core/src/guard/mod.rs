//! The guard: what of a phone's changes the hub lets into a document.

pub(crate) mod prescan;

//! The sealed evidence bundle of a case: one file that proves itself without the hub.
//!
//! | module | does |
//! |---|---|
//! | [`mod@format`] | what stands in a bundle, and how it is signed |
//! | [`gather`] | what the database holds of a case |
//! | [`export`] | from that and the blob store to a file |
//! | [`archive`] | reading the zip file of somebody who may wish ill |
//! | [`verify`] | from a file to what is proven and what is not, offline |
//!
//! It holds the changes of the case and of its visits, the public keys of the phones that wrote
//! them, the files of evidence with their receipts, what each verdict rests on, the proofs that all
//! of it stands in the audit log, and a manifest that the hub signs. Complainants are in the vault
//! alone, so none is in it.

pub mod archive;
pub mod export;
pub mod format;
pub mod gather;
pub mod verify;

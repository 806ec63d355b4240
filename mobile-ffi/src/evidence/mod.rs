//! Evidence: photos, videos and other files that show what was found and done.
//!
//! | module | holds |
//! |---|---|
//! | [`folder`] | the files themselves, beside the store |
//! | [`capture`] | taking one with the app's camera, or copying one in |
//! | [`unfinished`] | what a killed app left half done |
//! | [`list`] | where each file stands |
//! | [`inherit`] | files of a former store, whose key was lost |
//! | [`release`] | removing copies that the hub has signed for |
//!
//! # From the camera to the fact
//! The intent is in the store before the camera opens. When the file is whole it is synced to the
//! disk, gets its lasting name and is synced with its folder; only then does one transaction sign
//! the [`Manifest`](onscene_sync_core::fact::body::Manifest) and end the intent. So a kill at any
//! moment leaves an intent with or without its file, and never a fact without one. The bytes are
//! kept as the camera wrote them, with all that it noted in them.

mod capture;
mod folder;
mod hashing;
mod inherit;
mod list;
mod release;
mod unfinished;

pub use capture::{Capture, NewFile};
pub(crate) use folder::Folder;
pub(crate) use hashing::Hashing;
pub use inherit::InheritedFile;
pub use list::{EvidenceCounts, EvidenceItem, EvidenceState};
pub use unfinished::{StrayFile, UnfinishedCapture};

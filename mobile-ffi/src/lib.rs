//! The device as a library: what an inspector's phone records, keeps and delivers.
//!
//! The host opens a [`Device`] on a file, lends it clocks, key and chance ([`Host`]), calls the
//! domain methods as the person acts, and in the background does what [`Device::sync_next`] says.
//! All calls are synchronous, return errors as values and keep no thread, socket or timer.
//!
//! | module | holds |
//! |---|---|
//! | `device` | opening, enrolling, events |
//! | `record`, `arrival` | what a person does |
//! | `evidence` | files that show it: taking them, keeping them, where each stands |
//! | `work`, `items` | what a person sees |
//! | `sync` | requests out, answers in, and what the hub says in between |
//! | `upload` | the lane of the files: never before case data, never in its way |
//! | `handover` | what two phones give each other without a network |
//! | `author`, `act` | deeds as signed facts in changes; authoring anew after a refusal or restore |
//! | `recovery` | what can be done when the key to the store is lost |
//! | `space` | room on the phone |
//! | `store` | the one file, its values sealed |
//! | `software` | a key store in memory, for machines without secure hardware |
//! | [`face`] | all of it for Kotlin and Swift |
//!
//! # The promise
//! What a recording call has returned for survives any crash of the phone. What counts as delivered
//! has been acknowledged by the hub as durable. No answer of a hub can remove a record.

mod act;
mod arrival;
mod author;
mod device;
mod error;
mod evidence;
pub mod face;
mod handover;
mod host;
mod items;
mod recheck;
mod record;
mod recovery;
mod software;
mod space;
mod store;
#[cfg(test)]
mod stories;
mod sync;
#[cfg(test)]
mod testing;
mod upload;
mod work;

pub use arrival::{ArrivalReceipt, OpenArrival};
pub use device::{Device, OpenConfig, Standing};
pub use error::DeviceError;
pub use evidence::{
    Capture, EvidenceCounts, EvidenceItem, EvidenceState, InheritedFile, NewFile, StrayFile,
    UnfinishedCapture,
};
use face::UniFfiTag;
pub use handover::{Given, Handover, HandoverError};
pub use host::{Clock, Host, HostError, KeyStore, Random};
pub use items::{Counts, Item, ItemState, Storage};
pub use onscene_sync_core::enrolment::message::KeyLevel;
pub use recheck::Recheck;
pub use record::Job;
pub use software::SoftwareKeys;
pub use store::carried::Carried;
pub use store::events::{Event, EventKind};
pub use store::mend::{LostRecord, Mended};
pub use sync::{Applied, HttpReply, HttpRequest, Step, WaitReason};
pub use upload::{UploadBody, UploadRequest, UploadStep};
pub use work::{CaseView, Conflicts, InspectionView, Search, WorkItem};

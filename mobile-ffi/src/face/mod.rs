//! The library as Kotlin and Swift see it: the same calls with types that cross the boundary.
//!
//! Everything here is generated from with UniFFI. Rules that hold for every call:
//!
//! - It is synchronous and may touch the disk: never call it from a screen's thread.
//! - It fails with a [`PhoneError`] and nothing else. A bug in this library (a panic) is one too: the
//!   device is then opened anew from its store, which is as it was before the call.
//! - Between [`PhoneCore::suspend`] and [`PhoneCore::resume`] the store is closed and calls fail.
//! - Nothing calls out of a thread of this library, because it has none. What the platform lends
//!   ([`PhoneClock`], [`PhoneKeys`], [`PhoneLog`]) is called on the caller's thread, within the call.
//! - Times are milliseconds, the boot clock is nanoseconds, positions are degrees and lengths metres,
//!   as the platforms' own interfaces give them. Ids are text and mean nothing to an app.
//!
//! | module | holds |
//! |---|---|
//! | `core` | opening, closing, the one lock, panics |
//! | `host`, `log` | what the platform lends |
//! | `account`, `recording`, `arrival`, `evidence` | what a person does |
//! | `sync`, `upload` | its delivery |
//! | `meeting`, `former` | colleagues' phones, and files of a phone before this one |
//! | `work`, `case`, `history`, `complainant`, `conflicts`, `outbox` | what a person sees |
//! | `care` | damage, memory, a key that is gone |
//! | `place`, `convert` | positions, and how values cross |
//! | `error` | what a call can fail with |

mod account;
mod arrival;
mod care;
mod case;
mod complainant;
mod conflicts;
mod convert;
mod core;
mod error;
mod evidence;
mod former;
mod history;
mod host;
mod log;
mod meeting;
mod outbox;
mod place;
mod recording;
mod sync;
#[cfg(test)]
mod tests;
mod upload;
mod work;

pub use self::core::{CoreInfo, PhoneConfig, PhoneCore, core_info};
pub use account::{Enrolment, PhoneStanding};
pub use arrival::{
    Arrival, ArrivalTiming, ArrivalVerdict, Conclusion, EvidenceWindow, PlaceGrade, TimeGrade,
    UnfinishedArrival, VerdictReason,
};
pub use care::{RecordLost, StoreMended, recovery_file, set_aside};
pub use case::{CaseOrder, PhoneCase};
pub use complainant::{ComplainantOpinion, NoReach, OpinionDecision};
pub use conflicts::{RivalAnswers, RivalAuthor, RivalOutcome, RivalSite, VisitConflicts};
pub use error::{HostFailure, KeyFault, MeetingFault, PhoneError, StorageFault};
pub use evidence::{
    EvidenceCapture, EvidenceFile, EvidencePlace, EvidenceRecord, FileCounts, FileState, MediaKind,
    UnfinishedFile, UnknownFile,
};
pub use former::FormerFile;
pub use history::{HistoryEntry, HistoryEvent};
pub use host::{PhoneClock, PhoneKeyLevel, PhoneKeys, PhoneReading};
pub use log::{LogField, LogLevel, LogLine, PhoneLog};
pub use meeting::{CarriedCounts, FrameTaken, MeetingState, PhoneMeeting};
pub use outbox::{PhoneEvent, PhoneEventKind, PhoneRecord, RecordCounts, RecordState, StorageUsed};
pub use place::{Datum, FixProvider, PhoneFix, PhoneSite, Place, SiteShape};
pub use recording::{ChecklistAnswer, PatrolFinding, VisitOutcome, VisitReport};
pub use sync::{PhoneHeader, PhoneReply, PhoneRequest, ReplyTaken, SyncStep, WaitFor};
pub use upload::{FileRange, FileRequest, FileStep};
pub use work::{CasePhase, PhoneRecheck, PhoneWork, WorkCursor, WorkSearch};

uniffi::setup_scaffolding!();

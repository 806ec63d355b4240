//! The 60-minute rule: was a team on scene in time?
//!
//! [`judge`] is one pure function. The phone runs it offline on what it holds, the hub on what it
//! received; a [`Verdict`] carries every number that led to it. Time and place
//! are found apart from each other, and the verdict is the weaker of the two: only a proven place
//! with a proven or attested time is settled by the machine. Everything weaker goes to a person.

mod flag;
mod policy;
mod reason;
mod verdict;

use std::collections::BTreeSet;

use crate::fact::DeviceAuthor;
use crate::fact::body::ArrivalClaim;
use crate::id::BootId;
use crate::place::Site;
use crate::time::{Interval, Millis};

pub use flag::{Flag, Weight};
pub use policy::ArrivalPolicy;
pub use reason::{Language, Reason};
pub use verdict::{
    AnchorBound, Conclusion, DropReason, Dropped, FixSummary, Grade, PlaceEvidence, PlaceGrade,
    TimeEvidence, Timing, Verdict, WindowFinding,
};

/// An anchor that the phone received, as the hub signed it and as the phone's boot clock saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAnchor {
    /// Its number, counted by the hub for each device.
    pub number: u64,
    /// The hub's clock when it signed.
    pub at: Millis,
    /// The boot that the two readings belong to.
    pub boot: BootId,
    /// Boot clock when the request left, nanoseconds.
    pub sent_boot_ns: u64,
    /// Boot clock when the anchor arrived, nanoseconds.
    pub received_boot_ns: u64,
}

/// One arrival claim and all that is known around it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// When the hub issued the order.
    pub order_issued_at: Millis,
    /// When the unit received it: the clock starts.
    pub started_at: Millis,
    /// Where the order sends the team; `None` for a matter without a place.
    pub site: Option<&'a Site>,
    /// What the phone claims.
    pub claim: &'a ArrivalClaim,
    /// The author part of the fact that holds the claim.
    pub author: &'a DeviceAuthor,
    /// All anchors of the device that are known with their boot readings, in any order, also those
    /// of other boots and those received after the claim.
    pub anchors: &'a [KnownAnchor],
    /// When the hub first saw a chain head that covers the fact; `None` on the phone.
    pub not_after: Option<Millis>,
    /// The newest thing signed by the hub in the fact's ancestry: the order's issue if the fact
    /// names the order, the newest anchor that it or an earlier fact of its chain refers to.
    pub not_before: Option<Millis>,
    /// What the caller found out about the fact and its author.
    pub circumstances: &'a BTreeSet<Flag>,
}

/// Judges a claim. Total: whatever the question holds, there is a verdict.
#[must_use]
pub fn judge(question: &Question<'_>, policy: &ArrivalPolicy) -> Verdict {
    let tap = question.claim.tap.boot_ns;
    let hard = Interval { earliest: question.not_before, latest: question.not_after };
    Verdict {
        conclusion: Conclusion::NeedsReview,
        policy: policy.version,
        grade: Grade::Unknown,
        place: PlaceGrade::Uncertain,
        started_at: question.started_at,
        deadline: question.started_at.plus(policy.limit_ms),
        timing: Timing::Unsettled,
        reasons: vec![Reason::PlaceUncertain, Reason::TimeUnknown],
        flags: question.circumstances.clone(),
        time: TimeEvidence {
            tap_boot_ns: tap,
            arrival_boot_ns: tap,
            hard,
            soft: None,
            bounds: hard,
            anchors: 0,
            binding: Vec::new(),
        },
        position: PlaceEvidence {
            compared_in: None,
            fixes: FixSummary::default(),
            windows: 0,
            windows_inside: 0,
            deciding: Vec::new(),
        },
        thresholds: policy.clone(),
    }
}

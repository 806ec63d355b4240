//! The 60-minute rule: was a team on scene in time?
//!
//! [`judge`] is one pure function. The phone runs it offline on what it holds, the hub on what it
//! received; a [`Verdict`] carries every number that led to it. Time and place
//! are found apart from each other, and the verdict is the weaker of the two: only a proven place
//! with a proven or attested time is settled by the machine. Everything weaker goes to a person.

mod flag;
mod grounds;
mod noise;
mod policy;
mod reason;
mod suspicion;
mod time;
mod verdict;
mod window;

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::fact::DeviceAuthor;
use crate::fact::body::ArrivalClaim;
use crate::id::{BootId, FactId};
use crate::place::Site;
use crate::time::{Interval, Millis};

pub use flag::{Flag, Weight};
pub use grounds::Grounds;
pub use policy::ArrivalPolicy;
pub use reason::{Language, Reason};
pub use verdict::{
    AnchorBound, Conclusion, DropReason, Dropped, FixSummary, Grade, PlaceEvidence, PlaceGrade,
    TimeEvidence, Timing, Verdict, WindowFinding,
};

/// An anchor that the phone received, as the hub signed it and as the phone's boot clock saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KnownAnchor {
    /// Its number, counted by the hub for each device.
    #[n(0)]
    pub number: u64,
    /// The hub's clock when it signed.
    #[n(1)]
    pub at: Millis,
    /// The boot that the two readings belong to.
    #[n(2)]
    pub boot: BootId,
    /// Boot clock when the request left, nanoseconds.
    #[n(3)]
    pub sent_boot_ns: u64,
    /// Boot clock when the anchor arrived, nanoseconds.
    #[n(4)]
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
    /// The fact was signed after this: the newest of the order's issue if the fact names the order,
    /// of the anchors that it or an earlier fact of its chain refers to, and of the requests in
    /// which the phone itself named a chain end before the fact.
    pub not_before: Option<Millis>,
    /// What the caller found out about the fact and its author.
    pub circumstances: &'a BTreeSet<Flag>,
    /// Claims that rest on the same track ([`track`](super::track)), as the caller found.
    pub same_tracks: &'a [FactId],
}

/// Judges a claim. Total: whatever the question holds, there is a verdict.
#[must_use]
pub fn judge(question: &Question<'_>, policy: &ArrivalPolicy) -> Verdict {
    let deadline = question.started_at.plus(policy.limit_ms);
    let anchors = time::anchors_of_boot(question);
    let usable = window::usable(question.claim, policy);
    let site = question.site.map(Site::validate);
    let place = window::place(
        match &site {
            Some(Ok(site)) => Ok(site),
            Some(Err(_)) => Err(PlaceGrade::Uncertain),
            None => Err(PlaceGrade::NoSite),
        },
        question.claim.datum,
        &usable,
        policy,
    );
    let tap = question.claim.tap.boot_ns;
    let arrival = place.first_inside_ns.map_or(tap, |inside| inside.max(tap));
    let when = time::bound(question, policy, arrival, &anchors);

    let mut flags = question.circumstances.clone();
    flags.extend(when.flags.iter().chain(&place.flags));
    flags.extend(suspicion::flags(question, &usable.fixes, &anchors, policy));
    let proven = place.grade == PlaceGrade::ProvenInside;
    flags.extend(noise::flags(&usable.fixes, proven, policy));
    flags.extend(circumstances_of(question, matches!(site, Some(Err(_)))));

    let hard_timing = timing(when.evidence.hard, deadline);
    let timing = timing(when.evidence.bounds, deadline);
    let grade = grade(&when, hard_timing);
    let conclusion = conclude(place.grade, timing, grade, &flags);
    Verdict {
        conclusion,
        policy: policy.version,
        grade,
        place: place.grade,
        started_at: question.started_at,
        deadline,
        timing,
        reasons: reasons(question, &place, timing, grade, &flags),
        flags,
        time: when.evidence,
        position: place.evidence,
        thresholds: policy.clone(),
    }
}

/// What the question itself shows, whether or not the caller said so.
fn circumstances_of(question: &Question<'_>, site_unusable: bool) -> impl Iterator<Item = Flag> {
    [
        (Flag::OrderNotNamed, question.claim.order.is_none()),
        (Flag::SiteUnusable, site_unusable),
        (Flag::SameTrack, !question.same_tracks.is_empty()),
    ]
    .into_iter()
    .filter_map(|(flag, seen)| seen.then_some(flag))
}

fn timing(bounds: Interval, deadline: Millis) -> Timing {
    if bounds.is_empty() {
        Timing::Unsettled
    } else if bounds.latest.is_some_and(|latest| latest <= deadline) {
        Timing::InTime
    } else if bounds.earliest.is_some_and(|earliest| earliest > deadline) {
        Timing::Late
    } else {
        Timing::Unsettled
    }
}

fn grade(when: &time::Found, hard_timing: Timing) -> Grade {
    if hard_timing != Timing::Unsettled {
        Grade::Proven
    } else if when.attested {
        Grade::Attested
    } else if when.evidence.bounds == Interval::default() || when.evidence.bounds.is_empty() {
        Grade::Unknown
    } else {
        Grade::Claimed
    }
}

/// Only a proven place with a settled time is the machine's to decide, and only without a flag
/// that needs a person's eye.
fn conclude(place: PlaceGrade, timing: Timing, grade: Grade, flags: &BTreeSet<Flag>) -> Conclusion {
    if flags.iter().any(|flag| flag.weight() == Weight::Review) {
        return Conclusion::NeedsReview;
    }
    match (place, timing) {
        (PlaceGrade::Outside, _) => Conclusion::NotOnScene,
        (PlaceGrade::ProvenInside, Timing::InTime) if grade >= Grade::Attested => {
            Conclusion::OnTime
        }
        (PlaceGrade::ProvenInside, Timing::Late) if grade >= Grade::Attested => Conclusion::Late,
        (
            PlaceGrade::ProvenInside
            | PlaceGrade::ProbablyInside
            | PlaceGrade::Uncertain
            | PlaceGrade::NoSite,
            _,
        ) => Conclusion::NeedsReview,
    }
}

fn reasons(
    question: &Question<'_>,
    place: &window::Found,
    timing: Timing,
    grade: Grade,
    flags: &BTreeSet<Flag>,
) -> Vec<Reason> {
    let weighty = |weight| flags.iter().filter(move |flag| flag.weight() == weight);
    let named = |flag: &&Flag| **flag != Flag::SameTrack || question.same_tracks.is_empty();
    let flagged = weighty(Weight::Review).filter(named).copied().map(Reason::Flagged);
    let mut reasons: Vec<Reason> = flagged.collect();
    reasons.extend(question.same_tracks.iter().copied().map(Reason::SameTrackAs));
    reasons.push(match place.grade {
        PlaceGrade::ProvenInside => Reason::TwoWindowsInside,
        PlaceGrade::ProbablyInside => Reason::OnlyProbablyInside,
        PlaceGrade::Outside => Reason::AllFixesOutside,
        PlaceGrade::NoSite => Reason::NoSite,
        PlaceGrade::Uncertain if place.evidence.fixes.used == 0 => Reason::NoUsableFix,
        PlaceGrade::Uncertain => Reason::PlaceUncertain,
    });
    reasons.push(match (grade, timing) {
        (Grade::Unknown, _) => Reason::TimeUnknown,
        (Grade::Claimed, _) => Reason::TimeOnlyClaimed,
        (Grade::Attested | Grade::Proven, Timing::InTime) => Reason::LatestInTime,
        (Grade::Attested | Grade::Proven, Timing::Late) => Reason::EarliestTooLate,
        (Grade::Attested | Grade::Proven, Timing::Unsettled) => Reason::DeadlineWithinBounds,
    });
    reasons.extend(weighty(Weight::NotAttested).copied().map(Reason::Flagged));
    reasons
}

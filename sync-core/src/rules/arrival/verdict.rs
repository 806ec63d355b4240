//! A verdict and everything that led to it, in numbers.
//!
//! All numbers are whole: moments in milliseconds rounded outwards, lengths in millimetres,
//! probabilities in millionths. So a phone and the hub come to the same bytes although their
//! mathematical libraries differ in the last digit.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::flag::Flag;
use super::policy::ArrivalPolicy;
use super::reason::Reason;
use crate::place::{Datum, Position};
use crate::time::{Interval, Millis};

/// What the rule says of one arrival claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// On scene, in time.
    #[n(0)]
    OnTime,
    /// On scene, too late.
    #[n(1)]
    Late,
    /// The evidence shows another place.
    #[n(2)]
    NotOnScene,
    /// A person has to look; the reasons say why.
    #[n(3)]
    NeedsReview,
}

/// How well the time of arrival is shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing bounds it.
    #[n(0)]
    Unknown,
    /// Only the phone's word.
    #[n(1)]
    Claimed,
    /// The phone's uninterrupted boot clock since a signed anchor.
    #[n(2)]
    Attested,
    /// Signed anchors and the hub's own clock alone.
    #[n(3)]
    Proven,
}

/// Where the bounds on the time lie against the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Wholly up to the deadline.
    #[n(0)]
    InTime,
    /// Wholly after it.
    #[n(1)]
    Late,
    /// The deadline lies between them, or one is missing.
    #[n(2)]
    Unsettled,
}

/// How the place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum PlaceGrade {
    /// Two windows half a minute apart, both inside.
    #[n(0)]
    ProvenInside,
    /// A fix that is probably inside.
    #[n(1)]
    ProbablyInside,
    /// Cannot be told.
    #[n(2)]
    Uncertain,
    /// All fixes are outside.
    #[n(3)]
    Outside,
    /// The case has no site.
    #[n(4)]
    NoSite,
}

/// A verdict that explains itself: every number that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Verdict {
    /// The conclusion.
    #[n(0)]
    pub conclusion: Conclusion,
    /// Version of the policy that was applied.
    #[n(1)]
    pub policy: u32,
    /// How well the time is shown.
    #[n(2)]
    pub grade: Grade,
    /// How the place was found.
    #[n(3)]
    pub place: PlaceGrade,
    /// Start of the clock: the unit received the order.
    #[n(4)]
    pub started_at: Millis,
    /// The last moment that is in time (inclusive).
    #[n(5)]
    pub deadline: Millis,
    /// Where the bounds lie against the deadline.
    #[n(6)]
    pub timing: Timing,
    /// Why, most weighty first.
    #[n(7)]
    pub reasons: Vec<Reason>,
    /// What stood out, the harmless included.
    #[n(8)]
    pub flags: BTreeSet<Flag>,
    /// The bounds on the time of arrival.
    #[n(9)]
    pub time: TimeEvidence,
    /// The positions.
    #[n(10)]
    pub position: PlaceEvidence,
    /// The thresholds.
    #[n(11)]
    pub thresholds: ArrivalPolicy,
}

/// What bounds the time of arrival.
///
/// `earliest` speaks of the tap, `latest` of the first fix that shows the team inside, when that is
/// later: so a tap on the way does not count as an arrival, and a slow receiver does not make
/// anybody late.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct TimeEvidence {
    /// Boot clock at the tap, nanoseconds.
    #[n(0)]
    pub tap_boot_ns: u64,
    /// Boot clock at the arrival that was judged: the tap or the first fix inside, nanoseconds.
    #[n(1)]
    pub arrival_boot_ns: u64,
    /// From what the hub signed and saw alone: nobody on the phone can forge it.
    #[n(2)]
    pub hard: Interval,
    /// From the phone's boot clock and all anchors of that boot; `None` without such an anchor.
    #[n(3)]
    pub soft: Option<Interval>,
    /// What was compared with the deadline: both together, or the hard one alone when a flag says
    /// that the boot clock attests nothing.
    #[n(4)]
    pub bounds: Interval,
    /// Anchors of the claim's boot that were considered.
    #[n(5)]
    pub anchors: u32,
    /// Those that set the soft bounds.
    #[n(6)]
    pub binding: Vec<AnchorBound>,
}

/// What one anchor alone says of the time of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct AnchorBound {
    /// Its number.
    #[n(0)]
    pub number: u64,
    /// The hub's clock when it signed.
    #[n(1)]
    pub at: Millis,
    /// The bound.
    #[n(2)]
    pub bound: Interval,
}

/// What the fixes say of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct PlaceEvidence {
    /// The datum that fixes and site were compared in: the more shifted of their two.
    #[n(0)]
    pub compared_in: Option<Datum>,
    /// The fixes one by one.
    #[n(1)]
    pub fixes: FixSummary,
    /// Windows that were judged.
    #[n(2)]
    pub windows: u32,
    /// Windows among them that are inside.
    #[n(3)]
    pub windows_inside: u32,
    /// The windows that decided: the two that prove, else the one nearest to a proof.
    #[n(4)]
    pub deciding: Vec<WindowFinding>,
}

/// The fixes of a claim, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct FixSummary {
    /// In the claim.
    #[n(0)]
    pub received: u32,
    /// Used.
    #[n(1)]
    pub used: u32,
    /// Left out, by reason.
    #[n(2)]
    pub dropped: Vec<Dropped>,
    /// Least P(inside) of a used fix, millionths.
    #[n(3)]
    pub p_min_ppm: Option<u32>,
    /// Greatest P(inside) of a used fix, millionths.
    #[n(4)]
    pub p_max_ppm: Option<u32>,
    /// Time between the first and the last used fix, milliseconds.
    #[n(5)]
    pub span_ms: u32,
    /// Distance of the nearest used fix from the site, 0 inside, millimetres.
    #[n(6)]
    pub nearest_mm: Option<u64>,
}

/// How many fixes were left out for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Dropped {
    /// Why.
    #[n(0)]
    pub why: DropReason,
    /// How many.
    #[n(1)]
    pub count: u32,
}

/// Why a fix is left out.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Taken too long before the tap.
    #[n(0)]
    Stale,
    /// Taken after the evidence window.
    #[n(1)]
    AfterWindow,
    /// Its accuracy radius is too great.
    #[n(2)]
    Coarse,
    /// It states no accuracy.
    #[n(3)]
    NoAccuracy,
    /// Its position is not on the globe.
    #[n(4)]
    NotAPosition,
    /// Another fix of the same instant stands before it.
    #[n(5)]
    Duplicate,
    /// The claim holds more fixes than allowed.
    #[n(6)]
    TooMany,
}

/// The median position of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct WindowFinding {
    /// Boot clock at its first fix, nanoseconds.
    #[n(0)]
    pub from_boot_ns: u64,
    /// Fixes in it.
    #[n(1)]
    pub fixes: u32,
    /// Median position, in the datum of comparison.
    #[n(2)]
    pub position: Position,
    /// Median accuracy radius, millimetres.
    #[n(3)]
    pub accuracy_mm: u32,
    /// The σ that follows from it, millimetres.
    #[n(4)]
    pub sigma_mm: u32,
    /// P(inside), millionths.
    #[n(5)]
    pub p_inside_ppm: u32,
    /// Distance of the median position from the site, 0 inside, millimetres.
    #[n(6)]
    pub outside_mm: u64,
}

//! The 60-minute rule: was a team on scene in time?

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What the rule says of one arrival claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
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

/// How the place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize, Deserialize)]
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
}

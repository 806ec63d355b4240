//! What stands out about a claim, and what it weighs.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Something that a reader of the verdict has to know.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The platform marked a fix as simulated.
    #[n(0)]
    MockLocation,
    /// Two fixes lie further apart than any vehicle goes.
    #[n(1)]
    Teleport,
    /// All fixes report one and the same accuracy.
    #[n(2)]
    ConstantAccuracy,
    /// All fixes lie on one and the same spot: a receiver's noise is missing.
    #[n(3)]
    FrozenPosition,
    /// Satellite time contradicts the boot clock or the time bounds.
    #[n(4)]
    GnssTimeMismatch,
    /// In another datum than the named one the fixes would be on the site.
    #[n(5)]
    DatumSuspect,
    /// Fixes were dropped because they were taken too long before the tap.
    #[n(6)]
    StaleFixes,
    /// Fixes were dropped because they were too coarse.
    #[n(7)]
    CoarseFixes,
    /// No anchor of this device is known.
    #[n(8)]
    NoAnchor,
    /// The phone was started anew between its last anchor and the claim.
    #[n(9)]
    Rebooted,
    /// The boot clock did not run at the rate of time between two anchors.
    #[n(10)]
    ClockRate,
    /// The bounds on the time contradict each other.
    #[n(11)]
    ClockInconsistent,
    /// The claim does not name the order.
    #[n(12)]
    OrderNotNamed,
    /// The site on record is not a usable outline.
    #[n(13)]
    SiteUnusable,
    /// The claim was signed long after its evidence window had closed.
    #[n(14)]
    SignedLate,
    /// Every error is drawn anew: a receiver's errors wander.
    #[n(15)]
    WhiteNoise,
    /// The positions run along ideal lines: a receiver's noise is missing.
    #[n(16)]
    NoiselessTrack,
    /// All positions lie on a coarse grid.
    #[n(17)]
    RoundedPositions,
    /// Neither the accuracy nor the number of satellites ever changes.
    #[n(18)]
    ConstantReadings,
    /// Too few fixes of one source to tell a receiver's noise from a made-up one.
    #[n(19)]
    NoiseUntested,

    /// Facts are missing in the device's chain before this one (found by the caller).
    #[n(32)]
    ChainGap,
    /// The device signed two facts for one place in its chain (found by the caller).
    #[n(33)]
    ChainFork,
    /// The fact states again what an earlier one stated.
    #[n(34)]
    Restated,
    /// The device had lost this order when the claim arrived (found by the caller).
    #[n(35)]
    ScopeLost,
    /// The device was revoked (found by the caller).
    #[n(36)]
    Revoked,
    /// The phone does not refer to an anchor that the hub issued to it: lost on the way or hidden
    /// (found by the caller).
    #[n(37)]
    HiddenAnchor,
    /// Another claim rests on the same track, to the centimetre (found by the caller).
    #[n(38)]
    SameTrack,
}

/// What a [`Flag`] does to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Shown, no more.
    Note,
    /// The phone's clock cannot attest the time any more; what the hub itself proves still counts.
    NotAttested,
    /// A person decides, whatever else is proven.
    Review,
}

impl Flag {
    /// What this flag does to a verdict.
    #[must_use]
    pub const fn weight(self) -> Weight {
        match self {
            Self::ConstantAccuracy
            | Self::StaleFixes
            | Self::CoarseFixes
            | Self::NoAnchor
            | Self::Rebooted
            | Self::HiddenAnchor => Weight::Note,
            Self::ClockRate | Self::SignedLate | Self::ChainGap | Self::Restated => {
                Weight::NotAttested
            }
            Self::MockLocation
            | Self::Teleport
            | Self::FrozenPosition
            | Self::WhiteNoise
            | Self::NoiselessTrack
            | Self::RoundedPositions
            | Self::ConstantReadings
            | Self::NoiseUntested
            | Self::SameTrack
            | Self::GnssTimeMismatch
            | Self::DatumSuspect
            | Self::ClockInconsistent
            | Self::OrderNotNamed
            | Self::SiteUnusable
            | Self::ChainFork
            | Self::ScopeLost
            | Self::Revoked => Weight::Review,
        }
    }
}

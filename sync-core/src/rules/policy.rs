//! The policy: every limit of the rule book, versioned.
//!
//! A clock runs by the policy in force when it started, so old versions stay readable for ever.
//! Where the bureau's rules are silent the value is this product's default and marked *ours*.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rules::arrival::ArrivalPolicy;
use crate::rules::draw::DrawRules;
use crate::rules::escalation::{Addressee, Rung, Warning};
use crate::time::Millis;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// One version of all limits. Spans are milliseconds, days are the bureau's calendar days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Number of this version; facts name it.
    pub version: u32,
    /// Minutes that local time is ahead of UTC. China keeps +08:00 all year.
    pub utc_offset_min: i32,
    /// Information received → case registered, for all channels but the telephone.
    pub registration_ms: i64,
    /// Case registered → order issued.
    pub dispatch_ms: i64,
    /// Jurisdiction unclear → order issued (*ours*).
    pub coordination_ms: i64,
    /// Order received → a team is on scene, and how that is judged.
    pub arrival: ArrivalPolicy,
    /// Order issued → it counts as received whatever the unit does (*ours*).
    pub deemed_receipt_ms: i64,
    /// The escalation ladder of an order whose deadline has passed, step by step (*ours*).
    pub escalation: Vec<Rung>,
    /// How long before a clock runs out its owner is told (*ours*).
    pub warning: Warning,
    /// Arrival → result of an on-the-spot matter: end of the local day this many days on.
    pub on_the_spot_days: u32,
    /// Order received, or progress fed back → next feedback of a complex matter.
    pub complex_days: u32,
    /// Feedback reached the command centre → complainant told.
    pub complainant_days: u32,
    /// Attempts to tell a complainant after which they count as not to be reached (*ours*).
    pub attempts_to_tell: u32,
    /// Local days over which these attempts must be spread (*ours*).
    pub attempt_days: u32,
    /// Work returned → new result (*ours*).
    pub rework_days: u32,
    /// Urges and returns on one case that open an accountability referral.
    pub urges_before_referral: u32,
    /// How many closed cases are drawn each week for a recheck (*ours*).
    pub draw: DrawRules,
    /// Days after which recorded tracks are erased, the verdicts' own fixes excepted (*ours*).
    pub track_retention_days: u32,
}

impl Policy {
    /// The first version: the bureau's rules of 2010, with this product's defaults.
    #[must_use]
    pub fn v1() -> Self {
        Self {
            version: 1,
            utc_offset_min: 8 * 60,
            registration_ms: 10 * MINUTE,
            dispatch_ms: 5 * MINUTE,
            coordination_ms: 60 * MINUTE,
            arrival: ArrivalPolicy::V1,
            deemed_receipt_ms: 5 * MINUTE,
            escalation: vec![
                Rung { after_ms: 0, to: vec![Addressee::UnitLeader, Addressee::UnitDuty] },
                Rung {
                    after_ms: 30 * MINUTE,
                    to: vec![Addressee::ParentLeader, Addressee::CentreDuty],
                },
                Rung {
                    after_ms: 120 * MINUTE,
                    to: vec![Addressee::BureauLeaders, Addressee::Supervision],
                },
            ],
            warning: Warning {
                dispatch_ms: 2 * MINUTE,
                coordination_ms: 15 * MINUTE,
                arrival_ms: 15 * MINUTE,
                days_ms: 120 * MINUTE,
            },
            on_the_spot_days: 0,
            complex_days: 3,
            complainant_days: 0,
            attempts_to_tell: 3,
            attempt_days: 2,
            rework_days: 3,
            urges_before_referral: 3,
            draw: DrawRules { share_ppm: 50_000, per_unit: 1, at_most: 60 },
            track_retention_days: 90,
        }
    }

    /// The last millisecond of the local day that lies `days` after the day of `at`.
    #[must_use]
    pub fn end_of_local_day(&self, at: Millis, days: u32) -> Millis {
        let offset = i64::from(self.utc_offset_min) * MINUTE;
        let day = at.plus(offset).0.div_euclid(DAY);
        let next_midnight = day.saturating_add(1 + i64::from(days)).saturating_mul(DAY);
        Millis(next_midnight).plus(-offset).plus(-1)
    }
}

/// A policy version that this build does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("policy version {0} is not known here: update the application")]
pub struct UnknownPolicy(pub u32);

/// All versions of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies(BTreeMap<u32, Policy>);

impl Policies {
    /// A set of versions. A later entry replaces an earlier one with the same number.
    #[must_use]
    pub fn new(versions: impl IntoIterator<Item = Policy>) -> Self {
        Self(versions.into_iter().map(|policy| (policy.version, policy)).collect())
    }

    /// The versions that this build was made with.
    #[must_use]
    pub fn built_in() -> Self {
        Self::new([Policy::v1()])
    }

    /// One version.
    ///
    /// # Errors
    /// When no such version is known.
    pub fn get(&self, version: u32) -> Result<&Policy, UnknownPolicy> {
        self.0.get(&version).ok_or(UnknownPolicy(version))
    }

    /// The newest version: what new facts name.
    #[must_use]
    pub fn newest(&self) -> Option<&Policy> {
        self.0.values().next_back()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_local_day_ends_one_millisecond_before_local_midnight() {
        let policy = Policy::v1();
        // 2026-03-01T15:59:59.999Z is 23:59:59.999 in Jinan.
        let last = Millis(1_772_380_799_999);
        assert_eq!(policy.end_of_local_day(last, 0), last);
        assert_eq!(policy.end_of_local_day(last.plus(1), 0), last.plus(DAY));
        assert_eq!(policy.end_of_local_day(last, 3), last.plus(3 * DAY));
    }

    #[test]
    fn an_unknown_version_is_named() {
        let policies = Policies::built_in();
        assert_eq!(policies.get(1), Ok(&Policy::v1()));
        assert_eq!(policies.get(9), Err(UnknownPolicy(9)));
        assert_eq!(policies.newest().map(|policy| policy.version), Some(1));
    }

    proptest! {
        #[test]
        fn no_moment_overflows_and_more_days_end_later(at: i64, days: u32) {
            let policy = Policy::v1();
            let end = policy.end_of_local_day(Millis(at), days);
            prop_assert!(end >= policy.end_of_local_day(Millis(at), 0));
        }

        #[test]
        fn the_end_is_within_the_day(at in -4_000_000_000_000_i64..4_000_000_000_000) {
            let end = Policy::v1().end_of_local_day(Millis(at), 0).0;
            prop_assert!(at <= end && end < at + DAY);
            prop_assert_eq!((end + 1 + 8 * 60 * MINUTE).rem_euclid(DAY), 0);
        }
    }
}

//! Time as data. Nothing here reads a clock: readings are arguments.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::BootId;

/// A moment on the server's clock, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Millis(#[n(0)] pub i64);

impl Millis {
    /// This moment moved by `span_ms` milliseconds, held within the representable range.
    #[must_use]
    pub const fn plus(self, span_ms: i64) -> Self {
        Self(self.0.saturating_add(span_ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a phone's clocks showed at one instant, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct ClockReading {
    /// Wall clock, Unix milliseconds. Recorded and compared, never trusted.
    #[n(0)]
    pub wall_ms: i64,
    /// Nanoseconds since the phone started, sleep included
    /// (Android `elapsedRealtimeNanos`, iOS `mach_continuous_time`).
    #[n(1)]
    pub boot_ns: u64,
    /// Which start of the phone `boot_ns` counts from.
    #[n(2)]
    pub boot: BootId,
}

/// What is known of a moment on the server's clock: a closed interval, open where nothing bounds it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Interval {
    /// Not before this.
    #[n(0)]
    pub earliest: Option<Millis>,
    /// Not after this.
    #[n(1)]
    pub latest: Option<Millis>,
}

impl Interval {
    /// What both bounds allow together; it may be empty.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.max(other.earliest),
            latest: match (self.latest, other.latest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }

    /// No moment satisfies both bounds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!((self.earliest, self.latest), (Some(earliest), Some(latest)) if earliest > latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_side_takes_the_other_bound_and_a_contradiction_is_empty() {
        let interval = |earliest: Option<i64>, latest: Option<i64>| Interval {
            earliest: earliest.map(Millis),
            latest: latest.map(Millis),
        };
        let open = Interval::default();
        assert_eq!(open.intersect(interval(Some(3), None)), interval(Some(3), None));
        assert_eq!(interval(Some(1), Some(9)).intersect(open), interval(Some(1), Some(9)));
        let narrow = interval(Some(1), Some(9)).intersect(interval(Some(4), Some(7)));
        assert_eq!(narrow, interval(Some(4), Some(7)));
        assert!(!narrow.is_empty() && !interval(Some(4), Some(4)).is_empty());
        assert!(narrow.intersect(interval(Some(8), None)).is_empty());
    }
}

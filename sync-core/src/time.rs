//! Time as data. Nothing here reads a clock: readings are arguments.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::BootId;

/// A moment on the server's clock, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
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

/// A closed interval of server time in fractional Unix seconds: `[earliest, latest]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Not before this, Unix milliseconds.
    pub earliest_ms: f64,
    /// Not after this, Unix milliseconds.
    pub latest_ms: f64,
}

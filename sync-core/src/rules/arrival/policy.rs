//! The numbers of the rule. A case is judged by the policy in force when its clock started.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Every threshold of the arrival rule, in whole units so that phone and hub hold the same.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct ArrivalPolicy {
    /// Version, as cases and verdicts name it.
    #[n(0)]
    pub version: u32,
    /// Time from the unit's receipt to arrival, milliseconds; the last one is still in time.
    #[n(1)]
    pub limit_ms: i64,
    /// Greatest error of a phone's boot clock, parts per million. Crystals keep 10 to 20.
    #[n(2)]
    pub drift_ppm: u32,
    /// A fix older than this at the tap is stale, milliseconds.
    #[n(3)]
    pub evidence_before_ms: u32,
    /// The evidence window ends this long after the tap, milliseconds.
    #[n(4)]
    pub evidence_after_ms: u32,
    /// A fix with a greater accuracy radius is too coarse to use, millimetres.
    #[n(5)]
    pub max_accuracy_mm: u32,
    /// Phones promise more than they keep: σ is raised by this factor, thousandths.
    #[n(6)]
    pub sigma_inflation_permille: u32,
    /// σ is never below this, whatever a phone claims, millimetres.
    #[n(7)]
    pub sigma_floor_mm: u32,
    /// Length of the windows whose median position is judged, milliseconds.
    #[n(8)]
    pub window_ms: u32,
    /// Fixes that a window needs.
    #[n(9)]
    pub window_min_fixes: u32,
    /// Greatest median accuracy of a window that can prove, millimetres.
    #[n(10)]
    pub window_max_accuracy_mm: u32,
    /// Least P(inside) of a window that proves, millionths.
    #[n(11)]
    pub inside_ppm: u32,
    /// The two proving windows start at least this far apart, milliseconds.
    #[n(12)]
    pub windows_apart_ms: u32,
    /// Least P(inside) of one fix that makes the place probable, millionths.
    #[n(13)]
    pub probable_ppm: u32,
    /// Greatest P(inside) of every fix when the place is another one, millionths.
    #[n(14)]
    pub outside_ppm: u32,
    /// Fixes needed to say that the place is another one.
    #[n(15)]
    pub outside_min_fixes: u32,
    /// Time that those fixes must span, milliseconds.
    #[n(16)]
    pub outside_min_span_ms: u32,
    /// Faster than any vehicle on a city's roads, millimetres a second.
    #[n(17)]
    pub teleport_mm_s: u32,
    /// Greatest difference between satellite time and the time bounds, milliseconds.
    #[n(18)]
    pub gnss_time_tolerance_ms: u32,
    /// So many fixes at one and the same spot are not a living receiver's.
    #[n(19)]
    pub frozen_min_fixes: u32,
    /// A claim is signed at the latest this long after its evidence window, milliseconds.
    #[n(20)]
    pub signing_grace_ms: u32,
    /// Fixes of a stretch whose noise is judged.
    #[n(21)]
    pub stretch_fixes: u32,
    /// Von Neumann's ratio about a steady movement from which errors count as drawn anew,
    /// thousandths.
    #[n(22)]
    pub white_moving_permille: u32,
    /// Errors smaller than this say nothing: root mean square, millimetres.
    #[n(23)]
    pub noise_floor_mm: u32,
    /// A fix within this of the line between its neighbours is without noise, millimetres.
    #[n(24)]
    pub ideal_line_mm: u32,
    /// Positions that are all multiples of this were rounded, 10⁻⁷ degrees.
    #[n(25)]
    pub rounded_grid_e7: u32,
    /// The same ratio about one place, thousandths.
    #[n(26)]
    pub white_standing_permille: u32,
}

impl ArrivalPolicy {
    /// The first policy. The 60 minutes are the bureau's rule; the rest are our defaults, chosen by
    /// the simulation in `tests/arrival/simulation.rs`.
    pub const V1: Self = Self {
        version: 1,
        limit_ms: 3_600_000,
        drift_ppm: 100,
        evidence_before_ms: 30_000,
        evidence_after_ms: 150_000,
        max_accuracy_mm: 200_000,
        sigma_inflation_permille: 1_500,
        sigma_floor_mm: 3_000,
        window_ms: 30_000,
        window_min_fixes: 3,
        window_max_accuracy_mm: 50_000,
        inside_ppm: 950_000,
        windows_apart_ms: 30_000,
        probable_ppm: 900_000,
        outside_ppm: 20_000,
        outside_min_fixes: 3,
        outside_min_span_ms: 30_000,
        teleport_mm_s: 42_000,
        gnss_time_tolerance_ms: 5_000,
        frozen_min_fixes: 6,
        signing_grace_ms: 300_000,
        stretch_fixes: 16,
        white_moving_permille: 1_200,
        noise_floor_mm: 150,
        ideal_line_mm: 30,
        rounded_grid_e7: 100,
        white_standing_permille: 1_000,
    };
}

impl Default for ArrivalPolicy {
    fn default() -> Self {
        Self::V1
    }
}

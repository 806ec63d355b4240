//! When: what anchors, the boot clock and the hub's own clock say of a moment.
//!
//! All sums are in whole nanoseconds and rounded outwards to milliseconds at the end, so that a
//! bound never claims more than is known and phone and hub agree to the last bit.

use std::cmp::Reverse;

use super::verdict::{AnchorBound, TimeEvidence};
use super::{ArrivalPolicy, Flag, KnownAnchor, Question, Weight};
use crate::time::{Interval, Millis};

const NANOS_PER_MILLI: i128 = 1_000_000;
const MILLION: i128 = 1_000_000;

/// What is known of the time, and what stands out in it.
pub(super) struct Found {
    pub(super) evidence: TimeEvidence,
    /// The boot clock may attest the time.
    pub(super) attested: bool,
    pub(super) flags: Vec<Flag>,
}

/// The anchors of the claim's boot, in the order in which the hub signed them.
pub(super) fn anchors_of_boot(question: &Question<'_>) -> Vec<KnownAnchor> {
    let boot = question.claim.tap.boot;
    let mut anchors: Vec<KnownAnchor> =
        question.anchors.iter().filter(|anchor| anchor.boot == boot).copied().collect();
    anchors.sort_by_key(|anchor| (anchor.number, anchor.sent_boot_ns, anchor.received_boot_ns));
    anchors
}

/// Bounds the time of an arrival that was tapped at one reading of the boot clock and shown by the
/// fixes at another one, not earlier.
pub(super) fn bound(
    question: &Question<'_>,
    policy: &ArrivalPolicy,
    arrival_boot_ns: u64,
    anchors: &[KnownAnchor],
) -> Found {
    let tap = question.claim.tap;
    let mut flags = Vec::new();
    if question.anchors.is_empty() {
        flags.push(Flag::NoAnchor);
    } else if anchors.is_empty() {
        flags.push(Flag::Rebooted);
    }
    if !keeps_pace(anchors, policy.drift_ppm) {
        flags.push(Flag::ClockRate);
    }
    if is_signed_late(question, policy, anchors) {
        flags.push(Flag::SignedLate);
    }
    if question.author.restates.is_some() {
        flags.push(Flag::Restated);
    }
    let hard = Interval { earliest: hard_earliest(question, anchors), latest: question.not_after };
    let at_tap = intersect_all(anchors, tap.boot_ns, policy.drift_ppm);
    let at_arrival = intersect_all(anchors, arrival_boot_ns, policy.drift_ppm);
    let signed = question.author.clock;
    let signed_before_tap = signed.boot == tap.boot && signed.boot_ns < tap.boot_ns;
    let consistent = !signed_before_tap
        && !hard.intersect(at_tap).is_empty()
        && !hard.intersect(at_arrival).is_empty();
    if !consistent {
        flags.push(Flag::ClockInconsistent);
    }
    let soft = (!anchors.is_empty())
        .then_some(Interval { earliest: at_tap.earliest, latest: at_arrival.latest });
    let unbroken =
        flags.iter().chain(question.circumstances).all(|flag| flag.weight() != Weight::NotAttested);
    let trusted = soft.filter(|_| consistent && unbroken);
    let evidence = TimeEvidence {
        tap_boot_ns: tap.boot_ns,
        arrival_boot_ns,
        hard,
        soft,
        bounds: trusted.map_or(hard, |soft| hard.intersect(soft)),
        anchors: u32::try_from(anchors.len()).unwrap_or(u32::MAX),
        binding: binding(anchors, tap.boot_ns, arrival_boot_ns, policy.drift_ppm),
    };
    Found { evidence, attested: trusted.is_some(), flags }
}

/// What all anchors of a boot together say of one reading of its clock.
pub(super) fn intersect_all(anchors: &[KnownAnchor], boot_ns: u64, drift_ppm: u32) -> Interval {
    anchors
        .iter()
        .map(|anchor| soft_bound(anchor, boot_ns, drift_ppm))
        .fold(Interval::default(), Interval::intersect)
}

/// What one anchor says of a reading of its boot's clock, before or after it.
///
/// The hub signed at some instant between the request leaving and the anchor arriving; from then on
/// the boot clock ran true to within `drift_ppm`.
fn soft_bound(anchor: &KnownAnchor, boot_ns: u64, drift_ppm: u32) -> Interval {
    let signed = i128::from(anchor.at.0) * NANOS_PER_MILLI;
    let since_received = i128::from(boot_ns) - i128::from(anchor.received_boot_ns);
    let since_sent = i128::from(boot_ns) - i128::from(anchor.sent_boot_ns);
    Interval {
        earliest: Some(millis_down(signed + shortest(since_received, drift_ppm))),
        latest: Some(millis_up(signed + longest(since_sent, drift_ppm))),
    }
}

/// The least true time that a span of the boot clock can be, nanoseconds.
fn shortest(span_ns: i128, drift_ppm: u32) -> i128 {
    let drift = if span_ns < 0 { i128::from(drift_ppm) } else { -i128::from(drift_ppm) };
    (span_ns * (MILLION + drift)).div_euclid(MILLION)
}

/// The most true time that a span of the boot clock can be, nanoseconds.
fn longest(span_ns: i128, drift_ppm: u32) -> i128 {
    -shortest(-span_ns, drift_ppm)
}

/// The newest thing that the hub signed before the tap.
///
/// An anchor that arrived while the evidence was still being collected is in the fact's ancestry
/// but not in the tap's; then what came before it counts, as for a claim that was signed anew or
/// in a later boot. That only ever widens the bound.
fn hard_earliest(question: &Question<'_>, anchors: &[KnownAnchor]) -> Option<Millis> {
    let tap = question.claim.tap.boot_ns;
    let signed_elsewhen = question.author.restates.is_some()
        || question.circumstances.contains(&Flag::Restated)
        || question.author.clock.boot != question.claim.tap.boot;
    let came_later = anchors
        .iter()
        .any(|anchor| Some(anchor.at) == question.not_before && anchor.received_boot_ns > tap);
    if !came_later && !signed_elsewhen {
        return question.not_before;
    }
    let order = question.claim.order.map(|_| question.order_issued_at);
    let before =
        anchors.iter().filter(|anchor| anchor.received_boot_ns <= tap).map(|anchor| anchor.at);
    before.max().max(order).min(question.not_before)
}

/// Whether the fact was signed long after its evidence window, by its own clock or by an anchor in
/// its ancestry. The boot clock then attests nothing: the tap's reading was written down later.
fn is_signed_late(
    question: &Question<'_>,
    policy: &ArrivalPolicy,
    anchors: &[KnownAnchor],
) -> bool {
    let tap = question.claim.tap;
    let signed = question.author.clock;
    let allowed_ms = u64::from(policy.evidence_after_ms) + u64::from(policy.signing_grace_ms);
    let until = tap.boot_ns.saturating_add(allowed_ms * 1_000_000);
    let in_ancestry = |anchor: &KnownAnchor| Some(anchor.at) <= question.not_before;
    signed.boot != tap.boot
        || signed.boot_ns > until
        || anchors.iter().any(|anchor| in_ancestry(anchor) && anchor.received_boot_ns > until)
}

/// Whether the boot clock ran at the rate of time between consecutive anchors, and between each
/// and the outermost ones, where a small error has had the longest time to show.
fn keeps_pace(anchors: &[KnownAnchor], drift_ppm: u32) -> bool {
    let sane = |anchor: &KnownAnchor| anchor.sent_boot_ns <= anchor.received_boot_ns;
    let (Some(first), Some(last)) = (anchors.first(), anchors.last()) else { return true };
    anchors.iter().all(sane)
        && anchors.windows(2).all(|pair| agree(&pair[0], &pair[1], drift_ppm))
        && anchors.iter().all(|anchor| agree(first, anchor, drift_ppm))
        && anchors.iter().all(|anchor| agree(anchor, last, drift_ppm))
}

fn agree(earlier: &KnownAnchor, later: &KnownAnchor, drift_ppm: u32) -> bool {
    if earlier.number == later.number {
        return earlier == later;
    }
    let elapsed = i128::from(later.at.since(earlier.at)) * NANOS_PER_MILLI;
    let least = i128::from(later.sent_boot_ns) - i128::from(earlier.received_boot_ns);
    let most = i128::from(later.received_boot_ns) - i128::from(earlier.sent_boot_ns);
    // The hub's clock shows whole milliseconds.
    shortest(least, drift_ppm) - NANOS_PER_MILLI <= elapsed
        && elapsed <= longest(most, drift_ppm) + NANOS_PER_MILLI
}

/// The anchors that set the two ends of the soft bound: one or two.
fn binding(
    anchors: &[KnownAnchor],
    tap_boot_ns: u64,
    arrival_boot_ns: u64,
    drift_ppm: u32,
) -> Vec<AnchorBound> {
    let bound = |anchor: &KnownAnchor| Interval {
        earliest: soft_bound(anchor, tap_boot_ns, drift_ppm).earliest,
        latest: soft_bound(anchor, arrival_boot_ns, drift_ppm).latest,
    };
    let named = |anchor: &KnownAnchor| AnchorBound {
        number: anchor.number,
        at: anchor.at,
        bound: bound(anchor),
    };
    let lower = anchors.iter().min_by_key(|anchor| Reverse(bound(anchor).earliest));
    let upper = anchors.iter().min_by_key(|anchor| bound(anchor).latest);
    let mut found: Vec<_> = lower.into_iter().chain(upper).map(named).collect();
    found.dedup();
    found
}

fn millis_down(nanos: i128) -> Millis {
    Millis(saturate(nanos.div_euclid(NANOS_PER_MILLI)))
}

fn millis_up(nanos: i128) -> Millis {
    Millis(saturate(-(-nanos).div_euclid(NANOS_PER_MILLI)))
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BootId;
    use proptest::prelude::*;

    const RHO: u32 = 100;

    fn anchor(number: u64, at_ms: i64, sent_ms: u64, received_ms: u64) -> KnownAnchor {
        KnownAnchor {
            number,
            at: Millis(at_ms),
            boot: BootId::from_bytes([1; 8]),
            sent_boot_ns: sent_ms * 1_000_000,
            received_boot_ns: received_ms * 1_000_000,
        }
    }

    fn interval(earliest: i64, latest: i64) -> Interval {
        Interval { earliest: Some(Millis(earliest)), latest: Some(Millis(latest)) }
    }

    /// S = 1700000000.0 s, m0 = 1000.0 s, m1 = 1000.4 s, ρ = 10⁻⁴, rounded outwards.
    #[test]
    fn known_bounds_after_an_anchor() {
        let anchor = anchor(1, 1_700_000_000_000, 1_000_000, 1_000_400);
        for (seconds, earliest, latest) in [
            (60, 1_700_000_059_994, 1_700_000_060_407),
            (3_600, 1_700_003_599_640, 1_700_003_600_761),
            (14_400, 1_700_014_398_560, 1_700_014_401_841),
            (86_400, 1_700_086_391_360, 1_700_086_409_041),
        ] {
            let boot_ns = (1_000_400 + seconds * 1000) * 1_000_000;
            assert_eq!(soft_bound(&anchor, boot_ns, RHO), interval(earliest, latest), "{seconds}");
        }
    }

    #[test]
    fn an_anchor_also_bounds_what_came_before_it() {
        let anchor = anchor(1, 1_700_000_000_000, 4_600_000, 4_600_400);
        let hour_before = soft_bound(&anchor, 1_000_000 * 1_000_000, RHO);
        assert_eq!(hour_before, interval(1_699_996_399_239, 1_699_996_400_360));
        let during = soft_bound(&anchor, 4_600_200 * 1_000_000, RHO);
        assert_eq!(during, interval(1_699_999_999_799, 1_700_000_000_201));
    }

    #[test]
    fn two_anchors_bound_more_tightly_than_one() {
        let early = anchor(1, 1_700_000_000_000, 1_000_000, 1_000_400);
        let late = anchor(2, 1_700_007_200_000, 8_200_100, 8_200_300);
        let between = 4_600_000 * 1_000_000;
        let one = soft_bound(&early, between, RHO);
        let both = intersect_all(&[early, late], between, RHO);
        let width = |i: Interval| i.latest.unwrap().since(i.earliest.unwrap());
        assert!(width(both) < width(one) && !both.is_empty(), "{both:?}");
    }

    #[test]
    fn a_clock_that_does_not_keep_pace_shows() {
        let first = anchor(1, 0, 1_000_000, 1_000_400);
        let steady = anchor(2, 600_000, 1_600_000, 1_600_400);
        assert!(keeps_pace(&[first, steady], RHO));
        // At ±ρ the clock still passes, beyond both round trips it does not.
        assert!(keeps_pace(&[first, anchor(2, 600_461, 1_600_000, 1_600_400)], RHO));
        assert!(!keeps_pace(&[first, anchor(2, 600_462, 1_600_000, 1_600_400)], RHO));
        assert!(!keeps_pace(&[first, anchor(2, 300_000, 1_600_000, 1_600_400)], RHO), "twice");
        assert!(!keeps_pace(&[first, anchor(2, 1_200_000, 1_600_000, 1_600_400)], RHO), "half");
        assert!(!keeps_pace(&[first, anchor(2, 600_000, 900_000, 900_400)], RHO), "backwards");
        assert!(!keeps_pace(&[anchor(1, 0, 1_000, 900)], RHO), "an answer before the request");
        assert!(!keeps_pace(&[first, anchor(1, 5, 1_000_000, 1_000_400)], RHO), "two of a number");
    }

    proptest! {
        /// A true clock within ρ never breaks the rule, and the truth is always inside.
        #[test]
        fn the_truth_is_within_the_bounds(
            rate_ppm in -99_i64..=99,
            exchanges in proptest::collection::vec((0_u64..86_400_000, 0_u64..5_000, 0_u64..5_000), 1..12),
            moment in 0_u64..86_400_000,
        ) {
            // True milliseconds since boot to the boot clock's nanoseconds.
            let reading = |ms: u64| ms * (1_000_000 + rate_ppm).unsigned_abs();
            let mut exchanges = exchanges;
            exchanges.sort_unstable();
            let anchors: Vec<_> = exchanges
                .iter()
                .zip(1..)
                .map(|((at, up, down), number)| KnownAnchor {
                    number,
                    at: Millis(i64::try_from(at + up).unwrap()),
                    boot: BootId::from_bytes([1; 8]),
                    sent_boot_ns: reading(*at),
                    received_boot_ns: reading(at + up + down),
                })
                .collect();
            let bound = intersect_all(&anchors, reading(moment), RHO);
            let truth = Millis(i64::try_from(moment).unwrap());
            prop_assert!(bound.earliest.unwrap() <= truth && truth <= bound.latest.unwrap());
            let mut by_signing = anchors;
            by_signing.sort_by_key(|anchor| anchor.at);
            for (anchor, number) in by_signing.iter_mut().zip(1..) {
                anchor.number = number;
            }
            prop_assert!(keeps_pace(&by_signing, RHO));
        }
    }
}

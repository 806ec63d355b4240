//! Signs that positions were made rather than measured. None proves anything: each is for a person.

use super::time::intersect_all;
use super::{ArrivalPolicy, Flag, KnownAnchor, Question};
use crate::place::plane::distance_m;
use crate::place::{Fix, Provider};
use crate::time::Interval;

/// Everything that stands out in a claim's fixes. `used` are in the order of the boot clock.
pub(super) fn flags(
    question: &Question<'_>,
    used: &[Fix],
    anchors: &[KnownAnchor],
    policy: &ArrivalPolicy,
) -> Vec<Flag> {
    // Networks repeat a coarse position, which proves nothing anyway.
    let fine = used.iter().filter(|fix| fix.accuracy_mm <= policy.window_max_accuracy_mm);
    let fine: Vec<Fix> = fine.copied().collect();
    let least = usize::try_from(policy.frozen_min_fixes).unwrap_or(usize::MAX);
    let one_and_the_same = |fixes: &[Fix], same: fn(&Fix, &Fix) -> bool| {
        fixes.len() >= least && fixes.windows(2).all(|pair| same(&pair[0], &pair[1]))
    };
    let signs = [
        // A mock is telling wherever it stands, also in a fix that is too old to use.
        (Flag::MockLocation, question.claim.fixes.iter().any(|fix| fix.mock)),
        (Flag::Teleport, used.windows(2).any(|pair| is_jump(&pair[0], &pair[1], policy))),
        (Flag::ConstantAccuracy, one_and_the_same(used, |a, b| a.accuracy_mm == b.accuracy_mm)),
        (Flag::FrozenPosition, one_and_the_same(&fine, |a, b| a.position == b.position)),
        (Flag::GnssTimeMismatch, gnss_time_contradicts(question, used, anchors, policy)),
    ];
    signs.into_iter().filter(|(_, seen)| *seen).map(|(flag, _)| flag).collect()
}

/// Whether two consecutive fixes are too far apart even when both accuracy radii are taken off;
/// three times both where the fixes come from different sources, whose errors differ in kind.
fn is_jump(a: &Fix, b: &Fix, policy: &ArrivalPolicy) -> bool {
    let radii = f64::from(a.accuracy_mm) / 1000.0 + f64::from(b.accuracy_mm) / 1000.0;
    let allowance = if a.provider == b.provider { radii } else { 3.0 * radii };
    let seconds = (u64_to_f64(b.boot_ns.saturating_sub(a.boot_ns)) / 1e9).max(1.0);
    let net = distance_m(a.position.degrees(), b.position.degrees()) - allowance;
    net / seconds > f64::from(policy.teleport_mm_s) / 1000.0
}

/// Whether satellite time runs apart from the boot clock between fixes, or lies outside of what
/// anchors and the hub allow. Only satellite fixes count: others carry the phone's wall clock.
fn gnss_time_contradicts(
    question: &Question<'_>,
    used: &[Fix],
    anchors: &[KnownAnchor],
    policy: &ArrivalPolicy,
) -> bool {
    let tolerance = i64::from(policy.gnss_time_tolerance_ms);
    let witnesses = || {
        used.iter()
            .filter(|fix| fix.provider == Provider::Gnss)
            .filter_map(|fix| Some((fix.boot_ns, fix.fix_wall_ms?)))
    };
    let offset = |(boot_ns, wall_ms): (u64, i64)| {
        wall_ms.saturating_sub(i64::try_from(boot_ns / 1_000_000).unwrap_or(i64::MAX))
    };
    let least = witnesses().map(offset).min();
    let most = witnesses().map(offset).max();
    let drifts = least.zip(most).is_some_and(|(low, high)| high.saturating_sub(low) > tolerance);
    let seen = Interval { earliest: None, latest: question.not_after };
    drifts
        || witnesses().any(|(boot_ns, wall_ms)| {
            let allowed = intersect_all(anchors, boot_ns, policy.drift_ppm).intersect(seen);
            allowed.earliest.is_some_and(|e| wall_ms < e.0.saturating_sub(tolerance))
                || allowed.latest.is_some_and(|l| wall_ms > l.0.saturating_add(tolerance))
        })
}

#[expect(clippy::cast_precision_loss, reason = "seconds between fixes need no nanoseconds")]
fn u64_to_f64(value: u64) -> f64 {
    value as f64
}

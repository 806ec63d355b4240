//! Where: what the fixes around the tap say of the place.

use super::verdict::{DropReason, Dropped, FixSummary, PlaceEvidence, PlaceGrade, WindowFinding};
use super::{ArrivalPolicy, Flag};
use crate::fact::body::ArrivalClaim;
use crate::limits::FIXES;
use crate::place::datum::convert;
use crate::place::plane::Point;
use crate::place::probability::SIGMAS_IN_68_PERCENT_RADIUS;
use crate::place::{Datum, Fence, Fix, Position, ValidSite};

/// What is known of the place, and what stands out in it.
pub(super) struct Found {
    pub(super) grade: PlaceGrade,
    pub(super) evidence: PlaceEvidence,
    /// Boot clock at the first fix that shows the team inside.
    pub(super) first_inside_ns: Option<u64>,
    pub(super) flags: Vec<Flag>,
}

/// The fixes that may be used, in the order of the boot clock.
pub(super) struct Usable {
    pub(super) fixes: Vec<Fix>,
    dropped: Vec<Dropped>,
    received: u32,
}

/// Leaves out what cannot be used, and counts it by reason.
pub(super) fn usable(claim: &ArrivalClaim, policy: &ArrivalPolicy) -> Usable {
    let mut dropped: Vec<Dropped> = Vec::new();
    let mut drop = |why, count| {
        match dropped.iter_mut().find(|dropped| dropped.why == why) {
            Some(dropped) => dropped.count += count,
            None => dropped.push(Dropped { why, count }),
        };
    };
    let mut fixes = Vec::new();
    for fix in claim.fixes.iter().take(FIXES) {
        match why_not(fix, claim.tap.boot_ns, policy) {
            Some(why) => drop(why, 1),
            None => fixes.push(*fix),
        }
    }
    fixes.sort_by_key(|fix| fix.boot_ns);
    let before = fixes.len();
    fixes.dedup_by_key(|fix| fix.boot_ns);
    for (why, lost) in [
        (DropReason::Duplicate, before - fixes.len()),
        (DropReason::TooMany, claim.fixes.len().saturating_sub(FIXES)),
    ] {
        if lost > 0 {
            drop(why, count(lost));
        }
    }
    dropped.sort_by_key(|dropped| dropped.why);
    Usable { fixes, dropped, received: count(claim.fixes.len()) }
}

fn why_not(fix: &Fix, tap_boot_ns: u64, policy: &ArrivalPolicy) -> Option<DropReason> {
    let from = tap_boot_ns.saturating_sub(nanos(policy.evidence_before_ms));
    let until = tap_boot_ns.saturating_add(nanos(policy.evidence_after_ms));
    if fix.position.check().is_err() {
        Some(DropReason::NotAPosition)
    } else if fix.accuracy_mm == 0 {
        Some(DropReason::NoAccuracy)
    } else if fix.boot_ns < from {
        Some(DropReason::Stale)
    } else if fix.boot_ns > until {
        Some(DropReason::AfterWindow)
    } else if fix.accuracy_mm > policy.max_accuracy_mm {
        Some(DropReason::Coarse)
    } else {
        None
    }
}

/// Finds the place. `site` is the reason why there is nothing to compare with, when there is not.
pub(super) fn place(
    site: Result<&ValidSite, PlaceGrade>,
    datum: Datum,
    usable: &Usable,
    policy: &ArrivalPolicy,
) -> Found {
    let mut flags = Vec::new();
    for (why, flag) in
        [(DropReason::Stale, Flag::StaleFixes), (DropReason::Coarse, Flag::CoarseFixes)]
    {
        if usable.dropped.iter().any(|dropped| dropped.why == why) {
            flags.push(flag);
        }
    }
    let summary = FixSummary {
        received: usable.received,
        used: count(usable.fixes.len()),
        dropped: usable.dropped.clone(),
        span_ms: span_ms(&usable.fixes),
        ..FixSummary::default()
    };
    let site = match site {
        Ok(site) => site,
        Err(grade) => {
            let evidence = PlaceEvidence { fixes: summary, ..PlaceEvidence::default() };
            return Found { grade, evidence, first_inside_ns: None, flags };
        }
    };
    let compared = Comparison::new(site, datum, &usable.fixes, policy);
    let found = compared.judge(summary, flags);
    if matches!(found.grade, PlaceGrade::Uncertain | PlaceGrade::Outside)
        && on_site_in_another_datum(site, datum, &usable.fixes, policy)
    {
        let mut flags = found.flags;
        flags.push(Flag::DatumSuspect);
        return Found { flags, ..found };
    }
    found
}

/// Whether the middle of all fixes would be on the site if their datum were another one: a sign of
/// a phone or a map that names the wrong one.
fn on_site_in_another_datum(
    site: &ValidSite,
    named: Datum,
    fixes: &[Fix],
    policy: &ArrivalPolicy,
) -> bool {
    [Datum::Wgs84, Datum::Gcj02, Datum::Bd09]
        .into_iter()
        .filter(|datum| *datum != named)
        .map(|datum| Comparison::new(site, datum, fixes, policy))
        .any(|other| {
            other
                .finding(&other.samples)
                .is_some_and(|finding| finding.p_inside_ppm >= policy.probable_ppm)
        })
}

/// Fixes and site in one datum and one plane.
struct Comparison<'a> {
    datum: Datum,
    fence: Fence,
    samples: Vec<Sample>,
    policy: &'a ArrivalPolicy,
}

#[derive(Clone, Copy)]
struct Sample {
    boot_ns: u64,
    point: Point,
    accuracy_mm: u32,
}

impl<'a> Comparison<'a> {
    fn new(site: &ValidSite, datum: Datum, fixes: &[Fix], policy: &'a ArrivalPolicy) -> Self {
        let compared_in = datum.more_shifted(site.site().datum);
        let fence = Fence::new(site, compared_in);
        let sample = |fix: &Fix| Sample {
            boot_ns: fix.boot_ns,
            point: fence.locate(convert(fix.position.degrees(), datum, compared_in)),
            accuracy_mm: fix.accuracy_mm,
        };
        let samples = fixes.iter().map(sample).collect();
        Self { datum: compared_in, fence, samples, policy }
    }

    fn judge(&self, mut summary: FixSummary, flags: Vec<Flag>) -> Found {
        let each: Vec<u32> = self
            .samples
            .iter()
            .map(|sample| {
                self.p_inside_ppm(sample.point, sigma_mm(sample.accuracy_mm, self.policy))
            })
            .collect();
        summary.p_min_ppm = each.iter().min().copied();
        summary.p_max_ppm = each.iter().max().copied();
        summary.nearest_mm = self.samples.iter().map(|sample| self.outside_mm(sample.point)).min();

        let windows = self.windows();
        let inside: Vec<_> = windows.iter().filter(|window| self.is_inside(window)).collect();
        let proof = self.proof(&inside);
        let first_probable = each
            .iter()
            .position(|p| *p >= self.policy.probable_ppm)
            .map(|i| self.samples[i].boot_ns);
        let grade = if proof.is_some() {
            PlaceGrade::ProvenInside
        } else if first_probable.is_some() {
            PlaceGrade::ProbablyInside
        } else if self.is_elsewhere(&summary) {
            PlaceGrade::Outside
        } else {
            PlaceGrade::Uncertain
        };
        let first_inside_ns = proof.map_or(first_probable, |pair| Some(pair[0].from_boot_ns));
        let evidence = PlaceEvidence {
            compared_in: Some(self.datum),
            fixes: summary,
            windows: count(windows.len()),
            windows_inside: count(inside.len()),
            deciding: proof.map_or_else(
                || {
                    windows
                        .iter()
                        .max_by_key(|window| window.p_inside_ppm)
                        .into_iter()
                        .copied()
                        .collect()
                },
                |pair| pair.to_vec(),
            ),
        };
        Found { grade, evidence, first_inside_ns, flags }
    }

    /// One finding for each fix that starts a whole window. A window counts only when fixes go on
    /// past its end: so cutting a visit short takes windows away but never changes one.
    fn windows(&self) -> Vec<WindowFinding> {
        let length = nanos(self.policy.window_ms);
        let last = self.samples.last().map_or(0, |sample| sample.boot_ns);
        let windowed = |(i, first): (usize, &Sample)| {
            let end = first.boot_ns.saturating_add(length);
            if last < end {
                return None;
            }
            let rest = &self.samples[i..];
            let members = &rest[..rest.partition_point(|sample| sample.boot_ns < end)];
            if count(members.len()) < self.policy.window_min_fixes {
                return None;
            }
            self.finding(members)
        };
        self.samples.iter().enumerate().filter_map(windowed).collect()
    }

    /// Judges the component-wise median of some samples; `None` for no sample.
    fn finding(&self, samples: &[Sample]) -> Option<WindowFinding> {
        let first = samples.first()?;
        let median_of = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
        let point = Point {
            x: to_millimetre(median_of(|sample| sample.point.x)),
            y: to_millimetre(median_of(|sample| sample.point.y)),
        };
        let accuracy_mm = whole(median_of(|sample| f64::from(sample.accuracy_mm)));
        let sigma_mm = sigma_mm(accuracy_mm, self.policy);
        let degrees = self.fence.position(point);
        Some(WindowFinding {
            from_boot_ns: first.boot_ns,
            fixes: count(samples.len()),
            position: Position::from_degrees(degrees.lat, degrees.lon).ok()?,
            accuracy_mm,
            sigma_mm,
            p_inside_ppm: self.p_inside_ppm(point, sigma_mm),
            outside_mm: self.outside_mm(point),
        })
    }

    fn is_inside(&self, window: &WindowFinding) -> bool {
        window.accuracy_mm <= self.policy.window_max_accuracy_mm
            && window.p_inside_ppm >= self.policy.inside_ppm
    }

    /// The first window inside and the first one after it that is far enough apart.
    fn proof(&self, inside: &[&WindowFinding]) -> Option<[WindowFinding; 2]> {
        let first = inside.first()?;
        let from = first.from_boot_ns.saturating_add(nanos(self.policy.windows_apart_ms));
        let second = inside.iter().find(|window| window.from_boot_ns >= from)?;
        Some([**first, **second])
    }

    fn is_elsewhere(&self, summary: &FixSummary) -> bool {
        summary.used >= self.policy.outside_min_fixes
            && summary.span_ms >= self.policy.outside_min_span_ms
            && summary.p_max_ppm.is_some_and(|p| p <= self.policy.outside_ppm)
    }

    fn p_inside_ppm(&self, point: Point, sigma_mm: u32) -> u32 {
        whole(self.fence.probability_inside(point, f64::from(sigma_mm) / 1000.0) * 1e6)
    }

    fn outside_mm(&self, point: Point) -> u64 {
        let millimetres = self.fence.distance_outside(point) * 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float cast saturates, and no distance on the globe reaches it"
        )]
        let millimetres = millimetres.round() as u64;
        millimetres
    }
}

/// σ of a fix: from its 68 % radius, inflated, and never below the floor.
fn sigma_mm(accuracy_mm: u32, policy: &ArrivalPolicy) -> u32 {
    let inflation = f64::from(policy.sigma_inflation_permille) / 1000.0;
    let sigma = f64::from(accuracy_mm) / SIGMAS_IN_68_PERCENT_RADIUS * inflation;
    whole(sigma).max(policy.sigma_floor_mm)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (0, Some(upper)) => f64::midpoint(values[middle - 1], *upper),
        (_, Some(value)) => *value,
        (_, None) => f64::NAN,
    }
}

fn to_millimetre(metres: f64) -> f64 {
    (metres * 1000.0).round() / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates; only lengths and probabilities come here"
)]
fn whole(value: f64) -> u32 {
    value.round() as u32
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn nanos(millis: u32) -> u64 {
    u64::from(millis) * 1_000_000
}

fn span_ms(fixes: &[Fix]) -> u32 {
    let (Some(first), Some(last)) = (fixes.first(), fixes.last()) else { return 0 };
    u32::try_from((last.boot_ns - first.boot_ns) / 1_000_000).unwrap_or(u32::MAX)
}

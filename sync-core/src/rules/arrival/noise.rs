//! Whether positions move like a receiver's.
//!
//! The errors of a receiver wander: fixes a few seconds apart are off in nearly the same direction.
//! Made-up positions either lack errors or draw each one anew. Only stretches of
//! [`stretch_fixes`](ArrivalPolicy::stretch_fixes) fixes of one source are judged. Noise is suspect
//! only when **every** stretch shows the sign, and a place that is proven without a whole stretch
//! goes to a person: so cutting a visit short never takes a suspicion away.
//!
//! - *White noise*: von Neumann's ratio (1941, doi:10.1214/aoms/1177731677), the squared steps
//!   between neighbours over the squared distances from one place or a steady movement, is 2 for
//!   independent errors. On 16 fixes five seconds apart, errors that wander for a minute give about
//!   0.4 and 0.9; the thresholds are 1 and 1.2. By simulation independent errors pass in 1 or 2 of
//!   100 visits of three minutes; wandering ones are suspected in 0.5 % of visits of three minutes,
//!   3 % of two minutes, 20 % of 80 seconds. A fix every three seconds: 0.1 % of two minutes, 7 %
//!   of one; more often, less.
//! - *No noise*: most fixes lie within centimetres of the line between their neighbours, although
//!   the phone moves by metres. A receiver's fixes leave it by decimetres.
//! - *Constant readings*: neither the accuracy nor the number of satellites ever changes, or a
//!   satellite receiver never tells that number.
//! - *Rounded*: all positions lie on the grid of 10⁻⁵ degrees (1 m), as typed or clicked ones do.
//!   Receivers give seven decimals, the common map kits six.
//!
//! Network positions are no receiver's and are not judged here. **What remains:** who draws errors
//! that wander like a receiver's, plays back a recording that the hub has never seen, or sends false
//! satellites to a real receiver is not found by fixes. Only other evidence finds them: photos, a
//! second look at random spots, a phone that vouches for its own state.

use super::{ArrivalPolicy, Flag};
use crate::place::plane::{Plane, Point};
use crate::place::{Fix, Provider};

/// Fixes of a stretch are at least this far apart: more often, receivers repeat or smooth.
const STEP_NS: u64 = 1_900_000_000;
/// A longer gap ends a stretch: errors forget what they were.
const GAP_NS: u64 = 12_000_000_000;
/// A step below this is standing, metres.
const MOVES_M: f64 = 1.0;

/// What stands out in the noise of the used fixes, which are in the order of the boot clock.
/// `proven`: they prove the place.
pub(super) fn flags(used: &[Fix], proven: bool, policy: &ArrivalPolicy) -> Vec<Flag> {
    let judged: Vec<Fix> =
        used.iter().filter(|fix| fix.provider != Provider::Network).copied().collect();
    let stretches: Vec<Vec<Moment>> = [Provider::Gnss, Provider::Fused, Provider::Other]
        .into_iter()
        .flat_map(|provider| stretches(&judged, provider, policy))
        .collect();
    let every = |sign: fn(&[Moment], &ArrivalPolicy) -> bool| {
        !stretches.is_empty() && stretches.iter().all(|stretch| sign(stretch, policy))
    };
    let signs = [
        (Flag::NoiseUntested, proven && stretches.is_empty() && !judged.is_empty()),
        (Flag::WhiteNoise, every(is_white)),
        (Flag::NoiselessTrack, every(is_noiseless)),
        (Flag::ConstantReadings, many(&judged, policy) && has_constant_readings(&judged)),
        (Flag::RoundedPositions, many(&judged, policy) && is_rounded(&judged, policy)),
    ];
    signs.into_iter().filter(|(_, seen)| *seen).map(|(flag, _)| flag).collect()
}

fn many(fixes: &[Fix], policy: &ArrivalPolicy) -> bool {
    u32::try_from(fixes.len()).unwrap_or(u32::MAX) >= policy.stretch_fixes
}

#[derive(Clone, Copy)]
struct Moment {
    seconds: f64,
    point: Point,
}

/// One stretch from each fix of a source, as far as there is one.
fn stretches(fixes: &[Fix], provider: Provider, policy: &ArrivalPolicy) -> Vec<Vec<Moment>> {
    let of_source = || fixes.iter().filter(|fix| fix.provider == provider);
    let Some(first) = of_source().next() else { return Vec::new() };
    let plane = Plane::around(first.position.degrees());
    let placed: Vec<(u64, Moment)> = of_source()
        .map(|fix| {
            let since = fix.boot_ns - first.boot_ns;
            let point = plane.project(fix.position.degrees());
            (fix.boot_ns, Moment { seconds: seconds(since), point })
        })
        .collect();
    let length = usize::try_from(policy.stretch_fixes).unwrap_or(usize::MAX);
    (0..placed.len()).filter_map(|start| stretch(&placed[start..], length)).collect()
}

fn stretch(placed: &[(u64, Moment)], length: usize) -> Option<Vec<Moment>> {
    let mut taken: Vec<Moment> = Vec::new();
    let mut last: Option<u64> = None;
    for (boot_ns, moment) in placed {
        let since = last.map(|last| boot_ns - last);
        if since.is_some_and(|since| since < STEP_NS) {
            continue;
        }
        if taken.len() == length || since.is_some_and(|since| since > GAP_NS) {
            break;
        }
        taken.push(*moment);
        last = Some(*boot_ns);
    }
    (taken.len() == length && length > 2).then_some(taken)
}

/// Whether each error is drawn anew, about one place or about a steady movement.
fn is_white(stretch: &[Moment], policy: &ArrivalPolicy) -> bool {
    let n = count(stretch.len());
    let moving = off_steady_movement(stretch);
    let standing: Vec<Point> = stretch.iter().map(|moment| moment.point).collect();
    let floor_m = f64::from(policy.noise_floor_mm) / 1000.0;
    spread(&moving) >= floor_m * floor_m * n
        && (steps(&moving) * 1000.0 >= spread(&moving) * f64::from(policy.white_moving_permille)
            || steps(&standing) * 1000.0
                >= spread(&standing) * f64::from(policy.white_standing_permille))
}

/// Squared distances from the mean, summed.
fn spread(points: &[Point]) -> f64 {
    let n = count(points.len());
    let mean = |axis: fn(&Point) -> f64| points.iter().map(axis).sum::<f64>() / n;
    let middle = Point { x: mean(|point| point.x), y: mean(|point| point.y) };
    points.iter().map(|point| point.distance(middle).powi(2)).sum()
}

/// Squared distances between neighbours, summed.
fn steps(points: &[Point]) -> f64 {
    points.windows(2).map(|pair| pair[0].distance(pair[1]).powi(2)).sum()
}

/// What is left when the best steady movement is taken off (least squares on each axis).
fn off_steady_movement(stretch: &[Moment]) -> Vec<Point> {
    let n = count(stretch.len());
    let mean = |value: &dyn Fn(&Moment) -> f64| stretch.iter().map(value).sum::<f64>() / n;
    let time = mean(&|moment| moment.seconds);
    let middle = Point { x: mean(&|moment| moment.point.x), y: mean(&|moment| moment.point.y) };
    let spread = mean(&|moment| (moment.seconds - time).powi(2));
    let speed = |axis: fn(Point) -> f64| {
        mean(&|moment| (moment.seconds - time) * (axis(moment.point) - axis(middle))) / spread
    };
    let (east, north) = (speed(|point| point.x), speed(|point| point.y));
    let left = |moment: &Moment| {
        let since = moment.seconds - time;
        Point {
            x: moment.point.x - middle.x - east * since,
            y: moment.point.y - middle.y - north * since,
        }
    };
    stretch.iter().map(left).collect()
}

/// Whether most fixes lie on the line between their neighbours or on the same spot, and some of
/// them move.
fn is_noiseless(stretch: &[Moment], policy: &ArrivalPolicy) -> bool {
    let ideal_m = f64::from(policy.ideal_line_mm) / 1000.0;
    let (mut ideal, mut moving) = (0, 0);
    for three in stretch.windows(3) {
        let [before, here, after] = [three[0].point, three[1].point, three[2].point];
        let legs = before.distance(here).min(here.distance(after));
        if before == here && here == after {
            ideal += 1;
        } else if legs >= MOVES_M && off_the_line(before, here, after) <= ideal_m {
            ideal += 1;
            moving += 1;
        }
    }
    moving > 0 && 2 * ideal > stretch.len() - 2
}

fn off_the_line(before: Point, here: Point, after: Point) -> f64 {
    let (x, y) = (after.x - before.x, after.y - before.y);
    let across = x * (here.y - before.y) - y * (here.x - before.x);
    across.abs() / x.hypot(y).max(MOVES_M)
}

fn has_constant_readings(judged: &[Fix]) -> bool {
    judged.windows(2).all(|pair| {
        pair[0].accuracy_mm == pair[1].accuracy_mm
            && pair[0].satellites == pair[1].satellites
            && (pair[0].satellites.is_some() || pair[0].provider == Provider::Gnss)
    })
}

fn is_rounded(judged: &[Fix], policy: &ArrivalPolicy) -> bool {
    let grid = i32::try_from(policy.rounded_grid_e7).unwrap_or(i32::MAX).max(1);
    judged.iter().all(|fix| fix.position.lat_e7 % grid == 0 && fix.position.lon_e7 % grid == 0)
}

#[expect(clippy::cast_precision_loss, reason = "seconds between fixes need no nanoseconds")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "a handful of fixes")]
fn count(length: usize) -> f64 {
    length as f64
}

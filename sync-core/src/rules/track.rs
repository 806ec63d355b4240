//! Whether two tracks were measured once: the same errors of one receiver, under two names.
//!
//! Two people who stand or walk together share their way, not the errors of their receivers: after
//! the offset between the two tracks is taken off, what is left still wanders by decimetres to
//! metres. A copy agrees to the centimetre, whenever and on whatever clock it is sent.
//!
//! **Threshold.** A copied fix differs by the rounding to 10⁻⁷ degrees, up to 2 cm. Let the errors
//! of two receivers side by side wander apart by only 0.3 m on each axis, a third of what good
//! phones do. A fix then agrees to 10 cm by chance in 1 − exp(−0.1²/(2·0.3²)) = 5.4 % of cases, nine
//! of eleven fixes in 55·0.054⁹ ≈ 2·10⁻¹⁰, and in at most [`SHIFTS`] tried alignments below 10⁻⁷.
//! Where the shape says less than 2 m, a twentieth of it must agree; where it says nothing (a phone
//! that holds its position), only the very same spots count.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::fact::body::ArrivalClaim;
use crate::limits::FIXES;
use crate::place::datum::convert;
use crate::place::plane::{Plane, Point, distance_m};
use crate::place::{Datum, Position};

/// Fixes that must be aligned.
pub const MIN_FIXES: usize = 11;
/// Share of them that must agree, thousandths.
const AGREEING_PERMILLE: usize = 800;
/// They agree to at most this, metres …
const AGREES_M: f64 = 0.1;
/// … and at least this, the rounding of two copies …
const ROUNDING_M: f64 = 0.02;
/// … and to this share of what the track itself spreads.
const AGREES_SHARE: f64 = 0.05;
/// A track that spreads less has no shape to compare.
const SHAPELESS_M: f64 = 0.1;
/// Two fixes are of one moment when their aligned clocks differ by less, nanoseconds.
const SAME_MOMENT_NS: i64 = 500_000_000;
/// Alignments tried at most.
const SHIFTS: usize = 400;
/// Tracks further apart than this are not compared, metres.
const REACH_M: f64 = 5_000.0;

/// Positions on one clock.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Track {
    /// In the order of the clock, each moment once.
    #[n(0)]
    spots: Vec<Spot>,
}

/// One position of a [`Track`], WGS-84.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Spot {
    #[n(0)]
    boot_ns: u64,
    #[n(1)]
    position: Position,
}

/// Which shifts of the clocks against each other count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Each track has a clock of its own: any shift.
    Apart,
    /// One boot of one phone. The same fixes at the same moment are then no copy: two claims of one
    /// visit may rest on them.
    Same,
}

/// How alike two tracks are at their best alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// Fixes of one moment.
    pub fixes: u32,
    /// Four of five of them agree to this once the offset is taken off, millimetres.
    pub distance_mm: u32,
    /// Four of five of them lie within this of their middle, millimetres: what there is to compare.
    pub spread_mm: u32,
    /// Offset between the two, millimetres.
    pub offset_mm: u32,
    /// What is added to the first clock to get the second, milliseconds.
    pub shift_ms: i64,
}

impl Track {
    /// The track of a claim: what is no position is left out.
    #[must_use]
    pub fn of(claim: &ArrivalClaim) -> Self {
        let fixes = claim.fixes.iter().take(FIXES).filter(|fix| fix.position.check().is_ok());
        let spot = |fix: &crate::place::Fix| {
            let degrees = convert(fix.position.degrees(), claim.datum, Datum::Wgs84);
            let position = Position::from_degrees(degrees.lat, degrees.lon).ok()?;
            Some(Spot { boot_ns: fix.boot_ns, position })
        };
        let mut spots: Vec<Spot> = fixes.filter_map(spot).collect();
        spots.sort_by_key(|spot| spot.boot_ns);
        spots.dedup_by_key(|spot| spot.boot_ns);
        Self { spots }
    }

    /// The position in the middle of its time; `None` when it is too short to be compared.
    #[must_use]
    pub fn middle(&self) -> Option<Position> {
        let middle = self.spots.get(self.spots.len() / 2)?;
        (self.spots.len() >= MIN_FIXES).then_some(middle.position)
    }

    fn in_plane(&self, plane: &Plane) -> Vec<Moment> {
        let at = |spot: &Spot| Moment {
            at: i64::try_from(spot.boot_ns).unwrap_or(i64::MAX),
            point: plane.project(spot.position.degrees()),
        };
        self.spots.iter().map(at).collect()
    }
}

#[derive(Clone, Copy)]
struct Moment {
    at: i64,
    point: Point,
}

impl Likeness {
    /// Whether this is one receiver's track twice.
    #[must_use]
    pub fn is_one_track(&self) -> bool {
        let (distance, spread) = (metres(self.distance_mm), metres(self.spread_mm));
        let agrees = (spread * AGREES_SHARE).clamp(ROUNDING_M, AGREES_M);
        let comparable = spread >= SHAPELESS_M || metres(self.offset_mm) <= ROUNDING_M;
        comparable && distance <= agrees
    }
}

/// How alike two tracks are; `None` when nothing in them can be aligned.
#[must_use]
pub fn likeness(a: &Track, b: &Track, clocks: Clocks) -> Option<Likeness> {
    let origin = a.middle()?.degrees();
    if distance_m(origin, b.middle()?.degrees()) > REACH_M {
        return None;
    }
    let plane = Plane::around(origin);
    let (a, b) = (a.in_plane(&plane), b.in_plane(&plane));
    let found = shifts(&a, &b, clocks).into_iter().filter_map(|shift| aligned(&a, &b, shift));
    found.max_by_key(|found| {
        (found.is_one_track(), found.fixes, std::cmp::Reverse(found.distance_mm))
    })
}

/// Shifts by which a step of one track lies on an equal step of the other.
fn shifts(a: &[Moment], b: &[Moment], clocks: Clocks) -> BTreeSet<i64> {
    let mut shifts = BTreeSet::new();
    let mut tried = BTreeSet::new();
    for from in a.windows(2) {
        for to in b.windows(2) {
            let shift = to[0].at.saturating_sub(from[0].at);
            let slower = (to[1].at - to[0].at).abs_diff(from[1].at - from[0].at);
            let (x, y) = (
                (to[1].point.x - to[0].point.x) - (from[1].point.x - from[0].point.x),
                (to[1].point.y - to[0].point.y) - (from[1].point.y - from[0].point.y),
            );
            let same_fixes = clocks == Clocks::Same && shift.abs() < 2 * SAME_MOMENT_NS;
            if same_fixes || slower >= SAME_MOMENT_NS.unsigned_abs() || x.hypot(y) > 2.0 * AGREES_M
            {
                continue;
            }
            if tried.insert(shift.div_euclid(SAME_MOMENT_NS / 2)) && shifts.len() < SHIFTS {
                shifts.insert(shift);
            }
        }
    }
    shifts
}

/// Compares what lies on one moment once `shift` is added to the first clock.
fn aligned(a: &[Moment], b: &[Moment], shift: i64) -> Option<Likeness> {
    let mut offsets = Vec::new();
    let mut points = Vec::new();
    for moment in a {
        let at = moment.at.saturating_add(shift);
        let after = b.partition_point(|other| other.at < at);
        let near = b[after.saturating_sub(1)..b.len().min(after + 1)].iter();
        let Some(near) = near.min_by_key(|other| other.at.abs_diff(at)) else { continue };
        if near.at.abs_diff(at) < SAME_MOMENT_NS.unsigned_abs() {
            let (x, y) = (near.point.x - moment.point.x, near.point.y - moment.point.y);
            offsets.push(Point { x, y });
            points.push(moment.point);
        }
    }
    if points.len() < MIN_FIXES {
        return None;
    }
    let offset = middle(&offsets);
    Some(Likeness {
        fixes: u32::try_from(points.len()).unwrap_or(u32::MAX),
        distance_mm: millimetres(most_within(&offsets, offset)),
        spread_mm: millimetres(most_within(&points, middle(&points))),
        offset_mm: millimetres(offset.x.hypot(offset.y)),
        shift_ms: shift / 1_000_000,
    })
}

/// The median of each axis.
fn middle(points: &[Point]) -> Point {
    let median = |axis: fn(&Point) -> f64| {
        let mut values: Vec<f64> = points.iter().map(axis).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Point { x: median(|point| point.x), y: median(|point| point.y) }
}

/// The radius about `centre` that holds four of five points.
fn most_within(points: &[Point], centre: Point) -> f64 {
    let mut distances: Vec<f64> = points.iter().map(|point| point.distance(centre)).collect();
    distances.sort_by(f64::total_cmp);
    distances[(distances.len() * AGREEING_PERMILLE).div_ceil(1000).max(1) - 1]
}

fn metres(millimetres: u32) -> f64 {
    f64::from(millimetres) / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates; only lengths come here"
)]
fn millimetres(metres: f64) -> u32 {
    (metres * 1000.0).round() as u32
}

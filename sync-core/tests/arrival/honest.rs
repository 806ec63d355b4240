//! What honest phones report: errors that wander for a minute, whatever the phone makes of them.

use onscene_sync_core::place::{Fix, Provider, accuracy_mm};

use crate::chance::Chance;
use crate::scene::{fix, minutes, near};

/// Seconds after which an error has mostly forgotten what it was.
const TAU_S: f64 = 60.0;
/// Standard deviations of one axis in the 68 % radius.
const R68: f64 = 1.509_6;
/// Metres east and north.
pub(crate) type Way = fn(f64, &Bends) -> (f64, f64);

/// What makes one way differ from another of its kind.
pub(crate) struct Bends {
    pub(crate) heading: f64,
    pub(crate) speed: f64,
    pub(crate) bend: f64,
}

/// The error of one receiver on one axis, in standard deviations (Gauss–Markov).
pub(crate) struct Wander(f64, f64);

impl Wander {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        Self(chance.normal(), chance.normal())
    }

    pub(crate) fn after(&mut self, seconds: f64, chance: &mut Chance) -> (f64, f64) {
        let kept = (-seconds / TAU_S).exp();
        let fresh = (1.0 - kept * kept).sqrt();
        self.0 = kept * self.0 + fresh * chance.normal();
        self.1 = kept * self.1 + fresh * chance.normal();
        (self.0, self.1)
    }
}

/// Reported accuracy, metres, and what one standard deviation of an axis truly is.
pub(crate) fn accuracy(chance: &mut Chance) -> (f64, f64) {
    let told = chance.pick(&[(5.0, 0.40), (10.0, 0.30), (20.0, 0.15), (50.0, 0.10), (100.0, 0.05)]);
    (told, told / R68 * chance.pick(&[(1.0, 0.70), (2.0, 0.25), (4.0, 0.05)]))
}

/// Moments of a visit of three minutes, seconds after its first fix.
pub(crate) fn moments(step_s: f64) -> impl Iterator<Item = f64> {
    (0_u32..).map(move |n| f64::from(n) * step_s).take_while(|at| *at <= 180.0)
}

/// A fix so many seconds after the first one of the visit.
pub(crate) fn at(seconds: f64, (east, north): (f64, f64), accuracy_m: f64) -> Fix {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of three minutes")]
    let moment = minutes(40).plus(-30_000 + (seconds * 1000.0).round() as i64);
    fix(moment, near(north, east), accuracy_mm(accuracy_m).expect("a radius"))
}

/// A satellite receiver on a way: the accuracy it tells and the satellites it uses change a little.
pub(crate) fn receiver(chance: &mut Chance, step_s: f64, way: Way) -> Vec<Fix> {
    let (told, sigma) = accuracy(chance);
    receiver_of(chance, step_s, way, (told, sigma))
}

pub(crate) fn receiver_of(
    chance: &mut Chance,
    step_s: f64,
    way: Way,
    (told, sigma): (f64, f64),
) -> Vec<Fix> {
    let bends = bends(chance);
    let mut wander = Wander::new(chance);
    let mut satellites = 14.0;
    moments(step_s)
        .map(|seconds| {
            let (e, n) = wander.after(step_s, chance);
            let (x, y) = way(seconds, &bends);
            satellites += chance.pick(&[(0.0, 0.6), (1.0, 0.2), (-1.0, 0.2)]);
            let jitter = chance.between(0.95, 1.05);
            let fix = at(seconds, (x + sigma * e, y + sigma * n), told * jitter);
            Fix { satellites: Some(count(satellites)), ..fix }
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(crate) fn count(satellites: f64) -> u8 {
    satellites.clamp(5.0, 40.0) as u8
}

pub(crate) fn bends(chance: &mut Chance) -> Bends {
    Bends {
        heading: chance.between(0.0, std::f64::consts::TAU),
        speed: chance.between(0.8, 1.6),
        bend: chance.between(-0.01, 0.01),
    }
}

pub(crate) fn standing(_: f64, _: &Bends) -> (f64, f64) {
    (0.0, 0.0)
}

/// Walks up for a minute, then stands.
pub(crate) fn walking_up(seconds: f64, bends: &Bends) -> (f64, f64) {
    let left = (60.0 - seconds).max(0.0) * bends.speed;
    let (sin, cos) = (bends.heading + bends.bend * left).sin_cos();
    (left * sin, left * cos)
}

/// Walks about all the time.
pub(crate) fn walking(seconds: f64, bends: &Bends) -> (f64, f64) {
    let gone = (seconds - 90.0) * bends.speed * 0.5;
    let (sin, cos) = (bends.heading + bends.bend * gone).sin_cos();
    (gone * sin, gone * cos)
}

/// Arrives in a vehicle: 40 km/h, braking, then standing.
pub(crate) fn driving_up(seconds: f64, bends: &Bends) -> (f64, f64) {
    let rest = (70.0 - seconds).max(0.0);
    let left = 11.0 * bends.speed * rest * rest / (rest + 8.0);
    let (sin, cos) = bends.heading.sin_cos();
    (left * sin, left * cos)
}

/// Between high houses: the error jumps when a reflection comes or goes.
pub(crate) fn canyon(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver_of(chance, 5.0, walking_up, (20.0, 8.0));
    let plane = fixes.clone();
    let (mut east, mut north, mut rest) = (0.0, 0.0, 0.0);
    for (fix, was) in fixes.iter_mut().zip(plane) {
        if rest <= 0.0 {
            rest = chance.between(10.0, 40.0);
            (east, north) = (chance.normal() * 12.0, chance.normal() * 12.0);
        }
        rest -= 5.0;
        fix.position.lat_e7 = was.position.lat_e7 + e7(north / 111_000.0);
        fix.position.lon_e7 = was.position.lon_e7 + e7(east / 89_000.0);
    }
    fixes
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction of a degree")]
pub(crate) fn e7(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

/// Cells and wireless networks: coarse, a steady radius, the same spot until the next scan.
pub(crate) fn indoors(chance: &mut Chance) -> Vec<Fix> {
    let told = chance.pick(&[(24.0, 0.3), (65.0, 0.4), (120.0, 0.3)]);
    let (mut spot, mut rest) = ((0.0, 0.0), 0.0);
    moments(5.0)
        .map(|seconds| {
            if rest <= 0.0 {
                rest = chance.between(10.0, 50.0);
                spot = (chance.normal() * told / 2.0, chance.normal() * told / 2.0);
            }
            rest -= 5.0;
            Fix { provider: Provider::Network, satellites: None, ..at(seconds, spot, told) }
        })
        .collect()
}

/// A phone that rounds its accuracy to whole metres, on which it then rests.
pub(crate) fn rounding(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver_of(chance, 5.0, walking_up, (4.0, 2.6));
    fixes.iter_mut().for_each(|fix| fix.accuracy_mm = 4_000);
    fixes
}

/// A map kit that gives six decimals.
pub(crate) fn six_decimals(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver(chance, 5.0, walking_up);
    for fix in &mut fixes {
        fix.position.lat_e7 = fix.position.lat_e7 / 10 * 10;
        fix.position.lon_e7 = fix.position.lon_e7 / 10 * 10;
    }
    fixes
}

/// A phone that knows that it lies still: its position creeps by centimetres.
pub(crate) fn holding(chance: &mut Chance) -> Vec<Fix> {
    let mut wander = Wander::new(chance);
    let place = (chance.normal() * 4.0, chance.normal() * 4.0);
    moments(5.0)
        .map(|seconds| {
            let (e, n) = wander.after(5.0, chance);
            let accuracy = 4.0 + 0.1 * chance.next();
            at(seconds, (place.0 + 0.05 * e, place.1 + 0.05 * n), accuracy)
        })
        .collect()
}

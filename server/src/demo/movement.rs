//! Where an inspector truly is: rides along streets, walks about on scene.

use onscene_sync_core::time::Millis;
use rand::{Rng, RngExt as _};

use super::plane::Point;

/// Everything an inspector did so far and has set out to do: points in the order of time, straight
/// lines between them.
#[derive(Debug, Clone)]
pub struct Track {
    legs: Vec<(Millis, Point)>,
}

impl Track {
    /// Someone who stands at `point`.
    #[must_use]
    pub fn standing(at: Millis, point: Point) -> Self {
        Self { legs: vec![(at, point)] }
    }

    /// The true place at a moment; before the first point and after the last they stand still.
    #[must_use]
    pub fn at(&self, when: Millis) -> Point {
        let next = self.legs.partition_point(|(at, _)| *at <= when);
        match (next.checked_sub(1).map(|last| self.legs[last]), self.legs.get(next)) {
            (Some((from_at, from)), Some(&(to_at, to))) => {
                from.towards(to, ratio(when.since(from_at), to_at.since(from_at)))
            }
            (Some((_, point)), None) => point,
            (None, _) => self.legs[0].1,
        }
    }

    /// Where and when the last leg ends.
    #[must_use]
    pub fn end(&self) -> (Millis, Point) {
        *self.legs.last().expect("a track begins with a point")
    }

    /// Rides to `target` along a grid of streets, leaving at `leave` (not before the last leg has
    /// ended), at `speed` metres a second on average with stops at lights. Returns the arrival.
    pub fn ride(&mut self, rng: &mut impl Rng, leave: Millis, target: Point, speed: f64) -> Millis {
        let (ended, from) = self.end();
        let mut at = leave.max(ended);
        self.legs.push((at, from));
        let corner = if rng.random_bool(0.5) {
            Point { east: target.east, north: from.north }
        } else {
            Point { east: from.east, north: target.north }
        };
        for end in [corner, target] {
            at = self.street(rng, at, end, speed);
        }
        at
    }

    /// Walks about within `radius` metres of `centre` from the end of the last leg until `until`.
    pub fn walk_about(&mut self, rng: &mut impl Rng, centre: Point, radius: f64, until: Millis) {
        let (mut at, mut here) = self.end();
        while at < until {
            let target = within(rng, centre, radius);
            let pace = rng.random_range(0.4..1.2);
            let arrive = at.plus(millis(here.distance(target) / pace));
            let rest = arrive.plus(rng.random_range(2_000..15_000));
            self.legs.extend([(arrive, target), (rest, target)]);
            (at, here) = (rest, target);
        }
    }

    /// One straight street in blocks of some 400 m, with a light that may be red at each end.
    fn street(&mut self, rng: &mut impl Rng, from: Millis, end: Point, speed: f64) -> Millis {
        let mut at = from;
        let start = self.end().1;
        let length = start.distance(end);
        let blocks = (length / 400.0).ceil().max(1.0);
        let mut done = 0.0;
        while done < blocks {
            done += 1.0;
            let pace = speed * rng.random_range(0.85..1.25);
            let corner = start.towards(end, done / blocks);
            at = at.plus(millis(length / blocks / pace));
            self.legs.push((at, corner));
            if rng.random_bool(0.3) {
                at = at.plus(rng.random_range(3_000..25_000));
                self.legs.push((at, corner));
            }
        }
        at
    }
}

/// A point spread evenly over the disc of `radius` metres about `centre`.
pub fn within(rng: &mut impl Rng, centre: Point, radius: f64) -> Point {
    let (share, angle): (f64, f64) =
        (rng.random_range(0.0..1.0), rng.random_range(0.0..std::f64::consts::TAU));
    let distance = radius * share.sqrt();
    centre.moved(distance * angle.cos(), distance * angle.sin())
}

fn ratio(part: i64, whole: i64) -> f64 {
    let seconds = |ms: i64| std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
    if whole <= 0 { 1.0 } else { seconds(part) / seconds(whole) }
}

#[expect(clippy::cast_possible_truncation, reason = "a ride takes minutes")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1e3).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    const HOME: Point = Point { east: 0.0, north: 0.0 };

    #[test]
    fn a_track_is_straight_between_its_points_and_still_beyond_them() {
        let mut track = Track::standing(Millis(1_000), HOME);
        track.legs.push((Millis(3_000), Point { east: 10.0, north: 0.0 }));
        assert_eq!(track.at(Millis(0)), HOME);
        assert_eq!(track.at(Millis(2_000)), Point { east: 5.0, north: 0.0 });
        assert_eq!(track.at(Millis(9_000)), Point { east: 10.0, north: 0.0 });
    }

    proptest! {
        #[test]
        fn nobody_jumps_and_rides_arrive(
            seed in any::<u64>(), east in -4e3..4e3, north in -4e3..4e3, speed in 2.0..8.0,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let target = Point { east, north };
            let mut track = Track::standing(Millis(0), HOME);
            let arrived = track.ride(&mut rng, Millis(60_000), target, speed);
            track.walk_about(&mut rng, target, 12.0, arrived.plus(300_000));
            prop_assert_eq!(track.at(Millis(60_000)), HOME);
            prop_assert!(track.at(arrived).distance(target) < 1e-6);
            let street_m = east.abs() + north.abs();
            prop_assert!(arrived.since(Millis(60_000)) >= millis(street_m / (speed * 1.25)));
            for second in 0..(track.end().0.0 / 1_000) {
                let step = track.at(Millis(second * 1_000)).distance(track.at(Millis(second * 1_000 + 1_000)));
                prop_assert!(step <= (speed * 1.25).max(1.2) + 1e-6, "{} m in a second", step);
            }
            let end = track.end().0;
            prop_assert!(track.at(end).distance(target) <= 12.0);
        }

        #[test]
        fn the_same_seed_makes_the_same_track(seed in any::<u64>()) {
            let ride = || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut track = Track::standing(Millis(0), HOME);
                track.ride(&mut rng, Millis(0), Point { east: 900.0, north: -700.0 }, 5.0);
                track.legs
            };
            prop_assert_eq!(ride(), ride());
        }
    }
}

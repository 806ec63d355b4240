//! What made-up positions look like, by how they were made.

use onscene_sync_core::id::FactId;
use onscene_sync_core::place::Fix;
use onscene_sync_core::rules::track::{Clocks, Track, likeness};

use crate::chance::Chance;
use crate::honest::{
    Way, accuracy, at, bends, count, driving_up, e7, moments, receiver, receiver_of, standing,
    walking, walking_up,
};
use crate::scene::{Scene, minutes};

/// A track from a place, a scatter around it and an accuracy, step by step.
fn made(
    chance: &mut Chance,
    way: Way,
    mut scatter: impl FnMut(&mut Chance) -> (f64, f64),
    mut accuracy: impl FnMut(&mut Chance) -> f64,
) -> Vec<Fix> {
    let bends = bends(chance);
    let mut satellites = 12.0;
    moments(5.0)
        .map(|seconds| {
            let (x, y) = way(seconds, &bends);
            let (e, n) = scatter(chance);
            satellites += chance.pick(&[(0.0, 0.6), (1.0, 0.2), (-1.0, 0.2)]);
            let fix = at(seconds, (x + e, y + n), accuracy(chance));
            Fix { satellites: Some(count(satellites)), ..fix }
        })
        .collect()
}

fn no_scatter(_: &mut Chance) -> (f64, f64) {
    (0.0, 0.0)
}

fn living_accuracy(chance: &mut Chance) -> f64 {
    chance.between(3.0, 6.0)
}

pub(crate) fn one_spot(chance: &mut Chance) -> Vec<Fix> {
    made(chance, standing, no_scatter, |_| 5.0)
}

pub(crate) fn one_spot_living_accuracy(chance: &mut Chance) -> Vec<Fix> {
    made(chance, standing, no_scatter, living_accuracy)
}

pub(crate) fn mock_flag_left_on_once(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver(chance, 5.0, walking_up);
    fixes[20].mock = true;
    fixes
}

pub(crate) fn straight_line(chance: &mut Chance) -> Vec<Fix> {
    made(
        chance,
        |seconds, bends| ((seconds - 90.0) * bends.speed, 0.0),
        no_scatter,
        living_accuracy,
    )
}

/// Along the middle of streets with a corner, at a walker's changing pace.
pub(crate) fn snapped_to_the_map(chance: &mut Chance) -> Vec<Fix> {
    let pace = |seconds: f64, speed: f64| seconds * speed + 4.0 * (seconds / 9.0).sin();
    let street = move |seconds: f64, speed: f64| {
        let gone = pace(seconds, speed) - 60.0;
        (gone.min(0.0), gone.max(0.0))
    };
    let speed = chance.between(0.9, 1.5);
    let fix = |seconds: f64| at(seconds, street(seconds, speed), 4.0 + (seconds / 7.0).sin());
    moments(5.0).map(fix).collect()
}

pub(crate) fn gaussian_jitter(chance: &mut Chance) -> Vec<Fix> {
    let sigma = chance.between(1.0, 6.0);
    let scatter = move |chance: &mut Chance| (sigma * chance.normal(), sigma * chance.normal());
    made(chance, standing, scatter, living_accuracy)
}

pub(crate) fn uniform_jitter(chance: &mut Chance) -> Vec<Fix> {
    let reach = chance.between(2.0, 8.0);
    let scatter =
        move |chance: &mut Chance| (chance.between(-reach, reach), chance.between(-reach, reach));
    made(chance, standing, scatter, living_accuracy)
}

/// Enough to be no frozen spot, too little for a receiver.
pub(crate) fn tiny_jitter(chance: &mut Chance) -> Vec<Fix> {
    let scatter = |chance: &mut Chance| (chance.between(-0.5, 0.5), chance.between(-0.5, 0.5));
    made(chance, standing, scatter, living_accuracy)
}

/// A route that an app plays each second, from corner to corner.
pub(crate) fn route_player(chance: &mut Chance) -> Vec<Fix> {
    let speed = chance.between(0.8, 2.0);
    let place = |seconds: f64| {
        let gone = (seconds - 90.0) * speed;
        let (leg, along) = ((gone / 150.0).floor(), gone.rem_euclid(150.0));
        if leg.rem_euclid(2.0) < 1.0 {
            (leg * 75.0 + along, leg * 75.0)
        } else {
            (leg * 75.0 + 75.0, leg * 75.0 - 75.0 + along)
        }
    };
    moments(1.0).map(|seconds| at(seconds, place(seconds), living_accuracy(chance))).collect()
}

pub(crate) fn gaussian_jitter_while_walking(chance: &mut Chance) -> Vec<Fix> {
    let sigma = chance.between(1.5, 6.0);
    let scatter = move |chance: &mut Chance| (sigma * chance.normal(), sigma * chance.normal());
    made(chance, walking, scatter, living_accuracy)
}

/// A few spots typed into a list, one after the other and again.
pub(crate) fn a_loop_of_spots(chance: &mut Chance) -> Vec<Fix> {
    let spots: Vec<(f64, f64)> =
        (0..5).map(|_| (chance.between(-9.0, 9.0), chance.between(-9.0, 9.0))).collect();
    let mut next = 0;
    let scatter = move |_: &mut Chance| {
        next += 1;
        spots[next % spots.len()]
    };
    made(chance, standing, scatter, living_accuracy)
}

pub(crate) fn five_decimals(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver(chance, 5.0, walking_up);
    for fix in &mut fixes {
        fix.position.lat_e7 = fix.position.lat_e7 / 100 * 100;
        fix.position.lon_e7 = fix.position.lon_e7 / 100 * 100;
    }
    fixes
}

/// Errors that wander, and an app that writes the same accuracy and satellites each time.
pub(crate) fn constant_readings(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver_of(chance, 5.0, walking_up, (5.0, 3.0));
    for fix in &mut fixes {
        (fix.accuracy_mm, fix.satellites) = (5_000, Some(7));
    }
    fixes
}

/// The same, and the app leaves the satellites out.
pub(crate) fn constant_accuracy(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = constant_readings(chance);
    fixes.iter_mut().for_each(|fix| fix.satellites = None);
    fixes
}

pub(crate) fn teleport(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver_of(chance, 5.0, walking_up, (5.0, 3.0));
    for fix in &mut fixes[..3] {
        fix.position.lat_e7 += e7(0.03);
    }
    fixes
}

/// The phone's wall clock in the place of the satellites', which run apart.
pub(crate) fn drifting_satellite_time(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver(chance, 5.0, walking_up);
    let off = chance.between(0.3, 2.0);
    for (fix, step) in fixes.iter_mut().zip(0_u32..) {
        let off_ms = i64::from(e7(off * f64::from(step) / 1e4));
        fix.fix_wall_ms = fix.fix_wall_ms.map(|ms| ms - off_ms);
    }
    fixes
}

pub(crate) fn satellites_of_another_day(chance: &mut Chance) -> Vec<Fix> {
    let mut fixes = receiver(chance, 5.0, walking_up);
    fixes.iter_mut().for_each(|fix| fix.fix_wall_ms = fix.fix_wall_ms.map(|ms| ms - 86_400_000));
    fixes
}

/// An honest recording, and what is sent under another name or on another day.
fn copied(chance: &mut Chance, mut copy: impl FnMut(&mut Chance, &mut Fix)) -> [Vec<Fix>; 2] {
    let original = receiver(chance, 5.0, walking_up);
    let mut copied = original.clone();
    copied.iter_mut().for_each(|fix| copy(chance, fix));
    [original, copied]
}

pub(crate) fn recording_sent_again(chance: &mut Chance) -> [Vec<Fix>; 2] {
    copied(chance, |_, fix| fix.boot_ns += 2_400_123_000_000)
}

/// One phone's positions handed to another one as they come: centimetres and moments differ.
pub(crate) fn relayed_to_a_second_phone(chance: &mut Chance) -> [Vec<Fix>; 2] {
    copied(chance, |chance, fix| {
        fix.boot_ns =
            fix.boot_ns + 5_000_000_000_000 + u64::from(count(chance.next() * 40.0)) * 1_000_000;
        fix.position.lat_e7 += e7(chance.between(-1.5e-7, 1.5e-7));
        fix.position.lon_e7 += e7(chance.between(-1.5e-7, 1.5e-7));
        fix.accuracy_mm += 300;
    })
}

pub(crate) fn relayed_and_moved_aside(chance: &mut Chance) -> [Vec<Fix>; 2] {
    let (north, east) = (chance.normal() * 5.0, chance.normal() * 5.0);
    copied(chance, move |_, fix| {
        fix.position.lat_e7 += e7(north / 111_000.0);
        fix.position.lon_e7 += e7(east / 89_000.0);
    })
}

/// Errors made as a receiver's are, by somebody who has read how this is judged.
pub(crate) fn an_expert(chance: &mut Chance) -> Vec<Fix> {
    let (told, sigma) = accuracy(chance);
    receiver_of(chance, 5.0, driving_up, (told, sigma))
}

/// A radio that sends false satellites, all equally strong: the receiver measures its own errors,
/// and no strength of a signal stands in a fix.
pub(crate) fn false_satellites(chance: &mut Chance) -> Vec<Fix> {
    receiver_of(chance, 5.0, standing, (5.0, 2.0))
}

/// The claim `fixes` at a site of 100 m.
pub(crate) fn claimed(fixes: Vec<Fix>) -> Scene {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(50));
    scene.claim.fixes = fixes;
    scene
}

/// The second of two claims, as the hub sees it that holds the first.
pub(crate) fn claimed_beside([first, second]: [Vec<Fix>; 2]) -> Scene {
    let mut scene = claimed(second);
    let tracks = [claimed(first).claim, scene.claim.clone()].map(|claim| Track::of(&claim));
    let found = likeness(&tracks[0], &tracks[1], Clocks::Apart);
    if found.is_some_and(|found| found.is_one_track()) {
        scene.same_tracks.push(FactId::from_bytes([7; 16]));
    }
    scene
}

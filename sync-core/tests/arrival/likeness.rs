//! One receiver under two names, and two receivers side by side.

use onscene_sync_core::place::Fix;
use onscene_sync_core::rules::arrival::{Conclusion, Flag, Reason};
use onscene_sync_core::rules::track::{Clocks, Likeness, Track, likeness};
use proptest::prelude::*;

use crate::chance::Chance;
use crate::honest::{Way, driving_up, holding, receiver_of, standing, walking, walking_up};
use crate::scene::{Scene, minutes};
use crate::{honest, spoofs};

fn track(fixes: &[Fix]) -> Track {
    Track::of(&spoofs::claimed(fixes.to_vec()).claim)
}

fn alike(a: &[Fix], b: &[Fix]) -> Option<Likeness> {
    likeness(&track(a), &track(b), Clocks::Apart)
}

fn is_one(a: &[Fix], b: &[Fix]) -> bool {
    alike(a, b).is_some_and(|found| found.is_one_track())
}

/// Two phones on one way whose errors are partly the same, as under one sky.
fn side_by_side(chance: &mut Chance, way: Way, apart_m: f64) -> [Vec<Fix>; 2] {
    let bends = honest::bends(chance);
    let (mut sky, mut own) = (honest::Wander::new(chance), [(); 2].map(|()| None));
    let mut tracks = [Vec::new(), Vec::new()];
    for seconds in honest::moments(5.0) {
        let (x, y) = way(seconds, &bends);
        let common = sky.after(5.0, chance);
        for (track, own) in tracks.iter_mut().zip(&mut own) {
            let (e, n) = own.get_or_insert_with(|| honest::Wander::new(chance)).after(5.0, chance);
            let east = x + 2.0 * common.0 + apart_m * e;
            let north = y + 2.0 * common.1 + apart_m * n;
            track.push(honest::at(seconds, (east, north), 5.0));
        }
    }
    tracks
}

#[test]
fn colleagues_under_one_sky_are_two() {
    let mut chance = Chance::seeded(7);
    for way in [standing as Way, walking_up, walking, driving_up] {
        for _ in 0..500 {
            let [a, b] = side_by_side(&mut chance, way, 0.3);
            assert!(!is_one(&a, &b), "{:?}", alike(&a, &b));
        }
    }
    for _ in 0..500 {
        let [a, b] = [holding(&mut chance), holding(&mut chance)];
        assert!(!is_one(&a, &b), "{:?}", alike(&a, &b));
    }
}

#[test]
fn a_copy_is_found_on_any_clock_and_when_it_overlaps_only_in_part() {
    let mut chance = Chance::seeded(8);
    for _ in 0..200 {
        let original = receiver_of(&mut chance, 5.0, walking_up, (5.0, 3.0));
        let mut copy = original[12..].to_vec();
        copy.iter_mut().for_each(|fix| fix.boot_ns = fix.boot_ns / 2 + 77);
        assert!(!is_one(&original, &copy), "another pace is no copy of a moment");
        let mut copy = original[12..].to_vec();
        copy.iter_mut().for_each(|fix| fix.boot_ns += 86_400_000_000_000);
        let found = alike(&original, &copy).expect("aligned");
        assert!(found.is_one_track() && found.fixes >= 25, "{found:?}");
        assert_eq!((found.shift_ms, found.offset_mm), (86_400_000, 0));
        let short = &copy[..10];
        assert_eq!(alike(&original, short), None, "ten fixes say too little");
    }
}

#[test]
fn one_phone_may_rest_two_claims_on_one_moment_but_not_on_two() {
    let mut chance = Chance::seeded(9);
    let fixes = receiver_of(&mut chance, 5.0, walking_up, (5.0, 3.0));
    let same_boot = |b: &[Fix]| {
        likeness(&track(&fixes), &track(b), Clocks::Same).is_some_and(|found| found.is_one_track())
    };
    assert!(!same_boot(&fixes), "two orders at one address");
    let mut later = fixes.clone();
    later.iter_mut().for_each(|fix| fix.boot_ns += 3_600_000_000_000);
    assert!(same_boot(&later), "the same errors an hour later");
}

#[test]
fn a_claim_on_the_track_of_another_one_goes_to_a_person_and_the_reason_names_it() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(50));
    assert_eq!(scene.judge().conclusion, Conclusion::OnTime);
    let other = onscene_sync_core::id::FactId::from_bytes([7; 16]);
    scene.same_tracks = vec![other];
    let verdict = scene.judge();
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    assert!(verdict.flags.contains(&Flag::SameTrack));
    assert_eq!(verdict.reasons[0], Reason::SameTrackAs(other));
    assert!(!verdict.reasons.contains(&Reason::Flagged(Flag::SameTrack)), "said once");
}

proptest! {
    #[test]
    fn likeness_does_not_depend_on_which_claim_came_first(seed: u64) {
        let mut chance = Chance::seeded(seed);
        let [a, b] = spoofs::relayed_to_a_second_phone(&mut chance);
        prop_assert!(is_one(&a, &b) && is_one(&b, &a));
        let [a, b] = side_by_side(&mut chance, walking, 0.5);
        prop_assert!(!is_one(&a, &b) && !is_one(&b, &a));
    }
}

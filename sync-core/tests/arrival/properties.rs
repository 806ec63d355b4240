//! What must hold for every visit: less evidence never makes a verdict better.

use onscene_sync_core::rules::arrival::{Conclusion, Flag, Grade, KnownAnchor, PlaceGrade};
use onscene_sync_core::time::{Interval, Millis};
use proptest::prelude::*;

use crate::scene::{STARTED, Scene, anchor, boot, boot_ns, fix, minutes, near};

/// How far a verdict speaks for the team: only the machine's "on time" is better than a review.
fn favour(conclusion: Conclusion) -> u8 {
    match conclusion {
        Conclusion::OnTime => 1,
        Conclusion::NeedsReview | Conclusion::Late | Conclusion::NotOnScene => 0,
    }
}

fn contains(outer: Interval, inner: Interval) -> bool {
    outer.earliest <= inner.earliest
        && match (outer.latest, inner.latest) {
            (None, _) => true,
            (Some(outer), Some(inner)) => inner <= outer,
            (Some(_), None) => false,
        }
}

prop_compose! {
    /// Honest anchors around the visit, some of an earlier boot, each with its own round trip.
    fn honest_anchors()(
        moments in proptest::collection::btree_set(0_i64..300, 0..8),
        trip in 0_i64..20_000,
        rebooted_at in 0_i64..60,
    ) -> Vec<KnownAnchor> {
        moments
            .into_iter()
            .zip(1..)
            .map(|(minute, number)| {
                let mut anchor = anchor(number, minutes(minute));
                anchor.received_boot_ns += u64::try_from(trip).expect("positive") * 1_000_000;
                if minute < rebooted_at {
                    anchor.boot = boot(2);
                }
                anchor
            })
            .collect()
    }
}

prop_compose! {
    /// A visit with noise of a real size, anywhere from the middle of the site to its outside:
    /// errors that wander like a receiver's, or that are drawn anew each time.
    fn noisy_visit()(
        tap in 1_i64..70,
        distance in 0.0_f64..150.0,
        accuracy_mm in 3_000_u32..60_000,
        memory in prop_oneof![Just(0.0), Just(0.92)],
        noise in proptest::collection::vec((-1.0_f64..1.0, -1.0_f64..1.0), 37),
    ) -> Scene {
        let mut scene = Scene::honest(minutes(tap));
        let spread = f64::from(accuracy_mm) / 1500.0;
        let fresh = f64::sqrt(1.0 - memory * memory);
        scene.claim.fixes = noise
            .into_iter()
            .scan((0.0, 0.0), |(north, east), (n, e)| {
                (*north, *east) = (memory * *north + fresh * n, memory * *east + fresh * e);
                Some((*north, *east))
            })
            .zip(-6_i64..)
            .map(|((n, e), step)| {
                let at = minutes(tap).plus(step * 5_000);
                fix(at, near(distance + n * spread, e * spread), accuracy_mm)
            })
            .collect();
        scene
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn hiding_anchors_never_makes_a_verdict_better(
        tap in 1_i64..70,
        anchors in honest_anchors(),
        keep in proptest::collection::vec(any::<bool>(), 8),
        seen_after in proptest::option::of(3_i64..400),
    ) {
        let mut full = Scene::honest(minutes(tap));
        full.not_after = seen_after.map(|after| minutes(tap + after));
        full.not_before = anchors
            .iter()
            .filter(|anchor| anchor.received_boot_ns <= boot_ns(minutes(tap)))
            .map(|anchor| anchor.at)
            .max()
            .or(Some(STARTED));
        full.anchors = anchors;
        let mut part = full.clone();
        let mut keep = keep.into_iter();
        part.anchors.retain(|_| keep.next() == Some(true));

        let (full, part) = (full.judge(), part.judge());
        prop_assert!(favour(part.conclusion) <= favour(full.conclusion), "{full:?}\n{part:?}");
        prop_assert!(contains(part.time.bounds, full.time.bounds), "{full:?}\n{part:?}");
        prop_assert!(part.grade <= full.grade, "{full:?}\n{part:?}");
    }

    #[test]
    fn cutting_a_visit_short_never_makes_a_verdict_better(
        scene in noisy_visit(), from in 0_usize..37, length in 0_usize..37,
    ) {
        let full = scene.judge();
        let mut cut = scene;
        let until = (from + length).min(cut.claim.fixes.len());
        cut.claim.fixes = cut.claim.fixes[from..until].to_vec();
        let part = cut.judge();
        prop_assert!(favour(part.conclusion) <= favour(full.conclusion), "{full:?}\n{part:?}");
        let proven = |place| place == PlaceGrade::ProvenInside;
        prop_assert!(!proven(part.place) || proven(full.place), "{full:?}\n{part:?}");
        prop_assert!(part.time.bounds.latest >= full.time.bounds.latest || !proven(part.place));
    }

    #[test]
    fn leaving_out_fixes_never_makes_a_place_probable(
        scene in noisy_visit(), keep in proptest::collection::vec(any::<bool>(), 37),
    ) {
        let full = scene.judge();
        let mut part = scene;
        let mut keep = keep.into_iter();
        part.claim.fixes.retain(|_| keep.next() == Some(true));
        let part = part.judge();
        if part.place == PlaceGrade::ProbablyInside {
            prop_assert!(matches!(full.place, PlaceGrade::ProbablyInside | PlaceGrade::ProvenInside));
        }
        prop_assert!(part.position.fixes.p_max_ppm <= full.position.fixes.p_max_ppm);
    }

    #[test]
    fn a_claimed_accuracy_below_the_floor_gains_nothing(
        scene in noisy_visit(), claimed_mm in 1_u32..3_000,
    ) {
        let with = |accuracy_mm: u32| {
            let mut scene = scene.clone();
            for fix in &mut scene.claim.fixes {
                fix.accuracy_mm = accuracy_mm;
            }
            scene.judge()
        };
        // Radii up to 3.02 m give the floor of σ = 3 m after the inflation.
        let (floor, below) = (with(3_000), with(claimed_mm));
        prop_assert_eq!(below.position.fixes.p_max_ppm, floor.position.fixes.p_max_ppm);
        prop_assert_eq!(below.place, floor.place);
    }

    #[test]
    fn no_wall_clock_moves_a_verdict(scene in noisy_visit(), tap_wall: i64, author_wall: i64) {
        let mut other = scene.clone();
        other.claim.tap.wall_ms = tap_wall;
        other.author.clock.wall_ms = author_wall;
        prop_assert_eq!(scene.judge(), other.judge());
    }

    #[test]
    fn the_order_of_fixes_and_anchors_does_not_matter(
        scene in noisy_visit(), anchors in honest_anchors(), turn in 0_usize..37,
    ) {
        let mut scene = scene;
        scene.anchors = anchors;
        let mut other = scene.clone();
        other.claim.fixes.rotate_left(turn);
        other.anchors.reverse();
        prop_assert_eq!(scene.judge(), other.judge());
    }

    #[test]
    fn a_reboot_while_offline_ends_what_the_clock_attests(
        tap in 2_i64..300, rebooted_at in 1_i64..300, lie_minutes in -600_i64..600,
        seen_after in 3_i64..400,
    ) {
        let rebooted_at = rebooted_at.min(tap - 1);
        let mut scene = Scene::honest(minutes(tap)).seen_at(minutes(tap + seen_after));
        // The phone's clocks start anew at the reboot, and the wall clock is set at will.
        let since_reboot = |ns: u64| ns - boot_ns(minutes(rebooted_at)) + 60_000_000_000;
        for clock in [&mut scene.claim.tap, &mut scene.author.clock] {
            clock.boot = boot(2);
            clock.boot_ns = since_reboot(clock.boot_ns);
            clock.wall_ms += lie_minutes * 60_000;
        }
        for fix in &mut scene.claim.fixes {
            fix.boot_ns = fix.boot_ns.saturating_sub(boot_ns(minutes(rebooted_at))) + 60_000_000_000;
        }
        let verdict = scene.judge();
        prop_assert!(verdict.flags.contains(&Flag::Rebooted) && verdict.time.soft.is_none());
        let seen_in_time = tap + seen_after <= 60;
        let expected = if seen_in_time { Grade::Proven } else { Grade::Claimed };
        prop_assert_eq!(verdict.grade, expected);
        prop_assert_eq!(verdict.conclusion == Conclusion::OnTime, seen_in_time);
    }

    #[test]
    fn a_clock_at_another_rate_is_flagged_as_soon_as_it_can_be_told(
        rate_ppm in 500_000_u64..2_000_000, gap_minutes in 1_i64..200,
    ) {
        let mut scene = Scene::honest(minutes(5)).seen_at(minutes(300));
        let hooked = |anchor: KnownAnchor| KnownAnchor {
            sent_boot_ns: anchor.sent_boot_ns / 1_000_000 * rate_ppm,
            received_boot_ns: anchor.received_boot_ns / 1_000_000 * rate_ppm,
            ..anchor
        };
        scene.anchors = vec![
            hooked(anchor(1, STARTED)), hooked(anchor(2, minutes(gap_minutes))),
        ];
        // Two round trips of 400 ms and the drift of honest clocks hide this much.
        let off_ms = (gap_minutes * 60_000) as f64 * (rate_ppm as f64 / 1e6 - 1.0).abs();
        let honest_ms = 2.0 * (gap_minutes * 60_000) as f64 / 1e4 + 2.0;
        let flagged = scene.judge().flags.contains(&Flag::ClockRate);
        prop_assert!(flagged || off_ms <= honest_ms + 1_700.0, "{off_ms} ms unseen");
    }

    #[test]
    fn whatever_is_claimed_there_is_a_verdict(
        boot_ns: u64, signed: u64, wall: i64, lat_e7: i32, lon_e7: i32, accuracy_mm: u32,
        at: i64, sent: u64, received: u64, started: i64, before: Option<i64>, after: Option<i64>,
    ) {
        let mut scene = Scene::honest(minutes(40));
        scene.claim.tap.boot_ns = boot_ns;
        scene.author.clock.boot_ns = signed;
        scene.anchors.push(KnownAnchor {
            number: u64::try_from(started.max(0)).expect("not negative"),
            at: Millis(at),
            boot: boot(1),
            sent_boot_ns: sent,
            received_boot_ns: received,
        });
        scene.not_before = before.map(Millis);
        scene.not_after = after.map(Millis);
        for fix in &mut scene.claim.fixes[..12] {
            fix.position.lat_e7 = lat_e7;
            fix.position.lon_e7 = lon_e7;
            fix.accuracy_mm = accuracy_mm;
            fix.boot_ns = boot_ns.wrapping_add(fix.boot_ns % 60_000_000_000);
            fix.fix_wall_ms = Some(wall);
        }
        let verdict = scene.judge();
        prop_assert_eq!(verdict.deadline, verdict.started_at.plus(3_600_000));
        prop_assert!(!verdict.reasons.is_empty());
    }
}

//! Attacks on the rule, one by one: none may end in an automatic "on time" that was not earned.

use onscene_sync_core::id::FactId;
use onscene_sync_core::rules::arrival::{
    Conclusion, Flag, Grade, KnownAnchor, PlaceGrade, Reason, Timing, Weight,
};

use crate::scene::{ISSUED, STARTED, Scene, anchor, boot, boot_ns, minutes, near, visit};

#[test]
fn a_wall_clock_set_back_changes_nothing() {
    let honest = Scene::honest(minutes(75)).seen_at(minutes(120));
    let expected = minicbor::to_vec(honest.judge()).expect("a vector takes all");
    for shift in [-3_600_000, 3_600_000, -31_536_000_000, 31_536_000_000, i64::MIN / 4] {
        let mut forged = honest.clone();
        forged.claim.tap.wall_ms += shift;
        forged.author.clock.wall_ms -= shift;
        assert_eq!(minicbor::to_vec(forged.judge()).expect("a vector takes all"), expected);
    }
}

#[test]
fn arriving_late_in_airplane_mode_and_backdating_proves_nothing() {
    // Truly there at 90 min, the tap written down as if at 40. The chain refers to an anchor that
    // came at 85, so that the claim was signed after it.
    let mut forged = Scene::honest(minutes(40)).seen_at(minutes(95));
    forged.anchors.push(anchor(2, minutes(85)));
    forged.not_before = Some(minutes(85));
    let verdict = forged.judge();
    assert!(verdict.flags.contains(&Flag::SignedLate));
    assert_eq!((verdict.grade, verdict.conclusion), (Grade::Claimed, Conclusion::NeedsReview));

    // Hiding that the anchor came in this boot makes the bounds contradict each other.
    forged.anchors.truncate(1);
    let verdict = forged.judge();
    assert!(verdict.flags.contains(&Flag::ClockInconsistent));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);

    // Without any anchor of the boot, what the hub signed decides: it is past the deadline.
    forged.anchors.clear();
    assert_eq!(forged.judge().conclusion, Conclusion::Late);

    // And with nothing but its own word the phone never gets beyond a claim.
    forged.not_before = Some(STARTED);
    let verdict = forged.judge();
    assert_eq!((verdict.grade, verdict.conclusion), (Grade::Claimed, Conclusion::NeedsReview));
}

#[test]
fn hiding_an_anchor_to_backdate_contradicts_the_chain_end_that_the_phone_named() {
    // At 85 min the phone asked with a chain that did not hold the claim yet; it hides the answer,
    // and the hub knows from its own record that the claim was signed after that.
    let mut forged = Scene::honest(minutes(40)).seen_at(minutes(95));
    forged.circumstances.insert(Flag::HiddenAnchor);
    forged.not_before = Some(minutes(84));
    let verdict = forged.judge();
    assert!(verdict.flags.contains(&Flag::ClockInconsistent));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    // A later anchor that it does admit to does not wash that away.
    forged.anchors.push(anchor(3, minutes(94)));
    assert!(forged.judge().flags.contains(&Flag::ClockInconsistent));
    // A reply that was merely lost before the visit harms nobody.
    let mut honest = Scene::honest(minutes(40)).seen_at(minutes(95));
    honest.circumstances.insert(Flag::HiddenAnchor);
    honest.not_before = Some(minutes(37));
    assert_eq!(honest.judge().conclusion, Conclusion::OnTime);
}

#[test]
fn a_claim_signed_long_after_its_evidence_attests_no_time() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.author.clock.boot_ns = boot_ns(minutes(40).plus(450_000));
    assert_eq!(scene.judge().conclusion, Conclusion::OnTime);
    scene.author.clock.boot_ns += 1;
    let verdict = scene.judge();
    assert!(verdict.reasons.contains(&Reason::Flagged(Flag::SignedLate)));
    assert_eq!((verdict.grade, verdict.conclusion), (Grade::Claimed, Conclusion::NeedsReview));
    scene.author.clock = scene.claim.tap;
    scene.author.clock.boot = boot(7);
    assert!(scene.judge().flags.contains(&Flag::SignedLate), "after a restart of the phone");
}

#[test]
fn a_boot_clock_at_another_rate_is_flagged() {
    for (permille, flagged) in
        [(500, true), (900, true), (1001, true), (1100, true), (2000, true), (1000, false)]
    {
        let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
        let hooked = |a: KnownAnchor| KnownAnchor {
            sent_boot_ns: a.sent_boot_ns / 1000 * permille,
            received_boot_ns: a.received_boot_ns / 1000 * permille,
            ..a
        };
        scene.anchors = [minutes(0), minutes(35), minutes(80)]
            .into_iter()
            .zip(1..)
            .map(|(at, number)| hooked(anchor(number, at)))
            .collect();
        let verdict = scene.judge();
        assert_eq!(verdict.flags.contains(&Flag::ClockRate), flagged, "{permille} permille");
        assert_eq!(verdict.conclusion == Conclusion::OnTime, !flagged, "{permille} permille");
    }
}

#[test]
fn a_boot_clock_set_by_a_step_is_flagged() {
    for step_ms in [-600_000_i64, -30_000, 30_000, 600_000] {
        let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
        let mut stepped = anchor(2, minutes(50));
        stepped.sent_boot_ns = stepped.sent_boot_ns.saturating_add_signed(step_ms * 1_000_000);
        stepped.received_boot_ns =
            stepped.received_boot_ns.saturating_add_signed(step_ms * 1_000_000);
        scene.anchors.push(stepped);
        let verdict = scene.judge();
        assert!(verdict.flags.contains(&Flag::ClockRate), "{step_ms} ms");
        assert_ne!(verdict.conclusion, Conclusion::OnTime, "{step_ms} ms");
    }
}

#[test]
fn an_arrival_before_the_order_contradicts_itself() {
    let mut early = Scene::honest(minutes(40)).seen_at(minutes(50));
    let before = ISSUED.plus(-600_000);
    early.claim.tap.boot_ns = boot_ns(before);
    early.claim.fixes = visit(before, 0.0, 0.0);
    early.anchors = vec![anchor(1, ISSUED.plus(-1_200_000))];
    early.not_before = Some(ISSUED);
    let verdict = early.judge();
    assert!(verdict.flags.contains(&Flag::ClockInconsistent));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    // Leaving the order unnamed does not help.
    early.claim.order = None;
    early.not_before = Some(ISSUED.plus(-1_200_000));
    let verdict = early.judge();
    assert!(verdict.flags.contains(&Flag::OrderNotNamed));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn a_tap_after_its_own_signature_contradicts_itself() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.author.clock.boot_ns = boot_ns(minutes(39));
    let verdict = scene.judge();
    assert!(verdict.flags.contains(&Flag::ClockInconsistent));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn a_claim_that_reached_the_hub_before_it_was_made_contradicts_itself() {
    let verdict = Scene::honest(minutes(40)).seen_at(minutes(30)).judge();
    assert!(verdict.reasons.contains(&Reason::Flagged(Flag::ClockInconsistent)));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn a_track_of_another_visit_is_not_evidence() {
    // Recorded an hour before the tap, replayed with its old boot readings …
    let mut replayed = Scene::honest(minutes(40));
    replayed.claim.fixes = visit(minutes(-20), 0.0, 0.0);
    let verdict = replayed.judge();
    assert_eq!(verdict.position.fixes.used, 0);
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    // … or with new boot readings but the satellites' old time.
    let mut restamped = Scene::honest(minutes(40));
    for fix in &mut restamped.claim.fixes {
        fix.fix_wall_ms = fix.fix_wall_ms.map(|ms| ms - 3_600_000);
    }
    let verdict = restamped.judge();
    assert!(verdict.flags.contains(&Flag::GnssTimeMismatch));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn satellite_time_that_runs_apart_from_the_boot_clock_is_flagged_without_any_anchor() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(45));
    scene.anchors.clear();
    for (fix, step) in scene.claim.fixes.iter_mut().zip(0..) {
        fix.fix_wall_ms = fix.fix_wall_ms.map(|ms| ms - step * 1_000);
    }
    assert!(scene.judge().flags.contains(&Flag::GnssTimeMismatch));
}

#[test]
fn one_simulated_fix_among_many_sends_the_claim_to_a_person() {
    for index in [0, 12, 24] {
        let mut scene = Scene::honest(minutes(40)).seen_at(minutes(50));
        scene.claim.fixes[index].mock = true;
        let verdict = scene.judge();
        assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
        assert_eq!(verdict.reasons[0], Reason::Flagged(Flag::MockLocation));
        assert_eq!((verdict.grade, verdict.timing), (Grade::Proven, Timing::InTime));
    }
}

#[test]
fn a_jump_no_vehicle_makes_is_flagged() {
    let mut scene = Scene::honest(minutes(40));
    for fix in &mut scene.claim.fixes[..4] {
        fix.position = near(20_000.0, 0.0);
    }
    let verdict = scene.judge();
    assert!(verdict.flags.contains(&Flag::Teleport));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn a_motorway_is_no_teleport() {
    let mut scene = Scene::honest(minutes(40));
    for (fix, step) in scene.claim.fixes.iter_mut().zip(0..) {
        fix.position = near(f64::from(step) * 5.0 * 33.0, 0.0);
    }
    assert!(!scene.judge().flags.contains(&Flag::Teleport));
}

#[test]
fn a_receiver_without_noise_is_flagged() {
    let mut scene = Scene::honest(minutes(40));
    for fix in &mut scene.claim.fixes {
        fix.position = near(0.0, 0.0);
        fix.accuracy_mm = 5_000;
    }
    let verdict = scene.judge();
    assert!(verdict.flags.contains(&Flag::FrozenPosition));
    assert!(verdict.flags.contains(&Flag::ConstantAccuracy));
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn driving_by_at_the_edge_proves_nothing() {
    // 50 km/h along a line that touches the fence: inside for some 14 s.
    let mut scene = Scene::honest(minutes(40));
    for (fix, step) in scene.claim.fixes.iter_mut().zip(-12_i32..) {
        fix.position = near(f64::from(step) * 5.0 * 13.9, 20.0);
    }
    let verdict = scene.judge();
    assert_ne!(verdict.place, PlaceGrade::ProvenInside);
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
}

#[test]
fn what_the_caller_found_out_counts() {
    for flag in [
        Flag::ChainFork,
        Flag::ScopeLost,
        Flag::Revoked,
        Flag::ChainGap,
        Flag::Restated,
        Flag::HiddenAnchor,
    ] {
        let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
        scene.circumstances.insert(flag);
        let verdict = scene.judge();
        assert!(verdict.flags.contains(&flag));
        let expected = match flag.weight() {
            Weight::Note => Conclusion::OnTime,
            Weight::NotAttested | Weight::Review => Conclusion::NeedsReview,
        };
        assert_eq!(verdict.conclusion, expected, "{flag:?}");
    }
    // A gap ends what the phone's clock attests, not what the hub itself saw.
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(50));
    scene.circumstances.insert(Flag::ChainGap);
    assert_eq!(scene.judge().conclusion, Conclusion::OnTime);
}

#[test]
fn a_claim_signed_anew_counts_as_far_as_the_hub_saw_it() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.author.restates = Some(FactId::from_bytes([3; 16]));
    scene.not_before = Some(minutes(290));
    let verdict = scene.judge();
    assert_eq!((verdict.grade, verdict.conclusion), (Grade::Claimed, Conclusion::NeedsReview));
    assert!(verdict.flags.contains(&Flag::Restated));
    assert!(!verdict.flags.contains(&Flag::ClockInconsistent), "signing later is no lie");
    // When the hub had seen the first statement in time, the caller says so.
    let verdict = scene.seen_at(minutes(50)).judge();
    assert_eq!(verdict.grade, Grade::Proven);
}

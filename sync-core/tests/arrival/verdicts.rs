//! What the rule says of honest visits.

use onscene_sync_core::place::datum::convert;
use onscene_sync_core::place::{Datum, Position, Shape, Site};
use onscene_sync_core::rules::arrival::{
    ArrivalPolicy, Conclusion, DropReason, Flag, Grade, Language, PlaceGrade, Reason, Timing,
};
use onscene_sync_core::time::Millis;

use crate::scene::{JINAN, STARTED, Scene, anchor, boot_ns, circle, fix, minutes, near, visit};

#[test]
fn an_offline_visit_in_time_is_attested_on_time() {
    let verdict = Scene::honest(minutes(40)).judge();
    assert_eq!(verdict.conclusion, Conclusion::OnTime);
    assert_eq!((verdict.grade, verdict.timing), (Grade::Attested, Timing::InTime));
    assert_eq!(verdict.place, PlaceGrade::ProvenInside);
    assert_eq!(verdict.reasons, [Reason::TwoWindowsInside, Reason::LatestInTime]);
    assert!(verdict.flags.is_empty(), "{:?}", verdict.flags);

    let bounds = verdict.time.bounds;
    assert!(bounds.earliest < Some(minutes(40)) && Some(minutes(40)) < bounds.latest);
    assert_eq!(verdict.time.binding.len(), 1);
    assert_eq!((verdict.time.binding[0].number, verdict.time.binding[0].bound), (1, bounds));
    assert_eq!(verdict.position.fixes.used, 25);
    assert_eq!(verdict.position.deciding.len(), 2);
    let apart =
        verdict.position.deciding[1].from_boot_ns - verdict.position.deciding[0].from_boot_ns;
    assert!(apart >= 30_000_000_000);
    assert_eq!(verdict.thresholds, ArrivalPolicy::V1);
}

#[test]
fn what_the_hub_saw_before_the_deadline_is_proven() {
    let verdict = Scene::honest(minutes(40)).seen_at(minutes(50)).judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::OnTime, Grade::Proven));
    // Also without any anchor.
    let mut bare = Scene::honest(minutes(40)).seen_at(minutes(50));
    bare.anchors.clear();
    let verdict = bare.judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::OnTime, Grade::Proven));
    assert!(verdict.flags.contains(&Flag::NoAnchor));
}

#[test]
fn the_deadline_itself_is_in_time() {
    let mut scene = Scene::honest(minutes(58));
    scene.anchors.clear();
    let deadline = Millis(STARTED.0 + 3_600_000);
    assert_eq!(scene.clone().seen_at(deadline).judge().conclusion, Conclusion::OnTime);
    let after = scene.seen_at(deadline.plus(1)).judge();
    assert_eq!((after.conclusion, after.timing), (Conclusion::NeedsReview, Timing::Unsettled));
}

#[test]
fn a_late_visit_is_late_and_a_newer_anchor_proves_it() {
    let verdict = Scene::honest(minutes(75)).judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::Late, Grade::Attested));
    let mut scene = Scene::honest(minutes(75));
    scene.anchors.push(anchor(2, minutes(70)));
    scene.not_before = Some(minutes(70));
    let verdict = scene.judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::Late, Grade::Proven));
    assert!(verdict.reasons.contains(&Reason::EarliestTooLate));
}

#[test]
fn a_deadline_between_the_bounds_goes_to_a_person() {
    // An hour after the anchor the bound is 1.1 s wide.
    let verdict = Scene::honest(minutes(60)).judge();
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    assert_eq!((verdict.grade, verdict.timing), (Grade::Attested, Timing::Unsettled));
    assert!(verdict.reasons.contains(&Reason::DeadlineWithinBounds));
}

#[test]
fn an_anchor_that_came_while_evidence_was_collected_does_not_contradict_the_tap() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.anchors.push(anchor(2, minutes(41)));
    scene.not_before = Some(minutes(41));
    let verdict = scene.judge();
    assert_eq!(verdict.conclusion, Conclusion::OnTime, "{:?}", verdict.flags);
    assert_eq!(verdict.time.hard.earliest, Some(STARTED));
}

#[test]
fn a_later_anchor_of_the_same_boot_attests_a_visit_after_a_reboot() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.anchors = vec![anchor(2, minutes(299))];
    let verdict = scene.judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::OnTime, Grade::Attested));
}

#[test]
fn a_reboot_without_a_later_anchor_goes_to_a_person() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(300));
    scene.anchors[0].boot = crate::scene::boot(2);
    let verdict = scene.judge();
    assert_eq!((verdict.conclusion, verdict.grade), (Conclusion::NeedsReview, Grade::Claimed));
    assert!(verdict.flags.contains(&Flag::Rebooted) && verdict.time.soft.is_none());
    assert!(verdict.reasons.contains(&Reason::TimeOnlyClaimed));
}

#[test]
fn arrival_counts_from_the_first_window_inside() {
    // The tap is on the way, 800 m off; the team walks in a minute later and stays.
    let mut scene = Scene::honest(minutes(30));
    let arrived = minutes(31);
    scene.claim.fixes.retain(|fix| fix.boot_ns <= boot_ns(minutes(30)));
    for fix in &mut scene.claim.fixes {
        fix.position = near(800.0, 0.0);
    }
    let walk = (1..12)
        .map(|k| fix(minutes(30).plus(k * 5_000), near(800.0 - 66.0 * k as f64, 0.0), 8_000));
    scene.claim.fixes.extend(walk);
    scene
        .claim
        .fixes
        .extend(visit(arrived, 0.0, 0.0).into_iter().filter(|f| f.boot_ns >= boot_ns(arrived)));
    let verdict = scene.judge();
    assert_eq!(verdict.place, PlaceGrade::ProvenInside);
    assert!(verdict.time.arrival_boot_ns > boot_ns(minutes(30).plus(30_000)));
    assert!(verdict.time.bounds.latest > Some(minutes(30).plus(30_000)));
    assert!(verdict.time.bounds.earliest <= Some(minutes(30)));
}

#[test]
fn one_fix_never_proves_and_none_never_fails() {
    let mut scene = Scene::honest(minutes(40));
    scene.claim.fixes = vec![fix(minutes(40), near(0.0, 0.0), 5_000)];
    let verdict = scene.judge();
    assert_eq!(verdict.place, PlaceGrade::ProbablyInside);
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    scene.claim.fixes = vec![fix(minutes(40), near(5_000.0, 0.0), 5_000)];
    let verdict = scene.judge();
    assert_eq!(verdict.place, PlaceGrade::Uncertain, "one fix shows no other place either");
    scene.claim.fixes.clear();
    let verdict = scene.judge();
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    assert!(verdict.reasons.contains(&Reason::NoUsableFix));
}

#[test]
fn a_stay_elsewhere_is_not_on_scene() {
    let mut scene = Scene::honest(minutes(40));
    scene.claim.fixes = visit(minutes(40), 2_000.0, 0.0);
    let verdict = scene.judge();
    assert_eq!(verdict.conclusion, Conclusion::NotOnScene, "{:?}", verdict.flags);
    let nearest = verdict.position.fixes.nearest_mm.expect("fixes were used");
    assert!((1_897_000..1_903_000).contains(&nearest), "{nearest}");
    assert!(verdict.position.fixes.p_max_ppm < Some(20_000));
}

#[test]
fn unusable_fixes_are_left_out_and_counted() {
    let mut scene = Scene::honest(minutes(40));
    let here = near(0.0, 0.0);
    scene.claim.fixes.extend([
        fix(minutes(40).plus(-30_001), here, 8_000),
        fix(minutes(40).plus(150_001), here, 8_000),
        fix(minutes(40).plus(1), here, 200_001),
        fix(minutes(40).plus(2), here, 0),
        fix(minutes(40).plus(3), Position { lat_e7: 910_000_000, lon_e7: 0 }, 8_000),
        fix(minutes(40), here, 8_000),
    ]);
    let verdict = scene.judge();
    let summary = verdict.position.fixes;
    assert_eq!((summary.received, summary.used), (31, 25));
    let why: Vec<_> = summary.dropped.iter().map(|dropped| (dropped.why, dropped.count)).collect();
    assert_eq!(
        why,
        [
            (DropReason::Stale, 1),
            (DropReason::AfterWindow, 1),
            (DropReason::Coarse, 1),
            (DropReason::NoAccuracy, 1),
            (DropReason::NotAPosition, 1),
            (DropReason::Duplicate, 1),
        ]
    );
    assert_eq!(verdict.conclusion, Conclusion::OnTime);
    assert!(
        verdict.flags.contains(&Flag::StaleFixes) && verdict.flags.contains(&Flag::CoarseFixes)
    );
}

#[test]
fn fixes_beyond_the_limit_are_not_read() {
    let mut scene = Scene::honest(minutes(40));
    let at = |k: i64| minutes(40).plus(k * 500 - 29_000);
    scene.claim.fixes = (0..260).map(|k| fix(at(k), near(0.0, k as f64 / 10.0), 9_000)).collect();
    let summary = scene.judge().position.fixes;
    assert_eq!((summary.received, summary.used), (260, 200));
    assert_eq!(summary.dropped[0].why, DropReason::TooMany);
}

#[test]
fn every_shape_and_datum_is_judged() {
    let moved = |position: Position| {
        let gcj = convert(position.degrees(), Datum::Wgs84, Datum::Gcj02);
        Position::from_degrees(gcj.lat, gcj.lon).expect("near Jinan")
    };
    let corners = [(-80.0, -80.0), (-80.0, 80.0), (80.0, 80.0), (80.0, -80.0)];
    let outline: Vec<_> = corners.iter().map(|(n, e)| moved(near(*n, *e))).collect();
    let line = vec![moved(near(0.0, -500.0)), moved(near(0.0, 500.0))];
    for shape in [
        Shape::Circle { centre: moved(near(0.0, 0.0)), radius_cm: 8_000 },
        Shape::Polygon { outline, holes: vec![] },
        Shape::Corridor { line, half_width_cm: 5_000 },
    ] {
        let mut scene = Scene::honest(minutes(40));
        scene.site = Some(Site { datum: Datum::Gcj02, shape });
        let verdict = scene.judge();
        assert_eq!(verdict.conclusion, Conclusion::OnTime, "{:?}", scene.site);
        assert_eq!(verdict.position.compared_in, Some(Datum::Gcj02));
        scene.claim.fixes = visit(minutes(40), 900.0, 0.0);
        assert_eq!(scene.judge().conclusion, Conclusion::NotOnScene, "{:?}", scene.site);
    }
}

#[test]
fn a_wrong_datum_is_suspected_not_punished() {
    let mut scene = Scene::honest(minutes(40));
    for fix in &mut scene.claim.fixes {
        let gcj = convert(fix.position.degrees(), Datum::Wgs84, Datum::Gcj02);
        fix.position = Position::from_degrees(gcj.lat, gcj.lon).expect("near Jinan");
    }
    let verdict = scene.judge();
    assert_eq!((verdict.place, verdict.conclusion), (PlaceGrade::Outside, Conclusion::NeedsReview));
    assert!(verdict.reasons.contains(&Reason::Flagged(Flag::DatumSuspect)));
    scene.claim.datum = Datum::Gcj02;
    assert_eq!(scene.judge().conclusion, Conclusion::OnTime);
}

#[test]
fn without_a_usable_site_a_person_decides() {
    let mut scene = Scene::honest(minutes(40));
    scene.site = None;
    let verdict = scene.judge();
    assert_eq!((verdict.place, verdict.conclusion), (PlaceGrade::NoSite, Conclusion::NeedsReview));
    scene.site = Some(circle(0));
    let verdict = scene.judge();
    assert_eq!(verdict.conclusion, Conclusion::NeedsReview);
    assert!(verdict.flags.contains(&Flag::SiteUnusable));
}

#[test]
fn every_verdict_survives_the_wire_and_can_be_told() {
    let mut scene = Scene::honest(minutes(40)).seen_at(minutes(90));
    scene.circumstances = [Flag::ChainGap, Flag::Revoked, Flag::HiddenAnchor].into();
    let verdict = scene.judge();
    let bytes = minicbor::to_vec(&verdict).expect("a vector takes all");
    assert_eq!(
        minicbor::decode::<onscene_sync_core::rules::arrival::Verdict>(&bytes).ok(),
        Some(verdict.clone())
    );
    assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
    for reason in &verdict.reasons {
        let english = reason.sentence(Language::English);
        let chinese = reason.sentence(Language::Chinese);
        assert!(english.is_ascii() && english.ends_with('.'), "{english}");
        assert!(!chinese.is_ascii() && chinese.ends_with('。'), "{chinese}");
    }
    assert!((JINAN.lat - verdict.position.deciding[0].position.degrees().lat).abs() < 1e-4);
}

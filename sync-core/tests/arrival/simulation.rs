//! How often chance deceives the rule, by a seeded simulation.
//!
//! A circle of 100 m, fixes every 5 s, reported accuracy 5/10/20/50/100 m (40/30/15/10/5 %), true
//! error one, two or four times what is reported (70/25/5 %), Gauss–Markov noise of 60 s. The mix
//! is an assumption: it compares rules, it does not foretell the field.

use onscene_sync_core::place::accuracy_mm;
use onscene_sync_core::rules::arrival::{Flag, PlaceGrade, Verdict, Weight};

use crate::chance::Chance;
use crate::scene::{Scene, fix, minutes, near};

/// A visit of three minutes at `distance` metres from the middle.
fn visit(distance: f64, chance: &mut Chance) -> Verdict {
    let accuracy =
        chance.pick(&[(5.0, 0.40), (10.0, 0.30), (20.0, 0.15), (50.0, 0.10), (100.0, 0.05)]);
    let sigma = accuracy / 1.5096 * chance.pick(&[(1.0, 0.70), (2.0, 0.25), (4.0, 0.05)]);
    let memory = (-5.0_f64 / 60.0).exp();
    let fresh = (1.0 - memory * memory).sqrt();
    let (mut north, mut east) = (sigma * chance.normal(), sigma * chance.normal());
    let mut scene = Scene::honest(minutes(40));
    scene.claim.fixes.clear();
    for step in -6_i64..=30 {
        let at = minutes(40).plus(step * 5_000);
        let jitter = 0.95 + 0.1 * chance.next();
        let accuracy_mm = accuracy_mm(accuracy * jitter).expect("a radius");
        scene.claim.fixes.push(fix(at, near(distance + north, east), accuracy_mm));
        north = memory * north + fresh * sigma * chance.normal();
        east = memory * east + fresh * sigma * chance.normal();
    }
    scene.judge()
}

fn verdicts(distance: u32, trials: u32) -> Vec<Verdict> {
    let mut chance = Chance::seeded(20_260_101 + u64::from(distance));
    (0..trials).map(|_| visit(f64::from(distance), &mut chance)).collect()
}

fn percent(verdicts: &[Verdict], what: impl Fn(&Verdict) -> bool) -> f64 {
    let count = verdicts.iter().filter(|verdict| what(verdict)).count();
    100.0 * count as f64 / verdicts.len() as f64
}

fn proven(verdict: &Verdict) -> bool {
    verdict.place == PlaceGrade::ProvenInside
}

#[test]
fn honest_teams_are_seen() {
    let verdicts = verdicts(50, 2_000);
    let inside = percent(&verdicts, proven);
    let denied = percent(&verdicts, |verdict| verdict.place == PlaceGrade::Outside);
    let suspected = percent(&verdicts, |verdict| {
        verdict.flags.iter().any(|flag: &Flag| flag.weight() == Weight::Review)
    });
    println!(
        "half way inside: {inside:.2} % proven, {denied:.2} % denied, {suspected:.2} % flagged"
    );
    assert!(inside >= 80.0, "{inside} %");
    assert!(denied <= 0.3, "{denied} %");
    assert!(suspected <= 1.0, "{suspected} %");
}

#[test]
fn teams_outside_are_not_taken_for_inside() {
    for (distance, limit) in [(130, 0.2), (200, 0.0)] {
        let found = percent(&verdicts(distance, 4_000), proven);
        println!("{distance} m from the middle: {found:.3} % proven");
        assert!(found <= limit, "{distance} m: {found} %");
    }
}

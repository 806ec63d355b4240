//! The rule on a real recording: a person who stands, then walks, with a phone of three providers.

use onscene_sync_core::place::{Datum, Fix, Position, Provider, Shape, Site, accuracy_mm};
use onscene_sync_core::rules::arrival::{Conclusion, Flag, KnownAnchor, Weight};
use onscene_sync_core::time::Millis;

use crate::scene::{Scene, boot, minutes};

const RECORDING: &str = include_str!("../../../tests/fixtures/gnsslogger_pixel6.txt");

/// The fixes of the named providers, their wall time moved so that the first is of `start`.
pub(crate) fn recorded(providers: &[&str], start: Millis) -> Vec<Fix> {
    let lines = || RECORDING.lines().filter_map(|line| line.strip_prefix("Fix,"));
    let number = |line: &str, column: usize| -> f64 {
        line.split(',').nth(column).expect("a column").parse().expect("a number")
    };
    let wall = |line: &str| -> i64 {
        line.split(',').nth(7).expect("a column").parse().expect("milliseconds")
    };
    let first = lines().map(wall).min().expect("fixes");
    lines()
        .filter(|line| providers.iter().any(|provider| line.starts_with(provider)))
        .map(|line| Fix {
            position: Position::from_degrees(number(line, 1), number(line, 2)).expect("on earth"),
            accuracy_mm: accuracy_mm(number(line, 5)).expect("a radius"),
            boot_ns: line.split(',').nth(10).expect("a column").parse().expect("nanoseconds"),
            provider: match &line[..3] {
                "GPS" => Provider::Gnss,
                "FLP" => Provider::Fused,
                _ => Provider::Network,
            },
            mock: false,
            speed_mm_s: None,
            satellites: None,
            fix_wall_ms: Some(start.0 + wall(line) - first),
        })
        .collect()
}

/// A tap at `tap_ns` of the recording, at a site of 300 m around where the person then was.
pub(crate) fn visit(fixes: &[Fix], tap_ns: u64, first_ns: u64) -> Scene {
    let nearest = fixes.iter().min_by_key(|fix| fix.boot_ns.abs_diff(tap_ns)).expect("fixes");
    let mut scene = Scene::honest(minutes(10));
    let shape = Shape::Circle { centre: nearest.position, radius_cm: 30_000 };
    scene.site = Some(Site { datum: Datum::Wgs84, shape });
    scene.claim.tap.boot_ns = tap_ns;
    scene.author.clock.boot_ns = tap_ns + 160_000_000_000;
    let around = tap_ns - 30_000_000_000..=tap_ns + 150_000_000_000;
    scene.claim.fixes = fixes.iter().filter(|fix| around.contains(&fix.boot_ns)).copied().collect();
    scene.anchors = vec![KnownAnchor {
        number: 1,
        at: minutes(9),
        boot: boot(1),
        sent_boot_ns: first_ns - 60_200_000_000,
        received_boot_ns: first_ns - 59_800_000_000,
    }];
    scene
}

#[test]
fn nobody_honest_is_suspected() {
    for (providers, conclusion) in [
        (&["GPS"][..], Some(Conclusion::OnTime)),
        (&["FLP"], Some(Conclusion::OnTime)),
        (&["GPS", "FLP", "NLP"], Some(Conclusion::OnTime)),
        (&["NLP"], None),
    ] {
        let fixes = recorded(providers, minutes(10));
        let all = recorded(&["GPS", "FLP", "NLP"], minutes(10));
        let first_ns = all.iter().map(|fix| fix.boot_ns).min().expect("fixes");
        let last_ns = all.iter().map(|fix| fix.boot_ns).max().expect("fixes");
        let mut taps = 0;
        let mut tap_ns = first_ns + 30_000_000_000;
        while tap_ns + 150_000_000_000 < last_ns {
            let verdict = visit(&fixes, tap_ns, first_ns).judge();
            let suspected =
                verdict.flags.iter().find(|flag: &&Flag| flag.weight() == Weight::Review);
            assert_eq!(suspected, None, "{providers:?} at {tap_ns}: {verdict:?}");
            if let Some(conclusion) = conclusion {
                assert_eq!(
                    verdict.conclusion, conclusion,
                    "{providers:?} at {tap_ns}: {verdict:?}"
                );
            }
            taps += 1;
            tap_ns += 15_000_000_000;
        }
        assert!(taps >= 20, "{taps} taps");
    }
}

//! What a verdict costs: the largest claim, 200 fixes, on each shape of site.

use std::collections::BTreeSet;

use divan::Bencher;
use onscene_sync_core::fact::DeviceAuthor;
use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::id::{BootId, DeviceId, FactId};
use onscene_sync_core::place::plane::{Plane, Point};
use onscene_sync_core::place::{Datum, Degrees, Fix, Position, Provider, Shape, Site};
use onscene_sync_core::rules::arrival::{ArrivalPolicy, Conclusion, KnownAnchor, Question, judge};
use onscene_sync_core::time::{ClockReading, Millis};

fn main() {
    divan::main();
}

const START: Millis = Millis(1_700_000_000_000);
const TAP_NS: u64 = 1_800_000_000_000;

/// Goal: at most 10 ms on the polygon of 100 corners.
#[divan::bench(args = [5_000, 20_000, 45_000])]
fn polygon_of_100_corners(bencher: Bencher<'_, '_>, accuracy_mm: u32) {
    let outline = (0..100)
        .map(|k| f64::from(k) / 100.0 * std::f64::consts::TAU)
        .map(|angle| near(150.0 * angle.sin(), 150.0 * angle.cos()))
        .collect();
    bench(bencher, Shape::Polygon { outline, holes: vec![] }, accuracy_mm);
}

#[divan::bench(args = [5_000, 20_000, 45_000])]
fn circle(bencher: Bencher<'_, '_>, accuracy_mm: u32) {
    bench(bencher, Shape::Circle { centre: near(0.0, 0.0), radius_cm: 15_000 }, accuracy_mm);
}

#[divan::bench(args = [5_000, 20_000, 45_000])]
fn corridor_of_20_points(bencher: Bencher<'_, '_>, accuracy_mm: u32) {
    let line = (-10..10).map(|k| near(f64::from(k % 2) * 10.0, f64::from(k) * 50.0)).collect();
    bench(bencher, Shape::Corridor { line, half_width_cm: 15_000 }, accuracy_mm);
}

fn bench(bencher: Bencher<'_, '_>, shape: Shape, accuracy_mm: u32) {
    let site = Site { datum: Datum::Gcj02, shape };
    let boot = BootId::from_bytes([1; 8]);
    let tap = ClockReading { wall_ms: 0, boot_ns: TAP_NS, boot };
    let claim = ArrivalClaim {
        order: Some(FactId::from_bytes([9; 16])),
        tap,
        datum: Datum::Gcj02,
        fixes: (0..200).map(|k| fix(k, accuracy_mm)).collect(),
    };
    let author = DeviceAuthor {
        device: DeviceId::from_bytes([5; 8]),
        install: 1,
        seq: 1,
        prev: None,
        clock: ClockReading { boot_ns: TAP_NS + 180_000_000_000, ..tap },
        anchors: Vec::new(),
        restates: None,
    };
    let anchors: Vec<KnownAnchor> = (0..30_u32)
        .map(|k| {
            let sent_boot_ns = u64::from(k) * 60_000_000_000;
            let received_boot_ns = sent_boot_ns + 400_000_000;
            let at = START.plus(i64::from(k) * 60_000 + 200);
            KnownAnchor { number: k.into(), at, boot, sent_boot_ns, received_boot_ns }
        })
        .collect();
    let circumstances = BTreeSet::new();
    let question = Question {
        order_issued_at: START,
        started_at: START,
        site: Some(&site),
        claim: &claim,
        author: &author,
        anchors: &anchors,
        not_after: None,
        not_before: Some(START),
        circumstances: &circumstances,
        same_tracks: &[],
    };
    let policy = ArrivalPolicy::V1;
    assert_eq!(judge(&question, &policy).conclusion, Conclusion::OnTime);
    bencher.bench_local(|| judge(divan::black_box(&question), &policy));
}

fn fix(k: u32, accuracy_mm: u32) -> Fix {
    let angle = f64::from(k) * 0.05;
    Fix {
        position: near(3.0 * angle.sin(), 3.0 * angle.cos()),
        accuracy_mm: accuracy_mm + k,
        boot_ns: TAP_NS - 30_000_000_000 + u64::from(k) * 900_000_000,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: None,
        fix_wall_ms: None,
    }
}

fn near(north: f64, east: f64) -> Position {
    let degrees =
        Plane::around(Degrees { lat: 36.65, lon: 117.0 }).unproject(Point { x: east, y: north });
    Position::from_degrees(degrees.lat, degrees.lon).expect("near Jinan")
}

//! Conversion between WGS-84, GCJ-02 and BD-09.
//!
//! GCJ-02 is published only as a forward function; the constants here are those of the widely
//! reproduced open description of it (`googollee/eviltransform`, `wandergis/coordtransform`, whose
//! published values are the tests). Two positions of different datums are compared in the more
//! shifted one ([`Datum::more_shifted`]), so that verdicts use the forward function alone. The
//! inverse is for showing positions on a map.

use std::f64::consts::PI;

use super::{Datum, Degrees};

/// Krasovsky 1940 ellipsoid: semi-major axis in metres and squared eccentricity.
const AXIS: f64 = 6_378_245.0;
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;
/// Baidu's angle factor.
const BD_FACTOR: f64 = PI * 3000.0 / 180.0;
/// Fixed-point steps of the inverse: three leave 0.3 µm at Jinan.
const INVERSE_STEPS: u32 = 6;

impl Datum {
    /// The one of two datums that lies further from WGS-84: both positions reach it forwards.
    #[must_use]
    pub fn more_shifted(self, other: Self) -> Self {
        self.max(other)
    }
}

/// Moves a position from one datum into another.
///
/// Forwards (WGS-84 → GCJ-02 → BD-09) it is exact by definition; backwards it is a fixed-point
/// inverse accurate to better than a millimetre, meant for display.
#[must_use]
pub fn convert(position: Degrees, from: Datum, to: Datum) -> Degrees {
    match (from, to) {
        (Datum::Wgs84, Datum::Wgs84)
        | (Datum::Gcj02, Datum::Gcj02)
        | (Datum::Bd09, Datum::Bd09) => position,
        (Datum::Wgs84, Datum::Gcj02) => wgs_to_gcj(position),
        (Datum::Gcj02, Datum::Bd09) => gcj_to_bd(position),
        (Datum::Wgs84, Datum::Bd09) => gcj_to_bd(wgs_to_gcj(position)),
        (Datum::Gcj02, Datum::Wgs84) => invert(position, wgs_to_gcj),
        (Datum::Bd09, Datum::Gcj02) => invert(position, gcj_to_bd),
        (Datum::Bd09, Datum::Wgs84) => invert(invert(position, gcj_to_bd), wgs_to_gcj),
    }
}

fn wgs_to_gcj(wgs: Degrees) -> Degrees {
    if !near_china(wgs) {
        return wgs;
    }
    let (x, y) = (wgs.lon - 105.0, wgs.lat - 35.0);
    let wave = |amplitude: f64, argument: f64| amplitude * (argument * PI).sin() * 2.0 / 3.0;
    let common = 0.1 * x * y + wave(20.0, 6.0 * x) + wave(20.0, 2.0 * x);
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.2 * x.abs().sqrt()
        + common
        + wave(20.0, y)
        + wave(40.0, y / 3.0)
        + wave(160.0, y / 12.0)
        + wave(320.0, y / 30.0);
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x.abs().sqrt()
        + common
        + wave(20.0, x)
        + wave(40.0, x / 3.0)
        + wave(150.0, x / 12.0)
        + wave(300.0, x / 30.0);
    let latitude = wgs.lat.to_radians();
    let magic = 1.0 - ECCENTRICITY_2 * latitude.sin().powi(2);
    let meridian = AXIS * (1.0 - ECCENTRICITY_2) / (magic * magic.sqrt());
    let parallel = AXIS / magic.sqrt() * latitude.cos();
    Degrees {
        lat: wgs.lat + (north / meridian).to_degrees(),
        lon: wgs.lon + (east / parallel).to_degrees(),
    }
}

/// Outside this box GCJ-02 is WGS-84.
fn near_china(position: Degrees) -> bool {
    (72.004..=137.8347).contains(&position.lon) && (0.8293..=55.8271).contains(&position.lat)
}

fn gcj_to_bd(gcj: Degrees) -> Degrees {
    let length = gcj.lon.hypot(gcj.lat) + 0.000_02 * (gcj.lat * BD_FACTOR).sin();
    let angle = gcj.lat.atan2(gcj.lon) + 0.000_003 * (gcj.lon * BD_FACTOR).cos();
    Degrees { lat: length * angle.sin() + 0.006, lon: length * angle.cos() + 0.0065 }
}

/// Both shifts change by far less than the position does, so that correcting by the miss converges.
fn invert(target: Degrees, forward: fn(Degrees) -> Degrees) -> Degrees {
    let mut guess = target;
    for _ in 0..INVERSE_STEPS {
        let reached = forward(guess);
        guess.lat += target.lat - reached.lat;
        guess.lon += target.lon - reached.lon;
    }
    guess
}

#[cfg(test)]
mod tests {
    use super::super::plane::distance_m;
    use super::*;
    use proptest::prelude::*;

    fn at(lat: f64, lon: f64) -> Degrees {
        Degrees { lat, lon }
    }

    #[track_caller]
    fn assert_near(found: Degrees, expected: Degrees, tolerance: f64) {
        assert!(
            (found.lat - expected.lat).abs() <= tolerance
                && (found.lon - expected.lon).abs() <= tolerance,
            "{found:?} is not {expected:?}"
        );
    }

    #[test]
    fn published_values_are_met() {
        // eviltransform rounds the axis to 6,378,137 m, which is 9 mm; coordtransform agrees to
        // the last digit.
        for (wgs, gcj, tolerance) in [
            (at(31.1774276, 121.5272106), at(31.17530398364597, 121.531541859215), 1.2e-7),
            (at(22.543847, 113.912316), at(22.540796131694766, 113.9171764808363), 1.2e-7),
            (at(39.911954, 116.377817), at(39.91334545536069, 116.38404722455657), 1.2e-7),
            (at(39.915, 116.404), at(39.91640428150164, 116.41024449916938), 1e-12),
            (at(36.65, 117.0), at(36.650251960656, 117.005840312110), 1.2e-7),
        ] {
            assert_near(convert(wgs, Datum::Wgs84, Datum::Gcj02), gcj, tolerance);
        }
        let bd = convert(at(39.915, 116.404), Datum::Gcj02, Datum::Bd09);
        assert_near(bd, at(39.92133699351021, 116.41036949371029), 1e-12);
        let bd = convert(at(36.65, 117.0), Datum::Wgs84, Datum::Bd09);
        assert_near(bd, at(36.656589613873, 117.012244785734), 1.2e-7);
        // The published inverses are single steps, good to 3 m and 15 cm.
        let wgs = convert(at(39.915, 116.404), Datum::Gcj02, Datum::Wgs84);
        assert_near(wgs, at(39.91359571849836, 116.39775550083061), 5e-5);
        let gcj = convert(at(39.915, 116.404), Datum::Bd09, Datum::Gcj02);
        assert_near(gcj, at(39.90865673957631, 116.39762729119315), 3e-6);
    }

    #[test]
    fn a_mix_up_at_jinan_is_as_far_as_stated() {
        let here = at(36.65, 117.0);
        let gcj = distance_m(here, convert(here, Datum::Wgs84, Datum::Gcj02));
        let bd = distance_m(here, convert(here, Datum::Wgs84, Datum::Bd09));
        assert!((gcj - 522.98).abs() < 0.01 && (bd - 1316.61).abs() < 0.02, "{gcj} {bd}");
    }

    #[test]
    fn outside_china_gcj_is_wgs() {
        let stanford = at(37.4265, -122.1737);
        assert_eq!(convert(stanford, Datum::Wgs84, Datum::Gcj02), stanford);
    }

    #[test]
    fn the_more_shifted_datum_is_the_same_from_both_sides() {
        let all = [Datum::Wgs84, Datum::Gcj02, Datum::Bd09];
        for (i, a) in all.into_iter().enumerate() {
            for (j, b) in all.into_iter().enumerate() {
                assert_eq!(a.more_shifted(b), all[i.max(j)]);
            }
        }
    }

    proptest! {
        #[test]
        fn the_inverse_returns_within_a_millimetre(lat in 18.0..53.0, lon in 74.0..134.0) {
            let here = at(lat, lon);
            for to in [Datum::Gcj02, Datum::Bd09] {
                let back = convert(convert(here, Datum::Wgs84, to), to, Datum::Wgs84);
                prop_assert!(distance_m(here, back) < 0.001);
            }
        }
    }
}

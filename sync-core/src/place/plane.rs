//! A local flat map: azimuthal-equidistant around a centre, by exact geodesics (Karney,
//! doi:10.1007/s00190-012-0578-z).
//!
//! Distances from the centre are exact; between two points 5 km away they are wrong by less than a
//! millimetre. Latitude and longitude used as if they were flat are wrong by more than a metre.

use geographiclib_rs::{DirectGeodesic as _, Geodesic, InverseGeodesic as _};

use super::Degrees;

/// Metres east and north of the centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Metres towards the east.
    pub x: f64,
    /// Metres towards the north.
    pub y: f64,
}

impl Point {
    /// Distance to another point of the same plane, metres.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// A plane that touches the globe at its centre.
#[derive(Debug, Clone)]
pub struct Plane {
    centre: Degrees,
    ellipsoid: Geodesic,
}

impl Plane {
    /// The plane around `centre`.
    #[must_use]
    pub fn around(centre: Degrees) -> Self {
        Self { centre, ellipsoid: Geodesic::wgs84() }
    }

    /// Where a position lies in the plane.
    #[must_use]
    pub fn project(&self, position: Degrees) -> Point {
        let (distance, azimuth, _, _): (f64, f64, f64, f64) =
            self.ellipsoid.inverse(self.centre.lat, self.centre.lon, position.lat, position.lon);
        let (east, north) = azimuth.to_radians().sin_cos();
        Point { x: distance * east, y: distance * north }
    }

    /// The position of a point of the plane.
    #[must_use]
    pub fn unproject(&self, point: Point) -> Degrees {
        let azimuth = point.x.atan2(point.y).to_degrees();
        let (lat, lon): (f64, f64) = self.ellipsoid.direct(
            self.centre.lat,
            self.centre.lon,
            azimuth,
            point.x.hypot(point.y),
        );
        Degrees { lat, lon }
    }
}

/// Length of the shortest line between two positions of one datum, metres (WGS-84 ellipsoid).
#[must_use]
pub fn distance_m(a: Degrees, b: Degrees) -> f64 {
    Geodesic::wgs84().inverse(a.lat, a.lon, b.lat, b.lon)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOD_TEST: &str = include_str!("../../tests/fixtures/GeodTest-100.dat");

    fn geodesics() -> impl Iterator<Item = [f64; 7]> {
        GEOD_TEST.lines().map(|line| {
            let mut columns = line.split_whitespace().map(|word| word.parse().unwrap());
            std::array::from_fn(|_| columns.next().unwrap())
        })
    }

    #[test]
    fn geodesics_are_right_to_15_nanometres() {
        let ellipsoid = Geodesic::wgs84();
        let mut lines = 0;
        for [lat1, lon1, azi1, lat2, lon2, _, s12] in geodesics() {
            let from = Degrees { lat: lat1, lon: lon1 };
            let found = distance_m(from, Degrees { lat: lat2, lon: lon2 });
            assert!((found - s12).abs() <= 15e-9, "{lat1} {lat2} {lon2}: {found} is not {s12}");
            let (lat, lon): (f64, f64) = ellipsoid.direct(lat1, lon1, azi1, s12);
            let miss = distance_m(Degrees { lat, lon }, Degrees { lat: lat2, lon: lon2 });
            assert!(miss <= 15e-9, "{lat1} {azi1} {s12}: {miss} m off");
            lines += 1;
        }
        assert_eq!(lines, 100);
    }

    #[test]
    fn known_distances() {
        let found = distance_m(
            Degrees { lat: 42.698334, lon: 23.319941 },
            Degrees { lat: 42.136097, lon: 24.742168 },
        );
        assert!((found - 132_675.501_858_820_6).abs() < 1e-8, "{found}");
        let across =
            distance_m(Degrees { lat: 0.0, lon: 179.9999 }, Degrees { lat: 0.0, lon: -179.9999 });
        assert!((across - 22.263_898_159_393_8).abs() < 1e-8, "{across}");
    }

    #[test]
    fn a_plane_is_right_to_a_millimetre_at_five_kilometres() {
        let plane = Plane::around(Degrees { lat: 36.65, lon: 117.0 });
        let mut worst = 0.0_f64;
        for step in 0..36 {
            let angle = f64::from(step * 10).to_radians();
            let there = |angle: f64| Point { x: 5000.0 * angle.cos(), y: 5000.0 * angle.sin() };
            let (a, b) = (there(angle), there(angle + 0.02));
            let true_distance = distance_m(plane.unproject(a), plane.unproject(b));
            worst = worst.max((a.distance(b) - true_distance).abs());
            assert!(plane.project(plane.unproject(a)).distance(a) < 1e-6);
        }
        assert!(worst < 0.001, "{worst} m");
    }
}

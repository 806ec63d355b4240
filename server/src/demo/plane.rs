//! A flat map of the demonstration's district: metres east and north of its centre.
//!
//! Good to a decimetre over the few kilometres of the district. It makes up the world; it judges
//! nothing (verdicts use the ellipsoid).

use onscene_sync_core::place::Position;

/// The district's centre: Quancheng Square, Jinan (WGS 84).
pub const CENTRE: (f64, f64) = (36.6612, 117.0165);
/// Metres in a degree of latitude there (WGS 84 meridian arc).
const M_PER_LAT: f64 = 110_975.0;
/// Metres in a degree of longitude there (WGS 84 parallel).
const M_PER_LON: f64 = 89_421.0;

/// A place on the map, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Metres east of the centre.
    pub east: f64,
    /// Metres north of the centre.
    pub north: f64,
}

impl Point {
    /// The point at a latitude and longitude in degrees, WGS 84.
    #[must_use]
    pub fn from_degrees(latitude: f64, longitude: f64) -> Self {
        Self { east: (longitude - CENTRE.1) * M_PER_LON, north: (latitude - CENTRE.0) * M_PER_LAT }
    }

    /// As a WGS 84 position.
    #[must_use]
    pub fn position(self) -> Position {
        Position {
            lat_e7: e7(CENTRE.0 + self.north / M_PER_LAT),
            lon_e7: e7(CENTRE.1 + self.east / M_PER_LON),
        }
    }

    /// Moved by these metres.
    #[must_use]
    pub fn moved(self, east: f64, north: f64) -> Self {
        Self { east: self.east + east, north: self.north + north }
    }

    /// Metres to another point, as the crow flies.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        (self.east - other.east).hypot(self.north - other.north)
    }

    /// The point `share` (0 to 1) of the way to `other`.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        self.moved((other.east - self.east) * share, (other.north - self.north) * share)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the district is far from the poles")]
fn e7(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_become_metres_and_back() {
        let place = Point::from_degrees(36.6755, 117.0170);
        assert!((place.north - 1_586.9).abs() < 0.5 && (place.east - 44.7).abs() < 0.5);
        let position = place.position();
        assert!((position.lat_e7 - 366_755_000).abs() <= 1);
        assert!((position.lon_e7 - 1_170_170_000).abs() <= 1);
    }

    #[test]
    fn half_way_is_half_the_distance() {
        let (from, to) = (Point { east: 0.0, north: 0.0 }, Point { east: 300.0, north: 400.0 });
        assert!((from.distance(to) - 500.0).abs() < 1e-9);
        assert!((from.distance(from.towards(to, 0.5)) - 250.0).abs() < 1e-9);
    }
}

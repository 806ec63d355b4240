//! Outlines as map programs write them (GeoJSON, RFC 7946), in a datum that is named: read, checked, and
//! laid out as an [`Area`].

use geo::orient::Direction;
use geo::validation::Validation as _;
use geo::{LineString, MultiPolygon, Orient as _, Polygon, RemoveRepeatedPoints as _};
use onscene_sync_core::limits::{
    TERRITORY_AREA_M2, TERRITORY_EXTENT_M, TERRITORY_POLYGONS, TERRITORY_VERTICES,
};
use onscene_sync_core::place::{Datum, PlaceError, Position};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::area::{Area, moved};

/// The datum of an outline; never implied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutlineDatum {
    /// What satellites give.
    Wgs84,
    /// 2000国家大地坐标系, which surveyors use: WGS-84 to within a few centimetres.
    Cgcs2000,
    /// 火星坐标, the shifted datum of maps published in China.
    Gcj02,
    /// Baidu's shift on top of GCJ-02.
    Bd09,
}

impl From<OutlineDatum> for Datum {
    fn from(datum: OutlineDatum) -> Self {
        match datum {
            OutlineDatum::Wgs84 | OutlineDatum::Cgcs2000 => Self::Wgs84,
            OutlineDatum::Gcj02 => Self::Gcj02,
            OutlineDatum::Bd09 => Self::Bd09,
        }
    }
}

/// Longitude and latitude in degrees.
pub type Corner = [f64; 2];
/// The outer ring, then the holes; each ends with its first corner.
pub type Rings = Vec<Vec<Corner>>;

/// A GeoJSON geometry of an area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Geometry {
    /// One area.
    Polygon {
        /// Its rings.
        coordinates: Rings,
    },
    /// Several areas that do not overlap.
    MultiPolygon {
        /// The rings of each.
        coordinates: Vec<Rings>,
    },
}

/// Why an outline is no territory, and how to mend it.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum OutlineError {
    /// Nothing, or too many parts.
    #[error("it has {0} polygons: give 1 to {TERRITORY_POLYGONS}")]
    Polygons(usize),
    /// More corners than can be laid out quickly.
    #[error("it has {0} corners: simplify it to at most {TERRITORY_VERTICES}")]
    TooManyCorners(usize),
    /// A ring that encloses nothing.
    #[error(
        "ring {ring} of polygon {polygon} (both counted from 0) has {count} corners: it needs at \
         least 4, the first again at the end"
    )]
    TooFewCorners {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
        /// Its corners.
        count: usize,
    },
    /// A ring without an end.
    #[error(
        "ring {ring} of polygon {polygon} (both counted from 0) is open: end it with its first \
         corner"
    )]
    Open {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
    },
    /// A corner that is not on the globe.
    #[error(
        "corner {corner} of ring {ring} of polygon {polygon} (all counted from 0): {error}; GeoJSON \
         has the longitude first"
    )]
    Corner {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
        /// Which corner of that.
        corner: usize,
        /// What is wrong with it.
        error: PlaceError,
    },
    /// Rings cross themselves or each other.
    #[error("the outline encloses no clear area: {0}")]
    Crossing(String),
    /// Larger than any bureau.
    #[error("it is {0:.0} km across, at most {max:.0} are taken: is a corner misplaced?", max = TERRITORY_EXTENT_M / 1e3)]
    TooLarge(f64),
    /// Smaller than a yard.
    #[error("it covers {0:.1} m², at least {TERRITORY_AREA_M2} are needed")]
    TooSmall(f64),
}

impl Geometry {
    /// Checks the outline and lays it out. The quadratic checks come last, on few enough corners.
    ///
    /// # Errors
    /// The first thing that is wrong and how to mend it.
    pub fn check(&self, datum: OutlineDatum) -> Result<Area, OutlineError> {
        let polygons = self.polygons();
        if polygons.is_empty() || polygons.len() > TERRITORY_POLYGONS {
            return Err(OutlineError::Polygons(polygons.len()));
        }
        let corners = polygons.iter().copied().flatten().map(Vec::len).sum();
        if corners > TERRITORY_VERTICES {
            return Err(OutlineError::TooManyCorners(corners));
        }
        for (polygon, rings) in polygons.iter().enumerate() {
            if rings.is_empty() {
                return Err(OutlineError::TooFewCorners { polygon, ring: 0, count: 0 });
            }
            for (ring, corners) in rings.iter().enumerate() {
                check_ring(polygon, ring, corners)?;
            }
        }
        let area = self.area(datum);
        let extent = area.extent_m();
        if extent > TERRITORY_EXTENT_M {
            return Err(OutlineError::TooLarge(extent / 1e3));
        }
        area.0.check_validation().map_err(|error| OutlineError::Crossing(error.to_string()))?;
        let size = area.area_m2();
        if size < TERRITORY_AREA_M2 { Err(OutlineError::TooSmall(size)) } else { Ok(area) }
    }

    /// The outline in WGS-84, taken for sound.
    #[must_use]
    pub fn area(&self, datum: OutlineDatum) -> Area {
        let lay = |corners: &Vec<Corner>| -> LineString<f64> {
            corners.iter().map(|[lon, lat]| moved(*lat, *lon, datum.into())).collect()
        };
        let polygons = self.polygons().into_iter().map(|rings| {
            let mut rings = rings.iter().map(lay);
            let outline = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
            Polygon::new(outline, rings.collect())
        });
        let shape = MultiPolygon::new(polygons.collect()).remove_repeated_points();
        Area(shape.orient(Direction::Default))
    }

    fn polygons(&self) -> Vec<&Rings> {
        match self {
            Self::Polygon { coordinates } => vec![coordinates],
            Self::MultiPolygon { coordinates } => coordinates.iter().collect(),
        }
    }
}

fn check_ring(polygon: usize, ring: usize, corners: &[Corner]) -> Result<(), OutlineError> {
    let count = corners.len();
    for (corner, [lon, lat]) in corners.iter().enumerate() {
        Position::from_degrees(*lat, *lon).map_err(|error| OutlineError::Corner {
            polygon,
            ring,
            corner,
            error,
        })?;
    }
    if count < 4 {
        return Err(OutlineError::TooFewCorners { polygon, ring, count });
    }
    if corners.first() == corners.last() {
        Ok(())
    } else {
        Err(OutlineError::Open { polygon, ring })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use onscene_sync_core::place::Degrees;
    use onscene_sync_core::place::datum::convert;
    use proptest::prelude::*;

    use super::*;

    /// A rectangle from a south-western corner, counter-clockwise.
    pub(in crate::territory) fn ring(lon: f64, lat: f64, wide: f64, high: f64) -> Vec<Corner> {
        let (east, north) = (lon + wide, lat + high);
        vec![[lon, lat], [east, lat], [east, north], [lon, north], [lon, lat]]
    }

    fn polygon(rings: Rings) -> Geometry {
        Geometry::Polygon { coordinates: rings }
    }

    pub(in crate::territory) fn area(rings: Rings) -> Area {
        polygon(rings).check(OutlineDatum::Wgs84).unwrap()
    }

    #[test]
    fn what_encloses_no_area_is_refused_by_name() {
        let square = || ring(117.0, 36.6, 0.1, 0.1);
        let refused = |rings: Rings| polygon(rings).check(OutlineDatum::Wgs84).unwrap_err();
        assert_eq!(refused(vec![]), OutlineError::TooFewCorners { polygon: 0, ring: 0, count: 0 });
        let mut open = square();
        open.pop();
        assert_eq!(refused(vec![open]), OutlineError::Open { polygon: 0, ring: 0 });
        let swapped = square().into_iter().map(|[lon, lat]| [lat, lon]).collect();
        assert!(refused(vec![swapped]).to_string().contains("GeoJSON has the longitude first"));
        let mut tie = square();
        tie.swap(1, 2);
        assert!(matches!(refused(vec![tie]), OutlineError::Crossing(_)));
        let hole_outside = vec![square(), ring(118.0, 36.6, 0.01, 0.01)];
        assert!(matches!(refused(hole_outside), OutlineError::Crossing(_)));
        assert!(matches!(refused(vec![ring(110.0, 30.0, 9.0, 9.0)]), OutlineError::TooLarge(_)));
        let tiny = ring(117.0, 36.6, 1e-5, 1e-5);
        assert!(matches!(refused(vec![tiny]), OutlineError::TooSmall(_)));
        let many = vec![vec![[117.0, 36.6]; TERRITORY_VERTICES + 1]];
        assert_eq!(refused(many), OutlineError::TooManyCorners(TERRITORY_VERTICES + 1));
        let none = Geometry::MultiPolygon { coordinates: vec![] };
        assert_eq!(none.check(OutlineDatum::Wgs84), Err(OutlineError::Polygons(0)));
        let overlapping =
            Geometry::MultiPolygon { coordinates: vec![vec![square()], vec![square()]] };
        assert!(matches!(overlapping.check(OutlineDatum::Wgs84), Err(OutlineError::Crossing(_))));
    }

    #[test]
    fn the_way_round_and_corners_said_twice_do_not_matter() {
        let plain = area(vec![ring(117.0, 36.6, 0.1, 0.1)]);
        let mut twice = ring(117.0, 36.6, 0.1, 0.1);
        twice.insert(1, twice[0]);
        twice.reverse();
        let other = area(vec![twice]);
        assert!((plain.area_m2() - other.area_m2()).abs() < 1.0);
        // 0.1 degrees are 11.1 km north and 8.94 km east here.
        assert!((plain.area_m2() / 1e6 - 99.3).abs() < 0.5, "{}", plain.area_m2());
    }

    #[test]
    fn the_same_ground_is_the_same_in_every_datum() {
        let from = |lon: f64, lat: f64, datum| {
            let moved = convert(Degrees { lat, lon }, Datum::Wgs84, datum);
            [moved.lon, moved.lat]
        };
        let shifted = |datum: Datum| -> Vec<Corner> {
            ring(117.0, 36.6, 0.1, 0.1).into_iter().map(|[x, y]| from(x, y, datum)).collect()
        };
        let plain = area(vec![ring(117.0, 36.6, 0.1, 0.1)]);
        for (named, datum) in
            [(OutlineDatum::Gcj02, Datum::Gcj02), (OutlineDatum::Bd09, Datum::Bd09)]
        {
            let same = polygon(vec![shifted(datum)]).check(named).unwrap();
            assert!(plain.share_within(&same) > 0.999_99, "{named:?}");
            let mistaken = polygon(vec![shifted(datum)]).check(OutlineDatum::Cgcs2000).unwrap();
            assert!(plain.share_within(&mistaken) < 0.96, "a mix-up is seen");
        }
    }

    proptest! {
        #[test]
        fn no_outline_panics(
            corners in proptest::collection::vec((-180.0..180.0_f64, -90.0..90.0_f64), 0..12),
        ) {
            let mut ring: Vec<Corner> = corners.into_iter().map(|(lon, lat)| [lon, lat]).collect();
            ring.extend(ring.first().copied());
            let _either = polygon(vec![ring]).check(OutlineDatum::Bd09);
        }
    }
}

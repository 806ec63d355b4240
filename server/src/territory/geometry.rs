//! Outlines as map programs write them (GeoJSON, RFC 7946), in a datum that is named, and the same in
//! WGS-84 degrees. An edge is the straight line between two longitudes and latitudes, as the RFC has it,
//! so neighbours that share their corners leave no gap between them.

use geo::orient::Direction;
use geo::validation::Validation as _;
use geo::{
    Area as _, BooleanOps as _, BoundingRect as _, Buffer as _, Coord, Distance as _, Euclidean,
    GeodesicArea as _, Intersects as _, LineString, MapCoords as _, MultiPolygon, Orient as _,
    Polygon, RemoveRepeatedPoints as _,
};
use onscene_sync_core::limits::{
    TERRITORY_AREA_M2, TERRITORY_EXTENT_M, TERRITORY_POLYGONS, TERRITORY_VERTICES,
};
use onscene_sync_core::place::datum::convert;
use onscene_sync_core::place::plane::{Plane, Point, distance_m};
use onscene_sync_core::place::{Datum, Degrees, PlaceError, Position, Shape, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Corners that stand for a circle: its area is 0.2 % short.
const CIRCLE_CORNERS: u32 = 64;

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

/// A box of WGS-84, in 10⁻⁷ degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Its southern edge.
    pub south: i64,
    /// Its northern edge.
    pub north: i64,
    /// Its western edge.
    pub west: i64,
    /// Its eastern edge.
    pub east: i64,
}

/// An outline laid out in WGS-84 degrees.
#[derive(Debug, Clone, PartialEq)]
pub struct Area(MultiPolygon<f64>);

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

fn moved(lat: f64, lon: f64, datum: Datum) -> Coord<f64> {
    let wgs84 = convert(Degrees { lat, lon }, datum, Datum::Wgs84);
    Coord { x: wgs84.lon, y: wgs84.lat }
}

impl Area {
    /// The ground of a site.
    #[must_use]
    pub fn of_site(site: &Site) -> Self {
        let corner = |position: &Position| {
            let Degrees { lat, lon } = position.degrees();
            moved(lat, lon, site.datum)
        };
        let shape = match &site.shape {
            Shape::Polygon { outline, holes } => {
                let holes = holes.iter().map(|hole| hole.iter().map(corner).collect());
                let outline = outline.iter().map(corner).collect();
                MultiPolygon::new(vec![Polygon::new(outline, holes.collect())])
            }
            Shape::Circle { radius_cm, .. } => circle(site.centre(), f64::from(*radius_cm) / 100.0),
            Shape::Corridor { line, half_width_cm } => {
                let plane = Plane::around(site.centre());
                let line: LineString<f64> = line.iter().map(|at| on(&plane, corner(at))).collect();
                line.buffer(f64::from(*half_width_cm) / 100.0).map_coords(|at| off(&plane, at))
            }
        };
        Self(shape.orient(Direction::Default))
    }

    /// The box around it.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let (low, high) = self.corners();
        Bounds {
            south: whole((low.y * 1e7).floor()),
            north: whole((high.y * 1e7).ceil()),
            west: whole((low.x * 1e7).floor()),
            east: whole((high.x * 1e7).ceil()),
        }
    }

    /// Its area, square metres on the ellipsoid.
    #[must_use]
    pub fn area_m2(&self) -> f64 {
        self.0.geodesic_area_unsigned()
    }

    /// Whether it holds or touches some of `other`.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.intersects(&other.0)
    }

    /// How much of `self` lies within `other`, 0 to 1.
    #[must_use]
    pub fn share_within(&self, other: &Self) -> f64 {
        let whole = self.0.unsigned_area();
        if whole <= 0.0 {
            return 0.0;
        }
        (self.0.intersection(&other.0).unsigned_area() / whole).clamp(0.0, 1.0)
    }

    /// Metres from one to the other; 0 where they meet. Right to a metre within tens of kilometres.
    #[must_use]
    pub fn distance_m(&self, other: &Self) -> f64 {
        let (low, high) = self.corners();
        let middle =
            Degrees { lat: f64::midpoint(low.y, high.y), lon: f64::midpoint(low.x, high.x) };
        let plane = Plane::around(middle);
        let (ours, theirs) =
            (self.0.map_coords(|at| on(&plane, at)), other.0.map_coords(|at| on(&plane, at)));
        let pairs = ours.iter().flat_map(|a| theirs.iter().map(move |b| Euclidean.distance(a, b)));
        pairs.fold(f64::INFINITY, f64::min)
    }

    fn extent_m(&self) -> f64 {
        let (low, high) = self.corners();
        distance_m(Degrees { lat: low.y, lon: low.x }, Degrees { lat: high.y, lon: high.x })
    }

    fn corners(&self) -> (Coord<f64>, Coord<f64>) {
        self.0.bounding_rect().map_or_else(Default::default, |bounds| (bounds.min(), bounds.max()))
    }
}

impl Bounds {
    /// The box that reaches `metres` further on each side.
    #[must_use]
    pub fn widened(self, metres: f64) -> Self {
        let up = metres / 110_000.0 * 1e7;
        #[expect(clippy::cast_precision_loss, reason = "at most 9e8")]
        let furthest = self.south.abs().max(self.north.abs()) as f64 / 1e7;
        let across = up / furthest.min(89.0).to_radians().cos();
        let (up, across) = (whole(up.ceil()), whole(across.ceil()));
        Self {
            south: self.south - up,
            north: self.north + up,
            west: self.west - across,
            east: self.east + across,
        }
    }
}

fn circle(centre: Degrees, radius: f64) -> MultiPolygon<f64> {
    let plane = Plane::around(centre);
    let corner = |step: u32| {
        let (north, east) =
            (std::f64::consts::TAU * f64::from(step) / f64::from(CIRCLE_CORNERS)).sin_cos();
        off(&plane, Coord { x: radius * east, y: radius * north })
    };
    let ring = (0..CIRCLE_CORNERS).map(corner).collect();
    MultiPolygon::new(vec![Polygon::new(ring, Vec::new())])
}

fn on(plane: &Plane, at: Coord<f64>) -> Coord<f64> {
    let point = plane.project(Degrees { lat: at.y, lon: at.x });
    Coord { x: point.x, y: point.y }
}

fn off(plane: &Plane, at: Coord<f64>) -> Coord<f64> {
    let degrees = plane.unproject(Point { x: at.x, y: at.y });
    Coord { x: degrees.lon, y: degrees.lat }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees times ten million")]
fn whole(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A rectangle from a south-western corner, counter-clockwise.
    fn ring(lon: f64, lat: f64, wide: f64, high: f64) -> Vec<Corner> {
        let (east, north) = (lon + wide, lat + high);
        vec![[lon, lat], [east, lat], [east, north], [lon, north], [lon, lat]]
    }

    fn polygon(rings: Rings) -> Geometry {
        Geometry::Polygon { coordinates: rings }
    }

    fn area(rings: Rings) -> Area {
        polygon(rings).check(OutlineDatum::Wgs84).unwrap()
    }

    fn site(shape: Shape) -> Area {
        Area::of_site(&Site { datum: Datum::Wgs84, shape })
    }

    fn at(lat: f64, lon: f64) -> Position {
        Position::from_degrees(lat, lon).unwrap()
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
    fn a_hole_is_nobodys_ground() {
        let around = area(vec![ring(117.0, 36.6, 0.1, 0.1), ring(117.04, 36.64, 0.02, 0.02)]);
        let inside = site(Shape::Circle { centre: at(36.65, 117.05), radius_cm: 5_000 });
        assert!(!around.meets(&inside));
        assert_eq!(inside.share_within(&around), 0.0);
        let away = inside.distance_m(&around);
        assert!((800.0..900.0).contains(&away), "{away}");
        let edge = site(Shape::Circle { centre: at(36.64, 117.05), radius_cm: 5_000 });
        assert!((edge.share_within(&around) - 0.5).abs() < 0.01);
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

    #[test]
    fn every_shape_of_a_site_is_laid_out() {
        let here = area(vec![ring(117.0, 36.6, 0.1, 0.1)]);
        let corridor = Shape::Corridor {
            line: vec![at(36.65, 117.09), at(36.65, 117.11)],
            half_width_cm: 1_000,
        };
        let corridor = site(corridor);
        assert!((corridor.share_within(&here) - 0.5).abs() < 0.01);
        let length =
            distance_m(Degrees { lat: 36.65, lon: 117.09 }, Degrees { lat: 36.65, lon: 117.11 });
        assert!((corridor.area_m2() - (length * 20.0 + 314.0)).abs() < 10.0);
        let outline = vec![at(36.6, 117.0), at(36.6, 117.01), at(36.61, 117.0)];
        let corner = site(Shape::Polygon { outline, holes: vec![] });
        assert!(corner.share_within(&here) > 0.999);
        let round = site(Shape::Circle { centre: at(36.65, 117.05), radius_cm: 10_000 });
        assert!((round.area_m2() / 31_415.9 - 1.0).abs() < 0.002, "{}", round.area_m2());
    }

    proptest! {
        #[test]
        fn neighbours_share_a_place_between_them_without_a_gap(
            lat in 36.61..36.69_f64, lon in 117.02..117.18_f64, radius in 1_000_u32..100_000,
            bend in -0.02..0.02_f64,
        ) {
            let border = [[117.1, 36.5], [117.1 + bend, 36.65], [117.1, 36.8]];
            let west = vec![[116.9, 36.5], border[0], border[1], border[2], [116.9, 36.8], [116.9, 36.5]];
            let east = vec![border[0], [117.3, 36.5], [117.3, 36.8], border[2], border[1], border[0]];
            let place = site(Shape::Circle { centre: at(lat, lon), radius_cm: radius });
            let shares = place.share_within(&area(vec![west])) + place.share_within(&area(vec![east]));
            prop_assert!((shares - 1.0).abs() < 1e-5, "{shares}");
        }

        #[test]
        fn a_widened_box_holds_all_within_the_distance(
            lat in -60.0..60.0_f64, turn in 0.0..std::f64::consts::TAU, metres in 1.0..5_000.0_f64,
        ) {
            let here = site(Shape::Circle { centre: at(lat, 117.0), radius_cm: 100 });
            let plane = Plane::around(Degrees { lat, lon: 117.0 });
            let there = plane.unproject(Point { x: metres * turn.cos(), y: metres * turn.sin() });
            let wide = here.bounds().widened(metres);
            let (lat, lon) = (whole(there.lat * 1e7), whole(there.lon * 1e7));
            prop_assert!(wide.south <= lat && lat <= wide.north);
            prop_assert!(wide.west <= lon && lon <= wide.east);
        }

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

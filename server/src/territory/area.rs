//! Ground in WGS-84 degrees: an outline laid out, or the site of a case, and how the two lie to each other.
//! An edge is the straight line between two longitudes and latitudes, as RFC 7946 has it, so neighbours
//! that share their corners leave no gap between them.

use geo::orient::Direction;
use geo::{
    Area as _, BooleanOps as _, BoundingRect as _, Buffer as _, Coord, Distance as _, Euclidean,
    GeodesicArea as _, Intersects as _, LineString, MapCoords as _, MultiPolygon, Orient as _,
    Polygon,
};
use onscene_sync_core::place::datum::convert;
use onscene_sync_core::place::plane::{Plane, Point, distance_m};
use onscene_sync_core::place::{Datum, Degrees, Position, Shape, Site};

/// Corners that stand for a circle: its area is 0.2 % short.
const CIRCLE_CORNERS: u32 = 64;

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
pub struct Area(pub(super) MultiPolygon<f64>);

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

    /// From corner to corner of the box around it, metres.
    pub(super) fn extent_m(&self) -> f64 {
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

/// A corner of an outline in `datum`, brought to WGS-84.
pub(super) fn moved(lat: f64, lon: f64, datum: Datum) -> Coord<f64> {
    let wgs84 = convert(Degrees { lat, lon }, datum, Datum::Wgs84);
    Coord { x: wgs84.lon, y: wgs84.lat }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::outline::tests::{area, ring};
    use super::*;

    fn site(shape: Shape) -> Area {
        Area::of_site(&Site { datum: Datum::Wgs84, shape })
    }

    fn at(lat: f64, lon: f64) -> Position {
        Position::from_degrees(lat, lon).unwrap()
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
    }
}

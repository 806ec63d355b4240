//! A site laid out in a plane, ready to be asked about points.

use geo::{Coord, Distance as _, Euclidean, Line, LineString, Orient as _, Polygon};

use super::datum::convert;
use super::plane::{Plane, Point};
use super::probability::{in_circle, in_corridor, in_polygon};
use super::site::{ValidSite, middle};
use super::{Datum, Degrees, Position, Shape};

/// An outline in a plane around its middle, in one datum.
#[derive(Debug, Clone)]
pub struct Fence {
    plane: Plane,
    outline: Outline,
}

#[derive(Debug, Clone)]
enum Outline {
    Circle { radius: f64 },
    Polygon(Polygon<f64>),
    Corridor { line: Vec<Line<f64>>, half_width: f64 },
}

impl Fence {
    /// Lays out a site in `datum`, which must be the site's own or a more shifted one for the
    /// result to be exact.
    #[must_use]
    pub fn new(site: &ValidSite, datum: Datum) -> Self {
        let from = site.site().datum;
        let moved = |position: &Position| convert(position.degrees(), from, datum);
        let ring = |plane: &Plane, positions: &[Position]| -> LineString<f64> {
            positions.iter().map(|position| coordinate(plane.project(moved(position)))).collect()
        };
        match &site.site().shape {
            Shape::Circle { centre, radius_cm } => Self {
                plane: Plane::around(moved(centre)),
                outline: Outline::Circle { radius: metres(*radius_cm) },
            },
            Shape::Polygon { outline, holes } => {
                let plane = Plane::around(middle(outline.iter().map(moved)));
                let holes = holes.iter().map(|hole| ring(&plane, hole)).collect();
                let polygon = Polygon::new(ring(&plane, outline), holes)
                    .orient(geo::orient::Direction::Default);
                Self { plane, outline: Outline::Polygon(polygon) }
            }
            Shape::Corridor { line, half_width_cm } => {
                let plane = Plane::around(middle(line.iter().map(moved)));
                let line = ring(&plane, line).lines().collect();
                Self {
                    plane,
                    outline: Outline::Corridor { line, half_width: metres(*half_width_cm) },
                }
            }
        }
    }

    /// Where a position of the fence's datum lies in its plane.
    #[must_use]
    pub fn locate(&self, position: Degrees) -> Point {
        self.plane.project(position)
    }

    /// The position of a point in the fence's plane.
    #[must_use]
    pub fn position(&self, point: Point) -> Degrees {
        self.plane.unproject(point)
    }

    /// The probability that the true point is inside, when `point` was measured with a circular
    /// normal error of `sigma` metres.
    #[must_use]
    pub fn probability_inside(&self, point: Point, sigma: f64) -> f64 {
        match &self.outline {
            Outline::Circle { radius } => in_circle(point.x.hypot(point.y), *radius, sigma),
            Outline::Polygon(polygon) => in_polygon(polygon, point, sigma),
            Outline::Corridor { line, half_width } => in_corridor(line, *half_width, point, sigma),
        }
    }

    /// Distance from the outline, metres; 0 inside and on it.
    #[must_use]
    pub fn distance_outside(&self, point: Point) -> f64 {
        let here = geo::Point::new(point.x, point.y);
        match &self.outline {
            Outline::Circle { radius } => (point.x.hypot(point.y) - radius).max(0.0),
            Outline::Polygon(polygon) => Euclidean.distance(&here, polygon),
            Outline::Corridor { line, half_width } => {
                let nearest = line
                    .iter()
                    .map(|segment| Euclidean.distance(&here, segment))
                    .fold(f64::INFINITY, f64::min);
                (nearest - half_width).max(0.0)
            }
        }
    }
}

fn metres(centimetres: u32) -> f64 {
    f64::from(centimetres) / 100.0
}

fn coordinate(point: Point) -> Coord<f64> {
    Coord { x: point.x, y: point.y }
}

#[cfg(test)]
mod tests {
    use super::super::Site;
    use super::*;

    const HERE: Position = Position { lat_e7: 366_500_000, lon_e7: 1_170_000_000 };

    fn fence(shape: Shape) -> Fence {
        Fence::new(&Site { datum: Datum::Wgs84, shape }.validate().unwrap(), Datum::Wgs84)
    }

    fn near(north_m: f64, east_m: f64) -> Position {
        let plane = Plane::around(HERE.degrees());
        let degrees = plane.unproject(Point { x: east_m, y: north_m });
        Position::from_degrees(degrees.lat, degrees.lon).unwrap()
    }

    fn outside(fence: &Fence, north_m: f64, east_m: f64) -> f64 {
        fence.distance_outside(fence.locate(near(north_m, east_m).degrees()))
    }

    #[test]
    fn distances_are_from_the_outline_and_zero_inside() {
        let circle = fence(Shape::Circle { centre: HERE, radius_cm: 10_000 });
        assert_eq!(outside(&circle, 99.0, 0.0), 0.0);
        assert!((outside(&circle, 130.0, 0.0) - 30.0).abs() < 0.05);

        let corner = |n: f64, e: f64| near(n, e);
        let block = |half: f64| {
            vec![corner(-half, -half), corner(-half, half), corner(half, half), corner(half, -half)]
        };
        let yard = fence(Shape::Polygon { outline: block(100.0), holes: vec![block(40.0)] });
        assert_eq!(outside(&yard, 70.0, 0.0), 0.0);
        assert!((outside(&yard, 0.0, 0.0) - 40.0).abs() < 0.05, "a hole is outside");
        assert!((outside(&yard, 0.0, 125.0) - 25.0).abs() < 0.05);

        let street = fence(Shape::Corridor {
            line: vec![near(0.0, -500.0), near(0.0, 500.0)],
            half_width_cm: 1500,
        });
        assert_eq!(outside(&street, 14.0, 300.0), 0.0);
        assert!((outside(&street, 45.0, -300.0) - 30.0).abs() < 0.05);
        assert!((outside(&street, 0.0, 530.0) - 15.0).abs() < 0.05, "its ends are round");
    }

    #[test]
    fn the_turning_of_a_ring_does_not_matter() {
        let mut outline =
            vec![near(0.0, 0.0), near(0.0, 100.0), near(100.0, 100.0), near(100.0, 0.0)];
        let one = fence(Shape::Polygon { outline: outline.clone(), holes: vec![] });
        outline.reverse();
        let other = fence(Shape::Polygon { outline, holes: vec![] });
        for point in [near(50.0, 50.0), near(5.0, 50.0), near(-20.0, 50.0)] {
            let p = |fence: &Fence| fence.probability_inside(fence.locate(point.degrees()), 10.0);
            assert!((p(&one) - p(&other)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_site_in_a_chinese_datum_meets_satellite_fixes() {
        let gcj = convert(HERE.degrees(), Datum::Wgs84, Datum::Gcj02);
        let centre = Position::from_degrees(gcj.lat, gcj.lon).unwrap();
        let shape = Shape::Circle { centre, radius_cm: 10_000 };
        let site = Site { datum: Datum::Gcj02, shape }.validate().unwrap();
        let fence = Fence::new(&site, Datum::Gcj02.more_shifted(Datum::Wgs84));
        let standing = convert(near(60.0, 0.0).degrees(), Datum::Wgs84, Datum::Gcj02);
        let distance = fence.locate(standing).distance(Point { x: 0.0, y: 0.0 });
        assert!((distance - 60.0).abs() < 0.2, "{distance}");
    }
}

//! Which outlines can be judged against.

mod error;

use std::collections::BTreeSet;

use geo::validation::{InvalidPolygon, RingRole, Validation as _};
use geo::{Area as _, Coord, LineString, Polygon};

pub use error::{Ring, SiteError};

use super::plane::Plane;
use super::{Datum, Degrees, PlaceError, Position, Shape, Site, datum};
use crate::limits::{SITE_AREA_M2, SITE_EXTENT_M, SITE_HOLES, SITE_VERTICES};

/// A site that has passed [`Site::validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidSite(Site);

impl ValidSite {
    /// The site as it was given.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.0
    }
}

impl Site {
    /// Checks that arrivals can be judged against this site.
    ///
    /// The checks that cost nothing come first, the quadratic ones only on what passed them.
    ///
    /// # Errors
    /// [`SiteError`] with the first thing that is wrong and how to mend it.
    pub fn validate(&self) -> Result<ValidSite, SiteError> {
        match &self.shape {
            Shape::Circle { centre, radius_cm } => check_circle(*centre, *radius_cm)?,
            Shape::Polygon { outline, holes } => check_polygon(outline, holes)?,
            Shape::Corridor { line, half_width_cm } => check_corridor(line, *half_width_cm)?,
        }
        Ok(ValidSite(self.clone()))
    }
}

impl Site {
    /// Its middle in WGS-84: a circle's centre, else the middle of the box around its points. Out of
    /// a shifted datum it is right to a millimetre: for finding and showing, not for verdicts.
    #[must_use]
    pub fn centre(&self) -> Degrees {
        let centre = match &self.shape {
            Shape::Circle { centre, .. } => centre.degrees(),
            Shape::Polygon { outline, .. } => middle(outline.iter().map(Position::degrees)),
            Shape::Corridor { line, .. } => middle(line.iter().map(Position::degrees)),
        };
        datum::convert(centre, self.datum, Datum::Wgs84)
    }
}

/// The middle of the box around some positions; the zero point for none.
pub(super) fn middle(positions: impl Iterator<Item = Degrees>) -> Degrees {
    let bounds = positions.fold(None, |bounds: Option<(Degrees, Degrees)>, p| {
        let (low, high) = bounds.unwrap_or((p, p));
        Some((
            Degrees { lat: low.lat.min(p.lat), lon: low.lon.min(p.lon) },
            Degrees { lat: high.lat.max(p.lat), lon: high.lon.max(p.lon) },
        ))
    });
    let (low, high) = bounds.unwrap_or_default();
    Degrees { lat: f64::midpoint(low.lat, high.lat), lon: f64::midpoint(low.lon, high.lon) }
}

fn check_circle(centre: Position, radius_cm: u32) -> Result<(), SiteError> {
    check_positions(Ring::Outline, &[centre])?;
    let radius = f64::from(radius_cm) / 100.0;
    check_extent(radius)?;
    check_area(std::f64::consts::PI * radius * radius)
}

fn check_corridor(line: &[Position], half_width_cm: u32) -> Result<(), SiteError> {
    check_count(line.len())?;
    check_enough(Ring::Line, line, 2)?;
    check_positions(Ring::Line, line)?;
    if let Some(index) = line.windows(2).position(|pair| pair[0] == pair[1]) {
        return Err(SiteError::RepeatedPoint { ring: Ring::Line, index: index + 1 });
    }
    let half_width = f64::from(half_width_cm) / 100.0;
    let points = project(&[line])?;
    check_extent(reach(&points) + half_width)?;
    let length: f64 =
        points[0].windows(2).map(|ends| (ends[1] - ends[0]).x.hypot((ends[1] - ends[0]).y)).sum();
    check_area(length * 2.0 * half_width)
}

fn check_polygon(outline: &[Position], holes: &[Vec<Position>]) -> Result<(), SiteError> {
    if holes.len() > SITE_HOLES {
        return Err(SiteError::TooManyHoles { count: holes.len() });
    }
    check_count(outline.len() + holes.iter().map(Vec::len).sum::<usize>())?;
    check_ring(Ring::Outline, outline)?;
    for (index, hole) in holes.iter().enumerate() {
        check_ring(Ring::Hole(index), hole)?;
    }
    let rings: Vec<&[Position]> =
        std::iter::once(outline).chain(holes.iter().map(Vec::as_slice)).collect();
    let points = project(&rings)?;
    check_extent(reach(&points))?;
    let mut rings = points.into_iter().map(LineString::new);
    let outline = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
    let polygon = Polygon::new(outline, rings.collect());
    polygon.check_validation().map_err(name_invalid)?;
    check_area(polygon.unsigned_area())
}

fn check_ring(ring: Ring, positions: &[Position]) -> Result<(), SiteError> {
    check_enough(ring, positions, 3)?;
    check_positions(ring, positions)?;
    if positions.first() == positions.last() {
        return Err(SiteError::Closed { ring });
    }
    let mut seen = BTreeSet::new();
    match positions.iter().position(|position| !seen.insert(position)) {
        Some(index) => Err(SiteError::RepeatedPoint { ring, index }),
        None => Ok(()),
    }
}

fn check_count(count: usize) -> Result<(), SiteError> {
    if count > SITE_VERTICES { Err(SiteError::TooManyPoints { count }) } else { Ok(()) }
}

fn check_enough(ring: Ring, positions: &[Position], needed: usize) -> Result<(), SiteError> {
    let count = positions.len();
    if count < needed { Err(SiteError::TooFewPoints { ring, count, needed }) } else { Ok(()) }
}

fn check_positions(ring: Ring, positions: &[Position]) -> Result<(), SiteError> {
    positions.iter().enumerate().try_for_each(|(index, position)| {
        position.check().map_err(|error| SiteError::Position { ring, index, error })
    })
}

fn check_extent(extent_m: f64) -> Result<(), SiteError> {
    if extent_m > SITE_EXTENT_M { Err(SiteError::TooLarge { extent_m }) } else { Ok(()) }
}

fn check_area(area_m2: f64) -> Result<(), SiteError> {
    if area_m2 < SITE_AREA_M2 { Err(SiteError::TooSmall { area_m2 }) } else { Ok(()) }
}

/// Lays lines into the plane around their middle.
fn project(lines: &[&[Position]]) -> Result<Vec<Vec<Coord<f64>>>, SiteError> {
    let positions = || lines.iter().copied().flatten();
    let west = positions().map(|position| position.lon_e7).min().unwrap_or(0);
    let east = positions().map(|position| position.lon_e7).max().unwrap_or(0);
    if i64::from(east) - i64::from(west) > 1_800_000_000 {
        return Err(SiteError::Antimeridian);
    }
    let plane = Plane::around(middle(positions().map(|position| position.degrees())));
    let lay = |position: &Position| {
        let point = plane.project(position.degrees());
        Coord { x: point.x, y: point.y }
    };
    Ok(lines.iter().map(|line| line.iter().map(lay).collect()).collect())
}

fn reach(lines: &[Vec<Coord<f64>>]) -> f64 {
    lines.iter().flatten().map(|point| point.x.hypot(point.y)).fold(0.0, f64::max)
}

fn name_invalid(invalid: InvalidPolygon) -> SiteError {
    let ring = |role| match role {
        RingRole::Exterior => Ring::Outline,
        RingRole::Interior(index) => Ring::Hole(index),
    };
    match invalid {
        InvalidPolygon::TooFewPointsInRing(role) => {
            SiteError::TooFewPoints { ring: ring(role), count: 2, needed: 3 }
        }
        InvalidPolygon::NonFiniteCoord(role, index) => {
            SiteError::Position { ring: ring(role), index: index.0, error: PlaceError::NotANumber }
        }
        InvalidPolygon::SelfIntersection(role) => SiteError::CrossesItself { ring: ring(role) },
        InvalidPolygon::InteriorRingNotContainedInExteriorRing(role) => {
            SiteError::HoleOutside { ring: ring(role) }
        }
        InvalidPolygon::IntersectingRingsOnALine(one, other)
        | InvalidPolygon::IntersectingRingsOnAnArea(one, other) => {
            SiteError::Overlap { ring: ring(one), other: ring(other) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Datum;

    fn at(lat: f64, lon: f64) -> Position {
        Position::from_degrees(lat, lon).unwrap()
    }

    /// A square around (36.65 + north, 117.0), with half sides in degrees.
    fn square(north: f64, half: f64) -> Vec<Position> {
        let (lat, lon) = (36.65 + north, 117.0);
        vec![
            at(lat - half, lon - half),
            at(lat - half, lon + half),
            at(lat + half, lon + half),
            at(lat + half, lon - half),
        ]
    }

    fn check(shape: Shape) -> Result<(), SiteError> {
        Site { datum: Datum::Wgs84, shape }.validate().map(|_| ())
    }

    fn polygon(outline: Vec<Position>, holes: Vec<Vec<Position>>) -> Result<(), SiteError> {
        check(Shape::Polygon { outline, holes })
    }

    #[test]
    fn sound_outlines_pass() {
        assert_eq!(check(Shape::Circle { centre: at(36.65, 117.0), radius_cm: 5000 }), Ok(()));
        assert_eq!(polygon(square(0.0, 0.01), vec![square(0.0, 0.001)]), Ok(()));
        let line = vec![at(36.65, 117.0), at(36.66, 117.0), at(36.65, 117.0)];
        assert_eq!(check(Shape::Corridor { line, half_width_cm: 1000 }), Ok(()), "there and back");
    }

    #[test]
    fn positions_off_the_globe_are_named() {
        let beyond = Position { lat_e7: 910_000_000, lon_e7: 0 };
        let error = check(Shape::Circle { centre: beyond, radius_cm: 5000 }).unwrap_err();
        assert!(error.to_string().contains("latitude 91"), "{error}");
        let mut outline = square(0.0, 0.01);
        outline[2] = beyond;
        let error = polygon(outline, vec![]).unwrap_err();
        assert!(error.to_string().starts_with("point 2 of the outline"), "{error}");
    }

    #[test]
    fn too_few_and_too_many_points_are_refused() {
        let few = |count| SiteError::TooFewPoints { ring: Ring::Outline, count, needed: 3 };
        assert_eq!(polygon(vec![], vec![]), Err(few(0)));
        assert_eq!(polygon(square(0.0, 0.01)[..2].to_vec(), vec![]), Err(few(2)));
        let line = vec![at(36.65, 117.0)];
        assert_eq!(
            check(Shape::Corridor { line, half_width_cm: 1000 }),
            Err(SiteError::TooFewPoints { ring: Ring::Line, count: 1, needed: 2 })
        );
        let many = vec![at(36.65, 117.0); 10_000];
        assert_eq!(polygon(many, vec![]), Err(SiteError::TooManyPoints { count: 10_000 }));
        let holes = vec![square(0.0, 0.001); 21];
        assert_eq!(polygon(square(0.0, 0.01), holes), Err(SiteError::TooManyHoles { count: 21 }));
        assert_eq!(
            polygon(square(0.0, 0.01), vec![vec![]]),
            Err(SiteError::TooFewPoints { ring: Ring::Hole(0), count: 0, needed: 3 })
        );
    }

    #[test]
    fn repeated_points_are_refused() {
        let mut closed = square(0.0, 0.01);
        closed.push(closed[0]);
        assert_eq!(polygon(closed, vec![]), Err(SiteError::Closed { ring: Ring::Outline }));
        let mut repeated = square(0.0, 0.01);
        repeated.insert(2, repeated[0]);
        assert_eq!(
            polygon(repeated, vec![]),
            Err(SiteError::RepeatedPoint { ring: Ring::Outline, index: 2 })
        );
        let line = vec![at(36.65, 117.0), at(36.65, 117.0)];
        assert_eq!(
            check(Shape::Corridor { line, half_width_cm: 1000 }),
            Err(SiteError::RepeatedPoint { ring: Ring::Line, index: 1 })
        );
    }

    #[test]
    fn crossing_and_misplaced_rings_are_refused() {
        let mut bow_tie = square(0.0, 0.01);
        bow_tie.swap(1, 2);
        let crossing = SiteError::CrossesItself { ring: Ring::Outline };
        assert_eq!(polygon(bow_tie, vec![]), Err(crossing));
        assert_eq!(
            polygon(square(0.0, 0.01), vec![square(0.0, 0.001), square(0.05, 0.001)]),
            Err(SiteError::HoleOutside { ring: Ring::Hole(1) })
        );
        let overlapping = vec![square(0.0, 0.002), square(0.003, 0.002)];
        assert!(matches!(
            polygon(square(0.0, 0.01), overlapping),
            Err(SiteError::Overlap { ring: Ring::Hole(_), other: Ring::Hole(_) })
        ));
        assert!(polygon(square(0.0, 0.01), vec![square(0.01, 0.002)]).is_err(), "over the rim");
    }

    #[test]
    fn size_has_limits_on_both_ends() {
        let circle = |radius_cm| check(Shape::Circle { centre: at(36.65, 117.0), radius_cm });
        assert_eq!(circle(0), Err(SiteError::TooSmall { area_m2: 0.0 }));
        assert!(matches!(circle(50), Err(SiteError::TooSmall { .. })));
        assert_eq!(circle(2_000_000), Ok(()));
        assert!(matches!(circle(2_000_001), Err(SiteError::TooLarge { .. })));
        assert!(matches!(polygon(square(0.0, 0.2), vec![]), Err(SiteError::TooLarge { .. })));
        let sliver = vec![at(36.65, 117.0), at(36.66, 117.0), at(36.67, 117.0)];
        assert!(polygon(sliver, vec![]).is_err(), "all on one meridian");
        assert!(matches!(polygon(square(0.0, 0.000_001), vec![]), Err(SiteError::TooSmall { .. })));
        let line = vec![at(36.65, 117.0), at(36.66, 117.0)];
        assert_eq!(
            check(Shape::Corridor { line, half_width_cm: 0 }),
            Err(SiteError::TooSmall { area_m2: 0.0 })
        );
    }

    #[test]
    fn the_180th_meridian_is_refused() {
        let outline = vec![at(0.0, 179.99), at(0.0, -179.99), at(0.01, -179.99), at(0.01, 179.99)];
        assert_eq!(polygon(outline, vec![]), Err(SiteError::Antimeridian));
        let line = vec![at(0.0, 179.99), at(0.0, -179.99)];
        assert_eq!(
            check(Shape::Corridor { line, half_width_cm: 100 }),
            Err(SiteError::Antimeridian)
        );
    }
}

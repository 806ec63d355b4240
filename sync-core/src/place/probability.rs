//! The probability that a circular normal error around a measured point leaves the true point
//! inside an outline. All in metres in one plane.

use std::f64::consts::{PI, TAU};
use std::sync::LazyLock;

use geo::{Line, Polygon};

use super::plane::Point;

/// One standard deviation is the 68 % radius divided by this: √(−2 ln 0.32).
pub const SIGMAS_IN_68_PERCENT_RADIUS: f64 = 1.509_592_185_4;

/// Beyond this many σ nothing counts: e^(−6.5²/2) is 7·10⁻¹⁰.
const REACH: f64 = 6.5;

/// Gauss–Legendre of order four on [−1, 1]: the positive half of its nodes, and their weights.
const FEW_NODES: [(f64, f64); 2] = [
    (0.339_981_043_584_856_3, 0.652_145_154_862_546_1),
    (0.861_136_311_594_052_6, 0.347_854_845_137_453_9),
];

/// Gauss–Legendre of order eight on [−1, 1]: the positive half of its nodes, and their weights.
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_3),
];

/// P(inside) of a circle of `radius` whose centre is `distance` away: the Rice distribution.
///
/// By Green's theorem it is an integral along the circle, whose integrand is smooth also where the
/// point lies on the circle. Its scale there is σ over the radius, so the angle is stretched by a
/// hyperbolic sine. Error below 10⁻⁹.
#[must_use]
pub fn in_circle(distance: f64, radius: f64, sigma: f64) -> f64 {
    if (distance - radius).abs() > REACH * sigma {
        return if distance < radius { 1.0 } else { 0.0 };
    }
    let twice_variance = 2.0 * sigma * sigma;
    let scale = (sigma / (distance * radius).sqrt()).min(1.0);
    let integrand = |u: f64| {
        let angle = scale * u.sinh();
        let half_sine_2 = (angle / 2.0).sin().powi(2);
        let gap_2 = (distance - radius).powi(2) + 4.0 * distance * radius * half_sine_2;
        let flow = radius * (radius - distance + 2.0 * distance * half_sine_2);
        flow / twice_variance * one_minus_exp_over(gap_2 / twice_variance) * scale * u.cosh()
    };
    (integrate(0.0, (PI / scale).asinh(), 0.4, integrand) / PI).clamp(0.0, 1.0)
}

/// (1 − e^(−x)) / x, continued to 1 at 0.
fn one_minus_exp_over(x: f64) -> f64 {
    if x < 1e-12 { 1.0 } else { -(-x).exp_m1() / x }
}

/// P(inside) of a polygon with holes. Its outer ring must run counter-clockwise, its holes
/// clockwise.
///
/// Each edge adds the angle under which it is seen, less what the normal distribution leaves beyond
/// it; error below 10⁻⁹.
#[must_use]
pub fn in_polygon(polygon: &Polygon<f64>, point: Point, sigma: f64) -> f64 {
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    let turns: f64 =
        rings.flat_map(|ring| ring.lines()).map(|edge| edge_share(edge, point, sigma)).sum();
    (turns / TAU).clamp(0.0, 1.0)
}

fn edge_share(edge: Line<f64>, point: Point, sigma: f64) -> f64 {
    let (ax, ay) = (edge.start.x - point.x, edge.start.y - point.y);
    let (bx, by) = (edge.end.x - point.x, edge.end.y - point.y);
    let cross = ax * by - ay * bx;
    let length = ((bx - ax).powi(2) + (by - ay).powi(2)).sqrt();
    let height = cross.abs() / length;
    if height == 0.0 || !height.is_finite() {
        return 0.0;
    }
    let angle = cross.atan2(ax * bx + ay * by);
    let along = |x: f64, y: f64| (x * (bx - ax) + y * (by - ay)) / length;
    let reach = REACH * sigma;
    let (from, to) = (along(ax, ay).max(-reach), along(bx, by).min(reach));
    if height > reach || from >= to {
        return angle;
    }
    angle - beyond_edge(height, from, to, sigma).copysign(angle)
}

/// What the distribution leaves beyond the part of an edge that runs from `from` to `to` along it,
/// counted from the foot of the perpendicular of length `height`.
fn beyond_edge(height: f64, from: f64, to: f64, sigma: f64) -> f64 {
    let twice_variance = 2.0 * sigma * sigma;
    if to - from <= 0.5 * height.min(sigma) {
        let (centre, half) = (f64::midpoint(from, to), (to - from) / 2.0);
        let density = |t: f64| {
            let distance_2 = height * height + t * t;
            (-distance_2 / twice_variance).exp() * height / distance_2
        };
        let sum = |(node, weight): (f64, f64)| {
            weight * (density(centre - half * node) + density(centre + half * node))
        };
        return FEW_NODES.into_iter().map(sum).sum::<f64>() * half;
    }
    // θ = gd(u) makes the integrand smooth however near the edge is.
    let exponent = height * height / twice_variance;
    integrate((from / height).asinh(), (to / height).asinh(), 1.0, |u| {
        let cosh = u.cosh();
        (-exponent * cosh * cosh).exp() / cosh
    })
}

/// P(within `half_width` of a line), by 1,024 points of a golden lattice: error below 0.005.
#[must_use]
pub fn in_corridor(line: &[Line<f64>], half_width: f64, point: Point, sigma: f64) -> f64 {
    let spread = LATTICE_REACH * sigma;
    let mut near: Vec<_> = line
        .iter()
        .map(|segment| (distance_to(segment, point), segment))
        .filter(|(distance, _)| *distance <= half_width + spread)
        .collect();
    near.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    if near.first().is_some_and(|(distance, _)| distance + spread <= half_width) {
        return 1.0;
    }
    let inside = |&&(x, y): &&(f64, f64)| {
        let shifted = Point { x: point.x + x * sigma, y: point.y + y * sigma };
        near.iter().any(|(_, segment)| distance_2(segment, shifted) <= half_width * half_width)
    };
    let count = u32::try_from(LATTICE.iter().filter(inside).count()).unwrap_or(u32::MAX);
    f64::from(count) / f64::from(LATTICE_POINTS)
}

const LATTICE_POINTS: u32 = 1024;
/// No lattice point lies further out, in σ: √(2 ln 2048).
const LATTICE_REACH: f64 = 3.91;

/// Points that share out a normal distribution of σ = 1 evenly (golden-angle spiral).
static LATTICE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let golden_angle = PI * (3.0 - 5.0_f64.sqrt());
    (0..LATTICE_POINTS)
        .map(|k| {
            let share = (f64::from(k) + 0.5) / f64::from(LATTICE_POINTS);
            let radius = (-2.0 * (-share).ln_1p()).sqrt();
            let (sin, cos) = (f64::from(k) * golden_angle).sin_cos();
            (radius * cos, radius * sin)
        })
        .collect()
});

fn distance_to(segment: &Line<f64>, point: Point) -> f64 {
    distance_2(segment, point).sqrt()
}

fn distance_2(segment: &Line<f64>, point: Point) -> f64 {
    let (dx, dy) = (segment.dx(), segment.dy());
    let (px, py) = (point.x - segment.start.x, point.y - segment.start.y);
    let part = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (px - part * dx).powi(2) + (py - part * dy).powi(2)
}

/// Integral of a smooth function, in panels no wider than `panel`.
fn integrate(from: f64, to: f64, panel: f64, f: impl Fn(f64) -> f64) -> f64 {
    let panels = ((to - from) / panel).ceil().max(1.0);
    let half = (to - from) / panels / 2.0;
    let mut centre = from + half;
    let mut sum = 0.0;
    while centre < to {
        for (node, weight) in NODES {
            sum += weight * (f(centre - half * node) + f(centre + half * node));
        }
        centre += 2.0 * half;
    }
    sum * half
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{LineString, Orient as _, orient::Direction};
    use proptest::prelude::*;

    fn sigma(accuracy: f64) -> f64 {
        accuracy / SIGMAS_IN_68_PERCENT_RADIUS
    }

    fn ring(points: &[(f64, f64)]) -> LineString<f64> {
        points.to_vec().into()
    }

    fn square(half: f64) -> LineString<f64> {
        ring(&[(-half, -half), (half, -half), (half, half), (-half, half)])
    }

    fn polygon(outline: LineString<f64>, holes: Vec<LineString<f64>>) -> Polygon<f64> {
        Polygon::new(outline, holes).orient(Direction::Default)
    }

    #[track_caller]
    fn assert_p(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    #[test]
    fn the_centre_of_a_circle_has_a_closed_form() {
        for (radius, accuracy, expected) in [
            (50.0, 20.0, 0.999_192_416_6),
            (100.0, 50.0, 0.989_514_24),
            (100.0, 100.0, 0.68),
            (150.0, 100.0, 0.922_982_848_7),
        ] {
            assert_p(in_circle(0.0, radius, sigma(accuracy)), expected, 1e-9);
        }
    }

    #[test]
    fn off_centre_it_is_the_rice_distribution() {
        for (distance, expected) in
            [(75.0, 0.9649), (90.0, 0.7533), (100.0, 0.4735), (110.0, 0.2066), (125.0, 0.0258)]
        {
            assert_p(in_circle(distance, 100.0, sigma(20.0)), expected, 5e-5);
        }
        // On the rim of a circle far larger than the error it is nearly a half plane.
        assert_p(in_circle(20_000.0, 20_000.0, 3.0), 0.5, 1e-4);
        assert_p(in_circle(1000.0, 100.0, 3.0), 0.0, 0.0);
        assert_p(in_circle(10.0, 100.0, 3.0), 1.0, 0.0);
    }

    #[test]
    fn a_half_plane_has_a_closed_form() {
        let half_plane = polygon(ring(&[(0.0, -1e4), (1e4, -1e4), (1e4, 1e4), (0.0, 1e4)]), vec![]);
        for (depth, expected) in
            [(0.0, 0.5), (10.0, 0.774_814_330_7), (20.0, 0.934_426_241_7), (30.0, 0.988_224_877_9)]
        {
            let point = Point { x: depth + 1e-12, y: 3.0 };
            assert_p(in_polygon(&half_plane, point, sigma(20.0)), expected, 1e-9);
            let mirrored = Point { x: -depth - 1e-12, y: 3.0 };
            assert_p(in_polygon(&half_plane, mirrored, sigma(20.0)), 1.0 - expected, 1e-9);
        }
    }

    #[test]
    fn a_square_and_its_hole_have_closed_forms() {
        let origin = Point { x: 0.0, y: 0.0 };
        let whole = polygon(square(50.0), vec![]);
        assert_p(in_polygon(&whole, origin, sigma(20.0)), 0.999_678_699_1, 1e-9);
        let with_hole = polygon(square(50.0), vec![square(10.0)]);
        assert_p(in_polygon(&with_hole, origin, sigma(20.0)), 0.697_587_033_8, 1e-9);
    }

    #[test]
    fn a_polygon_of_many_sides_agrees_with_the_circle() {
        let many: Vec<(f64, f64)> = (0..4000)
            .map(|k| (f64::from(k) / 4000.0 * TAU).sin_cos())
            .map(|(s, c)| (100.0 * c, 100.0 * s))
            .collect();
        let round = polygon(ring(&many), vec![]);
        for distance in [0.0, 40.0, 75.0, 99.0, 100.0, 101.0, 125.0] {
            for accuracy in [5.0, 20.0, 100.0] {
                let p = in_polygon(&round, Point { x: distance, y: 0.7 }, sigma(accuracy));
                let expected = in_circle(distance.hypot(0.7), 100.0, sigma(accuracy));
                assert_p(p, expected, 1e-5);
            }
        }
    }

    #[test]
    fn a_corridor_of_one_point_is_a_circle() {
        let spot = [Line::new((0.0, 0.0), (1e-9, 0.0))];
        for distance in [0.0, 50.0, 75.0, 90.0, 100.0, 110.0, 125.0, 200.0] {
            for accuracy in [10.0, 20.0, 50.0, 100.0] {
                let p = in_corridor(&spot, 100.0, Point { x: distance, y: 0.0 }, sigma(accuracy));
                assert_p(p, in_circle(distance, 100.0, sigma(accuracy)), 0.005);
            }
        }
    }

    #[test]
    fn a_long_corridor_is_a_strip() {
        let street = [Line::new((-5e3, 0.0), (0.0, 0.0)), Line::new((0.0, 0.0), (5e3, 0.0))];
        let strip =
            polygon(ring(&[(-5e3, -15.0), (5e3, -15.0), (5e3, 15.0), (-5e3, 15.0)]), vec![]);
        for y in [0.1, 10.1, 15.1, 30.1, 60.1] {
            let point = Point { x: 7.0, y };
            let p = in_corridor(&street, 15.0, point, sigma(20.0));
            assert_p(p, in_polygon(&strip, point, sigma(20.0)), 0.006);
        }
    }

    proptest! {
        #[test]
        fn splitting_an_edge_changes_nothing(
            x in -80.0..80.0, y in -80.0..80.0, sigma in 0.5..100.0, cut in -49.0..49.0,
        ) {
            let whole = polygon(square(50.0), vec![]);
            let corners = [(-50.0, -50.0), (cut, -50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, 50.0)];
            let split = polygon(ring(&corners), vec![]);
            let point = Point { x, y };
            let difference = in_polygon(&whole, point, sigma) - in_polygon(&split, point, sigma);
            // Each edge is integrated in pieces of its own: a split moves the last digits, far below
            // the millionths that a verdict states.
            prop_assert!(difference.abs() < 1e-8, "{difference}");
        }

        #[test]
        fn it_is_a_probability(
            distance in 0.0..30_000.0, radius in 0.6..20_000.0, sigma in 3.0..200.0,
        ) {
            let p = in_circle(distance, radius, sigma);
            prop_assert!((0.0..=1.0).contains(&p));
            let further = in_circle(distance + 1.0, radius, sigma);
            prop_assert!(further <= p + 1e-9, "{further} > {p}");
        }
    }
}

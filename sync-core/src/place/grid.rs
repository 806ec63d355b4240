//! A grid of squares of 0.005 degrees (556 m from south to north), so that a database finds what is
//! near by an index over whole numbers.

use super::Degrees;

const CELL_DEGREES: f64 = 0.005;
const ROWS: i64 = 36_000;
const COLUMNS: i64 = 72_000;
/// Least length of a degree of latitude on the WGS-84 ellipsoid, metres, rounded down.
const DEGREE_M: f64 = 110_500.0;
/// Columns to either side at most: enough for a search of 500 m up to 89 degrees.
const MOST_COLUMNS: f64 = 60.0;

/// The cell that a position lies in.
#[must_use]
pub fn cell(position: Degrees) -> i64 {
    let (row, column) = place(position);
    row * COLUMNS + column
}

/// All cells that a point within `metres` of a position can lie in (up to 89 degrees of latitude and
/// 500 m), the position's own included.
#[must_use]
pub fn around(position: Degrees, metres: f64) -> Vec<i64> {
    let (row, column) = place(position);
    let up = (metres / (DEGREE_M * CELL_DEGREES)).ceil().clamp(0.0, MOST_COLUMNS);
    let widest = (position.lat.abs() + up * CELL_DEGREES).min(90.0).to_radians().cos();
    let side = (metres / (DEGREE_M * CELL_DEGREES * widest)).ceil().clamp(0.0, MOST_COLUMNS);
    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    let (up, side) = (up as i64, side as i64);
    (row - up..=row + up)
        .filter(|row| (0..ROWS).contains(row))
        .flat_map(|row| {
            let columns = column - side..=column + side;
            columns.map(move |column| row * COLUMNS + column.rem_euclid(COLUMNS))
        })
        .collect()
}

fn place(position: Degrees) -> (i64, i64) {
    #[expect(clippy::cast_possible_truncation, reason = "degrees of the globe")]
    let steps = |degrees: f64| (degrees / CELL_DEGREES).floor() as i64;
    let row = steps(position.lat + 90.0).clamp(0, ROWS - 1);
    (row, steps(position.lon + 180.0).rem_euclid(COLUMNS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plane::{Plane, Point};
    use super::*;

    #[test]
    fn at_jinan_nine_cells_hold_what_is_within_500_metres() {
        let jinan = Degrees { lat: 36.651, lon: 117.12 };
        assert_eq!(around(jinan, 400.0).len(), 9);
        assert!(around(jinan, 500.0).contains(&cell(jinan)));
    }

    proptest! {
        #[test]
        fn whatever_is_near_lies_in_a_cell_around(
            lat in -89.0..89.0_f64,
            lon in -180.0..180.0_f64,
            east in -1.0..1.0_f64,
            north in -1.0..1.0_f64,
        ) {
            let here = Degrees { lat, lon };
            let far = east.hypot(north).max(1e-9);
            let reach = 500.0 * east.abs().max(north.abs()) / far;
            let there = Plane::around(here).unproject(Point { x: reach * east, y: reach * north });
            prop_assert!(around(here, 500.0).contains(&cell(there)), "{here:?} {there:?}");
        }
    }
}

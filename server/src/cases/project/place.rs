//! One point for a site, and the cell of the map that it lies in.

use onscene_sync_core::place::datum::convert;
use onscene_sync_core::place::{Datum, Degrees, Position, Shape, Site};

/// Edge of a cell: 0.01 degrees, at Jinan 1.1 km by 0.9 km.
const CELL_E7: i64 = 100_000;
/// Cells around the globe.
const AROUND: i64 = 36_000;

/// A point of the site in WGS-84: its centre, the mean of its corners, the middle of its line.
pub fn of_site(site: &Site) -> Option<Position> {
    let middle = match &site.shape {
        Shape::Circle { centre, .. } => centre.degrees(),
        Shape::Polygon { outline, .. } => mean(outline)?,
        Shape::Corridor { line, .. } => line.get(line.len() / 2)?.degrees(),
    };
    let wgs84 = convert(middle, site.datum, Datum::Wgs84);
    Position::from_degrees(wgs84.lat, wgs84.lon).ok()
}

fn mean(corners: &[Position]) -> Option<Degrees> {
    let count = i64::try_from(corners.len()).ok().filter(|count| *count > 0)?;
    let lat = corners.iter().map(|corner| i64::from(corner.lat_e7)).sum::<i64>() / count;
    let lon = corners.iter().map(|corner| i64::from(corner.lon_e7)).sum::<i64>() / count;
    let (lat_e7, lon_e7) = (i32::try_from(lat).ok()?, i32::try_from(lon).ok()?);
    Some(Position { lat_e7, lon_e7 }.degrees())
}

/// The cell of a WGS-84 position.
pub fn cell(at: Position) -> i64 {
    let row = (i64::from(at.lat_e7) + 900_000_000).div_euclid(CELL_E7);
    let column = (i64::from(at.lon_e7) + 1_800_000_000).div_euclid(CELL_E7);
    row * AROUND + column
}

/// The south-western corner of a cell and the north-eastern one, WGS-84.
pub fn corners(cell: i64) -> (Degrees, Degrees) {
    let corner = |row: i64, column: i64| {
        // Below 2^53, so exact.
        #[expect(clippy::cast_precision_loss, reason = "at most 36,000")]
        Degrees { lat: row as f64 / 100.0 - 90.0, lon: column as f64 / 100.0 - 180.0 }
    };
    let (row, column) = (cell.div_euclid(AROUND), cell.rem_euclid(AROUND));
    (corner(row, column), corner(row + 1, column + 1))
}

/// The cells that touch the rectangle between two positions, at most `most`.
pub fn cells_between(south_west: Position, north_east: Position, most: usize) -> Option<Vec<i64>> {
    let (low, high) = (cell(south_west), cell(north_east));
    let rows = low.div_euclid(AROUND)..=high.div_euclid(AROUND);
    let columns = low.rem_euclid(AROUND)..=high.rem_euclid(AROUND);
    let all: Vec<i64> = rows
        .flat_map(|row| columns.clone().map(move |column| row * AROUND + column))
        .take(most + 1)
        .collect();
    (all.len() <= most).then_some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_lies_in_its_cell(lat in -89.9..89.9_f64, lon in -179.9..179.9_f64) {
            let at = Position::from_degrees(lat, lon).unwrap();
            let (low, high) = corners(cell(at));
            prop_assert!(low.lat - 1e-9 <= lat + 1e-7 && lat <= high.lat + 1e-7);
            prop_assert!(low.lon - 1e-9 <= lon + 1e-7 && lon <= high.lon + 1e-7);
        }

        #[test]
        fn a_rectangle_is_covered_by_its_cells(
            lat in 36.0..37.0_f64, lon in 116.0..118.0_f64,
            up in 0.0..0.05_f64, right in 0.0..0.05_f64, part in 0.0..1.0_f64,
        ) {
            let corner = |part: f64| {
                Position::from_degrees(lat + up * part, lon + right * part).unwrap()
            };
            let cells = cells_between(corner(0.0), corner(1.0), 36).unwrap();
            prop_assert!(cells.contains(&cell(corner(part))));
        }
    }

    #[test]
    fn a_site_in_another_datum_is_put_where_it_is() {
        let gcj = Position::from_degrees(36.651, 117.12).unwrap();
        let circle = Shape::Circle { centre: gcj, radius_cm: 5_000 };
        let shifted = of_site(&Site { datum: Datum::Gcj02, shape: circle.clone() }).unwrap();
        let plain = of_site(&Site { datum: Datum::Wgs84, shape: circle }).unwrap();
        assert_eq!(plain, gcj);
        assert!((shifted.degrees().lon - 117.12).abs() > 0.003, "{shifted:?}");
    }

    #[test]
    fn too_many_cells_are_refused() {
        let (a, b) = (Position::from_degrees(36.0, 117.0), Position::from_degrees(37.0, 118.0));
        assert_eq!(cells_between(a.unwrap(), b.unwrap(), 36), None);
    }
}

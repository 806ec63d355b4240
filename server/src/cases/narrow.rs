//! Narrowing a list: conditions that are constants of this program, values that are bound.

use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::place::Position;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::project::{name, place};
use crate::auth::{SWEEP, Sweep};
use crate::statistics::indicator::Indicator;
use crate::store::{StoreError, Tx, Value};

/// Cells that a rectangle of the map may touch: at Jinan, 6 km by 6 km.
pub const CELLS: usize = 49;

/// What cases are about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct About {
    /// Only of this class.
    pub class: Option<CaseClass>,
    /// Only through this channel.
    pub channel: Option<Channel>,
    /// Only of this kind of matter.
    pub matter: Option<String>,
    /// Only in this cell of the map.
    pub cell: Option<i64>,
    /// Only drills, or only what is none.
    pub drill: Option<bool>,
}

/// A rectangle of the map, WGS-84, that touches at most [`CELLS`] cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Rectangle {
    south_west: Position,
    north_east: Position,
    cells: Vec<i64>,
}

impl Rectangle {
    /// Between two corners; `None` when it is turned round or too large.
    #[must_use]
    pub fn between(south_west: Position, north_east: Position) -> Option<Self> {
        let in_order =
            south_west.lat_e7 <= north_east.lat_e7 && south_west.lon_e7 <= north_east.lon_e7;
        let cells = in_order.then(|| place::cells_between(south_west, north_east, CELLS))??;
        Some(Self { south_west, north_east, cells })
    }
}

/// A statement over `c` (`case_row`), or `o` (`dispatch_order`) with its `c`, as it grows.
#[derive(Debug, Clone)]
pub struct Narrow {
    with: &'static str,
    conditions: String,
    values: Vec<Value>,
}

impl Narrow {
    /// What belongs to the units of `sweep`; `unit` is the column that says whose it is. What is
    /// nobody's yet is in reach of who reaches everything.
    #[must_use]
    pub fn within(sweep: &Sweep, unit: &'static str) -> Self {
        let id = Value::from(*sweep.unit.as_bytes());
        if sweep.everything {
            return Self { with: "", conditions: "1 = 1".to_owned(), values: Vec::new() };
        }
        if !sweep.below {
            return Self { with: "", conditions: format!("{unit} = $1"), values: vec![id] };
        }
        Self {
            with: SWEEP,
            conditions: format!("{unit} IN (SELECT unit_id FROM sweep)"),
            values: vec![false.into(), id, true.into()],
        }
    }

    /// Adds a value and returns its place in the text, such as `$4`.
    pub fn place(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Adds a condition in which each `?` is one of `values`.
    pub fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        let mut values = values.into_iter();
        self.conditions.push_str(" AND ");
        for part in condition.split_inclusive('?') {
            match (part.strip_suffix('?'), values.next()) {
                (Some(text), Some(value)) => {
                    let place = self.place(value);
                    self.conditions.push_str(text);
                    self.conditions.push_str(&place);
                }
                (_, _) => self.conditions.push_str(part),
            }
        }
    }

    /// Adds what cases are about.
    pub fn about(&mut self, about: &About) {
        if let Some(class) = about.class {
            self.and("c.class = ?", [name(&class).into()]);
        }
        if let Some(channel) = about.channel {
            self.and("c.channel = ?", [name(&channel).into()]);
        }
        if let Some(matter) = &about.matter {
            self.and("c.matter = ?", [matter.clone().into()]);
        }
        if let Some(cell) = about.cell {
            self.and("c.cell = ?", [cell.into()]);
        }
        if let Some(drill) = about.drill {
            self.and("c.drill = ?", [drill.into()]);
        }
    }

    /// Adds that a figure counts it, as of a moment.
    pub fn counted(&mut self, indicator: &Indicator, as_of: Value) {
        let places = indicator.when.matches('?').count();
        self.and(indicator.when, vec![as_of; places]);
    }

    /// Adds a rectangle of the map.
    pub fn inside(&mut self, rectangle: &Rectangle) {
        let cells: Vec<_> = rectangle.cells.iter().map(|cell| self.place((*cell).into())).collect();
        let (low, high) = (rectangle.south_west, rectangle.north_east);
        self.and(&format!("c.cell IN ({})", cells.join(", ")), []);
        self.and(
            "c.lat BETWEEN ? AND ? AND c.lon BETWEEN ? AND ?",
            [low.lat_e7, high.lat_e7, low.lon_e7, high.lon_e7].map(|side| i64::from(side).into()),
        );
    }

    /// Runs `SELECT {select} WHERE {the conditions} {tail}`. `select` ends with its FROM.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn fetch(
        &self,
        tx: &mut Tx,
        select: &str,
        tail: &str,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let sql = format!("{}SELECT {select} WHERE {} {tail}", self.with, self.conditions);
        tracing::trace!(target: "onscene::sql", sql);
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = self.values.iter().fold(query, |query, value| value.bind(query));
        Ok(query.fetch_all(tx.conn()).await?)
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::id::UnitId;

    use super::*;

    #[test]
    fn places_of_values_follow_upon_each_other() {
        let unit = UnitId::from_bytes([1; 16]);
        let mut narrow =
            Narrow::within(&Sweep { everything: false, unit, below: true }, "c.unit_id");
        assert_eq!(narrow.place(7.into()), "$4");
        narrow.and("a > ? AND b = 'x' AND c < ?", [1.into(), 2.into()]);
        assert_eq!(
            narrow.conditions,
            "c.unit_id IN (SELECT unit_id FROM sweep) AND a > $5 AND b = 'x' AND c < $6"
        );
        assert_eq!(narrow.values.len(), 6);
    }

    #[test]
    fn a_rectangle_has_its_corners_in_order_and_is_not_a_city() {
        let at = |lat, lon| Position::from_degrees(lat, lon).unwrap();
        assert!(Rectangle::between(at(36.65, 117.10), at(36.67, 117.13)).is_some());
        assert!(Rectangle::between(at(36.67, 117.10), at(36.65, 117.13)).is_none());
        assert!(Rectangle::between(at(36.0, 117.0), at(37.0, 118.0)).is_none());
    }
}

//! Hotspots (热点): what most complaints of a period are about, and where. Counted by the same
//! conditions as every figure.

use std::collections::BTreeMap;

use onscene_sync_core::fact::body::CaseClass;
use onscene_sync_core::id::UnitId;

use super::figures::{Question, registered};
use crate::cases::narrow::{About, Narrow};
use crate::store::{RowExt as _, StoreError, Tx};

/// Hotspots of a kind at most (ours).
pub const MOST: usize = 10;

/// The hotspots of a period. Each list is the smallest set that makes up half of the whole, or the
/// first [`MOST`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hotspots {
    /// Cases of all classes.
    pub cases: i64,
    /// Complaints.
    pub complaints: i64,
    /// Classes, of all cases.
    pub classes: Vec<(String, i64)>,
    /// Kinds of matter, of complaints, as all below.
    pub matters: Vec<(String, i64)>,
    /// Units that answer, with their names.
    pub units: Vec<((UnitId, String), i64)>,
    /// Cells of the map.
    pub places: Vec<(i64, i64)>,
}

/// Finds the hotspots. Of what the question is about, the class is not looked at.
///
/// # Errors
/// When the database refuses.
pub async fn hotspots(tx: &mut Tx, question: &Question) -> Result<Hotspots, StoreError> {
    let of = |class: Option<CaseClass>| Question {
        about: About { class, ..question.about.clone() },
        ..question.clone()
    };
    let complaints = of(Some(CaseClass::Complaint));
    let classes = registered(&of(None));
    let classes = counted(tx, classes, "c.class", |row| row.text("key")).await?;
    let matters = registered(&complaints);
    let matters = counted(tx, matters, "c.matter", |row| row.text("key")).await?;
    let mut units = registered(&complaints);
    units.and("c.unit_id IS NOT NULL", []);
    let units = counted(tx, units, "c.unit_id", |row| Ok(UnitId::from_bytes(row.array("key")?)));
    let units = units.await?;
    let mut places = registered(&complaints);
    places.and("c.cell IS NOT NULL", []);
    let places = counted(tx, places, "c.cell", |row| row.int("key")).await?;
    let cases = classes.values().sum();
    let complaints = matters.values().sum();
    let mut named = Vec::new();
    for (unit, count) in top(units, complaints) {
        named.push(((unit, name_of(tx, unit).await?), count));
    }
    Ok(Hotspots {
        cases,
        complaints,
        classes: top(classes, cases),
        matters: top(matters, complaints),
        units: named,
        places: top(places, complaints),
    })
}

async fn counted<K: Ord>(
    tx: &mut Tx,
    narrow: Narrow,
    column: &'static str,
    key: impl Fn(&sqlx::any::AnyRow) -> Result<K, StoreError> + Send,
) -> Result<BTreeMap<K, i64>, StoreError> {
    let select = format!("{column} AS key, count(*) AS found FROM case_row c");
    let rows = narrow.fetch(tx, &select, &format!("GROUP BY {column}")).await?;
    rows.iter().map(|row| Ok((key(row)?, row.int("found")?))).collect()
}

async fn name_of(tx: &mut Tx, unit: UnitId) -> Result<String, StoreError> {
    let query = sqlx::query("SELECT name FROM unit WHERE unit_id = $1").bind(&unit.as_bytes()[..]);
    let row = query.fetch_optional(tx.conn()).await?;
    row.map_or_else(|| Ok(String::new()), |row| row.text("name"))
}

/// The largest parts, until they make up half of the whole.
fn top<K: Ord>(counts: BTreeMap<K, i64>, whole: i64) -> Vec<(K, i64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    let mut sum = 0_i64;
    let enough = counts.iter().position(|(_, count)| {
        sum += count;
        sum.saturating_mul(2) >= whole
    });
    counts.truncate(enough.map_or(MOST, |last| (last + 1).min(MOST)));
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smallest_set_that_makes_up_half_is_named() {
        let of = |counts: &[(char, i64)], whole| -> String {
            top(counts.iter().copied().collect(), whole).into_iter().map(|one| one.0).collect()
        };
        assert_eq!(of(&[('a', 3), ('b', 5), ('c', 2)], 10), "b");
        assert_eq!(of(&[('a', 3), ('b', 4), ('c', 3)], 10), "ba");
        assert_eq!(of(&[('a', 2), ('b', 1)], 100), "ab", "most have no such part");
        assert_eq!(of(&[], 0), "");
        let even: Vec<_> = ('a'..='z').map(|letter| (letter, 1)).collect();
        assert_eq!(of(&even, 26), "abcdefghij");
    }

    proptest! {
        #[test]
        fn one_fewer_would_not_be_half(counts in proptest::collection::vec(1_i64..50, 0..9)) {
            let whole: i64 = counts.iter().sum();
            let found = top(counts.iter().copied().enumerate().collect(), whole);
            let sum: i64 = found.iter().map(|one| one.1).sum();
            prop_assert!(sum * 2 >= whole);
            prop_assert!(found.last().is_none_or(|last| (sum - last.1) * 2 < whole));
            let least = found.last().map_or(i64::MAX, |last| last.1);
            let larger = counts.iter().filter(|count| **count > least).count();
            prop_assert!(larger <= found.len());
        }
    }
}

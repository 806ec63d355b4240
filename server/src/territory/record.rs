//! Territories on record. A change is a new version; older ones stay.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;

use super::area::Area;
use super::outline::{Geometry, OutlineDatum};
use crate::audit::{self, Deed, Entry};
use crate::cases::project::name;
use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// The ground that a unit answers for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Territory {
    /// The unit.
    pub unit: UnitId,
    /// Counts its changes from 1; 0 where there never was one.
    pub version: i64,
    /// The datum of the outline; `null` where there is none.
    pub datum: Option<OutlineDatum>,
    /// The outline as it was given; `null` where there is none, or none any more.
    pub geometry: Option<Geometry>,
    /// Its area, square kilometres.
    pub area_km2: f64,
    /// When this version was set.
    pub changed_at: Option<Millis>,
    /// Who set it.
    pub changed_by: Option<PersonId>,
}

impl Territory {
    /// A unit that never had one.
    #[must_use]
    pub const fn none(unit: UnitId) -> Self {
        Self {
            unit,
            version: 0,
            datum: None,
            geometry: None,
            area_km2: 0.0,
            changed_at: None,
            changed_by: None,
        }
    }
}

/// An outline that has passed its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Its datum.
    pub datum: OutlineDatum,
    /// As it was given.
    pub geometry: Geometry,
    /// The same in WGS-84.
    pub area: Area,
}

/// A version of a unit's territory, the newest for `None`.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    tx: &mut Tx,
    unit: UnitId,
    version: Option<i64>,
) -> Result<Option<Territory>, StoreError> {
    const SQL: &str = "SELECT unit_id, version, datum, geometry, area_m2, changed_at, changed_by \
         FROM territory WHERE unit_id = $1 AND ($2 = 0 AND current = 1 OR version = $2)";
    let query = sqlx::query(SQL).bind(&unit.as_bytes()[..]).bind(version.unwrap_or(0));
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

/// Puts `outline` (`None`: nothing) in place of a unit's territory as it `stands`. The caller has locked the
/// unit since before it read that.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    tx: &mut Tx,
    stands: &Territory,
    outline: Option<&Outline>,
    (by, at): (PersonId, Millis),
) -> Result<Territory, StoreError> {
    let unit = stands.unit;
    sqlx::query("UPDATE territory SET current = 0 WHERE unit_id = $1 AND current = 1")
        .bind(&unit.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    let next = stands.version.saturating_add(1);
    let text = outline.map(|outline| as_text(&outline.geometry));
    insert(tx, unit, next, outline, text.as_deref(), (by, at)).await?;
    let detail = if outline.is_some() { "set" } else { "removed" };
    let mut object = next.to_be_bytes().to_vec();
    object.extend(text.map(|text| *sha256(text.as_bytes()).as_bytes()).into_iter().flatten());
    let entry = Entry::new(Deed::TerritoryChanged, at).by(by).to(unit.as_bytes());
    audit::note(tx, &[entry.detail(detail).object(object)]).await?;
    Ok(find(tx, unit, None).await?.unwrap_or_else(|| Territory::none(unit)))
}

async fn insert(
    tx: &mut Tx,
    unit: UnitId,
    version: i64,
    outline: Option<&Outline>,
    text: Option<&str>,
    (by, at): (PersonId, Millis),
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO territory (unit_id, version, current, datum, geometry, area_m2, \
         south, north, west, east, changed_at, changed_by) \
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let bounds = outline.map(|outline| outline.area.bounds());
    // A removed one lies in a box that nothing meets.
    let side = |side: Option<i64>, none: i64| side.unwrap_or(none);
    #[expect(clippy::cast_possible_truncation, reason = "no territory is larger than a province")]
    let area_m2 = outline.map_or(0, |outline| outline.area.area_m2().round() as i64);
    sqlx::query(SQL)
        .bind(&unit.as_bytes()[..])
        .bind(version)
        .bind(outline.map_or_else(String::new, |outline| name(&outline.datum)))
        .bind(text)
        .bind(area_m2)
        .bind(side(bounds.map(|bounds| bounds.south), 1))
        .bind(side(bounds.map(|bounds| bounds.north), 0))
        .bind(side(bounds.map(|bounds| bounds.west), 1))
        .bind(side(bounds.map(|bounds| bounds.east), 0))
        .bind(at.0)
        .bind(&by.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Territory, StoreError> {
    let geometry = row.opt_text("geometry")?;
    let datum = geometry.as_ref().map(|_| datum(row)).transpose()?;
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 square metres")]
    let area_km2 = row.int("area_m2")? as f64 / 1e6;
    Ok(Territory {
        unit: UnitId::from_bytes(row.array("unit_id")?),
        version: row.int("version")?,
        datum,
        geometry: geometry.map(|text| stored("geometry", &text)).transpose()?,
        area_km2,
        changed_at: row.opt_millis("changed_at")?,
        changed_by: row.opt_array("changed_by")?.map(PersonId::from_bytes),
    })
}

/// The datum column of a row.
pub(super) fn datum(row: &AnyRow) -> Result<OutlineDatum, StoreError> {
    stored("datum", &format!("\"{}\"", row.text("datum")?))
}

/// What stands as JSON in a column.
pub(super) fn stored<T: DeserializeOwned>(
    column: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| inconsistent(column, error.to_string(), "JSON"))
}

fn as_text(geometry: &Geometry) -> String {
    serde_json::to_string(geometry).unwrap_or_default()
}

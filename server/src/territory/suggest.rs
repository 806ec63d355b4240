//! Which units a place suggests.

use std::collections::BTreeSet;

use onscene_sync_core::id::UnitId;
use onscene_sync_core::place::Site;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::area::{Area, Bounds};
use super::outline::Geometry;
use super::record::{datum, stored};
use crate::duty::presence::{OnDuty, on_duty};
use crate::duty::tree::above;
use crate::store::{RowExt as _, StoreError, Tx};

/// How far a unit may be from a place that lies in nobody's territory, to be named, metres (ours).
pub const NEAR_M: f64 = 5_000.0;
/// Territories that are looked at for one place, the smallest first.
const LOOKED_AT: i64 = 100;
/// Of a site, what counts as none of it: rounding.
const NOTHING: f64 = 1e-6;

/// What a place suggests. A person decides.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "UnitSuggestions")]
pub struct Suggestions {
    /// Units whose territory holds or touches the place: those that only touch it last, else the
    /// smallest first.
    pub units: Vec<SuggestedUnit>,
    /// The place lies across a border: several units, none above another, have a part of it.
    pub border: bool,
    /// Where no territory meets the place, the nearest within 5 km.
    pub nearest: Option<SuggestedUnit>,
    /// The same in a sentence.
    pub says: &'static str,
}

/// A unit that may be responsible.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SuggestedUnit {
    /// The unit.
    pub unit: UnitId,
    /// Its name.
    pub name: String,
    /// The unit above.
    pub parent: Option<UnitId>,
    /// Its territory's area, square kilometres.
    pub area_km2: f64,
    /// How much of the site lies within, 0 to 1; 0 where it only touches.
    pub share: f64,
    /// How far its territory is, metres; 0 where it meets the place.
    pub distance_m: f64,
    /// Who stands by there now.
    pub on_duty: Vec<OnDuty>,
    /// Its orders whose work is not done.
    pub open_orders: i64,
}

/// The units for a site.
///
/// # Errors
/// When the database refuses.
pub async fn suggest(tx: &mut Tx, site: &Site, now: Millis) -> Result<Suggestions, StoreError> {
    let place = Area::of_site(site);
    let bounds = place.bounds();
    let mut found: Vec<_> = territories(tx, bounds)
        .await?
        .into_iter()
        .filter(|territory| territory.area.meets(&place))
        .map(|territory| {
            let share = place.share_within(&territory.area);
            (territory, if share < NOTHING { 0.0 } else { share })
        })
        .collect();
    // They come smallest first, and the order is kept among equals.
    found.sort_by_key(|(_, share)| *share == 0.0);
    let border = is_border(tx, &found).await?;
    let mut units = Vec::with_capacity(found.len());
    for (territory, share) in found {
        units.push(territory.suggested(tx, share, 0.0, now).await?);
    }
    let nearest = if units.is_empty() { nearest(tx, &place, now).await? } else { None };
    let says = match (units.is_empty(), &nearest, border) {
        (false, _, false) => "The place lies in the territory of the units named.",
        (false, _, true) => "The place lies across a border: decide which unit answers for it.",
        (true, Some(_), _) => "The place lies in no unit's territory: the nearest one is named.",
        (true, None, _) => "The place lies in no unit's territory, and none is within 5 km.",
    };
    Ok(Suggestions { units, border, nearest, says })
}

/// A territory that may meet the place.
struct Candidate {
    unit: UnitId,
    name: String,
    parent: Option<UnitId>,
    area_m2: i64,
    area: Area,
}

impl Candidate {
    async fn suggested(
        self,
        tx: &mut Tx,
        share: f64,
        distance_m: f64,
        now: Millis,
    ) -> Result<SuggestedUnit, StoreError> {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53 square metres")]
        let area_km2 = self.area_m2 as f64 / 1e6;
        Ok(SuggestedUnit {
            unit: self.unit,
            name: self.name,
            parent: self.parent,
            area_km2,
            share: (share * 1e4).round() / 1e4,
            distance_m: distance_m.round(),
            on_duty: on_duty(tx, self.unit, now).await?,
            open_orders: open_orders(tx, self.unit).await?,
        })
    }
}

/// Territories whose box meets this one, the smallest first.
async fn territories(tx: &mut Tx, bounds: Bounds) -> Result<Vec<Candidate>, StoreError> {
    let sql = "SELECT t.unit_id, u.name, u.parent, t.datum, t.geometry, t.area_m2 \
         FROM territory t JOIN unit u ON u.unit_id = t.unit_id \
         WHERE t.current = 1 AND t.west <= $1 AND t.east >= $2 AND t.south <= $3 AND t.north >= $4 \
         AND u.closed_at IS NULL ORDER BY t.area_m2, t.unit_id LIMIT $5";
    let query = sqlx::query(AssertSqlSafe(sql)).bind(bounds.east).bind(bounds.west);
    let query = query.bind(bounds.north).bind(bounds.south).bind(LOOKED_AT);
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Candidate, StoreError> {
    let geometry: Geometry = stored("geometry", &row.text("geometry")?)?;
    Ok(Candidate {
        unit: UnitId::from_bytes(row.array("unit_id")?),
        name: row.text("name")?,
        parent: row.opt_array("parent")?.map(UnitId::from_bytes),
        area_m2: row.int("area_m2")?,
        area: geometry.area(datum(row)?),
    })
}

/// Whether more than one unit has a part, not counting those above another that has one.
async fn is_border(tx: &mut Tx, found: &[(Candidate, f64)]) -> Result<bool, StoreError> {
    let mut over = BTreeSet::new();
    let parts = || found.iter().filter(|(_, share)| *share > 0.0).map(|(one, _)| one.unit);
    for unit in parts() {
        over.extend(above(tx, unit).await?.into_iter().skip(1));
    }
    Ok(parts().filter(|unit| !over.contains(unit)).count() > 1)
}

async fn nearest(
    tx: &mut Tx,
    place: &Area,
    now: Millis,
) -> Result<Option<SuggestedUnit>, StoreError> {
    let around = territories(tx, place.bounds().widened(NEAR_M)).await?;
    let away = around.into_iter().map(|one| (place.distance_m(&one.area), one));
    let nearest = away.filter(|one| one.0 <= NEAR_M).min_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((metres, unit)) => Ok(Some(unit.suggested(tx, 0.0, metres, now).await?)),
        None => Ok(None),
    }
}

async fn open_orders(tx: &mut Tx, unit: UnitId) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) AS found FROM dispatch_order \
               WHERE unit_id = $1 AND ended_at IS NULL AND fed_back_at IS NULL";
    sqlx::query(sql).bind(&unit.as_bytes()[..]).fetch_one(tx.conn()).await?.int("found")
}

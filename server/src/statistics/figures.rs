//! A period's figures, whole and by class, channel, matter, unit and place.

use std::collections::BTreeMap;

use onscene_sync_core::id::UnitId;
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;
use time::{Date, OffsetDateTime};

use super::counts::Counts;
use super::indicator::{CASES, Indicator, ORDERS};
use crate::auth::Sweep;
use crate::cases::narrow::{About, Narrow};
use crate::http::units::{Unit, select as select_units};
use crate::intake::matters::names;
use crate::store::{RowExt as _, StoreError, Tx};

/// Places of a period that are told apart; the busiest.
pub const PLACES: usize = 50;

/// Which figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Units in reach. What has no unit yet counts for who reaches everything.
    pub sweep: Sweep,
    /// Of this alone. Its `drill` is not looked at: drills are out.
    pub about: About,
    /// Cases registered and orders issued from this moment.
    pub from: Millis,
    /// Until before this one.
    pub until: Millis,
    /// Whether what runs is late is said as of this moment.
    pub as_of: Millis,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_min: i32,
}

/// Figures of a period.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// All together.
    pub total: Counts,
    /// By class.
    pub classes: BTreeMap<String, Counts>,
    /// By channel.
    pub channels: BTreeMap<String, Counts>,
    /// By kind of matter.
    pub matters: BTreeMap<String, Counts>,
    /// What each kind of matter is called in Chinese.
    pub matter_names: BTreeMap<String, String>,
    /// By unit, each with all below it; parents before children.
    pub units: Vec<(Unit, Counts)>,
    /// By cell of the map, the busiest first.
    pub places: Vec<(i64, Counts)>,
    /// Cases registered on each local day.
    pub days: BTreeMap<Date, i64>,
    /// Cases that an earlier program wrote and that no figure counts yet.
    pub not_yet_counted: i64,
}

impl Figures {
    /// What a kind of matter is called; its key where it has no name.
    #[must_use]
    pub fn matter<'f>(&'f self, key: &'f str) -> &'f str {
        self.matter_names.get(key).map_or(key, String::as_str)
    }
}

/// What a row's counts are of.
struct Group {
    unit: Option<UnitId>,
    class: String,
    channel: String,
    matter: String,
    counts: Counts,
}

/// Counts.
///
/// # Errors
/// When the database refuses.
pub async fn figures(tx: &mut Tx, question: &Question) -> Result<Figures, StoreError> {
    let mut figures = Figures::default();
    let mut by_unit: BTreeMap<Option<UnitId>, Counts> = BTreeMap::new();
    let mut groups = cases(tx, question).await?;
    groups.extend(orders(tx, question).await?);
    for group in groups {
        figures.total += &group.counts;
        *figures.classes.entry(group.class).or_default() += &group.counts;
        *figures.channels.entry(group.channel).or_default() += &group.counts;
        *figures.matters.entry(group.matter).or_default() += &group.counts;
        *by_unit.entry(group.unit).or_default() += &group.counts;
    }
    figures.units = with_all_below(select_units(tx, &question.sweep).await?, &by_unit);
    figures.matter_names = names(tx).await?;
    figures.places = places(tx, question).await?;
    figures.days = days(tx, question).await?;
    let row = sqlx::query("SELECT count(*) AS stale FROM case_row WHERE class = ''");
    figures.not_yet_counted = row.fetch_one(tx.conn()).await?.int("stale")?;
    Ok(figures)
}

const CASE_GROUP: &str = "c.unit_id, c.class, c.channel, c.matter";
const ORDER_GROUP: &str = "o.unit_id, c.class, c.channel, c.matter";
const FROM_CASES: &str = "FROM case_row c";
const FROM_ORDERS: &str = "FROM dispatch_order o JOIN case_row c ON c.case_id = o.case_id";

async fn cases(tx: &mut Tx, question: &Question) -> Result<Vec<Group>, StoreError> {
    let rows = counted(tx, registered(question), &CASES, question, CASE_GROUP, FROM_CASES).await?;
    rows.iter().map(|row| group(row, |counts| add_all(row, &mut counts.cases))).collect()
}

async fn orders(tx: &mut Tx, question: &Question) -> Result<Vec<Group>, StoreError> {
    let rows = counted(tx, issued(question), &ORDERS, question, ORDER_GROUP, FROM_ORDERS).await?;
    rows.iter().map(|row| group(row, |counts| add_all(row, &mut counts.orders))).collect()
}

/// Counts by group and by which of the indicators a row meets, as the bits of one number: the database
/// hands over one small number for each kind of row in place of a sum for each indicator.
async fn counted(
    tx: &mut Tx,
    mut narrow: Narrow,
    indicators: &[Indicator],
    question: &Question,
    group: &str,
    from: &str,
) -> Result<Vec<AnyRow>, StoreError> {
    let as_of = narrow.place(question.as_of.into());
    let bit = |(place, indicator): (usize, &Indicator)| {
        let when = indicator.when.replace('?', &as_of);
        format!("CASE WHEN {when} THEN {} ELSE 0 END", 1_u64 << place)
    };
    let bits: Vec<_> = indicators.iter().enumerate().map(bit).collect();
    let bits = format!("CAST({} AS BIGINT) AS met", bits.join(" + "));
    let select = format!("{group}, count(*) AS found, {bits} {from}");
    narrow.fetch(tx, &select, &format!("GROUP BY {group}, met")).await
}

fn add_all(row: &AnyRow, counts: &mut [i64]) -> Result<(), StoreError> {
    let (found, met) = (row.int("found")?, row.int("met")?);
    for (place, count) in counts.iter_mut().enumerate() {
        if met >> place & 1 == 1 {
            *count += found;
        }
    }
    Ok(())
}

fn group(
    row: &AnyRow,
    read: impl FnOnce(&mut Counts) -> Result<(), StoreError>,
) -> Result<Group, StoreError> {
    let mut counts = Counts::default();
    read(&mut counts)?;
    Ok(Group {
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        class: row.text("class")?,
        channel: row.text("channel")?,
        matter: row.text("matter")?,
        counts,
    })
}

/// The busiest cells by cases registered there.
async fn places(tx: &mut Tx, question: &Question) -> Result<Vec<(i64, Counts)>, StoreError> {
    let mut by_cell: BTreeMap<i64, Counts> = BTreeMap::new();
    let mut narrow = registered(question);
    narrow.and("c.cell IS NOT NULL", []);
    for row in counted(tx, narrow, &CASES, question, "c.cell", FROM_CASES).await? {
        add_all(&row, &mut by_cell.entry(row.int("cell")?).or_default().cases)?;
    }
    let mut places: Vec<_> = by_cell.into_iter().collect();
    places.sort_by_key(|(cell, counts)| (-counts.of("registered"), *cell));
    places.truncate(PLACES);
    let mut narrow = issued(question);
    narrow.and("c.cell IS NOT NULL", []);
    for row in counted(tx, narrow, &ORDERS, question, "c.cell", FROM_ORDERS).await? {
        let cell = row.int("cell")?;
        if let Some((_, counts)) = places.iter_mut().find(|place| place.0 == cell) {
            add_all(&row, &mut counts.orders)?;
        }
    }
    Ok(places)
}

async fn days(tx: &mut Tx, question: &Question) -> Result<BTreeMap<Date, i64>, StoreError> {
    let mut narrow = registered(question);
    let ahead = narrow.place((i64::from(question.utc_offset_min) * 60_000).into());
    let day = format!("(c.registered_at + {ahead}) / 86400000");
    let select = format!("{day} AS day, count(*) AS found {FROM_CASES}");
    let rows = narrow.fetch(tx, &select, &format!("GROUP BY {day}")).await?;
    let mut days = BTreeMap::new();
    for row in rows {
        let day =
            OffsetDateTime::UNIX_EPOCH.date().checked_add(time::Duration::days(row.int("day")?));
        if let Some(day) = day {
            days.insert(day, row.int("found")?);
        }
    }
    Ok(days)
}

fn registered(question: &Question) -> Narrow {
    let mut narrow = Narrow::within(&question.sweep, "c.unit_id");
    narrow.and(
        "c.class <> '' AND c.drill = 0 AND c.registered_at >= ? AND c.registered_at < ?",
        [question.from.into(), question.until.into()],
    );
    narrow.about(&About { drill: None, ..question.about.clone() });
    narrow
}

fn issued(question: &Question) -> Narrow {
    let mut narrow = Narrow::within(&question.sweep, "o.unit_id");
    narrow.and(
        "c.class <> '' AND c.drill = 0 AND o.issued_at >= ? AND o.issued_at < ?",
        [question.from.into(), question.until.into()],
    );
    narrow.about(&About { drill: None, ..question.about.clone() });
    narrow
}

/// Each unit with what it and all units below it have.
fn with_all_below(units: Vec<Unit>, own: &BTreeMap<Option<UnitId>, Counts>) -> Vec<(Unit, Counts)> {
    let above: BTreeMap<UnitId, Option<UnitId>> =
        units.iter().map(|unit| (unit.id, unit.parent)).collect();
    let mut sums: BTreeMap<UnitId, Counts> = BTreeMap::new();
    for (unit, counts) in own {
        let mut next = *unit;
        while let Some(unit) = next.filter(|unit| above.contains_key(unit)) {
            *sums.entry(unit).or_default() += counts;
            next = above[&unit];
        }
    }
    let counted = units.into_iter().map(|unit| {
        let counts = sums.remove(&unit.id).unwrap_or_default();
        (unit, counts)
    });
    counted.collect()
}

//! Lists of cases, newest first, page by page.

use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;

use super::narrow::{About, Narrow, Rectangle};
use super::project::grams::grams;
use super::project::name;
use crate::auth::Sweep;
use crate::statistics::indicator::Indicator;
use crate::store::{RowExt as _, StoreError, Tx};

/// Cases on one page at most.
pub const PAGE: u32 = 200;
/// Cases that a search by text looks at for one page.
const LOOKS: i64 = 2_000;
/// Pairs of characters that a search looks up.
const GRAMS: usize = 12;

/// Which cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Units in reach. Cases of no unit yet are in reach of who reaches everything.
    pub sweep: Sweep,
    /// What they are about.
    pub about: About,
    /// Only in this phase.
    pub phase: Option<Phase>,
    /// Only those whose team is late, or only those whose team is not.
    pub overdue: Option<bool>,
    /// Only those with a verdict that a person has to settle, or only the others.
    pub needs_review: Option<bool>,
    /// Only those registered from this moment until before that one.
    pub registered: Option<(Millis, Millis)>,
    /// Only those that this figure counts.
    pub counted_in: Option<&'static Indicator>,
    /// Only those with a place in this rectangle.
    pub inside: Option<Rectangle>,
    /// Only those whose summary holds every two neighbouring characters of this text.
    pub text: Option<String>,
    /// Whether what runs is late is said as of this moment.
    pub as_of: Millis,
    /// Only those after this one in the list.
    pub after: Option<Key>,
    /// How many at most, up to [`PAGE`].
    pub limit: u32,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// When the case was registered.
    pub registered_at: Millis,
    /// Its document.
    pub id: DocId,
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CaseRow")]
pub struct Row {
    /// Its document.
    pub id: DocId,
    /// Its number, for people.
    pub number: String,
    /// Its phase.
    pub phase: String,
    /// The unit of its newest order.
    pub unit: Option<UnitId>,
    /// When the information was received.
    pub received_at: Option<Millis>,
    /// When it was registered.
    pub registered_at: Millis,
    /// When its newest order was issued.
    pub ordered_at: Option<Millis>,
    /// When the time to be on scene is up, while nobody is.
    pub due_at: Option<Millis>,
    /// That time is up.
    pub overdue: bool,
    /// What was found of its arrival.
    pub verdict: Option<String>,
    /// When the complainant was last told.
    pub told_at: Option<Millis>,
    /// When it was closed, if it is.
    pub closed_at: Option<Millis>,
    /// Whether who answered for it was in time with everything, once it is closed.
    pub closed_on_time: Option<bool>,
    /// One point of its site, WGS-84.
    pub place: Option<Place>,
    /// What it is about.
    pub about: Value,
}

/// A point, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Place {
    /// Latitude, north positive.
    pub lat: f64,
    /// Longitude, east positive.
    pub lon: f64,
}

/// A page of cases, and where the next begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The cases.
    pub rows: Vec<Row>,
    /// `None` on the last page. A search by text may have to look further than one page goes: then
    /// there are fewer cases than asked for, and still a next page.
    pub next: Option<Key>,
}

const COLUMNS: &str = "c.case_id, c.number, c.phase, c.unit_id, c.registered_at, c.ordered_at, \
    c.due_at, c.verdict, c.closed_at, c.view, c.received_at, c.told_at, c.closed_on_time, c.lat, \
    c.lon";
const LAST: Key = Key { registered_at: Millis(i64::MAX), id: DocId::from_bytes([0xff; 16]) };

/// A page of cases by `filter`: newest first, by a search in the order of their ids, which is nearly
/// the same.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<Page, StoreError> {
    if let Some(text) = &filter.text {
        return search(tx, filter, text).await;
    }
    let after = filter.after.unwrap_or(LAST);
    let mut narrow = conditions(filter);
    narrow.and(
        "(c.registered_at, c.case_id) < (?, ?)",
        [after.registered_at.into(), (*after.id.as_bytes()).into()],
    );
    let limit = narrow.place(i64::from(filter.limit.min(PAGE)).into());
    let order = format!("ORDER BY c.registered_at DESC, c.case_id DESC LIMIT {limit}");
    let rows = narrow.fetch(tx, &format!("{COLUMNS} FROM case_row c"), &order).await?;
    let rows = read_all(&rows, filter)?;
    let next =
        full(&rows, filter).map(|last| Key { registered_at: last.registered_at, id: last.id });
    Ok(Page { rows, next })
}

/// Goes along the rarest pair of the text, a bounded way for each page.
async fn search(tx: &mut Tx, filter: &Filter, text: &str) -> Result<Page, StoreError> {
    let none = Page { rows: Vec::new(), next: None };
    let Some((rarest, others)) = by_rarity(tx, text).await? else { return Ok(none) };
    let after = *filter.after.unwrap_or(LAST).id.as_bytes();
    let sql = "SELECT case_id FROM case_gram WHERE gram = $1 AND case_id < $2 \
               ORDER BY case_id DESC LIMIT 1 OFFSET $3";
    let query = sqlx::query(sql).bind(rarest).bind(&after[..]).bind(LOOKS - 1);
    let end = query.fetch_optional(tx.conn()).await?;
    let end: Option<[u8; 16]> = end.map(|row| row.array("case_id")).transpose()?;
    let mut narrow = conditions(filter);
    narrow.and(
        "g.gram = ? AND g.case_id < ? AND g.case_id >= ?",
        [rarest.into(), after.into(), end.unwrap_or_default().into()],
    );
    for gram in others {
        narrow.and(
            "EXISTS (SELECT 1 FROM case_gram x WHERE x.gram = ? AND x.case_id = g.case_id)",
            [gram.into()],
        );
    }
    let limit = narrow.place(i64::from(filter.limit.min(PAGE)).into());
    let select = format!("{COLUMNS} FROM case_gram g JOIN case_row c ON c.case_id = g.case_id");
    let rows = narrow.fetch(tx, &select, &format!("ORDER BY g.case_id DESC LIMIT {limit}")).await?;
    let rows = read_all(&rows, filter)?;
    let next = full(&rows, filter).map(|last| last.id).or_else(|| end.map(DocId::from_bytes));
    Ok(Page { rows, next: next.map(|id| Key { registered_at: Millis(0), id }) })
}

/// The rarest pair of the text and the others; `None` when one of them is nowhere.
async fn by_rarity(tx: &mut Tx, text: &str) -> Result<Option<(i64, Vec<i64>)>, StoreError> {
    let mut counted = Vec::new();
    for gram in grams(text).into_iter().take(GRAMS) {
        let sql = "SELECT count(*) AS found FROM \
                   (SELECT 1 AS one FROM case_gram WHERE gram = $1 LIMIT $2) AS few";
        let row = sqlx::query(sql).bind(gram).bind(LOOKS).fetch_one(tx.conn()).await?;
        counted.push((row.int("found")?, gram));
    }
    counted.sort_unstable();
    let mut grams = counted.iter().map(|one| one.1);
    let rarest = grams.next().filter(|_| counted[0].0 > 0);
    Ok(rarest.map(|rarest| (rarest, grams.collect())))
}

fn conditions(filter: &Filter) -> Narrow {
    let mut narrow = Narrow::within(&filter.sweep, "c.unit_id");
    narrow.about(&filter.about);
    if let Some(phase) = filter.phase {
        if phase != Phase::Closed {
            narrow.and("c.closed_at IS NULL", []);
        }
        narrow.and("c.phase = ?", [name(&phase).into()]);
    }
    match filter.overdue {
        Some(true) => narrow.and("c.due_at < ? AND c.closed_at IS NULL", [filter.as_of.into()]),
        Some(false) => {
            narrow.and("(c.due_at IS NULL OR c.due_at >= ?)", [filter.as_of.into()]);
        }
        None => {}
    }
    match filter.needs_review {
        Some(true) => narrow.and("c.verdict = 'needs_review'", []),
        Some(false) => narrow.and("(c.verdict IS NULL OR c.verdict <> 'needs_review')", []),
        None => {}
    }
    if let Some((from, until)) = filter.registered {
        let moments = [from.into(), until.into()];
        narrow.and("c.registered_at >= ? AND c.registered_at < ?", moments);
    }
    if let Some(indicator) = filter.counted_in {
        narrow.counted(indicator, filter.as_of.into());
    }
    if let Some(rectangle) = &filter.inside {
        narrow.inside(rectangle);
    }
    narrow
}

fn full<'r>(rows: &'r [Row], filter: &Filter) -> Option<&'r Row> {
    let limit = usize::try_from(filter.limit.min(PAGE)).unwrap_or(usize::MAX);
    rows.last().filter(|_| rows.len() == limit)
}

fn read_all(rows: &[AnyRow], filter: &Filter) -> Result<Vec<Row>, StoreError> {
    rows.iter().map(|row| read(row, filter.as_of)).collect()
}

fn read(row: &AnyRow, now: Millis) -> Result<Row, StoreError> {
    let due_at = row.opt_millis("due_at")?;
    let view = row.text("view")?;
    Ok(Row {
        id: DocId::from_bytes(row.array("case_id")?),
        number: row.text("number")?,
        phase: row.text("phase")?,
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        registered_at: row.millis("registered_at")?,
        ordered_at: row.opt_millis("ordered_at")?,
        due_at,
        overdue: due_at.is_some_and(|due| due < now),
        verdict: row.opt_text("verdict")?,
        received_at: row.opt_millis("received_at")?,
        told_at: row.opt_millis("told_at")?,
        closed_at: row.opt_millis("closed_at")?,
        closed_on_time: row.opt_int("closed_on_time")?.map(|on_time| on_time == 1),
        place: row
            .opt_int("lat")?
            .zip(row.opt_int("lon")?)
            .map(|(lat, lon)| Place { lat: degrees(lat), lon: degrees(lon) }),
        about: serde_json::from_str(&view).map_err(|error| StoreError::Inconsistent {
            column: "view".to_owned(),
            found: error.to_string(),
            expected: "JSON".to_owned(),
        })?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "at most 1.8e9")]
fn degrees(e7: i64) -> f64 {
    e7 as f64 / 1e7
}

//! Cases that may be the same matter as another, or as one that is not on record yet: found by place,
//! words and caller, weighed, and suggested. A person decides, see [`repeats`](super::repeats).

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::DocId;
use onscene_sync_core::likeness::Pairs;
use onscene_sync_core::place::plane::distance_m;
use onscene_sync_core::place::{Degrees, Position, grid};
use onscene_sync_core::rules::repeat::{NEAR_M, Pair, RECENT_MS, Reason, SUGGESTED, weigh};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::repeats::members;
use crate::cases::CaseError;
use crate::cases::record::load;
use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// Suggestions at most.
const MOST: usize = 20;
/// Cases that are weighed for each way of finding them, newest first.
const LOOKED_AT: i64 = 300;

/// What a case is compared by.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The case itself, once it is on record.
    pub case: Option<DocId>,
    /// Kind of matter.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// The middle of its site, in WGS-84.
    pub centre: Option<Degrees>,
    /// When it was, or would be, registered.
    pub at: Millis,
    /// Keyed hash of the caller's number.
    pub caller: Option<Vec<u8>>,
}

/// A case that may be the same matter.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RepeatSuggestion")]
pub struct Suggestion {
    /// The case.
    pub case: DocId,
    /// Its number.
    pub number: String,
    /// Its phase.
    pub phase: String,
    /// Its kind of matter.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// When it was registered.
    pub registered_at: Millis,
    /// Points out of 100.
    pub score: u8,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// Cases that may be the matter of `subject`, the likeliest first. Those of its chain are left out.
///
/// # Errors
/// When the database refuses.
pub async fn suggest(tx: &mut Tx, subject: &Subject) -> Result<Vec<Suggestion>, StoreError> {
    let mut found = BTreeMap::new();
    let cells = subject.centre.map_or_else(Vec::new, |centre| grid::around(centre, NEAR_M));
    find(tx, subject, "case_trace t", "t.cell", "t.registered_at", &cells, &mut found).await?;
    let bands = Pairs::of(&subject.summary).bands();
    let table = "case_band b JOIN case_trace t ON t.case_id = b.case_id";
    find(tx, subject, table, "b.band", "b.registered_at", &bands, &mut found).await?;
    let callers = find_callers(tx, subject, &mut found).await?;
    let own = match subject.case {
        Some(case) => members(tx, case).await?,
        None => BTreeSet::new(),
    };
    let pairs = Pairs::of(&subject.summary);
    let mut suggestions: Vec<Suggestion> = found
        .into_iter()
        .filter(|(case, _)| !own.contains(case) && subject.case != Some(*case))
        .map(|(case, other)| other.suggestion(case, subject, &pairs, callers.contains(&case)))
        .filter(|suggestion| suggestion.score >= SUGGESTED)
        .collect();
    suggestions.sort_by_key(|one| (std::cmp::Reverse((one.score, one.registered_at)), one.case));
    suggestions.truncate(MOST);
    Ok(suggestions)
}

/// A case of the database beside the subject.
struct Other {
    number: String,
    phase: String,
    matter: String,
    summary: String,
    registered_at: Millis,
    centre: Option<Degrees>,
}

const OTHER: &str =
    "t.case_id, t.matter, t.registered_at, t.lat_e7, t.lon_e7, r.number, r.phase, r.view";

/// Adds the newest cases within reach in time whose `column` of `table` is one of `keys`.
async fn find(
    tx: &mut Tx,
    subject: &Subject,
    table: &str,
    column: &str,
    at: &str,
    keys: &[i64],
    found: &mut BTreeMap<DocId, Other>,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = (4..4 + keys.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT {OTHER} FROM {table} JOIN case_row r ON r.case_id = t.case_id \
         WHERE {column} IN ({}) AND {at} BETWEEN $1 AND $2 ORDER BY {at} DESC LIMIT $3",
        names.join(", ")
    );
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(subject.at.0.saturating_sub(RECENT_MS))
        .bind(subject.at.0.saturating_add(RECENT_MS))
        .bind(LOOKED_AT);
    let query = keys.iter().fold(query, |query, key| query.bind(*key));
    for row in query.fetch_all(tx.conn()).await? {
        let (case, other) = read(&row)?;
        found.insert(case, other);
    }
    Ok(())
}

/// Adds the cases that the same number raised, and names them.
async fn find_callers(
    tx: &mut Tx,
    subject: &Subject,
    found: &mut BTreeMap<DocId, Other>,
) -> Result<BTreeSet<DocId>, StoreError> {
    let mut callers = BTreeSet::new();
    let Some(caller) = &subject.caller else { return Ok(callers) };
    let sql = format!(
        "SELECT {OTHER} FROM complainant c JOIN case_trace t ON t.case_id = c.case_id \
         JOIN case_row r ON r.case_id = t.case_id WHERE c.caller = $1 \
         AND t.registered_at BETWEEN $2 AND $3 ORDER BY t.registered_at DESC LIMIT $4"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&caller[..]);
    let query = query.bind(subject.at.0.saturating_sub(RECENT_MS));
    let query = query.bind(subject.at.0.saturating_add(RECENT_MS)).bind(LOOKED_AT);
    for row in query.fetch_all(tx.conn()).await? {
        let (case, other) = read(&row)?;
        callers.insert(case);
        found.insert(case, other);
    }
    Ok(callers)
}

fn read(row: &AnyRow) -> Result<(DocId, Other), StoreError> {
    let view = row.text("view")?;
    let about: serde_json::Value = serde_json::from_str(&view)
        .map_err(|error| inconsistent("view", error.to_string(), "JSON"))?;
    let centre = match row.opt_int("lat_e7")? {
        Some(_) => Some(
            Position { lat_e7: row.number("lat_e7")?, lon_e7: row.number("lon_e7")? }.degrees(),
        ),
        None => None,
    };
    let other = Other {
        number: row.text("number")?,
        phase: row.text("phase")?,
        matter: row.text("matter")?,
        summary: about["summary"].as_str().unwrap_or_default().to_owned(),
        registered_at: row.millis("registered_at")?,
        centre,
    };
    Ok((DocId::from_bytes(row.array("case_id")?), other))
}

impl Other {
    fn suggestion(
        self,
        case: DocId,
        subject: &Subject,
        pairs: &Pairs,
        same_caller: bool,
    ) -> Suggestion {
        let (score, reasons) = weigh(&Pair {
            distance_m: subject.centre.zip(self.centre).map(|(a, b)| distance_m(a, b)),
            apart_ms: subject.at.since(self.registered_at),
            same_matter: self.matter == subject.matter,
            text: pairs.likeness(&Pairs::of(&self.summary)),
            same_caller,
        });
        let Self { number, phase, matter, summary, registered_at, .. } = self;
        Suggestion { case, number, phase, matter, summary, registered_at, score, reasons }
    }
}

/// What a case on record is compared by.
///
/// # Errors
/// [`CaseError::UnknownCase`].
pub async fn subject(tx: &mut Tx, id: DocId) -> Result<Subject, CaseError> {
    let case = load(tx, id, false).await?;
    let query = sqlx::query("SELECT caller FROM complainant WHERE case_id = $1");
    let row = query.bind(&id.as_bytes()[..]).fetch_optional(tx.conn()).await;
    let row = row.map_err(StoreError::from)?;
    let caller = row.map(|row| row.opt_bytes("caller")).transpose()?.flatten();
    let registration = case.record.registration.as_ref().ok_or(CaseError::UnknownCase(id))?;
    let about = &registration.body;
    Ok(Subject {
        case: Some(id),
        matter: about.matter.clone(),
        summary: about.summary.clone(),
        centre: about.site.as_ref().map(onscene_sync_core::place::Site::centre),
        at: registration.at,
        caller,
    })
}

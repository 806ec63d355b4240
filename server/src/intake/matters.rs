//! Kinds of matter. Cases name them by key, so a kind is closed and never deleted.

use std::collections::BTreeMap;

use onscene_sync_core::fact::body::CaseClass;
use onscene_sync_core::id::PersonId;
use onscene_sync_core::likeness::Pairs;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::cases::CaseError;
use crate::cases::project::name;
use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// Characters of a key.
pub const KEY_CHARS: usize = 64;
/// From this likeness on another kind may be meant.
const NEAR: f64 = 0.25;
/// Kinds named at most when one is not known.
const NAMED: usize = 3;

/// Whether a text may be a key of reference data: 1 to [`KEY_CHARS`] of a-z, 0-9 and _.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=KEY_CHARS).contains(&text.len()) && text.chars().all(plain)
}

/// How a unit may close a matter of a kind, unless its outcome says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// 当场处结
    OnTheSpot,
    /// 较复杂
    Complex,
}

/// A kind of matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matter {
    /// Its key, as `street_vending`.
    pub key: String,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
    /// The class of its cases where nothing else is said.
    pub class: CaseClass,
    /// How its cases are handled where nothing else is said.
    pub handling: Handling,
    /// Each case of it is for the bureau's leaders to see at once.
    pub grave: bool,
    /// Offered through Open311, and shown there.
    pub public: bool,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Millis,
    /// When it was closed: nothing more is registered under it.
    pub closed_at: Option<Millis>,
}

const COLUMNS: &str =
    "matter, zh, en, class, handling, grave, public, version, changed_at, closed_at";

/// All kinds in order of their keys, closed ones included.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx) -> Result<Vec<Matter>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM matter ORDER BY matter");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

/// What each kind is called in Chinese, by its key.
///
/// # Errors
/// When the database refuses.
pub async fn names(tx: &mut Tx) -> Result<BTreeMap<String, String>, StoreError> {
    Ok(list(tx).await?.into_iter().map(|matter| (matter.key, matter.zh)).collect())
}

/// The kind of this key.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, key: &str) -> Result<Option<Matter>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM matter WHERE matter = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key);
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

/// The open kind of this key.
///
/// # Errors
/// [`CaseError::Invalid`] says whether it is unknown or closed, and names kinds that may be meant.
pub async fn require_open(tx: &mut Tx, key: &str) -> Result<Matter, CaseError> {
    let found = find(tx, key).await?;
    if let Some(matter) = found.as_ref().filter(|matter| matter.closed_at.is_none()) {
        return Ok(matter.clone());
    }
    let open: Vec<_> =
        list(tx).await?.into_iter().filter(|matter| matter.closed_at.is_none()).collect();
    let (what, words) = match &found {
        Some(closed) => ("is closed", vec![key, &closed.zh, &closed.en]),
        None => ("is no kind of matter", vec![key]),
    };
    let why = format!("`{key}` {what}: {}GET /v1/matters lists them", did_you_mean(&open, &words));
    Err(CaseError::Invalid { field: "matter", why })
}

/// The start of a sentence that names the kinds whose key or name is most like one of `words`.
#[must_use]
pub fn did_you_mean(open: &[Matter], words: &[&str]) -> String {
    let likeness = |matter: &Matter| {
        let names = [&matter.key, &matter.zh, &matter.en];
        let pairs = words.iter().flat_map(|word| names.map(|name| alike(word, name)));
        pairs.fold(0.0, f64::max)
    };
    let mut near: Vec<(f64, &Matter)> =
        open.iter().map(|matter| (likeness(matter), matter)).filter(|one| one.0 >= NEAR).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<_> =
        near.iter().take(NAMED).map(|(_, m)| format!("`{}` ({})", m.key, m.zh)).collect();
    if names.is_empty() { String::new() } else { format!("did you mean {}? ", names.join(" or ")) }
}

/// By pairs of characters; words of a few Chinese characters also by the characters alone.
fn alike(word: &str, name: &str) -> f64 {
    let pairs = Pairs::of(word).likeness(&Pairs::of(name));
    if word.is_ascii() || name.is_ascii() {
        return pairs;
    }
    let shared = word.chars().filter(|c| name.contains(*c)).count();
    let most = word.chars().count() + name.chars().count();
    #[expect(clippy::cast_precision_loss, reason = "names have a hundred characters")]
    let characters = 1.6 * shared as f64 / most as f64;
    pairs.max(characters)
}

/// Adds a kind; `false` when its key is taken.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, matter: &Matter, by: PersonId) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO matter (matter, zh, en, class, handling, grave, public, version, \
         changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (matter) DO NOTHING";
    let done = sqlx::query(SQL)
        .bind(&matter.key)
        .bind(&matter.zh)
        .bind(&matter.en)
        .bind(name(&matter.class))
        .bind(name(&matter.handling))
        .bind(i64::from(matter.grave))
        .bind(i64::from(matter.public))
        .bind(matter.version)
        .bind(matter.changed_at.0)
        .bind(&by.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts `matter` in place of what it was at `version`; `false` when somebody else changed it first.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    tx: &mut Tx,
    matter: &Matter,
    version: i64,
    by: PersonId,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE matter SET zh = $2, en = $3, class = $4, handling = $5, grave = $6, \
         public = $7, version = $8, changed_at = $9, changed_by = $10, closed_at = $11 \
         WHERE matter = $1 AND version = $12";
    let done = sqlx::query(SQL)
        .bind(&matter.key)
        .bind(&matter.zh)
        .bind(&matter.en)
        .bind(name(&matter.class))
        .bind(name(&matter.handling))
        .bind(i64::from(matter.grave))
        .bind(i64::from(matter.public))
        .bind(matter.version)
        .bind(matter.changed_at.0)
        .bind(&by.as_bytes()[..])
        .bind(matter.closed_at.map(|at| at.0))
        .bind(version)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Matter, StoreError> {
    Ok(Matter {
        key: row.text("matter")?,
        zh: row.text("zh")?,
        en: row.text("en")?,
        class: choice(row, "class")?,
        handling: choice(row, "handling")?,
        grave: row.int("grave")? != 0,
        public: row.int("public")? != 0,
        version: row.int("version")?,
        changed_at: row.millis("changed_at")?,
        closed_at: row.opt_millis("closed_at")?,
    })
}

fn choice<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let text = row.text(column)?;
    let value = serde_json::Value::String(text.clone());
    serde_json::from_value(value).map_err(|_| inconsistent(column, text, "a known name"))
}

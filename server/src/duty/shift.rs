//! Shifts of the roster. What has begun is on record: it can be ended and not rewritten.

use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::limits::DUTY_SHIFT_MS;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::DutyError;
use crate::audit::{self, Deed, Entry};
use crate::auth::Sweep;
use crate::cases::project::name;
use crate::hub::inconsistent;
use crate::store::{RowExt as _, StoreError, Tx};

/// How long ago a shift may have begun when it is planned (ours): somebody has stepped in.
const LATE_MS: i64 = 60 * 60_000;
/// Shifts that one question reads at most.
const MOST: i64 = 20_000;

/// What somebody stands by for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ShiftPost {
    /// The desk: takes calls and orders (值守).
    Desk,
    /// A team ready to go out (备勤).
    Team,
    /// In charge (带班).
    Leader,
}

/// A shift of the roster. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shift {
    /// Its number.
    pub id: i64,
    /// The unit that it is served at.
    pub unit: UnitId,
    /// Who serves it.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// For what.
    pub post: ShiftPost,
    /// From this moment
    pub from: Millis,
    /// until before this one.
    pub until: Millis,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When they said that they are there; `null` while nobody has.
    pub signed_on_at: Option<Millis>,
    /// When they said that they leave.
    pub signed_off_at: Option<Millis>,
}

/// What a shift is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// At which unit.
    pub unit: UnitId,
    /// By whom.
    pub person: PersonId,
    /// For what.
    pub post: ShiftPost,
    /// From this moment
    pub from: Millis,
    /// until before this one.
    pub until: Millis,
}

/// Who changes a roster, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hand {
    /// The person.
    pub by: PersonId,
    /// Now.
    pub at: Millis,
}

pub(super) const SELECT: &str = "SELECT d.id, d.unit_id, d.person_id, p.name, d.post, d.from_at, d.until_at, \
     d.version, d.signed_on_at, d.signed_off_at \
     FROM duty_shift d JOIN person p ON p.person_id = d.person_id";

/// Puts a shift on the roster. The caller has locked the person.
///
/// # Errors
/// [`DutyError::Invalid`] names what is wrong; a conflict when the person is on another post then.
pub async fn plan(tx: &mut Tx, plan: &Plan, hand: Hand) -> Result<Shift, DutyError> {
    check(plan)?;
    if plan.until <= hand.at {
        return Err(over());
    }
    require_ahead(plan, hand.at)?;
    require_free(tx, plan, &[]).await?;
    let row = sqlx::query(
        "INSERT INTO duty_shift (unit_id, person_id, post, from_at, until_at, version) \
         VALUES ($1, $2, $3, $4, $5, 1) RETURNING id",
    )
    .bind(&plan.unit.as_bytes()[..])
    .bind(&plan.person.as_bytes()[..])
    .bind(name(&plan.post))
    .bind(plan.from.0)
    .bind(plan.until.0)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    noted(tx, row.int("id")?, "planned", hand).await
}

/// Makes a shift another, as of its `version`. One that has begun keeps all but its end.
///
/// # Errors
/// As [`plan`]; [`DutyError::UnknownShift`]; [`DutyError::Changed`].
pub async fn change(
    tx: &mut Tx,
    id: i64,
    version: i64,
    new: &Plan,
    hand: Hand,
) -> Result<Shift, DutyError> {
    check(new)?;
    let stands = require_version(tx, id, version).await?;
    if stands.until <= hand.at {
        return Err(over());
    }
    let same = |a: &Plan| (a.unit, a.person, a.post, a.from);
    if begun(&stands, hand.at) && (same(&stands.plan()) != same(new) || new.until < hand.at) {
        let why = "the shift has begun: only its end can be changed, to now or later; end it and \
                   plan another one";
        return Err(DutyError::Conflict { code: "shift_begun", why: why.to_owned() });
    }
    if new.from != stands.from {
        require_ahead(new, hand.at)?;
    }
    require_free(tx, new, &[id]).await?;
    write(tx, id, new).await?;
    noted(tx, id, "changed", hand).await
}

/// Takes a shift that has not begun off the roster.
///
/// # Errors
/// As [`change`].
pub async fn remove(tx: &mut Tx, id: i64, version: i64, hand: Hand) -> Result<(), DutyError> {
    let stands = require_version(tx, id, version).await?;
    if begun(&stands, hand.at) {
        let why = "the shift has begun and stays on record: end it with PUT";
        return Err(DutyError::Conflict { code: "shift_begun", why: why.to_owned() });
    }
    sqlx::query("UPDATE duty_shift SET removed_at = $2, version = version + 1 WHERE id = $1")
        .bind(id)
        .bind(hand.at.0)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    audit::note(tx, &[entry(&stands, "removed", hand)]).await?;
    Ok(())
}

/// Lets the people of two shifts that have not begun take each other's place. The caller has locked
/// both people.
///
/// # Errors
/// As [`change`].
pub async fn swap(
    tx: &mut Tx,
    (first, first_version): (i64, i64),
    (second, second_version): (i64, i64),
    hand: Hand,
) -> Result<[Shift; 2], DutyError> {
    let one = require_version(tx, first, first_version).await?;
    let other = require_version(tx, second, second_version).await?;
    if begun(&one, hand.at) || begun(&other, hand.at) {
        let why = "a shift that has begun is not swapped: end it and plan another one";
        return Err(DutyError::Conflict { code: "shift_begun", why: why.to_owned() });
    }
    let plans =
        [Plan { person: other.person, ..one.plan() }, Plan { person: one.person, ..other.plan() }];
    for (id, plan) in [first, second].into_iter().zip(&plans) {
        require_free(tx, plan, &[first, second]).await?;
        write(tx, id, plan).await?;
    }
    Ok([noted(tx, first, "swapped", hand).await?, noted(tx, second, "swapped", hand).await?])
}

/// The shifts of the units of `sweep` that lie within `[from, until)` or reach into it, in order.
///
/// # Errors
/// When the database refuses; [`DutyError::Invalid`] when there are too many.
pub async fn list(
    tx: &mut Tx,
    sweep: &Sweep,
    (from, until): (Millis, Millis),
) -> Result<Vec<Shift>, DutyError> {
    let sql = format!(
        "{SELECT} JOIN sweep s ON s.unit_id = d.unit_id WHERE d.removed_at IS NULL \
         AND (p.closed_at IS NULL OR d.until_at <= p.closed_at) AND d.until_at > $4 AND d.from_at < $5 ORDER BY d.from_at, d.id LIMIT $6"
    );
    let query = sweep.query(AssertSqlSafe(sql));
    let query = query.bind(from.0).bind(until.0).bind(MOST + 1);
    let rows = query.fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > MOST {
        let why = format!("asks for more than {MOST} shifts: name a unit, or fewer days");
        return Err(DutyError::Invalid { field: "from", why });
    }
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// A shift that was not removed.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, id: i64) -> Result<Option<Shift>, StoreError> {
    let sql = format!("{SELECT} WHERE d.id = $1 AND d.removed_at IS NULL");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

impl Shift {
    fn plan(&self) -> Plan {
        let Self { unit, person, post, from, until, .. } = *self;
        Plan { unit, person, post, from, until }
    }
}

fn check(plan: &Plan) -> Result<(), DutyError> {
    let length = plan.until.since(plan.from);
    if length <= 0 {
        let why = "must be after `from`".to_owned();
        return Err(DutyError::Invalid { field: "until", why });
    }
    if length > DUTY_SHIFT_MS {
        let why = format!("must be at most {} hours after `from`", DUTY_SHIFT_MS / 3_600_000);
        return Err(DutyError::Invalid { field: "until", why });
    }
    Ok(())
}

fn over() -> DutyError {
    let why = "the shift is over: what was stays on record".to_owned();
    DutyError::Conflict { code: "shift_over", why }
}

/// Nobody fills the gaps of the past afterwards.
fn require_ahead(plan: &Plan, now: Millis) -> Result<(), DutyError> {
    if plan.from >= now.plus(-LATE_MS) {
        return Ok(());
    }
    let why = "a shift is planned from now on, or from an hour ago: what was stays on record";
    Err(DutyError::Conflict { code: "shift_past", why: why.to_owned() })
}

/// Whether a shift stands on record as having begun.
fn begun(shift: &Shift, now: Millis) -> bool {
    shift.from <= now || shift.signed_on_at.is_some()
}

/// The shift under a lock, if it is of this version.
async fn require_version(tx: &mut Tx, id: i64, version: i64) -> Result<Shift, DutyError> {
    let lock = format!("SELECT id FROM duty_shift WHERE id = $1{}", tx.engine().for_update());
    let query = sqlx::query(AssertSqlSafe(lock)).bind(id);
    query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let shift = find(tx, id).await?.ok_or(DutyError::UnknownShift(id))?;
    if shift.version == version { Ok(shift) } else { Err(DutyError::Changed(shift.version)) }
}

/// Nobody is at two posts at once.
async fn require_free(tx: &mut Tx, plan: &Plan, except: &[i64]) -> Result<(), DutyError> {
    let sql = format!(
        "{SELECT} WHERE d.person_id = $1 AND d.removed_at IS NULL AND d.until_at > $2 \
         AND d.from_at < $3 ORDER BY d.from_at"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&plan.person.as_bytes()[..]);
    let rows = query.bind(plan.from.0).bind(plan.until.0).fetch_all(tx.conn()).await;
    for row in &rows.map_err(StoreError::from)? {
        let shift = read(row)?;
        if !except.contains(&shift.id) {
            let why = format!(
                "{} is on shift {} from {} until {} (Unix milliseconds): nobody is at two posts at once",
                shift.name, shift.id, shift.from.0, shift.until.0
            );
            return Err(DutyError::Conflict { code: "at_two_posts", why });
        }
    }
    Ok(())
}

async fn write(tx: &mut Tx, id: i64, plan: &Plan) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE duty_shift SET unit_id = $2, person_id = $3, post = $4, from_at = $5, \
         until_at = $6, version = version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(&plan.unit.as_bytes()[..])
    .bind(&plan.person.as_bytes()[..])
    .bind(name(&plan.post))
    .bind(plan.from.0)
    .bind(plan.until.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn noted(tx: &mut Tx, id: i64, word: &'static str, hand: Hand) -> Result<Shift, DutyError> {
    let shift = find(tx, id).await?.ok_or(DutyError::UnknownShift(id))?;
    audit::note(tx, &[entry(&shift, word, hand)]).await?;
    Ok(shift)
}

fn entry(shift: &Shift, word: &'static str, hand: Hand) -> Entry {
    let numbers = [shift.id, shift.version, shift.from.0, shift.until.0];
    let mut object: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    object.extend(shift.unit.as_bytes());
    object.extend(name(&shift.post).bytes());
    let entry = Entry::new(Deed::ShiftChanged, hand.at).by(hand.by);
    entry.to(shift.person.as_bytes()).detail(word).object(object)
}

pub(super) fn read(row: &AnyRow) -> Result<Shift, StoreError> {
    let post = row.text("post")?;
    let value = serde_json::Value::String(post.clone());
    Ok(Shift {
        id: row.int("id")?,
        unit: UnitId::from_bytes(row.array("unit_id")?),
        person: PersonId::from_bytes(row.array("person_id")?),
        name: row.text("name")?,
        post: serde_json::from_value(value).map_err(|_| inconsistent("post", post, "a post"))?,
        from: row.millis("from_at")?,
        until: row.millis("until_at")?,
        version: row.int("version")?,
        signed_on_at: row.opt_millis("signed_on_at")?,
        signed_off_at: row.opt_millis("signed_off_at")?,
    })
}

//! Who stands by now: the roster, and what those on it say themselves ("I am here", "I leave").

use std::collections::BTreeMap;

use onscene_sync_core::id::{DeviceId, PersonId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::DutyError;
use super::shift::{Hand, SELECT, Shift, ShiftPost, find, read};
use crate::audit::{self, Deed, Entry};
use crate::store::{StoreError, Tx};

/// How long before a shift begins it can be taken over (ours).
const EARLY_MS: i64 = 60 * 60_000;
/// How long after its end a shift can be left on record (ours). What was forgotten longer ago stays open.
const FORGOTTEN_MS: i64 = 24 * 60 * 60_000;

/// Somebody on duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OnDuty {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// For what.
    pub post: ShiftPost,
    /// Until when.
    pub until: Millis,
    /// When they said that they are there; `null` while they have not.
    pub signed_on_at: Option<Millis>,
}

/// Of people who have not left.
const STANDING: &str = "d.removed_at IS NULL AND p.closed_at IS NULL";

/// Somebody says that they are there: takes over the shift of theirs that runs, or begins within the
/// hour. Saying it twice says it once.
///
/// # Errors
/// A conflict when the roster has no such shift.
pub async fn sign_on(
    tx: &mut Tx,
    hand: Hand,
    device: Option<DeviceId>,
) -> Result<Shift, DutyError> {
    let soon = hand.at.plus(EARLY_MS);
    let Some(shift) = own_shift(tx, hand, soon).await? else {
        let why = "the roster has no shift of yours now or within the hour: ask your leader";
        return Err(DutyError::Conflict { code: "not_on_roster", why: why.to_owned() });
    };
    if shift.signed_on_at.is_some() {
        return Ok(shift);
    }
    sign(tx, "signed_on_at", &shift, hand).await?;
    note_signed(tx, &shift, "on", hand, device).await
}

/// Somebody says that they leave the shift that they took over.
///
/// # Errors
/// A conflict when they did not take one over.
pub async fn sign_off(
    tx: &mut Tx,
    hand: Hand,
    device: Option<DeviceId>,
) -> Result<Shift, DutyError> {
    let sql = format!(
        "{SELECT} WHERE d.person_id = $1 AND d.removed_at IS NULL AND d.signed_on_at IS NOT NULL \
         AND d.signed_off_at IS NULL AND d.until_at > $2 ORDER BY d.from_at DESC LIMIT 1"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&hand.by.as_bytes()[..]);
    let query = query.bind(hand.at.plus(-FORGOTTEN_MS).0);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let Some(shift) = row.as_ref().map(read).transpose()? else {
        let why = "you have taken over no shift that is still open: sign on first";
        return Err(DutyError::Conflict { code: "not_signed_on", why: why.to_owned() });
    };
    sign(tx, "signed_off_at", &shift, hand).await?;
    note_signed(tx, &shift, "off", hand, device).await
}

/// Who stands by at a unit: the roster, without those who have signed off.
///
/// # Errors
/// When the database refuses.
pub async fn on_duty(tx: &mut Tx, unit: UnitId, now: Millis) -> Result<Vec<OnDuty>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE {STANDING} AND d.unit_id = $1 AND d.until_at > $2 AND d.from_at <= $2 \
         AND d.signed_off_at IS NULL ORDER BY d.post, d.from_at, d.id"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&unit.as_bytes()[..]).bind(now.0);
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(read(row)?.into())).collect()
}

/// The same of all units that have anybody.
///
/// # Errors
/// When the database refuses.
pub async fn all_on_duty(
    tx: &mut Tx,
    now: Millis,
) -> Result<BTreeMap<UnitId, Vec<OnDuty>>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE {STANDING} AND d.until_at > $1 AND d.from_at <= $1 \
         AND d.signed_off_at IS NULL ORDER BY d.post, d.from_at, d.id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(now.0).fetch_all(tx.conn()).await?;
    let mut units: BTreeMap<UnitId, Vec<OnDuty>> = BTreeMap::new();
    for row in &rows {
        let shift = read(row)?;
        units.entry(shift.unit).or_default().push(shift.into());
    }
    Ok(units)
}

impl From<Shift> for OnDuty {
    fn from(shift: Shift) -> Self {
        let Shift { person, name, post, until, signed_on_at, .. } = shift;
        Self { person, name, post, until, signed_on_at }
    }
}

/// The open shift of somebody that runs, or the next that begins before `soon`.
async fn own_shift(tx: &mut Tx, hand: Hand, soon: Millis) -> Result<Option<Shift>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE d.person_id = $1 AND d.removed_at IS NULL AND d.until_at > $2 \
         AND d.from_at <= $3 AND d.signed_off_at IS NULL ORDER BY d.from_at LIMIT 1"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&hand.by.as_bytes()[..]);
    let query = query.bind(hand.at.0).bind(soon.0);
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

async fn sign(
    tx: &mut Tx,
    column: &'static str,
    shift: &Shift,
    hand: Hand,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE duty_shift SET {column} = $2, version = version + 1 WHERE id = $1");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(shift.id).bind(hand.at.0);
    query.execute(tx.conn()).await?;
    Ok(())
}

async fn note_signed(
    tx: &mut Tx,
    shift: &Shift,
    word: &'static str,
    hand: Hand,
    device: Option<DeviceId>,
) -> Result<Shift, DutyError> {
    let mut entry = Entry::new(Deed::DutySigned, hand.at).by(hand.by).to(hand.by.as_bytes());
    entry.device = device;
    audit::note(tx, &[entry.detail(word).object(shift.id.to_be_bytes())]).await?;
    find(tx, shift.id).await?.ok_or(DutyError::UnknownShift(shift.id))
}

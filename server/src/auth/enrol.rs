//! One-time codes, and how a phone becomes somebody's.
//!
//! A code has 40 bits, lives fifteen minutes, is good for one phone and dies at the fifth wrong
//! try: its first half finds it, so a wrong second half counts against it. All wrong tries together
//! are limited too, for all nodes, in the database. Unknown, wrong, used, expired and dead codes are
//! answered alike. A phone whose answer was lost repeats its request and gets its answer.

use aws_lc_rs::hmac;
use axum::http::StatusCode;
use onscene_sync_core::enrolment::message::Phone;
use onscene_sync_core::enrolment::{EnrolmentCode, check_words};
use onscene_sync_core::id::{DeviceId, Hash, PersonId, UnitId};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::Auth;
use super::credentials::role_column;
use super::jwk::DeviceKey;
use super::refresh;
use super::role::Role;
use crate::audit::{self, Deed, Entry};
use crate::problem::Problem;
use crate::store::{RowExt as _, StoreError, Tx};

/// Milliseconds that a code lives.
pub const CODE_LIFETIME_MS: i64 = 15 * 60 * 1000;
/// Wrong tries that kill a code.
const TRIES_PER_CODE: i64 = 5;
/// Wrong tries at any code within [`CODE_LIFETIME_MS`], after which every try is refused.
const TRIES_IN_ALL: i64 = 100;
/// Milliseconds that a dead code and the counts of wrong tries are kept.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

impl Auth {
    /// What the hub keeps of a code: useless to whoever copies the database alone.
    #[must_use]
    pub fn code_hash(&self, code: &EnrolmentCode) -> Hash {
        let mac = hmac::sign(&self.code, code.to_string().as_bytes());
        Hash::from_bytes(mac.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes"))
    }
}

/// A code about to be issued.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// Whose phone it enrols.
    pub person: PersonId,
    /// Who issues it.
    pub issued_by: PersonId,
    /// Now.
    pub at: Millis,
    /// First half of the code.
    pub selector: String,
    /// [`Auth::code_hash`] of it.
    pub hash: Hash,
}

/// Stores a code; earlier unused ones of the person are void. `false`: another living code has the
/// same first half, draw again.
///
/// # Errors
/// The database's.
pub async fn insert_code(tx: &mut Tx, code: &NewCode) -> Result<bool, StoreError> {
    sqlx::query(
        "DELETE FROM enrolment_code \
         WHERE (person_id = $1 AND used_at IS NULL) OR expires_at < $2",
    )
    .bind(&code.person.as_bytes()[..])
    .bind(code.at.plus(-KEPT_MS).0)
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM enrolment_guess WHERE since < $1")
        .bind(code.at.plus(-KEPT_MS).0)
        .execute(tx.conn())
        .await?;
    let inserted = sqlx::query(
        "INSERT INTO enrolment_code \
             (selector, code_hash, person_id, issued_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&code.selector)
    .bind(&code.hash.as_bytes()[..])
    .bind(&code.person.as_bytes()[..])
    .bind(&code.issued_by.as_bytes()[..])
    .bind(code.at.0)
    .bind(code.at.plus(CODE_LIFETIME_MS).0)
    .execute(tx.conn())
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A phone that hands in a code.
#[derive(Debug, Clone)]
pub struct Redeem {
    /// The code.
    pub code: EnrolmentCode,
    /// [`Auth::code_hash`] of it.
    pub hash: Hash,
    /// The key that the phone has proven to hold.
    pub key: DeviceKey,
    /// What the phone says of itself.
    pub phone: Phone,
    /// Revoke the person's present phone.
    pub replace: bool,
    /// The id that the phone gets.
    pub device: DeviceId,
    /// [`refresh::token_hash`] of its refresh token.
    pub refresh: Hash,
    /// Now.
    pub at: Millis,
}

/// What became of it. A refusal is a value, since its count must be written.
#[derive(Debug)]
pub enum Redeemed {
    /// The phone is enrolled.
    Enrolled(Box<Enrolled>),
    /// The code is not good, whatever the reason.
    BadCode,
    /// Too many wrong tries lately, this one or others.
    Blocked,
    /// The person has a phone and `replace` was not asked for.
    HasPhone,
    /// This key is enrolled already.
    KnownKey,
}

/// An enrolled phone and its person.
#[derive(Debug)]
pub struct Enrolled {
    /// The phone.
    pub device: DeviceId,
    /// Whose.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Their unit.
    pub unit: UnitId,
    /// Its name.
    pub unit_name: String,
}

/// Enrols a phone.
///
/// # Errors
/// The database's.
pub async fn redeem(tx: &mut Tx, redeem: &Redeem) -> Result<Redeemed, StoreError> {
    if wrong_tries(tx, redeem.at).await? >= TRIES_IN_ALL {
        return Ok(Redeemed::Blocked);
    }
    let Some(code) = find_code(tx, redeem).await? else {
        count_wrong_try(tx, redeem).await?;
        return Ok(Redeemed::BadCode);
    };
    let Some(person) = find_person(tx, code.person).await? else { return Ok(Redeemed::BadCode) };
    if let Some(device) = code.used_by {
        // The answer was lost and the phone asks again: the same device, a new refresh token.
        refresh::replace(tx, device, redeem.refresh, redeem.at).await?;
        return Ok(Redeemed::Enrolled(Box::new(Enrolled { device, ..person })));
    }
    if has_phone(tx, code.person).await? && !redeem.replace {
        return Ok(Redeemed::HasPhone);
    }
    if is_known(tx, &redeem.key).await? {
        return Ok(Redeemed::KnownKey);
    }
    let why = "replaced by another phone of the same person";
    revoke_all_of(tx, code.person, code.person, why, redeem.at).await?;
    insert_device(tx, redeem, code.person).await?;
    let entry = Entry::new(Deed::DeviceEnrolled, redeem.at).by(code.person).device(redeem.device);
    audit::note(tx, &[entry.object(*redeem.key.point())]).await?;
    refresh::replace(tx, redeem.device, redeem.refresh, redeem.at).await?;
    sqlx::query("UPDATE enrolment_code SET used_at = $2, device = $3 WHERE selector = $1")
        .bind(redeem.code.selector())
        .bind(redeem.at.0)
        .bind(&redeem.device.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(Redeemed::Enrolled(Box::new(Enrolled { device: redeem.device, ..person })))
}

async fn wrong_tries(tx: &mut Tx, at: Millis) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(coalesce(sum(failures), 0) AS BIGINT) AS n FROM enrolment_guess \
         WHERE since > $1",
    )
    .bind(at.plus(-CODE_LIFETIME_MS).0)
    .fetch_one(tx.conn())
    .await?;
    row.int("n")
}

async fn count_wrong_try(tx: &mut Tx, redeem: &Redeem) -> Result<(), StoreError> {
    sqlx::query("UPDATE enrolment_code SET failures = failures + 1 WHERE selector = $1")
        .bind(redeem.code.selector())
        .execute(tx.conn())
        .await?;
    // One row a minute.
    sqlx::query(
        "INSERT INTO enrolment_guess (since, failures) VALUES ($1, 1) \
         ON CONFLICT (since) DO UPDATE SET failures = enrolment_guess.failures + 1",
    )
    .bind(redeem.at.0 - redeem.at.0.rem_euclid(60_000))
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Code {
    person: PersonId,
    used_by: Option<DeviceId>,
}

/// The living code that is meant, if this phone may use it.
async fn find_code(tx: &mut Tx, redeem: &Redeem) -> Result<Option<Code>, StoreError> {
    let sql = format!(
        "SELECT code_hash, person_id, expires_at, failures, used_at, device \
         FROM enrolment_code WHERE selector = $1{}",
        tx.engine().for_update()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(redeem.code.selector())
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let right = Hash::from_bytes(row.array("code_hash")?) == redeem.hash;
    let alive = row.millis("expires_at")? > redeem.at && row.int("failures")? < TRIES_PER_CODE;
    if !right || !alive {
        return Ok(None);
    }
    let code = Code {
        person: PersonId::from_bytes(row.array("person_id")?),
        used_by: row.opt_array("device")?.map(DeviceId::from_bytes),
    };
    match code.used_by {
        Some(device) if !is_key_of(tx, device, &redeem.key).await? => Ok(None),
        Some(_) | None => Ok(Some(code)),
    }
}

async fn is_key_of(tx: &mut Tx, device: DeviceId, key: &DeviceKey) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 AS one FROM device WHERE device = $1 AND key = $2 AND revoked_at IS NULL",
    )
    .bind(&device.as_bytes()[..])
    .bind(&key.point()[..])
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

/// The person, locked so that two codes cannot enrol two phones at once; `None` when they left or
/// their role carries no phone any more.
async fn find_person(tx: &mut Tx, person: PersonId) -> Result<Option<Enrolled>, StoreError> {
    let lock =
        format!("SELECT person_id FROM person WHERE person_id = $1{}", tx.engine().for_update());
    sqlx::query(sqlx::AssertSqlSafe(lock))
        .bind(&person.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    let row = sqlx::query(
        "SELECT p.name, p.role, p.unit_id, u.name AS unit_name \
         FROM person p JOIN unit u ON u.unit_id = p.unit_id \
         WHERE p.person_id = $1 AND p.closed_at IS NULL",
    )
    .bind(&person.as_bytes()[..])
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let enrolled = read_person(&row, person)?;
    Ok(enrolled.role.carries_phone().then_some(enrolled))
}

fn read_person(row: &AnyRow, person: PersonId) -> Result<Enrolled, StoreError> {
    Ok(Enrolled {
        device: DeviceId::from_bytes([0; 8]),
        person,
        name: row.text("name")?,
        role: role_column(row)?,
        unit: UnitId::from_bytes(row.array("unit_id")?),
        unit_name: row.text("unit_name")?,
    })
}

async fn has_phone(tx: &mut Tx, person: PersonId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT device FROM device WHERE person_id = $1 AND revoked_at IS NULL LIMIT 1",
    )
    .bind(&person.as_bytes()[..])
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

async fn is_known(tx: &mut Tx, key: &DeviceKey) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT device FROM device WHERE key = $1")
        .bind(&key.point()[..])
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}

async fn insert_device(tx: &mut Tx, redeem: &Redeem, person: PersonId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO device (device, person_id, key, model, key_level, app_version, check_words, \
                             install, enrolled_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)",
    )
    .bind(&redeem.device.as_bytes()[..])
    .bind(&person.as_bytes()[..])
    .bind(&redeem.key.point()[..])
    .bind(&redeem.phone.model)
    .bind(redeem.phone.key_level.as_str())
    .bind(&redeem.phone.app_version)
    .bind(check_words(redeem.key.point(), &redeem.code).join(" "))
    .bind(redeem.at.0)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "INSERT INTO device_install (device, install, issued_at, reason) \
         VALUES ($1, 1, $2, 'enrolled')",
    )
    .bind(&redeem.device.as_bytes()[..])
    .bind(redeem.at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Revokes every phone of a person. Their tokens go on: a revoked phone may still hand in what it
/// holds, and nothing else.
///
/// # Errors
/// The database's.
pub async fn revoke_all_of(
    tx: &mut Tx,
    person: PersonId,
    by: PersonId,
    why: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let revoked = sqlx::query(
        "UPDATE device SET revoked_at = $2, revoked_by = $3, revoked_why = $4 \
         WHERE person_id = $1 AND revoked_at IS NULL RETURNING device",
    )
    .bind(&person.as_bytes()[..])
    .bind(at.0)
    .bind(&by.as_bytes()[..])
    .bind(why)
    .fetch_all(tx.conn())
    .await?;
    for row in revoked {
        let device = DeviceId::from_bytes(row.array("device")?);
        audit::note(tx, &[Entry::new(Deed::DeviceRevoked, at).by(by).device(device)]).await?;
    }
    Ok(())
}

/// The answer to every code that is not good.
#[must_use]
pub fn bad_code() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "bad_code", "The enrolment code is not valid")
        .detail("it is mistyped, used, or older than 15 minutes: ask for a new one")
}

/// The answer when too many codes were wrong lately.
#[must_use]
pub fn blocked() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "enrolment_blocked", "Enrolment is blocked")
        .detail("too many wrong codes were tried: wait fifteen minutes")
        .retry_after(900)
}

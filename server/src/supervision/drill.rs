//! Drills (模拟事项): a made-up case is registered only with a bureau leader's approval, one for each.

use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use crate::audit::{self, Deed, Entry};
use crate::cases::{CaseError, required_text};
use crate::store::{RowExt as _, StoreError, Tx};

/// How long an approval can be used (ours).
const VALID_MS: i64 = 7 * 24 * 3_600_000;
/// Approvals in one answer.
const SHOWN: i64 = 200;

/// An approval. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approval {
    /// Its number: what the registration of the drill names.
    pub id: i64,
    /// What is to be tested, and why.
    pub reason: String,
    /// The leader who approved it.
    pub by: PersonId,
    /// When.
    pub at: Millis,
    /// Until when it can be used.
    pub until: Millis,
    /// The drill that was registered with it.
    pub case: Option<DocId>,
}

/// Approves one drill.
///
/// # Errors
/// [`CaseError::Invalid`] without a reason.
pub async fn approve(
    tx: &mut Tx,
    by: PersonId,
    reason: &str,
    now: Millis,
) -> Result<Approval, CaseError> {
    const SQL: &str = "INSERT INTO drill_approval (reason, approved_by, approved_at, until_at) \
         VALUES ($1, $2, $3, $4) \
         RETURNING id, reason, approved_by, approved_at, until_at, case_id";
    required_text("reason", reason)?;
    let query = sqlx::query(SQL).bind(reason).bind(&by.as_bytes()[..]);
    let query = query.bind(now.0).bind(now.plus(VALID_MS).0);
    let approval = read(&query.fetch_one(tx.conn()).await.map_err(StoreError::from)?)?;
    let entry = Entry::new(Deed::DrillApproved, now).by(by);
    audit::note(tx, &[entry.object(approval.id.to_be_bytes())]).await?;
    Ok(approval)
}

/// Uses an approval for the drill `case`.
///
/// # Errors
/// A conflict when there is none that is free and still holds.
pub async fn take(tx: &mut Tx, id: i64, case: DocId, now: Millis) -> Result<(), CaseError> {
    let sql = "UPDATE drill_approval SET case_id = $2 \
               WHERE id = $1 AND case_id IS NULL AND until_at > $3";
    let query = sqlx::query(sql).bind(id).bind(&case.as_bytes()[..]).bind(now.0);
    let taken = query.execute(tx.conn()).await.map_err(StoreError::from)?.rows_affected() == 1;
    if taken { Ok(()) } else { Err(not_approved()) }
}

/// What a drill without an approval that holds is refused with.
#[must_use]
pub fn not_approved() -> CaseError {
    let why = "a drill needs a bureau leader's approval that is less than a week old and was used \
               for no other: POST /v1/drill-approvals, and name its number as `approval`";
    CaseError::Conflict { code: "drill_not_approved", why: why.to_owned() }
}

/// The newest approvals.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT id, reason, approved_by, approved_at, until_at, case_id \
               FROM drill_approval ORDER BY id DESC LIMIT $1";
    sqlx::query(sql).bind(SHOWN).fetch_all(tx.conn()).await?.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Approval, StoreError> {
    Ok(Approval {
        id: row.int("id")?,
        reason: row.text("reason")?,
        by: PersonId::from_bytes(row.array("approved_by")?),
        at: row.millis("approved_at")?,
        until: row.millis("until_at")?,
        case: row.opt_array("case_id")?.map(DocId::from_bytes),
    })
}

//! `Idempotency-Key`: a command that is sent again is answered as the first time, not done again.
//!
//! The key, the request's fingerprint and the reply are rows of the command's own transaction.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use serde::Serialize;

use super::Problem;
use crate::store::{RowExt as _, StoreError, Tx};

const HEADER: &str = "idempotency-key";
/// Characters of a key.
const KEY_CHARS: usize = 200;

/// The key that a client chose for one command, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_CHARS);
        let key = key.ok_or_else(|| {
            Problem::invalid(format!("`{HEADER}`: send 1 to {KEY_CHARS} visible ASCII characters"))
        })?;
        Ok(Self(Some(key.to_owned())))
    }
}

impl IdempotencyKey {
    /// This key, or `other` from a client that chose none.
    #[must_use]
    pub fn or(self, other: impl FnOnce() -> String) -> Self {
        Self(Some(self.0.unwrap_or_else(other)))
    }
}

/// One command of one person, recognisable when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    owner: PersonId,
    key: Option<String>,
    fingerprint: Hash,
}

impl Command {
    /// The command `name` with `body`, sent by `owner` under `key`.
    ///
    /// # Errors
    /// When the body has no JSON form.
    pub fn new(
        owner: PersonId,
        key: IdempotencyKey,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let body = serde_json::to_vec(&(name, body)).map_err(|error| Problem::internal(&error))?;
        Ok(Self { owner, key: key.0, fingerprint: sha256(&body) })
    }

    /// The reply to this command if it was done before; else takes the key, so that the same
    /// command at the same time waits for this transaction.
    ///
    /// # Errors
    /// When the key was used for another command, and the database's.
    pub async fn begin(&self, tx: &mut Tx, now: Millis) -> Result<Option<Reply>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let taken = sqlx::query(
            "INSERT INTO idempotency (owner, key, request_hash, status, reply, created_at) \
             VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (owner, key) DO NOTHING",
        )
        .bind(&self.owner.as_bytes()[..])
        .bind(key)
        .bind(&self.fingerprint.as_bytes()[..])
        .bind(&[][..])
        .bind(now.0)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
        if taken.rows_affected() == 1 {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT request_hash, status, reply FROM idempotency WHERE owner = $1 AND key = $2",
        )
        .bind(&self.owner.as_bytes()[..])
        .bind(key)
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
        if Hash::from_bytes(row.array("request_hash")?) != self.fingerprint {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The key was used for another command",
            )
            .detail(format!("choose a new `{HEADER}` for each command")));
        }
        Ok(Some(Reply { status: row.number("status")?, body: row.bytes("reply")? }))
    }

    /// Keeps the reply for when the command comes again.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish(&self, tx: &mut Tx, reply: &Reply) -> Result<(), StoreError> {
        let Some(key) = &self.key else { return Ok(()) };
        sqlx::query("UPDATE idempotency SET status = $3, reply = $4 WHERE owner = $1 AND key = $2")
            .bind(&self.owner.as_bytes()[..])
            .bind(key)
            .bind(i64::from(reply.status))
            .bind(&reply.body[..])
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

/// A reply as it was sent: its status and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
}

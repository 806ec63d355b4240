//! `Idempotency-Key`: a command that is sent again is answered as the first time, not done again.
//!
//! The key, the request's fingerprint and the reply are rows of the command's own transaction. Whatever
//! makes something takes a key, with the exceptions that would have to keep a secret for it: a new
//! personal key and an enrolment code are shown once, and each look at a complainant is one of its own.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use schemars::{JsonSchema, json_schema};
use serde::Serialize;

use super::Problem;
use crate::describe::{Answer, Input, Operation};
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

impl Input for IdempotencyKey {
    fn describe(operation: &mut Operation<'_>) {
        let about = "A name for this command that no other has: sent again with it, the command is \
            answered as the first time and not done again.";
        let key = json_schema!({
            "type": "string", "minLength": 1, "maxLength": KEY_CHARS, "pattern": "^[!-~]+$",
        });
        operation.takes_header("Idempotency-Key", false, about, key);
        operation.may_refuse(&[400, 422]);
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

    /// The reply to a command that made `thing`, kept for when it comes again.
    ///
    /// # Errors
    /// The database's.
    pub async fn made(&self, tx: &mut Tx, thing: &impl Serialize) -> Result<Reply, Problem> {
        let body = serde_json::to_vec(thing).map_err(|error| Problem::internal(&error))?;
        let reply = Reply { status: StatusCode::CREATED.as_u16(), body };
        self.finish(tx, &reply).await?;
        Ok(reply)
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

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match StatusCode::from_u16(self.status) {
            Ok(status) => {
                let json = HeaderValue::from_static("application/json");
                (status, [(header::CONTENT_TYPE, json)], self.body).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// The reply to a command that makes a `T`, first sent or sent again.
#[derive(Debug)]
pub(super) struct Made<T>(Reply, PhantomData<T>);

impl<T> From<Reply> for Made<T> {
    fn from(reply: Reply) -> Self {
        Self(reply, PhantomData)
    }
}

impl<T> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: JsonSchema> Answer for Made<T> {
    fn describe(operation: &mut Operation<'_>, _: u16) {
        operation.answers_json::<T>(201);
        operation.may_refuse(&[404, 409]);
    }
}

/// Something new that is shown once and of which the hub keeps no copy to show again.
#[derive(Debug)]
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (StatusCode::CREATED, no_store, axum::Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Answer for Created<T> {
    fn describe(operation: &mut Operation<'_>, _: u16) {
        operation.answers_json::<T>(201);
        operation.may_refuse(&[404, 409]);
    }
}

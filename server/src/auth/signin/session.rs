//! What a sign-in gives: `ons_` and 256 random bits for `Authorization: Bearer`, of which the hub
//! keeps a hash. The person's role and standing are read with every request, so a change takes
//! effect at once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::credentials::{person_closed, person_viewer, session_ended};
use crate::auth::viewer::Viewer;
use crate::config;
use crate::problem::Problem;
use crate::random::{self, Random};
use crate::store::{RowExt as _, StoreError, Tx};

/// How every token begins, so that scanners for leaked secrets find it.
pub const PREFIX: &str = "ons_";
/// Milliseconds after which the time of a session's last use is written again.
const USE_RECORDED_EVERY_MS: i64 = 60_000;

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By password and authenticator.
    Password,
    /// By password and recovery code.
    RecoveryCode,
    /// Through the identity provider.
    Oidc,
}

impl Method {
    /// As it stands in JSON, in the database and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RecoveryCode => "recovery_code",
            Self::Oidc => "oidc",
        }
    }
}

/// A new token.
#[must_use]
pub fn draw(random: &dyn Random) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>(random)))
}

/// What the hub keeps of a token, and the session's public name.
#[must_use]
pub fn hash(token: &str) -> Hash {
    sha256(token.as_bytes())
}

impl config::SignIn {
    /// When a session that began at `created` and was last used at `used` ends by itself.
    #[must_use]
    pub fn ends_at(&self, created: Millis, used: Millis) -> Millis {
        let idle = used.plus(i64::from(self.idle_minutes) * 60_000);
        idle.min(created.plus(self.most_ms()))
    }

    fn most_ms(&self) -> i64 {
        i64::from(self.session_hours) * 60 * 60_000
    }
}

/// Begins a session, and forgets those that are too old to count.
///
/// # Errors
/// The database's.
pub async fn begin(
    tx: &mut Tx,
    limits: &config::SignIn,
    (person, method): (PersonId, Method),
    token: Hash,
    at: Millis,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM session WHERE created_at <= $1")
        .bind(at.plus(-limits.most_ms()).0)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO session (token_hash, person_id, method, created_at, used_at) \
         VALUES ($1, $2, $3, $4, $4)",
    )
    .bind(&token.as_bytes()[..])
    .bind(&person.as_bytes()[..])
    .bind(method.as_str())
    .bind(at.0)
    .execute(tx.conn())
    .await?;
    let entry = Entry::new(Deed::SignedIn, at).by(person).detail(method.as_str());
    audit::note(tx, &[entry.hashes([&token])]).await
}

/// The person whose session this is; it is used by that.
pub(in crate::auth) async fn viewer(app: &App, token: &str) -> Result<Viewer, Problem> {
    let ((viewer, used), now) = (find_valid(app, token).await?, app.now());
    if now.since(used) >= USE_RECORDED_EVERY_MS {
        const USE: &str = "UPDATE session SET used_at = $2 WHERE token_hash = $1";
        let hash = hash(token);
        let query = || sqlx::query(USE).bind(hash.as_bytes().to_vec()).bind(now.0);
        app.store.write_one("auth.session_used", query).await?;
    }
    Ok(viewer)
}

/// The person whose session this is, if it has not ended, and when it was used last.
pub(in crate::auth) async fn find_valid(
    app: &App,
    token: &str,
) -> Result<(Viewer, Millis), Problem> {
    const SQL: &str = "SELECT s.created_at, s.used_at, p.person_id, p.role, p.unit_id, p.team_id, \
                p.closed_at \
         FROM session s JOIN person p ON p.person_id = s.person_id WHERE s.token_hash = $1";
    let (hash, now) = (hash(token), app.now());
    let query = || sqlx::query(SQL).bind(hash.as_bytes().to_vec());
    let rows = app.store.read_one("auth.session", query).await?;
    let Some(row) = rows.first() else { return Err(session_ended()) };
    let used = row.millis("used_at")?;
    if app.config.sign_in.ends_at(row.millis("created_at")?, used) <= now {
        return Err(session_ended());
    }
    if row.opt_millis("closed_at")?.is_some() {
        return Err(person_closed());
    }
    let viewer = person_viewer(&app.store, row, None).await?;
    if !viewer.role.signs_in() {
        return Err(session_ended());
    }
    Ok((viewer, used))
}

/// A session as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its public name, which opens nothing.
    pub id: Hash,
    /// How its owner signed in.
    pub method: Method,
    /// When.
    pub created_at: Millis,
    /// When it was last used, to the minute.
    pub used_at: Millis,
    /// When it ends unless it is used.
    pub ends_at: Millis,
}

/// The sessions of a person that have not ended.
///
/// # Errors
/// The database's.
pub async fn of(
    tx: &mut Tx,
    limits: &config::SignIn,
    person: PersonId,
    now: Millis,
) -> Result<Vec<Session>, StoreError> {
    let rows = sqlx::query(
        "SELECT token_hash, method, created_at, used_at FROM session WHERE person_id = $1 \
         ORDER BY created_at, token_hash",
    )
    .bind(&person.as_bytes()[..])
    .fetch_all(tx.conn())
    .await?;
    let read = |row: &AnyRow| {
        let (created_at, used_at) = (row.millis("created_at")?, row.millis("used_at")?);
        let method = match &row.text("method")?[..] {
            "recovery_code" => Method::RecoveryCode,
            "oidc" => Method::Oidc,
            _ => Method::Password,
        };
        let id = Hash::from_bytes(row.array("token_hash")?);
        let ends_at = limits.ends_at(created_at, used_at);
        Ok(Session { id, method, created_at, used_at, ends_at })
    };
    let all: Result<Vec<_>, StoreError> = rows.iter().map(read).collect();
    Ok(all?.into_iter().filter(|session| session.ends_at > now).collect())
}

/// Which sessions of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// This one.
    One(Hash),
    /// All others.
    AllBut(Hash),
}

/// Ends sessions of a person. Returns whether there were any.
///
/// # Errors
/// The database's.
pub async fn end(
    tx: &mut Tx,
    person: PersonId,
    which: Which,
    (by, why): (Option<PersonId>, &'static str),
    at: Millis,
) -> Result<bool, StoreError> {
    let (clause, hash) = match which {
        Which::All => ("", None),
        Which::One(hash) => (" AND token_hash = $2", Some(hash)),
        Which::AllBut(hash) => (" AND token_hash <> $2", Some(hash)),
    };
    let sql = format!("DELETE FROM session WHERE person_id = $1{clause} RETURNING token_hash");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(person.as_bytes().to_vec());
    if let Some(hash) = hash {
        query = query.bind(hash.as_bytes().to_vec());
    }
    let rows = query.fetch_all(tx.conn()).await?;
    let ended: Result<Vec<Hash>, StoreError> =
        rows.iter().map(|row| row.array("token_hash").map(Hash::from_bytes)).collect();
    let ended = ended?;
    if ended.is_empty() {
        return Ok(false);
    }
    let mut entry = Entry::new(Deed::SessionsEnded, at).to(person.as_bytes()).detail(why);
    entry.person = by;
    audit::note(tx, &[entry.hashes(&ended)]).await?;
    Ok(true)
}

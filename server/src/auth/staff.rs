//! Personal keys of people at desks: `onk_` and 256 random bits, of which the hub keeps a hash.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{Hash, PersonId, UnitId};
use onscene_sync_core::time::Millis;

use super::credentials::{bad_staff_key, person_closed, person_viewer};
use super::role::Role;
use super::viewer::Viewer;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::keys::write_private;
use crate::problem::Problem;
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// How every key begins, so that scanners for leaked secrets find it.
pub const PREFIX: &str = "onk_";
/// Name of the first administrator's key file in the data folder.
pub const ADMIN_KEY_FILE: &str = "admin.key";
/// Milliseconds after which the time of a key's last use is written again.
const USE_RECORDED_EVERY_MS: i64 = 60 * 60 * 1000;

/// Writes 32 random bytes as a key.
#[must_use]
pub fn key_text(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// What the hub keeps of a key, and the key's public name.
#[must_use]
pub fn key_hash(key: &str) -> Hash {
    sha256(key.as_bytes())
}

/// A key about to be stored.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// [`key_hash`] of it.
    pub hash: Hash,
    /// Whose.
    pub person: PersonId,
    /// What it is for, in its owner's words.
    pub label: String,
    /// Now.
    pub created_at: Millis,
    /// When it ends; only the first administrator's key has no end.
    pub expires_at: Option<Millis>,
}

/// Stores a key, issued by `by` (`None`: by the hub itself).
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, key: &NewKey, by: Option<PersonId>) -> Result<(), StoreError> {
    let mut entry = Entry::new(Deed::KeyIssued, key.created_at).to(key.person.as_bytes());
    entry.person = by;
    audit::note(tx, &[entry.hashes([&key.hash])]).await?;
    sqlx::query(
        "INSERT INTO staff_key (key_hash, person_id, label, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&key.hash.as_bytes()[..])
    .bind(&key.person.as_bytes()[..])
    .bind(&key.label)
    .bind(key.created_at.0)
    .bind(key.expires_at.map(|at| at.0))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The person whose key this is.
pub(super) async fn viewer(app: &App, key: &str) -> Result<Viewer, Problem> {
    let (found, now) = (find_valid(app, key).await?, app.now());
    if found.last_used_at.is_none_or(|at| now.since(at) >= USE_RECORDED_EVERY_MS) {
        record_use(&app.store, key_hash(key), now).await?;
    }
    Ok(found.viewer)
}

/// The key and its person, if it opens anything now.
pub(super) async fn find_valid(app: &App, key: &str) -> Result<Found, Problem> {
    let (hash, now) = (key_hash(key), app.now());
    let found = find(&app.store, hash).await?.ok_or_else(bad_staff_key)?;
    if found.revoked || found.expires_at.is_some_and(|at| at <= now) {
        return Err(bad_staff_key());
    }
    if found.closed {
        return Err(person_closed());
    }
    Ok(found)
}

pub(super) struct Found {
    pub(super) viewer: Viewer,
    revoked: bool,
    closed: bool,
    expires_at: Option<Millis>,
    last_used_at: Option<Millis>,
}

async fn find(store: &Store, hash: Hash) -> Result<Option<Found>, StoreError> {
    const SQL: &str = "SELECT k.expires_at, k.revoked_at, k.last_used_at, p.person_id, p.role, \
                p.unit_id, p.team_id, p.closed_at \
         FROM staff_key k JOIN person p ON p.person_id = k.person_id WHERE k.key_hash = $1";
    let query = || sqlx::query(SQL).bind(hash.as_bytes().to_vec());
    let rows = store.read_one("auth.staff", query).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        viewer: person_viewer(store, row, None).await?,
        revoked: row.opt_millis("revoked_at")?.is_some(),
        closed: row.opt_millis("closed_at")?.is_some(),
        expires_at: row.opt_millis("expires_at")?,
        last_used_at: row.opt_millis("last_used_at")?,
    }))
}

async fn record_use(store: &Store, hash: Hash, now: Millis) -> Result<(), StoreError> {
    store
        .with_tx("auth.key_used", (hash, now), |tx, (hash, now)| {
            Box::pin(async move {
                sqlx::query("UPDATE staff_key SET last_used_at = $2 WHERE key_hash = $1")
                    .bind(&hash.as_bytes()[..])
                    .bind(now.0)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Why a new hub could not be given its first administrator.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdministratorError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file.
    #[error("{path}: {source}: the first administrator's key is kept there")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Gives an empty database its first unit and its first administrator, whose key is written to
/// `<data>/admin.key`, readable by the server's user alone. Does nothing on any other database.
/// A key file that is there already is used: an earlier start may have stopped half-way.
///
/// # Errors
/// When the file or the database cannot be written.
pub async fn first_administrator(
    store: &Store,
    data: &Path,
    fresh: First,
) -> Result<(), FirstAdministratorError> {
    let people = store.with_read("auth.people", (), |tx, ()| Box::pin(count_people(tx)));
    if people.await? > 0 {
        return Ok(());
    }
    let path = data.join(ADMIN_KEY_FILE);
    let text = key_text(fresh.key);
    let file = |source: std::io::Error| FirstAdministratorError::File {
        path: path.display().to_string(),
        source,
    };
    let (key, written) = match write_private(&path, &text) {
        Ok(()) => (text, true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            (read_key(&path).map_err(file)?, false)
        }
        Err(error) => return Err(file(error)),
    };
    let created = store.with_tx("auth.first", (fresh, key_hash(&key)), |tx, (fresh, hash)| {
        Box::pin(async move { create_first(tx, fresh, *hash).await })
    });
    if created.await? {
        tracing::info!(path = %path.display(), "the first administrator's key is in this file");
    } else if written {
        // Another node was first: this key opens nothing.
        std::fs::remove_file(&path).map_err(file)?;
    }
    Ok(())
}

/// Reads a key file that an earlier start has left.
fn read_key(path: &Path) -> std::io::Result<String> {
    let refuse = |what: &str| Err(std::io::Error::other(format!("{what}: remove the file")));
    if std::fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return refuse("other users can read it");
    }
    let key = std::fs::read_to_string(path)?.trim().to_owned();
    let random = key.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    if random.is_some_and(|random| random.len() == 32) {
        Ok(key)
    } else {
        refuse("it holds no key")
    }
}

/// What a new hub's first administrator is made of.
#[derive(Debug, Clone)]
pub struct First {
    /// The first unit's id.
    pub unit: UnitId,
    /// The person's id.
    pub person: PersonId,
    /// Random bytes of the key.
    pub key: [u8; 32],
    /// Now.
    pub at: Millis,
}

async fn count_people(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) AS n FROM person").fetch_one(tx.conn()).await?;
    row.int("n")
}

async fn create_first(tx: &mut Tx, first: &First, hash: Hash) -> Result<bool, StoreError> {
    // Two nodes may start on one empty database: the row of `meta` makes them take turns.
    let lock =
        format!("SELECT value FROM meta WHERE key = 'application'{}", tx.engine().for_update());
    sqlx::query(sqlx::AssertSqlSafe(lock)).fetch_optional(tx.conn()).await?;
    if count_people(tx).await? > 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO unit (unit_id, parent, name, created_at) VALUES ($1, NULL, $2, $3)")
        .bind(&first.unit.as_bytes()[..])
        .bind("Bureau")
        .bind(first.at.0)
        .execute(tx.conn())
        .await?;
    let person = crate::http::people::NewPerson {
        person: first.person,
        name: "First administrator".to_owned(),
        role: Role::Administrator,
        unit: first.unit,
        team: None,
        at: first.at,
    };
    crate::http::people::insert(tx, &person, None).await?;
    let key = NewKey {
        hash,
        person: first.person,
        label: ADMIN_KEY_FILE.to_owned(),
        created_at: first.at,
        expires_at: None,
    };
    insert(tx, &key, None).await?;
    Ok(true)
}

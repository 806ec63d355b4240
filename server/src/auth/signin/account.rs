//! What a person signs in with, as an administrator sees it and takes it away.

use axum::http::StatusCode;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;

use super::session::{self, Which};
use super::{SignIn, recovery};
use crate::audit::{self, Deed, Entry};
use crate::problem::Problem;
use crate::store::{RowExt as _, StoreError, Tx};

/// What there is of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name and when the password was set, if there is one.
    pub login: Option<(String, Millis)>,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
    /// When the open invitation ends, if there is one.
    pub invited_until: Option<Millis>,
    /// As whom the identity provider knows them.
    pub identity: Option<String>,
}

/// Reads it.
///
/// # Errors
/// The database's.
pub async fn of(tx: &mut Tx, person: PersonId, now: Millis) -> Result<Account, StoreError> {
    let one = person.as_bytes();
    let login = sqlx::query("SELECT login, set_at FROM sign_in WHERE person_id = $1")
        .bind(&one[..])
        .fetch_optional(tx.conn())
        .await?;
    let invitation = sqlx::query(
        "SELECT max(expires_at) AS until_at FROM sign_in_invitation WHERE person_id = $1",
    )
    .bind(&one[..])
    .fetch_one(tx.conn())
    .await?;
    let identity = sqlx::query("SELECT identity FROM identity WHERE person_id = $1")
        .bind(&one[..])
        .fetch_optional(tx.conn())
        .await?;
    let login = login.map(|row| Ok::<_, StoreError>((row.text("login")?, row.millis("set_at")?)));
    Ok(Account {
        login: login.transpose()?,
        recovery_codes: recovery::left(tx, person).await?,
        invited_until: invitation.opt_millis("until_at")?.filter(|until| *until > now),
        identity: identity.map(|row| row.text("identity")).transpose()?,
    })
}

/// The login name of a person, if they have one.
///
/// # Errors
/// The database's.
pub async fn login_of(tx: &mut Tx, person: PersonId) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT login FROM sign_in WHERE person_id = $1")
        .bind(&person.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| row.text("login")).transpose()
}

/// Takes password, authenticator, codes and invitation away, and ends all sessions. The identity at
/// the provider stays.
///
/// # Errors
/// The database's.
pub async fn reset(
    tx: &mut Tx,
    person: PersonId,
    by: PersonId,
    at: Millis,
) -> Result<(), StoreError> {
    forget_password(tx, person).await?;
    let entry = Entry::new(Deed::SignInReset, at).by(by).to(person.as_bytes());
    audit::note(tx, &[entry]).await?;
    session::end(tx, person, Which::All, (Some(by), "reset"), at).await.map(drop)
}

/// Forgets all that a person signs in with: they have left.
///
/// # Errors
/// The database's.
pub async fn forget(
    tx: &mut Tx,
    person: PersonId,
    by: PersonId,
    at: Millis,
) -> Result<(), StoreError> {
    forget_password(tx, person).await?;
    forget_identity(tx, person).await?;
    session::end(tx, person, Which::All, (Some(by), "no_sign_in"), at).await.map(drop)
}

pub(super) async fn forget_password(tx: &mut Tx, person: PersonId) -> Result<(), StoreError> {
    recovery::forget(tx, person).await?;
    for statement in [
        "DELETE FROM sign_in WHERE person_id = $1",
        "DELETE FROM sign_in_invitation WHERE person_id = $1",
    ] {
        sqlx::query(statement).bind(&person.as_bytes()[..]).execute(tx.conn()).await?;
    }
    Ok(())
}

async fn forget_identity(tx: &mut Tx, person: PersonId) -> Result<bool, StoreError> {
    let gone = sqlx::query("DELETE FROM identity WHERE person_id = $1")
        .bind(&person.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(gone.rows_affected() > 0)
}

impl SignIn {
    /// An identity as the audit log names it.
    #[must_use]
    pub fn identity_hash(&self, identity: &str) -> Hash {
        self.keyed(b"identity", identity.as_bytes())
    }
}

/// Says as whom the identity provider knows a person, in place of what was said before; `true` when
/// something was.
///
/// # Errors
/// `identity_taken` when that is somebody else, and the database's.
pub async fn link(
    tx: &mut Tx,
    (person, identity): (PersonId, &str),
    entry: Entry,
) -> Result<bool, Problem> {
    let replaced = forget_identity(tx, person).await?;
    let linked = sqlx::query(
        "INSERT INTO identity (person_id, identity, linked_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&person.as_bytes()[..])
    .bind(identity)
    .bind(entry.at.0)
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    if linked.rows_affected() == 0 {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "identity_taken",
            "The provider knows somebody else as this",
        )
        .detail("one identity is one person: take it from the other first"));
    }
    audit::note(tx, &[entry]).await?;
    Ok(replaced)
}

/// Takes the identity at the provider away, and ends all sessions.
///
/// # Errors
/// The database's.
pub async fn unlink(
    tx: &mut Tx,
    person: PersonId,
    by: PersonId,
    at: Millis,
) -> Result<(), StoreError> {
    if !forget_identity(tx, person).await? {
        return Ok(());
    }
    let entry = Entry::new(Deed::IdentityUnlinked, at).by(by).to(person.as_bytes());
    audit::note(tx, &[entry]).await?;
    session::end(tx, person, Which::All, (Some(by), "identity_unlinked"), at).await.map(drop)
}

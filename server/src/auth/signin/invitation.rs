//! How a person comes to a password: an administrator hands out a one-time code; who has it chooses
//! a name and a password, connects an authenticator, and proves it with its first code.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::recovery;
use super::session::{self, Method, Which};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::credentials::role_column;
use crate::problem::Problem;
use crate::random::{self, Random};
use crate::store::{RowExt as _, StoreError, Tx};

/// How every code begins.
const PREFIX: &str = "oni_";

/// A new code of 256 bits: nobody guesses one, so wrong ones need not be counted.
#[must_use]
pub fn draw(random: &dyn Random) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>(random)))
}

/// What the hub keeps of a code.
#[must_use]
pub fn hash(code: &str) -> Hash {
    sha256(code.trim().as_bytes())
}

/// An invitation about to be handed out.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Whom it is for.
    pub person: PersonId,
    /// [`hash`] of its code.
    pub code: Hash,
    /// Now.
    pub at: Millis,
    /// When it ends.
    pub expires_at: Millis,
}

/// Stores an invitation by `by` (`None`: by who runs the hub) in place of any earlier of the person.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    new: &NewInvitation,
    by: Option<PersonId>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sign_in_invitation WHERE person_id = $1 OR expires_at < $2")
        .bind(&new.person.as_bytes()[..])
        .bind(new.at.0)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO sign_in_invitation (code_hash, person_id, expires_at) VALUES ($1, $2, $3)",
    )
    .bind(&new.code.as_bytes()[..])
    .bind(&new.person.as_bytes()[..])
    .bind(new.expires_at.0)
    .execute(tx.conn())
    .await?;
    let mut entry = Entry::new(Deed::SignInInvited, new.at).to(new.person.as_bytes());
    entry.person = by;
    audit::note(tx, &[entry]).await
}

/// A good invitation.
#[derive(Debug, Clone)]
pub struct Invited {
    /// Whom it is for.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// When it ends.
    pub expires_at: Millis,
    /// What they have chosen.
    chosen: Option<Chosen>,
}

/// What the invited has chosen, until the authenticator's first code.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The name.
    pub login: String,
    /// The password, as a PHC string.
    pub password: String,
    /// The sealed secret.
    pub totp: Vec<u8>,
}

/// The invitation behind a code, locked in a writing transaction.
///
/// # Errors
/// `bad_invitation` when it is unknown, used or over, or the person does not sign in any more.
pub async fn require(tx: &mut Tx, code: Hash, at: Millis, lock: bool) -> Result<Invited, Problem> {
    let sql = format!(
        "SELECT i.person_id, i.expires_at, i.login, i.password, i.totp, p.name, p.role, p.closed_at \
         FROM sign_in_invitation i JOIN person p ON p.person_id = i.person_id \
         WHERE i.code_hash = $1{}",
        if lock { tx.engine().for_update() } else { "" }
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&code.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let Some(row) = row else { return Err(bad_invitation()) };
    let over = row.millis("expires_at")? <= at || row.opt_millis("closed_at")?.is_some();
    if over || !role_column(&row)?.signs_in() {
        return Err(bad_invitation());
    }
    Ok(read(&row)?)
}

fn read(row: &AnyRow) -> Result<Invited, StoreError> {
    let chosen = match (row.opt_text("login")?, row.opt_text("password")?, row.opt_bytes("totp")?) {
        (Some(login), Some(password), Some(totp)) => Some(Chosen { login, password, totp }),
        _ => None,
    };
    Ok(Invited {
        person: PersonId::from_bytes(row.array("person_id")?),
        name: row.text("name")?,
        expires_at: row.millis("expires_at")?,
        chosen,
    })
}

/// Notes what the invited has chosen; what they chose before with this code is forgotten.
///
/// # Errors
/// `bad_invitation`, `login_taken`, and the database's.
pub async fn choose(tx: &mut Tx, code: Hash, chosen: &Chosen, at: Millis) -> Result<(), Problem> {
    let invited = require(tx, code, at, true).await?;
    require_free(tx, &chosen.login, invited.person).await?;
    sqlx::query(
        "UPDATE sign_in_invitation SET login = $2, password = $3, totp = $4 WHERE code_hash = $1",
    )
    .bind(&code.as_bytes()[..])
    .bind(&chosen.login)
    .bind(&chosen.password)
    .bind(&chosen.totp[..])
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(())
}

/// Refuses a name that somebody else has.
///
/// # Errors
/// `login_taken`, and the database's.
async fn require_free(tx: &mut Tx, login: &str, person: PersonId) -> Result<(), Problem> {
    let row = sqlx::query("SELECT person_id FROM sign_in WHERE login = $1 AND person_id <> $2")
        .bind(login)
        .bind(&person.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if row.is_none() { Ok(()) } else { Err(login_taken()) }
}

/// The first code of the authenticator.
#[derive(Debug)]
pub struct Confirm {
    /// The program.
    pub app: App,
    /// [`hash`] of the invitation.
    pub code: Hash,
    /// What the authenticator shows.
    pub totp: crate::config::Secret,
    /// Ten new recovery codes.
    pub recovery: Vec<String>,
    /// [`session::hash`] of the session that begins.
    pub token: Hash,
}

/// Makes the person's sign-in out of what they have chosen, in place of any they had, and signs them
/// in. The invitation is used then.
///
/// # Errors
/// `bad_invitation`, `nothing_chosen`, `wrong_code`, `login_taken`, and the database's.
pub async fn confirm(tx: &mut Tx, confirm: &Confirm) -> Result<(PersonId, Chosen), Problem> {
    let (auth, at) = (&confirm.app.auth.sign_in, confirm.app.now());
    let invited = require(tx, confirm.code, at, true).await?;
    let (person, chosen) = (invited.person, invited.chosen.ok_or_else(nothing_chosen)?);
    let secret = auth.open_totp(person, &chosen.totp);
    let step = secret.and_then(|secret| secret.step_of(confirm.totp.0.trim(), at, 0));
    let step = step.ok_or_else(wrong_code)?;
    require_free(tx, &chosen.login, person).await?;
    super::account::forget_password(tx, person).await?;
    let inserted = sqlx::query(
        "INSERT INTO sign_in (person_id, login, password, totp, totp_step, set_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&person.as_bytes()[..])
    .bind(&chosen.login)
    .bind(&chosen.password)
    .bind(&chosen.totp[..])
    .bind(step)
    .bind(at.0)
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    if inserted.rows_affected() == 0 {
        return Err(login_taken());
    }
    let hashes: Vec<Hash> =
        confirm.recovery.iter().filter_map(|code| auth.recovery_hash(person, code)).collect();
    recovery::replace(tx, person, &hashes).await?;
    audit::note(tx, &[Entry::new(Deed::SignInSet, at).by(person)]).await?;
    session::end(tx, person, Which::All, (Some(person), "sign_in_set"), at).await?;
    let limits = &confirm.app.config.sign_in;
    session::begin(tx, limits, (person, Method::Password), confirm.token, at).await?;
    Ok((person, chosen))
}

fn bad_invitation() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "bad_invitation", "The invitation is not valid")
        .detail("it is mistyped, used, replaced or too old: ask an administrator for a new one")
}

fn login_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "login_taken", "Somebody else has this login name")
        .detail("choose another one; the invitation stays valid")
}

fn nothing_chosen() -> Problem {
    Problem::new(StatusCode::CONFLICT, "nothing_chosen", "There is nothing to confirm yet")
        .detail("choose a name and a password first: POST /v1/sign-in/invitation")
}

fn wrong_code() -> Problem {
    Problem::new(StatusCode::CONFLICT, "wrong_code", "The code is not the authenticator's").detail(
        "type what it shows now. If its clock is set by hand, set it by the network; if it holds \
             several of this hub, choose the password again and scan anew",
    )
}

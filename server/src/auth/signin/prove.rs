//! One try: a login name, a password and a code, and what is done if they are right.
//!
//! Whatever is wrong, the same is done in the same order: the kept password is looked for, the try counted, one
//! password hashed, one row looked for under the name, and one answer given. So neither words nor time tell which
//! names there are.

use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;

use super::login::LoginName;
use super::password::Password;
use super::session::{self, Method, Which};
use super::source::Source;
use super::throttle::{self, Counted};
use super::{not_right, recovery, totp};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::credentials::role_column;
use crate::config::Secret;
use crate::problem::Problem;
use crate::store::{RowExt as _, StoreError, Tx};

/// What somebody gave.
#[derive(Debug, Clone)]
pub struct Try {
    /// The name.
    pub login: LoginName,
    /// The password.
    pub password: Secret,
    /// The authenticator's code, or a recovery code.
    pub code: Secret,
    /// From where.
    pub source: Source,
    /// By what it shows that it signed in under this name before.
    pub shown: Option<Shown>,
}

/// What only somebody has who signed in before.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A device's token, not looked at yet.
    Device(Secret),
    /// The present session.
    Session(Hash),
}

/// Who was right.
#[derive(Debug)]
pub struct Proven {
    /// The person.
    pub person: PersonId,
    /// The PHC string of the password that was right.
    pub password: String,
}

/// What it is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// To begin the session of this [`session::hash`].
    SignIn(Hash),
    /// To have these recovery codes instead of the former.
    Codes(Vec<Hash>),
    /// To have this password (a PHC string) from now on; all sessions but this one end.
    Password(String, Hash),
}

#[derive(Debug)]
struct Proof {
    app: App,
    given: Try,
    counted: Counted,
    /// The PHC string that the password was compared with.
    kept: Option<String>,
    right: bool,
    purpose: Purpose,
    at: Millis,
}

/// Does what the try is for, if it is right.
///
/// # Errors
/// `sign_in_failed`, whatever was wrong; `too_many_tries`; the database's.
pub async fn prove(app: &App, given: Try, purpose: Purpose) -> Result<Proven, Problem> {
    let password = Password::typed(&given.password.0)?;
    let kept = kept_of(app, &given.login).await?;
    let known = known(app, &given, kept.as_deref());
    let tries = app.auth.sign_in.tries(Some(&given.login), known, given.source);
    let counted = throttle::begin(app, &tries).await?;
    let looked_at = look_at(app, given, (password, kept.clone()), (purpose, counted.clone())).await;
    let person = throttle::settle(app, counted, looked_at).await?;
    let outcome = if person.is_some() { "right" } else { "wrong" };
    metrics::counter!("onscene_sign_in_tries_total", "outcome" => outcome).increment(1);
    let right = person.zip(kept).map(|(person, password)| Proven { person, password });
    right.ok_or_else(not_right)
}

fn known(app: &App, given: &Try, kept: Option<&str>) -> Option<Hash> {
    match given.shown.as_ref()? {
        Shown::Session(session) => Some(*session),
        Shown::Device(token) => {
            let account = (given.login.as_str(), kept);
            app.auth.sign_in.known_device(account, &token.0, app.now())
        }
    }
}

/// `None` when something is wrong.
async fn look_at(
    app: &App,
    given: Try,
    (password, kept): (Password, Option<String>),
    (purpose, counted): (Purpose, Counted),
) -> Result<Option<PersonId>, Problem> {
    let right = app.auth.sign_in.passwords.is_right(password, kept.clone()).await?;
    let at = app.now();
    let proof = Proof { app: app.clone(), given, counted, kept, right, purpose, at };
    let done = app.store.with_tx("sign_in.prove", proof, |tx, proof| {
        Box::pin(async move { finish(tx, proof).await })
    });
    Ok(done.await?)
}

async fn kept_of(app: &App, login: &LoginName) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT password FROM sign_in WHERE login = $1";
    let query = || sqlx::query(SQL).bind(login.as_str().to_owned());
    let rows = app.store.read_one("sign_in.password", query).await?;
    rows.first().map(|row| row.text("password")).transpose()
}

async fn finish(tx: &mut Tx, proof: &Proof) -> Result<Option<PersonId>, StoreError> {
    let sql = format!(
        "SELECT s.person_id, s.password, s.totp, s.totp_step, p.role, p.closed_at \
         FROM sign_in s JOIN person p ON p.person_id = s.person_id WHERE s.login = $1{}",
        tx.engine().for_update()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(proof.given.login.as_str())
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let person = PersonId::from_bytes(row.array("person_id")?);
    let stands = row.opt_millis("closed_at")?.is_none() && role_column(&row)?.signs_in();
    // Another password since it was compared would make the comparison one of the past.
    let same = proof.kept == Some(row.text("password")?);
    if !(proof.right && stands && same) {
        return Ok(None);
    }
    let sealed = row.bytes("totp")?;
    let Some(method) = second_factor(tx, proof, person, &sealed, row.int("totp_step")?).await?
    else {
        return Ok(None);
    };
    throttle::was_right(tx, &proof.counted, proof.at).await?;
    carry_out(tx, proof, person, method).await?;
    Ok(Some(person))
}

/// Takes the code, if it is right: it is used then.
async fn second_factor(
    tx: &mut Tx,
    proof: &Proof,
    person: PersonId,
    sealed: &[u8],
    last_step: i64,
) -> Result<Option<Method>, StoreError> {
    let (auth, code) = (&proof.app.auth.sign_in, proof.given.code.0.trim());
    if !totp::is_code(code) {
        let Some(hash) = auth.recovery_hash(person, code) else { return Ok(None) };
        let taken = recovery::take(tx, person, hash).await?;
        return Ok(taken.then_some(Method::RecoveryCode));
    }
    let Some(secret) = auth.open_totp(person, sealed) else {
        tracing::error!(%person, "an authenticator's secret cannot be opened: was token.seed replaced?");
        return Ok(None);
    };
    let Some(step) = secret.step_of(code, proof.at, last_step) else { return Ok(None) };
    sqlx::query("UPDATE sign_in SET totp_step = $2 WHERE person_id = $1")
        .bind(&person.as_bytes()[..])
        .bind(step)
        .execute(tx.conn())
        .await?;
    Ok(Some(Method::Password))
}

async fn carry_out(
    tx: &mut Tx,
    proof: &Proof,
    person: PersonId,
    method: Method,
) -> Result<(), StoreError> {
    let at = proof.at;
    match &proof.purpose {
        Purpose::SignIn(token) => {
            let limits = &proof.app.config.sign_in;
            session::begin(tx, limits, (person, method), *token, at).await
        }
        Purpose::Codes(hashes) => {
            recovery::replace(tx, person, hashes).await?;
            audit::note(tx, &[Entry::new(Deed::RecoveryCodesRenewed, at).by(person)]).await
        }
        Purpose::Password(phc, present) => {
            sqlx::query("UPDATE sign_in SET password = $2, set_at = $3 WHERE person_id = $1")
                .bind(&person.as_bytes()[..])
                .bind(phc)
                .bind(at.0)
                .execute(tx.conn())
                .await?;
            audit::note(tx, &[Entry::new(Deed::PasswordChanged, at).by(person)]).await?;
            let why = (Some(person), "password_changed");
            session::end(tx, person, Which::AllBut(*present), why, at).await.map(drop)
        }
    }
}

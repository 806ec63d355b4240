//! What people do with their own sign-in.
//!
//! `POST /v1/sign-out`, `GET /v1/me/sessions`, `POST /v1/me/sessions/{session}/revocation`,
//! `POST /v1/me/password {password, code, new_password}`,
//! `POST /v1/me/recovery-codes {password, code}`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::NoContent;
use onscene_sync_core::id::{Hash, PersonId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::{JsonBody, PathOf};
use super::people;
use super::sign_in::{NotStored, not_stored};
use crate::app::App;
use crate::auth::signin::account::login_of;
use crate::auth::signin::login::LoginName;
use crate::auth::signin::password::Password;
use crate::auth::signin::prove::{Purpose, Shown, Try, prove};
use crate::auth::signin::recovery;
use crate::auth::signin::session::{self, PREFIX, Session, Which};
use crate::auth::signin::source::Source;
use crate::auth::{Access, Action, Routes, Viewer};
use crate::config::Secret;
use crate::random;

/// The routes of this resource. A phone is no place for them: what it holds is its own key.
pub fn routes() -> Routes {
    let access = Access::Desk(Action::SignIn);
    Routes::new()
        .post("/v1/sign-out", access, sign_out)
        .about("Ends the session that asks.")
        .with(|operation| operation.may_refuse(&[409]))
        .get("/v1/me/sessions", access, list)
        .about("Lists the caller's sessions.")
        .post("/v1/me/sessions/{session}/revocation", access, revoke)
        .about("Ends a session of the caller's.")
        .post("/v1/me/password", access, change_password)
        .about("Changes the caller's password; their other sessions end.")
        .with(|operation| operation.may_refuse(&[409, 429]))
        .post("/v1/me/recovery-codes", access, renew_codes)
        .about("Gives the caller new recovery codes; the former are void.")
        .with(|operation| operation.may_refuse(&[409, 429]))
}

/// `GET /v1/me/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// In order of their beginning.
    pub sessions: Vec<Session>,
    /// The one that asks; `None` when a personal key does.
    pub present: Option<Hash>,
}

/// `POST /v1/me/password`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present password.
    pub password: Secret,
    /// Six digits of the authenticator, or a recovery code.
    pub code: Secret,
    /// The new password.
    pub new_password: Secret,
}

/// `POST /v1/me/recovery-codes`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewCodes {
    /// The password.
    pub password: Secret,
    /// Six digits of the authenticator, or one of the former recovery codes.
    pub code: Secret,
}

/// New recovery codes; the former are void.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCodes {
    /// Ten codes, each good once. Told once.
    pub recovery_codes: Vec<Secret>,
}

/// The session that a request came with.
fn present(headers: &HeaderMap) -> Option<Hash> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, token) = value.split_once(' ')?;
    token.starts_with(PREFIX).then(|| session::hash(token))
}

async fn sign_out(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<NoContent, Problem> {
    let Some(present) = present(&headers) else {
        let title = "There is no session to end";
        return Err(Problem::new(StatusCode::CONFLICT, "no_session", title)
            .detail("this was asked with a personal key: an administrator revokes those"));
    };
    end(&app, viewer.person, present, "signed_out").await?;
    Ok(NoContent)
}

async fn end(
    app: &App,
    person: PersonId,
    session: Hash,
    why: &'static str,
) -> Result<bool, Problem> {
    let input = (person, session, why, app.now());
    let ended = app.store.with_tx("sessions.end", input, |tx, (person, session, why, at)| {
        Box::pin(async move {
            let by = (Some(*person), *why);
            Ok::<_, Problem>(session::end(tx, *person, Which::One(*session), by, *at).await?)
        })
    });
    ended.await
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Json<Sessions>, Problem> {
    let input = (app.clone(), viewer.person);
    let sessions = app.store.with_read("sessions.list", input, |tx, (app, person)| {
        Box::pin(async move {
            let limits = &app.config.sign_in;
            Ok::<_, Problem>(session::of(tx, limits, *person, app.now()).await?)
        })
    });
    Ok(Json(Sessions { sessions: sessions.await?, present: present(&headers) }))
}

async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(session): PathOf<Hash>,
) -> Result<NoContent, Problem> {
    if end(&app, viewer.person, session, "revoked").await? {
        Ok(NoContent)
    } else {
        Err(Problem::not_found("you have no session of that id: GET /v1/me/sessions lists them"))
    }
}

/// Whose sign-in it is: the login name and the name of who asks.
async fn own_names(app: &App, person: PersonId) -> Result<(LoginName, String), Problem> {
    let names = app.store.with_read("sessions.names", person, |tx, person| {
        Box::pin(async move {
            let name = people::require(tx, *person).await?.name;
            Ok::<_, Problem>((login_of(tx, *person).await?, name))
        })
    });
    let (login, name) = names.await?;
    let login = login.and_then(|login| LoginName::try_from(login).ok());
    let login = login.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "no_password", "You do not sign in with a password")
            .detail("ask an administrator for an invitation")
    })?;
    Ok((login, name))
}

async fn change_password(
    State(app): State<App>,
    viewer: Viewer,
    source: Source,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangePassword>,
) -> Result<NoContent, Problem> {
    let (login, name) = own_names(&app, viewer.person).await?;
    let chosen = Password::chosen(&body.new_password.0, &login, &name)?;
    let salt = random::bytes(&*app.random);
    let phc = app.auth.sign_in.passwords.hash(chosen, salt).await?;
    let session = present(&headers);
    let keep = session.unwrap_or(Hash::from_bytes([0; 32]));
    let shown = session.map(Shown::Session);
    let given = Try { login, password: body.password, code: body.code, source, shown };
    prove(&app, given, Purpose::Password(phc, keep)).await?;
    Ok(NoContent)
}

async fn renew_codes(
    State(app): State<App>,
    viewer: Viewer,
    source: Source,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RenewCodes>,
) -> Result<NotStored<Json<RecoveryCodes>>, Problem> {
    let (login, _) = own_names(&app, viewer.person).await?;
    let codes = recovery::draw(&*app.random);
    let auth = &app.auth.sign_in;
    let hashes = codes.iter().filter_map(|code| auth.recovery_hash(viewer.person, code)).collect();
    let shown = present(&headers).map(Shown::Session);
    let given = Try { login, password: body.password, code: body.code, source, shown };
    prove(&app, given, Purpose::Codes(hashes)).await?;
    let recovery_codes = codes.into_iter().map(Secret).collect();
    Ok(not_stored(Json(RecoveryCodes { recovery_codes })))
}

//! How people sign in.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/sign-in/invitation` | [`Accept`] | [`Authenticator`] |
//! | `POST /v1/sign-in/confirmation` | [`Confirmation`] | [`FirstSignIn`] |
//! | `POST /v1/sign-in` | [`Credentials`] | [`SignedIn`] |
//! | `POST /v1/sign-in/oidc` | | [`Attempt`] |
//! | `POST /v1/sign-in/oidc/return` | [`Returned`] | [`SignedIn`] |
//!
//! They ask for no credentials: what the body holds is what opens.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::JsonBody;
use super::idempotency::Created;
use crate::app::App;
use crate::auth::signin::invitation::{self, Chosen, Confirm, choose};
use crate::auth::signin::login::LoginName;
use crate::auth::signin::password::Password;
use crate::auth::signin::prove::{Purpose, Shown, Try, prove};
use crate::auth::signin::source::Source;
use crate::auth::signin::{oidc, recovery, session, totp};
use crate::auth::{Access, Routes};
use crate::config::Secret;
use crate::random;
use crate::vault::seal::Fresh;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/sign-in", Access::Open, sign_in)
        .about("Signs somebody in with a password and a code of their authenticator.")
        .with(|operation| operation.may_refuse(&[401, 429]))
        .post("/v1/sign-in/invitation", Access::Open, accept)
        .about("Takes an invitation up with a login name and a password; answers what the authenticator needs.")
        .with(|operation| operation.may_refuse(&[403, 409]))
        .post("/v1/sign-in/confirmation", Access::Open, confirm)
        .about("Shows that the authenticator works; the person is signed in.")
        .with(|operation| operation.may_refuse(&[401, 403]))
        .post("/v1/sign-in/oidc", Access::Open, begin)
        .about("Begins a sign-in at the identity provider.")
        .with(|operation| operation.may_refuse(&[404, 503]))
        .post("/v1/sign-in/oidc/return", Access::Open, finish)
        .about("Ends it with what the provider sent the browser back with.")
        .with(|operation| operation.may_refuse(&[401, 403, 404, 429, 503]))
}

/// `POST /v1/sign-in/invitation`: what somebody with an invitation chooses.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The invitation's code.
    pub code: Secret,
    /// The name to sign in with: 2 to 64 letters, digits, `.`, `-`, `_` or `@`.
    pub login: LoginName,
    /// The password: 12 characters or more, in at most 1,024 bytes.
    pub password: Secret,
}

/// What the authenticator has to know. Told once; whoever asks again gets another secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Authenticator {
    /// For its camera, as a QR code: `otpauth://totp/…`.
    pub uri: Secret,
    /// For typing: base 32.
    pub secret: Secret,
    /// Until when its first code is awaited at `POST /v1/sign-in/confirmation`.
    pub expires_at: Millis,
}

/// `POST /v1/sign-in/confirmation`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The invitation's code.
    pub code: Secret,
    /// What the authenticator shows.
    pub totp: Secret,
}

/// Somebody is set up and signed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FirstSignIn {
    /// The session.
    pub session: SignedIn,
    /// Ten codes for the day when the authenticator is lost, each good once. Told once: to be
    /// printed or written down.
    pub recovery_codes: Vec<Secret>,
}

/// `POST /v1/sign-in`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The login name.
    pub login: LoginName,
    /// The password.
    pub password: Secret,
    /// Six digits of the authenticator, or a recovery code.
    pub code: Secret,
    /// [`SignedIn::device`] of the last sign-in here: failures elsewhere then make nobody wait here.
    #[serde(default)]
    pub device: Option<Secret>,
}

/// Somebody is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    /// Goes into `Authorization: Bearer …`. The hub does not keep it.
    pub token: Secret,
    /// The session's public name.
    pub id: Hash,
    /// Who.
    pub person: PersonId,
    /// When it ends, however much it is used.
    pub expires_at: Millis,
    /// Minutes without a request after which it ends before.
    pub idle_minutes: u32,
    /// To be kept on this device and sent with the next sign-in under this name. It opens nothing, and ends with
    /// the password; `null` after a sign-in without one.
    pub device: Option<Secret>,
}

/// `POST /v1/sign-in/oidc`: where to send the browser.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// To be kept where only this page reads it, and handed back with the provider's answer.
    pub attempt: Secret,
    /// The address at the provider.
    pub address: String,
}

/// `POST /v1/sign-in/oidc/return`: what the provider sent the browser back with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// From [`Attempt::attempt`].
    pub attempt: Secret,
    /// `state` of the address that the browser came back to.
    pub state: Secret,
    /// `code` of it.
    pub code: Secret,
    /// `iss` of it, if it has one.
    #[serde(default)]
    pub iss: Option<String>,
}

pub(super) type NotStored<T> = ([(HeaderName, HeaderValue); 1], T);

/// An answer that no cache may keep.
pub(super) fn not_stored<T>(answer: T) -> NotStored<T> {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], answer)
}

/// A new session's token and what is told of it.
fn new_session(app: &App) -> impl Fn(PersonId) -> SignedIn + use<> {
    let (token, limits, now) = (session::draw(&*app.random), app.config.sign_in.clone(), app.now());
    move |person| SignedIn {
        token: Secret(token.clone()),
        id: session::hash(&token),
        person,
        expires_at: now.plus(i64::from(limits.session_hours) * 60 * 60_000),
        idle_minutes: limits.idle_minutes,
        device: None,
    }
}

/// What this device shows next time.
fn device(app: &App, login: &str, password: &str) -> Option<Secret> {
    Some(Secret(app.auth.sign_in.new_device((login, password), &*app.random, app.now())))
}

const NOBODY: PersonId = PersonId::from_bytes([0; 16]);

async fn accept(
    State(app): State<App>,
    JsonBody(body): JsonBody<Accept>,
) -> Result<NotStored<Json<Authenticator>>, Problem> {
    let code = invitation::hash(&body.code.0);
    let invited = app.store.with_read("sign_in.invited", (code, app.now()), |tx, (code, at)| {
        Box::pin(async move { invitation::require(tx, *code, *at, false).await })
    });
    let invited = invited.await?;
    let password = Password::chosen(&body.password.0, &body.login, &invited.name)?;
    let salt = random::bytes(&*app.random);
    let auth = &app.auth.sign_in;
    let password = auth.passwords.hash(password, salt).await?;
    let secret = totp::Secret::from_bytes(random::bytes(&*app.random));
    let answer = Authenticator {
        uri: Secret(secret.uri(&body.login)),
        secret: Secret(secret.base32()),
        expires_at: invited.expires_at,
    };
    let sealed = auth.seal_totp(invited.person, Fresh::draw(&*app.random), &secret);
    let chosen = Chosen { login: body.login.into(), password, totp: sealed };
    let input = (code, chosen, app.now());
    let stored = app.store.with_tx("sign_in.choose", input, |tx, (code, chosen, at)| {
        Box::pin(async move { choose(tx, *code, chosen, *at).await })
    });
    stored.await?;
    Ok(not_stored(Json(answer)))
}

async fn confirm(
    State(app): State<App>,
    JsonBody(body): JsonBody<Confirmation>,
) -> Result<NotStored<Created<FirstSignIn>>, Problem> {
    let codes = recovery::draw(&*app.random);
    let session = new_session(&app);
    let confirm = Confirm {
        app: app.clone(),
        code: invitation::hash(&body.code.0),
        totp: body.totp,
        recovery: codes.clone(),
        token: session(NOBODY).id,
    };
    let confirmed = app.store.with_tx("sign_in.confirm", confirm, |tx, confirm| {
        Box::pin(async move { invitation::confirm(tx, confirm).await })
    });
    let (person, chosen) = confirmed.await?;
    let device = device(&app, &chosen.login, &chosen.password);
    let session = SignedIn { device, ..session(person) };
    let recovery_codes = codes.into_iter().map(Secret).collect();
    Ok(not_stored(Created(FirstSignIn { session, recovery_codes })))
}

async fn sign_in(
    State(app): State<App>,
    source: Source,
    JsonBody(body): JsonBody<Credentials>,
) -> Result<NotStored<Created<SignedIn>>, Problem> {
    let session = new_session(&app);
    let login = body.login.clone();
    let shown = body.device.map(Shown::Device);
    let given = Try { login: body.login, password: body.password, code: body.code, source, shown };
    let right = prove(&app, given, Purpose::SignIn(session(NOBODY).id)).await?;
    let device = device(&app, login.as_str(), &right.password);
    Ok(not_stored(Created(SignedIn { device, ..session(right.person) })))
}

async fn begin(State(app): State<App>) -> Result<NotStored<Json<Attempt>>, Problem> {
    let auth = &app.auth.sign_in;
    let provider = auth.oidc.as_ref().ok_or_else(oidc::no_provider)?;
    let attempt = auth.new_attempt(&*app.random, app.now());
    let address = provider.address(&app, &attempt).await?;
    Ok(not_stored(Json(Attempt { attempt: Secret(attempt), address })))
}

async fn finish(
    State(app): State<App>,
    source: Source,
    JsonBody(body): JsonBody<Returned>,
) -> Result<NotStored<Created<SignedIn>>, Problem> {
    let session = new_session(&app);
    let back =
        oidc::Back { attempt: body.attempt, state: body.state, code: body.code, iss: body.iss };
    let person = oidc::sign_in(&app, back, source, session(NOBODY).id).await?;
    Ok(not_stored(Created(session(person))))
}

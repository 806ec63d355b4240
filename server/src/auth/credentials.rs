//! From the headers of a request to the person behind it.

use std::collections::BTreeSet;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use onscene_sync_core::id::{DeviceId, PersonId, TeamId, UnitId};
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::dpop::{ProofError, Request};
use super::gate::{DPOP, DPOP_NONCE};
use super::grants::{Action, Reach};
use super::jwk::{DeviceKey, Thumbprint};
use super::role::Role;
use super::signin::session;
use super::staff;
use super::token::{Subject, TokenError};
use super::viewer::{SWEEP, Seat, Viewer};
use crate::app::App;
use crate::problem::Problem;
use crate::store::{RowExt as _, Store, StoreError};

/// The key behind the request's proof, which must not name an access token.
pub(super) fn proven_key(app: &App, parts: &Parts) -> Result<DeviceKey, Problem> {
    check_proof(app, parts, None)
}

/// The person behind the request: a phone's by token and proof, a desk's by session or personal key.
pub(super) async fn viewer(app: &App, parts: &Parts) -> Result<Viewer, Problem> {
    let credentials = single(parts, &header::AUTHORIZATION)?.ok_or_else(no_credentials)?;
    let (scheme, value) = credentials.split_once(' ').ok_or_else(no_credentials)?;
    if scheme.eq_ignore_ascii_case("dpop") {
        let subject = app.auth.tokens.verify(value, app.now()).map_err(token_problem)?;
        let key = check_proof(app, parts, Some((value, subject.key)))?;
        return phone(app, subject, key).await;
    }
    if scheme.eq_ignore_ascii_case("bearer") && value.starts_with(staff::PREFIX) {
        return staff::viewer(app, value).await;
    }
    if scheme.eq_ignore_ascii_case("bearer") && value.starts_with(session::PREFIX) {
        return session::viewer(app, value).await;
    }
    Err(no_credentials())
}

/// The person behind a desk's `Authorization` now. Unlike a request it is no use of the session, which
/// ends as if nobody listened.
pub(crate) async fn desk(app: &App, authorization: &HeaderValue) -> Result<Viewer, Problem> {
    let value = authorization.to_str().ok().and_then(|text| text.split_once(' '));
    match value {
        Some((_, value)) if value.starts_with(staff::PREFIX) => {
            staff::find_valid(app, value).await.map(|found| found.viewer)
        }
        Some((_, value)) if value.starts_with(session::PREFIX) => {
            session::find_valid(app, value).await.map(|(viewer, _)| viewer)
        }
        _ => Err(no_credentials()),
    }
}

fn check_proof(
    app: &App,
    parts: &Parts,
    token: Option<(&str, Thumbprint)>,
) -> Result<DeviceKey, Problem> {
    let proof = single(parts, &DPOP)?.ok_or_else(|| proof_problem(app, ProofError::Malformed))?;
    let request =
        Request { method: parts.method.as_str(), path: parts.uri.path(), access_token: token };
    app.auth.proofs.check(proof, request, app.now()).map_err(|error| proof_problem(app, error))
}

/// The one value of a header; `None` when there is none.
fn single<'p>(parts: &'p Parts, name: &HeaderName) -> Result<Option<&'p str>, Problem> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(Problem::invalid(format!("the header `{name}` must be there once, in ASCII"))),
    }
}

async fn phone(app: &App, subject: Subject, key: DeviceKey) -> Result<Viewer, Problem> {
    let device = subject.device;
    let found = app.store.read_one("auth.phone", || find_phone(device)).await?;
    let Some(row) = found.first() else { return Err(another_key()) };
    let seat = seat(row, device)?;
    let viewer = person_viewer(&app.store, row, Some(seat)).await?;
    if viewer.person != subject.person || seat.key != key {
        return Err(another_key());
    }
    let closed = row.opt_millis("closed_at")?.is_some() && !seat.revoked;
    if closed { Err(person_closed()) } else { Ok(viewer) }
}

fn find_phone(device: DeviceId) -> Query<'static, Any, AnyArguments> {
    const SQL: &str = "SELECT d.install, d.key, d.revoked_at, p.person_id, p.role, p.unit_id, p.team_id, \
                p.closed_at \
         FROM device d JOIN person p ON p.person_id = d.person_id WHERE d.device = $1";
    sqlx::query(SQL).bind(device.as_bytes().to_vec())
}

fn seat(row: &AnyRow, device: DeviceId) -> Result<Seat, StoreError> {
    let key = row.bytes("key")?;
    let key = DeviceKey::from_point(&key).ok_or_else(|| StoreError::Inconsistent {
        column: "key".to_owned(),
        found: format!("{} bytes", key.len()),
        expected: "an uncompressed P-256 point".to_owned(),
    })?;
    let revoked = row.opt_millis("revoked_at")?.is_some();
    Ok(Seat { device, install: row.number("install")?, key, revoked })
}

/// Reads `person_id`, `role`, `unit_id` and `team_id`, and the units below if they matter.
pub(super) async fn person_viewer(
    store: &Store,
    row: &AnyRow,
    seat: Option<Seat>,
) -> Result<Viewer, StoreError> {
    let role = role_column(row)?;
    let unit = UnitId::from_bytes(row.array("unit_id")?);
    let below =
        if looks_down(role) { units_below(store, unit).await? } else { BTreeSet::from([unit]) };
    Ok(Viewer {
        person: PersonId::from_bytes(row.array("person_id")?),
        role,
        unit,
        team: row.opt_array("team_id")?.map(TeamId::from_bytes),
        seat,
        below,
    })
}

/// Reads a column `role`.
pub(crate) fn role_column(row: &AnyRow) -> Result<Role, StoreError> {
    let text = row.text("role")?;
    text.parse().map_err(|_| StoreError::Inconsistent {
        column: "role".to_owned(),
        found: text,
        expected: "a role".to_owned(),
    })
}

fn looks_down(role: Role) -> bool {
    role.reach(Action::ReadCases) == Reach::Subtree
}

async fn units_below(store: &Store, unit: UnitId) -> Result<BTreeSet<UnitId>, StoreError> {
    let query = || {
        let sql = sqlx::AssertSqlSafe(format!("{SWEEP} SELECT unit_id FROM sweep"));
        sqlx::query(sql).bind(0_i64).bind(unit.as_bytes().to_vec()).bind(1_i64)
    };
    let rows = store.read_one("auth.units", query).await?;
    rows.iter().map(|row| row.array("unit_id").map(UnitId::from_bytes)).collect()
}

fn unauthorized(code: &'static str, title: &'static str, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, title)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

const DPOP_CHALLENGE: &str = r#"DPoP error="invalid_token", algs="ES256""#;
const PROOF_CHALLENGE: &str = r#"DPoP error="invalid_dpop_proof", algs="ES256""#;
const NONCE_CHALLENGE: &str = r#"DPoP error="use_dpop_nonce", algs="ES256""#;
const EITHER_CHALLENGE: &str = r#"DPoP algs="ES256", Bearer"#;

fn no_credentials() -> Problem {
    unauthorized("no_credentials", "Who are you?", EITHER_CHALLENGE).detail(
        "phones send `Authorization: DPoP <access token>` and a `DPoP` header, \
         desks send `Authorization: Bearer ons_…` (a session) or `onk_…` (a key)",
    )
}

pub(super) fn bad_staff_key() -> Problem {
    unauthorized("bad_key", "The key is not valid", "Bearer error=\"invalid_token\"")
        .detail("it is unknown, expired or revoked: ask an administrator for a new one")
}

pub(super) fn session_ended() -> Problem {
    unauthorized("session_ended", "You are not signed in", "Bearer error=\"invalid_token\"")
        .detail("the session has ended, by time or by somebody: sign in again")
}

fn another_key() -> Problem {
    unauthorized("token_of_another_key", "The token is not this phone's", DPOP_CHALLENGE)
        .detail("the access token is bound to another key: ask for one with this phone's key")
}

fn token_problem(error: TokenError) -> Problem {
    let code = match error {
        TokenError::Malformed => "token_malformed",
        TokenError::UnknownKey | TokenError::BadSignature => "token_not_ours",
        TokenError::WrongIssuer => "token_of_another_issuer",
        TokenError::WrongAudience => "token_for_another_audience",
        TokenError::Expired => "token_expired",
        TokenError::ImplausibleTimes => "token_times",
    };
    unauthorized(code, "The access token is not taken", DPOP_CHALLENGE).detail(error.to_string())
}

fn proof_problem(app: &App, error: ProofError) -> Problem {
    let (code, challenge) = match error {
        ProofError::UseNonce => ("use_dpop_nonce", NONCE_CHALLENGE),
        ProofError::Replayed => ("proof_replayed", PROOF_CHALLENGE),
        ProofError::OtherKey => return another_key(),
        ProofError::TooMany => return too_many(error),
        ProofError::Malformed
        | ProofError::BadSignature
        | ProofError::OtherRequest
        | ProofError::OtherToken => ("bad_proof", PROOF_CHALLENGE),
    };
    let problem = unauthorized(code, "The proof of possession is not taken", challenge)
        .detail(error.to_string());
    match HeaderValue::from_str(&app.auth.proofs.nonce(app.now())) {
        Ok(nonce) => problem.header(DPOP_NONCE.clone(), nonce),
        Err(_) => problem,
    }
}

fn too_many(error: ProofError) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests")
        .detail(error.to_string())
        .retry_after(300)
}

pub(super) fn person_closed() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "person_closed", "This person has left")
        .detail("an administrator closed this person's account")
}

pub(super) fn revoked() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "device_revoked", "This phone was revoked")
        .detail("it may only hand in what it still holds, by syncing; then enrol it anew")
}

pub(super) fn not_a_desk() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "desk_only", "This is done at a desk")
        .detail("identities never reach a phone: ask the command centre through a call-back")
}

pub(super) fn not_a_phone() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_a_phone", "Only enrolled phones do this")
        .detail("use the access token of an enrolled phone, not a personal key")
}

//! What administrators do with people's sign-in.
//!
//! `GET /v1/people/{id}/sign-in`, `DELETE /v1/people/{id}/sign-in` (reset),
//! `POST /v1/people/{id}/sign-in-invitations`, `POST /v1/people/{id}/sessions/revocation`,
//! `PUT /v1/people/{id}/identity {identity}`, `DELETE /v1/people/{id}/identity`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::PersonId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::{JsonBody, PathOf};
use super::idempotency::Created;
use super::people::{self, Person};
use super::sign_in::{NotStored, not_stored};
use crate::app::App;
use crate::audit::{Deed, Entry};
use crate::auth::signin::account;
use crate::auth::signin::invitation::{self, NewInvitation};
use crate::auth::signin::session::{self, Session, Which};
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::config::Secret;
use crate::store::Tx;

/// Characters of an identity at the provider (OpenID Connect Core, section 2: `sub`).
const IDENTITY_CHARS: usize = 255;

/// The routes of this resource.
pub fn routes() -> Routes {
    let access = Access::Desk(Action::ManageSignIn);
    Routes::new()
        .get("/v1/people/{id}/sign-in", access, show)
        .about("Shows what a person signs in with.")
        .delete("/v1/people/{id}/sign-in", access, reset)
        .about("Takes a person's password, authenticator, codes and sessions away.")
        .post("/v1/people/{id}/sign-in-invitations", access, invite)
        .about("Invites a person to sign in; an earlier invitation is void.")
        .post("/v1/people/{id}/sessions/revocation", access, end_sessions)
        .about("Ends all sessions of a person.")
        .put("/v1/people/{id}/identity", access, link)
        .about("Says as whom the identity provider knows a person.")
        .with(|operation| operation.may_refuse(&[409]))
        .delete("/v1/people/{id}/identity", access, unlink)
        .about("Takes that back.")
}

/// What a person signs in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonSignIn {
    /// Their login name, once they have chosen one.
    pub login: Option<String>,
    /// Since when their password stands.
    pub password_since: Option<Millis>,
    /// Recovery codes that they have left.
    pub recovery_codes: u32,
    /// When their open invitation ends.
    pub invited_until: Option<Millis>,
    /// As whom the identity provider knows them.
    pub identity: Option<String>,
    /// Their sessions.
    pub sessions: Vec<Session>,
}

/// `POST /v1/people/{id}/sign-in-invitations`: told once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct IssuedInvitation {
    /// For `POST /v1/sign-in/invitation`. Who has it becomes this person: hand it over in person.
    pub code: Secret,
    /// When it ends.
    pub expires_at: Millis,
}

/// `PUT /v1/people/{id}/identity`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkIdentity {
    /// The value of the configured claim (`oidc.claim`): 1 to 255 characters.
    pub identity: String,
}

/// What is done to a person's sign-in.
#[derive(Debug, Clone)]
enum Act {
    Invite(NewInvitation),
    Reset,
    EndSessions,
    Link(String),
    Unlink,
}

/// Who does it to whom.
#[derive(Debug)]
struct Deal {
    app: App,
    viewer: Viewer,
    id: PersonId,
    act: Act,
    at: Millis,
}

/// Does it and answers what the person then signs in with.
async fn deal(app: App, viewer: Viewer, id: PersonId, act: Act) -> Result<PersonSignIn, Problem> {
    let deal = Deal { at: app.now(), app, viewer, id, act };
    let store = deal.app.store.clone();
    let done = store.with_tx("accounts.deal", deal, |tx, deal| {
        Box::pin(async move {
            let person = people::require_locked(tx, deal.id).await?;
            deal.viewer.may(Action::ManageSignIn, &Scope::Unit(person.unit))?;
            carry_out(tx, deal, &person).await?;
            state(tx, &deal.app, deal.id).await
        })
    });
    done.await
}

async fn carry_out(tx: &mut Tx, deal: &Deal, person: &Person) -> Result<(), Problem> {
    let (id, by, at) = (deal.id, deal.viewer.person, deal.at);
    match &deal.act {
        Act::Invite(new) => {
            must_sign_in(person)?;
            invitation::insert(tx, new, Some(by)).await?;
        }
        Act::Reset => account::reset(tx, id, by, at).await?,
        Act::EndSessions => {
            session::end(tx, id, Which::All, (Some(by), "revoked"), at).await?;
        }
        Act::Link(identity) => {
            must_sign_in(person)?;
            let entry = Entry::new(Deed::IdentityLinked, at).by(by).to(id.as_bytes());
            let hash = deal.app.auth.sign_in.identity_hash(identity);
            if account::link(tx, (id, identity), entry.hashes([&hash])).await? {
                // Whoever was taken for this person before is not.
                session::end(tx, id, Which::All, (Some(by), "identity_linked"), at).await?;
            }
        }
        Act::Unlink => account::unlink(tx, id, by, at).await?,
    }
    Ok(())
}

/// Refuses people who have left, and other systems.
pub(crate) fn must_sign_in(person: &Person) -> Result<(), Problem> {
    if person.closed_at.is_some() {
        return Err(people::has_left());
    }
    if person.role.signs_in() {
        return Ok(());
    }
    Err(Problem::new(StatusCode::CONFLICT, "no_sign_in", "Other systems do not sign in")
        .detail("give it a personal key instead"))
}

async fn state(tx: &mut Tx, app: &App, id: PersonId) -> Result<PersonSignIn, Problem> {
    let now = app.now();
    let account = account::of(tx, id, now).await?;
    let (login, password_since) = account.login.unzip();
    Ok(PersonSignIn {
        login,
        password_since,
        recovery_codes: account.recovery_codes,
        invited_until: account.invited_until,
        identity: account.identity,
        sessions: session::of(tx, &app.config.sign_in, id, now).await?,
    })
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<PersonSignIn>, Problem> {
    let input = (app.clone(), viewer, id);
    let found = app.store.with_read("accounts.show", input, |tx, (app, viewer, id)| {
        Box::pin(async move {
            let person = people::require(tx, *id).await?;
            viewer.may(Action::ManageSignIn, &Scope::Unit(person.unit))?;
            state(tx, app, *id).await
        })
    });
    Ok(Json(found.await?))
}

/// An invitation for `person`, and its code.
pub(crate) fn new_invitation(app: &App, person: PersonId) -> (NewInvitation, IssuedInvitation) {
    let (code, at) = (invitation::draw(&*app.random), app.now());
    let expires_at = at.plus(i64::from(app.config.sign_in.invitation_hours) * 60 * 60_000);
    let new = NewInvitation { person, code: invitation::hash(&code), at, expires_at };
    (new, IssuedInvitation { code: Secret(code), expires_at })
}

async fn invite(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<NotStored<Created<IssuedInvitation>>, Problem> {
    let (new, issued) = new_invitation(&app, id);
    deal(app, viewer, id, Act::Invite(new)).await?;
    Ok(not_stored(Created(issued)))
}

async fn reset(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<PersonSignIn>, Problem> {
    deal(app, viewer, id, Act::Reset).await.map(Json)
}

async fn end_sessions(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<PersonSignIn>, Problem> {
    deal(app, viewer, id, Act::EndSessions).await.map(Json)
}

async fn link(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
    JsonBody(body): JsonBody<LinkIdentity>,
) -> Result<Json<PersonSignIn>, Problem> {
    let identity = body.identity;
    let fits = (1..=IDENTITY_CHARS).contains(&identity.chars().count());
    if !fits || identity.chars().any(char::is_control) {
        return Err(Problem::invalid(format!(
            "`identity` has 1 to {IDENTITY_CHARS} characters and no control characters"
        )));
    }
    deal(app, viewer, id, Act::Link(identity)).await.map(Json)
}

async fn unlink(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<PersonSignIn>, Problem> {
    deal(app, viewer, id, Act::Unlink).await.map(Json)
}

//! People, their role and unit, and the posts they have held.
//!
//! `GET /v1/people[?unit=&after=&limit=]`, `POST /v1/people {name, role, unit, team?}`,
//! `GET /v1/people/{id}`, `POST /v1/people/{id}/posts {role, unit, team?}` with `If-Match`,
//! `POST /v1/people/{id}/closure`, `GET /v1/me`.

mod record;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::{PersonId, TeamId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::etag::{IfMatch, Tagged};
use super::extract::{JsonBody, PathOf, QueryOf};
use super::fields::Name;
use super::idempotency::{Command, IdempotencyKey, Made};
use super::page;
use crate::app::App;
use crate::auth::{Access, Action, Role, Routes, Scope, Viewer};
pub use record::{NewPerson, insert};
use record::{change_post, close_person, posts, require_post, select};
pub(super) use record::{require, require_locked};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (all, one) = ("/v1/people", "/v1/people/{id}");
    let managing = Access::May(Action::ManagePeople);
    Routes::new()
        .get(all, Access::May(Action::ReadPeople), list)
        .about("Lists people, in the order in which they were added.")
        .with(|operation| operation.may_refuse(&[404]))
        .post(all, managing, create)
        .about("Adds a person with their first post.")
        .get(one, Access::May(Action::ReadPeople), show)
        .about("Shows a person with every post they have held.")
        .post("/v1/people/{id}/posts", managing, appoint)
        .about("Moves a person to another post; a post without a phone revokes theirs.")
        .with(|operation| operation.may_refuse(&[409]))
        .post("/v1/people/{id}/closure", managing, close)
        .about("Closes the record of a person who has left, and revokes their keys and phones.")
        .with(|operation| operation.may_refuse(&[409]))
        .get("/v1/me", Access::May(Action::ReadUnits), me)
        .about("Shows who the caller is.")
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Their name.
    pub name: String,
    /// Their role now.
    pub role: Role,
    /// Their unit now.
    pub unit: UnitId,
    /// Their team now.
    pub team: Option<TeamId>,
    /// Since when they are on record.
    pub created_at: Millis,
    /// When they left.
    pub closed_at: Option<Millis>,
}

/// `GET /v1/people`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// In order of their making.
    pub people: Vec<Person>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<PersonId>,
}

/// `GET /v1/people/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonRecord {
    /// The person now.
    pub person: Person,
    /// Every post they have held, the present one last.
    pub posts: Vec<PostHeld>,
}

/// A post that somebody held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostHeld {
    /// The role.
    pub role: Role,
    /// The unit.
    pub unit: UnitId,
    /// The team.
    pub team: Option<TeamId>,
    /// From when.
    pub from: Millis,
    /// Until when; `None` while it lasts.
    pub until: Option<Millis>,
}

/// `POST /v1/people`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePerson {
    /// Their name.
    pub name: Name,
    /// Their role.
    pub role: Role,
    /// Their unit.
    pub unit: UnitId,
    /// Their team, one of the unit's.
    #[serde(default)]
    pub team: Option<TeamId>,
}

/// `POST /v1/people/{id}/posts`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Appoint {
    /// Their role from now on.
    pub role: Role,
    /// Their unit from now on.
    pub unit: UnitId,
    /// Their team from now on.
    #[serde(default)]
    pub team: Option<TeamId>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only of this unit and those below it.
    unit: Option<UnitId>,
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<PersonId>,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<People>, Problem> {
    let sweep = viewer.sweep(Action::ReadPeople, filter.unit)?;
    let limit = page::size(filter.limit)?;
    let after = filter.after.unwrap_or(PersonId::from_bytes([0; 16]));
    let read = app.store.with_read("people.list", (sweep, after, limit), |tx, input| {
        let (sweep, after, limit) = input;
        Box::pin(select(tx, sweep, *after, *limit))
    });
    let people = read.await?;
    let next = page::next(&people, limit, |last| last.id);
    Ok(Json(People { people, next }))
}

async fn create(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<CreatePerson>,
) -> Result<Made<Person>, Problem> {
    viewer.may(Action::ManagePeople, &Scope::Unit(body.unit))?;
    let command = Command::new(viewer.person, key, "person", &body)?;
    let person = NewPerson {
        person: PersonId::from_bytes(app.new_id()),
        name: body.name.into(),
        role: body.role,
        unit: body.unit,
        team: body.team,
        at: app.now(),
    };
    let by = viewer.person;
    let input = (command, person, by);
    let made = app.store.with_tx("people.create", input, |tx, (command, person, by)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, person.at).await? {
                return Ok(reply);
            }
            require_post(tx, person.unit, person.team).await?;
            insert(tx, person, Some(*by)).await?;
            let person = require(tx, person.person).await?;
            command.made(tx, &person).await
        })
    });
    Ok(made.await?.into())
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Tagged<PersonRecord>, Problem> {
    let record = app.store.with_read("people.show", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move {
            let person = require(tx, *id).await?;
            viewer.may(Action::ReadPeople, &Scope::Unit(person.unit))?;
            Ok::<_, Problem>(PersonRecord { person, posts: posts(tx, *id).await? })
        })
    });
    Ok(Tagged(record.await?))
}

async fn appoint(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(id): PathOf<PersonId>,
    JsonBody(body): JsonBody<Appoint>,
) -> Result<Json<Person>, Problem> {
    viewer.may(Action::ManagePeople, &Scope::Unit(body.unit))?;
    let input = (viewer, id, seen, body, app.now());
    let moved = app.store.with_tx("people.appoint", input, |tx, input| {
        let (viewer, id, seen, post, at) = input;
        Box::pin(change_post(tx, viewer, (*id, seen), post, *at))
    });
    Ok(Json(moved.await?))
}

async fn close(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Json<Person>, Problem> {
    let input = (viewer, id, app.now());
    let closed = app.store.with_tx("people.close", input, |tx, (viewer, id, at)| {
        Box::pin(async move { close_person(tx, viewer, *id, *at).await })
    });
    Ok(Json(closed.await?))
}

async fn me(State(app): State<App>, viewer: Viewer) -> Result<Json<Person>, Problem> {
    let person = app.store.with_read("people.me", viewer.person, |tx, id| {
        Box::pin(async move { require(tx, *id).await })
    });
    Ok(Json(person.await?))
}

pub(super) fn has_left() -> Problem {
    Problem::new(StatusCode::CONFLICT, "person_closed", "This person has left")
        .detail("their record is closed: create a new person if they return")
}

//! People as the database has them: who they are, the posts they have held, and what goes with a post
//! that ends (phones, keys, what they sign in with).

use axum::http::StatusCode;
use onscene_sync_core::id::{PersonId, TeamId, UnitId};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::super::etag::IfMatch;
use super::super::{Problem, teams, units};
use super::{Appoint, Person, PersonRecord, PostHeld, has_left};
use crate::audit::{self, Deed, Entry};
use crate::auth::signin::account;
use crate::auth::{Action, Role, Scope, Sweep, Viewer, enrol, role_column};
use crate::store::{RowExt as _, StoreError, Tx};

const COLUMNS: &str =
    "p.person_id, p.name, p.role, p.unit_id, p.team_id, p.created_at, p.closed_at";

pub(super) async fn select(
    tx: &mut Tx,
    sweep: &Sweep,
    after: PersonId,
    limit: u32,
) -> Result<Vec<Person>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM person p JOIN sweep s ON s.unit_id = p.unit_id \
         WHERE p.person_id > $4 ORDER BY p.person_id LIMIT $5"
    );
    let rows = sweep
        .query(sqlx::AssertSqlSafe(sql))
        .bind(&after.as_bytes()[..])
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Person, StoreError> {
    Ok(Person {
        id: PersonId::from_bytes(row.array("person_id")?),
        name: row.text("name")?,
        role: role_column(row)?,
        unit: UnitId::from_bytes(row.array("unit_id")?),
        team: row.opt_array("team_id")?.map(TeamId::from_bytes),
        created_at: row.millis("created_at")?,
        closed_at: row.opt_millis("closed_at")?,
    })
}

/// The person, locked until the end of a writing transaction.
pub(in crate::http) async fn require_locked(tx: &mut Tx, id: PersonId) -> Result<Person, Problem> {
    let lock =
        format!("SELECT person_id FROM person WHERE person_id = $1{}", tx.engine().for_update());
    sqlx::query(sqlx::AssertSqlSafe(lock))
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    require(tx, id).await
}

/// The person, or a problem that says there is none.
pub(in crate::http) async fn require(tx: &mut Tx, id: PersonId) -> Result<Person, Problem> {
    let sql = format!("SELECT {COLUMNS} FROM person p WHERE p.person_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let Some(row) = row else {
        return Err(Problem::not_found(
            "check the id, and that it belongs to your unit or one below it",
        ));
    };
    Ok(read(&row)?)
}

pub(super) async fn posts(tx: &mut Tx, id: PersonId) -> Result<Vec<PostHeld>, StoreError> {
    let rows = sqlx::query(
        "SELECT role, unit_id, team_id, from_at, until_at FROM person_post \
         WHERE person_id = $1 ORDER BY from_at, id",
    )
    .bind(&id.as_bytes()[..])
    .fetch_all(tx.conn())
    .await?;
    let read = |row: &AnyRow| {
        Ok(PostHeld {
            role: role_column(row)?,
            unit: UnitId::from_bytes(row.array("unit_id")?),
            team: row.opt_array("team_id")?.map(TeamId::from_bytes),
            from: row.millis("from_at")?,
            until: row.opt_millis("until_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// A person about to be stored.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Their id.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Their unit.
    pub unit: UnitId,
    /// Their team.
    pub team: Option<TeamId>,
    /// Now.
    pub at: Millis,
}

/// Stores a person, put on record by `by` (`None`: by the hub itself), and their first post.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, new: &NewPerson, by: Option<PersonId>) -> Result<(), StoreError> {
    let mut entry = Entry::new(Deed::PersonCreated, new.at).detail(new.role.as_str());
    entry.person = by;
    audit::note(tx, &[entry.to(new.person.as_bytes()).object(*new.unit.as_bytes())]).await?;
    sqlx::query(
        "INSERT INTO person (person_id, name, role, unit_id, team_id, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&new.person.as_bytes()[..])
    .bind(&new.name)
    .bind(new.role.as_str())
    .bind(&new.unit.as_bytes()[..])
    .bind(new.team.map(|team| team.as_bytes().to_vec()))
    .bind(new.at.0)
    .execute(tx.conn())
    .await?;
    let post = Appoint { role: new.role, unit: new.unit, team: new.team };
    begin_post(tx, new.person, &post, new.at).await
}

async fn begin_post(
    tx: &mut Tx,
    person: PersonId,
    post: &Appoint,
    at: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO person_post (person_id, role, unit_id, team_id, from_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&person.as_bytes()[..])
    .bind(post.role.as_str())
    .bind(&post.unit.as_bytes()[..])
    .bind(post.team.map(|team| team.as_bytes().to_vec()))
    .bind(at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn end_post(tx: &mut Tx, person: PersonId, at: Millis) -> Result<(), StoreError> {
    sqlx::query("UPDATE person_post SET until_at = $2 WHERE person_id = $1 AND until_at IS NULL")
        .bind(&person.as_bytes()[..])
        .bind(at.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn require_post(
    tx: &mut Tx,
    unit: UnitId,
    team: Option<TeamId>,
) -> Result<(), Problem> {
    units::require(tx, unit).await?;
    match team {
        Some(team) => teams::require_of(tx, team, unit).await,
        None => Ok(()),
    }
}

pub(super) async fn change_post(
    tx: &mut Tx,
    viewer: &Viewer,
    (id, seen): (PersonId, &IfMatch),
    post: &Appoint,
    at: Millis,
) -> Result<Person, Problem> {
    require_post(tx, post.unit, post.team).await?;
    let person = require_locked(tx, id).await?;
    viewer.may(Action::ManagePeople, &Scope::Unit(person.unit))?;
    seen.holds(&PersonRecord { person: person.clone(), posts: posts(tx, id).await? })?;
    if person.closed_at.is_some() {
        return Err(has_left());
    }
    if post.role != Role::Administrator {
        require_another_administrator(tx, &person).await?;
    }
    if !post.role.carries_phone() {
        enrol::revoke_all_of(tx, id, viewer.person, "the new post has no phone", at).await?;
    }
    if !post.role.signs_in() {
        account::forget(tx, id, viewer.person, at).await?;
    }
    end_post(tx, id, at).await?;
    begin_post(tx, id, post, at).await?;
    let entry = Entry::new(Deed::PersonAppointed, at).by(viewer.person).to(id.as_bytes());
    let entry = entry.detail(post.role.as_str()).object(*post.unit.as_bytes());
    audit::note(tx, &[entry]).await?;
    sqlx::query("UPDATE person SET role = $2, unit_id = $3, team_id = $4 WHERE person_id = $1")
        .bind(&id.as_bytes()[..])
        .bind(post.role.as_str())
        .bind(&post.unit.as_bytes()[..])
        .bind(post.team.map(|team| team.as_bytes().to_vec()))
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    require(tx, id).await
}

pub(super) async fn close_person(
    tx: &mut Tx,
    viewer: &Viewer,
    id: PersonId,
    at: Millis,
) -> Result<Person, Problem> {
    let person = require_locked(tx, id).await?;
    viewer.may(Action::ManagePeople, &Scope::Unit(person.unit))?;
    if person.closed_at.is_some() {
        return Ok(person);
    }
    require_another_administrator(tx, &person).await?;
    end_post(tx, id, at).await?;
    for statement in [
        "UPDATE person SET closed_at = $2 WHERE person_id = $1",
        "UPDATE staff_key SET revoked_at = $2 WHERE person_id = $1 AND revoked_at IS NULL",
    ] {
        sqlx::query(statement)
            .bind(&id.as_bytes()[..])
            .bind(at.0)
            .execute(tx.conn())
            .await
            .map_err(StoreError::from)?;
    }
    enrol::revoke_all_of(tx, id, viewer.person, "the person has left", at).await?;
    account::forget(tx, id, viewer.person, at).await?;
    let entry = Entry::new(Deed::PersonClosed, at).by(viewer.person).to(id.as_bytes());
    audit::note(tx, &[entry]).await?;
    require(tx, id).await
}

/// Refuses to take the last administrator away: nobody could appoint another.
async fn require_another_administrator(tx: &mut Tx, person: &Person) -> Result<(), Problem> {
    if person.role != Role::Administrator {
        return Ok(());
    }
    let sql = format!(
        "SELECT person_id FROM person WHERE role = 'administrator' AND closed_at IS NULL \
         ORDER BY person_id{}",
        tx.engine().for_update()
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if rows.len() > 1 {
        return Ok(());
    }
    Err(Problem::new(StatusCode::CONFLICT, "last_administrator", "The last administrator stays")
        .detail("appoint another administrator first"))
}

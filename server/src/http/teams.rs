//! Teams: who goes (快速反应队伍).
//!
//! `GET /v1/teams[?unit=]`, `POST /v1/teams {name, unit}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::{TeamId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::Problem;
use super::extract::{JsonBody, QueryOf};
use super::fields::Name;
use super::idempotency::{Command, IdempotencyKey, Made};
use super::units;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Scope, Sweep, Viewer};
use crate::store::{RowExt as _, StoreError, Tx};

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/teams", Access::May(Action::ReadTeams), list)
        .about("Lists the teams of the units that the caller may see.")
        .with(|operation| operation.may_refuse(&[404]))
        .post("/v1/teams", Access::May(Action::ManageTeams), create)
        .about("Adds a team to a unit.")
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its unit.
    pub unit: UnitId,
    /// Its name.
    pub name: String,
    /// Since when it is on record.
    pub created_at: Millis,
}

/// `GET /v1/teams`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Teams {
    /// In order of their making.
    pub teams: Vec<Team>,
}

/// `POST /v1/teams`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTeam {
    /// Unlike those of the unit's other teams.
    pub name: Name,
    /// Its unit.
    pub unit: UnitId,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only of this unit and those below it.
    unit: Option<UnitId>,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Teams>, Problem> {
    let sweep = viewer.sweep(Action::ReadTeams, filter.unit)?;
    let teams = app.store.with_read("teams.list", sweep, |tx, sweep| {
        Box::pin(async move { select(tx, sweep).await })
    });
    Ok(Json(Teams { teams: teams.await? }))
}

async fn create(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<CreateTeam>,
) -> Result<Made<Team>, Problem> {
    viewer.may(Action::ManageTeams, &Scope::Unit(body.unit))?;
    let command = Command::new(viewer.person, key, "team", &body)?;
    let team = Team {
        id: TeamId::from_bytes(app.new_id()),
        unit: body.unit,
        name: body.name.into(),
        created_at: app.now(),
    };
    let entry = Entry::new(Deed::TeamCreated, team.created_at).by(viewer.person);
    let entry = entry.to(team.id.as_bytes());
    let input = (command, team, entry);
    let made = app.store.with_tx("teams.create", input, |tx, (command, team, entry)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, team.created_at).await? {
                return Ok(reply);
            }
            insert(tx, team).await?;
            audit::note(tx, std::slice::from_ref(entry)).await?;
            command.made(tx, team).await
        })
    });
    Ok(made.await?.into())
}

async fn select(tx: &mut Tx, sweep: &Sweep) -> Result<Vec<Team>, StoreError> {
    const SQL: &str = "SELECT t.team_id, t.unit_id, t.name, t.created_at \
         FROM team t JOIN sweep s ON s.unit_id = t.unit_id ORDER BY t.team_id";
    let rows = sweep.query(SQL).fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Team, StoreError> {
    Ok(Team {
        id: TeamId::from_bytes(row.array("team_id")?),
        unit: UnitId::from_bytes(row.array("unit_id")?),
        name: row.text("name")?,
        created_at: row.millis("created_at")?,
    })
}

async fn insert(tx: &mut Tx, team: &Team) -> Result<(), Problem> {
    units::require(tx, team.unit).await?;
    let taken = sqlx::query("SELECT team_id FROM team WHERE unit_id = $1 AND name = $2")
        .bind(&team.unit.as_bytes()[..])
        .bind(&team.name)
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if taken.is_some() {
        return Err(units::name_taken());
    }
    sqlx::query("INSERT INTO team (team_id, unit_id, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(&team.id.as_bytes()[..])
        .bind(&team.unit.as_bytes()[..])
        .bind(&team.name)
        .bind(team.created_at.0)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(())
}

/// Refuses a team that is not of `unit`.
pub(super) async fn require_of(tx: &mut Tx, team: TeamId, unit: UnitId) -> Result<(), Problem> {
    let row = sqlx::query("SELECT team_id FROM team WHERE team_id = $1 AND unit_id = $2")
        .bind(&team.as_bytes()[..])
        .bind(&unit.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let unknown = || {
        Problem::new(StatusCode::NOT_FOUND, "unknown_team", "There is no such team")
            .detail(format!("the unit {unit} has no team with the id {team}"))
    };
    row.map(|_| ()).ok_or_else(unknown)
}

//! Units: the tree of the bureau (city bureau → district bureau → squad).
//!
//! `GET /v1/units`, `POST /v1/units {name, parent}`, `GET /v1/units/{id}`,
//! `PATCH /v1/units/{id} {name}` with `If-Match`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use onscene_sync_core::id::UnitId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::Problem;
use super::etag::{IfMatch, Tagged};
use super::extract::{JsonBody, PathOf};
use super::fields::Name;
use super::idempotency::{Command, IdempotencyKey, Made};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Scope, Sweep, Viewer};
use crate::store::{RowExt as _, StoreError, Tx};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (all, one) = ("/v1/units", "/v1/units/{id}");
    Routes::new()
        .get(all, Access::May(Action::ReadUnits), list)
        .about("Lists the units that the caller may see, those above before those below.")
        .post(all, Access::May(Action::ManageUnits), create)
        .about("Adds a unit.")
        .get(one, Access::May(Action::ReadUnits), show)
        .about("Shows a unit.")
        .patch(one, Access::May(Action::ManageUnits), rename)
        .about("Renames a unit.")
        .with(|operation| operation.may_refuse(&[409]))
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Its id.
    pub id: UnitId,
    /// The unit above; `None` for the bureau itself.
    pub parent: Option<UnitId>,
    /// Its name.
    pub name: String,
    /// Since when it is on record.
    pub created_at: Millis,
}

/// `GET /v1/units`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Units {
    /// Parents before children.
    pub units: Vec<Unit>,
}

/// `POST /v1/units`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUnit {
    /// Unlike its siblings'.
    pub name: Name,
    /// The unit above.
    pub parent: UnitId,
}

/// `PATCH /v1/units/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameUnit {
    /// Unlike its siblings'.
    pub name: Name,
}

async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Units>, Problem> {
    let sweep = viewer.sweep(Action::ReadUnits, None)?;
    let units = app.store.with_read("units.list", sweep, |tx, sweep| {
        Box::pin(async move { select(tx, sweep).await })
    });
    Ok(Json(Units { units: units.await? }))
}

async fn create(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    JsonBody(body): JsonBody<CreateUnit>,
) -> Result<Made<Unit>, Problem> {
    viewer.may(Action::ManageUnits, &Scope::Unit(body.parent))?;
    let command = Command::new(viewer.person, key, "unit", &body)?;
    let unit = Unit {
        id: UnitId::from_bytes(app.new_id()),
        parent: Some(body.parent),
        name: body.name.into(),
        created_at: app.now(),
    };
    let entry = Entry::new(Deed::UnitCreated, unit.created_at).by(viewer.person);
    let entry = entry.to(unit.id.as_bytes());
    let input = (command, unit, entry);
    let made = app.store.with_tx("units.create", input, |tx, (command, unit, entry)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, unit.created_at).await? {
                return Ok(reply);
            }
            insert(tx, unit).await?;
            audit::note(tx, std::slice::from_ref(entry)).await?;
            command.made(tx, unit).await
        })
    });
    Ok(made.await?.into())
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<UnitId>,
) -> Result<Tagged<Unit>, Problem> {
    viewer.may(Action::ReadUnits, &Scope::Unit(id))?;
    let unit = app
        .store
        .with_read("units.show", id, |tx, id| Box::pin(async move { find(tx, *id).await }));
    unit.await?.map(Tagged).ok_or_else(|| unknown_unit(id))
}

async fn rename(
    State(app): State<App>,
    viewer: Viewer,
    seen: IfMatch,
    PathOf(id): PathOf<UnitId>,
    JsonBody(body): JsonBody<RenameUnit>,
) -> Result<Tagged<Unit>, Problem> {
    viewer.may(Action::ManageUnits, &Scope::Unit(id))?;
    let entry = Entry::new(Deed::UnitRenamed, app.now()).by(viewer.person).to(id.as_bytes());
    let input = (id, seen, body, entry);
    let renamed = app.store.with_tx("units.rename", input, |tx, (id, seen, body, entry)| {
        Box::pin(async move {
            audit::note(tx, std::slice::from_ref(entry)).await?;
            update_name(tx, *id, seen, &body.name).await
        })
    });
    Ok(Tagged(renamed.await?))
}

/// The units of `sweep`, in the order in which they were added.
///
/// # Errors
/// When the database refuses.
pub async fn select(tx: &mut Tx, sweep: &Sweep) -> Result<Vec<Unit>, StoreError> {
    const SQL: &str = "SELECT u.unit_id, u.parent, u.name, u.created_at \
         FROM unit u JOIN sweep s ON s.unit_id = u.unit_id ORDER BY u.unit_id";
    let rows = sweep.query(SQL).fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

async fn insert(tx: &mut Tx, unit: &Unit) -> Result<(), Problem> {
    let parent = unit.parent.ok_or_else(|| Problem::invalid("a unit needs a parent"))?;
    require(tx, parent).await?;
    require_free(tx, parent, &unit.name, unit.id).await?;
    sqlx::query("INSERT INTO unit (unit_id, parent, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(&unit.id.as_bytes()[..])
        .bind(&parent.as_bytes()[..])
        .bind(&unit.name)
        .bind(unit.created_at.0)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(())
}

async fn update_name(
    tx: &mut Tx,
    id: UnitId,
    seen: &IfMatch,
    name: &Name,
) -> Result<Unit, Problem> {
    require(tx, id).await?;
    let unit = find(tx, id).await?.ok_or_else(|| unknown_unit(id))?;
    seen.holds(&unit)?;
    if let Some(parent) = unit.parent {
        require(tx, parent).await?;
        require_free(tx, parent, name.as_str(), id).await?;
    }
    sqlx::query("UPDATE unit SET name = $2 WHERE unit_id = $1")
        .bind(&id.as_bytes()[..])
        .bind(name.as_str())
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(Unit { name: name.as_str().to_owned(), ..unit })
}

/// The unit, if there is one.
pub(super) async fn find(tx: &mut Tx, id: UnitId) -> Result<Option<Unit>, StoreError> {
    let row = sqlx::query("SELECT unit_id, parent, name, created_at FROM unit WHERE unit_id = $1")
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &AnyRow) -> Result<Unit, StoreError> {
    Ok(Unit {
        id: UnitId::from_bytes(row.array("unit_id")?),
        parent: row.opt_array("parent")?.map(UnitId::from_bytes),
        name: row.text("name")?,
        created_at: row.millis("created_at")?,
    })
}

/// Locks the unit until the end of the transaction, or says that there is none.
pub(super) async fn require(tx: &mut Tx, id: UnitId) -> Result<(), Problem> {
    let sql = format!("SELECT unit_id FROM unit WHERE unit_id = $1{}", tx.engine().for_update());
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if row.is_some() { Ok(()) } else { Err(unknown_unit(id)) }
}

async fn require_free(
    tx: &mut Tx,
    parent: UnitId,
    name: &str,
    except: UnitId,
) -> Result<(), Problem> {
    let row =
        sqlx::query("SELECT unit_id FROM unit WHERE parent = $1 AND name = $2 AND unit_id <> $3")
            .bind(&parent.as_bytes()[..])
            .bind(name)
            .bind(&except.as_bytes()[..])
            .fetch_optional(tx.conn())
            .await
            .map_err(StoreError::from)?;
    if row.is_none() { Ok(()) } else { Err(name_taken()) }
}

/// A name that a sibling has already.
pub(super) fn name_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "name_taken", "The name is taken")
        .detail("another one in the same unit has this name: choose a different one")
}

pub(super) fn unknown_unit(id: UnitId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_unit", "There is no such unit")
        .detail(format!("no unit has the id {id}: GET /v1/units lists them"))
}

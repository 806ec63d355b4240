//! Phones: who has which, whether its check words were compared, and its revocation.
//!
//! `GET /v1/devices[?unit=&person=&limit=&after=]`, `GET /v1/devices/{id}`,
//! `POST /v1/devices/{id}/confirmation`, `POST /v1/devices/{id}/revocation {reason}`.
//!
//! A revocation works at once on every node: each request of a phone reads its row.

use axum::Json;
use axum::extract::State;
use onscene_sync_core::id::{DeviceId, PersonId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::Problem;
use super::extract::{JsonBody, PathOf, QueryOf};
use super::fields::Name;
use super::page;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Scope, Sweep, Viewer, role_column};
use crate::store::{RowExt as _, StoreError, Tx};

/// The routes of this resource.
pub fn routes() -> Routes {
    let (all, one) = ("/v1/devices", "/v1/devices/{id}");
    Routes::new()
        .get(all, Access::May(Action::ReadPhones), list)
        .about("Lists phones, in the order of their enrolment.")
        .with(|operation| operation.may_refuse(&[404]))
        .get(one, Access::May(Action::ReadPhones), show)
        .about("Shows a phone.")
        .post("/v1/devices/{id}/confirmation", Access::May(Action::EnrolPhones), confirm)
        .about("Puts on record that the check words agree.")
        .post("/v1/devices/{id}/revocation", Access::May(Action::RevokePhones), revoke)
        .about("Revokes a phone, at once and everywhere.")
}

/// An enrolled phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose.
    pub person: PersonId,
    /// That person's unit now.
    pub unit: UnitId,
    /// Maker and model, as it said.
    pub model: String,
    /// Where its key is kept, as it said.
    pub key_level: String,
    /// Version of its app when it was enrolled.
    pub app_version: String,
    /// To be compared with those on its screen.
    pub check_words: Vec<String>,
    /// Its newest install number.
    pub install: u32,
    /// When it was enrolled.
    pub enrolled_at: Millis,
    /// When somebody confirmed that the check words agree.
    pub confirmed_at: Option<Millis>,
    /// When it last asked for a token.
    pub last_seen_at: Option<Millis>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// Why.
    pub revoked_why: Option<String>,
}

/// `GET /v1/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Devices {
    /// In order of their enrolment.
    pub devices: Vec<Device>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// `POST /v1/devices/{id}/revocation`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeDevice {
    /// Why; on record.
    pub reason: Name,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only of this unit and those below it.
    unit: Option<UnitId>,
    /// Only of this person.
    person: Option<PersonId>,
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A page of phones.
#[derive(Debug, Clone)]
struct Wanted {
    sweep: Sweep,
    person: Option<PersonId>,
    after: Option<(i64, DeviceId)>,
    limit: u32,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Devices>, Problem> {
    let limit = page::size(filter.limit)?;
    let wanted = Wanted {
        sweep: viewer.sweep(Action::ReadPhones, filter.unit)?,
        person: filter.person,
        after: page::after(filter.after.as_deref())?,
        limit,
    };
    let read =
        app.store.with_read("devices.list", wanted, |tx, wanted| Box::pin(select(tx, wanted)));
    let devices = read.await?;
    let next = page::next(&devices, limit, |last| format!("{}.{}", last.enrolled_at.0, last.id));
    Ok(Json(Devices { devices, next }))
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DeviceId>,
) -> Result<Json<Device>, Problem> {
    let device = app.store.with_read("devices.show", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move { require(tx, viewer, Action::ReadPhones, *id).await })
    });
    Ok(Json(device.await?))
}

async fn confirm(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DeviceId>,
) -> Result<Json<Device>, Problem> {
    let input = (viewer, id, app.now());
    let device = app.store.with_tx("devices.confirm", input, |tx, (viewer, id, at)| {
        Box::pin(async move {
            require(tx, viewer, Action::EnrolPhones, *id).await?;
            sqlx::query(
                "UPDATE device SET confirmed_at = $2 WHERE device = $1 AND confirmed_at IS NULL",
            )
            .bind(&id.as_bytes()[..])
            .bind(at.0)
            .execute(tx.conn())
            .await
            .map_err(StoreError::from)?;
            let entry = Entry::new(Deed::DeviceConfirmed, *at).by(viewer.person).device(*id);
            audit::note(tx, &[entry]).await?;
            require(tx, viewer, Action::EnrolPhones, *id).await
        })
    });
    Ok(Json(device.await?))
}

async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DeviceId>,
    JsonBody(body): JsonBody<RevokeDevice>,
) -> Result<Json<Device>, Problem> {
    let input = (viewer, id, body, app.now());
    let device = app.store.with_tx("devices.revoke", input, |tx, (viewer, id, body, at)| {
        Box::pin(async move {
            require(tx, viewer, Action::RevokePhones, *id).await?;
            mark_revoked(tx, *id, viewer.person, body.reason.as_str(), *at).await?;
            let entry = Entry::new(Deed::DeviceRevoked, *at).by(viewer.person).device(*id);
            audit::note(tx, &[entry]).await?;
            require(tx, viewer, Action::RevokePhones, *id).await
        })
    });
    Ok(Json(device.await?))
}

const COLUMNS: &str = "d.device, d.person_id, p.unit_id, p.role, d.model, d.key_level, d.app_version, \
    d.check_words, d.install, d.enrolled_at, d.confirmed_at, d.revoked_at, d.revoked_why, \
    d.last_seen_at, (SELECT a.at FROM anchor a WHERE a.device = d.device \
        ORDER BY a.number DESC LIMIT 1) AS anchored_at";

async fn select(tx: &mut Tx, wanted: &Wanted) -> Result<Vec<Device>, StoreError> {
    let person = if wanted.person.is_some() { "AND d.person_id = $7" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM device d JOIN person p ON p.person_id = d.person_id \
         JOIN sweep s ON s.unit_id = p.unit_id \
         WHERE (d.enrolled_at > $4 OR (d.enrolled_at = $4 AND d.device > $5)) {person} \
         ORDER BY d.enrolled_at, d.device LIMIT $6"
    );
    let (at, device) = wanted.after.unwrap_or((i64::MIN, DeviceId::from_bytes([0; 8])));
    let query = wanted
        .sweep
        .query(sqlx::AssertSqlSafe(sql))
        .bind(at)
        .bind(device.as_bytes().to_vec())
        .bind(i64::from(wanted.limit));
    let rows = match wanted.person {
        Some(person) => query.bind(person.as_bytes().to_vec()),
        None => query,
    }
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read).collect()
}

/// The phone, if the viewer may do `action` to it.
async fn require(
    tx: &mut Tx,
    viewer: &Viewer,
    action: Action,
    id: DeviceId,
) -> Result<Device, Problem> {
    let sql = format!(
        "SELECT {COLUMNS} FROM device d JOIN person p ON p.person_id = d.person_id \
         WHERE d.device = $1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let Some(row) = row else {
        return Err(Problem::not_found("no phone of your scope has this id"));
    };
    let device = read(&row)?;
    if action == Action::ReadPhones {
        viewer.may(action, &Scope::Unit(device.unit))?;
    } else {
        viewer.may_keep_phones(action, device.unit, role_column(&row)?)?;
    }
    Ok(device)
}

async fn mark_revoked(
    tx: &mut Tx,
    id: DeviceId,
    by: PersonId,
    why: &str,
    at: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE device SET revoked_at = $2, revoked_by = $3, revoked_why = $4 \
         WHERE device = $1 AND revoked_at IS NULL",
    )
    .bind(&id.as_bytes()[..])
    .bind(at.0)
    .bind(&by.as_bytes()[..])
    .bind(why)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Device, StoreError> {
    Ok(Device {
        id: DeviceId::from_bytes(row.array("device")?),
        person: PersonId::from_bytes(row.array("person_id")?),
        unit: UnitId::from_bytes(row.array("unit_id")?),
        model: row.text("model")?,
        key_level: row.text("key_level")?,
        app_version: row.text("app_version")?,
        check_words: row.text("check_words")?.split(' ').map(str::to_owned).collect(),
        install: row.number("install")?,
        enrolled_at: row.millis("enrolled_at")?,
        confirmed_at: row.opt_millis("confirmed_at")?,
        last_seen_at: row.opt_millis("last_seen_at")?.max(row.opt_millis("anchored_at")?),
        revoked_at: row.opt_millis("revoked_at")?,
        revoked_why: row.opt_text("revoked_why")?,
    })
}

//! The first morning: the bureau goes on record and everybody gets a phone.

use std::path::Path;

use onscene_mobile::Device;
use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::time::Millis;
use serde_json::json;

use super::desk::Desk;
use super::error::DemoError;
use super::handset::Handset;
use super::hub::Hub;
use super::memory::{Memory, Remembered};
use super::people::{BUREAU, INSPECTORS, Oddity, SQUADS};
use super::pocket::{Pocket, folder_of};
use super::walker::Walker;
use crate::keys::write_private;
use crate::phone::transport::Transport;

/// File of the dispatcher's key in the demonstration's folder.
pub const DISPATCHER_KEY: &str = "dispatcher.key";
/// File of the supervisor's key.
pub const SUPERVISOR_KEY: &str = "supervisor.key";
/// File of the first administrator's key; the hub writes it.
pub const ADMIN_KEY: &str = crate::auth::staff::ADMIN_KEY_FILE;

/// Puts units, people and keys on record; the phones are yet to be enrolled.
///
/// # Errors
/// When the hub refuses or a file cannot be written.
pub async fn found(dir: &Path, hub: &Hub, admin: &Desk, seed: u64) -> Result<Memory, DemoError> {
    let city: UnitId = admin.get("/v1/units").await?.read("/units/0/id")?;
    admin
        .patch(
            &format!("/v1/units/{city}"),
            &json!({ "name": "济南市城市管理局 Jinan Urban Management Bureau" }),
        )
        .await?;
    let bureau = unit(admin, city, BUREAU.0, BUREAU.1).await?;
    let mut squads = Vec::new();
    for squad in &SQUADS {
        squads.push(unit(admin, bureau, squad.chinese, squad.english).await?);
    }
    staff(dir, admin, city, "指挥中心值班员 Dispatcher", "dispatcher", DISPATCHER_KEY).await?;
    staff(dir, admin, bureau, "督查员 Supervisor", "supervisor", SUPERVISOR_KEY).await?;
    let mut phones = Vec::new();
    for (number, who) in (0..).zip(&INSPECTORS) {
        let name = format!("{} {}", who.chinese, who.english);
        let person = inspector(admin, squads[who.squad], &name).await?;
        let handset = handset(number, who.oddity, hub.app.now());
        phones.push(Remembered { person, handset, recorded: 0, taken: 0 });
    }
    let (port, now) = (hub.port, hub.app.now());
    Ok(Memory { seed, port, days: 0, now, bureau, squads, phones, copied: None, forged: 0 })
}

/// Puts an inspector on record.
///
/// # Errors
/// When the hub refuses.
pub async fn inspector(admin: &Desk, unit: UnitId, name: &str) -> Result<PersonId, DemoError> {
    let body = json!({ "name": name, "role": "inspector", "unit": unit });
    admin.post("/v1/people", &body).await?.read("/id")
}

/// A one-time code for a person's phone.
///
/// # Errors
/// When the hub refuses.
pub async fn enrolment_code(admin: &Desk, person: PersonId) -> Result<String, DemoError> {
    admin.post(&format!("/v1/people/{person}/enrolment-codes"), &json!({})).await?.read("/code")
}

/// Takes everybody's phone out of its folder, and enrols those that are not yet.
///
/// # Errors
/// When a phone's storage cannot be used or the hub does not enrol it.
pub async fn hand_out(
    dir: &Path,
    hub: &Hub,
    admin: &Desk,
    memory: &Memory,
    transport: &Transport,
) -> Result<Vec<Pocket>, DemoError> {
    let mut pockets = Vec::new();
    for (number, phone) in memory.phones.iter().enumerate() {
        let seed = memory.seed ^ u64::from(memory.days) << 32;
        let walker = Walker::at_base(number, phone.handset.clone(), seed, hub.app.now());
        let chance = seed ^ (1 + u64::from(phone.handset.number)) << 16;
        let mut pocket = Pocket::open(&folder_of(dir, number), walker, &hub.clock, chance)?;
        if pocket.ask(Device::standing)?.is_none() {
            enrol(hub, admin, phone.person, &mut pocket, transport).await?;
        }
        pocket.recorded = phone.recorded.max(pocket.ask(Device::counts)?.recorded);
        pocket.taken = phone.taken.max(pocket.ask(Device::evidence_counts)?.recorded);
        pockets.push(pocket);
    }
    Ok(pockets)
}

async fn enrol(
    hub: &Hub,
    admin: &Desk,
    person: PersonId,
    pocket: &mut Pocket,
    transport: &Transport,
) -> Result<(), DemoError> {
    let who = pocket.walker.who.english;
    let code = enrolment_code(admin, person).await?;
    pocket
        .device
        .enrol(&hub.address, &code, None, false)
        .map_err(|source| DemoError::Phone { who, source })?;
    let round = pocket.sync(transport).await?;
    let Some(standing) = pocket.ask(Device::standing)? else {
        let events = pocket.ask(|device| device.events_since(0, 100))?;
        let why = events.last().map_or_else(|| format!("{round:?}"), |event| event.detail.clone());
        return Err(DemoError::NotEnrolled(who, why));
    };
    let path = format!("/v1/devices/{}/confirmation", standing.device);
    admin.post(&path, &json!({})).await.map(drop)
}

async fn unit(
    admin: &Desk,
    parent: UnitId,
    chinese: &str,
    english: &str,
) -> Result<UnitId, DemoError> {
    let body = json!({ "name": format!("{chinese} {english}"), "parent": parent });
    admin.post("/v1/units", &body).await?.read("/id")
}

async fn staff(
    dir: &Path,
    admin: &Desk,
    unit: UnitId,
    name: &str,
    role: &str,
    file: &str,
) -> Result<(), DemoError> {
    let person = json!({ "name": name, "role": role, "unit": unit });
    let person: PersonId = admin.post("/v1/people", &person).await?.read("/id")?;
    let label = json!({ "label": "demonstration", "days": 366 });
    let key: String =
        admin.post(&format!("/v1/people/{person}/keys"), &label).await?.read("/key")?;
    Ok(write_private(&dir.join(file), &key)?)
}

/// A phone that has been on since the night, with a quartz as good as its number.
fn handset(number: u32, oddity: Oddity, now: Millis) -> Handset {
    let wall_offset_ms = if let Oddity::WrongClock(offset_ms) = oddity {
        offset_ms
    } else {
        i64::from(number) * 37 - 400
    };
    let drift_ppm = i32::try_from(number * 7 % 41).unwrap_or(0) - 20;
    let booted_at = now.plus(-(i64::from(number) + 1) * 3_600_000);
    Handset { number, wall_offset_ms, drift_ppm, boots: 1, booted_at }
}

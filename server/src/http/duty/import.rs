//! `POST /v1/duty/imports`: a table of shifts as CSV, taken wholly or not at all. What it may hold stands
//! at [`crate::duty::month`].

use axum::extract::State;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{PersonId, UnitId};

use super::super::Problem;
use super::super::extract::BodyBytes;
use super::super::idempotency::{Command, IdempotencyKey, Made};
use super::super::people::require_locked;
use super::super::units::select;
use super::{Shifts, hand};
use crate::app::App;
use crate::auth::{Action, Sweep, Viewer};
use crate::cases::record::policy_in_force;
use crate::duty::DutyError;
use crate::duty::month::{self, Directory};
use crate::duty::shift::{self, Hand, Shift};
use crate::store::{RowExt as _, StoreError, Tx};

pub(super) async fn import(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    BodyBytes(file): BodyBytes,
) -> Result<Made<Shifts>, Problem> {
    let sweep = viewer.sweep(Action::ManageDuty, None)?;
    let offset = policy_in_force()?.utc_offset_min;
    let command = Command::new(viewer.person, key, "duty_import", &sha256(&file))?;
    let input = (hand(&app, &viewer), sweep, (file, offset), command);
    let taken = app.store.with_tx("duty.import", input, |tx, (hand, sweep, table, command)| {
        Box::pin(async move {
            if let Some(reply) = command.begin(tx, hand.at).await? {
                return Ok(reply);
            }
            let shifts = take_table(tx, sweep, &table.0, table.1, *hand).await?;
            command.made(tx, &Shifts { shifts }).await
        })
    });
    Ok(taken.await?.into())
}

async fn take_table(
    tx: &mut Tx,
    sweep: &Sweep,
    file: &[u8],
    offset: i32,
    hand: Hand,
) -> Result<Vec<Shift>, Problem> {
    let directory = directory(tx, sweep).await?;
    let plans = month::read(file.to_vec(), &directory, offset).map_err(DutyError::Lines)?;
    let mut people: Vec<_> = plans.iter().map(|(_, plan)| plan.person).collect();
    people.sort_unstable();
    people.dedup();
    for person in people {
        require_locked(tx, person).await?;
    }
    let (mut shifts, mut wrong) = (Vec::with_capacity(plans.len()), Vec::new());
    for (line, plan) in plans {
        match shift::plan(tx, &plan, hand).await {
            Ok(shift) => shifts.push(shift),
            Err(DutyError::Store(error)) => return Err(error.into()),
            Err(error) => wrong.push(month::WrongLine { line, why: error.to_string() }),
        }
    }
    if wrong.is_empty() { Ok(shifts) } else { Err(DutyError::Lines(wrong).into()) }
}

/// The open units of `sweep` and their people.
async fn directory(tx: &mut Tx, sweep: &Sweep) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    for unit in select(tx, sweep).await? {
        directory.unit(unit.id, &unit.name);
    }
    const SQL: &str = "SELECT p.person_id, p.unit_id, p.name FROM person p \
         JOIN sweep s ON s.unit_id = p.unit_id WHERE p.closed_at IS NULL ORDER BY p.person_id";
    let rows = sweep.query(SQL).fetch_all(tx.conn()).await?;
    for row in rows {
        let unit = UnitId::from_bytes(row.array("unit_id")?);
        let person = PersonId::from_bytes(row.array("person_id")?);
        directory.person(person, unit, &row.text("name")?);
    }
    Ok(directory)
}

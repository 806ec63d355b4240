//! Who stands where now.

use std::collections::BTreeMap;

use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::rules::escalation::Staff;
use onscene_sync_core::time::Millis;

use crate::auth::{Role, role_column};
use crate::duty::presence::all_on_duty;
use crate::store::{RowExt as _, StoreError, Tx};

/// All that a notice is addressed by.
///
/// # Errors
/// When the database refuses.
pub async fn staff(tx: &mut Tx, now: Millis) -> Result<Staff, StoreError> {
    let mut staff = Staff { parents: parents(tx).await?, ..Staff::default() };
    let sql = "SELECT person_id, role, unit_id FROM person WHERE closed_at IS NULL AND role IN \
               ('unit_leader', 'supervisor', 'leader', 'dispatcher', 'administrator') \
               ORDER BY person_id";
    for row in sqlx::query(sql).fetch_all(tx.conn()).await? {
        let person = PersonId::from_bytes(row.array("person_id")?);
        let unit = UnitId::from_bytes(row.array("unit_id")?);
        match role_column(&row)? {
            Role::UnitLeader => staff.unit_leaders.entry(unit).or_default().push(person),
            Role::Supervisor => staff.supervisors.entry(unit).or_default().push(person),
            Role::Leader => staff.bureau_leaders.push(person),
            Role::Dispatcher => staff.centre.push(person),
            Role::Administrator => staff.administrators.push(person),
            _ => {}
        }
    }
    for (unit, people) in all_on_duty(tx, now).await? {
        staff.on_duty.insert(unit, people.into_iter().map(|one| one.person).collect());
    }
    Ok(staff)
}

async fn parents(tx: &mut Tx) -> Result<BTreeMap<UnitId, Option<UnitId>>, StoreError> {
    let sql = "SELECT unit_id, parent FROM unit WHERE closed_at IS NULL";
    let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| {
            let parent = row.opt_array("parent")?.map(UnitId::from_bytes);
            Ok((UnitId::from_bytes(row.array("unit_id")?), parent))
        })
        .collect()
}

//! Settling the list: from then on nobody can add a case to it or take one out unseen.

use std::collections::BTreeSet;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::body::Registered;
use onscene_sync_core::id::{DocId, Hash, PersonId, UnitId};
use onscene_sync_core::rules::draw::{
    Commitment, Eligible, Supervisor, list_text, root_of_lines, supervisors_text,
};
use onscene_sync_core::rules::record::{Closure, Order};
use onscene_sync_core::time::Millis;

use super::{DrawError, begin_of, week_of};
use crate::app::App;
use crate::audit::entry::{Deed, Entry, note};
use crate::auth::Role;
use crate::cases::record::{Case, load, policy_in_force};
use crate::random;
use crate::store::{RowExt as _, StoreError, Tx};

/// Characters of a seed's source.
const SOURCE_CHARS: usize = 200;

/// Freezes the cases that were closed in the week of `day`; `source` says which public value will be
/// the seed. Returns the draw.
///
/// # Errors
/// When the week is not over, is frozen already, has no case to draw from, or a unit has no supervisor
/// of another one; when the source says nothing.
pub async fn freeze(
    tx: &mut Tx,
    app: &App,
    by: PersonId,
    draw: DocId,
    (day, source): (Millis, &str),
) -> Result<(), DrawError> {
    let (policy, now) = (policy_in_force()?, app.now());
    let week = week_of(day, policy.utc_offset_min);
    let (from, to) =
        (begin_of(week, policy.utc_offset_min), begin_of(week + 1, policy.utc_offset_min));
    check_source(source)?;
    if to > now {
        let why = "the week is not over: cases may still be closed in it".to_owned();
        return Err(DrawError::Conflict { code: "week_not_over", why });
    }
    let list = eligible(tx, from, to).await?;
    let supervisors = supervisors(tx).await?;
    check_lists(&list, &supervisors)?;
    let (list, supervisors) = (list_text(&list), supervisors_text(&supervisors));
    let commitment = Commitment {
        draw,
        from,
        to,
        frozen_at: now,
        cases: list.lines().count() as u64,
        list: root_of_lines(&list),
        supervisors: root_of_lines(&supervisors),
        rules: policy.draw,
        salt: Some(Hash::from_bytes(random::bytes(&*app.random))),
        source: source.to_owned(),
    };
    let commitment = commitment.to_text();
    let inserted = sqlx::query(
        "INSERT INTO draw (draw_id, week, frozen_at, frozen_by, commitment, list, supervisors) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (week) DO NOTHING",
    )
    .bind(&draw.as_bytes()[..])
    .bind(week)
    .bind(now.0)
    .bind(&by.as_bytes()[..])
    .bind(&commitment[..])
    .bind(list)
    .bind(supervisors)
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    if inserted.rows_affected() == 0 {
        let why = "the list of this week is settled, once and for ever: GET /v1/draws".to_owned();
        return Err(DrawError::Conflict { code: "already_frozen", why });
    }
    let entry = Entry::new(Deed::DrawCommitted, now).by(by).to(draw.as_bytes());
    note(tx, &[entry.object(*sha256(commitment.as_bytes()).as_bytes())]).await?;
    Ok(())
}

fn check_source(source: &str) -> Result<(), DrawError> {
    let length = source.chars().count();
    if source.trim() == source && (8..=SOURCE_CHARS).contains(&length) && !source.contains('\n') {
        return Ok(());
    }
    let why = format!(
        "must name one public value that nobody knows yet, in one line of 8 to {SOURCE_CHARS} \
         characters: `drand quicknet round 12345678`, say"
    );
    Err(DrawError::Invalid { field: "source", why })
}

fn check_lists(
    list: &BTreeSet<Eligible>,
    supervisors: &BTreeSet<Supervisor>,
) -> Result<(), DrawError> {
    let conflict = |code, why| Err(DrawError::Conflict { code, why });
    if list.is_empty() {
        let why = "no case with an order was closed in that week: there is nothing to draw from";
        return conflict("nothing_to_draw", why.to_owned());
    }
    let alone = list.iter().find(|case| supervisors.iter().all(|one| one.unit == case.unit));
    match alone {
        None => Ok(()),
        Some(case) => {
            let why = "has no supervisor of another unit with a phone: appoint one and enrol it";
            conflict("no_supervisor", format!("the unit {} {why}", case.unit))
        }
    }
}

/// The closed cases of the period that units had worked on, drills left out.
async fn eligible(tx: &mut Tx, from: Millis, to: Millis) -> Result<BTreeSet<Eligible>, DrawError> {
    const SQL: &str =
        "SELECT case_id FROM case_row WHERE closed_at >= $1 AND closed_at < $2 ORDER BY case_id";
    let query = sqlx::query(SQL).bind(from.0).bind(to.0);
    let rows = query.fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    let mut list = BTreeSet::new();
    for row in rows {
        let case = load(tx, DocId::from_bytes(row.array("case_id")?), false).await?;
        let Some((order, registered)) = worked_on(&case) else { continue };
        let closed = case.record.closures.last().filter(|it| matches!(it.body, Closure::Closed(_)));
        if closed.is_some_and(|closed| (from..to).contains(&closed.at)) && !registered.drill {
            let (unit, class) = (order.issued.body.unit, registered.class);
            list.insert(Eligible { case: case.id, unit, class });
        }
    }
    Ok(list)
}

/// The order whose work is checked: the newest that was not withdrawn.
fn worked_on(case: &Case) -> Option<(&Order, &Registered)> {
    let order = case.record.orders.iter().rfind(|order| order.withdrawn.is_none())?;
    Some((order, &case.record.registration.as_ref()?.body))
}

/// Supervisors with a phone that is in use.
async fn supervisors(tx: &mut Tx) -> Result<BTreeSet<Supervisor>, StoreError> {
    const SQL: &str = "SELECT DISTINCT p.person_id AS person_id, p.unit_id AS unit_id \
         FROM person p JOIN device d ON d.person_id = p.person_id \
         WHERE p.role = $1 AND p.closed_at IS NULL AND d.revoked_at IS NULL";
    let query = sqlx::query(SQL).bind(Role::Supervisor.as_str());
    let rows = query.fetch_all(tx.conn()).await?;
    let read = |row: &sqlx::any::AnyRow| {
        let unit = UnitId::from_bytes(row.array("unit_id")?);
        Ok(Supervisor { person: PersonId::from_bytes(row.array("person_id")?), unit })
    };
    rows.iter().map(read).collect()
}

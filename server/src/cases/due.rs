//! The clocks that run out next, soonest first: what the command centre and units work by.

use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::narrow::Narrow;
use crate::auth::Sweep;
use crate::store::{RowExt as _, StoreError, Tx};

/// A clock that runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Running {
    /// Its purpose: `dispatch`, `coordination`, `telling`, `arrival` or `feedback`.
    pub clock: &'static str,
    /// When its time is up; before now when that has passed.
    pub due: Millis,
    /// The case.
    pub case: DocId,
    /// The case's number, for people.
    pub number: String,
    /// The order, for a unit's clocks.
    pub order: Option<FactId>,
    /// Who answers for it; `None` for the command centre.
    pub unit: Option<UnitId>,
    /// A made-up case.
    pub drill: bool,
}

/// The command centre's clocks by their columns, and the units'.
const CENTRE: [(&str, &str); 3] = [
    ("dispatch", "dispatch_due"),
    ("coordination", "coordination_due"),
    ("telling", "telling_due"),
];
const UNITS: [(&str, &str); 2] = [("arrival", "arrival_due"), ("feedback", "feedback_due")];

/// The clocks of `sweep` that run out from `since` on, the first `limit` of them. Those of the command
/// centre are for who reaches everything.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    tx: &mut Tx,
    sweep: &Sweep,
    since: Millis,
    limit: u32,
) -> Result<Vec<Running>, StoreError> {
    let mut all = Vec::new();
    for (clock, column) in CENTRE.into_iter().filter(|_| sweep.everything) {
        let mut narrow = Narrow::within(sweep, "c.unit_id");
        narrow.and(&format!("c.{column} >= ?"), [since.into()]);
        let limit = narrow.place(i64::from(limit).into());
        let select = format!("c.{column} AS due, c.case_id, c.number, c.drill FROM case_row c");
        let order = format!("ORDER BY c.{column} LIMIT {limit}");
        for row in narrow.fetch(tx, &select, &order).await? {
            all.push(Running {
                clock,
                due: row.millis("due")?,
                case: DocId::from_bytes(row.array("case_id")?),
                number: row.text("number")?,
                order: None,
                unit: None,
                drill: row.int("drill")? == 1,
            });
        }
    }
    for (clock, column) in UNITS {
        let mut narrow = Narrow::within(sweep, "o.unit_id");
        narrow.and(&format!("o.{column} >= ?"), [since.into()]);
        let limit = narrow.place(i64::from(limit).into());
        let select = format!(
            "o.{column} AS due, o.case_id, o.order_id, o.unit_id, c.number, c.drill \
             FROM dispatch_order o JOIN case_row c ON c.case_id = o.case_id"
        );
        let order = format!("ORDER BY o.{column} LIMIT {limit}");
        for row in narrow.fetch(tx, &select, &order).await? {
            all.push(Running {
                clock,
                due: row.millis("due")?,
                case: DocId::from_bytes(row.array("case_id")?),
                number: row.text("number")?,
                order: Some(FactId::from_bytes(row.array("order_id")?)),
                unit: Some(UnitId::from_bytes(row.array("unit_id")?)),
                drill: row.int("drill")? == 1,
            });
        }
    }
    all.sort_by_key(|running| (running.due, running.case));
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}

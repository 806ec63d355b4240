//! Lists of dispatch orders, newest first: what stands behind the figures of units.

use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use super::list::PAGE;
use super::narrow::{About, Narrow};
use crate::auth::Sweep;
use crate::statistics::indicator::Indicator;
use crate::store::{RowExt as _, StoreError, Tx};

/// Which orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Units in reach.
    pub sweep: Sweep,
    /// What their cases are about.
    pub about: About,
    /// Only those issued from this moment until before that one.
    pub issued: Option<(Millis, Millis)>,
    /// Only those that this figure counts.
    pub counted_in: Option<&'static Indicator>,
    /// Whether what runs is late is said as of this moment.
    pub as_of: Millis,
    /// Only those after this one in the list.
    pub after: Option<Key>,
    /// How many at most, up to [`PAGE`].
    pub limit: u32,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// When the order was issued.
    pub issued_at: Millis,
    /// The order.
    pub id: FactId,
}

/// An order in a list. Outcomes are `on_time`, `late`, `undecided`, `open` (see the deadline beside
/// it), `lifted`, or empty where there is no such clock.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "OrderRow")]
pub struct Row {
    /// The order.
    pub id: FactId,
    /// Its case.
    pub case: DocId,
    /// The case's number, for people.
    pub number: String,
    /// The responsible unit.
    pub unit: UnitId,
    /// When it was issued.
    pub issued_at: Millis,
    /// When the unit received it.
    pub received_at: Option<Millis>,
    /// How: `device`, `desk` or `deemed`.
    pub receipt: String,
    /// When it ended without regard to its work: withdrawn, or the case closed.
    pub ended_at: Option<Millis>,
    /// How the arrival clock came out.
    pub arrival: String,
    /// When its time is up, while it runs.
    pub arrival_due: Option<Millis>,
    /// When the team was on scene.
    pub arrived_at: Option<Millis>,
    /// How the clocks of feedback and rework came out.
    pub feedback: String,
    /// When the time of the first of them is up, while it runs.
    pub feedback_due: Option<Millis>,
    /// When the result was recorded that stands.
    pub fed_back_at: Option<Millis>,
    /// That result.
    pub result: String,
    /// How often its work was sent back.
    pub returns: i64,
    /// How often it was pressed for.
    pub urges: i64,
}

/// A page of orders by `filter`.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<Vec<Row>, StoreError> {
    let mut narrow = Narrow::within(&filter.sweep, "o.unit_id");
    narrow.about(&filter.about);
    if let Some((from, until)) = filter.issued {
        narrow.and("o.issued_at >= ? AND o.issued_at < ?", [from.into(), until.into()]);
    }
    if let Some(indicator) = filter.counted_in {
        narrow.counted(indicator, filter.as_of.into());
    }
    if let Some(after) = filter.after {
        narrow.and(
            "(o.issued_at, o.order_id) < (?, ?)",
            [after.issued_at.into(), (*after.id.as_bytes()).into()],
        );
    }
    let limit = narrow.place(i64::from(filter.limit.min(PAGE)).into());
    let select = "o.order_id, o.case_id, c.number, o.unit_id, o.issued_at, o.received_at, \
         o.receipt, o.ended_at, o.arrival, o.arrival_due, o.arrived_at, o.feedback, \
         o.feedback_due, o.fed_back_at, o.result, o.returns, o.urges \
         FROM dispatch_order o JOIN case_row c ON c.case_id = o.case_id";
    let order = format!("ORDER BY o.issued_at DESC, o.order_id DESC LIMIT {limit}");
    narrow.fetch(tx, select, &order).await?.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Row, StoreError> {
    Ok(Row {
        id: FactId::from_bytes(row.array("order_id")?),
        case: DocId::from_bytes(row.array("case_id")?),
        number: row.text("number")?,
        unit: UnitId::from_bytes(row.array("unit_id")?),
        issued_at: row.millis("issued_at")?,
        received_at: row.opt_millis("received_at")?,
        receipt: row.text("receipt")?,
        ended_at: row.opt_millis("ended_at")?,
        arrival: row.text("arrival")?,
        arrival_due: row.opt_millis("arrival_due")?,
        arrived_at: row.opt_millis("arrived_at")?,
        feedback: row.text("feedback")?,
        feedback_due: row.opt_millis("feedback_due")?,
        fed_back_at: row.opt_millis("fed_back_at")?,
        result: row.text("result")?,
        returns: row.int("returns")?,
        urges: row.int("urges")?,
    })
}

//! What follows from what a phone did: it fetched an order, it said so, it claimed an arrival, it
//! recorded an outcome. Jobs, inserted in the transaction of its request.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::body::{OrderReceived, Receipt};
use onscene_sync_core::id::{DeviceId, DocId, FactId};
use onscene_sync_core::sync::message::{Bucket, Cursor};
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use super::dispatch::order_of;
use super::project::refill;
use super::{CaseError, act, closing, deadline, evidence, judge, outcome, rejudge, tracks};
use crate::app::App;
use crate::hub::buckets::key;
use crate::hub::record::{FOUND, FactArrived, SETTLE};
use crate::jobs::{Effect, Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};
use crate::supervision::recheck;

/// Kind of the job that an accepted order leads to.
pub const ACCEPT: &str = "accept";
/// Kind of the job that a fetched order leads to.
pub const FETCHED: &str = "case.fetched";

/// Handlers of all jobs about cases.
pub const HANDLERS: &[(&str, Effect)] = &[
    (ACCEPT, accept),
    (FETCHED, receive_fetched),
    (judge::JUDGE, judge::run),
    (rejudge::REJUDGE, rejudge::run),
    (rejudge::SWEEP, rejudge::sweep),
    (tracks::COMPARE, tracks::run),
    (outcome::FEEDBACK, outcome::run),
    (SETTLE, outcome::settle),
    (FOUND, recheck::run),
    (deadline::RECEIPT, deadline::deem_received),
    (deadline::OVERDUE, deadline::escalate),
    (closing::CLOSE, closing::run),
    (refill::REFILL, refill::refill),
];

#[derive(Debug, Serialize, Deserialize)]
struct Fetched {
    case: DocId,
    order: FactId,
    device: DeviceId,
    at: Millis,
}

/// Notes which open orders a phone has in hand: its cursors have passed the frames that brought
/// them. `true` when a job is due at once: wake the runner after the commit.
///
/// # Errors
/// When the database refuses.
pub async fn note_fetched(
    tx: &mut Tx,
    device: DeviceId,
    cursors: &[Cursor],
    now: Millis,
) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT o.order_id, o.case_id FROM dispatch_order o \
         JOIN doc_bucket b ON b.doc_id = o.inspection AND b.bucket = $2 \
         WHERE o.unit_id = $1 AND o.received_at IS NULL \
         AND b.left_seq IS NULL AND b.first_seq <= $3";
    let mut due = false;
    for cursor in cursors {
        let Bucket::Unit(unit) = cursor.bucket else { continue };
        let rows = sqlx::query(SQL)
            .bind(&unit.as_bytes()[..])
            .bind(key(&cursor.bucket))
            .bind(i64::try_from(cursor.seq).unwrap_or(i64::MAX))
            .fetch_all(tx.conn())
            .await?;
        for row in rows {
            let case = DocId::from_bytes(row.array("case_id")?);
            let order = FactId::from_bytes(row.array("order_id")?);
            let job = NewJob::new(FETCHED, now, &Fetched { case, order, device, at: now })
                .expect("ids and a moment have a JSON form");
            due |= enqueue(tx, job.once(order.to_string())).await?;
        }
    }
    Ok(due)
}

/// Handler of [`FETCHED`].
fn receive_fetched<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let Fetched { case, order, device, at } = job.payload()?;
        let received = OrderReceived { order, at, receipt: Receipt::Device { device } };
        Ok(act::receive(tx, app, case, received).await?.pokes)
    }
    .boxed()
}

/// Handler of [`ACCEPT`].
fn accept<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move { Ok(receive_accepted(tx, app, job.payload()?).await?) }.boxed()
}

async fn receive_accepted(
    tx: &mut Tx,
    app: &App,
    FactArrived { inspection, fact }: FactArrived,
) -> Result<Vec<Poke>, CaseError> {
    let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let visit = evidence::document(tx, inspection).await?;
    let (author, _) = evidence::device_fact(&visit, fact)?;
    if !of_the_unit(tx, found.order, author.device).await? {
        return Ok(Vec::new());
    }
    let at = evidence::first_seen(tx, &author, fact).await?;
    let receipt = Receipt::Device { device: author.device };
    let received = OrderReceived { order: found.order, at, receipt };
    Ok(act::receive(tx, app, found.case, received).await?.pokes)
}

/// A supervisor's phone may read an order; only the unit's receives it.
async fn of_the_unit(tx: &mut Tx, order: FactId, device: DeviceId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS found FROM device d \
         JOIN person p ON p.person_id = d.person_id \
         JOIN dispatch_order o ON o.unit_id = p.unit_id \
         WHERE d.device = $1 AND o.order_id = $2",
    )
    .bind(&device.as_bytes()[..])
    .bind(&order.as_bytes()[..])
    .fetch_one(tx.conn())
    .await?;
    Ok(row.int("found")? > 0)
}

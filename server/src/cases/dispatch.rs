//! Orders a unit out (调度指令), and takes orders back.

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{AboutOrder, Ordered};
use onscene_sync_core::id::{DocId, FactId, PersonId, UnitId};
use onscene_sync_core::place::Site;
use onscene_sync_core::sync::message::Bucket;

use super::record::{Case, Stated, load, policy_in_force};
use super::{CaseError, deadline, optional_text, required_text};
use crate::app::App;
use crate::hub::{buckets, documents};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// An order to be issued.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The responsible unit.
    pub unit: UnitId,
    /// Words for the unit.
    pub text: String,
    /// Where, when it is not where the case was registered.
    pub site: Option<Site>,
}

/// Orders a unit out; `inspection` is the id of the visit's new document. An order that another
/// unit still holds is withdrawn, and its documents leave that unit's feeds.
///
/// # Errors
/// [`CaseError::UnknownCase`], [`CaseError::UnknownUnit`]; a conflict when the case is closed or
/// the unit holds the case already.
pub async fn dispatch(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    inspection: DocId,
    by: PersonId,
    order: &Dispatch,
) -> Result<Stated, CaseError> {
    optional_text("text", &order.text)?;
    let mut case = load(tx, id, true).await?;
    case.require_open()?;
    require_unit(tx, order.unit).await?;
    let mut bodies = Vec::new();
    let mut withdrawn = Vec::new();
    for held in &case.record.orders {
        if case.record.ended(held).is_some() {
            continue;
        }
        if held.issued.body.unit == order.unit {
            return Err(CaseError::Conflict {
                code: "already_ordered",
                why: format!("the unit holds this case under order {}", held.issued.fact),
            });
        }
        let reason = "dispatched to another unit".to_owned();
        let about = AboutOrder { order: held.issued.fact, by, reason };
        bodies.push(Body::OrderWithdrawn(about));
        withdrawn.push((held.issued.body.unit, held.issued.body.inspection));
    }
    let registered = case.record.registration.as_ref();
    let site = order.site.clone().or_else(|| registered.and_then(|case| case.body.site.clone()));
    bodies.push(Body::Ordered(Ordered {
        unit: order.unit,
        inspection,
        site,
        policy: policy_in_force()?.version,
        by,
        text: order.text.clone(),
    }));
    let now = app.now();
    documents::create(tx, inspection, DocKind::Response, now).await?;
    lock_ahead(tx, id, withdrawn.iter().map(|(_, visit)| *visit), order.unit).await?;
    let mut stated = case.state(tx, app, bodies).await?;
    if let Some(issued) = stated.facts.last() {
        deadline::expect_receipt(tx, &case, *issued).await?;
    }
    for (unit, visit) in withdrawn {
        if unit != order.unit {
            stated.pokes.extend(leave(tx, &case, unit, visit, order.unit, app).await?);
        }
    }
    let feeds = feeds_of(tx, order.unit).await?;
    stated.pokes.extend(buckets::enter(tx, id, &feeds, now).await?);
    stated.pokes.extend(buckets::enter(tx, inspection, &feeds[..1], now).await?);
    Ok(stated)
}

/// Takes an order back without a new one.
///
/// # Errors
/// [`CaseError::UnknownOrder`]; a conflict when it is over.
pub async fn withdraw(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    about: &AboutOrder,
) -> Result<Stated, CaseError> {
    required_text("reason", &about.reason)?;
    let mut case = load(tx, id, true).await?;
    let held = case.live_order(about.order)?.issued.body.clone();
    lock_ahead(tx, id, [held.inspection], held.unit).await?;
    let mut stated = case.state(tx, app, vec![Body::OrderWithdrawn(about.clone())]).await?;
    let feeds = [Bucket::Unit(held.unit)];
    let now = app.now();
    stated.pokes.extend(buckets::leave(tx, id, &feeds, now).await?);
    stated.pokes.extend(buckets::leave(tx, held.inspection, &feeds, now).await?);
    Ok(stated)
}

/// Locks, in the order that everybody keeps, all rows that a move of the case between feeds will
/// write: first the visits, then the counters of the feeds that it is in and those of `unit`.
async fn lock_ahead(
    tx: &mut Tx,
    case: DocId,
    visits: impl IntoIterator<Item = DocId>,
    unit: UnitId,
) -> Result<(), CaseError> {
    documents::rows(tx, visits, true).await?;
    let mut feeds = feeds_of(tx, unit).await?;
    feeds.extend(buckets::of_document(tx, case).await?);
    buckets::states(tx, feeds, true).await?;
    Ok(())
}

/// The unit's own feed first, then those of its supervisors.
async fn feeds_of(tx: &mut Tx, unit: UnitId) -> Result<Vec<Bucket>, StoreError> {
    let mut feeds = vec![Bucket::Unit(unit)];
    feeds.extend(buckets::supervision_of(tx, unit).await?);
    Ok(feeds)
}

/// Moves the case out of the feeds that saw it through `unit` and do not see it through `next`.
async fn leave(
    tx: &mut Tx,
    case: &Case,
    unit: UnitId,
    visit: DocId,
    next: UnitId,
    app: &App,
) -> Result<Vec<Poke>, CaseError> {
    let now = app.now();
    let kept = feeds_of(tx, next).await?;
    let mut gone = feeds_of(tx, unit).await?;
    gone.retain(|feed| !kept.contains(feed));
    let mut pokes = buckets::leave(tx, case.id, &gone, now).await?;
    pokes.extend(buckets::leave(tx, visit, &[Bucket::Unit(unit)], now).await?);
    Ok(pokes)
}

async fn require_unit(tx: &mut Tx, unit: UnitId) -> Result<(), CaseError> {
    let open = sqlx::query("SELECT 1 AS found FROM unit WHERE unit_id = $1 AND closed_at IS NULL")
        .bind(&unit.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    open.map(|_| ()).ok_or(CaseError::UnknownUnit(unit))
}

/// Where an inspection's facts belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderOf {
    /// The case.
    pub case: DocId,
    /// The order.
    pub order: FactId,
}

/// The order that an inspection answers; `None` for patrols and rechecks.
///
/// # Errors
/// When the database refuses.
pub async fn order_of(tx: &mut Tx, inspection: DocId) -> Result<Option<OrderOf>, StoreError> {
    let row = sqlx::query("SELECT case_id, order_id FROM dispatch_order WHERE inspection = $1")
        .bind(&inspection.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok(OrderOf {
            case: DocId::from_bytes(row.array("case_id")?),
            order: FactId::from_bytes(row.array("order_id")?),
        })
    })
    .transpose()
}

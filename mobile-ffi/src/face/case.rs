//! A case as this phone knows it: where it stands, its orders, and what has happened.

use onscene_sync_core::rules::record::{CaseRecord, Order};

use super::arrival::Conclusion;
use super::convert::{id, job};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::history::{self, HistoryEntry};
use super::place::PhoneSite;
use super::recording::VisitOutcome;
use super::work::CasePhase;
use crate::{CaseView, InspectionView};

/// A case.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PhoneCase {
    /// The case.
    pub case_id: String,
    /// Where it stands.
    pub phase: Option<CasePhase>,
    /// Kind of matter, a key of the reference data.
    pub matter: String,
    /// What it is about. Who complained is in no case.
    pub summary: String,
    /// Where; nothing for a matter without a place.
    pub site: Option<PhoneSite>,
    /// When the bureau heard of it, by the server's clock, Unix milliseconds.
    pub reported_ms: Option<i64>,
    /// A grave matter, or criticism of officers.
    pub grave: bool,
    /// Made up to test duty.
    pub drill: bool,
    /// Its orders, oldest first.
    pub orders: Vec<CaseOrder>,
    /// What the bureau stated, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// A dispatch order of a case, with the visit that answers it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct CaseOrder {
    /// The order.
    pub order: String,
    /// The unit that it went to.
    pub unit: String,
    /// Words for the unit.
    pub text: String,
    /// When it was issued, by the server's clock, Unix milliseconds.
    pub issued_ms: i64,
    /// When it ended without regard to its work: withdrawn, or the case was closed.
    pub ended_ms: Option<i64>,
    /// What counts of the arrivals that were judged.
    pub arrival: Option<Conclusion>,
    /// The newest result that stands at the command centre.
    pub result: Option<VisitOutcome>,
    /// The visit.
    pub visit: String,
    /// What phones stated in the visit, oldest first by their wall clocks; what waits on this phone
    /// included.
    pub history: Vec<HistoryEntry>,
}

#[uniffi::export]
impl PhoneCore {
    /// A case with its orders and visits.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn phone_case(&self, case_id: String) -> Result<PhoneCase, PhoneError> {
        self.call("phone_case", |device| Ok(device.case(id("case_id", &case_id)?)?.into()))
    }

    /// What phones stated in a visit, oldest first by their wall clocks: of a patrol or a recheck,
    /// which no order of a case asked for.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn visit_history(&self, visit: String) -> Result<Vec<HistoryEntry>, PhoneError> {
        self.call("visit_history", |device| Ok(visited(&device.visit(job(&visit)?)?)))
    }
}

fn visited(visit: &InspectionView) -> Vec<HistoryEntry> {
    let withdrawn = visit.withdrawn();
    history::told(&visit.facts, |fact| withdrawn.contains(&fact))
}

impl From<CaseView> for PhoneCase {
    fn from(view: CaseView) -> Self {
        let CaseView { case, phase, record, facts, inspections } = view;
        let visits = record.orders.iter().zip(&inspections);
        let orders = visits.map(|(order, visit)| CaseOrder::of(&record, order, visit)).collect();
        let registered = record.registration.as_ref().map(|stated| &stated.body);
        Self {
            case_id: case.to_string(),
            phase: phase.map(Into::into),
            matter: registered.map(|case| case.matter.clone()).unwrap_or_default(),
            summary: registered.map(|case| case.summary.clone()).unwrap_or_default(),
            site: registered.and_then(|case| case.site.clone()).map(Into::into),
            reported_ms: registered.map(|case| case.received_at.0),
            grave: registered.is_some_and(|case| case.grave),
            drill: registered.is_some_and(|case| case.drill),
            orders,
            history: history::told(&facts, |_| false),
        }
    }
}

impl CaseOrder {
    fn of(record: &CaseRecord, order: &Order, visit: &InspectionView) -> Self {
        let result = order.standing_result().and_then(|result| result.body.result);
        Self {
            order: order.issued.fact.to_string(),
            unit: order.issued.body.unit.to_string(),
            text: order.issued.body.text.clone(),
            issued_ms: order.issued.at.0,
            ended_ms: record.ended(order).map(|at| at.0),
            arrival: order.deciding_claim().map(|(_, conclusion)| conclusion.into()),
            result: result.map(Into::into),
            visit: visit.doc.to_string(),
            history: visited(visit),
        }
    }
}

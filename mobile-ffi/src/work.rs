//! Looking: orders, cases and inspections as this phone knows them.

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::{Body, Fact, envelope};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::place::Site;
use onscene_sync_core::rules::phase::{Phase, phase};
use onscene_sync_core::rules::record::{CaseRecord, Order};
use onscene_sync_core::time::Millis;
use serde::Serialize;

use crate::device::Device;
use crate::error::DeviceError;
use crate::record::Job;
use crate::store::{documents, meta};

/// An order that is to be answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkItem {
    /// The order.
    pub order: FactId,
    /// Its case.
    pub case: DocId,
    /// The visit that answers it.
    pub inspection: DocId,
    /// Where the case stands.
    pub phase: Option<Phase>,
    /// Kind of matter.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// Words for the unit.
    pub text: String,
    /// Where.
    pub site: Option<Site>,
    /// When it was issued.
    pub issued_at: Millis,
    /// When the unit received it, as far as the phone knows: the clock's start.
    pub received_at: Option<Millis>,
    /// Someone of the team has accepted it.
    pub accepted: bool,
    /// Someone of the team has claimed to be on scene, and has not taken it back.
    pub arrived: bool,
    /// The team has an outcome that was not taken back.
    pub done: bool,
}

/// A case as this phone knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseView {
    /// The case.
    pub case: DocId,
    /// Where it stands.
    pub phase: Option<Phase>,
    /// Registration, orders, verdicts, feedback, closures.
    pub record: CaseRecord,
    /// The visits that its orders asked for.
    pub inspections: Vec<InspectionView>,
}

/// A visit as this phone knows it, with what it has yet to deliver.
#[derive(Debug, Clone, PartialEq)]
pub struct InspectionView {
    /// The inspection.
    pub doc: DocId,
    /// What it is.
    pub kind: DocKind,
    /// Everything stated in it, oldest first by the wall clocks of its authors.
    pub facts: Vec<(FactId, Fact)>,
}

/// What a team disagrees about after it worked apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Conflicts {
    /// The outcomes to choose from, if there are several.
    pub outcomes: Vec<FactId>,
    /// The site corrections to choose from, if there are several.
    pub sites: Vec<FactId>,
    /// Items of the checklist that were answered in several ways.
    pub items: Vec<String>,
}

impl Device {
    /// The orders to be answered, the oldest first: neither withdrawn nor ended by a closure.
    ///
    /// # Errors
    /// When the store fails.
    pub fn my_work(&self) -> Result<Vec<WorkItem>, DeviceError> {
        let mut work = Vec::new();
        for case in documents::of_kind(self.store.read(), DocKind::Case)? {
            let record = self.record(case)?;
            for order in &record.orders {
                if record.ended(order).is_none() {
                    work.push(self.work_item(case, &record, order)?);
                }
            }
        }
        work.sort_by_key(|item: &WorkItem| (item.issued_at, item.order));
        Ok(work)
    }

    /// A case with its visits.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn case(&self, case: DocId) -> Result<CaseView, DeviceError> {
        let known = documents::row(self.store.read(), case)?;
        if !known.is_some_and(|row| row.kind == DocKind::Case && row.has_base) {
            return Err(DeviceError::unknown("case", case));
        }
        let record = self.record(case)?;
        let mut inspections = Vec::new();
        for order in &record.orders {
            let doc = order.issued.body.inspection;
            let facts = self.facts_of(doc)?;
            inspections.push(InspectionView { doc, kind: DocKind::Response, facts });
        }
        Ok(CaseView { case, phase: phase(&record), record, inspections })
    }

    /// The patrols on this phone.
    ///
    /// # Errors
    /// When the store fails.
    pub fn patrols(&self) -> Result<Vec<DocId>, DeviceError> {
        documents::of_kind(self.store.read(), DocKind::Patrol)
    }

    /// One visit.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn visit(&self, job: Job) -> Result<InspectionView, DeviceError> {
        let (doc, kind) = self.inspection(job)?;
        Ok(InspectionView { doc, kind, facts: self.facts_of(doc)? })
    }

    /// What the team disagrees about in a visit.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn conflicts(&self, job: Job) -> Result<Conflicts, DeviceError> {
        let (doc, _) = self.inspection(job)?;
        let Some(view) = documents::view(self.store.read(), doc)? else {
            return Ok(Conflicts::default());
        };
        let withdrawn = withdrawn(&self.facts_of(doc)?);
        let several = |mut facts: Vec<FactId>| {
            facts.retain(|fact| !withdrawn.contains(fact));
            if facts.len() > 1 { facts } else { Vec::new() }
        };
        let items = view.checklist().into_iter().filter(|(_, answers)| answers.len() > 1);
        Ok(Conflicts {
            outcomes: several(view.outcomes()),
            sites: several(view.sites()),
            items: items.map(|(item, _)| item).collect(),
        })
    }

    fn work_item(
        &self,
        case: DocId,
        record: &CaseRecord,
        order: &Order,
    ) -> Result<WorkItem, DeviceError> {
        let ordered = &order.issued.body;
        let facts = self.facts_of(ordered.inspection)?;
        let withdrawn = withdrawn(&facts);
        let standing = || facts.iter().filter(|(id, _)| !withdrawn.contains(id));
        let any = |test: fn(&Body) -> bool| standing().any(|(_, fact)| test(&fact.body));
        let registered = record.registration.as_ref().map(|stated| &stated.body);
        Ok(WorkItem {
            order: order.issued.fact,
            case,
            inspection: ordered.inspection,
            phase: phase(record),
            matter: registered.map(|body| body.matter.clone()).unwrap_or_default(),
            summary: registered.map(|body| body.summary.clone()).unwrap_or_default(),
            text: ordered.text.clone(),
            site: ordered.site.clone(),
            issued_at: order.issued.at,
            received_at: order.receipts.iter().map(|receipt| receipt.body.at).min(),
            accepted: any(|body| matches!(body, Body::Accepted(_))),
            arrived: any(|body| matches!(body, Body::Arrival(_))),
            done: any(|body| matches!(body, Body::Outcome(_))),
        })
    }

    /// The case of an order with its facts folded.
    pub(crate) fn case_of(&self, order: FactId) -> Result<(DocId, CaseRecord), DeviceError> {
        let found = documents::order(self.store.read(), order)?
            .ok_or_else(|| DeviceError::unknown("order", order))?;
        Ok((found.case, self.record(found.case)?))
    }

    /// The order that an inspection answers, if its case is on this phone.
    pub(crate) fn order_answered_by(&self, doc: DocId) -> Result<Option<FactId>, DeviceError> {
        documents::order_of(self.store.read(), doc)
    }

    /// The facts of a case that bear the hub's signature, folded.
    fn record(&self, case: DocId) -> Result<CaseRecord, DeviceError> {
        let db = self.store.read();
        let key = meta::identity(db)?.hub_key;
        let facts = documents::base(db, case)?.map(|case| case.facts()).unwrap_or_default();
        Ok(CaseRecord::from_facts(facts.into_iter().filter_map(|(id, bytes)| {
            let fact = envelope::read_from_hub(&bytes, &key).ok()?;
            (fact.doc == case).then_some((id, fact))
        })))
    }

    /// The facts of an inspection. The hub has checked those of other phones.
    pub(crate) fn facts_of(&self, doc: DocId) -> Result<Vec<(FactId, Fact)>, DeviceError> {
        let view = documents::view(self.store.read(), doc)?;
        let facts = view.map(|view| view.facts()).unwrap_or_default();
        let mut facts: Vec<(FactId, Fact)> = facts
            .into_iter()
            .filter_map(|(id, bytes)| Some((id, envelope::read(&bytes).ok()?)))
            .collect();
        facts.sort_by_key(|(id, fact)| {
            let author = fact.device();
            (author.map(|author| (author.clock.wall_ms, author.device, author.seq)), *id)
        });
        Ok(facts)
    }
}

/// What its authors took back of these facts.
fn withdrawn(facts: &[(FactId, Fact)]) -> BTreeSet<FactId> {
    let named = |fact: &Fact| match &fact.body {
        Body::Withdrawal(withdrawal) => Some(withdrawal.fact),
        _ => None,
    };
    facts.iter().filter_map(|(_, fact)| named(fact)).collect()
}

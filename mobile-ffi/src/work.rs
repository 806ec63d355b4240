//! Looking: orders, cases and inspections as this phone knows them.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::document::{Answer, DocKind};
use onscene_sync_core::fact::Fact;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::place::Site;
use onscene_sync_core::rules::phase::{Phase, phase};
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::error::DeviceError;
use crate::record::Job;
use crate::store::list::List;
use crate::store::{documents, told, work};

/// An order that is to be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// What of the work to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Words that must all stand in the matter, the summary or the order's text, anywhere in a word
    /// and in either case.
    pub words: String,
    /// Leave out what the team has an outcome for.
    pub undone_only: bool,
    /// Go on after the item that was [issued](WorkItem::issued_at) then with this order.
    pub after: Option<(Millis, FactId)>,
    /// Items at most.
    pub max: usize,
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
    /// Everything that the hub stated in it, oldest first.
    pub facts: Vec<(FactId, Fact)>,
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

impl InspectionView {
    /// What its authors took back of it.
    #[must_use]
    pub fn withdrawn(&self) -> BTreeSet<FactId> {
        work::withdrawn(&self.facts)
    }
}

/// What a team disagrees about after it worked apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Conflicts {
    /// The outcomes to choose from, if there are several.
    pub outcomes: Vec<FactId>,
    /// The site corrections to choose from, if there are several.
    pub sites: Vec<FactId>,
    /// Items of the checklist that were answered in several ways, with the answers.
    pub items: BTreeMap<String, Vec<Answer>>,
}

impl Device {
    /// The orders to be answered, the oldest first: neither withdrawn nor ended by a closure.
    ///
    /// # Errors
    /// When the store fails.
    pub fn my_work(&self) -> Result<Vec<WorkItem>, DeviceError> {
        self.store.list(List::all)
    }

    /// The orders to be answered that a search finds, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find_work(&self, search: &Search) -> Result<Vec<WorkItem>, DeviceError> {
        self.store.list(|list| list.search(search))
    }

    /// Gives back the memory that lists take, for an app in the background; the next list reads the
    /// store anew.
    pub fn forget_list(&mut self) {
        self.store.forget_list();
    }

    /// A case with its visits.
    ///
    /// # Errors
    /// When it is not on this phone.
    pub fn case(&self, case: DocId) -> Result<CaseView, DeviceError> {
        let known = documents::row(self.store.read(), case)?;
        let known = known.is_some_and(|row| row.kind == DocKind::Case && row.has_base);
        if !known && told::of_case(self.store.read(), case)?.is_empty() {
            return Err(DeviceError::unknown("case", case));
        }
        let facts = work::case_history(self.store.read(), case)?;
        let record = CaseRecord::from_facts(facts.iter().cloned());
        let mut inspections = Vec::new();
        for order in &record.orders {
            let doc = order.issued.body.inspection;
            let facts = self.facts_of(doc)?;
            inspections.push(InspectionView { doc, kind: DocKind::Response, facts });
        }
        Ok(CaseView { case, phase: phase(&record), record, facts, inspections })
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
        let withdrawn = work::withdrawn(&self.facts_of(doc)?);
        let several = |mut facts: Vec<FactId>| {
            facts.retain(|fact| !withdrawn.contains(fact));
            if facts.len() > 1 { facts } else { Vec::new() }
        };
        let items = view.checklist().into_iter().filter(|(_, answers)| answers.len() > 1);
        Ok(Conflicts {
            outcomes: several(view.outcomes()),
            sites: several(view.sites()),
            items: items.collect(),
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

    pub(crate) fn record(&self, case: DocId) -> Result<CaseRecord, DeviceError> {
        work::record(self.store.read(), case)
    }

    /// The facts of an inspection, oldest first.
    pub(crate) fn facts_of(&self, doc: DocId) -> Result<Vec<(FactId, Fact)>, DeviceError> {
        work::facts(self.store.read(), doc)
    }
}

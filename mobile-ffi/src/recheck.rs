//! Closed cases that this supervisor is to look at again on scene (抽项复查).

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::fact::{Author, Body, Fact};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::place::Site;
use onscene_sync_core::time::Millis;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::{documents, work};

/// A recheck. It is recorded on by [`Job::Inspection`](crate::Job::Inspection): arrival, photos, and
/// a finding whose matter is `upheld`, `quality_short`, `relapsed` or `false_report`.
#[derive(Debug, Clone, PartialEq)]
pub struct Recheck {
    /// Its document.
    pub inspection: DocId,
    /// When the draw was made.
    pub ordered_at: Millis,
    /// Kind of matter.
    pub matter: String,
    /// What the case was about.
    pub summary: String,
    /// Where.
    pub site: Option<Site>,
    /// What was reported to have been done.
    pub result: Option<Outcome>,
    /// There is a finding that was not taken back.
    pub done: bool,
}

impl Device {
    /// The rechecks on this phone, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rechecks(&self) -> Result<Vec<Recheck>, DeviceError> {
        let mut rechecks = Vec::new();
        for doc in documents::of_kind(self.store.read(), DocKind::Recheck)? {
            rechecks.extend(read(doc, &self.facts_of(doc)?));
        }
        rechecks.sort_by_key(|recheck| (recheck.ordered_at, recheck.inspection));
        Ok(rechecks)
    }
}

fn read(inspection: DocId, facts: &[(FactId, Fact)]) -> Option<Recheck> {
    let ordered = facts.iter().find_map(|(_, fact)| match (&fact.author, &fact.body) {
        (Author::Hub(at), Body::RecheckOrdered(ordered)) => Some((*at, ordered.clone())),
        _ => None,
    });
    let (ordered_at, ordered) = ordered?;
    let withdrawn: BTreeSet<FactId> = work::withdrawn(facts);
    let found = |(id, fact): &(FactId, Fact)| {
        matches!(fact.body, Body::Finding(_)) && !withdrawn.contains(id)
    };
    Some(Recheck {
        inspection,
        ordered_at,
        matter: ordered.matter,
        summary: ordered.summary,
        site: ordered.site,
        result: ordered.result,
        done: facts.iter().any(found),
    })
}

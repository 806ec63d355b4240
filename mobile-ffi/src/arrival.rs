//! Arriving: the claim, and what the rule is likely to say of it.

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::fact::{Body, DeviceAuthor};
use onscene_sync_core::id::FactId;
use onscene_sync_core::place::{Datum, Fix};
use onscene_sync_core::rules::arrival::{Question, Verdict, judge};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::{ClockReading, Millis};
use serde::Serialize;

use crate::act::Act;
use crate::device::Device;
use crate::error::DeviceError;
use crate::record::Job;
use crate::store::{feed, meta};

/// A recorded arrival.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArrivalReceipt {
    /// The fact.
    pub fact: FactId,
    /// What the rule says with what the phone knows. The hub decides, and knows more: other phones'
    /// receipts, pauses of the clock. `None` for a patrol, which nobody ordered, and where this app
    /// does not know the policy in force.
    pub likely: Option<Verdict>,
}

impl Device {
    /// Claims to be on scene.
    ///
    /// `tap` is what the clocks showed when the inspector tapped; `fixes` are the evidence window in
    /// the order taken, all in `datum`.
    ///
    /// # Errors
    /// When there are too many fixes, one is not on the globe, the order is not on this phone, or it
    /// cannot be recorded.
    pub fn arrive(
        &mut self,
        job: Job,
        tap: ClockReading,
        datum: Datum,
        fixes: Vec<Fix>,
    ) -> Result<ArrivalReceipt, DeviceError> {
        let order = self.order_of(job)?;
        let claim = ArrivalClaim { order, tap, datum, fixes };
        let act = Act::State(Body::Arrival(claim.clone()));
        let recorded = self.act(job, act)?;
        let (fact, author) = recorded.stated.expect("a statement is always a fact");
        let likely = match order {
            Some(order) => self.likely(order, &claim, &author)?,
            None => None,
        };
        Ok(ArrivalReceipt { fact, likely })
    }

    /// What the rule would say of such a claim now, for the screen while the team stands there:
    /// nothing is recorded. `None` as in [`ArrivalReceipt::likely`].
    ///
    /// # Errors
    /// When the job is not on this phone, or the store or the platform fails.
    pub fn expected_arrival(
        &self,
        job: Job,
        tap: ClockReading,
        datum: Datum,
        fixes: Vec<Fix>,
    ) -> Result<Option<Verdict>, DeviceError> {
        let Some(order) = self.order_of(job)? else { return Ok(None) };
        let identity = meta::identity(self.store.read())?;
        let head = meta::head(self.store.read())?;
        let author = DeviceAuthor {
            device: identity.device,
            install: identity.install,
            seq: head.seq + 1,
            prev: head.fact,
            clock: self.host.clock.read()?,
            anchors: Vec::new(),
            restates: None,
        };
        self.likely(order, &ArrivalClaim { order: Some(order), tap, datum, fixes }, &author)
    }

    fn order_of(&self, job: Job) -> Result<Option<FactId>, DeviceError> {
        match job {
            Job::Order(order) => Ok(Some(order)),
            Job::Inspection(_) => {
                let (doc, kind) = self.inspection(job)?;
                if kind == DocKind::Response { self.order_answered_by(doc) } else { Ok(None) }
            }
        }
    }

    fn likely(
        &self,
        order: FactId,
        claim: &ArrivalClaim,
        author: &DeviceAuthor,
    ) -> Result<Option<Verdict>, DeviceError> {
        let (_, record) = self.case_of(order)?;
        let order = record.order(order).ok_or_else(|| DeviceError::unknown("order", order))?;
        let issued_at = order.issued.at;
        let policies = Policies::built_in();
        let Ok(policy) = policies.get(order.issued.body.policy) else { return Ok(None) };
        let anchors = feed::known_anchors(self.store.read())?;
        // Fetching the order was its receipt, if nothing was earlier; the anchor tells when.
        let fetched = anchors.iter().map(|anchor| anchor.at).filter(|at| *at >= issued_at).min();
        let received = order.received_at(policy, Millis(i64::MAX));
        let newest = anchors.iter().map(|anchor| anchor.at).max();
        let question = Question {
            order_issued_at: issued_at,
            started_at: received.into_iter().chain(fetched).min().unwrap_or(issued_at),
            site: order.issued.body.site.as_ref(),
            claim,
            author,
            anchors: &anchors,
            not_after: None,
            not_before: newest.max(Some(issued_at)),
            circumstances: &BTreeSet::new(),
            same_tracks: &[],
        };
        Ok(Some(judge(&question, &policy.arrival)))
    }
}

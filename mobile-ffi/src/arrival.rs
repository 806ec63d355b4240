//! Arriving: the claim, and what the rule is likely to say of it.

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::fact::{Body, DeviceAuthor};
use onscene_sync_core::guard;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::place::{Datum, Fix};
use onscene_sync_core::rules::arrival::{Question, Verdict, judge};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::{ClockReading, Millis};
use serde::Serialize;

use crate::act::Act;
use crate::author::{self, Recorded};
use crate::device::Device;
use crate::error::DeviceError;
use crate::record::Job;
use crate::store::{arriving, documents, feed, meta};

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

/// An arrival that was begun and is not claimed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenArrival {
    /// The visit.
    pub inspection: DocId,
    /// What it will claim, as far as it has come.
    pub claim: ArrivalClaim,
}

impl Device {
    /// The inspector taps on scene: the tap and the fixes so far are on disk when this returns, and a
    /// killed app finds them at its next start. [`Self::add_fixes`] goes on, [`Self::finish_arrival`]
    /// claims.
    ///
    /// One that was begun in this visit before is claimed first, as far as it came: it was a tap too.
    ///
    /// # Errors
    /// As [`Self::arrive`].
    pub fn begin_arrival(
        &mut self,
        job: Job,
        tap: ClockReading,
        datum: Datum,
        fixes: Vec<Fix>,
    ) -> Result<Option<ArrivalReceipt>, DeviceError> {
        let claim = ArrivalClaim { order: self.order_of(job)?, tap, datum, fixes };
        self.check_claim(job, &claim)?;
        let (doc, _) = self.inspection(job)?;
        let earlier = match arriving::get(self.store.read(), doc)? {
            Some(_) => Some(self.finish_arrival(job)?),
            None => None,
        };
        self.keep_claim(job, &claim)?;
        Ok(earlier)
    }

    /// Adds fixes to an arrival that was begun, and says what the rule would make of it by now, as
    /// [`Self::expected_arrival`] does.
    ///
    /// # Errors
    /// When none was begun in this visit, or a fix cannot be taken; with more than
    /// [`FIXES`](onscene_sync_core::limits::FIXES) in all, none of the new ones is. What was there
    /// stays.
    pub fn add_fixes(&mut self, job: Job, fixes: Vec<Fix>) -> Result<Option<Verdict>, DeviceError> {
        let (_, mut claim) = self.begun(job)?;
        claim.fixes.extend(fixes);
        self.check_claim(job, &claim)?;
        self.keep_claim(job, &claim)?;
        self.expected(&claim)
    }

    /// Claims an arrival that was begun.
    ///
    /// # Errors
    /// When none was begun in this visit, or it cannot be recorded: then it stays begun.
    pub fn finish_arrival(&mut self, job: Job) -> Result<ArrivalReceipt, DeviceError> {
        let clock = self.host.clock.read()?;
        let (claim, recorded) = self.mending(|device| {
            let (doc, claim) = device.begun(job)?;
            let inspection = device.inspection(job)?;
            let host = &device.host;
            let act = Act::State(Body::Arrival(claim.clone()));
            let recorded = device.store.write(|tx| {
                arriving::end(tx, doc)?;
                author::record(tx, &*host.keys, inspection, act, clock)
            })?;
            Ok((claim, recorded))
        })?;
        self.claimed(&claim, recorded)
    }

    /// Arrivals that were begun and are not claimed. Ask at the start of the app: a kill may have come
    /// in between.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open_arrivals(&self) -> Result<Vec<OpenArrival>, DeviceError> {
        let all = arriving::all(self.store.read())?.into_iter();
        Ok(all.map(|(inspection, claim)| OpenArrival { inspection, claim }).collect())
    }

    /// Claims to be on scene, all at once.
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
        let claim = ArrivalClaim { order: self.order_of(job)?, tap, datum, fixes };
        let act = Act::State(Body::Arrival(claim.clone()));
        let recorded = self.act(job, act)?;
        self.claimed(&claim, recorded)
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
        self.expected(&ArrivalClaim { order: self.order_of(job)?, tap, datum, fixes })
    }

    fn claimed(
        &self,
        claim: &ArrivalClaim,
        recorded: Recorded,
    ) -> Result<ArrivalReceipt, DeviceError> {
        let (fact, author) = recorded.stated.expect("a statement is always a fact");
        Ok(ArrivalReceipt { fact, likely: self.likely(claim, &author)? })
    }

    /// The arrival that was begun in a visit.
    fn begun(&self, job: Job) -> Result<(DocId, ArrivalClaim), DeviceError> {
        let (doc, _) = self.inspection(job)?;
        let claim = arriving::get(self.store.read(), doc)?;
        Ok((doc, claim.ok_or_else(|| DeviceError::unknown("begun arrival in visit", doc))?))
    }

    /// Whether a claim can be recorded as it is: what is kept must not fail at its end.
    fn check_claim(&self, job: Job, claim: &ArrivalClaim) -> Result<(), DeviceError> {
        let (_, kind) = self.inspection(job)?;
        let clock = self.host.clock.read()?;
        guard::check_statement(&Body::Arrival(claim.clone()), kind, &clock)
            .map_err(|why| DeviceError::invalid("statement", why))
    }

    fn keep_claim(&mut self, job: Job, claim: &ArrivalClaim) -> Result<(), DeviceError> {
        self.mending(|device| {
            let (doc, kind) = device.inspection(job)?;
            device.store.write(|tx| {
                meta::identity(tx)?;
                documents::ensure(tx, doc, kind)?;
                arriving::put(tx, doc, claim)
            })
        })
    }

    fn expected(&self, claim: &ArrivalClaim) -> Result<Option<Verdict>, DeviceError> {
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
        self.likely(claim, &author)
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
        claim: &ArrivalClaim,
        author: &DeviceAuthor,
    ) -> Result<Option<Verdict>, DeviceError> {
        let Some(order) = claim.order else { return Ok(None) };
        // The case may have left this phone's scope since the tap; what is recorded counts all the same.
        let Some(found) = documents::order(self.store.read(), order)? else { return Ok(None) };
        let record = self.record(found.case)?;
        let Some(order) = record.order(order) else { return Ok(None) };
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

//! Recording: what a person on scene does, offline or not. Each call returns only after the disk
//! has it.

use onscene_sync_core::document::{Answer, DocKind};
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Accepted, Finding, Manifest, OutcomeReport, Text, Withdrawal};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::place::Site;

use crate::act::Act;
use crate::author::{self, Recorded};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::{documents, intents, meta};

/// What an inspector works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// The visit that answers a dispatch order.
    Order(FactId),
    /// An inspection by its document: a patrol, say.
    Inspection(DocId),
}

impl Device {
    /// Says that an order was read.
    ///
    /// # Errors
    /// When the order is not on this phone or cannot be recorded.
    pub fn accept(&mut self, order: FactId) -> Result<FactId, DeviceError> {
        self.state(Job::Order(order), Body::Accepted(Accepted { order }))
    }

    /// Begins a patrol; returns its document.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub fn begin_patrol(&mut self) -> Result<DocId, DeviceError> {
        let wall_ms = self.host.clock.read()?.wall_ms;
        let doc = new_uuid(wall_ms, self.host.bytes()?);
        self.store.write(|tx| {
            meta::identity(tx)?;
            documents::ensure(tx, doc, DocKind::Patrol)
        })?;
        Ok(doc)
    }

    /// Adds a remark.
    ///
    /// # Errors
    /// When the text is empty or too long, or cannot be recorded.
    pub fn note(&mut self, job: Job, text: &str) -> Result<FactId, DeviceError> {
        self.state(job, Body::Note(words(text)))
    }

    /// Names a file of evidence by its fingerprint. The bytes travel apart from this.
    ///
    /// # Errors
    /// When the file is empty or too large, or cannot be recorded.
    pub fn attach_manifest(&mut self, job: Job, manifest: Manifest) -> Result<FactId, DeviceError> {
        self.state(job, Body::Evidence(manifest))
    }

    /// Reports what was done, and settles the team's outcome on it.
    ///
    /// # Errors
    /// [`DeviceError::NoEvidence`] when nothing is named that shows it, unless it is *unfounded*; when
    /// the text is too long or more evidence is named than allowed.
    pub fn outcome(&mut self, job: Job, report: OutcomeReport) -> Result<FactId, DeviceError> {
        if report.outcome.needs_evidence() && report.evidence.is_empty() {
            return Err(DeviceError::NoEvidence);
        }
        self.state(job, Body::Outcome(report))
    }

    /// Says that a complainant on scene was told the result.
    ///
    /// # Errors
    /// When the text is empty or too long, or cannot be recorded.
    pub fn told(&mut self, job: Job, text: &str) -> Result<FactId, DeviceError> {
        self.state(job, Body::Told(words(text)))
    }

    /// Reports something that a patrol found.
    ///
    /// # Errors
    /// When a text is empty or too long, the place has no datum, or it cannot be recorded.
    pub fn finding(&mut self, job: Job, finding: Finding) -> Result<FactId, DeviceError> {
        self.state(job, Body::Finding(finding))
    }

    /// Says that the site is elsewhere or shaped otherwise, and settles the team's site on that.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn correct_site(&mut self, job: Job, site: Site) -> Result<FactId, DeviceError> {
        self.state(job, Body::SiteCorrection(site))
    }

    /// Takes back an earlier statement of this phone. Both stay on record.
    ///
    /// # Errors
    /// When this phone has not stated it, or the reason is empty or too long.
    pub fn withdraw(&mut self, fact: FactId, reason: &str) -> Result<FactId, DeviceError> {
        let aliases = intents::aliases(self.store.read())?;
        let mut newest = fact;
        while let Some(new) = aliases.get(&newest) {
            newest = *new;
        }
        let doc = intents::doc_of(self.store.read(), newest)?
            .ok_or_else(|| DeviceError::unknown("statement of this phone", fact))?;
        let body = Body::Withdrawal(Withdrawal { fact: newest, reason: reason.to_owned() });
        self.state(Job::Inspection(doc), body)
    }

    /// Answers an item of the checklist.
    ///
    /// # Errors
    /// When the item is not a name of `a-z`, `0-9` and `_`, or the document says so already.
    pub fn answer(&mut self, job: Job, item: &str, answer: Answer) -> Result<(), DeviceError> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if item.is_empty() || item.len() > 64 || !item.chars().all(good) {
            let why = "a name has 1 to 64 characters of a-z, 0-9 and _";
            return Err(DeviceError::invalid("item", why));
        }
        self.act(job, Act::Answer(item.to_owned(), answer.into())).map(drop)
    }

    /// Settles on one of several outcomes.
    ///
    /// # Errors
    /// When it is not an outcome in this document, or the one settled on already.
    pub fn choose_outcome(&mut self, job: Job, outcome: FactId) -> Result<(), DeviceError> {
        let known = self.facts_of(self.inspection(job)?.0)?;
        if !known.iter().any(|(id, fact)| *id == outcome && matches!(fact.body, Body::Outcome(_))) {
            return Err(DeviceError::unknown("outcome", outcome));
        }
        self.act(job, Act::Choose(outcome)).map(drop)
    }

    fn state(&mut self, job: Job, body: Body) -> Result<FactId, DeviceError> {
        let recorded = self.act(job, Act::State(body))?;
        let stated = recorded.stated.map(|(id, _)| id);
        Ok(stated.expect("a statement is always a fact"))
    }

    /// Records one deed: fact, change and intent in one transaction.
    pub(crate) fn act(&mut self, job: Job, act: Act) -> Result<Recorded, DeviceError> {
        let clock = self.host.clock.read()?;
        self.mending(|device| {
            let inspection = device.inspection(job)?;
            let (host, act) = (&device.host, act.clone());
            device.store.write(|tx| author::record(tx, &*host.keys, inspection, act, clock))
        })
    }

    /// The inspection of a job, and its kind.
    pub(crate) fn inspection(&self, job: Job) -> Result<(DocId, DocKind), DeviceError> {
        let db = self.store.read();
        match job {
            Job::Order(order) => documents::order(db, order)?
                .map(|found| (found.inspection, DocKind::Response))
                .ok_or_else(|| DeviceError::unknown("order", order)),
            Job::Inspection(doc) => match documents::row(db, doc)? {
                Some(row) if row.kind != DocKind::Case => Ok((doc, row.kind)),
                // An order that a colleague's phone told of: nobody here has written in its visit yet.
                None if documents::order_of(db, doc)?.is_some() => Ok((doc, DocKind::Response)),
                _ => Err(DeviceError::unknown("inspection", doc)),
            },
        }
    }
}

fn words(text: &str) -> Text {
    Text { text: text.to_owned(), by: None }
}

/// A version 7 UUID (RFC 9562 section 5.7).
fn new_uuid(wall_ms: i64, chance: [u8; 10]) -> DocId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&chance);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    DocId::from_bytes(bytes)
}

//! What a person sees in lists: orders, found by words too, patrols and rechecks.

use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::time::Millis;

use super::convert::{id, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::place::PhoneSite;
use super::recording::VisitOutcome;
use crate::{Recheck, Search, WorkItem};

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CasePhase {
    /// On record, the responsible unit is clear, no order yet (or the last was withdrawn).
    Registered,
    /// Who is responsible is being decided.
    Coordinating,
    /// An order was issued.
    Ordered,
    /// The unit has received it.
    Received,
    /// A team is, or was, on scene.
    OnScene,
    /// The unit reported progress, no result yet.
    InProgress,
    /// The unit's result reached the command centre.
    FedBack,
    /// The work was sent back and no new result came yet.
    Returned,
    /// The complainant was told the result.
    Told,
    /// Closed.
    Closed,
    /// Open again after a closure, with no new order yet.
    Reopened,
}

/// An order that is to be answered.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PhoneWork {
    /// The order.
    pub order: String,
    /// Its case.
    pub case_id: String,
    /// The visit that answers it: what all recording calls take.
    pub visit: String,
    /// Where the case stands.
    pub phase: Option<CasePhase>,
    /// Kind of matter, a key of the reference data.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// Words for the unit.
    pub text: String,
    /// Where.
    pub site: Option<PhoneSite>,
    /// When it was issued, by the server's clock, Unix milliseconds.
    pub issued_ms: i64,
    /// When the unit received it, as far as the phone knows, by the server's clock: the start of the
    /// 60 minutes.
    pub received_ms: Option<i64>,
    /// Someone of the team has accepted it.
    pub accepted: bool,
    /// Someone of the team has claimed to be on scene, and has not taken it back.
    pub arrived: bool,
    /// The team has an outcome that was not taken back.
    pub done: bool,
}

/// A closed case that this supervisor is to look at again on scene.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PhoneRecheck {
    /// Its visit: what all recording calls take.
    pub visit: String,
    /// When it was ordered, by the server's clock, Unix milliseconds.
    pub ordered_ms: i64,
    /// Kind of matter, a key of the reference data.
    pub matter: String,
    /// What the case was about.
    pub summary: String,
    /// Where.
    pub site: Option<PhoneSite>,
    /// What was reported to have been done.
    pub result: Option<VisitOutcome>,
    /// There is a finding that was not taken back.
    pub done: bool,
}

/// What of the work to list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WorkSearch {
    /// Words that must all stand in the matter, the summary or the order's text, anywhere in a word
    /// and in either case; empty for everything.
    pub words: String,
    /// Leave out what the team has an outcome for.
    pub undone_only: bool,
    /// Go on after this item of the page before.
    pub after: Option<WorkCursor>,
    /// Items at most.
    pub max: i32,
}

/// The last item of a page.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WorkCursor {
    /// Its `issued_ms`.
    pub issued_ms: i64,
    /// Its `order`.
    pub order: String,
}

#[uniffi::export]
impl PhoneCore {
    /// The orders to be answered, the oldest first: neither withdrawn nor ended by a closure.
    ///
    /// # Errors
    /// When the phone is not enrolled, or the store fails.
    pub fn my_work(&self) -> Result<Vec<PhoneWork>, PhoneError> {
        self.call("my_work", |device| Ok(device.my_work()?.into_iter().map(Into::into).collect()))
    }

    /// The patrols on this phone, by their visits.
    ///
    /// # Errors
    /// When the store fails.
    pub fn patrols(&self) -> Result<Vec<String>, PhoneError> {
        self.call("patrols", |device| {
            Ok(device.patrols()?.into_iter().map(|doc| doc.to_string()).collect())
        })
    }

    /// The rechecks on this phone, the oldest first. What is found goes by `report_finding`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rechecks(&self) -> Result<Vec<PhoneRecheck>, PhoneError> {
        self.call("rechecks", |device| Ok(device.rechecks()?.into_iter().map(Into::into).collect()))
    }

    /// The orders to be answered that a search finds, the oldest first.
    ///
    /// # Errors
    /// When `max` is negative, the cursor is none, or the store fails.
    pub fn find_work(&self, search: WorkSearch) -> Result<Vec<PhoneWork>, PhoneError> {
        self.call("find_work", |device| {
            let search = search.try_into()?;
            Ok(device.find_work(&search)?.into_iter().map(Into::into).collect())
        })
    }
}

impl From<Phase> for CasePhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Registered => Self::Registered,
            Phase::Coordinating => Self::Coordinating,
            Phase::Ordered => Self::Ordered,
            Phase::Received => Self::Received,
            Phase::OnScene => Self::OnScene,
            Phase::InProgress => Self::InProgress,
            Phase::FedBack => Self::FedBack,
            Phase::Returned => Self::Returned,
            Phase::Told => Self::Told,
            Phase::Closed => Self::Closed,
            Phase::Reopened => Self::Reopened,
        }
    }
}

impl From<WorkItem> for PhoneWork {
    fn from(item: WorkItem) -> Self {
        Self {
            order: item.order.to_string(),
            case_id: item.case.to_string(),
            visit: item.inspection.to_string(),
            phase: item.phase.map(Into::into),
            matter: item.matter,
            summary: item.summary,
            text: item.text,
            site: item.site.map(Into::into),
            issued_ms: item.issued_at.0,
            received_ms: item.received_at.map(|at| at.0),
            accepted: item.accepted,
            arrived: item.arrived,
            done: item.done,
        }
    }
}

impl TryFrom<WorkSearch> for Search {
    type Error = PhoneError;

    fn try_from(search: WorkSearch) -> Result<Self, PhoneError> {
        let WorkSearch { words, undone_only, after, max } = search;
        let after = match after {
            Some(last) => Some((Millis(last.issued_ms), id("order", &last.order)?)),
            None => None,
        };
        let max = unsigned("max", i64::from(max))?;
        Ok(Self { words, undone_only, after, max })
    }
}

impl From<Recheck> for PhoneRecheck {
    fn from(recheck: Recheck) -> Self {
        Self {
            visit: recheck.inspection.to_string(),
            ordered_ms: recheck.ordered_at.0,
            matter: recheck.matter,
            summary: recheck.summary,
            site: recheck.site.map(Into::into),
            result: recheck.result.map(Into::into),
            done: recheck.done,
        }
    }
}

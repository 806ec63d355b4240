//! What a team disagrees about after it worked apart, with what each of them said.

use onscene_sync_core::fact::{Body, Fact};
use onscene_sync_core::id::{DeviceId, FactId};

use super::convert::job;
use super::core::PhoneCore;
use super::error::PhoneError;
use super::place::PhoneSite;
use super::recording::{ChecklistAnswer, VisitReport};
use crate::Device;

/// What a team disagrees about. All of it stays on record, whatever is chosen.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct VisitConflicts {
    /// The outcomes to choose from, if there are several: `choose_outcome` settles it.
    pub outcomes: Vec<RivalOutcome>,
    /// The site corrections to choose from, if there are several: `correct_site` with one of them
    /// settles it.
    pub sites: Vec<RivalSite>,
    /// Items of the checklist that were answered in several ways: `answer` settles one.
    pub items: Vec<RivalAnswers>,
}

/// One of several outcomes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RivalOutcome {
    /// The report's id: what `choose_outcome` takes.
    pub fact: String,
    /// What it says.
    pub report: VisitReport,
    /// Who says it.
    pub by: RivalAuthor,
}

/// One of several site corrections.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct RivalSite {
    /// The correction's id.
    pub fact: String,
    /// Where the site is by it.
    pub site: PhoneSite,
    /// Who says it.
    pub by: RivalAuthor,
}

/// The answers to one item.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RivalAnswers {
    /// The item.
    pub item: String,
    /// The answers, each once.
    pub answers: Vec<ChecklistAnswer>,
}

/// Whose phone says something, and when.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RivalAuthor {
    /// The phone.
    pub device: String,
    /// It is this one.
    pub this_phone: bool,
    /// Its wall clock when it said so, Unix milliseconds. It may be wrong.
    pub wall_ms: i64,
}

#[uniffi::export]
impl PhoneCore {
    /// What the team disagrees about in a visit.
    ///
    /// # Errors
    /// When the visit is not on this phone.
    pub fn conflicts(&self, visit: String) -> Result<VisitConflicts, PhoneError> {
        self.call("conflicts", |device| told(device, &visit))
    }
}

fn told(device: &Device, visit: &str) -> Result<VisitConflicts, PhoneError> {
    let job = job(visit)?;
    let conflicts = device.conflicts(job)?;
    let facts = device.visit(job)?.facts;
    let me = device.standing()?.map(|standing| standing.device);
    let rivals = |ids: &[FactId]| -> Vec<(String, RivalAuthor, Body)> {
        let among = facts.iter().filter(|(id, _)| ids.contains(id));
        among.filter_map(|(id, fact)| said(*id, fact, me)).collect()
    };
    let outcome = |(fact, by, body)| match body {
        Body::Outcome(report) => Some(RivalOutcome { fact, report: report.into(), by }),
        _ => None,
    };
    let site = |(fact, by, body)| match body {
        Body::SiteCorrection(site) => Some(RivalSite { fact, site: site.into(), by }),
        _ => None,
    };
    let answers = |(item, answers): (String, Vec<_>)| {
        let answers = answers.into_iter().map(Into::into).collect();
        RivalAnswers { item, answers }
    };
    Ok(VisitConflicts {
        outcomes: rivals(&conflicts.outcomes).into_iter().filter_map(outcome).collect(),
        sites: rivals(&conflicts.sites).into_iter().filter_map(site).collect(),
        items: conflicts.items.into_iter().map(answers).collect(),
    })
}

fn said(id: FactId, fact: &Fact, me: Option<DeviceId>) -> Option<(String, RivalAuthor, Body)> {
    let author = fact.device()?;
    let by = RivalAuthor {
        device: author.device.to_string(),
        this_phone: me == Some(author.device),
        wall_ms: author.clock.wall_ms,
    };
    Some((id.to_string(), by, fact.body.clone()))
}

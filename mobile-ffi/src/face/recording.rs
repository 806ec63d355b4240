//! What a person does on scene. Each call returns only after the disk has it.

use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::body::{Finding, Outcome, OutcomeReport};

use super::convert::{id, job};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::place::{Datum, PhoneSite, Place};

/// What a unit did about a case (处理结果).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum VisitOutcome {
    /// Violation stopped.
    Stopped,
    /// Corrected by the party.
    Corrected,
    /// Penalty decided.
    Penalised,
    /// Unfounded.
    Unfounded,
    /// Already gone.
    AlreadyGone,
    /// Cannot be found.
    NotFound,
    /// Filed for investigation.
    Investigation,
    /// Needs another department.
    OtherDepartment,
    /// Needs coordination.
    NeedsCoordination,
    /// Long-term.
    LongTerm,
}

/// A report of what was done.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VisitReport {
    /// What was done.
    pub outcome: VisitOutcome,
    /// In words.
    pub text: String,
    /// Pieces of evidence that show it, by their ids.
    pub evidence: Vec<String>,
    /// Whether a complainant who was on scene was told there and then; nothing if none was there.
    pub complainant_told: Option<bool>,
}

/// An answer to an item of a checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ChecklistAnswer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// The question does not arise.
    NotApplicable,
}

/// Something that a patrol found.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PatrolFinding {
    /// Kind of matter, a key of the reference data (`street_vending`, `noise` …).
    pub matter: String,
    /// In words.
    pub text: String,
    /// Where.
    pub place: Option<Place>,
    /// Datum of `place`.
    pub datum: Option<Datum>,
}

#[uniffi::export]
impl PhoneCore {
    /// Says that an order was read; returns the statement's id.
    ///
    /// # Errors
    /// When the order is not on this phone or cannot be recorded.
    pub fn accept(&self, order: String) -> Result<String, PhoneError> {
        self.call("accept", |device| Ok(device.accept(id("order", &order)?)?.to_string()))
    }

    /// Begins a patrol; returns its visit.
    ///
    /// # Errors
    /// When the phone is not enrolled.
    pub fn begin_patrol(&self) -> Result<String, PhoneError> {
        self.call("begin_patrol", |device| Ok(device.begin_patrol()?.to_string()))
    }

    /// Adds a remark; returns its id.
    ///
    /// # Errors
    /// When the text is empty or longer than 4,000 characters, or the visit is not on this phone.
    pub fn note(&self, visit: String, text: String) -> Result<String, PhoneError> {
        self.call("note", |device| Ok(device.note(job(&visit)?, &text)?.to_string()))
    }

    /// Reports what was done, and settles the team's outcome on it; returns the report's id.
    ///
    /// # Errors
    /// When no evidence is named, unless the outcome is `unfounded` (then the argument is `evidence`: take
    /// a photo first); when the text is too long or more evidence is named than allowed.
    pub fn report_outcome(&self, visit: String, report: VisitReport) -> Result<String, PhoneError> {
        self.call("report_outcome", |device| {
            Ok(device.outcome(job(&visit)?, report.try_into()?)?.to_string())
        })
    }

    /// Says that a complainant on scene was told the result; returns the statement's id.
    ///
    /// # Errors
    /// When the text is empty or longer than 4,000 characters.
    pub fn told_complainant(&self, visit: String, text: String) -> Result<String, PhoneError> {
        self.call("told_complainant", |device| Ok(device.told(job(&visit)?, &text)?.to_string()))
    }

    /// Reports something that a patrol found, or what a recheck found: then the matter is `upheld`,
    /// `quality_short`, `relapsed` or `false_report`. Returns the finding's id.
    ///
    /// # Errors
    /// When the matter is none, a text is too long, or the place has no datum.
    pub fn report_finding(
        &self,
        visit: String,
        finding: PatrolFinding,
    ) -> Result<String, PhoneError> {
        self.call("report_finding", |device| {
            Ok(device.finding(job(&visit)?, finding.try_into()?)?.to_string())
        })
    }

    /// Says that the site is elsewhere or shaped otherwise, and settles the team's site on that;
    /// returns the correction's id.
    ///
    /// # Errors
    /// When the outline is none, with what is wrong and how to mend it.
    pub fn correct_site(&self, visit: String, site: PhoneSite) -> Result<String, PhoneError> {
        self.call("correct_site", |device| {
            Ok(device.correct_site(job(&visit)?, site.try_into()?)?.to_string())
        })
    }

    /// Takes back an earlier statement of this phone; both stay on record. Returns the withdrawal's
    /// id.
    ///
    /// # Errors
    /// When this phone has not stated it, or the reason is too long.
    pub fn withdraw(&self, fact: String, reason: String) -> Result<String, PhoneError> {
        self.call("withdraw", |device| {
            Ok(device.withdraw(id("fact", &fact)?, &reason)?.to_string())
        })
    }

    /// Answers an item of the checklist.
    ///
    /// # Errors
    /// When the item is not a name of `a-z`, `0-9` and `_`, or the answer stands already.
    pub fn answer(
        &self,
        visit: String,
        item: String,
        answer: ChecklistAnswer,
    ) -> Result<(), PhoneError> {
        self.call("answer", |device| Ok(device.answer(job(&visit)?, &item, answer.into())?))
    }

    /// Settles on one of several outcomes of a team.
    ///
    /// # Errors
    /// When it is not an outcome of this visit, or the one settled on already.
    pub fn choose_outcome(&self, visit: String, outcome: String) -> Result<(), PhoneError> {
        self.call("choose_outcome", |device| {
            Ok(device.choose_outcome(job(&visit)?, id("outcome", &outcome)?)?)
        })
    }
}

impl From<Outcome> for VisitOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stopped => Self::Stopped,
            Outcome::Corrected => Self::Corrected,
            Outcome::Penalised => Self::Penalised,
            Outcome::Unfounded => Self::Unfounded,
            Outcome::AlreadyGone => Self::AlreadyGone,
            Outcome::NotFound => Self::NotFound,
            Outcome::Investigation => Self::Investigation,
            Outcome::OtherDepartment => Self::OtherDepartment,
            Outcome::NeedsCoordination => Self::NeedsCoordination,
            Outcome::LongTerm => Self::LongTerm,
        }
    }
}

impl From<VisitOutcome> for Outcome {
    fn from(outcome: VisitOutcome) -> Self {
        match outcome {
            VisitOutcome::Stopped => Self::Stopped,
            VisitOutcome::Corrected => Self::Corrected,
            VisitOutcome::Penalised => Self::Penalised,
            VisitOutcome::Unfounded => Self::Unfounded,
            VisitOutcome::AlreadyGone => Self::AlreadyGone,
            VisitOutcome::NotFound => Self::NotFound,
            VisitOutcome::Investigation => Self::Investigation,
            VisitOutcome::OtherDepartment => Self::OtherDepartment,
            VisitOutcome::NeedsCoordination => Self::NeedsCoordination,
            VisitOutcome::LongTerm => Self::LongTerm,
        }
    }
}

impl From<OutcomeReport> for VisitReport {
    fn from(report: OutcomeReport) -> Self {
        let OutcomeReport { outcome, text, evidence, complainant_told } = report;
        let evidence = evidence.iter().map(ToString::to_string).collect();
        Self { outcome: outcome.into(), text, evidence, complainant_told }
    }
}

impl TryFrom<VisitReport> for OutcomeReport {
    type Error = PhoneError;

    fn try_from(report: VisitReport) -> Result<Self, PhoneError> {
        let VisitReport { outcome, text, evidence, complainant_told } = report;
        let evidence =
            evidence.iter().map(|fact| id("evidence", fact)).collect::<Result<_, _>>()?;
        Ok(Self { outcome: outcome.into(), text, evidence, complainant_told })
    }
}

impl From<ChecklistAnswer> for Answer {
    fn from(answer: ChecklistAnswer) -> Self {
        match answer {
            ChecklistAnswer::Yes => Self::Yes,
            ChecklistAnswer::No => Self::No,
            ChecklistAnswer::NotApplicable => Self::NotApplicable,
        }
    }
}

impl From<Answer> for ChecklistAnswer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::Yes,
            Answer::No => Self::No,
            Answer::NotApplicable => Self::NotApplicable,
        }
    }
}

impl From<Finding> for PatrolFinding {
    fn from(finding: Finding) -> Self {
        let Finding { matter, text, position, datum } = finding;
        Self { matter, text, place: position.map(Into::into), datum: datum.map(Into::into) }
    }
}

impl TryFrom<PatrolFinding> for Finding {
    type Error = PhoneError;

    fn try_from(finding: PatrolFinding) -> Result<Self, PhoneError> {
        let PatrolFinding { matter, text, place, datum } = finding;
        let position = place.map(TryInto::try_into).transpose()?;
        Ok(Self { matter, text, position, datum: datum.map(Into::into) })
    }
}

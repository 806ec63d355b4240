//! The command centre's work on cases: the hub states facts, and everything else follows from them.
//!
//! | module | does |
//! |---|---|
//! | [`register`] | puts a matter on record |
//! | [`dispatch`] | orders a unit out, and takes orders back |
//! | [`act`] | receipt, urge, return, feedback, coordination |
//! | [`telling`] | the complainant told, not reached, asked for an opinion |
//! | [`closing`] | what a case lacks to be closed; closed by a person or, when settled long ago, by itself; open again |
//! | [`measure`] | steps of supervision against a unit: taken, concluded, listed |
//! | [`review`] | a supervisor's ruling on a verdict that needed one |
//! | [`admitted`] | what follows from a fact that a phone delivered |
//! | [`judge`], [`evidence`] | the arrival rule on what the hub holds |
//! | [`grounds`] | what each verdict rests on, kept so that it can be found again |
//! | [`rejudge`] | the same again when more evidence came |
//! | [`tracks`] | claims that rest on one and the same track |
//! | [`outcome`] | a unit's result becomes its feedback; what the team takes back or tells on scene |
//! | [`deadline`] | receipt without a word, silence past the deadline |
//! | [`record`], [`project`] | a case as its facts tell it, and the row that lists find it by |
//! | [`list`], [`orders`], [`due`], [`narrow`] | lists of cases, orders and clocks |
//! | [`view`], [`site`] | what screens show and send |
//!
//! Every use case is a function over a transaction: it reads the case under the lock of its
//! document, checks, states facts, and inserts the jobs that follow, all at once or not at all.

pub mod act;
pub mod admitted;
pub mod closing;
pub mod deadline;
pub mod dispatch;
pub mod due;
pub mod evidence;
pub mod grounds;
pub mod judge;
pub mod list;
pub mod measure;
pub mod narrow;
pub mod orders;
pub mod outcome;
pub mod project;
pub mod record;
pub mod register;
pub mod rejudge;
pub mod review;
pub mod site;
pub mod telling;
pub mod tracks;
pub mod view;

use onscene_sync_core::id::{DocId, FactId, UnitId};
use onscene_sync_core::limits::TEXT_CHARS;
use onscene_sync_core::rules::closing::Missing;
use onscene_sync_core::rules::policy::UnknownPolicy;
use thiserror::Error;

use crate::hub::HubError;
use crate::jobs::JobError;
use crate::store::{StoreError, TxError};
use crate::vault::VaultError;
use crate::vault::guard::Exposed;

/// Why something was not done to a case.
#[derive(Debug, Error)]
pub enum CaseError {
    /// The database's part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hub's part.
    #[error(transparent)]
    Hub(HubError),
    /// No such case.
    #[error("there is no case {0}")]
    UnknownCase(DocId),
    /// The case has no such order.
    #[error("the case has no order {0}")]
    UnknownOrder(FactId),
    /// The case has no such verdict.
    #[error("the case has no verdict {0}")]
    UnknownVerdict(FactId),
    /// The case has no such opinion.
    #[error("the case has no opinion {0}")]
    UnknownOpinion(FactId),
    /// The case has no such step of supervision.
    #[error("the case has no measure {0}")]
    UnknownMeasure(FactId),
    /// No such unit, or it is closed.
    #[error("there is no open unit {0}")]
    UnknownUnit(UnitId),
    /// A value is not what it may be.
    #[error("`{field}` {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what it should be.
        why: String,
    },
    /// The case does not stand so that this can be done.
    #[error("{why}")]
    Conflict {
        /// For a program.
        code: &'static str,
        /// In words, with what to do.
        why: String,
    },
    /// The case lacks something to be closed.
    #[error("{}", in_words(.0))]
    Unfinished(Vec<Missing>),
    /// A text would give a person away.
    #[error("{}", .0.in_words())]
    Exposed(Exposed),
    /// A fact names a policy that this program does not know.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// What a job needs has no form, or is not where it was.
    #[error("{0}")]
    Broken(String),
}

impl From<HubError> for CaseError {
    fn from(error: HubError) -> Self {
        if let HubError::Store(error) = error {
            return Self::Store(error);
        }
        if let HubError::UnknownDocument(doc) = error {
            return Self::UnknownCase(doc);
        }
        Self::Hub(error)
    }
}

impl From<VaultError> for CaseError {
    fn from(error: VaultError) -> Self {
        if let VaultError::Store(error) = error {
            return Self::Store(error);
        }
        Self::Broken(error.to_string())
    }
}

impl From<JobError> for CaseError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Store(error) => Self::Store(error),
            JobError::Failed(text) => Self::Broken(text),
        }
    }
}

impl From<CaseError> for JobError {
    fn from(error: CaseError) -> Self {
        if let CaseError::Store(error) = error {
            return Self::Store(error);
        }
        Self::Failed(error.to_string())
    }
}

impl TxError for CaseError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// Everything that is missing, each with how it is mended.
fn in_words(missing: &[Missing]) -> String {
    missing.iter().map(|one| one.in_words()).collect::<Vec<_>>().join("; ")
}

/// A text that must say something, within the limit.
pub(crate) fn required_text(field: &'static str, text: &str) -> Result<(), CaseError> {
    if text.trim().is_empty() {
        return Err(CaseError::Invalid { field, why: "must say something".to_owned() });
    }
    optional_text(field, text)
}

/// A text within the limit.
pub(crate) fn optional_text(field: &'static str, text: &str) -> Result<(), CaseError> {
    let length = text.chars().count();
    if length > TEXT_CHARS {
        let why = format!("has {length} characters, at most {TEXT_CHARS} are kept: shorten it");
        return Err(CaseError::Invalid { field, why });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

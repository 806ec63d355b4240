//! What the command centre states of the complainant. None of it says who that is.

use onscene_sync_core::fact::telling;

/// Why a complainant was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum NoReach {
    /// Nobody answered the telephone.
    NoAnswer,
    /// The number is wrong or out of service.
    WrongNumber,
    /// The complainant did not want to hear it.
    Declined,
    /// A text message did not arrive.
    NotDelivered,
    /// Nobody left a way to be told.
    Anonymous,
}

/// How content a complainant is with the result (满意度).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ComplainantOpinion {
    /// 满意
    Satisfied,
    /// 基本满意
    Partly,
    /// 不满意
    NotSatisfied,
    /// It was not asked.
    NotAsked,
    /// It was asked and not answered.
    NotReached,
}

/// What a person decides when a complainant is not content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum OpinionDecision {
    /// The work is sent back to the unit.
    SendBack,
    /// The result stands and the case may be closed.
    Close,
}

impl From<telling::NoReach> for NoReach {
    fn from(why: telling::NoReach) -> Self {
        match why {
            telling::NoReach::NoAnswer => Self::NoAnswer,
            telling::NoReach::WrongNumber => Self::WrongNumber,
            telling::NoReach::Declined => Self::Declined,
            telling::NoReach::NotDelivered => Self::NotDelivered,
            telling::NoReach::Anonymous => Self::Anonymous,
        }
    }
}

impl From<telling::Opinion> for ComplainantOpinion {
    fn from(opinion: telling::Opinion) -> Self {
        match opinion {
            telling::Opinion::Satisfied => Self::Satisfied,
            telling::Opinion::Partly => Self::Partly,
            telling::Opinion::NotSatisfied => Self::NotSatisfied,
            telling::Opinion::NotAsked => Self::NotAsked,
            telling::Opinion::NotReached => Self::NotReached,
        }
    }
}

impl From<telling::OpinionDecision> for OpinionDecision {
    fn from(decision: telling::OpinionDecision) -> Self {
        match decision {
            telling::OpinionDecision::Return => Self::SendBack,
            telling::OpinionDecision::Close => Self::Close,
        }
    }
}

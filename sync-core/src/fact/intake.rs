//! What the command centre states at intake: where a matter came from, what is not the bureau's,
//! what is the same matter again, and what was answered at once.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{DocId, FactId, PersonId};
use crate::time::Millis;

/// Why a matter is not the bureau's to handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum NotOurs {
    /// It concerns the military.
    #[n(0)]
    Military,
    /// It concerns a judicial body.
    #[n(1)]
    Judicial,
    /// It is in judicial proceedings already.
    #[n(2)]
    InProceedings,
    /// Life or property is in danger now.
    #[n(3)]
    Danger,
}

impl NotOurs {
    /// Where to go instead, as the hotline's rules say it.
    #[must_use]
    pub const fn referral(self) -> &'static str {
        match self {
            Self::Military => "请直接向军队有关单位的信访投诉部门反映",
            Self::Judicial => "请直接向司法机关的信访投诉部门反映",
            Self::InProceedings => "请直接向市人大常委会或上一级司法机关反映",
            Self::Danger => "请立即直接拨打110",
        }
    }
}

/// See [`Body::Refused`](super::Body::Refused).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Refused {
    /// Why.
    #[n(0)]
    pub why: NotOurs,
    /// Where to go instead, as the caller was told.
    #[n(1)]
    pub referral: String,
    /// Who said so.
    #[n(2)]
    pub by: PersonId,
}

/// See [`Body::AnsweredFrom`](super::Body::AnsweredFrom).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AnsweredFrom {
    /// The earlier case.
    #[n(0)]
    pub case: DocId,
    /// The answer, as it was given.
    #[n(1)]
    pub text: String,
    /// Who gave it.
    #[n(2)]
    pub by: PersonId,
}

/// See [`Body::RepeatOf`](super::Body::RepeatOf).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RepeatOf {
    /// The other case.
    #[n(0)]
    pub case: DocId,
    /// Points out of 100 that the machine gave the pair when this was decided.
    #[n(1)]
    pub score: u8,
    /// Why, in the decider's words; may be empty.
    #[n(2)]
    pub reason: String,
    /// Who decided.
    #[n(3)]
    pub by: PersonId,
}

/// See [`Body::RepeatTakenBack`](super::Body::RepeatTakenBack).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RepeatTakenBack {
    /// The [`RepeatOf`] statement of the same case.
    #[n(0)]
    pub statement: FactId,
    /// Why.
    #[n(1)]
    pub reason: String,
    /// Who decided.
    #[n(2)]
    pub by: PersonId,
}

/// See [`Body::Originated`](super::Body::Originated).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Origin {
    /// Which system or file.
    #[n(0)]
    pub source: String,
    /// Its number there.
    #[n(1)]
    pub reference: String,
    /// When it was raised there, as far as that tells.
    #[n(2)]
    pub raised_at: Option<Millis>,
    /// A picture or page about it, as that system names it. The hub never opens it.
    #[n(3)]
    pub link: Option<String>,
}

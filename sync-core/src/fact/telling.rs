//! What the command centre states about the complainant: that nobody could be told, that a text
//! message told the result, what the complainant thinks of it, and why a case is open again. None of it
//! says who the complainant is.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{FactId, MessageId, PersonId};
use crate::time::Millis;

/// Why a complainant was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum NoReach {
    /// Nobody answered the telephone.
    #[n(0)]
    NoAnswer,
    /// The number is wrong or out of service.
    #[n(1)]
    WrongNumber,
    /// The complainant did not want to hear it.
    #[n(2)]
    Declined,
    /// A text message did not arrive.
    #[n(3)]
    NotDelivered,
    /// Nobody left a way to be told: there is nobody to try.
    #[n(4)]
    Anonymous,
}

/// See [`Body::NotReached`](super::Body::NotReached).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NotReached {
    /// Why.
    #[n(0)]
    pub why: NoReach,
    /// What was tried, in words.
    #[n(1)]
    pub text: String,
    /// Who tried; `None` for the hub, of a message.
    #[n(2)]
    pub by: Option<PersonId>,
    /// The text message that did not arrive.
    #[n(3)]
    pub message: Option<MessageId>,
    /// When that message left, which is when it was tried; `None` where a person tried and said so.
    #[n(4)]
    pub left_at: Option<Millis>,
}

/// See [`Body::ToldByMessage`](super::Body::ToldByMessage).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ToldByMessage {
    /// The text message that was delivered.
    #[n(0)]
    pub message: MessageId,
    /// Who had it sent.
    #[n(1)]
    pub by: PersonId,
    /// When it left: from then on the complainant counts as told, however late that came out.
    #[n(2)]
    pub left_at: Option<Millis>,
}

/// How content a complainant is with the result (满意度).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// 满意
    #[n(0)]
    Satisfied,
    /// 基本满意
    #[n(1)]
    Partly,
    /// 不满意
    #[n(2)]
    NotSatisfied,
    /// It was not asked, with the reason.
    #[n(3)]
    NotAsked,
    /// It was asked and not answered.
    #[n(4)]
    NotReached,
}

/// See [`Body::OpinionGiven`](super::Body::OpinionGiven).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OpinionGiven {
    /// The opinion.
    #[n(0)]
    pub opinion: Opinion,
    /// The complainant's reason, or why it was not asked.
    #[n(1)]
    pub reason: String,
    /// Who asked; `None` when the answer came by text message.
    #[n(2)]
    pub by: Option<PersonId>,
    /// The text message that was answered.
    #[n(3)]
    pub message: Option<MessageId>,
}

/// What a person decides when a complainant is not content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum OpinionDecision {
    /// The work is sent back to the unit.
    #[n(0)]
    Return,
    /// The result stands and the case may be closed.
    #[n(1)]
    Close,
}

/// See [`Body::OpinionSettled`](super::Body::OpinionSettled).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OpinionSettled {
    /// The [`OpinionGiven`] fact.
    #[n(0)]
    pub opinion: FactId,
    /// The decision.
    #[n(1)]
    pub decision: OpinionDecision,
    /// The written reason.
    #[n(2)]
    pub reason: String,
    /// Who decided.
    #[n(3)]
    pub by: PersonId,
}

/// What opens a closed case again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ReopenCause {
    /// The complainant called again.
    #[n(0)]
    NewCall,
    /// A recheck found that the work did not last, was short or was never done.
    #[n(1)]
    Finding,
    /// A supervisor wants it.
    #[n(2)]
    Supervisor,
}

/// See [`Body::Reopened`](super::Body::Reopened). Without a cause it has the form of a
/// [`Text`](super::body::Text), which is what was written before there were causes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reopening {
    /// The reason in words.
    #[n(0)]
    pub text: String,
    /// Who.
    #[n(1)]
    pub by: Option<PersonId>,
    /// What kind of reason it is.
    #[n(2)]
    pub cause: Option<ReopenCause>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::body::Text;

    #[test]
    fn what_was_stated_before_messages_said_when_they_left_is_read() {
        let (message, by) = (MessageId::from_bytes([3; 16]), PersonId::from_bytes([7; 16]));
        let told = ToldByMessage { message, by, left_at: None };
        let old = minicbor::to_vec((message, by)).unwrap();
        assert_eq!(minicbor::decode::<ToldByMessage>(&old).unwrap(), told);
        assert_eq!(minicbor::to_vec(&told).unwrap(), old);
        let (text, message) = (String::new(), Some(message));
        let why = NoReach::NotDelivered;
        let old = minicbor::to_vec((why, &text, None::<PersonId>, message)).unwrap();
        let tried = NotReached { why, text, by: None, message, left_at: None };
        assert_eq!(minicbor::decode::<NotReached>(&old).unwrap(), tried);
        assert_eq!(minicbor::to_vec(&tried).unwrap(), old);
    }

    #[test]
    fn a_reopening_of_before_there_were_causes_is_read() {
        let by = Some(PersonId::from_bytes([7; 16]));
        let old = minicbor::to_vec(Text { text: "again".to_owned(), by }).unwrap();
        let read: Reopening = minicbor::decode(&old).unwrap();
        assert_eq!(read, Reopening { text: "again".to_owned(), by, cause: None });
        assert_eq!(minicbor::to_vec(&read).unwrap(), old);
    }
}

//! The gateway to the telephone networks. Any that speaks this small protocol can be used; others need a
//! small service in between.
//!
//! | request of the hub | answer |
//! |---|---|
//! | `PUT {url}/messages/{id}` with [`http::Outgoing`] | [`http::Answer`]; a known id is not sent again |
//! | `GET {url}/messages/{id}` | [`http::Answer`], or 404 when the id is not known |
//!
//! The gateway calls back with `POST /v1/messages/receipts` and `POST /v1/messages/inbound` (see
//! `server/src/http/gateway.rs`). Both sides sign every request: see [`signature`].

pub mod http;
pub mod signature;

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use onscene_sync_core::id::MessageId;
use onscene_sync_core::time::Millis;
use thiserror::Error;

/// What a gateway says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has it.
    Accepted,
    /// It arrived.
    Delivered,
    /// It did not arrive, with a word why.
    Failed(Reason),
    /// It was given up.
    Expired,
}

/// A word why a message did not arrive, as `absent` or `refused_400`. Free words of a gateway could hold
/// a number, so anything else becomes `other`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// This word if it is one: at most 40 of `a-z` and `_`, then perhaps three digits.
    #[must_use]
    pub fn new(word: &str) -> Self {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let good = (1..=40).contains(&letters.len())
            && word.len() - letters.len() <= 3
            && letters.chars().all(plain);
        Self(if good { word } else { "other" }.to_owned())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What leaves. `Debug` does not show to whom.
pub struct Outgoing<'a> {
    /// The message.
    pub id: MessageId,
    /// The complainant's number.
    pub to: &'a str,
    /// The text.
    pub text: &'a str,
    /// When the gateway should give up.
    pub expires_at: Millis,
}

impl Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The gateway gave no usable answer: whether it has the message is not known. The words hold nothing of
/// the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the gateway gave no usable answer: {0}")]
pub struct Unclear(pub String);

/// A gateway.
pub trait Gateway: Send + Sync + Debug {
    /// Hands a message over. One that it knows by its id it does not send again.
    fn send<'a>(&'a self, message: Outgoing<'a>) -> BoxFuture<'a, Result<Standing, Unclear>>;

    /// It failed a moment ago and is left alone: nothing is to be handed over now.
    fn rests(&self) -> bool;

    /// What became of a message; `None` when the gateway does not know it.
    fn ask(&self, id: MessageId) -> BoxFuture<'_, Result<Option<Standing>, Unclear>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_word_and_never_a_number() {
        for good in ["absent", "no_such_number", "refused_400"] {
            assert_eq!(Reason::new(good).as_str(), good);
        }
        let long = "x".repeat(41);
        for bad in ["", "13812345678", "to_13812345678", "no number 138", "Über", "a1234", &long] {
            assert_eq!(Reason::new(bad).as_str(), "other", "{bad}");
        }
    }
}

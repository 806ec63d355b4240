//! Finds what would give a person away in a free text, before it is written where it travels: mobile
//! and landline numbers, numbers of identity cards, and the complainant's own name, number and
//! address.
//!
//! It is for clerks who forget, not against people who mean to leak: a number in words of their own
//! making passes. Service numbers (110, 12345, 400 lines) are nobody's and pass too.

mod digits;
mod identity;
mod numbers;

use serde::Serialize;

pub use digits::normal_number;
pub use identity::Identity;

/// What was found. The value itself is never part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A mobile number.
    MobileNumber,
    /// A landline number.
    LandlineNumber,
    /// The number of an identity card, of 18 or 15 digits.
    IdentityCard,
    /// The complainant's name.
    ComplainantName,
    /// The complainant's number.
    ComplainantNumber,
    /// The complainant's address.
    ComplainantAddress,
}

impl Kind {
    /// In words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::MobileNumber => "what looks like a mobile number",
            Self::LandlineNumber => "what looks like a landline number",
            Self::IdentityCard => "what looks like the number of an identity card",
            Self::ComplainantName => "the complainant's name",
            Self::ComplainantNumber => "the complainant's number",
            Self::ComplainantAddress => "the complainant's address",
        }
    }
}

/// Where it is: characters `from` to `to` of the text, the first one being 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// The first character.
    pub from: usize,
    /// The last.
    pub to: usize,
    /// What it is.
    pub kind: Kind,
}

/// Everything in `text` that must not travel, in the order of the text. `of` is the complainant of
/// the case, if one is known.
#[must_use]
pub fn scan(text: &str, of: Option<&Identity<'_>>) -> Vec<Place> {
    let groups = digits::groups(text);
    let mut places = numbers::find(text, &groups);
    if let Some(identity) = of {
        places.extend(identity.find(text, &groups));
    }
    places.sort_unstable();
    // What is found twice is told once.
    places.dedup_by(|later, first| later.from <= first.to && later.to <= first.to);
    places
}

#[cfg(test)]
mod tests;

//! Texts that people give to things.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::intake::matters::{KEY_CHARS, is_key};

/// A name or label: 1 to 100 characters, no control characters, no spaces at its ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    const CHARS: usize = 100;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > Self::CHARS || text.chars().any(char::is_control) {
            return Err(format!(
                "a name has 1 to {} characters and no control characters",
                Self::CHARS
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": Self::CHARS })
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// A key of reference data: 1 to 64 of a-z, 0-9 and _. It stays for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_key(&text) {
            Ok(Self(text))
        } else {
            Err(format!("a key has 1 to {KEY_CHARS} of a-z, 0-9 and _"))
        }
    }
}

impl JsonSchema for Key {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Key".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": format!("^[a-z0-9_]{{1,{KEY_CHARS}}}$") })
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        let name = |text: &str| Name::try_from(text.to_owned());
        assert_eq!(name(" 历下区中队 ").expect("a name").as_str(), "历下区中队");
        assert!(name(&"区".repeat(100)).is_ok());
        for wrong in [String::new(), "  ".to_owned(), "区".repeat(101), "a\nb".to_owned()] {
            assert!(name(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_is_lower_case_and_bounded_and_a_refusal_says_so() {
        let key = |text: &str| Key::try_from(text.to_owned());
        assert_eq!(key("street_vending_2").map(String::from), Ok("street_vending_2".to_owned()));
        assert!(key(&"a".repeat(64)).is_ok());
        for wrong in
            [String::new(), "a".repeat(65), "Bikes".to_owned(), "车".to_owned(), "a-b".to_owned()]
        {
            assert_eq!(key(&wrong), Err("a key has 1 to 64 of a-z, 0-9 and _".to_owned()));
        }
    }
}

//! Texts that people give to things.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

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
}

//! Login names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// A login name: 2 to 64 letters, digits and `.`, `-`, `_`, `@`; the same in capitals and in any form
/// of Unicode (it is kept in NFKC, in small letters). `Debug` does not show it: people type passwords
/// into the wrong field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct LoginName(String);

impl LoginName {
    const CHARS: std::ops::RangeInclusive<usize> = 2..=64;

    /// The name as it is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LoginName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        const FORM: &str = "a login name has 2 to 64 letters, digits, `.`, `-`, `_` or `@`";
        if text.len() > 4 * *Self::CHARS.end() {
            return Err(FORM);
        }
        let name: String = text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
        let fits = Self::CHARS.contains(&name.chars().count())
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@'));
        if fits { Ok(Self(name)) } else { Err(FORM) }
    }
}

impl From<LoginName> for String {
    fn from(name: LoginName) -> Self {
        name.0
    }
}

impl fmt::Debug for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_is_one_however_it_is_typed() {
        let read = |text: &str| LoginName::try_from(text.to_owned());
        let li = read(" Li.Ming ").unwrap();
        assert_eq!(li.as_str(), "li.ming");
        assert_eq!(read("ＬＩ．ＭＩＮＧ").unwrap(), li);
        assert_eq!(read("李明").unwrap().as_str(), "李明");
        assert_eq!(read("e\u{301}va").unwrap(), read("ÉVA").unwrap());
        for wrong in ["", "x", "li ming", "li:ming", "li\nming", "li/ming", &"x".repeat(65)] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        assert!(read(&"x".repeat(1_000_000)).is_err());
        assert!(!format!("{li:?}").contains("li.ming"));
    }
}

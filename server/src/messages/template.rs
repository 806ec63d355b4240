//! Texts for messages: reference data that an administrator keeps. What is filled in comes from a short
//! list, so that no text can name a complainant.

use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::id::PersonId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use crate::store::{RowExt as _, StoreError, Tx};

/// Characters of a template.
pub const TEMPLATE_CHARS: usize = 500;
/// What may be filled in: the case's number, its kind of matter, its result, and the day of today.
pub const PLACEHOLDERS: [&str; 4] = ["number", "matter", "result", "date"];

/// A text for messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Template {
    /// Its key, as `result_opinion`.
    pub key: String,
    /// The text, with `{number}`, `{matter}`, `{result}` and `{date}` to be filled in.
    pub text: String,
    /// It asks for an opinion: a reply of 1, 2 or 3 is taken as one.
    pub asks: bool,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Millis,
    /// When it was closed: nothing more is sent with it.
    pub closed_at: Option<Millis>,
}

/// What is filled into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values<'a> {
    /// The case's number.
    pub number: &'a str,
    /// The kind of matter in Chinese.
    pub matter: &'a str,
    /// The result in Chinese.
    pub result: &'a str,
    /// The bureau's day.
    pub date: &'a str,
}

/// A part of a template.
enum Piece<'a> {
    Words(&'a str),
    Placeholder(&'a str),
}

/// What is wrong with a template, and how it is mended.
///
/// # Errors
/// The words.
pub fn check(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > TEMPLATE_CHARS || text.chars().any(char::is_control) {
        return Err(format!(
            "must say something in 1 to {TEMPLATE_CHARS} characters without control characters"
        ));
    }
    pieces(text).map(drop)
}

/// Fills in a template that passed [`check`].
#[must_use]
pub fn fill(text: &str, values: &Values<'_>) -> String {
    let pieces = pieces(text).unwrap_or_default().into_iter();
    let filled = pieces.map(|piece| match piece {
        Piece::Words(words) => words,
        Piece::Placeholder("number") => values.number,
        Piece::Placeholder("matter") => values.matter,
        Piece::Placeholder("result") => values.result,
        Piece::Placeholder(_) => values.date,
    });
    filled.collect()
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err("has a `{` without its `}`".to_owned());
        };
        if !PLACEHOLDERS.contains(&name) {
            return Err(format!(
                "fills in `{{{name}}}`, which is not known: use {{{}}}",
                PLACEHOLDERS.join("}, {")
            ));
        }
        pieces.extend([Piece::Words(before), Piece::Placeholder(name)]);
        rest = after;
    }
    if rest.contains('}') {
        return Err("has a `}` without its `{`".to_owned());
    }
    pieces.push(Piece::Words(rest));
    Ok(pieces)
}

/// Messages that a telephone network makes of a text (3GPP TS 23.040 §9.2.3.24.1): one of 160
/// characters of the GSM alphabet or 70 of any other, else several of 153 or 67.
#[must_use]
pub fn parts(text: &str) -> u32 {
    let in_gsm: Option<usize> = text.chars().map(gsm_septets).sum();
    let (length, one, several) = match in_gsm {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    let parts = if length <= one { 1 } else { length.div_ceil(several) };
    u32::try_from(parts).unwrap_or(u32::MAX)
}

/// How many septets a character takes in the GSM 7-bit alphabet (3GPP TS 23.038 §6.2.1).
fn gsm_septets(c: char) -> Option<usize> {
    const BASIC: &str =
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà";
    const EXTENDED: &str = "^{}\\[~]|€\u{c}";
    if c.is_ascii_alphabetic() || BASIC.contains(c) {
        Some(1)
    } else {
        EXTENDED.contains(c).then_some(2)
    }
}

/// A result in the words of a message.
#[must_use]
pub const fn result_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "违法行为已制止",
        Outcome::Corrected => "当事人已改正",
        Outcome::Penalised => "已作出处罚决定",
        Outcome::Unfounded => "经核查未发现所反映的情况",
        Outcome::AlreadyGone => "到场时已消除",
        Outcome::NotFound => "到场未找到当事人",
        Outcome::Investigation => "已立案调查",
        Outcome::OtherDepartment => "已转有关部门处理",
        Outcome::NeedsCoordination => "正在协调有关部门处理",
        Outcome::LongTerm => "已列入长期整治",
    }
}

const COLUMNS: &str = "template, text, asks, version, changed_at, closed_at";

/// All texts in order of their keys, closed ones included.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx) -> Result<Vec<Template>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM message_template ORDER BY template");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

/// The text of this key.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, key: &str) -> Result<Option<Template>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM message_template WHERE template = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key);
    query.fetch_optional(tx.conn()).await?.as_ref().map(read).transpose()
}

/// Adds a text; `false` when its key is taken.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, template: &Template, by: PersonId) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO message_template \
         (template, text, asks, version, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (template) DO NOTHING";
    let query = sqlx::query(SQL).bind(&template.key).bind(&template.text);
    let query = query.bind(i64::from(template.asks)).bind(template.version);
    let query = query.bind(template.changed_at.0).bind(&by.as_bytes()[..]);
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Puts `template` in place of what it was at `version`; `false` when somebody else changed it first.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    tx: &mut Tx,
    template: &Template,
    version: i64,
    by: PersonId,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE message_template SET text = $2, asks = $3, version = $4, \
         changed_at = $5, changed_by = $6, closed_at = $7 WHERE template = $1 AND version = $8";
    let query = sqlx::query(SQL).bind(&template.key).bind(&template.text);
    let query = query.bind(i64::from(template.asks)).bind(template.version);
    let query = query.bind(template.changed_at.0).bind(&by.as_bytes()[..]);
    let query = query.bind(template.closed_at.map(|at| at.0)).bind(version);
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Template, StoreError> {
    Ok(Template {
        key: row.text("template")?,
        text: row.text("text")?,
        asks: row.int("asks")? != 0,
        version: row.int("version")?,
        changed_at: row.millis("changed_at")?,
        closed_at: row.opt_millis("closed_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values<'_> = Values {
        number: "20261123-0001",
        matter: "占道经营",
        result: "当事人已改正",
        date: "2026-11-23",
    };

    #[test]
    fn a_text_is_filled_in_and_an_unknown_placeholder_is_named() {
        let text = "您反映的{matter}（{number}）：{result}。{date}";
        assert_eq!(check(text), Ok(()));
        assert_eq!(
            fill(text, &VALUES),
            "您反映的占道经营（20261123-0001）：当事人已改正。2026-11-23"
        );
        let unknown = check("尊敬的{name}").unwrap_err();
        assert!(unknown.contains("`{name}`") && unknown.contains("{matter}"), "{unknown}");
        for wrong in ["", "  ", "一{", "一}", "{number", "a\u{7}", &"长".repeat(501)] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        let tricky = Values { matter: "{number}", ..VALUES };
        assert_eq!(fill("{matter}", &tricky), "{number}");
    }

    #[test]
    fn parts_are_counted_as_a_network_does() {
        let cases = [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("汉".repeat(70), 1),
            ("汉".repeat(71), 2),
            ("汉".repeat(134), 2),
            ("汉".repeat(135), 3),
            // Two UTF-16 units each.
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            (format!("{}汉", "a".repeat(70)), 2),
        ];
        for (text, expected) in cases {
            assert_eq!(parts(&text), expected, "{text}");
        }
    }

    #[test]
    fn one_part_holds_the_texts_to_begin_with_filled_in() {
        let begun = include_str!("../../migrations/sqlite/0015_messages.sql");
        let texts: Vec<_> = begun.lines().filter(|line| line.starts_with("    ('result")).collect();
        assert_eq!(texts.len(), 2);
        for line in texts {
            let text = line.split('\'').nth(3).unwrap();
            assert_eq!(check(text), Ok(()), "{text}");
            let filled = fill(text, &VALUES);
            assert_eq!(parts(&filled), 1, "{filled}");
        }
    }
}

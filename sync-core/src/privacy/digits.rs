//! Digits in all the ways in which people write them, in groups.

/// Digits that follow each other, and what joins them to the group before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// ASCII digits.
    pub(super) digits: String,
    /// Place of the first character, from 0.
    pub(super) from: usize,
    /// Place after the last.
    pub(super) to: usize,
    /// The characters between this group and the one before, if nothing else stands between.
    pub(super) joined: Option<Vec<char>>,
    /// An ASCII letter stands right before, and right after.
    pub(super) letters: (bool, bool),
}

/// Characters that may stand between two groups of one number.
const JOINING: usize = 4;

/// The groups of digits of a text, in order.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut between = None;
    let mut before = None;
    let mut open = false;
    for (at, c) in text.chars().enumerate() {
        if is_invisible(c) {
            continue;
        }
        if let Some(digit) = digit(c) {
            match groups.last_mut().filter(|_| open) {
                Some(group) => {
                    group.digits.push(digit);
                    group.to = at + 1;
                }
                None => groups.push(Group {
                    digits: digit.to_string(),
                    from: at,
                    to: at + 1,
                    joined: between.take(),
                    letters: (before.is_some_and(|c: char| c.is_ascii_alphabetic()), false),
                }),
            }
            open = true;
        } else {
            if open {
                between = Some(Vec::new());
                if let Some(group) = groups.last_mut() {
                    group.letters.1 = c.is_ascii_alphabetic();
                }
            }
            open = false;
            between = between.filter(|held: &Vec<char>| joins(c) && held.len() < JOINING);
            if let Some(held) = &mut between {
                held.push(c);
            }
        }
        before = Some(c);
    }
    groups
}

fn joins(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || matches!(c, '.' | '．' | '·' | '(' | ')' | '（' | '）' | '_')
}

pub(super) const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '－' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' | '～')
}

/// Characters that show nothing.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The ASCII digit that a character stands for.
pub(super) fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => return Some(c),
        '\u{ff10}'..='\u{ff19}' => u32::from(c) - 0xff10,
        '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
        '\u{6f0}'..='\u{6f9}' => u32::from(c) - 0x6f0,
        '\u{2460}'..='\u{2468}' => u32::from(c) - 0x2460 + 1,
        '\u{1d7ce}'..='\u{1d7ff}' => (u32::from(c) - 0x1d7ce) % 10,
        '〇' | '零' | '\u{24ea}' => 0,
        '一' | '壹' | '幺' => 1,
        '二' | '贰' | '两' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// A telephone number as its digits alone, without the country code of China, so that the same line
/// written in two ways is the same. Empty when there is no digit in it.
#[must_use]
pub fn normal_number(number: &str) -> String {
    let digits: String = number.chars().filter_map(digit).collect();
    let national = digits.strip_prefix("0086").or_else(|| {
        let rest = digits.strip_prefix("86")?;
        (rest.len() >= 10).then_some(rest)
    });
    match national {
        Some(mobile) if mobile.starts_with('1') => mobile.to_owned(),
        Some(landline) if landline.starts_with('0') => landline.to_owned(),
        Some(landline) => format!("0{landline}"),
        None => digits,
    }
}

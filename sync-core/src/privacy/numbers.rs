//! Numbers that belong to somebody, by their form.

use super::digits::Group;
use super::{Kind, Place};

/// Digits of the longest number looked for, country code included.
const LONGEST: usize = 22;
/// Words after which seven or eight digits are a telephone number.
const CUES: [&str; 10] =
    ["电话", "手机", "座机", "联系", "致电", "回电", "拨打", "微信", "tel", "phone"];
/// Characters between such a word and the number.
const CUE_CHARS: usize = 6;
/// Weights of the first 17 digits of an identity card (GB 11643-1999, ISO 7064 MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check characters by remainder.
const CHECKS: &[u8; 11] = b"10X98765432";
/// The first two digits of an identity card: provinces.
const PROVINCES: [&str; 35] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41",
    "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71",
    "81", "82", "83",
];

/// Numbers in a text whose groups of digits are given.
pub(super) fn find(text: &str, groups: &[Group]) -> Vec<Place> {
    let chars: Vec<char> = text.chars().collect();
    let mut places = Vec::new();
    for first in 0..groups.len() {
        let mut run = Run::new(&groups[first]);
        for group in &groups[first..] {
            if !run.take(group) {
                break;
            }
            if let Some((kind, more)) = run.kind(&chars) {
                places.push(Place { from: run.from + 1, to: run.to + more, kind });
            }
        }
    }
    places
}

/// Some groups that follow each other, taken for one number.
struct Run {
    digits: String,
    groups: usize,
    from: usize,
    to: usize,
    letter_before: bool,
    letter_after: bool,
    dots: usize,
    others: usize,
    /// A group of it is a day of the calendar.
    day: bool,
}

impl Run {
    const fn new(first: &Group) -> Self {
        Self {
            digits: String::new(),
            groups: 0,
            from: first.from,
            to: first.to,
            letter_before: first.letters.0,
            letter_after: false,
            dots: 0,
            others: 0,
            day: false,
        }
    }

    /// Adds the next group, if it can be of the same number.
    fn take(&mut self, group: &Group) -> bool {
        if self.groups > 0 {
            let Some(between) = &group.joined else { return false };
            let dots = between.iter().filter(|c| matches!(c, '.' | '．')).count();
            self.dots += dots;
            self.others += between.len() - dots;
        }
        self.digits.push_str(&group.digits);
        self.groups += 1;
        self.to = group.to;
        self.letter_after = group.letters.1;
        self.day |= group.digits.len() == 8 && is_day(&group.digits);
        self.digits.len() <= LONGEST
    }

    /// What it is, and how many characters more belong to it.
    fn kind(&self, chars: &[char]) -> Option<(Kind, usize)> {
        if let Some(more) = self.identity_card(chars) {
            return Some((Kind::IdentityCard, more));
        }
        // In the midst of letters it is part of an id or a hash; one dot makes a decimal number.
        let is_part = self.letter_before && self.letter_after;
        let is_decimal = self.dots == 1 && self.others == 0;
        if is_part || is_decimal || self.day {
            return None;
        }
        if is_mobile(&self.digits) {
            return Some((Kind::MobileNumber, 0));
        }
        let is_landline = is_landline(&self.digits) || self.is_local(chars);
        is_landline.then_some((Kind::LandlineNumber, 0))
    }

    fn identity_card(&self, chars: &[char]) -> Option<usize> {
        if self.digits.len() == 17 {
            let next = chars.get(self.to)?;
            let is_x = matches!(next, 'x' | 'X' | 'ｘ' | 'Ｘ');
            return (is_x && is_card(&self.digits, b'X')).then_some(1);
        }
        let (first, last) = self.digits.split_at_checked(17).unwrap_or((&self.digits, ""));
        let is_new = last.len() == 1 && is_card(first, last.as_bytes()[0]);
        let is_old = self.digits.len() == 15
            && PROVINCES.contains(&&self.digits[..2])
            && is_day(&format!("19{}", &self.digits[6..12]))
            && !is_mobile(&self.digits);
        (is_new || is_old).then_some(0)
    }

    /// A number without its area code, after a word that says so.
    fn is_local(&self, chars: &[char]) -> bool {
        let fits = matches!(self.digits.len(), 7 | 8)
            && self.groups <= 2
            && matches!(self.digits.as_bytes()[0], b'2'..=b'8');
        let window = &chars[self.from.saturating_sub(CUE_CHARS)..self.from];
        let before: String = window.iter().flat_map(|c| c.to_lowercase()).collect();
        fits && CUES.iter().any(|cue| before.contains(cue))
    }
}

fn is_mobile(digits: &str) -> bool {
    let national = match digits.len() {
        11 => Some(digits),
        12 => digits.strip_prefix('0'),
        13 => digits.strip_prefix("86"),
        15 => digits.strip_prefix("0086"),
        _ => None,
    };
    national.is_some_and(|number| {
        number.starts_with('1') && matches!(number.as_bytes()[1], b'3'..=b'9')
    })
}

fn is_landline(digits: &str) -> bool {
    let abroad = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86"));
    let national = abroad.map_or_else(|| digits.to_owned(), |rest| format!("0{rest}"));
    let bytes = national.as_bytes();
    let area = match bytes {
        [b'0', b'1', b'0', ..] | [b'0', b'2', ..] => 3,
        [b'0', b'3'..=b'9', ..] => 4,
        _ => return false,
    };
    let local = bytes.get(area..).unwrap_or_default();
    let lengths: &[usize] = if area == 3 { &[8] } else { &[7, 8] };
    lengths.contains(&local.len()) && matches!(local[0], b'2'..=b'8')
}

fn is_card(first: &str, check: u8) -> bool {
    let sum: u32 = first.bytes().zip(WEIGHTS).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    let expected = usize::try_from(sum % 11).ok().and_then(|rest| CHECKS.get(rest));
    PROVINCES.contains(&&first[..2]) && is_day(&first[6..14]) && expected == Some(&check)
}

/// Eight digits that are a day from 1900 to 2099.
fn is_day(digits: &str) -> bool {
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<u32>().ok();
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    year.is_some_and(|year| (1900..2100).contains(&year))
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
}

//! One person's name, number and address in a text.

use super::digits::{Group, digit, is_dash, is_invisible, normal_number};
use super::{Kind, Place};

/// Digits of a number that are worth looking for.
const NUMBER_DIGITS: usize = 7;
/// Characters that a text must have in common with an address.
const ADDRESS_CHARS: usize = 8;

/// Who must not be told. What is empty is not looked for.
#[derive(Clone, Copy, Default)]
pub struct Identity<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their telephone number.
    pub number: &'a str,
    /// Their address.
    pub address: &'a str,
}

impl std::fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// A character as it is compared, with its place.
type Mark = (char, usize);

impl Identity<'_> {
    pub(super) fn find(&self, text: &str, groups: &[Group]) -> Vec<Place> {
        let marks = marks(text);
        let mut places = find_name(&marks, self.name);
        places.extend(find_number(groups, self.number));
        places.extend(find_address(&marks, self.address));
        places
    }
}

/// A text without spaces, dashes and what shows nothing; digits and letters in one form.
fn marks(text: &str) -> Vec<Mark> {
    let shown = |c: &char| !(c.is_whitespace() || is_dash(*c) || is_invisible(*c));
    let marks =
        text.chars().enumerate().filter(|(_, c)| shown(c) && !matches!(c, '·' | ',' | '，'));
    marks.map(|(at, c)| (plain(c), at)).collect()
}

fn plain(c: char) -> char {
    if let Some(digit) = digit(c) {
        return digit;
    }
    let narrow = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    };
    narrow.to_lowercase().next().unwrap_or(narrow)
}

fn find_name(text: &[Mark], name: &str) -> Vec<Place> {
    let name: Vec<char> = marks(name).into_iter().map(|(c, _)| c).collect();
    if name.len() < 2 {
        return Vec::new();
    }
    let windows = text.windows(name.len());
    let same = windows.filter(|window| window.iter().map(|(c, _)| c).eq(&name));
    same.map(|window| place(window, Kind::ComplainantName)).collect()
}

fn place(window: &[Mark], kind: Kind) -> Place {
    let ends = (window.first().map(|(_, at)| *at), window.last().map(|(_, at)| *at));
    Place { from: ends.0.unwrap_or(0) + 1, to: ends.1.unwrap_or(0) + 1, kind }
}

/// The number in whatever groups it is written, with or without its area code.
fn find_number(groups: &[Group], number: &str) -> Vec<Place> {
    let number = normal_number(number);
    let local = match number.as_bytes() {
        [b'0', b'1' | b'2', ..] => number.get(3..),
        [b'0', ..] => number.get(4..),
        _ => None,
    };
    let mut places = Vec::new();
    for first in 0..groups.len() {
        let mut run = String::new();
        for (n, group) in groups[first..].iter().enumerate() {
            if n > 0 && group.joined.is_none() {
                break;
            }
            run.push_str(&group.digits);
            let wanted = [Some(&number[..]), local].into_iter().flatten();
            let mut wanted = wanted.filter(|wanted| wanted.len() >= NUMBER_DIGITS);
            if wanted.any(|wanted| run.contains(wanted)) {
                let (from, to) = (groups[first].from + 1, group.to);
                places.push(Place { from, to, kind: Kind::ComplainantNumber });
                break;
            }
            if run.len() > number.len() + groups[first].digits.len() {
                break;
            }
        }
    }
    // A run that begins later is the same finding, closer.
    places.dedup_by(|later, earlier| {
        let same = later.to == earlier.to;
        if same {
            earlier.from = later.from;
        }
        same
    });
    places
}

/// The longest piece that the text has in common with the address, if it is long enough to lead
/// there: eight characters with a number, and most of the address.
fn find_address(text: &[Mark], address: &str) -> Option<Place> {
    let address: Vec<char> = marks(address).into_iter().map(|(c, _)| c).collect();
    let needed = ADDRESS_CHARS.max(address.len() * 3 / 5);
    let mut best = 0..0;
    let mut lengths = vec![0_usize; address.len() + 1];
    for (end, (c, _)) in text.iter().enumerate() {
        for at in (0..address.len()).rev() {
            lengths[at + 1] = if address[at] == *c { lengths[at] + 1 } else { 0 };
            if lengths[at + 1] > best.len() {
                best = end + 1 - lengths[at + 1]..end + 1;
            }
        }
    }
    let common = &text[best];
    let leads_there = common.len() >= needed && common.iter().any(|(c, _)| c.is_ascii_digit());
    leads_there.then(|| place(common, Kind::ComplainantAddress))
}

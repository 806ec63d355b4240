//! The draw of closed cases for the weekly spot recheck (抽项复查): nobody can steer it, anybody can
//! repeat it.
//!
//! Three files are settled first: the list of cases, the list of supervisors, and a [`Commitment`] to
//! both, to the rules and to a salt that nobody sees until the rechecks are done: whoever knows the
//! bureau's closed cases could work the draw out from the public value otherwise, and warn a unit. Only
//! then a public value comes into being, the seed. The rest is arithmetic on whole numbers, and this is
//! all of it, for whoever wants to write it again:
//!
//! 1. A case's **ticket** is SHA-256 of `onscene draw 2`, one zero byte, the SHA-256 of the
//!    commitment's bytes, the salt's 32 bytes, the seed's length in one byte, the seed, and the 16 bytes
//!    of the case's id. Under a commitment that begins with `onscene draw 1` there is no salt: a ticket
//!    begins with these words instead, and leaves the salt out.
//!    Tickets are compared as numbers, first byte highest. There is no remainder anywhere and hence
//!    no bias.
//! 2. Cases are taken in four steps. Each step goes through its candidates from the lowest ticket
//!    up, and the draw ends at once when `at_most` are taken.
//!    - *units*: of each unit the `per_unit` cases with the lowest tickets;
//!    - *classes*: of each class of which no case is taken yet, the one with the lowest ticket;
//!    - *shares*: of the k cases of one unit and one class, those with the lowest tickets that make
//!      up ⌊k · share_ppm / 1,000,000⌋ together with those taken before;
//!    - *total*: of all n cases those not taken yet, until ⌈n · share_ppm / 1,000,000⌉ are taken.
//! 3. The taken cases, lowest ticket first, go one by one to a **supervisor** who is not of the case's
//!    unit and has the fewest of them so far; among equals to the one for whom SHA-256 of
//!    `onscene recheck 1`, one zero byte, the case's ticket and the 16 bytes of the person's id is lowest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::audit::tree::{Span, leaf, parent, root};
use crate::crypto::sha256;
use crate::fact::body::CaseClass;
use crate::id::{DocId, Hash, PersonId, UnitId};
use crate::limits::{DRAW_CASES, DRAW_SEED_BYTES};
use crate::time::Millis;

const FORM: &str = "onscene draw 2";
/// What was written before there was a salt: drawn and verified for ever, and not frozen any more.
const UNSALTED: &str = "onscene draw 1";
const RECHECK: &str = "onscene recheck 1";
const MILLION: u64 = 1_000_000;

/// How many are drawn (*ours*: 5 %, one of each unit, sixty).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawRules {
    /// Share of the cases, millionths.
    pub share_ppm: u32,
    /// Cases of each unit at least.
    pub per_unit: u32,
    /// Cases in all at most.
    pub at_most: u32,
}

/// A closed case that may be drawn: a line `case unit class` of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Eligible {
    /// The case.
    pub case: DocId,
    /// The unit that worked on it.
    pub unit: UnitId,
    /// Its class.
    pub class: CaseClass,
}

/// Who may recheck: a line `person unit` of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Supervisor {
    /// The person.
    pub person: PersonId,
    /// The person's unit.
    pub unit: UnitId,
}

/// What is settled before there is a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// The draw.
    pub draw: DocId,
    /// The period in which the cases were closed: from here …
    pub from: Millis,
    /// … up to, not including, here.
    pub to: Millis,
    /// When the lists were settled.
    pub frozen_at: Millis,
    /// Cases in the list.
    pub cases: u64,
    /// Merkle root (RFC 6962) over the list's lines.
    pub list: Hash,
    /// The same over the lines of supervisors.
    pub supervisors: Hash,
    /// How many are drawn.
    pub rules: DrawRules,
    /// 32 bytes of chance; `None` in those of the first form, which are read and not made any more.
    pub salt: Option<Hash>,
    /// Where the seed will come from, so exactly that it can be one value only: `drand quicknet round
    /// 12345678`, say.
    pub source: String,
}

/// A drawn case, its ticket and who rechecks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// The case.
    pub case: Eligible,
    /// Its ticket.
    pub ticket: Hash,
    /// Who rechecks it; `None` when every supervisor is of the case's own unit.
    pub supervisor: Option<PersonId>,
}

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DrawFault {
    /// A line.
    #[error("line {line} is not `{form}`")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What it should be.
        form: &'static str,
    },
    /// Lines that are not in order, or one of them twice.
    #[error(
        "line {0} does not follow the one before it: lines are in order and each is there once"
    )]
    Order(usize),
    /// Too many.
    #[error("the list has more than {DRAW_CASES} lines")]
    TooLong,
    /// Not the form of a commitment.
    #[error("the commitment has no line `{0} …` in its place")]
    Missing(&'static str),
    /// Not a form that is known here.
    #[error("the commitment begins neither with `{FORM}` nor with `{UNSALTED}`")]
    Unknown,
    /// It says more, or says it otherwise.
    #[error("the commitment is not written as it would be written here")]
    Form,
    /// The seed.
    #[error("a seed is {DRAW_SEED_BYTES} bytes in lower-case hexadecimal digits")]
    Seed,
}

/// The public value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed(Vec<u8>);

impl FromStr for Seed {
    type Err = DrawFault;

    fn from_str(text: &str) -> Result<Self, DrawFault> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?));
        let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or(DrawFault::Seed)?;
        let fits = rest.is_empty() && bytes.len() == DRAW_SEED_BYTES;
        if fits { Ok(Self(bytes)) } else { Err(DrawFault::Seed) }
    }
}

impl Commitment {
    /// The file: one `name value` a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let DrawRules { share_ppm, per_unit, at_most } = self.rules;
        let (from, to, frozen) = (self.from.0, self.to.0, self.frozen_at.0);
        let (form, salt) = (self.form(), self.salt.map(|salt| format!("salt {salt}\n")));
        format!(
            "{form}\ndraw {}\nclosed {from} {to}\nfrozen {frozen}\ncases {}\nlist {}\n\
             supervisors {}\nrules {share_ppm} {per_unit} {at_most}\n{}seed {}\n",
            self.draw,
            self.cases,
            self.list,
            self.supervisors,
            salt.unwrap_or_default(),
            self.source
        )
    }

    const fn form(&self) -> &'static str {
        if self.salt.is_some() { FORM } else { UNSALTED }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is not exactly what [`Commitment::to_text`] writes.
    pub fn from_text(text: &str) -> Result<Self, DrawFault> {
        let mut lines = text.lines();
        let salted = match lines.next() {
            Some(FORM) => true,
            Some(UNSALTED) => false,
            _ => return Err(DrawFault::Unknown),
        };
        let mut value = |name: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or(DrawFault::Missing(name))
        };
        let (draw, closed, frozen) = (value("draw")?, value("closed")?, value("frozen")?);
        let (cases, list, supervisors) = (value("cases")?, value("list")?, value("supervisors")?);
        let rules = value("rules")?;
        let salt = salted.then(|| value("salt")).transpose()?;
        let source = value("seed")?;
        let read = || {
            let (from, to) = closed.split_once(' ')?;
            let mut numbers = rules.split(' ').map(|number| number.parse().ok());
            let mut number = || numbers.next()?;
            Some(Self {
                draw: draw.parse().ok()?,
                from: Millis(from.parse().ok()?),
                to: Millis(to.parse().ok()?),
                frozen_at: Millis(frozen.parse().ok()?),
                cases: cases.parse().ok()?,
                list: list.parse().ok()?,
                supervisors: supervisors.parse().ok()?,
                rules: DrawRules { share_ppm: number()?, per_unit: number()?, at_most: number()? },
                salt: salt.map(str::parse).transpose().ok()?,
                source: source.to_owned(),
            })
        };
        let commitment = read().ok_or(DrawFault::Form)?;
        if commitment.to_text() == text { Ok(commitment) } else { Err(DrawFault::Form) }
    }
}

/// The list as a file: one line each, in the order of the cases' ids.
#[must_use]
pub fn list_text(list: &BTreeSet<Eligible>) -> String {
    let mut text = String::new();
    for one in list {
        let _never_fails = writeln!(text, "{} {} {}", one.case, one.unit, class_name(one.class));
    }
    text
}

/// Reads [`list_text`].
///
/// # Errors
/// Which line is not one, or out of order.
pub fn read_list(text: &str) -> Result<BTreeSet<Eligible>, DrawFault> {
    read_lines(
        text,
        "case unit class",
        |one: &Eligible| one.case,
        |line| {
            let mut words = line.split(' ');
            let mut word = || words.next();
            let (case, unit) = (word()?.parse().ok()?, word()?.parse().ok()?);
            let (name, end) = (word()?, word());
            let class = CLASSES.into_iter().find(|class| class_name(*class) == name)?;
            end.is_none().then_some(Eligible { case, unit, class })
        },
    )
}

/// The supervisors as a file: one line each, in the order of the persons' ids.
#[must_use]
pub fn supervisors_text(list: &BTreeSet<Supervisor>) -> String {
    let mut text = String::new();
    for one in list {
        let _never_fails = writeln!(text, "{} {}", one.person, one.unit);
    }
    text
}

/// Reads [`supervisors_text`].
///
/// # Errors
/// As [`read_list`].
pub fn read_supervisors(text: &str) -> Result<BTreeSet<Supervisor>, DrawFault> {
    read_lines(
        text,
        "person unit",
        |one: &Supervisor| one.person,
        |line| {
            let (person, unit) = line.split_once(' ')?;
            Some(Supervisor { person: person.parse().ok()?, unit: unit.parse().ok()? })
        },
    )
}

/// The outcome as a file: a line `case ticket person` for each drawn case, lowest ticket first.
#[must_use]
pub fn drawn_text(drawn: &[Drawn]) -> String {
    let mut text = String::new();
    for one in drawn {
        let person = one.supervisor.map_or_else(|| "nobody".to_owned(), |it| it.to_string());
        let _never_fails = writeln!(text, "{} {} {person}", one.case.case, one.ticket);
    }
    text
}

fn read_lines<T: Ord, K: Ord>(
    text: &str,
    form: &'static str,
    key: impl Fn(&T) -> K,
    read: impl Fn(&str) -> Option<T>,
) -> Result<BTreeSet<T>, DrawFault> {
    let mut all = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        if at == DRAW_CASES {
            return Err(DrawFault::TooLong);
        }
        let one = read(line).ok_or(DrawFault::Line { line: at + 1, form })?;
        if all.last().is_some_and(|last| key(last) >= key(&one)) {
            return Err(DrawFault::Order(at + 1));
        }
        all.insert(one);
    }
    Ok(all)
}

/// The Merkle root (RFC 6962) over the lines of a file, each without its line feed.
#[must_use]
pub fn root_of_lines(text: &str) -> Hash {
    let leaves: Vec<Hash> = text.lines().map(|line| leaf(line.as_bytes())).collect();
    let whole = Span { from: 0, to: leaves.len() as u64 };
    let subtree = |level: u32, index: u64| {
        let first = usize::try_from(index << level).unwrap_or(usize::MAX);
        let mut row = leaves[first..first + (1 << level)].to_vec();
        while row.len() > 1 {
            row = row.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
        }
        row[0]
    };
    let nodes = whole.nodes();
    root(nodes.iter().map(|node| subtree(node.level, node.index)))
}

/// Draws.
#[must_use]
pub fn draw(
    commitment: &Commitment,
    seed: &Seed,
    list: &BTreeSet<Eligible>,
    supervisors: &BTreeSet<Supervisor>,
) -> Vec<Drawn> {
    let settled = settled(commitment);
    let ticket = |case: &Eligible| ticket(&settled, seed, case.case);
    let mut sorted: Vec<(Hash, Eligible)> = list.iter().map(|case| (ticket(case), *case)).collect();
    sorted.sort_unstable();
    let mut taking = Taking { rules: commitment.rules, sorted, taken: BTreeSet::new() };
    taking.units();
    taking.classes();
    taking.shares();
    taking.total();
    let drawn = taking.sorted.iter().filter(|one| taking.taken.contains(*one)).copied();
    assign(drawn, supervisors)
}

/// What all tickets of a draw begin with.
fn settled(commitment: &Commitment) -> Vec<u8> {
    let said = sha256(commitment.to_text().as_bytes());
    let salt: &[u8] = commitment.salt.as_ref().map_or(&[], |salt| salt.as_bytes());
    [commitment.form().as_bytes(), &[0], said.as_bytes(), salt].concat()
}

fn ticket(settled: &[u8], seed: &Seed, case: DocId) -> Hash {
    let length = u8::try_from(seed.0.len()).unwrap_or(u8::MAX);
    sha256(&[settled, &[length], &seed.0, case.as_bytes()].concat())
}

struct Taking {
    rules: DrawRules,
    sorted: Vec<(Hash, Eligible)>,
    taken: BTreeSet<(Hash, Eligible)>,
}

impl Taking {
    /// Goes through all, lowest ticket first, and takes those that `wanted` says.
    fn step(&mut self, mut wanted: impl FnMut(&Eligible, bool) -> bool) {
        for one in &self.sorted {
            let taken = self.taken.contains(one);
            if wanted(&one.1, taken) && !taken && self.taken.len() < number(self.rules.at_most) {
                self.taken.insert(*one);
            }
        }
    }

    fn units(&mut self) {
        let (mut seen, least) = (BTreeMap::new(), self.rules.per_unit);
        self.step(|case, _| counted(&mut seen, case.unit) <= least);
    }

    fn classes(&mut self) {
        let mut seen: BTreeSet<u8> = self.taken.iter().map(|one| one.1.class as u8).collect();
        self.step(|case, _| seen.insert(case.class as u8));
    }

    fn shares(&mut self) {
        let mut quotas: BTreeMap<(UnitId, u8), u64> = BTreeMap::new();
        for (_, case) in &self.sorted {
            *quotas.entry((case.unit, case.class as u8)).or_default() += 1;
        }
        let share = u64::from(self.rules.share_ppm);
        quotas.values_mut().for_each(|cases| *cases = *cases * share / MILLION);
        for (_, case) in &self.taken {
            let left = quotas.entry((case.unit, case.class as u8)).or_default();
            *left = left.saturating_sub(1);
        }
        self.step(|case, taken| {
            let left = quotas.entry((case.unit, case.class as u8)).or_default();
            let wanted = !taken && *left > 0;
            *left -= u64::from(wanted);
            wanted
        });
    }

    fn total(&mut self) {
        let all = self.sorted.len() as u64;
        let goal = (all * u64::from(self.rules.share_ppm)).div_ceil(MILLION);
        let mut left = goal.saturating_sub(self.taken.len() as u64);
        self.step(|_, taken| {
            let wanted = !taken && left > 0;
            left -= u64::from(wanted);
            wanted
        });
    }
}

fn counted<K: Ord>(seen: &mut BTreeMap<K, u32>, key: K) -> u32 {
    let count = seen.entry(key).or_default();
    *count += 1;
    *count
}

fn number(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn assign(
    drawn: impl Iterator<Item = (Hash, Eligible)>,
    supervisors: &BTreeSet<Supervisor>,
) -> Vec<Drawn> {
    let mut load: BTreeMap<PersonId, u32> = BTreeMap::new();
    drawn
        .map(|(ticket, case)| {
            let free = supervisors.iter().filter(|one| one.unit != case.unit);
            let supervisor = free.map(|one| one.person).min_by_key(|person| {
                let parts: [&[u8]; 4] =
                    [RECHECK.as_bytes(), &[0], ticket.as_bytes(), person.as_bytes()];
                (load.get(person).copied().unwrap_or(0), sha256(&parts.concat()))
            });
            if let Some(person) = supervisor {
                *load.entry(person).or_default() += 1;
            }
            Drawn { case, ticket, supervisor }
        })
        .collect()
}

const CLASSES: [CaseClass; 4] =
    [CaseClass::Consultation, CaseClass::Help, CaseClass::Complaint, CaseClass::Suggestion];

/// A class as the list writes it.
const fn class_name(class: CaseClass) -> &'static str {
    match class {
        CaseClass::Consultation => "consultation",
        CaseClass::Help => "help",
        CaseClass::Complaint => "complaint",
        CaseClass::Suggestion => "suggestion",
    }
}

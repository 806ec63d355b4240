//! Counted cases and orders, and the rates that follow from them.

use std::ops::AddAssign;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::indicator::{CASES, Indicator, ORDERS};

/// How many cases and orders meet each indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// By [`CASES`].
    pub cases: [i64; CASES.len()],
    /// By [`ORDERS`].
    pub orders: [i64; ORDERS.len()],
}

/// A share of what was due, with what is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// Its name.
    pub name: &'static str,
    /// In Chinese.
    #[serde(skip)]
    pub title: &'static str,
    /// How many met it.
    pub met: i64,
    /// Of how many that were due, the undecided and the silent included.
    pub of: i64,
    /// Of these, those on which a person has still to decide.
    pub undecided: i64,
    /// Of these, those of whose phones nothing has been heard: it may still come.
    pub silent: i64,
    /// `met / of`; `null` when nothing was due. It can only rise.
    pub share: Option<f64>,
    /// What it would be if all undecided and silent turned out to be met.
    pub at_most: Option<f64>,
}

/// One rate: its name and title, the indicator that is met, those that make up the rest.
type Definition = (&'static str, &'static str, &'static str, &'static [&'static str]);

const RATES: [Definition; 9] = [
    ("closing", "办结率", "closed", &["not_closed"]),
    ("closing_on_time", "按时办结率", "closed_on_time", &[]),
    (
        "arrival_on_time",
        "按时到达率",
        "arrival_on_time",
        &["arrival_late", "arrival_undecided", "arrival_silent"],
    ),
    ("feedback_on_time", "按时反馈率", "feedback_on_time", &["feedback_late"]),
    ("telling_on_time", "按时告知率", "telling_on_time", &["telling_late"]),
    ("satisfaction", "满意率", "opinion_satisfied", &["opinion_partly", "opinion_not_satisfied"]),
    ("registration_on_time", "按时登记率", "registration_on_time", &["registration_late"]),
    ("dispatch_on_time", "按时派遣率", "dispatch_on_time", &["dispatch_late"]),
    ("coordination_on_time", "按时协调率", "coordination_on_time", &["coordination_late"]),
];

impl Default for Counts {
    fn default() -> Self {
        Self { cases: [0; CASES.len()], orders: [0; ORDERS.len()] }
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        for (sum, more) in self.cases.iter_mut().zip(other.cases) {
            *sum += more;
        }
        for (sum, more) in self.orders.iter_mut().zip(other.orders) {
            *sum += more;
        }
    }
}

impl Counts {
    /// How many meet the indicator of this name; 0 for a name that is none.
    #[must_use]
    pub fn of(&self, name: &str) -> i64 {
        let find = |among: &[Indicator], counts: &[i64]| {
            among.iter().zip(counts).find(|(indicator, _)| indicator.name == name).map(|one| *one.1)
        };
        find(&CASES, &self.cases).or_else(|| find(&ORDERS, &self.orders)).unwrap_or(0)
    }

    /// All rates.
    #[must_use]
    pub fn rates(&self) -> Vec<Rate> {
        RATES.iter().map(|definition| self.rate(definition)).collect()
    }

    /// The rate of this name.
    #[must_use]
    pub fn rate_of(&self, name: &str) -> Option<Rate> {
        RATES.iter().find(|definition| definition.0 == name).map(|found| self.rate(found))
    }

    fn rate(&self, (name, title, met, rest): &Definition) -> Rate {
        let met = self.of(met);
        let of = if *name == "closing_on_time" {
            self.of("closed")
        } else {
            met + rest.iter().map(|rest| self.of(rest)).sum::<i64>()
        };
        let count =
            |wanted: &str| rest.iter().find(|rest| **rest == wanted).map_or(0, |one| self.of(one));
        let (undecided, silent) = (count("arrival_undecided"), count("arrival_silent"));
        Rate {
            name,
            title,
            met,
            of,
            undecided,
            silent,
            share: share(met, of),
            at_most: share(met + undecided + silent, of),
        }
    }
}

/// A part of a whole.
#[must_use]
pub fn share(part: i64, whole: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl JsonSchema for Counts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Counts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let all = || CASES.iter().chain(&ORDERS);
        let names: Vec<_> = all().map(|indicator| indicator.name).collect();
        let counted = |one: &Indicator| (one.name.to_owned(), json!({ "type": "integer" }));
        let properties: serde_json::Map<_, _> = all().map(counted).collect();
        json_schema!({ "type": "object", "properties": properties, "required": names })
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let cases = CASES.iter().map(|indicator| indicator.name).zip(self.cases);
        let orders = ORDERS.iter().map(|indicator| indicator.name).zip(self.orders);
        to.collect_map(cases.chain(orders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(given: &[(&str, i64)]) -> Counts {
        let mut counts = Counts::default();
        for (name, count) in given {
            let place = |among: &[Indicator]| among.iter().position(|one| one.name == *name);
            match (place(&CASES), place(&ORDERS)) {
                (Some(place), _) => counts.cases[place] = *count,
                (_, Some(place)) => counts.orders[place] = *count,
                _ => panic!("{name} is no indicator"),
            }
        }
        counts
    }

    #[test]
    fn a_rate_says_what_is_not_known_and_how_far_it_can_rise() {
        let counts = counts(&[
            ("arrival_on_time", 90),
            ("arrival_late", 4),
            ("arrival_undecided", 3),
            ("arrival_silent", 3),
            ("arrival_running", 50),
        ]);
        let rate = counts.rate_of("arrival_on_time").unwrap();
        assert_eq!((rate.met, rate.of, rate.undecided, rate.silent), (90, 100, 3, 3));
        assert_eq!((rate.share, rate.at_most), (Some(0.9), Some(0.96)));
    }

    #[test]
    fn where_nothing_was_due_there_is_no_share() {
        assert!(Counts::default().rates().iter().all(|rate| rate.share.is_none()));
    }

    #[test]
    fn every_rate_is_made_of_measures() {
        for (_, _, met, rest) in RATES {
            for name in std::iter::once(&met).chain(rest) {
                assert_eq!(counts(&[(name, 7)]).of(name), 7);
            }
        }
        let closing = counts(&[("closed", 3), ("not_closed", 1), ("closed_on_time", 2)]);
        assert_eq!(closing.rate_of("closing").unwrap().share, Some(0.75));
        assert_eq!(closing.rate_of("closing_on_time").unwrap().of, 3);
    }
}

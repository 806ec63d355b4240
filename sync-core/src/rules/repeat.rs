//! How likely two cases are one matter raised again: points out of 100, each with its reason. It only
//! suggests; a person decides.
//!
//! | what | points |
//! |---|---|
//! | place | 40 within 50 m, falling to 0 at 500 m |
//! | text | 30 times the [likeness](crate::likeness); 70 times where a place is not known |
//! | kind | 15 when it is the same |
//! | time | 15 within 3 days, falling to 0 at 90 days |
//! | caller | 15 when the same number called |

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::id::DocId;
use crate::rules::policy::Policy;
use crate::time::Millis;

/// Points from which a pair is suggested.
pub const SUGGESTED: u8 = 60;
/// Beyond this distance place gives no points, metres.
pub const NEAR_M: f64 = 500.0;
/// Beyond this time apart time gives no points, milliseconds.
pub const RECENT_MS: i64 = 90 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const SAME_PLACE_M: f64 = 50.0;
const SAME_TIME_MS: i64 = 3 * DAY_MS;

/// What is known of two cases beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// From one site's middle to the other's, metres; `None` when one of them has no site.
    pub distance_m: Option<f64>,
    /// From one registration to the other, milliseconds.
    pub apart_ms: i64,
    /// They are of one kind of matter.
    pub same_matter: bool,
    /// [`likeness`](crate::likeness::Pairs::likeness) of their texts.
    pub text: f64,
    /// The same number called.
    pub same_caller: bool,
}

/// A reason with the points that it gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "RepeatReason"))]
pub struct Reason {
    /// For a program.
    pub kind: ReasonKind,
    /// Points.
    pub points: u8,
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// What a reason speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// Where.
    Place,
    /// The words.
    Text,
    /// The kind of matter.
    Matter,
    /// When.
    Time,
    /// Who called.
    Caller,
}

/// The points of a pair with their reasons, those that give most first.
#[must_use]
pub fn weigh(pair: &Pair) -> (u8, Vec<Reason>) {
    let mut reasons: Vec<Reason> =
        [place(pair), text(pair), matter(pair), time(pair), caller(pair)]
            .into_iter()
            .flatten()
            .filter(|reason| reason.points > 0)
            .collect();
    reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.points), reason.kind));
    let score = reasons.iter().map(|reason| u32::from(reason.points)).sum::<u32>().min(100);
    (u8::try_from(score).unwrap_or(100), reasons)
}

fn place(pair: &Pair) -> Option<Reason> {
    let distance = pair.distance_m.filter(|distance| *distance < NEAR_M)?;
    let points = share(40.0, (NEAR_M - distance) / (NEAR_M - SAME_PLACE_M));
    let (en, zh) = (format!("{distance:.0} m apart"), format!("相距{distance:.0}米"));
    Some(Reason { kind: ReasonKind::Place, points, en, zh })
}

fn text(pair: &Pair) -> Option<Reason> {
    let most = if pair.distance_m.is_some() { 30.0 } else { 70.0 };
    let percent = pair.text * 100.0;
    let en = format!("{percent:.0} % of the words are the same");
    let zh = format!("文字相似度{percent:.0}%");
    Some(Reason { kind: ReasonKind::Text, points: share(most, pair.text), en, zh })
}

fn matter(pair: &Pair) -> Option<Reason> {
    let (en, zh) = ("the same kind of matter".to_owned(), "同类事项".to_owned());
    pair.same_matter.then_some(Reason { kind: ReasonKind::Matter, points: 15, en, zh })
}

fn time(pair: &Pair) -> Option<Reason> {
    let apart = pair.apart_ms.saturating_abs();
    #[expect(clippy::cast_precision_loss, reason = "days")]
    let left = (RECENT_MS - apart) as f64 / (RECENT_MS - SAME_TIME_MS) as f64;
    let days = apart / DAY_MS;
    let (en, zh) = (format!("{days} days apart"), format!("间隔{days}天"));
    Some(Reason { kind: ReasonKind::Time, points: share(15.0, left), en, zh })
}

fn caller(pair: &Pair) -> Option<Reason> {
    let (en, zh) = ("the same number called".to_owned(), "来电号码相同".to_owned());
    pair.same_caller.then_some(Reason { kind: ReasonKind::Caller, points: 15, en, zh })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 70")]
fn share(most: f64, share: f64) -> u8 {
    (most * share.clamp(0.0, 1.0)).round() as u8
}

/// The chain that each case is in, by the least id of the chain. Cases that links join, over however
/// many steps and in whatever direction, are one chain; a ring of links is no trouble.
#[must_use]
pub fn chains(links: impl IntoIterator<Item = (DocId, DocId)>) -> BTreeMap<DocId, DocId> {
    let mut beside: BTreeMap<DocId, BTreeSet<DocId>> = BTreeMap::new();
    for (one, other) in links {
        beside.entry(one).or_default().insert(other);
        beside.entry(other).or_default().insert(one);
    }
    let mut chains = BTreeMap::new();
    for start in beside.keys() {
        // Ids come in order, so whoever is reached first from here has this least id.
        let mut reached = vec![*start];
        while let Some(case) = reached.pop() {
            if let std::collections::btree_map::Entry::Vacant(free) = chains.entry(case) {
                free.insert(*start);
                reached.extend(beside.get(&case).into_iter().flatten());
            }
        }
    }
    chains
}

/// Over how many handling periods a matter came, given when each of its cases was registered. A handling
/// period is the limit of the complex-feedback clock: it begins with a case and ends with the local day
/// so many days on; the next case after that begins the next.
#[must_use]
pub fn handling_periods(registered: &[Millis], policy: &Policy) -> usize {
    let mut cases = registered.to_vec();
    cases.sort_unstable();
    let (mut periods, mut end) = (0, None);
    for at in cases {
        if end.is_none_or(|end| at > end) {
            periods += 1;
            end = Some(policy.end_of_local_day(at, policy.complex_days));
        }
    }
    periods
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEXT_DOOR: Pair = Pair {
        distance_m: Some(20.0),
        apart_ms: DAY_MS,
        same_matter: true,
        text: 0.4,
        same_caller: false,
    };

    fn score(pair: Pair) -> u8 {
        weigh(&pair).0
    }

    #[test]
    fn a_pair_is_weighed_as_the_table_says() {
        assert_eq!(score(NEXT_DOOR), 40 + 12 + 15 + 15);
        assert_eq!(score(Pair { same_caller: true, ..NEXT_DOOR }), 97);
        assert_eq!(score(Pair { text: 1.0, same_caller: true, ..NEXT_DOOR }), 100, "at most");
        assert_eq!(score(Pair { distance_m: Some(275.0), ..NEXT_DOOR }), 20 + 12 + 15 + 15);
        assert_eq!(score(Pair { distance_m: Some(501.0), ..NEXT_DOOR }), 12 + 15 + 15);
        assert_eq!(score(Pair { distance_m: None, text: 0.5, ..NEXT_DOOR }), 35 + 15 + 15);
        assert_eq!(score(Pair { apart_ms: -91 * DAY_MS, ..NEXT_DOOR }), 40 + 12 + 15);
    }

    #[test]
    fn a_handling_period_is_as_long_as_a_complex_matter_may_take() {
        // 2026-11-23T00:00Z is 08:00 of Monday in Jinan; the period ends with Thursday.
        let monday = 1_795_392_000_000;
        let periods = |hours: &[i64]| {
            let at: Vec<_> = hours.iter().map(|hour| Millis(monday + hour * 3_600_000)).collect();
            handling_periods(&at, &Policy::v1())
        };
        assert_eq!(periods(&[]), 0);
        assert_eq!(periods(&[0, 1, 87]), 1, "Thursday 23:00 is in the first");
        assert_eq!(periods(&[0, 88]), 2, "Friday 00:00 begins the next");
        assert_eq!(periods(&[88, 0, 89, 200]), 3, "in whatever order");
    }

    #[test]
    fn reasons_add_up_and_the_weightiest_comes_first() {
        let (score, reasons) = weigh(&NEXT_DOOR);
        assert_eq!(reasons.iter().map(|reason| reason.points).sum::<u8>(), score);
        assert_eq!(reasons[0].zh, "相距20米");
        assert_eq!(
            reasons.last().map(|reason| &reason.en[..]),
            Some("40 % of the words are the same")
        );
    }

    #[test]
    fn neither_the_kind_nor_the_caller_alone_makes_a_repeat() {
        let nothing = Pair { distance_m: Some(5_000.0), text: 0.1, ..NEXT_DOOR };
        assert!(score(Pair { same_caller: true, ..nothing }) < SUGGESTED);
        assert!(score(Pair { distance_m: None, text: 0.1, ..NEXT_DOOR }) < SUGGESTED);
        assert!(score(NEXT_DOOR) >= SUGGESTED);
    }

    fn id(n: u8) -> DocId {
        DocId::from_bytes([n; 16])
    }

    #[test]
    fn links_in_a_ring_or_in_a_row_are_one_chain() {
        let links = [(id(5), id(3)), (id(3), id(9)), (id(9), id(5)), (id(2), id(7))];
        let chains = chains(links);
        assert_eq!(chains[&id(9)], id(3));
        assert_eq!(chains[&id(5)], id(3));
        assert_eq!(chains[&id(7)], id(2));
        assert_eq!(chains.len(), 5);
    }

    proptest! {
        #[test]
        fn a_chain_is_what_links_reach(links in prop::collection::vec((0..12_u8, 0..12_u8), 0..14)) {
            let found = chains(links.iter().map(|(a, b)| (id(*a), id(*b))));
            // Another way to the same: names that spread until nothing changes.
            let mut names: BTreeMap<u8, u8> =
                links.iter().flat_map(|(a, b)| [(*a, *a), (*b, *b)]).collect();
            for _ in 0..12 {
                for (a, b) in &links {
                    let least = names[a].min(names[b]);
                    names.insert(*a, least);
                    names.insert(*b, least);
                }
            }
            let expected = names.into_iter().map(|(case, name)| (id(case), id(name))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

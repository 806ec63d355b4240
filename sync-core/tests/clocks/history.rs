//! Random histories of one case: what was stated when, and what phones delivered late.
//!
//! Minutes are kept apart so that no two kinds of event share one: statements fall on multiples of
//! four, receipts on 1, arrivals on 2 and results on 3 modulo four.

use std::collections::BTreeSet;

use onscene_sync_core::fact::body::{
    AboutOrder, ArrivalClaim, CaseClass, Channel, FedBack, Judged, OrderReceived, Ordered, Outcome,
    Receipt, Registered, ReviewSettled, Ruling, Text,
};
use onscene_sync_core::fact::telling::{NoReach, NotReached, Reopening};
use onscene_sync_core::fact::{Author, Body, DeviceAuthor, Fact};
use onscene_sync_core::id::{BootId, DeviceId, DocId, FactId, PersonId, UnitId};
use onscene_sync_core::place::Datum;
use onscene_sync_core::rules::arrival::{ArrivalPolicy, Conclusion, Question, Verdict, judge};
use onscene_sync_core::time::{ClockReading, Millis};
use proptest::prelude::*;

/// Minute 0: 2026-03-02 08:00 in Jinan.
pub(super) const BASE: Millis = Millis(1_772_409_600_000);

#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Register,
    Coordinate,
    Order,
    Withdraw {
        order: usize,
    },
    Receipt {
        order: usize,
        effective: i64,
    },
    Arrival {
        order: usize,
        effective: i64,
        conclusion: Conclusion,
    },
    /// Settles the newest claim of the order.
    Settle {
        order: usize,
        ruling: Ruling,
    },
    /// `result` is `None` for progress, else whether the matter was settled on the spot.
    Feedback {
        order: usize,
        effective: i64,
        result: Option<bool>,
    },
    Return {
        order: usize,
    },
    Tell,
    Attempt {
        anonymous: bool,
    },
    Close,
    Reopen,
}

#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) telephone: bool,
    pub(super) clear: bool,
    pub(super) informed: i64,
    pub(super) events: Vec<(i64, Event)>,
    pub(super) now: i64,
}

impl History {
    /// When and how the deciding claim of an order stands: on time, else late, else under review.
    pub(super) fn deciding_claim(&self, wanted: usize) -> Option<(i64, Conclusion)> {
        let mut claims: Vec<(i64, Conclusion)> = Vec::new();
        for (_, event) in &self.events {
            match *event {
                Event::Arrival { order, effective, conclusion } if order == wanted => {
                    claims.push((effective, conclusion));
                }
                Event::Settle { order, ruling } if order == wanted => {
                    let newest = claims.last_mut()?;
                    newest.1 = match ruling {
                        Ruling::OnTime => Conclusion::OnTime,
                        Ruling::Late => Conclusion::Late,
                        Ruling::NotOnScene => Conclusion::NotOnScene,
                    };
                }
                _ => {}
            }
        }
        claims.sort_by_key(|(at, _)| *at);
        [Conclusion::OnTime, Conclusion::Late, Conclusion::NeedsReview]
            .into_iter()
            .find_map(|wanted| claims.iter().find(|(_, one)| *one == wanted).copied())
    }

    /// Counts orders from 0 by their fact.
    pub(super) fn order_number(&self, id: FactId) -> usize {
        let position = usize::from(id.as_bytes()[1]) + 256 * usize::from(id.as_bytes()[0]);
        self.events[..position].iter().filter(|(_, event)| matches!(event, Event::Order)).count()
    }
}

pub(super) fn history() -> impl Strategy<Value = History> {
    let step = (0..17_u8, prop_oneof![4 => 1..30_i64, 1 => 30..500_i64], 0..60_i64, any::<u8>());
    (any::<bool>(), any::<bool>(), 0..5_i64, prop::collection::vec(step, 0..30), 0..2_000_i64)
        .prop_map(|(telephone, clear, informed, steps, rest)| {
            build(telephone, clear, 20 - 4 * informed, &steps, rest)
        })
}

fn build(
    telephone: bool,
    clear: bool,
    informed: i64,
    steps: &[(u8, i64, i64, u8)],
    rest: i64,
) -> History {
    let mut events = vec![(20, Event::Register)];
    let mut issued: Vec<i64> = Vec::new();
    let mut claims: Vec<usize> = Vec::new();
    let mut recorded: Vec<i64> = Vec::new();
    let mut closed = false;
    let mut now = 20;
    for &(what, gap, back, pick) in steps {
        now += 4 * gap;
        let order = usize::from(pick) % issued.len().max(1);
        // Phones act once their unit has received the order, and deliver later.
        let late = |kind: i64| {
            let since = issued.get(order).copied()? + 8;
            let effective = (now - 4 * back).max(since) + kind - 4;
            (since < now).then_some(effective.max(since + kind))
        };
        let ripe = issued.get(order).is_some_and(|issued| issued + 8 < now);
        let event = match what {
            0 if !closed => Some(Event::Coordinate),
            1 | 2 if !closed => Some(Event::Order),
            3 if !closed && ripe => Some(Event::Withdraw { order }),
            4 if ripe => {
                Some(Event::Receipt { order, effective: issued[order] + 1 + 4 * (back % 2) })
            }
            5 | 6 => late(2).map(|effective| Event::Arrival {
                order,
                effective,
                conclusion: [
                    Conclusion::OnTime,
                    Conclusion::Late,
                    Conclusion::NeedsReview,
                    Conclusion::NotOnScene,
                ][usize::from(pick / 64)],
            }),
            7 if claims.contains(&order) => Some(Event::Settle {
                order,
                ruling: [Ruling::OnTime, Ruling::Late, Ruling::NotOnScene][usize::from(pick) % 3],
            }),
            8..=10 => {
                late(3).filter(|at| !recorded.contains(at)).map(|effective| Event::Feedback {
                    order,
                    effective,
                    result: [None, Some(true), Some(false)][usize::from(pick) % 3],
                })
            }
            11 if ripe => Some(Event::Return { order }),
            12 => Some(Event::Tell),
            13 => Some(if closed { Event::Reopen } else { Event::Close }),
            14..=16 => Some(Event::Attempt { anonymous: pick < 16 }),
            _ => None,
        };
        let Some(event) = event else { continue };
        match event {
            Event::Order => issued.push(now),
            Event::Arrival { order, .. } => claims.push(order),
            Event::Feedback { effective, .. } => recorded.push(effective),
            Event::Close => closed = true,
            Event::Reopen => closed = false,
            _ => {}
        }
        events.push((now, event));
    }
    History { telephone, clear, informed, events, now: now + rest }
}

pub(super) fn facts(history: &History) -> Vec<(FactId, Fact)> {
    let mut orders: Vec<FactId> = Vec::new();
    let mut newest_verdict: Vec<Option<FactId>> = Vec::new();
    history
        .events
        .iter()
        .enumerate()
        .map(|(position, (at, event))| {
            let id = fact_id(position);
            let body = body(history, *event, &orders, &newest_verdict, position);
            match event {
                Event::Order => {
                    orders.push(id);
                    newest_verdict.push(None);
                }
                Event::Arrival { order, .. } => newest_verdict[*order] = Some(id),
                _ => {}
            }
            let doc = DocId::from_bytes([1; 16]);
            (id, Fact { version: 1, doc, author: Author::Hub(millis(*at)), body })
        })
        .collect()
}

fn body(
    history: &History,
    event: Event,
    orders: &[FactId],
    newest_verdict: &[Option<FactId>],
    position: usize,
) -> Body {
    let by = PersonId::from_bytes([2; 16]);
    let text = || Text { text: String::new(), by: Some(by) };
    let about = |order: usize| AboutOrder { order: orders[order], by, reason: String::new() };
    match event {
        Event::Register => Body::Registered(Registered {
            class: CaseClass::Complaint,
            channel: if history.telephone { Channel::Telephone } else { Channel::Web },
            matter: String::new(),
            summary: String::new(),
            received_at: millis(history.informed),
            site: None,
            jurisdiction_clear: history.clear,
            policy: 1,
            by,
            drill: false,
            grave: false,
        }),
        Event::Coordinate => Body::CoordinationOpened(text()),
        Event::Order => Body::Ordered(Ordered {
            unit: UnitId::from_bytes([3; 16]),
            inspection: DocId::from_bytes([4; 16]),
            site: None,
            policy: 1,
            by,
            text: String::new(),
        }),
        Event::Withdraw { order } => Body::OrderWithdrawn(about(order)),
        Event::Receipt { order, effective } => Body::OrderReceived(OrderReceived {
            order: orders[order],
            at: millis(effective),
            receipt: Receipt::Desk { by },
        }),
        Event::Arrival { order, effective, conclusion } => Body::Judged(Box::new(Judged {
            order: orders[order],
            arrival: fact_id(1_000 + position),
            seen_at: millis(effective),
            verdict: verdict(conclusion),
            grounds: None,
        })),
        Event::Settle { order, ruling } => Body::ReviewSettled(ReviewSettled {
            judged: newest_verdict[order].expect("only claims are settled"),
            ruling,
            reason: String::new(),
            by,
        }),
        Event::Feedback { order, effective, result } => Body::FedBack(FedBack {
            order: orders[order],
            outcome: None,
            result: result.map(|spot| if spot { Outcome::Stopped } else { Outcome::LongTerm }),
            at: millis(effective),
            evidence: None,
        }),
        Event::Return { order } => Body::Returned(about(order)),
        Event::Tell => Body::ComplainantTold(text()),
        Event::Close => Body::Closed(text()),
        Event::Attempt { anonymous } => Body::NotReached(NotReached {
            why: if anonymous { NoReach::Anonymous } else { NoReach::NoAnswer },
            text: String::new(),
            by: Some(by),
            message: None,
            left_at: None,
        }),
        Event::Reopen => {
            Body::Reopened(Reopening { text: String::new(), by: Some(by), cause: None })
        }
    }
}

/// A verdict that bounds the arrival by nothing but its delivery, so that `seen_at` counts.
fn verdict(conclusion: Conclusion) -> Verdict {
    let clock = ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) };
    let claim = ArrivalClaim { order: None, tap: clock, datum: Datum::Wgs84, fixes: Vec::new() };
    let author = DeviceAuthor {
        device: DeviceId::from_bytes([5; 8]),
        install: 1,
        seq: 1,
        prev: None,
        clock,
        anchors: Vec::new(),
        restates: None,
    };
    let question = Question {
        order_issued_at: BASE,
        started_at: BASE,
        site: None,
        claim: &claim,
        author: &author,
        anchors: &[],
        not_after: None,
        not_before: None,
        circumstances: &BTreeSet::new(),
        same_tracks: &[],
    };
    let mut verdict = judge(&question, &ArrivalPolicy::V1);
    verdict.conclusion = conclusion;
    verdict
}

pub(super) fn fact_id(position: usize) -> FactId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&u16::try_from(position).expect("few events").to_be_bytes());
    FactId::from_bytes(id)
}

pub(super) fn millis(minute: i64) -> Millis {
    BASE.plus(minute * 60_000)
}

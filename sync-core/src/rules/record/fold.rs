//! Folds a case document's facts into a record.
//!
//! The fold does not depend on the order in which facts are read: they are sorted by the hub's own
//! time and then by id. Facts of phones, and facts about orders that the document does not hold,
//! change nothing.

use std::collections::BTreeMap;

use super::{CaseRecord, Claim, Closure, GivenOpinion, Order, Stated, TakenMeasure};
use crate::fact::body::{Judged, MeasureConcluded, Ordered, ReviewSettled};
use crate::fact::{Author, Body, Fact};
use crate::id::FactId;
use crate::time::Millis;

impl CaseRecord {
    /// Folds the facts of one case document.
    pub fn from_facts(facts: impl IntoIterator<Item = (FactId, Fact)>) -> Self {
        let sorted: BTreeMap<(u8, Millis, FactId), Body> = facts
            .into_iter()
            .filter_map(|(id, fact)| match fact.author {
                Author::Hub(at) => Some(((pass(&fact.body), at, id), fact.body)),
                Author::Device(_) => None,
            })
            .collect();
        let mut record = Self::default();
        for ((_, at, fact), body) in sorted {
            record.take(fact, at, body);
        }
        record
    }

    fn take(&mut self, fact: FactId, at: Millis, body: Body) {
        match body {
            Body::Registered(body) => {
                self.registration.get_or_insert(Stated { fact, at, body });
            }
            Body::CoordinationOpened(body) => self.coordinations.push(Stated { fact, at, body }),
            Body::Ordered(body) => self.orders.push(Order::new(Stated { fact, at, body })),
            Body::OrderReceived(body) => self.about(body.order, |order| {
                order.receipts.push(Stated { fact, at, body });
            }),
            Body::OrderWithdrawn(body) => self.about(body.order, |order| {
                order.withdrawn.get_or_insert(Stated { fact, at, body });
            }),
            Body::Judged(body) => self.about(body.order, |order| {
                order.take_verdict(Stated { fact, at, body: *body });
            }),
            Body::Overdue(body) => self.about(body.order, |order| {
                order.overdue.push(Stated { fact, at, body });
            }),
            Body::FedBack(body) => self.about(body.order, |order| {
                order.feedback.push(Stated { fact, at, body });
            }),
            Body::Returned(body) => self.about(body.order, |order| {
                order.returns.push(Stated { fact, at, body });
            }),
            Body::Urged(body) => self.about(body.order, |order| {
                order.urges.push(Stated { fact, at, body });
            }),
            Body::TakenBack(body) => self.about(body.order, |order| {
                order.taken_back.push(Stated { fact, at, body });
            }),
            Body::ToldOnScene(body) => self.about(body.order, |order| {
                order.told.push(Stated { fact, at, body });
            }),
            Body::ReviewSettled(body) => self.take_settlement(Stated { fact, at, body }),
            Body::MeasureTaken(body) => {
                let taken = Stated { fact, at, body };
                self.measures.push(TakenMeasure { taken, concluded: Vec::new() });
            }
            Body::MeasureConcluded(body) => self.take_conclusion(Stated { fact, at, body }),
            Body::Rechecked(body) => self.rechecks.push(Stated { fact, at, body }),
            Body::Supervised(body) => self.supervised.push(Stated { fact, at, body }),
            Body::ComplainantTold(_)
            | Body::Closed(_)
            | Body::Reopened(_)
            | Body::NotReached(_)
            | Body::ToldByMessage(_)
            | Body::OpinionGiven(_)
            | Body::OpinionSettled(_) => self.take_end(fact, at, body),
            Body::Originated(_)
            | Body::Refused(_)
            | Body::AnsweredFrom(_)
            | Body::RepeatOf(_)
            | Body::RepeatTakenBack(_) => self.take_first_call(fact, at, body),
            Body::RecheckOrdered(_)
            | Body::Accepted(_)
            | Body::Arrival(_)
            | Body::Note(_)
            | Body::Evidence(_)
            | Body::Outcome(_)
            | Body::Told(_)
            | Body::Withdrawal(_)
            | Body::Finding(_)
            | Body::SiteCorrection(_) => {}
        }
    }

    fn take_first_call(&mut self, fact: FactId, at: Millis, body: Body) {
        match body {
            Body::Originated(body) => {
                self.origin.get_or_insert(Stated { fact, at, body });
            }
            Body::Refused(body) => {
                self.refused.get_or_insert(Stated { fact, at, body });
            }
            Body::AnsweredFrom(body) => self.answers.push(Stated { fact, at, body }),
            Body::RepeatOf(body) => self.repeats.push(Stated { fact, at, body }),
            Body::RepeatTakenBack(body) => {
                self.repeats_taken_back.push(Stated { fact, at, body });
            }
            _ => {}
        }
    }

    /// Telling, hearing, closing and opening again.
    fn take_end(&mut self, fact: FactId, at: Millis, body: Body) {
        match body {
            Body::ComplainantTold(body) => self.told.push(Stated { fact, at, body }),
            Body::Closed(text) => {
                self.closures.push(Stated { fact, at, body: Closure::Closed(text) });
            }
            Body::Reopened(body) => {
                self.closures.push(Stated { fact, at, body: Closure::Reopened(body) });
            }
            Body::NotReached(body) => self.not_reached.push(Stated { fact, at, body }),
            Body::ToldByMessage(body) => self.told_by_message.push(Stated { fact, at, body }),
            Body::OpinionGiven(body) => {
                let given = Stated { fact, at, body };
                self.opinions.push(GivenOpinion { given, settled: Vec::new() });
            }
            Body::OpinionSettled(body) => {
                let opinion = self.opinions.iter_mut().find(|one| one.given.fact == body.opinion);
                if let Some(opinion) = opinion {
                    opinion.settled.push(Stated { fact, at, body });
                }
            }
            _ => {}
        }
    }

    fn about(&mut self, id: FactId, take: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.iter_mut().find(|order| order.issued.fact == id) {
            take(order);
        }
    }

    fn take_conclusion(&mut self, concluded: Stated<MeasureConcluded>) {
        let meant = concluded.body.measure;
        if let Some(measure) = self.measures.iter_mut().find(|one| one.taken.fact == meant) {
            measure.concluded.push(concluded);
        }
    }

    fn take_settlement(&mut self, settled: Stated<ReviewSettled>) {
        let claim = self
            .orders
            .iter_mut()
            .flat_map(|order| &mut order.claims)
            .find(|claim| claim.judged.iter().any(|one| one.fact == settled.body.judged));
        if let Some(claim) = claim {
            claim.settled.push(settled);
        }
    }
}

impl Order {
    fn new(issued: Stated<Ordered>) -> Self {
        Self {
            issued,
            receipts: Vec::new(),
            withdrawn: None,
            claims: Vec::new(),
            overdue: Vec::new(),
            feedback: Vec::new(),
            returns: Vec::new(),
            urges: Vec::new(),
            taken_back: Vec::new(),
            told: Vec::new(),
        }
    }

    fn take_verdict(&mut self, judged: Stated<Judged>) {
        let arrival = judged.body.arrival;
        match self.claims.iter_mut().find(|claim| claim.arrival == arrival) {
            Some(claim) => claim.judged.push(judged),
            None => {
                self.claims.push(Claim { arrival, judged: vec![judged], settled: Vec::new() });
            }
        }
    }
}

/// Facts of one millisecond may name each other: orders are read first, settlements last.
fn pass(body: &Body) -> u8 {
    if matches!(body, Body::Ordered(_)) {
        0
    } else if matches!(
        body,
        Body::ReviewSettled(_) | Body::MeasureConcluded(_) | Body::OpinionSettled(_)
    ) {
        2
    } else {
        1
    }
}

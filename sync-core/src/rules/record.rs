//! A case document's facts, folded into what the rules and the screens need.
//!
//! The fold does not depend on the order in which facts are read: they are sorted by the hub's own
//! time and then by id. Facts of phones, and facts about orders that the document does not hold,
//! change nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::body::{
    AboutOrder, FedBack, Judged, Measure, MeasureConcluded, OrderReceived, Ordered, Overdue,
    Rechecked, Registered, ReviewSettled, Ruling, Supervised, TakenBack, Text, ToldOnScene,
};
use crate::fact::intake::{AnsweredFrom, Origin, Refused, RepeatOf, RepeatTakenBack};
use crate::fact::telling::{NotReached, OpinionGiven, OpinionSettled, Reopening, ToldByMessage};
use crate::fact::{Author, Body, Fact};
use crate::id::FactId;
use crate::rules::arrival::Conclusion;
use crate::rules::policy::Policy;
use crate::time::Millis;

/// Something the hub stated, with when.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated<T> {
    /// The fact.
    pub fact: FactId,
    /// The hub's clock when it stated this.
    pub at: Millis,
    /// What was stated.
    pub body: T,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaseRecord {
    /// How it came on record; `None` for a document without its first fact.
    pub registration: Option<Stated<Registered>>,
    /// Every time that coordination was opened.
    pub coordinations: Vec<Stated<Text>>,
    /// Its orders, oldest first.
    pub orders: Vec<Order>,
    /// Every time that the command centre told the complainant.
    pub told: Vec<Stated<Text>>,
    /// Every text message that told the complainant.
    pub told_by_message: Vec<Stated<ToldByMessage>>,
    /// Every time that the complainant was not reached.
    pub not_reached: Vec<Stated<NotReached>>,
    /// What the complainant thinks, oldest first.
    pub opinions: Vec<GivenOpinion>,
    /// Closures and reopenings, oldest first.
    pub closures: Vec<Stated<Closure>>,
    /// Steps of supervision, oldest first.
    pub measures: Vec<TakenMeasure>,
    /// Where it came from, if it came from elsewhere.
    pub origin: Option<Stated<Origin>>,
    /// Why it is not the bureau's, if somebody said so.
    pub refused: Option<Stated<Refused>>,
    /// Answers given at once from earlier cases.
    pub answers: Vec<Stated<AnsweredFrom>>,
    /// Every decision that it is the matter of another case again, also those taken back.
    pub repeats: Vec<Stated<RepeatOf>>,
    /// Every time that such a decision was taken back.
    pub repeats_taken_back: Vec<Stated<RepeatTakenBack>>,
    /// What rechecks on scene found, oldest first.
    pub rechecks: Vec<Stated<Rechecked>>,
    /// What supervision of the case came to, oldest first.
    pub supervised: Vec<Stated<Supervised>>,
}

/// A step of supervision, with every word on what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenMeasure {
    /// The step.
    pub taken: Stated<Measure>,
    /// What came of it, oldest first. The first conclusion ends it.
    pub concluded: Vec<Stated<MeasureConcluded>>,
}

/// What a complainant thinks, with what was decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenOpinion {
    /// The opinion.
    pub given: Stated<OpinionGiven>,
    /// Decisions about it, oldest first. The first one counts.
    pub settled: Vec<Stated<OpinionSettled>>,
}

/// A change between open and closed.
#[derive(Debug, Clone, PartialEq)]
pub enum Closure {
    /// Closed, with the words.
    Closed(Text),
    /// Open again, with the words.
    Reopened(Reopening),
}

/// A dispatch order and all that was stated about it, each list oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The order itself.
    pub issued: Stated<Ordered>,
    /// Every receipt.
    pub receipts: Vec<Stated<OrderReceived>>,
    /// The first withdrawal.
    pub withdrawn: Option<Stated<AboutOrder>>,
    /// Arrival claims that were judged.
    pub claims: Vec<Claim>,
    /// Steps of the escalation ladder that were taken.
    pub overdue: Vec<Stated<Overdue>>,
    /// Results and progress that reached the command centre.
    pub feedback: Vec<Stated<FedBack>>,
    /// Work sent back.
    pub returns: Vec<Stated<AboutOrder>>,
    /// Work pressed for.
    pub urges: Vec<Stated<AboutOrder>>,
    /// What the team's phones took back of what they had stated in the visit.
    pub taken_back: Vec<Stated<TakenBack>>,
    /// Every time that the team told a complainant on scene.
    pub told: Vec<Stated<ToldOnScene>>,
}

/// One arrival claim with its verdicts: the machine's, newest last, and a supervisor's.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The arrival fact in the inspection.
    pub arrival: FactId,
    /// Verdicts of the rule; a later one knew more.
    pub judged: Vec<Stated<Judged>>,
    /// What supervisors settled. The newest counts, all stay.
    pub settled: Vec<Stated<ReviewSettled>>,
}

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

    /// The order of this id.
    #[must_use]
    pub fn order(&self, id: FactId) -> Option<&Order> {
        self.orders.iter().find(|order| order.issued.fact == id)
    }

    /// The claim to which the verdict `judged` belongs, with its order.
    #[must_use]
    pub fn verdict(&self, judged: FactId) -> Option<(&Order, &Claim)> {
        self.orders.iter().find_map(|order| {
            let claim = order
                .claims
                .iter()
                .find(|claim| claim.judged.iter().any(|verdict| verdict.fact == judged))?;
            Some((order, claim))
        })
    }

    /// Whether the case is closed now.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closures.last().is_some_and(|last| matches!(last.body, Closure::Closed(_)))
    }

    /// When `order` ended without regard to its work: withdrawn, or the case closed after it.
    #[must_use]
    pub fn ended(&self, order: &Order) -> Option<Millis> {
        let closed = self.closures.iter().find(|closure| {
            closure.at >= order.issued.at && matches!(closure.body, Closure::Closed(_))
        });
        let withdrawn = order.withdrawn.as_ref().map(|withdrawn| withdrawn.at);
        withdrawn.into_iter().chain(closed.map(|closed| closed.at)).min()
    }

    /// The newest order that was neither withdrawn nor ended by a closure.
    #[must_use]
    pub fn live_order(&self) -> Option<&Order> {
        self.orders.iter().rev().find(|order| self.ended(order).is_none())
    }

    /// When the complainant was told and by which fact, oldest first: by the command centre, by text
    /// message (when it left), or on scene unless the phone took that back.
    #[must_use]
    pub fn tellings(&self) -> Vec<(Millis, FactId)> {
        let on_scene = self.orders.iter().flat_map(|order| {
            let stands = |told: &&Stated<ToldOnScene>| !order.is_taken_back(told.body.fact);
            order.told.iter().filter(stands).map(|told| (told.at, told.fact))
        });
        let left = |told: &Stated<ToldByMessage>| told.body.left_at.unwrap_or(told.at);
        let by_message = self.told_by_message.iter().map(|told| (left(told), told.fact));
        let by_centre = self.told.iter().map(|told| (told.at, told.fact));
        let mut all: Vec<_> = by_centre.chain(by_message).chain(on_scene).collect();
        all.sort_unstable();
        all
    }

    /// The decisions that it is the matter of another case again and that nobody took back.
    pub fn standing_repeats(&self) -> impl Iterator<Item = &Stated<RepeatOf>> {
        let taken = |fact| self.repeats_taken_back.iter().any(|one| one.body.statement == fact);
        self.repeats.iter().filter(move |repeat| !taken(repeat.fact))
    }

    /// Urges and returns on the whole case: enough of them open an accountability referral.
    #[must_use]
    pub fn urges_and_returns(&self) -> Vec<(Millis, FactId, &Order)> {
        let mut all = Vec::new();
        for order in &self.orders {
            let pressed = order.urges.iter().chain(&order.returns);
            all.extend(pressed.map(|one| (one.at, one.fact, order)));
        }
        all.sort_by_key(|(at, fact, _)| (*at, *fact));
        all
    }

    /// What the complainant thinks, by the id of the fact that says so.
    #[must_use]
    pub fn opinion(&self, id: FactId) -> Option<&GivenOpinion> {
        self.opinions.iter().find(|one| one.given.fact == id)
    }

    /// The step of supervision of this id.
    #[must_use]
    pub fn measure(&self, id: FactId) -> Option<&TakenMeasure> {
        self.measures.iter().find(|one| one.taken.fact == id)
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

    /// When the unit received the order, as known at `now`: the earliest confirmation, and at the
    /// latest when `policy` deems it received. Never before it was issued.
    #[must_use]
    pub fn received_at(&self, policy: &Policy, now: Millis) -> Option<Millis> {
        let deemed = self.issued.at.plus(policy.deemed_receipt_ms);
        let confirmed = self.receipts.iter().map(|receipt| receipt.body.at.max(self.issued.at));
        confirmed.chain((deemed <= now).then_some(deemed)).min()
    }

    /// The claim that decides this order: on time before late before under review; among equals
    /// the earliest. Claims found not on scene, and those taken back, decide nothing.
    #[must_use]
    pub fn deciding_claim(&self) -> Option<(&Claim, Conclusion)> {
        let rank = |conclusion| match conclusion {
            Conclusion::OnTime => Some(0),
            Conclusion::Late => Some(1),
            Conclusion::NeedsReview => Some(2),
            Conclusion::NotOnScene => None,
        };
        self.claims
            .iter()
            .filter(|claim| !self.is_taken_back(claim.arrival))
            .filter_map(|claim| {
                let conclusion = claim.conclusion()?;
                Some(((rank(conclusion)?, claim.arrived_at()), claim, conclusion))
            })
            .min_by_key(|(key, _, _)| *key)
            .map(|(_, claim, conclusion)| (claim, conclusion))
    }

    /// When and how a phone took back a fact that it had stated in the visit: the first time.
    #[must_use]
    pub fn taking_back(&self, fact: FactId) -> Option<&Stated<TakenBack>> {
        self.taken_back.iter().find(|taken| taken.body.fact == fact)
    }

    /// Whether a phone took this fact back.
    #[must_use]
    pub fn is_taken_back(&self, fact: FactId) -> bool {
        self.taking_back(fact).is_some()
    }

    /// Results and progress that stand, by the time that the team recorded them, which an offline
    /// phone may deliver in another order. Those of outcomes that were taken back are left out.
    #[must_use]
    pub fn feedback_as_recorded(&self) -> Vec<&Stated<FedBack>> {
        let stands = |one: &&Stated<FedBack>| {
            one.body.outcome.is_none_or(|outcome| !self.is_taken_back(outcome))
        };
        let mut feedback: Vec<_> = self.feedback.iter().filter(stands).collect();
        feedback.sort_by_key(|one| (one.body.at, one.fact));
        feedback
    }

    /// The newest result that stands, unless the work was sent back since it was recorded.
    #[must_use]
    pub fn standing_result(&self) -> Option<&Stated<FedBack>> {
        let mut feedback = self.feedback_as_recorded().into_iter();
        let result = feedback.rfind(|one| one.body.result.is_some())?;
        let returned = self.returns.last().map(|returned| returned.at);
        (returned.is_none_or(|returned| result.body.at > returned)).then_some(result)
    }

    /// Outcome facts that were fed back, also those taken back since, each once.
    #[must_use]
    pub fn outcomes_fed_back(&self) -> BTreeSet<FactId> {
        self.feedback.iter().filter_map(|one| one.body.outcome).collect()
    }
}

impl Stated<NotReached> {
    /// When somebody was tried: a message when it left, which comes out later.
    #[must_use]
    pub fn tried_at(&self) -> Millis {
        self.body.left_at.unwrap_or(self.at)
    }
}

impl Claim {
    /// What counts: the newest settlement, else the newest verdict.
    #[must_use]
    pub fn conclusion(&self) -> Option<Conclusion> {
        let settled = self.settled.last().map(|settled| match settled.body.ruling {
            Ruling::OnTime => Conclusion::OnTime,
            Ruling::Late => Conclusion::Late,
            Ruling::NotOnScene => Conclusion::NotOnScene,
        });
        settled.or_else(|| self.judged.last().map(|judged| judged.body.verdict.conclusion))
    }

    /// When the team was on scene by the newest verdict: the latest moment that its evidence
    /// allows, and at the latest when the claim reached the hub.
    #[must_use]
    pub fn arrived_at(&self) -> Option<Millis> {
        let judged = &self.judged.last()?.body;
        let latest = judged.verdict.time.bounds.latest;
        Some(latest.map_or(judged.seen_at, |latest| latest.min(judged.seen_at)))
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

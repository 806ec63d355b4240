//! One case as its facts tell it: what the rules and the screens need, and the questions that they ask
//! of it. [`CaseRecord::from_facts`] folds a case document's facts into it.

mod fold;

use std::collections::BTreeSet;

use crate::fact::body::{
    AboutOrder, FedBack, Judged, Measure, MeasureConcluded, OrderReceived, Ordered, Overdue,
    Rechecked, Registered, ReviewSettled, Ruling, Supervised, TakenBack, Text, ToldOnScene,
};
use crate::fact::intake::{AnsweredFrom, Origin, Refused, RepeatOf, RepeatTakenBack};
use crate::fact::telling::{NotReached, OpinionGiven, OpinionSettled, Reopening, ToldByMessage};
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
}

impl Order {
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

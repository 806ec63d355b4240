//! When a case may be closed, and when a complainant counts as not to be reached.
//!
//! Rule book: the complainant is told the result and asked for an opinion where fit. Readings where it is
//! silent (*ours*): three attempts on two local days settle that a complainant cannot be reached;
//! nobody is told who left no way to be told, of what a patrol found, of a suggestion or of a drill; an
//! opinion fits whoever complained or asked for help and was told; who is not content is put before a
//! person.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::fact::body::{CaseClass, Channel, Registered};
use crate::fact::telling::{NoReach, Opinion};
use crate::id::FactId;
use crate::rules::phase::{Phase, phase};
use crate::rules::policy::Policy;
use crate::rules::record::{CaseRecord, GivenOpinion};
use crate::time::Millis;

/// What a case lacks to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The unit's result is not there, or was sent back.
    Result,
    /// The team's phones recorded results that differ.
    Agreement,
    /// The complainant was not told, and is not on record as anonymous or not to be reached.
    Telling,
    /// The complainant was not asked for an opinion.
    Opinion,
    /// The complainant is not content, and nobody has decided what follows.
    Decision,
}

impl Missing {
    /// What is missing and how it is mended.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Result => "the unit's result is missing or was sent back: wait for it",
            Self::Agreement => "the team recorded results that differ: let it choose one",
            Self::Telling => {
                "the complainant was not told: tell them, or put on record that they cannot be reached"
            }
            Self::Opinion => {
                "the complainant was not asked for an opinion: ask, or put on record why not"
            }
            Self::Decision => {
                "the complainant is not content: send the work back or decide that the result stands"
            }
        }
    }
}

/// A complainant who counts as not to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// When that was settled.
    pub at: Millis,
    /// The statement that settled it.
    pub fact: FactId,
    /// When the first attempt was made.
    pub begun: Millis,
}

/// Whether attempts from `since` on settle that the complainant cannot be reached.
#[must_use]
pub fn given_up(record: &CaseRecord, policy: &Policy, since: Millis) -> Option<GivenUp> {
    let enough = usize::try_from(policy.attempts_to_tell).unwrap_or(usize::MAX);
    let days = usize::try_from(policy.attempt_days).unwrap_or(usize::MAX);
    let mut tried_on = BTreeSet::new();
    let mut begun = Millis(i64::MAX);
    let attempts = record.not_reached.iter().filter(|one| one.tried_at() >= since);
    for (attempt, count) in attempts.zip(1..) {
        begun = begun.min(attempt.tried_at());
        tried_on.insert(policy.end_of_local_day(attempt.tried_at(), 0));
        if attempt.body.why == NoReach::Anonymous || count >= enough && tried_on.len() >= days {
            return Some(GivenUp { at: attempt.at, fact: attempt.fact, begun });
        }
    }
    None
}

/// What an open case lacks to be closed, in the order in which it is done; empty when it may be.
/// `conflict` says that the team's phones recorded results that differ.
#[must_use]
pub fn missing(record: &CaseRecord, policy: &Policy, conflict: bool) -> Vec<Missing> {
    let Some(about) = record.registration.as_ref().map(|registration| &registration.body) else {
        return vec![Missing::Result];
    };
    let Some(since) = answered_since(record) else { return vec![Missing::Result] };
    let mut missing = Vec::new();
    if conflict {
        missing.push(Missing::Agreement);
    }
    let told = record.tellings().last().is_some_and(|(told, _)| *told >= since);
    if owes_telling(about) && !told && given_up(record, policy, since).is_none() {
        missing.push(Missing::Telling);
    }
    let opinion = standing_opinion(record);
    if told && opinion_fits(about) && opinion.is_none() {
        missing.push(Missing::Opinion);
    }
    if opinion.is_some_and(is_open) {
        missing.push(Missing::Decision);
    }
    missing
}

/// When the last was stated that bears on closing: the result, a telling or an attempt, an opinion or
/// what was decided about it, an urge or a return. `None` while there is no answer.
#[must_use]
pub fn settled_since(record: &CaseRecord) -> Option<Millis> {
    let answered = answered_since(record)?;
    let told = record.tellings().last().map(|(at, _)| *at);
    let told = told.max(record.told_by_message.last().map(|one| one.at));
    let tried = record.not_reached.last().map(|one| one.at);
    let heard = record.opinions.last().map(|one| one.given.at);
    let decided = record.opinions.iter().flat_map(|one| &one.settled).map(|one| one.at).max();
    let pressed = record.urges_and_returns().last().map(|(at, ..)| *at);
    [told, tried, heard, decided, pressed].into_iter().flatten().chain([answered]).max()
}

/// Since when the case holds an answer that the complainant could be told: the result that stands, or
/// the registration of what is answered without an order.
#[must_use]
pub fn answered_since(record: &CaseRecord) -> Option<Millis> {
    let registration = record.registration.as_ref()?;
    if record.orders.is_empty()
        && matches!(registration.body.class, CaseClass::Consultation | CaseClass::Suggestion)
    {
        let reopened = record.closures.last().map(|closure| closure.at);
        return Some(reopened.unwrap_or(registration.at));
    }
    if !matches!(phase(record), Some(Phase::FedBack | Phase::Told)) {
        return None;
    }
    record.live_order().and_then(|order| order.standing_result()).map(|result| result.at)
}

/// What the complainant thinks of the answer that stands: the newest opinion about it.
#[must_use]
pub fn standing_opinion(record: &CaseRecord) -> Option<&GivenOpinion> {
    let since = answered_since(record)?;
    record.opinions.last().filter(|opinion| opinion.given.at >= since)
}

/// Whether a complainant is not content and nobody has decided what follows.
#[must_use]
pub fn is_open(opinion: &GivenOpinion) -> bool {
    opinion.given.body.opinion == Opinion::NotSatisfied && opinion.settled.is_empty()
}

/// Whether somebody waits to be told: nobody does after a patrol's finding, a suggestion or a drill.
#[must_use]
pub fn owes_telling(about: &Registered) -> bool {
    about.channel != Channel::Patrol && about.class != CaseClass::Suggestion && !about.drill
}

fn opinion_fits(about: &Registered) -> bool {
    owes_telling(about) && matches!(about.class, CaseClass::Complaint | CaseClass::Help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::body::{AboutOrder, FedBack, Ordered, Outcome, Text};
    use crate::fact::telling::{
        NotReached, OpinionDecision, OpinionGiven, OpinionSettled, ToldByMessage,
    };
    use crate::fact::{Author, Body, FACT_VERSION, Fact};
    use crate::id::{DocId, MessageId, PersonId, UnitId};

    const BY: PersonId = PersonId::from_bytes([7; 16]);
    const HOUR: i64 = 3_600_000;

    /// A case told step by step, one hour apart from 08:00 local time.
    struct Story(Vec<(FactId, Fact)>, i64);

    impl Story {
        fn of(class: CaseClass, channel: Channel, drill: bool) -> Self {
            let mut story = Self(Vec::new(), 0);
            story.state(Body::Registered(Registered {
                class,
                channel,
                matter: "noise".to_owned(),
                summary: String::new(),
                received_at: Millis(0),
                site: None,
                jurisdiction_clear: true,
                policy: 1,
                by: BY,
                drill,
                grave: false,
            }));
            story
        }

        fn complaint() -> (Self, FactId) {
            let mut story = Self::of(CaseClass::Complaint, Channel::Telephone, false);
            let order = story.state(Body::Ordered(Ordered {
                unit: UnitId::from_bytes([3; 16]),
                inspection: DocId::from_bytes([4; 16]),
                site: None,
                text: String::new(),
                policy: 1,
                by: BY,
            }));
            (story, order)
        }

        fn state(&mut self, body: Body) -> FactId {
            let id = FactId::from_bytes([u8::try_from(self.0.len() + 1).unwrap(); 16]);
            let author = Author::Hub(Millis(self.1 * HOUR));
            let doc = DocId::from_bytes([1; 16]);
            self.0.push((id, Fact { version: FACT_VERSION, doc, author, body }));
            self.1 += 1;
            id
        }

        fn result(&mut self, order: FactId) {
            let at = Millis(self.1 * HOUR);
            let result = Some(Outcome::Stopped);
            self.state(Body::FedBack(FedBack { order, outcome: None, result, at, evidence: None }));
        }

        fn attempt(&mut self, why: NoReach) {
            let by = Some(BY);
            self.state(Body::NotReached(NotReached {
                why,
                text: String::new(),
                by,
                message: None,
                left_at: None,
            }));
        }

        fn opinion(&mut self, opinion: Opinion) -> FactId {
            let (reason, by) = (String::new(), Some(BY));
            self.state(Body::OpinionGiven(OpinionGiven { opinion, reason, by, message: None }))
        }

        fn tell(&mut self) {
            self.state(Body::ComplainantTold(Text { text: String::new(), by: Some(BY) }));
        }

        fn missing(&self) -> Vec<Missing> {
            let record = CaseRecord::from_facts(self.0.iter().cloned());
            missing(&record, &Policy::v1(), false)
        }
    }

    #[test]
    fn what_is_missing_is_named_until_nothing_is() {
        let (mut story, order) = Story::complaint();
        assert_eq!(story.missing(), [Missing::Result]);
        story.result(order);
        assert_eq!(story.missing(), [Missing::Telling]);
        story.tell();
        assert_eq!(story.missing(), [Missing::Opinion]);
        let record = CaseRecord::from_facts(story.0.iter().cloned());
        assert_eq!(settled_since(&record), Some(Millis(3 * HOUR)), "the telling was the last");
        let discontent = story.opinion(Opinion::NotSatisfied);
        assert_eq!(story.missing(), [Missing::Decision]);
        let record = CaseRecord::from_facts(story.0.iter().cloned());
        assert_eq!(
            missing(&record, &Policy::v1(), true),
            [Missing::Agreement, Missing::Decision],
            "phones that disagree are named beside it"
        );
        story.state(Body::OpinionSettled(OpinionSettled {
            opinion: discontent,
            decision: OpinionDecision::Close,
            reason: "the law allows it".to_owned(),
            by: BY,
        }));
        assert_eq!(story.missing(), []);
    }

    #[test]
    fn what_was_told_and_thought_of_returned_work_does_not_count_for_the_next_result() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        story.tell();
        story.opinion(Opinion::NotSatisfied);
        story.state(Body::Returned(AboutOrder { order, by: BY, reason: String::new() }));
        assert_eq!(story.missing(), [Missing::Result]);
        story.result(order);
        assert_eq!(story.missing(), [Missing::Telling]);
        let message = MessageId::from_bytes([9; 16]);
        story.state(Body::ToldByMessage(ToldByMessage { message, by: BY, left_at: None }));
        assert_eq!(story.missing(), [Missing::Opinion]);
        story.opinion(Opinion::NotAsked);
        assert_eq!(story.missing(), []);
    }

    #[test]
    fn three_attempts_on_two_days_are_enough_and_three_on_one_day_are_not() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        for _ in 0..4 {
            story.attempt(NoReach::NoAnswer);
            assert_eq!(story.missing(), [Missing::Telling]);
        }
        story.1 = 30;
        story.attempt(NoReach::NotDelivered);
        assert_eq!(story.missing(), [], "nobody is asked for an opinion who was not reached");
    }

    #[test]
    fn two_attempts_are_too_few_on_however_many_days() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        story.attempt(NoReach::NoAnswer);
        story.1 = 200;
        story.attempt(NoReach::WrongNumber);
        assert_eq!(story.missing(), [Missing::Telling]);
    }

    #[test]
    fn a_message_was_tried_on_the_day_on_which_it_left() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        let left_at = Some(Millis(2 * HOUR));
        story.1 = 30;
        story.attempt(NoReach::NoAnswer);
        story.attempt(NoReach::NoAnswer);
        story.state(Body::NotReached(NotReached {
            why: NoReach::NotDelivered,
            text: String::new(),
            by: None,
            message: Some(MessageId::from_bytes([9; 16])),
            left_at,
        }));
        assert_eq!(story.missing(), []);
        let record = CaseRecord::from_facts(story.0.iter().cloned());
        let given_up = given_up(&record, &Policy::v1(), Millis(HOUR)).unwrap();
        assert_eq!((given_up.begun, given_up.at), (Millis(2 * HOUR), Millis(32 * HOUR)));
    }

    #[test]
    fn a_case_waits_to_close_from_when_it_came_out_that_a_message_arrived() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        story.1 = 30;
        let (message, left_at) = (MessageId::from_bytes([9; 16]), Some(Millis(3 * HOUR)));
        story.state(Body::ToldByMessage(ToldByMessage { message, by: BY, left_at }));
        let record = CaseRecord::from_facts(story.0);
        assert_eq!(settled_since(&record), Some(Millis(30 * HOUR)));
    }

    #[test]
    fn nobody_is_owed_a_telling_who_is_not_there() {
        let (mut story, order) = Story::complaint();
        story.result(order);
        story.attempt(NoReach::Anonymous);
        assert_eq!(story.missing(), []);
        let none = Story::of(CaseClass::Suggestion, Channel::Web, false);
        assert_eq!(none.missing(), []);
        let asked = Story::of(CaseClass::Consultation, Channel::Telephone, false);
        assert_eq!(asked.missing(), [Missing::Telling]);
        for (channel, drill) in [(Channel::Patrol, false), (Channel::Telephone, true)] {
            let mut story = Story::of(CaseClass::Consultation, channel, drill);
            assert_eq!(story.missing(), []);
            story.tell();
            assert_eq!(story.missing(), []);
        }
    }

    #[test]
    fn every_thing_that_is_missing_says_how_to_mend_it() {
        use Missing::{Agreement, Decision, Opinion, Result, Telling};
        for one in [Result, Agreement, Telling, Opinion, Decision] {
            assert!(one.in_words().contains(": "), "{one:?}");
        }
    }
}

//! When a failure is passed on to discipline by itself (责任追究).
//!
//! Rule book, *Urges, returns, accountability*: urges and returns, three in all on one case without
//! the work being done, open a referral. Three readings where it is silent (*ours*): all orders of a
//! case count together, the unit of the newest urge or return answers, and after a referral the same
//! number again opens the next.

use crate::fact::body::{Measure, MeasureCause, MeasureStep};
use crate::rules::policy::Policy;
use crate::rules::record::CaseRecord;

/// The referral that the urges and returns of a case call for now, unless it was made already.
#[must_use]
pub fn referral_due(record: &CaseRecord, policy: &Policy) -> Option<Measure> {
    let limit = usize::try_from(policy.urges_before_referral).unwrap_or(usize::MAX).max(1);
    let pressed = record.urges_and_returns();
    let (_, _, newest) = pressed.last()?;
    let made = record
        .measures
        .iter()
        .filter(|measure| measure.taken.body.cause == MeasureCause::UrgesAndReturns)
        .count();
    let due = pressed.len() >= limit.saturating_mul(made + 1) && newest.standing_result().is_none();
    due.then(|| Measure {
        step: MeasureStep::AccountabilityReferral,
        cause: MeasureCause::UrgesAndReturns,
        order: newest.issued.fact,
        reason: format!("{} urges and returns, and the work is not done", pressed.len()),
        by: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::body::{AboutOrder, FedBack, Ordered, Outcome};
    use crate::fact::{Author, Body, FACT_VERSION, Fact};
    use crate::id::{DocId, FactId, PersonId, UnitId};
    use crate::time::Millis;

    const BY: PersonId = PersonId::from_bytes([7; 16]);

    /// A case told step by step, one minute apart.
    #[derive(Default)]
    struct Story(Vec<(FactId, Fact)>);

    impl Story {
        fn state(&mut self, body: Body) -> FactId {
            let n = u8::try_from(self.0.len()).unwrap();
            let id = FactId::from_bytes([n + 1; 16]);
            let doc = DocId::from_bytes([1; 16]);
            let author = Author::Hub(Millis(i64::from(n) * 60_000));
            self.0.push((id, Fact { version: FACT_VERSION, doc, author, body }));
            id
        }

        fn order(&mut self) -> FactId {
            self.state(Body::Ordered(Ordered {
                unit: UnitId::from_bytes([3; 16]),
                inspection: DocId::from_bytes([4; 16]),
                site: None,
                text: String::new(),
                policy: 1,
                by: BY,
            }))
        }

        fn urge(&mut self, order: FactId) {
            self.state(Body::Urged(AboutOrder { order, by: BY, reason: "late".to_owned() }));
        }

        fn send_back(&mut self, order: FactId) {
            self.state(Body::Returned(AboutOrder { order, by: BY, reason: "poor".to_owned() }));
        }

        fn feed_back(&mut self, order: FactId) {
            let at = Millis(i64::try_from(self.0.len()).unwrap() * 60_000);
            let result = Some(Outcome::Stopped);
            self.state(Body::FedBack(FedBack { order, outcome: None, result, at, evidence: None }));
        }

        fn due(&self) -> Option<Measure> {
            referral_due(&CaseRecord::from_facts(self.0.iter().cloned()), &Policy::v1())
        }
    }

    #[test]
    fn the_third_urge_or_return_without_work_opens_a_referral_and_the_sixth_another() {
        let mut story = Story::default();
        let first = story.order();
        assert_eq!(story.due(), None, "nobody was pressed");
        story.urge(first);
        story.feed_back(first);
        story.send_back(first);
        assert_eq!(story.due(), None);
        let second = story.order();
        story.urge(second);
        let referral = story.due().unwrap();
        assert_eq!((referral.order, referral.by), (second, None), "the unit pressed last answers");
        story.state(Body::MeasureTaken(referral));
        for n in 4..=6 {
            assert_eq!(story.due(), None, "before number {n}");
            story.urge(second);
        }
        assert!(story.due().is_some());
    }

    #[test]
    fn work_that_was_done_is_not_referred() {
        let mut story = Story::default();
        let order = story.order();
        story.urge(order);
        story.urge(order);
        story.feed_back(order);
        story.urge(order);
        assert_eq!(story.due(), None, "there is a result");
        story.send_back(order);
        assert!(story.due().is_some(), "it was not good enough");
    }

    #[test]
    fn a_supervisors_own_step_does_not_stand_in_for_the_rules() {
        let mut story = Story::default();
        let order = story.order();
        for _ in 0..3 {
            story.urge(order);
        }
        story.state(Body::MeasureTaken(Measure {
            step: MeasureStep::OrderToCorrect,
            cause: MeasureCause::Finding,
            order,
            reason: "go there".to_owned(),
            by: Some(BY),
        }));
        assert!(story.due().is_some());
    }
}

//! Clocks of a unit: arrival, feedback and rework of one order.

use super::run::{Draft, Span};
use super::{Clock, ClockKind, How, Lifted, Owner, Started, Stopped, coordination_spans};
use crate::fact::body::{FedBack, Outcome};
use crate::rules::arrival::Conclusion;
use crate::rules::policy::{Policies, Policy, UnknownPolicy};
use crate::rules::record::{CaseRecord, Closure, Order, Stated};
use crate::time::Millis;

pub(super) fn clocks(
    record: &CaseRecord,
    order: &Order,
    policies: &Policies,
    now: Millis,
) -> Result<Vec<Clock>, UnknownPolicy> {
    let policy = policies.get(order.issued.body.policy)?;
    let Some(received) = received(order, policy, now) else { return Ok(Vec::new()) };
    let ended = ended(record, order);
    if ended.is_some_and(|ended| ended.at <= received.at) {
        return Ok(Vec::new());
    }
    let coordination: Vec<Span> = coordination_spans(record)
        .into_iter()
        .filter(|(start, _)| start.at >= order.issued.at)
        .map(|(start, end)| Span { from: start.at, to: end.map(|end| end.at) })
        .collect();
    let one = OneOrder { order, policy, received, ended, coordination };
    let mut drafts = vec![one.arrival()];
    drafts.extend(one.on_the_spot());
    let rework = one.rework();
    let mut complex_pauses = one.coordination.clone();
    complex_pauses.extend(
        rework
            .iter()
            .map(|draft| Span { from: draft.started.at, to: draft.stopped.map(|stop| stop.at) }),
    );
    let mut clocks: Vec<Clock> = drafts.into_iter().map(|draft| draft.run(now)).collect();
    clocks.extend(rework.into_iter().map(|draft| draft.run(now)));
    clocks.extend(one.complex(&complex_pauses).into_iter().map(|draft| draft.run(now)));
    Ok(clocks)
}

/// One order with what all its clocks need.
struct OneOrder<'a> {
    order: &'a Order,
    policy: &'a Policy,
    received: Started,
    ended: Option<Stopped>,
    coordination: Vec<Span>,
}

impl OneOrder<'_> {
    fn draft<'p>(
        &self,
        kind: ClockKind,
        started: Started,
        due: Millis,
        stopped: Option<Stopped>,
        pauses: &'p [Span],
    ) -> Draft<'p> {
        let owner = Owner::Unit { unit: self.order.issued.body.unit };
        let order = Some(self.order.issued.fact);
        Draft { kind, owner, order, policy: self.policy.version, started, due, stopped, pauses }
    }

    fn arrival(&self) -> Draft<'_> {
        let due = self.received.at.plus(self.policy.arrival.limit_ms);
        let claimed = self.claimed().map(|(arrived, conclusion)| Stopped {
            how: match conclusion {
                Conclusion::OnTime => How::Ruled { in_time: true },
                Conclusion::Late => How::Ruled { in_time: false },
                Conclusion::NeedsReview | Conclusion::NotOnScene => How::Claimed,
            },
            ..arrived
        });
        // An accepted arrival counts even if its order ended before the phone could deliver it.
        let stopped = match (claimed, self.ended) {
            (Some(claim), Some(ended)) if claim.at > ended.at => Some(ended),
            (Some(claim), _) => Some(claim),
            (None, ended) => ended,
        };
        self.draft(ClockKind::Arrival, self.received, due, stopped, &self.coordination)
    }

    fn on_the_spot(&self) -> Option<Draft<'_>> {
        let (arrived, conclusion) = self.claimed()?;
        if conclusion == Conclusion::NeedsReview || self.over(arrived.at) {
            return None;
        }
        let feedback = self.order.feedback_as_recorded();
        let first = feedback.first();
        if first.is_some_and(|first| first.body.at < arrived.at) {
            return None;
        }
        let first = first.map(|first| Stopped {
            at: first.body.at,
            fact: Some(first.fact),
            how: if first.body.result.is_some_and(Outcome::on_the_spot) {
                How::Done
            } else {
                How::Void(Lifted::ComplexMatter)
            },
        });
        let due = self.policy.end_of_local_day(arrived.at, self.policy.on_the_spot_days);
        let started = Started { at: arrived.at, fact: arrived.fact };
        let stopped = self.before_the_end(first);
        Some(self.draft(ClockKind::OnTheSpotFeedback, started, due, stopped, &self.coordination))
    }

    fn rework(&self) -> Vec<Draft<'_>> {
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        for returned in &self.order.returns {
            let running = drafts
                .last()
                .is_some_and(|draft| draft.stopped.is_none_or(|stop| stop.at >= returned.at));
            if running || self.over(returned.at) {
                continue;
            }
            let result = self
                .order
                .feedback_as_recorded()
                .into_iter()
                .find(|one| one.body.result.is_some() && one.body.at > returned.at)
                .map(done);
            let started = Started { at: returned.at, fact: Some(returned.fact) };
            let due = self.policy.end_of_local_day(returned.at, self.policy.rework_days);
            let stopped = self.before_the_end(result);
            drafts.push(self.draft(ClockKind::Rework, started, due, stopped, &self.coordination));
        }
        drafts
    }

    /// One clock from the receipt to the first feedback, then one from each feedback that leaves
    /// the matter open to the next.
    fn complex<'p>(&self, pauses: &'p [Span]) -> Vec<Draft<'p>> {
        let mut drafts = Vec::new();
        let mut started = Some(self.received);
        for one in self.order.feedback_as_recorded() {
            if let Some(start) = started
                && !self.over(start.at)
            {
                drafts.push(self.complex_from(start, Some(done(one)), pauses));
            }
            let finished = one.body.result.is_some_and(Outcome::on_the_spot);
            let at = one.body.at.max(self.received.at);
            started = (!finished).then_some(Started { at, fact: Some(one.fact) });
        }
        if let Some(start) = started
            && !self.over(start.at)
        {
            drafts.push(self.complex_from(start, None, pauses));
        }
        drafts
    }

    fn complex_from<'p>(
        &self,
        started: Started,
        fed_back: Option<Stopped>,
        pauses: &'p [Span],
    ) -> Draft<'p> {
        let due = self.policy.end_of_local_day(started.at, self.policy.complex_days);
        let stopped = self.before_the_end(fed_back);
        self.draft(ClockKind::ComplexFeedback, started, due, stopped, pauses)
    }

    fn claimed(&self) -> Option<(Stopped, Conclusion)> {
        let (claim, conclusion) = self.order.deciding_claim()?;
        let at = claim.arrived_at()?.max(self.received.at);
        let fact = claim.settled.last().map(|settled| settled.fact);
        let fact = fact.or_else(|| claim.judged.last().map(|judged| judged.fact));
        Some((Stopped { at, fact, how: How::Claimed }, conclusion))
    }

    fn over(&self, at: Millis) -> bool {
        self.ended.is_some_and(|ended| ended.at <= at)
    }

    fn before_the_end(&self, stopped: Option<Stopped>) -> Option<Stopped> {
        stopped.into_iter().chain(self.ended).min_by_key(|stop| stop.at)
    }
}

fn received(order: &Order, policy: &Policy, now: Millis) -> Option<Started> {
    let at = order.received_at(policy, now)?;
    let receipt = order.receipts.iter().find(|receipt| receipt.body.at.max(order.issued.at) == at);
    Some(Started { at, fact: receipt.map(|receipt| receipt.fact) })
}

fn ended(record: &CaseRecord, order: &Order) -> Option<Stopped> {
    let at = record.ended(order)?;
    let withdrawn = order.withdrawn.as_ref().filter(|withdrawn| withdrawn.at == at);
    let closed = record
        .closures
        .iter()
        .find(|closure| closure.at == at && matches!(closure.body, Closure::Closed(_)));
    Some(match withdrawn {
        Some(withdrawn) => {
            Stopped { at, fact: Some(withdrawn.fact), how: How::Lifted(Lifted::OrderWithdrawn) }
        }
        None => Stopped {
            at,
            fact: closed.map(|closed| closed.fact),
            how: How::Lifted(Lifted::CaseClosed),
        },
    })
}

fn done(one: &Stated<FedBack>) -> Stopped {
    Stopped { at: one.body.at, fact: Some(one.fact), how: How::Done }
}

//! The clocks against an independent model that steps through a history minute by minute.
//!
//! The rule works with intervals and looks back; the model keeps counters and only goes forward.
//! Both see the same random histories, in which phones deliver arrivals and results late.

use std::collections::BTreeMap;

use super::history::{BASE, Event, History, facts, history};
use onscene_sync_core::rules::arrival::Conclusion;
use onscene_sync_core::rules::clocks::{Clock, ClockKind, ClockState, Lifted, clocks};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::time::Millis;
use proptest::prelude::*;

const DAY: i64 = 24 * 60;

type Key = (ClockKind, Option<usize>, i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Running(i64),
    Paused(i64),
    Met(i64),
    BreachedOpen,
    BreachedAt(i64),
    UnderReview,
    Lifted(i64, Lifted),
}

/// A clock of the model: minutes left, counted down; below zero is too late.
#[derive(Debug, Clone, Copy)]
struct Counter {
    started: i64,
    left: i64,
}

#[derive(Debug, Default)]
struct Model {
    running: BTreeMap<(ClockKind, Option<usize>), Counter>,
    ended: BTreeMap<Key, End>,
    coordinating: bool,
    closed: bool,
    /// Attempts to tell the complainant since the telling is owed: when, and whether in time.
    attempts: Vec<(i64, bool)>,
    /// Per order: issued at, received, over, any feedback recorded.
    orders: Vec<ModelOrder>,
}

#[derive(Debug, Default)]
struct ModelOrder {
    issued: i64,
    received: bool,
    over: bool,
    fed_back: bool,
}

/// What happens at one minute, as the model sees it.
#[derive(Debug, Clone, Copy)]
enum Tick {
    Informed,
    Stated(Event),
    Receipt(usize),
    Arrived(usize, Conclusion),
    Recorded(usize, Option<bool>),
}

impl Model {
    fn start(&mut self, now: i64, kind: ClockKind, order: Option<usize>, left: i64) {
        self.running.entry((kind, order)).or_insert(Counter { started: now, left });
    }

    fn stop(&mut self, kind: ClockKind, order: Option<usize>, end: impl FnOnce(Counter) -> End) {
        if let Some(counter) = self.running.remove(&(kind, order)) {
            self.ended.insert((kind, order, counter.started), end(counter));
        }
    }

    fn done(&mut self, now: i64, kind: ClockKind, order: Option<usize>) {
        self.stop(kind, order, |counter| {
            if counter.left >= 0 { End::Met(now) } else { End::BreachedAt(now) }
        });
    }

    fn lift(&mut self, now: i64, kind: ClockKind, order: Option<usize>, because: Lifted) {
        self.stop(kind, order, |counter| {
            if counter.left >= 0 { End::Lifted(now, because) } else { End::BreachedAt(now) }
        });
    }

    fn end_order(&mut self, now: i64, order: usize, because: Lifted) {
        use ClockKind::{Arrival, ComplexFeedback, OnTheSpotFeedback, Rework};
        self.orders[order].over = true;
        for kind in [Arrival, ComplexFeedback, OnTheSpotFeedback, Rework] {
            self.lift(now, kind, Some(order), because);
        }
    }

    fn receive(&mut self, now: i64, order: usize) {
        if self.orders[order].received || self.orders[order].over {
            return;
        }
        self.orders[order].received = true;
        self.start(now, ClockKind::Arrival, Some(order), 60);
        self.start(now, ClockKind::ComplexFeedback, Some(order), day_end(now, 3));
    }

    fn take(&mut self, now: i64, tick: Tick, history: &History) {
        match tick {
            Tick::Informed => {
                if !history.telephone {
                    self.start(now, ClockKind::Registration, None, 10);
                }
            }
            Tick::Receipt(order) => self.receive(now, order),
            Tick::Arrived(order, conclusion) => self.arrive(now, order, conclusion),
            Tick::Recorded(order, result) => self.record(now, order, result),
            Tick::Stated(event) => self.state(now, event, history),
        }
    }

    fn arrive(&mut self, now: i64, order: usize, conclusion: Conclusion) {
        if self.orders[order].over {
            return;
        }
        self.stop(ClockKind::Arrival, Some(order), |_| match conclusion {
            Conclusion::OnTime => End::Met(now),
            Conclusion::Late => End::BreachedAt(now),
            Conclusion::NeedsReview | Conclusion::NotOnScene => End::UnderReview,
        });
        if conclusion != Conclusion::NeedsReview && !self.orders[order].fed_back {
            self.start(now, ClockKind::OnTheSpotFeedback, Some(order), day_end(now, 0));
        }
    }

    fn record(&mut self, now: i64, order: usize, result: Option<bool>) {
        if self.orders[order].over {
            return;
        }
        self.orders[order].fed_back = true;
        let finished = result == Some(true);
        if finished {
            self.done(now, ClockKind::OnTheSpotFeedback, Some(order));
        } else {
            self.stop(ClockKind::OnTheSpotFeedback, Some(order), |_| {
                End::Lifted(now, Lifted::ComplexMatter)
            });
        }
        self.done(now, ClockKind::ComplexFeedback, Some(order));
        if result.is_some() {
            self.done(now, ClockKind::Rework, Some(order));
        }
        if !finished {
            self.start(now, ClockKind::ComplexFeedback, Some(order), day_end(now, 3));
        }
    }

    fn state(&mut self, now: i64, event: Event, history: &History) {
        match event {
            Event::Register => {
                self.done(now, ClockKind::Registration, None);
                if history.clear {
                    self.start(now, ClockKind::Dispatch, None, 5);
                } else {
                    self.start(now, ClockKind::Coordination, None, 60);
                    self.coordinating = true;
                }
            }
            Event::Coordinate => {
                self.start(now, ClockKind::Coordination, None, 60);
                self.lift(now, ClockKind::Dispatch, None, Lifted::Coordination);
                self.coordinating = true;
            }
            Event::Order => {
                self.done(now, ClockKind::Dispatch, None);
                self.done(now, ClockKind::Coordination, None);
                self.coordinating = false;
                self.orders.push(ModelOrder { issued: now, ..ModelOrder::default() });
            }
            Event::Withdraw { order } => {
                if self.orders[order].over {
                    return;
                }
                self.end_order(now, order, Lifted::OrderWithdrawn);
                if self.orders.iter().all(|order| order.over) && !self.coordinating && !self.closed
                {
                    self.start(now, ClockKind::Dispatch, None, 5);
                }
            }
            Event::Feedback { result: Some(_), .. } => {
                if !self.running.contains_key(&(ClockKind::ComplainantFeedback, None)) {
                    self.attempts.clear();
                }
                self.start(now, ClockKind::ComplainantFeedback, None, day_end(now, 0));
            }
            Event::Return { order } => {
                let because = Lifted::WorkReturned;
                self.lift(now, ClockKind::ComplainantFeedback, None, because);
                if !self.orders[order].over {
                    self.start(now, ClockKind::Rework, Some(order), day_end(now, 3));
                }
            }
            Event::Attempt { anonymous } => self.attempt(now, anonymous),
            Event::Tell => self.done(now, ClockKind::ComplainantFeedback, None),
            Event::Close => {
                self.closed = true;
                self.coordinating = false;
                self.lift(now, ClockKind::Dispatch, None, Lifted::CaseClosed);
                self.lift(now, ClockKind::Coordination, None, Lifted::CaseClosed);
                for order in 0..self.orders.len() {
                    self.end_order(now, order, Lifted::CaseClosed);
                }
            }
            Event::Reopen => {
                self.closed = false;
                self.start(now, ClockKind::Dispatch, None, 5);
            }
            Event::Receipt { .. }
            | Event::Feedback { result: None, .. }
            | Event::Arrival { .. }
            | Event::Settle { .. } => {}
        }
    }

    /// The third attempt on a second day, or that there is nobody to try, ends the telling; without
    /// blame if the first attempt was in time.
    fn attempt(&mut self, now: i64, anonymous: bool) {
        let telling = (ClockKind::ComplainantFeedback, None);
        let Some(counter) = self.running.get(&telling) else { return };
        self.attempts.push((now, counter.left >= 0));
        let day = |minute: i64| (minute + 8 * 60).div_euclid(DAY);
        let (first, in_time) = self.attempts[0];
        if !anonymous && (self.attempts.len() < 3 || day(first) == day(now)) {
            return;
        }
        let lifted = End::Lifted(now, Lifted::NotToBeReached);
        let end = if in_time { lifted } else { End::BreachedAt(now) };
        self.stop(telling.0, telling.1, |_| end);
    }

    fn stands_still(&self, kind: ClockKind, order: Option<usize>) -> bool {
        let reworking = self.running.contains_key(&(ClockKind::Rework, order));
        order.is_some() && self.coordinating || kind == ClockKind::ComplexFeedback && reworking
    }

    fn pass_a_minute(&mut self) {
        let still: Vec<_> = self
            .running
            .keys()
            .copied()
            .filter(|(kind, order)| self.stands_still(*kind, *order))
            .collect();
        for (key, counter) in &mut self.running {
            if counter.left < 0 || !still.contains(key) {
                counter.left -= 1;
            }
        }
    }

    fn finish(mut self) -> BTreeMap<Key, End> {
        let left: Vec<_> = self.running.iter().map(|(key, counter)| (*key, *counter)).collect();
        for ((kind, order), counter) in left {
            let end = if counter.left < 0 {
                End::BreachedOpen
            } else if self.stands_still(kind, order) {
                End::Paused(counter.left)
            } else {
                End::Running(counter.left)
            };
            self.ended.insert((kind, order, counter.started), end);
        }
        self.ended
    }
}

/// Whole minutes from `now` to the last minute of the local day `days` on. Minute 0 of a history
/// is 08:00 local time.
fn day_end(now: i64, days: i64) -> i64 {
    let mut minute = now;
    let mut midnights = 0;
    while midnights <= days {
        minute += 1;
        if (minute + 8 * 60) % DAY == 0 {
            midnights += 1;
        }
    }
    minute - 1 - now
}

fn simulate(history: &History) -> BTreeMap<Key, End> {
    let mut ticks: Vec<(i64, Tick)> = vec![(history.informed, Tick::Informed)];
    for (at, event) in &history.events {
        ticks.push((*at, Tick::Stated(*event)));
        match *event {
            Event::Receipt { order, effective } => ticks.push((effective, Tick::Receipt(order))),
            Event::Feedback { order, effective, result } => {
                ticks.push((effective, Tick::Recorded(order, result)));
            }
            _ => {}
        }
    }
    for (order, _) in history.events.iter().filter(|(_, e)| matches!(e, Event::Order)).enumerate() {
        ticks.extend(
            history
                .deciding_claim(order)
                .map(|(at, conclusion)| (at, Tick::Arrived(order, conclusion))),
        );
    }
    let mut model = Model::default();
    for now in history.informed..=history.now {
        for order in 0..model.orders.len() {
            if now == model.orders[order].issued + 5 {
                model.receive(now, order);
            }
        }
        for (_, tick) in ticks.iter().filter(|(at, _)| *at == now) {
            model.take(now, *tick, history);
        }
        if now < history.now {
            model.pass_a_minute();
        }
    }
    model.finish()
}

fn observed(clock: &Clock, history: &History) -> (Key, End) {
    let minute = |at: Millis| at.since(BASE).div_euclid(60_000);
    let stopped = clock.stopped_at.map(minute);
    let end = match clock.state {
        ClockState::Running { remaining_ms } => End::Running(remaining_ms / 60_000),
        ClockState::Paused { remaining_ms } => End::Paused(remaining_ms / 60_000),
        ClockState::Met => End::Met(stopped.expect("met clocks have stopped")),
        ClockState::Breached => stopped.map_or(End::BreachedOpen, End::BreachedAt),
        ClockState::UnderReview => End::UnderReview,
        ClockState::Lifted { because } => {
            End::Lifted(stopped.expect("lifted clocks have stopped"), because)
        }
    };
    let order = clock.order.map(|id| history.order_number(id));
    ((clock.kind, order, minute(clock.started_at)), end)
}

fn check_shape(clock: &Clock) {
    assert!(clock.steps.is_sorted_by_key(|step| step.at), "{clock:?}");
    assert!(clock.started_at <= clock.due, "{clock:?}");
    let mut passed = clock.started_at;
    for span in &clock.paused {
        assert!(passed <= span.from && span.to.is_none_or(|to| span.from < to), "{clock:?}");
        passed = span.to.unwrap_or(span.from);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_clocks_agree_with_a_model_that_steps_through_time(history in history()) {
        let record = CaseRecord::from_facts(facts(&history));
        let now = BASE.plus(history.now * 60_000);
        let clocks = clocks(&record, &Policies::built_in(), now).expect("policy 1 is known");
        clocks.iter().for_each(check_shape);
        let seen: BTreeMap<Key, End> =
            clocks.iter().map(|clock| observed(clock, &history)).collect();
        prop_assert_eq!(seen.len(), clocks.len(), "two clocks share a key");
        prop_assert_eq!(seen, simulate(&history));
    }

    #[test]
    fn the_order_in_which_facts_arrive_changes_nothing(
        (history, shuffled) in history().prop_flat_map(|history| {
            let all = facts(&history);
            (Just(history), Just(all).prop_shuffle())
        })
    ) {
        let mut doubled = shuffled.clone();
        doubled.extend(shuffled.into_iter().take(3));
        prop_assert_eq!(
            CaseRecord::from_facts(doubled),
            CaseRecord::from_facts(facts(&history))
        );
    }

    #[test]
    fn a_clock_that_stopped_never_changes_as_time_goes_on(
        history in history(),
        later in 1..5_000_i64,
    ) {
        let record = CaseRecord::from_facts(facts(&history));
        let at = |now: i64| {
            clocks(&record, &Policies::built_in(), BASE.plus(now * 60_000)).expect("known policy")
        };
        let after = at(history.now + later);
        for clock in at(history.now).into_iter().filter(|clock| clock.stopped_at.is_some()) {
            prop_assert!(after.contains(&clock), "{clock:?}");
        }
    }
}

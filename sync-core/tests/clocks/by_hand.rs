//! Phases and clocks on histories written out by hand, so that the reader can check them.

use super::history::{BASE, Event, History, facts};
use onscene_sync_core::fact::body::Ruling;
use onscene_sync_core::rules::arrival::Conclusion;
use onscene_sync_core::rules::clocks::{Clock, ClockKind, ClockState, Lifted, StepKind, clocks};
use onscene_sync_core::rules::phase::{Phase, phase};
use onscene_sync_core::rules::policy::{Policies, UnknownPolicy};
use onscene_sync_core::rules::record::CaseRecord;

const MINUTE: i64 = 60_000;

fn record(events: &[(i64, Event)]) -> CaseRecord {
    CaseRecord::from_facts(facts(&history_of(events)))
}

fn history_of(events: &[(i64, Event)]) -> History {
    let mut all = vec![(0, Event::Register)];
    all.extend_from_slice(events);
    History { telephone: true, clear: true, informed: 0, events: all, now: 0 }
}

fn clock(events: &[(i64, Event)], now: i64, kind: ClockKind) -> Clock {
    let all = clocks(&record(events), &Policies::built_in(), BASE.plus(now * MINUTE));
    let mut of_kind = all.expect("known policy").into_iter().filter(|clock| clock.kind == kind);
    of_kind.next_back().expect("such a clock")
}

#[test]
fn the_phase_follows_the_facts() {
    let arrival = |at, conclusion| (at, Event::Arrival { order: 0, effective: at, conclusion });
    let feedback = |at, result| (at, Event::Feedback { order: 0, effective: at, result });
    let steps = [
        ((2, Event::Coordinate), Phase::Coordinating),
        ((4, Event::Order), Phase::Ordered),
        ((6, Event::Receipt { order: 0, effective: 6 }), Phase::Received),
        (arrival(30, Conclusion::NeedsReview), Phase::Received),
        ((40, Event::Settle { order: 0, ruling: Ruling::OnTime }), Phase::OnScene),
        (feedback(50, None), Phase::InProgress),
        (feedback(60, Some(true)), Phase::FedBack),
        ((70, Event::Return { order: 0 }), Phase::Returned),
        (feedback(80, Some(true)), Phase::FedBack),
        ((90, Event::Tell), Phase::Told),
        ((100, Event::Close), Phase::Closed),
        ((110, Event::Reopen), Phase::Reopened),
        ((120, Event::Order), Phase::Ordered),
        ((130, Event::Withdraw { order: 1 }), Phase::Reopened),
    ];
    let mut events = Vec::new();
    assert_eq!(phase(&record(&events)), Some(Phase::Registered));
    for (event, expected) in steps {
        events.push(event);
        assert_eq!(phase(&record(&events)), Some(expected), "after {event:?}");
    }
    assert_eq!(phase(&CaseRecord::default()), None);
}

#[test]
fn an_arrival_delivered_hours_late_turns_a_breach_into_met() {
    let mut events = vec![(2, Event::Order), (3, Event::Receipt { order: 0, effective: 3 })];
    assert_eq!(
        clock(&events, 63, ClockKind::Arrival).state,
        ClockState::Running { remaining_ms: 0 }
    );
    assert_eq!(clock(&events, 64, ClockKind::Arrival).state, ClockState::Breached);
    let effective = 61;
    let conclusion = Conclusion::OnTime;
    events.push((400, Event::Arrival { order: 0, effective, conclusion }));
    let arrival = clock(&events, 400, ClockKind::Arrival);
    assert_eq!(arrival.state, ClockState::Met);
    assert_eq!(arrival.stopped_at, Some(BASE.plus(61 * MINUTE)));
    assert!(arrival.steps.iter().all(|step| step.what != StepKind::TimeUp));
}

#[test]
fn silence_cannot_keep_an_order_from_being_received() {
    let events = [(2, Event::Order), (9, Event::Receipt { order: 0, effective: 9 })];
    let arrival = clock(&events, 100, ClockKind::Arrival);
    assert_eq!(arrival.started_at, BASE.plus(7 * MINUTE), "deemed received after five minutes");
    assert_eq!(arrival.steps[0].fact, None, "the rule itself starts it");
}

#[test]
fn coordination_stops_the_clock_only_while_time_is_left() {
    let order = [(0, Event::Order), (1, Event::Receipt { order: 0, effective: 1 })];
    let with = |at| [order[0], order[1], (at, Event::Coordinate), (at + 20, Event::Order)];
    let paused = clock(&with(31)[..3], 90, ClockKind::Arrival);
    assert_eq!(paused.state, ClockState::Paused { remaining_ms: 30 * MINUTE });
    let all = clocks(&record(&with(31)), &Policies::built_in(), BASE.plus(60 * MINUTE));
    let all = all.expect("known policy");
    let first = all.iter().find(|clock| clock.kind == ClockKind::Arrival).expect("first order");
    assert_eq!(first.due, BASE.plus(81 * MINUTE), "20 minutes stood still");
    let late = clock(&with(62)[..3], 90, ClockKind::Arrival);
    assert_eq!(late.state, ClockState::Breached);
    assert!(late.paused.is_empty());
}

#[test]
fn a_complex_matter_lifts_the_on_the_spot_clock_even_the_next_day() {
    let arrival = Event::Arrival { order: 0, effective: 30, conclusion: Conclusion::OnTime };
    let next_day = 24 * 60;
    let mut events = vec![(2, Event::Order), (30, arrival)];
    assert_eq!(
        clock(&events, next_day, ClockKind::OnTheSpotFeedback).state,
        ClockState::Breached,
        "nothing by the end of the day"
    );
    let result = Some(false);
    events.push((next_day, Event::Feedback { order: 0, effective: next_day, result }));
    assert_eq!(
        clock(&events, next_day, ClockKind::OnTheSpotFeedback).state,
        ClockState::Lifted { because: Lifted::ComplexMatter }
    );
    let complex = clock(&events, next_day, ClockKind::ComplexFeedback);
    assert_eq!(complex.started_at, BASE.plus(next_day * MINUTE), "and the next one is due");
}

#[test]
fn an_unknown_policy_is_an_error_that_names_it() {
    let none = Policies::new([]);
    assert_eq!(clocks(&record(&[]), &none, BASE), Err(UnknownPolicy(1)));
}

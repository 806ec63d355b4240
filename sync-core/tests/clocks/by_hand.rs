//! Phases and clocks on histories written out by hand, so that the reader can check them.

use super::history::{BASE, Event, History, fact_id, facts, millis};
use onscene_sync_core::fact::body::{FedBack, Outcome, Ruling, TakenBack, ToldOnScene};
use onscene_sync_core::fact::telling::{NoReach, NotReached, ToldByMessage};
use onscene_sync_core::fact::{Author, Body, Fact};
use onscene_sync_core::id::{DocId, FactId, MessageId, PersonId};
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

/// Facts of the hub beside those of a history, numbered from 500.
fn stated(events: &[(i64, Event)], more: Vec<(i64, Body)>) -> CaseRecord {
    let doc = DocId::from_bytes([1; 16]);
    let more = more.into_iter().enumerate().map(|(place, (at, body))| {
        (fact_id(500 + place), Fact { version: 1, doc, author: Author::Hub(millis(at)), body })
    });
    let mut all = facts(&history_of(events));
    all.extend(more);
    let record = CaseRecord::from_facts(all.iter().cloned());
    all.reverse();
    assert_eq!(record, CaseRecord::from_facts(all), "whatever is read first");
    record
}

fn state_of(record: &CaseRecord, now: i64, kind: ClockKind) -> Vec<ClockState> {
    let all = clocks(record, &Policies::built_in(), millis(now)).expect("known policy");
    all.into_iter().filter(|clock| clock.kind == kind).map(|clock| clock.state).collect()
}

fn take_back(fact: FactId) -> Body {
    Body::TakenBack(TakenBack { order: fact_id(1), fact, withdrawal: fact_id(900) })
}

#[test]
fn when_a_claim_is_taken_back_the_next_best_decides_and_then_none() {
    let arrival = |at, conclusion| (at, Event::Arrival { order: 0, effective: at, conclusion });
    let events =
        [(0, Event::Order), arrival(30, Conclusion::OnTime), arrival(80, Conclusion::Late)];
    let [first, second] = [fact_id(1_002), fact_id(1_003)];
    let deciding = |record: &CaseRecord| record.orders[0].deciding_claim().map(|claim| claim.1);
    assert_eq!(deciding(&stated(&events, vec![])), Some(Conclusion::OnTime));
    // Taken back even before the hub came to judge it.
    let record = stated(&events, vec![(20, take_back(first))]);
    assert_eq!(deciding(&record), Some(Conclusion::Late));
    assert_eq!(record.orders[0].claims.len(), 2, "both stay on record");
    let record = stated(&events, vec![(20, take_back(first)), (90, take_back(second))]);
    assert_eq!(deciding(&record), None);
    assert_eq!(state_of(&record, 90, ClockKind::Arrival), [ClockState::Breached]);
    assert_eq!(state_of(&record, 90, ClockKind::OnTheSpotFeedback), []);
}

#[test]
fn the_centre_owes_the_telling_while_any_result_stands() {
    let fed_back = |outcome: FactId, at| {
        let (order, result) = (fact_id(1), Some(Outcome::Stopped));
        Body::FedBack(FedBack {
            order,
            outcome: Some(outcome),
            result,
            at: millis(at),
            evidence: None,
        })
    };
    let [one, two] = [fact_id(801), fact_id(802)];
    let events = [(0, Event::Order)];
    let telling = |more: Vec<(i64, Body)>| {
        let mut facts = vec![(10, fed_back(one, 10)), (20, fed_back(two, 20))];
        facts.extend(more);
        state_of(&stated(&events, facts), 100, ClockKind::ComplainantFeedback)
    };
    let lifted = ClockState::Lifted { because: Lifted::ResultTakenBack };
    assert!(matches!(telling(vec![])[..], [ClockState::Running { .. }]));
    assert!(matches!(telling(vec![(30, take_back(one))])[..], [ClockState::Running { .. }]));
    assert_eq!(telling(vec![(30, take_back(one)), (40, take_back(two))]), [lifted]);
    let again = telling(vec![(15, take_back(one))]);
    assert!(again[0] == lifted && matches!(again[1], ClockState::Running { .. }), "{again:?}");
    let told = Body::ToldOnScene(ToldOnScene { order: fact_id(1), fact: fact_id(803) });
    assert_eq!(telling(vec![(50, told.clone())]), [ClockState::Met]);
    let unsaid = vec![(50, told), (60, take_back(fact_id(803)))];
    assert!(matches!(telling(unsaid)[..], [ClockState::Running { .. }]));
}

#[test]
fn a_message_counts_from_when_it_left_and_nobody_is_late_while_it_is_under_way() {
    let result = Event::Feedback { order: 0, effective: 10, result: Some(true) };
    let events = [(0, Event::Order), (10, result)];
    let message = MessageId::from_bytes([9; 16]);
    let lost = |left, came_out| {
        let (why, text, by) = (NoReach::NotDelivered, String::new(), None);
        let (message, left_at) = (Some(message), Some(millis(left)));
        (came_out, Body::NotReached(NotReached { why, text, by, message, left_at }))
    };
    let telling = |fact, now| {
        let states = state_of(&stated(&events, vec![fact]), now, ClockKind::ComplainantFeedback);
        states[0]
    };
    let day = 24 * 60;
    let waits = telling(lost(60, day + 30), day + 60);
    assert!(matches!(waits, ClockState::Running { .. }), "the centre has that day: {waits:?}");
    assert_eq!(telling(lost(60, day + 30), 2 * day), ClockState::Breached);
    assert_eq!(telling(lost(60, 120), day), ClockState::Breached, "it came out in time");
    assert_eq!(telling(lost(day, day + 30), day + 60), ClockState::Breached, "it left too late");
    let (by, left_at) = (PersonId::from_bytes([7; 16]), Some(millis(60)));
    let told = Body::ToldByMessage(ToldByMessage { message, by, left_at });
    assert_eq!(telling((day + 30, told), day + 60), ClockState::Met);
}

#[test]
fn who_cannot_be_reached_need_not_be_told_if_the_first_attempt_was_in_time() {
    let result = Event::Feedback { order: 0, effective: 10, result: Some(true) };
    let attempt = |at| (at, Event::Attempt { anonymous: false });
    let telling = |attempts: &[(i64, Event)]| {
        let mut events = vec![(0, Event::Order), (10, result)];
        events.extend_from_slice(attempts);
        clock(&events, 5_000, ClockKind::ComplainantFeedback)
    };
    let (day, lifted) = (24 * 60, ClockState::Lifted { because: Lifted::NotToBeReached });
    let given_up = telling(&[attempt(60), attempt(120), attempt(day)]);
    assert_eq!((given_up.state, given_up.stopped_at), (lifted, Some(millis(day))));
    assert_eq!(telling(&[attempt(60), attempt(120)]).state, ClockState::Breached);
    let late = telling(&[attempt(day), attempt(day + 60), attempt(2 * day)]);
    assert_eq!(late.state, ClockState::Breached, "nobody tried before the time was up");
    assert_eq!(telling(&[(60, Event::Attempt { anonymous: true })]).state, lifted);
}

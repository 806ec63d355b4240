//! What a team takes back, chooses and tells after it reported.

use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::id::FactId;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, MINUTE, SQUAD, clock, text};
use super::phone::Phone;
use crate::auth::Role;
use crate::cases::project::faults;
use crate::store::testing::{TestStore, on_each_engine};

/// A case whose unit has received its order, with the phones of a team: case, order, visit.
async fn ordered(bureau: &Bureau, phones: &mut [&mut Phone]) -> (String, String, String) {
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    for phone in phones {
        phone.catch_up(bureau).await;
    }
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    (case, order, visit)
}

fn results(view: &Value) -> Vec<&Value> {
    let feedback = view["orders"][0]["feedback"].as_array().unwrap();
    feedback.iter().filter(|one| !one["result"].is_null()).collect()
}

async fn an_arrival_taken_back_answers_nothing_and_escalates(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut [&mut phone]).await;
    let arrival = phone.arrive(&bureau, &visit, &order, 10);
    phone.catch_up(&bureau).await;
    bureau.clock.advance(90 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(clock(&view, "arrival")["state"], "met");
    assert!(view["orders"][0]["overdue"].as_array().unwrap().is_empty());

    let withdrawal = phone.withdraw(&bureau, &visit, arrival);
    phone.catch_up(&bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    let first = &view["orders"][0];
    assert_eq!(first["arrival"], Value::Null, "{first}");
    assert_eq!(view["phase"], "received");
    let claim = &first["claims"][0];
    assert_eq!(claim["verdicts"].as_array().unwrap().len(), 1, "what was judged stays on record");
    assert_eq!(claim["taken_back"]["withdrawal"], json!(withdrawal));
    assert_eq!(clock(&view, "arrival")["state"], "breached");
    assert!(!first["overdue"].as_array().unwrap().is_empty(), "silence is silence again");
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
}

async fn an_outcome_taken_back_is_not_the_units_result(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, _, visit) = ordered(&bureau, &mut [&mut phone]).await;
    let outcome = phone.conclude(&bureau, &visit, Outcome::Corrected);
    phone.catch_up(&bureau).await;
    assert_eq!(bureau.case(&case).await["phase"], "fed_back");
    bureau.clock.advance(MINUTE);
    phone.withdraw(&bureau, &visit, outcome);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "received");
    assert_eq!(clock(&view, "complex_feedback")["state"], "running");
    assert_eq!(clock(&view, "complainant_feedback")["because"], "result_taken_back");
    assert!(view["orders"][0]["feedback"][0]["taken_back"].is_object());
    assert!(view["orders"][0]["outcomes"].as_array().unwrap().is_empty());
    let closure = format!("/v1/cases/{case}/closure");
    bureau.post(&closure, json!({ "text": "done" })).await.refused(409, "not_done");

    bureau.clock.advance(MINUTE);
    phone.conclude(&bureau, &visit, Outcome::LongTerm);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "fed_back", "the next outcome is");
    assert_eq!(clock(&view, "complainant_feedback")["state"], "running");
}

/// Two phones report apart: the case holds progress only.
async fn disagreeing(
    bureau: &Bureau,
    one: &mut Phone,
    two: &mut Phone,
) -> (String, String, [FactId; 2]) {
    let (case, _, visit) = ordered(bureau, &mut [one, two]).await;
    bureau.clock.advance(MINUTE);
    let gone = one.conclude(bureau, &visit, Outcome::AlreadyGone);
    let long = two.conclude(bureau, &visit, Outcome::LongTerm);
    one.sync(bureau).await;
    two.catch_up(bureau).await;
    assert_eq!(bureau.case(&case).await["phase"], "in_progress");
    bureau.clock.advance(MINUTE);
    one.catch_up(bureau).await;
    (case, visit, [gone, long])
}

async fn of_two_outcomes_the_one_not_taken_back_is_the_result(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut one = Phone::new(&bureau, 1, SQUAD).await;
    let mut two = Phone::new(&bureau, 2, SQUAD).await;
    let (case, visit, [gone, long]) = disagreeing(&bureau, &mut one, &mut two).await;
    one.withdraw(&bureau, &visit, gone);
    one.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["orders"][0]["conflict"], false);
    assert_eq!(view["phase"], "fed_back");
    assert_eq!(results(&view).len(), 1);
    assert_eq!(results(&view)[0]["outcome"], json!(long));
}

async fn a_choice_between_outcomes_is_the_result(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut one = Phone::new(&bureau, 1, SQUAD).await;
    let mut two = Phone::new(&bureau, 2, SQUAD).await;
    let (case, visit, [gone, _]) = disagreeing(&bureau, &mut one, &mut two).await;
    one.choose(&visit, gone);
    one.catch_up(&bureau).await;
    one.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["orders"][0]["conflict"], false);
    assert_eq!(view["phase"], "fed_back");
    assert_eq!(results(&view).len(), 1, "fed back once");
    assert_eq!(results(&view)[0]["outcome"], json!(gone));
}

async fn who_was_told_at_the_door_is_told_before_or_after_the_result(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    for tells_first in [true, false] {
        let (case, _, visit) = ordered(&bureau, &mut [&mut phone]).await;
        bureau.clock.advance(MINUTE);
        let mut told = None;
        if tells_first {
            told = Some(phone.tell(&bureau, &visit));
            phone.catch_up(&bureau).await;
            bureau.clock.advance(MINUTE);
        }
        phone.conclude(&bureau, &visit, Outcome::Stopped);
        phone.catch_up(&bureau).await;
        bureau.clock.advance(MINUTE);
        let told = told.unwrap_or_else(|| phone.tell(&bureau, &visit));
        phone.catch_up(&bureau).await;
        let view = bureau.case(&case).await;
        assert_eq!(view["phase"], "told", "told first: {tells_first}");
        assert_eq!(clock(&view, "complainant_feedback")["state"], "met");
        assert_eq!(view["told"].as_array().unwrap().len(), 1);
        phone.withdraw(&bureau, &visit, told);
        phone.catch_up(&bureau).await;
        let view = bureau.case(&case).await;
        assert_eq!(view["phase"], "fed_back", "nobody was told after all");
        assert_eq!(clock(&view, "complainant_feedback")["state"], "running");
    }
}

async fn who_was_told_a_result_that_was_sent_back_was_not_told_the_next_one(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut [&mut phone]).await;
    phone.conclude(&bureau, &visit, Outcome::Stopped);
    phone.catch_up(&bureau).await;
    bureau.clock.advance(MINUTE);
    phone.tell(&bureau, &visit);
    let path = format!("/v1/cases/{case}/orders/{order}/returns");
    bureau.post(&path, json!({ "reason": "still there" })).await.ok();
    bureau.clock.advance(MINUTE);
    phone.catch_up(&bureau).await;
    bureau.clock.advance(MINUTE);
    phone.conclude(&bureau, &visit, Outcome::Corrected);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "fed_back", "the second result is not told yet");
    assert!(view["told"].as_array().unwrap().is_empty());
    bureau.clock.advance(MINUTE);
    phone.tell(&bureau, &visit);
    phone.catch_up(&bureau).await;
    assert_eq!(bureau.case(&case).await["phase"], "told");
}

async fn a_ruling_against_a_claim_after_the_deadline_escalates(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut [&mut phone]).await;
    // At the edge of the site: a person has to look.
    phone.arrive(&bureau, &visit, &order, 80);
    phone.catch_up(&bureau).await;
    bureau.clock.advance(90 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(clock(&view, "arrival")["state"], "under_review");
    let verdict = text(&view["orders"][0]["claims"][0]["verdicts"][0]["id"]);
    let path = format!("/v1/cases/{case}/verdicts/{verdict}/settlement");
    let ruling = json!({ "ruling": "not_on_scene", "reason": "the photo is of another street" });
    bureau.post_as((Role::Supervisor, DISTRICT), &path, ruling).await.ok();
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(clock(&view, "arrival")["state"], "breached");
    assert!(!view["orders"][0]["overdue"].as_array().unwrap().is_empty());
}

async fn a_hub_whose_clock_is_set_back_still_sees_what_is_newest(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, _, visit) = ordered(&bureau, &mut [&mut phone]).await;
    phone.conclude(&bureau, &visit, Outcome::Corrected);
    phone.catch_up(&bureau).await;
    bureau.clock.advance(30 * MINUTE);
    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    bureau.finish(&case).await;
    bureau.clock.advance(-20 * MINUTE);
    let view = bureau.post(&path("reopening"), json!({ "text": "not done" })).await.ok();
    assert_eq!(view["phase"], "reopened");
}

on_each_engine!(
    an_arrival_taken_back_answers_nothing_and_escalates,
    an_outcome_taken_back_is_not_the_units_result,
    of_two_outcomes_the_one_not_taken_back_is_the_result,
    a_choice_between_outcomes_is_the_result,
    who_was_told_at_the_door_is_told_before_or_after_the_result,
    who_was_told_a_result_that_was_sent_back_was_not_told_the_next_one,
    a_ruling_against_a_claim_after_the_deadline_escalates,
    a_hub_whose_clock_is_set_back_still_sees_what_is_newest,
);

//! One receiver under several names.

use serde_json::Value;

use super::bureau::{Bureau, MINUTE, SQUAD, text};
use super::phone::Phone;
use crate::jobs::sweep;
use crate::store::testing::{TestStore, on_each_engine};

const DAY: i64 = 24 * 60 * MINUTE;

/// A case whose order the phone holds: case, order, visit.
async fn ordered(bureau: &Bureau, phone: &mut Phone) -> (String, String, String) {
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    (case, order, visit)
}

/// Arrives with the errors `errors` of a receiver; the arrival fact and its case.
async fn arrive(bureau: &Bureau, phone: &mut Phone, errors: u8) -> (String, String) {
    let (case, order, visit) = ordered(bureau, phone).await;
    bureau.clock.advance(10 * MINUTE);
    phone.errors = errors;
    let arrival = phone.arrive(bureau, &visit, &order, 10).to_string();
    phone.catch_up(bureau).await;
    bureau.clock.advance(MINUTE);
    bureau.run_jobs().await;
    (case, arrival)
}

async fn newest(bureau: &Bureau, case: &str) -> Value {
    let view = bureau.case(case).await;
    let verdicts = view["orders"][0]["claims"][0]["verdicts"].as_array().expect("judged").clone();
    verdicts.last().expect("a verdict").clone()
}

/// The claim that a verdict names as resting on the same track.
fn names(verdict: &Value) -> Option<String> {
    let because = verdict["because"].as_array()?;
    because.iter().find_map(|sentence| sentence["claim"].as_str().map(str::to_owned))
}

async fn a_copied_track_sends_both_claims_to_a_person_and_each_names_the_other(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let (mut first, mut second) =
        (Phone::new(&bureau, 1, SQUAD).await, Phone::new(&bureau, 2, SQUAD).await);
    let (case, arrival) = arrive(&bureau, &mut first, 5).await;
    assert_eq!(newest(&bureau, &case).await["verdict"]["conclusion"], "on_time");
    let (copied, copy) = arrive(&bureau, &mut second, 5).await;
    for (case, other) in [(&copied, &arrival), (&case, &copy)] {
        let verdict = newest(&bureau, case).await;
        assert_eq!(verdict["verdict"]["conclusion"], "needs_review", "{verdict}");
        assert_eq!(names(&verdict).as_ref(), Some(other), "{verdict}");
    }
}

async fn colleagues_at_one_door_are_not_suspected(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let (mut first, mut second) =
        (Phone::new(&bureau, 1, SQUAD).await, Phone::new(&bureau, 2, SQUAD).await);
    let (case, _) = arrive(&bureau, &mut first, 5).await;
    let (other, _) = arrive(&bureau, &mut second, 77).await;
    for case in [case, other] {
        assert_eq!(newest(&bureau, &case).await["verdict"]["conclusion"], "on_time");
    }
}

async fn a_recording_sent_again_by_the_same_phone_is_found(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (_, arrival) = arrive(&bureau, &mut phone, 5).await;
    let (again, _) = arrive(&bureau, &mut phone, 5).await;
    let verdict = newest(&bureau, &again).await;
    assert_eq!(names(&verdict), Some(arrival), "{verdict}");
}

async fn tracks_are_erased_when_their_time_is_over(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, _) = arrive(&bureau, &mut phone, 5).await;
    bureau.clock.advance(89 * DAY);
    sweep(&bureau.app).await.unwrap();
    assert_eq!(bureau.count("track").await, 1);
    bureau.clock.advance(2 * DAY);
    sweep(&bureau.app).await.unwrap();
    assert_eq!(bureau.count("track").await, 0);
    assert_eq!(newest(&bureau, &case).await["verdict"]["conclusion"], "on_time");
}

on_each_engine!(
    a_copied_track_sends_both_claims_to_a_person_and_each_names_the_other,
    colleagues_at_one_door_are_not_suspected,
    a_recording_sent_again_by_the_same_phone_is_found,
    tracks_are_erased_when_their_time_is_over,
);

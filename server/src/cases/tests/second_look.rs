//! Claims judged again on more evidence, and what a hidden or lost answer means for them.

use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, MINUTE, SQUAD, text};
use super::phone::Phone;
use crate::auth::Role;
use crate::store::testing::{TestStore, on_each_engine};

/// A case whose order the phone holds: case, order, visit.
async fn ordered(bureau: &Bureau, phone: &mut Phone) -> (String, String, String) {
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    (case, order, visit)
}

fn verdicts(view: &Value) -> &Vec<Value> {
    view["orders"][0]["claims"][0]["verdicts"].as_array().expect("a claim was judged")
}

fn newest(view: &Value) -> &Value {
    &verdicts(view).last().expect("a verdict")["verdict"]
}

fn has_flag(verdict: &Value, flag: &str) -> bool {
    verdict["flags"].as_array().expect("flags").iter().any(|one| one == flag)
}

/// Restarted since its last anchor, the phone claims an arrival offline and delivers it after the
/// deadline.
async fn claimed_after_a_restart(bureau: &Bureau, phone: &mut Phone) -> String {
    let (case, order, visit) = ordered(bureau, phone).await;
    bureau.clock.advance(20 * MINUTE);
    phone.reboot(bureau);
    bureau.clock.advance(MINUTE);
    phone.arrive(bureau, &visit, &order, 10);
    bureau.clock.advance(60 * MINUTE);
    phone.sync(bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["conclusion"], "needs_review", "{view}");
    assert!(has_flag(newest(&view), "rebooted"));
    bureau.clock.advance(MINUTE);
    case
}

async fn the_first_anchor_of_a_boot_attests_what_came_before_it(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = claimed_after_a_restart(&bureau, &mut phone).await;
    for _ in 0..4 {
        phone.catch_up(&bureau).await;
        bureau.clock.advance(MINUTE);
    }
    let view = bureau.case(&case).await;
    assert_eq!(verdicts(&view).len(), 2, "only a verdict that says something else is stated");
    assert_eq!(newest(&view)["conclusion"], "on_time");
    assert_eq!(newest(&view)["grade"], "attested");
    assert_eq!(view["orders"][0]["arrival"], "on_time");
}

/// The same claim, delivered in time by a colleague who came into coverage first: when that was bounds
/// it, whatever the author's own clocks can say.
async fn a_claim_is_proven_by_when_a_colleague_delivered_it(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let mut colleague = Phone::new(&bureau, 2, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut phone).await;
    colleague.catch_up(&bureau).await;
    bureau.clock.advance(20 * MINUTE);
    phone.reboot(&bureau);
    bureau.clock.advance(MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    bureau.clock.advance(10 * MINUTE);
    colleague.deliver_for(&bureau, &phone).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["conclusion"], "on_time", "{view}");
    assert_eq!(newest(&view)["grade"], "proven", "{view}");
    bureau.clock.advance(60 * MINUTE);
    phone.sync_again(&bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["conclusion"], "on_time");
    assert_eq!(view["orders"][0]["claims"].as_array().map(Vec::len), Some(1));
}

async fn a_settled_review_stays_settled(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = claimed_after_a_restart(&bureau, &mut phone).await;
    let verdict = text(&verdicts(&bureau.case(&case).await)[0]["id"]);
    let path = format!("/v1/cases/{case}/verdicts/{verdict}/settlement");
    let ruling = json!({ "ruling": "late", "reason": "seen on the camera at noon" });
    bureau.post_as((Role::Supervisor, DISTRICT), &path, ruling).await.ok();
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(verdicts(&view).len(), 1);
    assert_eq!(view["orders"][0]["arrival"], "late");
}

async fn a_gap_in_the_chain_that_is_filled_weighs_no_more(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (_, other_order, other_visit) = ordered(&bureau, &mut phone).await;
    let (case, order, visit) = ordered(&bureau, &mut phone).await;
    phone.accept(&bureau, &other_visit, &other_order);
    bureau.clock.advance(20 * MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    bureau.clock.advance(60 * MINUTE);
    phone.sync_visit(&bureau, &visit).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert!(has_flag(newest(&view), "chain_gap"), "{view}");
    assert_eq!(newest(&view)["conclusion"], "needs_review");
    bureau.clock.advance(300 * MINUTE);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["conclusion"], "on_time");
    assert!(!has_flag(newest(&view), "chain_gap"));
}

async fn a_receipt_that_moves_the_start_moves_the_verdict(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.sync(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    // One request confirms the order and delivers the claim: the claim is judged first.
    phone.arrive(&bureau, &visit, &order, 10);
    phone.sync(&bureau).await;
    bureau.run_jobs().await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["started_at"], view["orders"][0]["receipts"][0]["at"]);
    assert_eq!(newest(&view)["conclusion"], "on_time");
}

async fn a_slow_request_whose_answer_is_lost_does_not_hurt(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut phone).await;
    bureau.clock.advance(50 * MINUTE);
    let request = phone.request(&bureau);
    phone.arrive(&bureau, &visit, &order, 10);
    // The network delivers it as late as its proof allows, and then loses the answer.
    bureau.clock.advance(7 * MINUTE);
    phone.unanswered(&bureau, request).await;
    bureau.clock.advance(60 * MINUTE);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert!(has_flag(newest(&view), "hidden_anchor"), "it is noted: {view}");
    assert_eq!(newest(&view)["conclusion"], "on_time");
    assert_eq!(newest(&view)["grade"], "attested");
}

async fn a_phone_that_throws_answers_away_cannot_date_its_claim_back(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut phone).await;
    bureau.clock.advance(90 * MINUTE);
    phone.unanswered(&bureau, phone.request(&bureau)).await;
    phone.set_boot_clock_back(60 * MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    bureau.clock.advance(60 * MINUTE);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    let first = &verdicts(&view)[0]["verdict"];
    assert_eq!(first["conclusion"], "needs_review", "{first}");
    assert!(has_flag(first, "hidden_anchor") && has_flag(first, "clock_inconsistent"), "{first}");
    assert_eq!(newest(&view)["conclusion"], "needs_review");
}

async fn a_phone_restored_from_a_backup_keeps_its_verdicts(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (case, order, visit) = ordered(&bureau, &mut phone).await;
    bureau.clock.advance(20 * MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    phone.sync(&bureau).await;
    bureau.run_jobs().await;
    phone.restore_from_backup();
    for _ in 0..3 {
        bureau.clock.advance(20 * MINUTE);
        phone.sync(&bureau).await;
        bureau.run_jobs().await;
    }
    let view = bureau.case(&case).await;
    assert_eq!(verdicts(&view).len(), 1, "{view}");
    assert_eq!(newest(&view)["conclusion"], "on_time");
    assert!(!has_flag(newest(&view), "hidden_anchor"));
}

async fn a_claim_that_names_another_order_goes_to_a_person(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let (_, other_order, _) = ordered(&bureau, &mut phone).await;
    let (case, _, visit) = ordered(&bureau, &mut phone).await;
    phone.arrive(&bureau, &visit, &other_order, 10);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(newest(&view)["conclusion"], "needs_review");
    assert!(has_flag(newest(&view), "order_not_named"));
}

on_each_engine!(
    a_claim_is_proven_by_when_a_colleague_delivered_it,
    the_first_anchor_of_a_boot_attests_what_came_before_it,
    a_settled_review_stays_settled,
    a_gap_in_the_chain_that_is_filled_weighs_no_more,
    a_receipt_that_moves_the_start_moves_the_verdict,
    a_slow_request_whose_answer_is_lost_does_not_hurt,
    a_phone_that_throws_answers_away_cannot_date_its_claim_back,
    a_phone_restored_from_a_backup_keeps_its_verdicts,
    a_claim_that_names_another_order_goes_to_a_person,
);

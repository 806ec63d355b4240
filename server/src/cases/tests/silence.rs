//! What happens when nobody says anything: exactly once, whatever the clock or the process does.

use serde_json::{Value, json};

use super::bureau::{Bureau, MINUTE, OTHER_SQUAD, SQUAD, clock};
use crate::store::testing::{TestStore, on_each_engine};

async fn an_order_nobody_confirms_counts_as_received_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let issued = bureau.app.now();
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    bureau.clock.advance(5 * MINUTE - 1);
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&case).await["phase"], "ordered");
    bureau.clock.advance(20 * MINUTE);
    bureau.run_jobs().await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "received");
    let receipts = view["orders"][0]["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0]["receipt"], json!({ "how": "deemed" }));
    let t0 = issued.plus(5 * MINUTE).0;
    assert_eq!(receipts[0]["at"], t0, "at five minutes, however late the hub looked");
    assert_eq!(clock(&view, "arrival")["due"], t0 + 60 * MINUTE);
}

async fn silence_past_the_deadline_climbs_the_ladder_step_by_step(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    bureau.clock.advance(65 * MINUTE);
    bureau.run_jobs().await;
    assert!(steps(&bureau.case(&case).await).is_empty(), "the deadline itself is in time");
    bureau.clock.advance(1);
    bureau.run_jobs().await;
    assert_eq!(steps(&bureau.case(&case).await), [0]);
    bureau.clock.advance(-30 * MINUTE);
    bureau.run_jobs().await;
    bureau.clock.advance(30 * MINUTE);
    bureau.run_jobs().await;
    assert_eq!(steps(&bureau.case(&case).await), [0], "a clock set back repeats nothing");
    bureau.clock.advance(300 * MINUTE);
    bureau.run_jobs().await;
    bureau.run_jobs().await;
    assert_eq!(steps(&bureau.case(&case).await), [0, 1, 2], "what was missed is made up for");
}

async fn a_withdrawn_order_escalates_no_more(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    bureau.clock.advance(10 * MINUTE);
    bureau.run_jobs().await;
    let path = format!("/v1/cases/{case}/orders/{order}/withdrawal");
    let view = bureau.post(&path, json!({ "reason": "not theirs" })).await.ok();
    assert_eq!(view["phase"], "registered");
    assert_eq!(clock(&view, "arrival")["because"], "order_withdrawn");
    assert_eq!(clock(&view, "dispatch")["state"], "running", "it waits for an order again");
    bureau.clock.advance(600 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert!(steps(&view).is_empty());
    assert_eq!(clock(&view, "dispatch")["state"], "breached");
}

async fn coordination_stops_the_clock_and_a_new_order_starts_another(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    bureau.clock.advance(15 * MINUTE);
    bureau.run_jobs().await;
    let path = format!("/v1/cases/{case}/coordination");
    let view = bureau.post(&path, json!({ "text": "whose road is it?" })).await.ok();
    assert_eq!(view["phase"], "coordinating");
    bureau.clock.advance(500 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(clock(&view, "arrival")["state"], "paused");
    assert_eq!(clock(&view, "arrival")["remaining_ms"], 50 * MINUTE);
    assert!(steps(&view).is_empty());
    bureau.order(&case, OTHER_SQUAD).await;
    bureau.clock.advance(66 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert!(steps(&view).is_empty(), "the first order is over");
    assert_eq!(view["orders"][1]["overdue"].as_array().unwrap().len(), 1);
}

fn steps(case: &Value) -> Vec<u64> {
    let taken = case["orders"][0]["overdue"].as_array().unwrap();
    let mut steps: Vec<_> = taken.iter().map(|one| one["step"].as_u64().unwrap()).collect();
    steps.sort_unstable();
    steps
}

on_each_engine!(
    an_order_nobody_confirms_counts_as_received_once,
    silence_past_the_deadline_climbs_the_ladder_step_by_step,
    a_withdrawn_order_escalates_no_more,
    coordination_stops_the_clock_and_a_new_order_starts_another,
);

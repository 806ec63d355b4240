//! What phones bring back from the field.

use axum::http::Method;
use onscene_sync_core::fact::body::Outcome;
use serde_json::json;

use super::bureau::{Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, clock, text};
use super::phone::Phone;
use crate::auth::Role;
use crate::cases::project::faults;
use crate::store::StoreError;
use crate::store::testing::{TestStore, on_each_engine};

async fn a_case_goes_from_the_call_to_its_closure(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    assert_eq!(bureau.case(&case).await["phase"], "registered");
    bureau.clock.advance(2 * MINUTE);
    let order = bureau.order(&case, SQUAD).await;
    bureau.clock.advance(MINUTE);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "received");
    assert_eq!(view["orders"][0]["receipts"][0]["receipt"]["how"], "device");
    let visit = text(&view["orders"][0]["inspection"]);

    bureau.clock.advance(20 * MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    let verdict = &view["orders"][0]["claims"][0]["verdicts"][0];
    assert_eq!(view["orders"][0]["arrival"], "on_time", "{verdict}");
    assert_eq!(verdict["verdict"]["grade"], "proven");
    assert_eq!(verdict["verdict"]["place"], "proven_inside");
    assert!(text(&verdict["because"][0]["zh"]).contains('窗'), "{}", verdict["because"]);
    assert_eq!(view["phase"], "on_scene");
    assert_eq!(clock(&view, "arrival")["state"], "met");

    phone.conclude(&bureau, &visit, Outcome::Corrected);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "fed_back");
    assert_eq!(view["orders"][0]["feedback"][0]["result"], "corrected");
    assert_eq!(clock(&view, "on_the_spot_feedback")["state"], "met");
    assert_eq!(clock(&view, "complainant_feedback")["state"], "running");

    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    let told = json!({ "text": "the stalls are gone" });
    bureau.post(&path("telling"), told).await.ok();
    let opinion = json!({ "opinion": "partly", "reason": "they may come back" });
    bureau.post(&path("opinions"), opinion).await.ok();
    let view = bureau.post(&path("closure"), json!({ "text": "done" })).await.ok();
    assert_eq!(view["phase"], "closed");
    assert!(
        view["clocks"].as_array().unwrap().iter().all(|clock| clock["state"] == "met"),
        "{view}"
    );
}

async fn an_offline_claim_in_time_answers_the_escalation(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    bureau.clock.advance(30 * MINUTE);
    phone.arrive(&bureau, &visit, &order, 10);
    bureau.clock.advance(60 * MINUTE);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(clock(&view, "arrival")["state"], "breached");
    assert_eq!(view["orders"][0]["overdue"][0]["answered"], false);
    assert_eq!(
        bureau.get("/v1/cases?overdue=true").await.ok()["cases"].as_array().unwrap().len(),
        1
    );

    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    let verdict = &view["orders"][0]["claims"][0]["verdicts"][0]["verdict"];
    assert_eq!(verdict["conclusion"], "on_time", "{verdict}");
    assert_eq!(verdict["grade"], "attested", "by the boot clock since the anchor");
    assert_eq!(clock(&view, "arrival")["state"], "met");
    assert_eq!(view["orders"][0]["overdue"][0]["answered"], true, "it stays, marked answered");
    assert!(
        bureau.get("/v1/cases?overdue=true").await.ok()["cases"].as_array().unwrap().is_empty()
    );
}

async fn a_claim_from_elsewhere_does_not_stop_the_clock(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    phone.arrive(&bureau, &visit, &order, 2_000);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    let claim = &view["orders"][0]["claims"][0];
    assert_eq!(claim["conclusion"], "not_on_scene", "{claim}");
    assert_eq!(view["phase"], "received");
    assert_eq!(clock(&view, "arrival")["state"], "running");
}

async fn work_for_a_lost_order_is_kept_marked_and_settled_by_a_person(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut old = Phone::new(&bureau, 1, SQUAD).await;
    let mut new = Phone::new(&bureau, 2, OTHER_SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    old.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    bureau.clock.advance(10 * MINUTE);
    old.arrive(&bureau, &visit, &order, 10);
    bureau.order(&case, OTHER_SQUAD).await;
    new.catch_up(&bureau).await;
    assert!(new.holds(&case));
    old.catch_up(&bureau).await;
    assert!(!old.holds(&case), "the case left the squad's feed");

    let view = bureau.case(&case).await;
    let (first, second) = (&view["orders"][0], &view["orders"][1]);
    assert!(first["withdrawn"].is_object() && second["withdrawn"].is_null());
    let verdict = &first["claims"][0]["verdicts"][0];
    assert_eq!(verdict["verdict"]["conclusion"], "needs_review", "{verdict}");
    assert!(verdict["verdict"]["flags"].to_string().contains("scope_lost"));

    let path = format!("/v1/cases/{case}/verdicts/{}/settlement", text(&verdict["id"]));
    let ruling = |reason: &str| json!({ "ruling": "on_time", "reason": reason });
    let supervisor = (Role::Supervisor, DISTRICT);
    bureau.post(&path, ruling("seen")).await.refused(403, "forbidden");
    let detail = bureau.post_as(supervisor, &path, ruling(" ")).await.refused(400, "invalid");
    assert!(detail.contains("`reason`"), "{detail}");
    let view = bureau.post_as(supervisor, &path, ruling("photos show it")).await.ok();
    let claim = &view["orders"][0]["claims"][0];
    assert_eq!(claim["conclusion"], "on_time");
    assert_eq!(claim["settlements"][0]["reason"], "photos show it");
    assert_eq!(claim["verdicts"][0]["verdict"]["conclusion"], "needs_review", "it stays");
}

async fn outcomes_that_differ_are_progress_until_somebody_decides(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut one = Phone::new(&bureau, 1, SQUAD).await;
    let mut two = Phone::new(&bureau, 2, SQUAD).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    one.catch_up(&bureau).await;
    two.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    one.conclude(&bureau, &visit, Outcome::AlreadyGone);
    two.conclude(&bureau, &visit, Outcome::LongTerm);
    one.sync(&bureau).await;
    two.sync(&bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    let order = &view["orders"][0];
    assert_eq!(order["conflict"], true);
    assert_eq!(order["outcomes"].as_array().unwrap().len(), 2, "neither is dropped");
    assert!(order["feedback"].as_array().unwrap().iter().all(|one| one["result"].is_null()));
    assert_eq!(view["phase"], "in_progress");

    one.catch_up(&bureau).await;
    one.conclude(&bureau, &visit, Outcome::AlreadyGone);
    one.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!(view["orders"][0]["conflict"], false);
    assert_eq!(view["phase"], "fed_back");
    assert_eq!(view["orders"][0]["feedback"].as_array().unwrap().len(), 3);
}

async fn an_order_is_received_when_a_phone_says_so(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    // The first answer brings the order; until the phone says so, nobody knows that it arrived.
    phone.sync(&bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "ordered");
    let visit = text(&view["orders"][0]["inspection"]);
    phone.accept(&bureau, &visit, &order);
    phone.sync(&bureau).await;
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!(view["phase"], "received");
    assert_eq!(view["orders"][0]["receipts"].as_array().unwrap().len(), 1, "stated once");
    let leader = (Role::UnitLeader, SQUAD);
    let path = format!("/v1/cases/{case}/orders/{order}/receipt");
    let again = bureau.send(leader, Method::POST, &path, None, Some(b"{}".to_vec())).await;
    assert_eq!(again.status, 200, "received already: nothing new is stated");
}

async fn a_complainant_told_on_scene_is_told(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    for (told, phase) in [(Some(true), "told"), (Some(false), "fed_back")] {
        let case = bureau.register().await;
        bureau.order(&case, SQUAD).await;
        phone.catch_up(&bureau).await;
        let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
        bureau.clock.advance(MINUTE);
        phone.report(&bureau, &visit, Outcome::Stopped, told);
        phone.catch_up(&bureau).await;
        assert_eq!(bureau.case(&case).await["phase"], phase);
    }
}

async fn a_row_that_is_not_what_the_facts_say_is_found(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    phone.arrive(&bureau, &visit, &order, 10);
    phone.catch_up(&bureau).await;
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    let tampered = bureau.app.store.with_tx("test", (), |tx, ()| {
        Box::pin(async move {
            let sql = "UPDATE case_row SET verdict = 'late' WHERE verdict = 'on_time'";
            sqlx::query(sql).execute(tx.conn()).await.map_err(StoreError::from)
        })
    });
    assert_eq!(tampered.await.unwrap().rows_affected(), 1);
    let found = faults(&bureau.app.store).await.unwrap();
    assert!(found.len() == 1 && found[0].contains(&case), "{found:?}");
}

on_each_engine!(
    a_complainant_told_on_scene_is_told,
    a_row_that_is_not_what_the_facts_say_is_found,
    a_case_goes_from_the_call_to_its_closure,
    an_offline_claim_in_time_answers_the_escalation,
    a_claim_from_elsewhere_does_not_stop_the_clock,
    work_for_a_lost_order_is_kept_marked_and_settled_by_a_person,
    outcomes_that_differ_are_progress_until_somebody_decides,
    an_order_is_received_when_a_phone_says_so,
);

//! The complainant told or not to be reached, heard, and the case closed and opened again.

use onscene_sync_core::fact::body::Outcome;
use onscene_sync_core::id::UnitId;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, MINUTE, SQUAD, clock, text, vending};
use super::phone::Phone;
use crate::auth::Role;
use crate::cases::project::faults;
use crate::store::testing::{TestStore, on_each_engine};

const DAY: i64 = 24 * 60 * MINUTE;
const SUPERVISOR: (Role, UnitId) = (Role::Supervisor, DISTRICT);

fn missing(problem: &Value) -> Vec<&str> {
    problem["missing"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

async fn a_refusal_to_close_names_all_that_is_missing(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    let closure = path("closure");
    let close = || bureau.post(&closure, json!({ "text": "done" }));
    let refused = close().await;
    assert_eq!((refused.status, missing(&refused.body)), (409, vec!["result"]));
    let order = bureau.worked(&case, "corrected").await;
    let refused = close().await;
    assert_eq!(missing(&refused.body), ["telling"]);
    let detail = refused.refused(409, "not_done");
    assert!(detail.contains("cannot be reached"), "{detail}");
    assert_eq!(bureau.case(&case).await["missing"], json!(["telling"]), "the case shows it too");

    bureau
        .post(&path("opinions"), json!({ "opinion": "satisfied" }))
        .await
        .refused(409, "not_told");
    bureau.post(&path("telling"), json!({ "text": "told" })).await.ok();
    assert_eq!(missing(&close().await.body), ["opinion"]);
    let without_reason = json!({ "opinion": "not_satisfied" });
    bureau.post(&path("opinions"), without_reason).await.refused(400, "invalid");
    let discontent = json!({ "opinion": "not_satisfied", "reason": "still there" });
    let view = bureau.post(&path("opinions"), discontent).await.ok();
    assert_eq!(missing(&close().await.body), ["decision"]);
    let opinion = text(&view["opinions"][0]["id"]);
    assert_eq!(view["opinions"][0]["open"], true);
    let open = "/v1/cases?counted_in=opinion_open";
    assert_eq!(bureau.get(open).await.ok()["cases"][0]["id"], case, "somebody has to look");

    let settle = |decision: &str| {
        let body = json!({ "decision": decision, "reason": "seen the photos" });
        let path = path(&format!("opinions/{opinion}/settlement"));
        let bureau = &bureau;
        async move { bureau.post(&path, body).await }
    };
    let view = settle("return").await.ok();
    assert_eq!((&view["phase"], &view["missing"]), (&json!("returned"), &json!(["result"])));
    assert_eq!(view["orders"][0]["returns"][0]["reason"], "seen the photos");
    settle("close").await.refused(409, "settled");
    bureau.clock.advance(MINUTE);
    let feedback = path(&format!("orders/{order}/feedback"));
    bureau.post(&feedback, json!({ "result": "stopped" })).await.ok();
    assert_eq!(missing(&close().await.body), ["telling"], "of the new result");
    assert_eq!(bureau.finish(&case).await["phase"], "closed");
    assert!(faults(&bureau.app.store).await.unwrap().is_empty());
}

async fn discontent_that_a_person_lets_stand_closes_the_case(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.worked(&case, "penalised").await;
    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    let opinion = json!({ "opinion": "not_satisfied", "reason": "the fine is too low" });
    let told = json!({ "text": "fined", "opinion": opinion });
    let view = bureau.post(&path("telling"), told).await.ok();
    let opinion = text(&view["opinions"][0]["id"]);
    let stand = json!({ "decision": "close", "reason": "the law allows no more" });
    bureau.post(&path(&format!("opinions/{opinion}/settlement")), stand).await.ok();
    let closed = bureau.post(&path("closure"), json!({ "text": "done" })).await.ok();
    assert_eq!(closed["opinions"][0]["settled"][0]["decision"], "close");
    let figures = bureau.get("/v1/statistics?month=2026-11").await.ok();
    let rates = figures["total"]["rates"].as_array().unwrap();
    let satisfaction = rates.iter().find(|rate| rate["name"] == "satisfaction").unwrap();
    assert_eq!((&satisfaction["met"], &satisfaction["of"]), (&json!(0), &json!(1)));
}

async fn who_cannot_be_reached_on_two_days_need_not_be_told(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.worked(&case, "stopped").await;
    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    let attempts = path("attempts");
    let attempt = |why: &'static str| {
        bureau.post(&attempts, json!({ "why": why, "text": "rang for a minute" }))
    };
    attempt("not_delivered").await.refused(400, "invalid");
    attempt("no_answer").await.ok();
    bureau.clock.advance(60 * MINUTE);
    assert_eq!(attempt("no_answer").await.ok()["missing"], json!(["telling"]));
    bureau.clock.advance(DAY);
    let view = attempt("wrong_number").await.ok();
    assert_eq!(view["missing"], json!([]));
    assert_eq!(clock(&view, "complainant_feedback")["state"], "lifted");
    let view = bureau.post(&path("closure"), json!({ "text": "not to be reached" })).await.ok();
    assert_eq!(view["not_reached"].as_array().unwrap().len(), 3, "on record");
}

async fn anonymous_is_only_who_left_no_number(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut known = vending();
    known["complainant"] = json!({ "number": "13812345678" });
    let known = text(&bureau.post("/v1/cases", known).await.ok()["id"]);
    let nobody = bureau.register().await;
    let body = json!({ "why": "anonymous", "text": "left nothing" });
    for case in [&known, &nobody] {
        let path = format!("/v1/cases/{case}/attempts");
        bureau.post(&path, body.clone()).await.refused(409, "nothing_to_tell");
        bureau.worked(case, "stopped").await;
    }
    let path = |case: &str| format!("/v1/cases/{case}/attempts");
    bureau.post(&path(&known), body.clone()).await.refused(409, "complainant_known");
    assert_eq!(bureau.post(&path(&nobody), body).await.ok()["missing"], json!([]));
}

async fn what_lacks_nothing_closes_by_itself_after_a_week(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut done = Vec::new();
    for _ in 0..2 {
        let case = bureau.register().await;
        bureau.worked(&case, "stopped").await;
        let told = json!({ "text": "told", "opinion": { "opinion": "partly", "reason": "slow" } });
        bureau.post(&format!("/v1/cases/{case}/telling"), told).await.ok();
        done.push(case);
    }
    let waiting = bureau.register().await;
    bureau.worked(&waiting, "stopped").await;
    bureau.clock.advance(5 * DAY);
    // Something new begins the week again.
    let again = json!({ "text": "told once more" });
    bureau.post(&format!("/v1/cases/{}/telling", done[1]), again).await.ok();
    bureau.clock.advance(2 * DAY - 1);
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&done[0]).await["phase"], "told");
    bureau.clock.advance(1);
    bureau.run_jobs().await;
    let view = bureau.case(&done[0]).await;
    assert_eq!((&view["phase"], &view["closures"][0]["by"]), (&json!("closed"), &Value::Null));
    assert_eq!(bureau.case(&done[1]).await["phase"], "told");
    bureau.clock.advance(5 * DAY);
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&done[1]).await["phase"], "closed");
    assert_eq!(
        bureau.case(&waiting).await["phase"],
        "fed_back",
        "a person closes what lacks something"
    );
}

async fn a_closed_case_opens_again_for_a_reason_that_is_on_record(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.worked(&case, "stopped").await;
    bureau.finish(&case).await;
    bureau.clock.advance(DAY);
    let path = format!("/v1/cases/{case}/reopening");
    let because = |cause: &str| json!({ "text": "they are back", "cause": cause });
    bureau.post(&path, because("finding")).await.refused(409, "no_finding");
    bureau.post(&path, because("supervisor")).await.refused(400, "invalid");
    bureau
        .post_as((Role::UnitLeader, SQUAD), &path, because("new_call"))
        .await
        .refused(403, "forbidden");
    let view = bureau.post(&path, because("new_call")).await.ok();
    assert_eq!(
        (&view["phase"], &view["closures"][1]["cause"]),
        (&json!("reopened"), &json!("new_call"))
    );
    let dispatch = clock(&view, "dispatch");
    assert_eq!(dispatch["started_at"], view["closures"][1]["at"], "a new order is owed from now");
    bureau.clock.advance(MINUTE);
    bureau.worked(&case, "corrected").await;
    bureau.finish(&case).await;
    bureau.clock.advance(MINUTE);
    let view = bureau.post_as(SUPERVISOR, &path, json!({ "text": "look again" })).await.ok();
    assert_eq!(view["closures"][3]["cause"], "supervisor");
    assert!(faults(&bureau.app.store).await.unwrap().is_empty());
}

async fn a_result_with_nothing_to_show_is_kept_and_flagged(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut phone = Phone::new(&bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    phone.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    phone.conclude(&bureau, &visit, Outcome::Stopped);
    phone.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    let feedback = &view["orders"][0]["feedback"][0];
    assert_eq!((&feedback["result"], &feedback["unproven"]), (&json!("stopped"), &json!(true)));
    let flagged = bureau.get("/v1/orders?counted_in=result_unproven").await.ok();
    assert_eq!(flagged["orders"].as_array().unwrap().len(), 1, "a person can find it");
    let told = json!({ "text": "told", "opinion": { "opinion": "satisfied" } });
    bureau.post(&format!("/v1/cases/{case}/telling"), told).await.ok();
    bureau.clock.advance(30 * DAY);
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&case).await["phase"], "told", "it does not close unseen");

    bureau.clock.advance(MINUTE);
    phone.conclude(&bureau, &visit, Outcome::Unfounded);
    phone.catch_up(&bureau).await;
    let flagged = bureau.get("/v1/orders?counted_in=result_unproven").await.ok();
    assert!(flagged["orders"].as_array().unwrap().is_empty(), "a consultation needs no evidence");
}

async fn results_that_differ_keep_a_case_open(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut one = Phone::new(&bureau, 1, SQUAD).await;
    let mut two = Phone::new(&bureau, 2, SQUAD).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    one.catch_up(&bureau).await;
    two.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    one.conclude(&bureau, &visit, Outcome::Unfounded);
    two.conclude(&bureau, &visit, Outcome::LongTerm);
    one.sync(&bureau).await;
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&case).await["phase"], "fed_back");
    two.sync(&bureau).await;
    bureau.run_jobs().await;
    let told = json!({ "text": "told", "opinion": { "opinion": "satisfied" } });
    bureau.post(&format!("/v1/cases/{case}/telling"), told).await.ok();
    let refused =
        bureau.post(&format!("/v1/cases/{case}/closure"), json!({ "text": "done" })).await;
    assert_eq!(missing(&refused.body), ["agreement"]);
}

async fn a_case_whose_team_agrees_after_the_week_closes_by_itself(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut one = Phone::new(&bureau, 1, SQUAD).await;
    let mut two = Phone::new(&bureau, 2, SQUAD).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    one.catch_up(&bureau).await;
    two.catch_up(&bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    let stands = one.conclude(&bureau, &visit, Outcome::Unfounded);
    two.conclude(&bureau, &visit, Outcome::LongTerm);
    one.catch_up(&bureau).await;
    two.catch_up(&bureau).await;
    one.catch_up(&bureau).await;
    let told = json!({ "text": "told", "opinion": { "opinion": "satisfied" } });
    bureau.post(&format!("/v1/cases/{case}/telling"), told).await.ok();
    bureau.clock.advance(7 * DAY);
    bureau.run_jobs().await;
    bureau.clock.advance(DAY);
    bureau.run_jobs().await;
    let view = bureau.case(&case).await;
    assert_eq!((&view["phase"], &view["missing"]), (&json!("told"), &json!(["agreement"])));
    // They settle on the result that stands: nothing of it is stated in the case.
    let before = view["orders"][0]["feedback"].clone();
    one.choose(&visit, stands);
    one.catch_up(&bureau).await;
    let view = bureau.case(&case).await;
    assert_eq!((&view["orders"][0]["feedback"], &view["missing"]), (&before, &json!([])));
    bureau.clock.advance(DAY);
    bureau.run_jobs().await;
    assert_eq!(bureau.case(&case).await["phase"], "closed");
}

on_each_engine!(
    a_refusal_to_close_names_all_that_is_missing,
    discontent_that_a_person_lets_stand_closes_the_case,
    who_cannot_be_reached_on_two_days_need_not_be_told,
    anonymous_is_only_who_left_no_number,
    what_lacks_nothing_closes_by_itself_after_a_week,
    a_closed_case_opens_again_for_a_reason_that_is_on_record,
    a_result_with_nothing_to_show_is_kept_and_flagged,
    results_that_differ_keep_a_case_open,
    a_case_whose_team_agrees_after_the_week_closes_by_itself,
);

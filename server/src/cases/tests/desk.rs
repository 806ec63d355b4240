//! What people at desks may do, and what they see.

use axum::http::Method;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, text, vending};
use crate::auth::Role;
use crate::store::testing::{TestStore, on_each_engine};

const DISPATCHER: (Role, onscene_sync_core::id::UnitId) = (Role::Dispatcher, DISTRICT);

async fn a_command_sent_twice_is_done_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let send = |key: &'static str, body: Value| {
        let body = Some(body.to_string().into_bytes());
        bureau.send(DISPATCHER, Method::POST, "/v1/cases", Some(key), body)
    };
    let first = send("call-17", vending()).await.ok();
    bureau.clock.advance(MINUTE);
    assert_eq!(send("call-17", vending()).await.ok(), first, "the reply of the first time");
    let mut other = vending();
    other["summary"] = json!("another matter");
    send("call-17", other).await.refused(422, "idempotency_key_reused");
    assert_ne!(send("call-18", vending()).await.ok()["id"], first["id"]);
    let cases = bureau.get("/v1/cases").await.ok();
    assert_eq!(cases["cases"].as_array().unwrap().len(), 2);
}

async fn a_refused_command_leaves_its_key_free(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut wrong = vending();
    wrong["summary"] = json!("  ");
    let send = |body: Value| {
        let body = Some(body.to_string().into_bytes());
        bureau.send(DISPATCHER, Method::POST, "/v1/cases", Some("once"), body)
    };
    send(wrong).await.refused(400, "invalid");
    send(vending()).await.ok();
}

async fn lists_are_cut_into_pages_and_filtered(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut registered = Vec::new();
    for _ in 0..5 {
        registered.push(bureau.register().await);
        bureau.clock.advance(1);
    }
    registered.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/cases?limit=2".to_owned();
    for _ in 0..3 {
        let page = bureau.get(&path).await.ok();
        seen.extend(page["cases"].as_array().unwrap().iter().map(|case| text(&case["id"])));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/cases?limit=2&after={next}");
    }
    assert_eq!(seen, registered, "newest first, none twice");
    let numbers = bureau.get("/v1/cases").await.ok();
    assert_eq!(numbers["cases"][0]["number"], "20261123-0005");

    bureau.order(&registered[0], SQUAD).await;
    bureau.order(&registered[1], OTHER_SQUAD).await;
    let count = |path: String| {
        let bureau = &bureau;
        async move { bureau.get(&path).await.ok()["cases"].as_array().unwrap().len() }
    };
    assert_eq!(count("/v1/cases?phase=ordered".to_owned()).await, 2);
    assert_eq!(count(format!("/v1/cases?unit={SQUAD}")).await, 1);
    assert_eq!(count(format!("/v1/cases?unit={DISTRICT}")).await, 2, "a unit and all below it");
    assert_eq!(count("/v1/cases?needs_review=true".to_owned()).await, 0);
    assert_eq!(count("/v1/cases?overdue=false".to_owned()).await, 5);
    for wrong in ["limit=0", "limit=9999", "after=x", "phase=done", "colour=red"] {
        bureau.get(&format!("/v1/cases?{wrong}")).await.refused(400, "invalid");
    }
}

async fn everybody_sees_only_what_is_theirs(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let path = format!("/v1/cases/{case}");
    let look = |who| bureau.send(who, Method::GET, &path, None, None);
    look((Role::UnitLeader, SQUAD)).await.refused(404, "not_found");
    let order = bureau.order(&case, SQUAD).await;
    look((Role::UnitLeader, SQUAD)).await.ok();
    look((Role::Supervisor, DISTRICT)).await.ok();
    look((Role::UnitLeader, OTHER_SQUAD)).await.refused(404, "not_found");
    look((Role::Administrator, DISTRICT)).await.refused(403, "forbidden");

    let receipt = format!("/v1/cases/{case}/orders/{order}/receipt");
    let foreign = (Role::UnitLeader, OTHER_SQUAD);
    bureau.post_as(foreign, &receipt, json!({})).await.refused(404, "not_found");
    let own = (Role::UnitLeader, SQUAD);
    bureau.post_as(own, "/v1/cases", vending()).await.refused(403, "forbidden");
    let orders = format!("/v1/cases/{case}/orders");
    bureau.post_as(own, &orders, json!({ "unit": SQUAD })).await.refused(403, "forbidden");
    let view = bureau.post_as(own, &receipt, json!({})).await.ok();
    assert_eq!(view["orders"][0]["receipts"][0]["receipt"]["how"], "desk");
}

async fn acts_that_do_not_fit_are_refused_with_a_way_out(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    let on_case = |what: &str| format!("/v1/cases/{case}/{what}");
    let on_order = |what: &str| format!("/v1/cases/{case}/orders/{order}/{what}");
    let text = json!({ "text": "so" });
    let reason = json!({ "reason": "because" });
    let unit = json!({ "unit": SQUAD });
    bureau.post(&on_case("orders"), unit).await.refused(409, "already_ordered");
    bureau.post(&on_case("closure"), text.clone()).await.refused(409, "not_done");
    bureau.post(&on_case("telling"), text.clone()).await.refused(409, "nothing_to_tell");
    bureau.post(&on_case("reopening"), text.clone()).await.refused(409, "case_open");
    bureau.post(&on_order("returns"), reason.clone()).await.refused(409, "nothing_to_return");

    bureau.post(&on_order("feedback"), json!({ "result": "unfounded" })).await.ok();
    let view = bureau.post(&on_order("returns"), reason.clone()).await.ok();
    assert_eq!(view["phase"], "returned");
    bureau.post(&on_case("closure"), text.clone()).await.refused(409, "not_done");
    let mut urged = Vec::new();
    for _ in 0..2 {
        bureau.post(&on_order("urges"), reason.clone()).await.ok();
        let twice = bureau.post(&on_order("urges"), reason.clone()).await.ok();
        urged.push(twice["orders"][0]["urges"].as_array().unwrap().len());
        bureau.clock.advance(1);
    }
    assert_eq!(urged, [1, 2], "the same words in the same millisecond are one urge");
    bureau.post(&on_order("feedback"), json!({ "result": "stopped" })).await.ok();
    bureau.finish(&case).await;
    bureau.post(&on_order("urges"), reason).await.refused(409, "order_over");
    bureau.post(&on_case("orders"), json!({ "unit": SQUAD })).await.refused(409, "case_closed");
    bureau.clock.advance(1);
    bureau.post(&on_case("reopening"), text).await.ok();
    bureau.clock.advance(1);
    let view = bureau.post(&on_case("orders"), json!({ "unit": SQUAD })).await.ok();
    assert_eq!(view["phase"], "ordered");
}

on_each_engine!(
    a_command_sent_twice_is_done_once,
    a_refused_command_leaves_its_key_free,
    lists_are_cut_into_pages_and_filtered,
    everybody_sees_only_what_is_theirs,
    acts_that_do_not_fit_are_refused_with_a_way_out,
);

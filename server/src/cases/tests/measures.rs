//! Steps of supervision: those that the rule takes, and those that supervisors take.

use axum::http::Method;
use serde_json::{Value, json};

use super::bureau::{Answer, Bureau, DISTRICT, OTHER_SQUAD, SQUAD, text};
use crate::auth::Role;
use crate::cases::project;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    the_third_urge_or_return_opens_a_referral_by_itself,
    a_supervisor_takes_a_step_and_says_what_came_of_it,
    steps_that_do_not_fit_are_refused,
    a_row_that_says_otherwise_is_found,
);

const SUPERVISOR: (Role, onscene_sync_core::id::UnitId) = (Role::Supervisor, DISTRICT);

async fn measures(
    bureau: &Bureau,
    who: (Role, onscene_sync_core::id::UnitId),
    query: &str,
) -> Answer {
    bureau.send(who, Method::GET, &format!("/v1/measures{query}"), None, None).await
}

async fn the_third_urge_or_return_opens_a_referral_by_itself(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    let on_order = |what: &str| format!("/v1/cases/{case}/orders/{order}/{what}");
    let because = |n: u8| json!({ "reason": format!("number {n}") });
    bureau.post(&on_order("feedback"), json!({ "result": "unfounded" })).await.ok();
    for (n, what) in [(1, "returns"), (2, "urges")] {
        bureau.clock.advance(1000);
        let view = bureau.post(&on_order(what), because(n)).await.ok();
        assert_eq!(view["measures"], json!([]), "after number {n}");
    }
    bureau.clock.advance(1000);
    let view = bureau.post(&on_order("urges"), because(3)).await.ok();
    let referral = &view["measures"][0];
    assert_eq!(
        (&referral["step"], &referral["cause"], &referral["by"]),
        (&json!("accountability_referral"), &json!("urges_and_returns"), &Value::Null)
    );
    let listed = measures(&bureau, SUPERVISOR, "?open=true").await.ok();
    assert_eq!(listed["measures"][0]["id"], referral["id"]);
    assert_eq!(listed["measures"][0]["unit"], json!(SQUAD));
    let own = measures(&bureau, (Role::UnitLeader, SQUAD), "").await.ok();
    assert_eq!(own["measures"].as_array().map(Vec::len), Some(1));
    let others = measures(&bureau, (Role::UnitLeader, OTHER_SQUAD), "").await.ok();
    assert_eq!(others["measures"], json!([]), "another squad's is not shown");
}

async fn a_supervisor_takes_a_step_and_says_what_came_of_it(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    let path = format!("/v1/cases/{case}/measures");
    let mut taken = Vec::new();
    for step in ["order_to_correct", "circulated_criticism", "accountability_referral"] {
        bureau.clock.advance(1000);
        let body = json!({ "step": step, "order": order, "reason": "nobody went" });
        let view = bureau.post_as(SUPERVISOR, &path, body).await.ok();
        taken.push(text(&view["measures"].as_array().unwrap().last().unwrap()["id"]));
    }
    let end = format!("{path}/{}/conclusion", taken[0]);
    bureau.clock.advance(1000);
    let view = bureau.post_as(SUPERVISOR, &end, json!({ "text": "they went" })).await.ok();
    assert_eq!(view["measures"][0]["concluded"][0]["text"], "they went");
    let again = bureau.post_as(SUPERVISOR, &end, json!({ "text": "did they?" })).await;
    again.refused(409, "already_concluded");

    let open = measures(&bureau, SUPERVISOR, "?open=true").await.ok();
    assert_eq!(open["measures"].as_array().map(Vec::len), Some(2));
    let first = measures(&bureau, SUPERVISOR, "?limit=2").await.ok();
    assert_eq!(text(&first["measures"][0]["id"]), taken[2], "newest first");
    let next = text(&first["next"]);
    let last = measures(&bureau, SUPERVISOR, &format!("?limit=2&after={next}")).await.ok();
    assert_eq!(text(&last["measures"][0]["id"]), taken[0]);
    assert_eq!(last["next"], Value::Null);
}

async fn steps_that_do_not_fit_are_refused(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    let path = format!("/v1/cases/{case}/measures");
    let step = |order: &str, reason: &str| json!({ "step": "order_to_correct", "order": order, "reason": reason });
    let nothing = "00000000000000000000000000000000";
    let refused = bureau.post_as(SUPERVISOR, &path, step(nothing, "so")).await;
    refused.refused(404, "unknown_order");
    bureau.post_as(SUPERVISOR, &path, step(&order, " ")).await.refused(400, "invalid");
    bureau.post(&path, step(&order, "so")).await.refused(403, "forbidden");
    let leader = (Role::UnitLeader, SQUAD);
    bureau.post_as(leader, &path, step(&order, "so")).await.refused(403, "forbidden");
    let named = bureau.post_as(SUPERVISOR, &path, step(&order, "ring 13812345678")).await;
    assert_eq!(named.status, 422, "{}", named.body);
    let end = format!("{path}/{nothing}/conclusion");
    let refused = bureau.post_as(SUPERVISOR, &end, json!({ "text": "so" })).await;
    refused.refused(404, "unknown_measure");
    measures(&bureau, SUPERVISOR, "?limit=0").await.refused(400, "invalid");
    measures(&bureau, SUPERVISOR, "?after=x").await.refused(400, "invalid");
    assert_eq!(bureau.count("measure").await, 0);
}

async fn a_row_that_says_otherwise_is_found(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    let body = json!({ "step": "order_to_correct", "order": order, "reason": "nobody went" });
    bureau.post_as(SUPERVISOR, &format!("/v1/cases/{case}/measures"), body).await.ok();
    assert_eq!(project::faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    let forge = bureau.app.store.with_tx("test", (), |tx, ()| {
        Box::pin(async move {
            sqlx::query("UPDATE measure SET concluded_at = 1").execute(tx.conn()).await?;
            Ok::<_, crate::store::StoreError>(())
        })
    });
    forge.await.unwrap();
    let faults = project::faults(&bureau.app.store).await.unwrap();
    assert!(faults.len() == 1 && faults[0].contains("its measures are"), "{faults:?}");
}

//! Storing, reading, asking, erasing; and texts that would give somebody away.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Bureau, because, wang};
use crate::auth::Role;
use crate::auth::Role::{Auditor, Dispatcher, Inspector, Leader, Supervisor};
use crate::random::SystemRandom;
use crate::store::testing::{TestStore, on_each_engine};
use crate::vault::rotate::{Rotation, rotate};

async fn a_look_is_answered_with_the_readers_name_and_stands_in_the_log(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let revealed = bureau.post(Dispatcher, "complainant/reads", because()).await;
    assert_eq!(revealed.headers["cache-control"], "no-store");
    let revealed = revealed.ok();
    assert_eq!(revealed["complainant"], wang());
    let watermark = revealed["watermark"].as_str().unwrap();
    assert_eq!(watermark, "A dispatcher · 20261123-0001 · 2026-11-23 08:00:00");
    let reads = bureau.get(Auditor, "complainant/reads").await.ok();
    assert_eq!(reads["reads"][0]["purpose"], "tell_result");
    assert_eq!(reads["reads"][0]["reason"], "the stalls are gone");
    let entries = bureau
        .call(Auditor, Method::GET, &format!("/v1/audit?subject={}", bureau.case), None)
        .await
        .ok();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "complainant_read");
    assert_eq!(entries[0]["person"], reads["reads"][0]["person"]);
    let stored = entries.iter().any(|entry| entry["action"] == "complainant_stored");
    assert!(stored, "{entries:?}");
}

async fn who_may_not_look_gets_nothing_and_a_look_needs_a_purpose(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for role in Role::ALL {
        let answer = bureau.post(role, "complainant/reads", because()).await;
        match role {
            Dispatcher => drop(answer.ok()),
            // Before there is an order the case is the whole bureau's.
            Supervisor => drop(answer.expect(404, "not_found")),
            _ => drop(answer.expect(403, "forbidden")),
        }
    }
    bureau.order().await;
    bureau.post(Supervisor, "complainant/reads", because()).await.ok();
    for wrong in [
        json!({}),
        json!({ "purpose": "curiosity", "reason": "x" }),
        json!({ "purpose": "call_back", "reason": "  " }),
    ] {
        bureau.post(Dispatcher, "complainant/reads", wrong).await.expect(400, "invalid");
    }
    let reads = bureau.get(Auditor, "complainant/reads").await.ok();
    assert_eq!(reads["reads"].as_array().unwrap().len(), 2, "refused looks saw nothing");
}

async fn a_supervisors_phone_is_not_a_desk(store: TestStore) {
    let bureau = Bureau::new(store).await;
    bureau.order().await;
    let person = bureau.world.person(Supervisor, &bureau.top).await;
    let mut phone = crate::auth::tests::kit::Phone::new(7);
    let code = bureau.world.code(&person).await;
    phone.enrol(&bureau.world, &code, false).await.ok();
    let (token, path) = (phone.access.clone(), bureau.at("complainant/reads"));
    let world = &bureau.world;
    let answer = phone.send(world, Method::POST, &path, Some(&token), Some(because())).await;
    answer.expect(403, "desk_only");
    phone.get(world, &path).await.expect(403, "desk_only");
}

async fn what_is_erased_is_gone_for_everybody_and_stays_on_record(store: TestStore) {
    let bureau = Bureau::new(store).await;
    bureau.order().await;
    bureau.post(Dispatcher, "complainant/reads", because()).await.ok();
    let path = bureau.at("complainant");
    let erase = || bureau.call(Supervisor, Method::DELETE, &path, None);
    let held = erase().await.ok();
    assert_eq!(held["complainant"]["erased_at"], bureau.world.app.now().0);
    erase().await.expect(410, "complainant_erased");
    bureau.call(Leader, Method::DELETE, &path, None).await.expect(410, "complainant_erased");
    let gone = bureau.post(Dispatcher, "complainant/reads", because()).await;
    gone.expect(410, "complainant_erased");
    let again = bureau.call(Dispatcher, Method::PUT, &path, Some(wang())).await;
    again.expect(410, "complainant_erased");
    let reads = bureau.get(Auditor, "complainant/reads").await.ok();
    assert_eq!(reads["reads"][0]["purpose"], "tell_result", "who looked stays on record");
    assert_eq!(reads["reads"][0]["reason"], Value::Null);
    let left = bureau.world.app.store.with_read("test", (), |tx, ()| {
        Box::pin(async move {
            let sql = "SELECT length(wrapped_key) + length(sealed) AS n FROM complainant \
                 WHERE caller IS NULL";
            use crate::store::RowExt as _;
            sqlx::query(sql).fetch_one(tx.conn()).await?.int("n")
        })
    });
    assert_eq!(left.await.unwrap(), 0, "nothing is left that a key could open");
}

async fn callers_are_recognised_without_being_read(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let spelled = json!({ "number": "+86 １３８ 1234 5678" });
    let second = bureau.register("the same again", Some(spelled)).await;
    let other = bureau.register("another", Some(json!({ "number": "13900000000" }))).await;
    bureau.register("nobody", None).await;
    let held = bureau.get(Dispatcher, "complainant").await.ok();
    let same = held["complainant"]["same_caller"].as_array().unwrap();
    assert_eq!(same.len(), 1);
    assert_eq!(same[0]["case"], json!(second));
    let path = format!("/v1/cases/{other}/complainant");
    let held = bureau.call(Dispatcher, Method::GET, &path, None).await.ok();
    assert_eq!(held["complainant"]["same_caller"], json!([]));
}

async fn intake_is_idempotent_and_says_what_is_wrong_without_repeating_it(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let body = |number: &str| {
        json!({ "class": "help", "channel": "sms", "matter": "noise", "summary": "noise",
            "complainant": { "number": number } })
    };
    let key = bureau.desks[&Dispatcher].clone();
    let send = |body: Value| {
        let headers =
            [("authorization", format!("Bearer {key}")), ("idempotency-key", "call-1".to_owned())];
        let world = &bureau.world;
        async move { world.send(Method::POST, "/v1/cases", &headers, Some(body)).await }
    };
    let first = send(body("13812345678")).await.ok();
    assert_eq!(send(body("13812345678")).await.ok()["id"], first["id"]);
    send(body("13812345679")).await.expect(422, "idempotency_key_reused");
    for wrong in [
        json!({}),
        json!("13812345678"),
        json!({ "number": 13_812_345_678_u64 }),
        json!({ "name": "x".repeat(61) }),
        json!({ "name": "王小丫", "colour": "red" }),
    ] {
        let refused = bureau.try_register("noise", Some(wrong)).await.expect(400, "invalid");
        let shown = refused.body.to_string();
        assert!(!shown.contains("1381234") && !shown.contains("王小丫"), "{shown}");
    }
}

async fn texts_that_give_somebody_away_are_refused_wherever_they_would_travel(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let refused = bureau.try_register("王小丫来电，138 1234 5678", Some(wang())).await;
    let refused = refused.expect(422, "personal_data").body;
    assert_eq!(refused["field"], "summary");
    assert_eq!(refused["places"][0], json!({ "from": 1, "to": 3, "kind": "complainant_name" }));
    assert_eq!(refused["places"].as_array().unwrap().len(), 2);
    let shown = refused.to_string();
    assert!(!shown.contains("王小丫") && !shown.contains("1234"), "{shown}");
    let none = bureau.try_register("身份证11010519491231002X", None).await;
    none.expect(422, "personal_data");

    let order = json!({ "unit": bureau.top, "text": "先到经十路15号院3号楼2单元501室找人" });
    bureau.post(Dispatcher, "orders", order).await.expect(422, "personal_data");
    bureau.order().await;
    let path = format!("/v1/cases/{}", bureau.case);
    let view = bureau.call(Dispatcher, Method::GET, &path, None);
    let order = view.await.ok()["orders"][0]["id"].as_str().unwrap().to_owned();
    let text = json!({ "text": "致电王小丫" });
    let reason = json!({ "reason": "请回13812345678" });
    bureau.post(Dispatcher, "coordination", text.clone()).await.expect(422, "personal_data");
    let urge = format!("orders/{order}/urges");
    bureau.post(Supervisor, &urge, reason.clone()).await.expect(422, "personal_data");
    let withdrawal = format!("orders/{order}/withdrawal");
    bureau.post(Dispatcher, &withdrawal, reason).await.expect(422, "personal_data");
    let feedback = format!("orders/{order}/feedback");
    bureau.post(Dispatcher, &feedback, json!({ "result": "stopped" })).await.ok();
    bureau.post(Dispatcher, "telling", text.clone()).await.expect(422, "personal_data");
    let discontent = json!({ "opinion": "not_satisfied", "reason": "致电王小丫" });
    let told = json!({ "text": "已告知投诉人", "opinion": discontent });
    bureau.post(Dispatcher, "telling", told).await.expect(422, "personal_data");
    let told = json!({ "text": "已告知投诉人", "opinion": { "opinion": "satisfied" } });
    bureau.post(Dispatcher, "telling", told).await.ok();
    bureau.post(Dispatcher, "closure", text).await.expect(422, "personal_data");
    bureau.post(Dispatcher, "closure", json!({ "text": "已告知投诉人" })).await.ok();
}

async fn a_team_asks_the_centre_and_the_words_are_gone_after_half_an_hour(store: TestStore) {
    const HALF: i64 = 30 * 60_000;
    let bureau = Bureau::new(store).await;
    let ask = |words: &str| bureau.post(Inspector, "call-backs", json!({ "question": words }));
    ask("which stall?").await.expect(404, "not_found");
    bureau.order().await;
    ask("ask 王小丫 which stall").await.expect(422, "personal_data");
    let asked = ask("which stall?").await.ok();
    let open = || bureau.call(Dispatcher, Method::GET, "/v1/call-backs", None);
    assert_eq!(open().await.ok()["call_backs"], json!([asked]));
    let path = format!("/v1/call-backs/{}/answer", asked["id"]);
    let answer = |words: &str| {
        bureau.call(Dispatcher, Method::POST, &path, Some(json!({ "answer": words })))
    };
    answer("call 13812345678 yourself").await.expect(422, "personal_data");
    bureau.world.clock.advance(HALF - 1);
    answer("the one at the gate").await.ok();
    answer("the other one").await.expect(409, "already_answered");
    assert_eq!(open().await.ok()["call_backs"], json!([]));
    let seen = bureau.get(Inspector, "call-backs").await.ok();
    assert_eq!(seen["call_backs"][0]["answer"], "the one at the gate");
    ask("and from when to when?").await.ok();
    bureau.world.clock.advance(HALF);
    assert_eq!(bureau.get(Inspector, "call-backs").await.ok()["call_backs"], json!([]));
    answer("late").await.expect(404, "not_found");
    crate::jobs::sweep(&bureau.world.app).await.unwrap();
    let left = bureau.world.app.store.with_read("test", (), |tx, ()| {
        Box::pin(async move {
            use crate::store::RowExt as _;
            let sql = "SELECT count(*) AS n FROM call_back";
            sqlx::query(sql).fetch_one(tx.conn()).await?.int("n")
        })
    });
    assert_eq!(left.await.unwrap(), 0);
}

async fn a_rotation_leaves_everything_readable_and_nothing_under_the_old_key(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for n in 0..5 {
        bureau.register("more", Some(json!({ "name": format!("李{n}") }))).await;
    }
    let app = &bureau.world.app;
    let keys = Arc::clone(&app.keys);
    let rotation =
        Rotation { keys, clock: Arc::clone(&app.clock), random: Arc::clone(&app.random) };
    assert_eq!(rotate(&app.store, rotation.clone()).await.unwrap(), (1, 0), "nothing new");
    app.keys.vault.make(2, &SystemRandom).unwrap();
    assert_eq!(rotate(&app.store, rotation.clone()).await.unwrap(), (2, 6));
    assert_eq!(rotate(&app.store, rotation).await.unwrap(), (2, 0), "it may be run again");
    let old = app.store.with_read("test", (), |tx, ()| {
        Box::pin(async move {
            use crate::store::RowExt as _;
            let sql = "SELECT count(*) AS n FROM complainant WHERE generation <> 2";
            sqlx::query(sql).fetch_one(tx.conn()).await?.int("n")
        })
    });
    assert_eq!(old.await.unwrap(), 0);
    let revealed = bureau.post(Dispatcher, "complainant/reads", because()).await.ok();
    assert_eq!(revealed["complainant"], wang());
    bureau.register("after", Some(wang())).await;
}

on_each_engine!(
    a_look_is_answered_with_the_readers_name_and_stands_in_the_log,
    who_may_not_look_gets_nothing_and_a_look_needs_a_purpose,
    a_supervisors_phone_is_not_a_desk,
    what_is_erased_is_gone_for_everybody_and_stays_on_record,
    callers_are_recognised_without_being_read,
    intake_is_idempotent_and_says_what_is_wrong_without_repeating_it,
    texts_that_give_somebody_away_are_refused_wherever_they_would_travel,
    a_team_asks_the_centre_and_the_words_are_gone_after_half_an_hour,
    a_rotation_leaves_everything_readable_and_nothing_under_the_old_key,
);

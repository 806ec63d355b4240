use axum::http::Method;
use serde_json::json;

use super::{Desks, raised};
use crate::auth::Role::{Administrator, Dispatcher, Inspector};
use crate::store::testing::{TestStore, on_each_engine};

async fn a_bureau_begins_with_the_usual_kinds(store: TestStore) {
    let desks = Desks::new(store).await;
    let all = desks.get(Inspector, "/v1/matters").await.ok();
    let all = all["matters"].as_array().unwrap();
    let keys: Vec<_> = all.iter().map(|matter| matter["key"].as_str().unwrap()).collect();
    for usual in [
        "street_vending",
        "illegal_building",
        "noise",
        "litter",
        "mud_trucks",
        "parking",
        "smoke",
        "outdoor_advertising",
    ] {
        assert!(keys.contains(&usual), "{usual}");
    }
    for planned in &crate::demo::cases::MATTERS {
        let seeded = all.iter().find(|matter| matter["key"] == planned.key).expect(planned.key);
        assert_eq!(seeded["zh"], planned.chinese, "the demonstration says it as the bureau does");
    }
    let noise = desks.get(Dispatcher, "/v1/matters/noise").await;
    assert_eq!(noise.ok()["class"], "complaint");
}

async fn an_unknown_or_closed_kind_is_refused_with_those_that_may_be_meant(store: TestStore) {
    let desks = Desks::new(store).await;
    let wrong = desks.post("/v1/cases", raised("complaint", "steet_vendors", "stalls")).await;
    let detail = wrong.expect(400, "invalid").body["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("`street_vending` (占道经营)"), "{detail}");
    assert!(!detail.contains("`noise`"), "{detail}");

    let close = json!({ "zh": "违规停车", "en": "parking on pavements", "class": "complaint",
        "handling": "on_the_spot", "active": false });
    let seen = desks.tag("parking").await;
    desks.put_matter("parking", Some(&seen), close).await.ok();
    let refused = desks.post("/v1/cases", raised("complaint", "parking", "cars")).await;
    let detail = refused.expect(400, "invalid").body["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("`parking` is closed") && detail.contains("`occupied_road`"),
        "{detail}"
    );
    let cases = desks.get(Dispatcher, "/v1/cases").await.ok();
    assert_eq!(cases["cases"], json!([]), "nothing of it is on record");
}

async fn two_administrators_do_not_undo_each_other_unseen(store: TestStore) {
    let desks = Desks::new(store).await;
    let named =
        |en: &str| json!({ "zh": "共享单车", "en": en, "class": "help", "handling": "complex" });
    desks.put_matter("shared_bikes", None, named("a")).await.expect(428, "no_version");
    desks.put_matter("shared_bikes", Some("7"), named("a")).await.expect(400, "invalid");
    let seen = desks.tag("shared_bikes").await;
    let first = desks.put_matter("shared_bikes", Some(&seen), named("bicycles")).await;
    assert_eq!(first.headers["etag"], desks.tag("shared_bikes").await);
    assert_eq!(first.ok()["en"], "bicycles");
    let late = desks.put_matter("shared_bikes", Some(&seen), named("bikes")).await;
    late.expect(412, "changed_meanwhile");
    let stands = desks.get(Dispatcher, "/v1/matters/shared_bikes").await.ok();
    assert_eq!((stands["en"].as_str(), stands["version"].as_i64()), (Some("bicycles"), Some(2)));
    desks.put_matter("no_such", Some("\"1\""), named("a")).await.expect(404, "unknown_matter");
}

async fn an_administrator_adds_a_kind_and_cases_name_it(store: TestStore) {
    let desks = Desks::new(store).await;
    let drones = json!({ "key": "drones", "zh": "无人机扰民", "en": "drones", "class": "complaint",
        "handling": "on_the_spot", "grave": true });
    let add = |body| desks.send(Administrator, Method::POST, "/v1/matters", body);
    for (wrong, code) in [
        (
            json!({ "key": "Drones!", "zh": "x", "en": "x", "class": "help", "handling": "complex" }),
            400,
        ),
        (
            json!({ "key": "drones", "zh": "", "en": "x", "class": "help", "handling": "complex" }),
            400,
        ),
        (
            json!({ "key": "drones", "zh": "x", "en": "x", "class": "help", "handling": "later" }),
            400,
        ),
    ] {
        add(wrong).await.expect(code, "invalid");
    }
    assert_eq!(add(drones.clone()).await.status, 201);
    add(drones.clone()).await.expect(409, "key_taken");
    let case = desks.register(raised("complaint", "drones", "a drone hovers over the yard")).await;
    let case = desks.case(&case).await;
    assert_eq!(case["registration"]["grave"], true, "the kind makes it so");
}

on_each_engine!(
    a_bureau_begins_with_the_usual_kinds,
    an_unknown_or_closed_kind_is_refused_with_those_that_may_be_meant,
    two_administrators_do_not_undo_each_other_unseen,
    an_administrator_adds_a_kind_and_cases_name_it,
);

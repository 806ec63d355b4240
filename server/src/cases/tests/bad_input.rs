//! What does not make sense is refused by name, and leaves no trace.

use axum::http::Method;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, SQUAD, vending};
use crate::auth::Role;
use crate::store::testing::{TestStore, on_each_engine};

fn at(lat: f64, lon: f64) -> Value {
    json!({ "lat": lat, "lon": lon })
}

fn with_site(site: Value) -> Value {
    let mut body = vending();
    body["site"] = site;
    body
}

fn polygon(outline: Vec<Value>) -> Value {
    with_site(json!({ "datum": "wgs84", "polygon": { "outline": outline } }))
}

fn changed(field: &str, value: Value) -> Value {
    let mut body = vending();
    body[field] = value;
    body
}

fn wrong_registrations() -> Vec<(Value, &'static str)> {
    let circle = |lat, lon| json!({ "centre": at(lat, lon), "radius_m": 50.0 });
    let crossing = vec![at(36.0, 117.0), at(36.01, 117.01), at(36.0, 117.01), at(36.01, 117.0)];
    let many = (0..10_000_u32).map(|n| {
        let angle = f64::from(n) / 10_000.0 * std::f64::consts::TAU;
        at(36.0 + angle.sin() / 100.0, 117.0 + angle.cos() / 100.0)
    });
    let over = vec![at(10.0, 179.99), at(10.0, -179.99), at(10.01, 179.99)];
    vec![
        (with_site(json!({ "circle": circle(36.0, 117.0) })), "datum"),
        (with_site(json!({ "datum": "moon", "circle": circle(36.0, 117.0) })), "moon"),
        (with_site(json!({ "datum": "wgs84", "circle": circle(91.0, 117.0) })), "latitude 91"),
        (with_site(json!({ "datum": "wgs84", "circle": circle(36.0, 181.0) })), "longitude 181"),
        (with_site(json!({ "datum": "wgs84" })), "exactly one"),
        (polygon(Vec::new()), "0 points"),
        (polygon(crossing), "crosses itself"),
        (polygon(many.collect()), "10000 points"),
        (polygon(over), "180th meridian"),
        (changed("class", json!("praise")), "praise"),
        (changed("channel", json!("pigeon")), "pigeon"),
        (changed("matter", json!("Street vending!")), "`matter`"),
        (changed("matter", json!("")), "`matter`"),
        (changed("summary", json!("")), "`summary`"),
        (changed("summary", json!("长".repeat(4_001))), "4001 characters"),
        (changed("received_at", json!(9_999_999_999_999_i64)), "`received_at`"),
        (changed("complainant", json!("Mr Wang")), "complainant"),
    ]
}

async fn a_wrong_registration_is_refused_by_name(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for (body, named) in wrong_registrations() {
        let detail = bureau.post("/v1/cases", body).await.refused(400, "invalid");
        assert!(detail.contains(named), "{named}: {detail}");
    }
    assert!(bureau.get("/v1/cases").await.ok()["cases"].as_array().unwrap().is_empty());
}

async fn bytes_that_are_no_number_and_no_json_are_refused(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let dispatcher = (Role::Dispatcher, DISTRICT);
    let vending = vending().to_string();
    for wrong in [
        vending.replace("36.651", "NaN"),
        vending.replace("36.651", "1e999"),
        vending.replace("36.651", "\"36.651\""),
        vending[..vending.len() - 1].to_owned(),
        String::new(),
        "[]".to_owned(),
    ] {
        let body = Some(wrong.clone().into_bytes());
        let answer = bureau.send(dispatcher, Method::POST, "/v1/cases", None, body).await;
        answer.refused(400, "invalid");
    }
    let key = "k".repeat(201);
    let body = Some(vending.into_bytes());
    let answer = bureau.send(dispatcher, Method::POST, "/v1/cases", Some(&key), body).await;
    assert!(answer.refused(400, "invalid").contains("idempotency-key"));
}

async fn what_is_unknown_is_said_to_be(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let nothing = "0".repeat(32);
    bureau.get(&format!("/v1/cases/{nobody}")).await.refused(404, "not_found");
    bureau.get("/v1/cases/7").await.refused(400, "invalid");
    let orders = format!("/v1/cases/{case}/orders");
    bureau.post(&orders, json!({ "unit": nobody })).await.refused(404, "unknown_unit");
    bureau.post(&orders, json!({ "unit": "squad 7" })).await.refused(400, "invalid");
    bureau.post(&orders, json!({ "unit": SQUAD, "team": 3 })).await.refused(400, "invalid");
    let far = json!({ "datum": "wgs84", "circle": { "centre": at(0.0, 0.0), "radius_m": 3e4 } });
    bureau.post(&orders, json!({ "unit": SQUAD, "site": far })).await.refused(400, "invalid");
    let elsewhere = format!("/v1/cases/{nobody}/orders");
    bureau.post(&elsewhere, json!({ "unit": SQUAD })).await.refused(404, "not_found");
    bureau.order(&case, SQUAD).await;
    let urge = format!("/v1/cases/{case}/orders/{nothing}/urges");
    bureau.post(&urge, json!({ "reason": "now" })).await.refused(404, "unknown_order");
    let settle = format!("/v1/cases/{case}/verdicts/{nothing}/settlement");
    let ruling = json!({ "ruling": "late", "reason": "seen" });
    let supervisor = (Role::Supervisor, DISTRICT);
    bureau.post_as(supervisor, &settle, ruling).await.refused(404, "unknown_verdict");
    let ruling = json!({ "ruling": "needs_review", "reason": "seen" });
    bureau.post_as(supervisor, &settle, ruling).await.refused(400, "invalid");
}

on_each_engine!(
    a_wrong_registration_is_refused_by_name,
    bytes_that_are_no_number_and_no_json_are_refused,
    what_is_unknown_is_said_to_be,
);

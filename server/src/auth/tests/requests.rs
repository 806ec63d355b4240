//! Credentials of single requests: what is wrong with them is said, and no more.

use axum::http::Method;
use serde_json::json;

use super::kit::{Phone, World, bearer};
use crate::app::App;
use crate::auth::jwk::DeviceKey;
use crate::auth::token::Subject;
use crate::auth::{Auth, Role};
use crate::config::Config;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    nobody_is_told_that_they_are_nobody,
    a_token_ends_after_ten_minutes,
    tokens_of_others_are_refused,
    a_token_needs_its_own_proof,
    staff_keys_end_and_are_revoked,
    someone_who_left_is_locked_out,
    a_person_who_moves_is_seen_in_the_new_unit_at_once,
    odd_headers_are_refused,
);

async fn nobody_is_told_that_they_are_nobody(store: TestStore) {
    let world = World::new(store).await;
    let answer = world.send(Method::GET, "/v1/units", &[], None).await;
    let answer = answer.expect(401, "no_credentials");
    assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("DPoP"));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    for key in ["onk_", "onk_AAAA", &world.admin.replace("onk_", "onk_x")] {
        world.get(key, "/v1/units").await.expect(401, "bad_key");
    }
}

async fn a_token_ends_after_ten_minutes(store: TestStore) {
    let world = World::new(store).await;
    let (_, mut phone) = world.inspector(&world.top().await, 1).await;
    world.clock.advance(600_000 + 29_000);
    phone.get(&world, "/v1/me").await.ok();
    world.clock.advance(1_000);
    let answer = phone.get(&world, "/v1/me").await.expect(401, "token_expired");
    assert!(answer.body["detail"].as_str().unwrap().contains("/v1/token"));
    phone.renew(&world).await.ok();
    phone.get(&world, "/v1/me").await.ok();
}

fn foreign_token(app: &App, phone: &Phone, seed: &[u8; 32], public_url: &str) -> String {
    let key = DeviceKey::from_point(&phone.key.public_key()).unwrap();
    let own = app.auth.tokens.verify(&phone.access, app.now()).unwrap();
    let mut config = Config::clone(&app.config);
    public_url.clone_into(&mut config.http.public_url);
    let other = Auth::new(seed, &config).unwrap();
    other.tokens.issue(&Subject { key: key.thumbprint(), ..own }, app.now(), [1; 9])
}

async fn tokens_of_others_are_refused(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (_, mut phone) = world.inspector(&top, 1).await;
    let (_, mut other) = world.inspector(&top, 2).await;
    // Stolen: another phone's token with one's own key.
    other.access.clone_from(&phone.access);
    other.get(&world, "/v1/me").await.expect(401, "token_of_another_key");
    let url = &world.app.config.http.public_url;
    let own = phone.access.clone();
    phone.access = foreign_token(&world.app, &phone, &[3; 32], url);
    phone.get(&world, "/v1/me").await.expect(401, "token_not_ours");
    phone.access.clone_from(&own);
    let seed = &world.app.keys.token_seed;
    phone.access = foreign_token(&world.app, &phone, seed, "https://other.example");
    phone.get(&world, "/v1/me").await.expect(401, "token_of_another_issuer");
    "not.a.token".clone_into(&mut phone.access);
    phone.get(&world, "/v1/me").await.expect(401, "token_malformed");
}

async fn a_token_needs_its_own_proof(store: TestStore) {
    let world = World::new(store).await;
    let (_, phone) = world.inspector(&world.top().await, 1).await;
    let token = phone.access.clone();
    let authorization = ("authorization", format!("DPoP {token}"));
    let answer = world.send(Method::GET, "/v1/me", std::slice::from_ref(&authorization), None);
    answer.await.expect(401, "bad_proof");
    world.get(&token, "/v1/me").await.expect(401, "no_credentials");
    let url = format!("{}/v1/units", world.app.config.http.public_url);
    for proof in [
        phone.proof("GET", &url, Some(&token)),
        phone.proof("POST", &url.replace("units", "me"), Some(&token)),
        phone.proof("GET", &url.replace("units", "me"), None),
    ] {
        let headers = [authorization.clone(), ("dpop", proof)];
        world.send(Method::GET, "/v1/me", &headers, None).await.expect(401, "bad_proof");
    }
}

async fn staff_keys_end_and_are_revoked(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Dispatcher, &world.top().await).await;
    let path = format!("/v1/people/{person}/keys");
    let body = json!({"label": "desk", "days": 1});
    let created = world.post(&world.admin, &path, body.clone()).await.ok();
    let key = created["key"].as_str().unwrap();
    world.get(key, "/v1/me").await.ok();
    world.clock.advance(24 * 60 * 60 * 1000);
    world.get(key, "/v1/me").await.expect(401, "bad_key");
    let created = world.post(&world.admin, &path, body).await.ok();
    let key = created["key"].as_str().unwrap();
    world.get(key, "/v1/me").await.ok();
    let revocation = format!("{path}/{}/revocation", created["id"].as_str().unwrap());
    world.post(&world.admin, &revocation, json!({})).await.ok();
    world.get(key, "/v1/me").await.expect(401, "bad_key");
    let listed = world.get(&world.admin, &path).await.ok();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert!(listed["keys"][1]["last_used_at"].is_number());
    assert!(!listed.to_string().contains("onk_"));
    for days in [0, 367] {
        let body = json!({"label": "desk", "days": days});
        world.post(&world.admin, &path, body).await.expect(400, "invalid");
    }
}

async fn someone_who_left_is_locked_out(store: TestStore) {
    let world = World::new(store).await;
    let (person, mut phone) = world.inspector(&world.top().await, 1).await;
    let key = world.key(&person).await;
    world.get(&key, "/v1/me").await.ok();
    world.post(&world.admin, &format!("/v1/people/{person}/closure"), json!({})).await.ok();
    world.get(&key, "/v1/me").await.expect(401, "bad_key");
    phone.get(&world, "/v1/me").await.expect(403, "device_revoked");
    phone.renew(&world).await.ok();
    let path = format!("/v1/people/{person}/keys");
    let body = json!({"label": "again"});
    world.post(&world.admin, &path, body).await.expect(409, "person_closed");
}

async fn a_person_who_moves_is_seen_in_the_new_unit_at_once(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (one, two) = (world.unit("One", &top).await, world.unit("Two", &top).await);
    let (person, mut phone) = world.inspector(&one, 1).await;
    assert_eq!(phone.get(&world, "/v1/me").await.ok()["unit"], json!(one));
    world.clock.advance(1000);
    let post = json!({"role": "inspector", "unit": two});
    world.appoint(&person, post).await.ok();
    assert_eq!(phone.get(&world, "/v1/me").await.ok()["unit"], json!(two));
    let record = world.get(&world.admin, &format!("/v1/people/{person}")).await.ok();
    let posts = record["posts"].as_array().unwrap();
    assert_eq!((&posts[0]["unit"], &posts[1]["unit"]), (&json!(one), &json!(two)));
    assert_eq!(posts[0]["until"], posts[1]["from"]);
    assert_eq!(posts[1]["until"], json!(null));
}

async fn odd_headers_are_refused(store: TestStore) {
    let world = World::new(store).await;
    let twice = [bearer(&world.admin), bearer(&world.admin)].concat();
    world.send(Method::GET, "/v1/units", &twice, None).await.expect(400, "invalid");
    for odd in ["Bearer", "", "Basic abc", "DPoP", "Bearer  ", "DPoP x y"] {
        let headers = [("authorization", odd.to_owned())];
        let answer = world.send(Method::GET, "/v1/units", &headers, None).await;
        assert_eq!(answer.status.as_u16(), 401, "{odd:?}");
    }
}

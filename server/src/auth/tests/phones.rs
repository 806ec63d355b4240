//! Enrolment, tokens, revocation.

use std::sync::Arc;

use axum::http::Method;
use onscene_sync_core::enrolment::{EnrolmentCode, check_words};
use onscene_sync_core::id::Hash;
use serde_json::json;
use tokio::task::JoinSet;

use super::kit::{Phone, World, text};
use crate::auth::Role;
use crate::auth::enrol::CODE_LIFETIME_MS;
use crate::auth::refresh::IDLE_MS;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    a_phone_enrols_and_both_screens_show_the_same_words,
    a_first_request_is_told_the_nonce,
    a_lost_answer_is_given_again_to_the_same_phone_only,
    every_bad_code_gets_the_same_answer,
    five_wrong_halves_kill_a_code,
    guessing_is_stopped_for_all_codes,
    a_second_phone_needs_to_replace_the_first,
    a_refresh_token_is_bound_unrotated_and_ends_when_idle,
    a_revoked_phone_gets_tokens_and_nothing_else,
    codes_are_for_those_who_carry_phones,
    the_database_holds_no_secret,
    a_leader_cannot_become_a_supervisor_by_a_phone,
    one_code_enrols_one_phone_in_a_race,
    a_revocation_counts_on_every_node_at_once,
    who_leaves_the_field_hands_in_what_the_phone_holds,
);

async fn a_phone_enrols_and_both_screens_show_the_same_words(store: TestStore) {
    let world = World::new(store).await;
    let unit = world.unit("Squad 1", &world.top().await).await;
    let person = world.person(Role::Inspector, &unit).await;
    let path = format!("/v1/people/{person}/enrolment-codes");
    let issued = world.post(&world.admin, &path, json!({})).await.ok();
    assert_eq!(issued["qr"]["url"], world.app.config.http.public_url);
    assert_eq!(issued["qr"]["code"], issued["code"]);
    assert_eq!(issued["expires_at"], world.app.now().plus(CODE_LIFETIME_MS).0);
    let code = text(&issued["code"]);
    let mut phone = Phone::new(9);
    let reply = phone.enrol(&world, &code.to_lowercase().replace('-', " "), false).await.ok();
    assert_eq!((&reply["person"], &reply["unit"]), (&json!(person), &json!(unit)));
    assert_eq!((&reply["install"], &reply["unit_name"]), (&json!(1), &json!("Squad 1")));
    let hub_key = Hash::from_bytes(world.app.keys.facts.public_key());
    assert_eq!((&reply["hub_key"], &issued["qr"]["hub_key"]), (&json!(hub_key), &json!(hub_key)));
    let words = check_words(&phone.key.public_key(), &EnrolmentCode::parse(&code).unwrap());
    assert_eq!(reply["check_words"], json!(words));
    let device = world.get(&world.admin, &format!("/v1/devices/{}", phone.id)).await.ok();
    assert_eq!(device["check_words"], json!(words));
    assert_eq!(device["confirmed_at"], json!(null));
    let path = format!("/v1/devices/{}/confirmation", phone.id);
    let device = world.post(&world.admin, &path, json!({})).await.ok();
    assert_eq!(device["confirmed_at"], world.app.now().0);
    assert_eq!(phone.get(&world, "/v1/me").await.ok()["id"], json!(person));
}

async fn a_first_request_is_told_the_nonce(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = Phone::new(9);
    let url = format!("{}/v1/token", world.app.config.http.public_url);
    let proof = phone.proof("POST", &url, None);
    let body = json!({"refresh_token": "onr_none"});
    let answer =
        world.send(Method::POST, "/v1/token", &[("dpop", proof)], Some(body.clone())).await;
    let answer = answer.expect(401, "use_dpop_nonce");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("DPoP error=\"use_dpop_nonce\""), "{challenge}");
    phone.nonce = answer.nonce().unwrap().to_owned();
    let proof = phone.proof("POST", &url, None);
    let headers = [("dpop", proof)];
    let answer = world.send(Method::POST, "/v1/token", &headers, Some(body.clone())).await;
    let answer = answer.expect(401, "bad_refresh_token");
    assert!(answer.nonce().is_some(), "every answer to a proof carries the next nonce");
    let replay = world.send(Method::POST, "/v1/token", &headers, Some(body.clone())).await;
    replay.expect(401, "proof_replayed");
    world.send(Method::POST, "/v1/token", &[], Some(body)).await.expect(401, "bad_proof");
}

async fn a_lost_answer_is_given_again_to_the_same_phone_only(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Inspector, &world.top().await).await;
    let code = world.code(&person).await;
    let mut phone = Phone::new(9);
    let first = phone.enrol(&world, &code, false).await.ok();
    let again = phone.enrol(&world, &code, false).await.ok();
    assert_eq!(first["device"], again["device"]);
    phone.renew(&world).await.ok();
    Phone::new(10).enrol(&world, &code, false).await.expect(403, "bad_code");
    Phone::new(10).enrol(&world, &code, true).await.expect(403, "bad_code");
    world.clock.advance(CODE_LIFETIME_MS);
    phone.enrol(&world, &code, false).await.expect(403, "bad_code");
    phone.renew(&world).await.ok();
}

async fn every_bad_code_gets_the_same_answer(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let code_of = async |role| {
        let person = world.person(role, &top).await;
        (world.code(&person).await, person)
    };
    let (used, _) = code_of(Role::Inspector).await;
    Phone::new(1).enrol(&world, &used, false).await.ok();
    let (voided, person) = code_of(Role::Inspector).await;
    world.code(&person).await;
    let (of_a_leaver, person) = code_of(Role::Inspector).await;
    world.post(&world.admin, &format!("/v1/people/{person}/closure"), json!({})).await.ok();
    let (of_a_clerk, person) = code_of(Role::Inspector).await;
    let post = json!({"role": "dispatcher", "unit": top});
    world.appoint(&person, post).await.ok();
    let (expired, _) = code_of(Role::Inspector).await;
    let (living, _) = code_of(Role::Inspector).await;
    let wrong_half = format!("{}-0000", &living[..4]);
    let mut answers = Vec::new();
    for bad in ["0000-0000", "not a code", &used, &voided, &of_a_leaver, &of_a_clerk, &wrong_half] {
        answers.push(Phone::new(2).enrol(&world, bad, false).await.expect(403, "bad_code").body);
    }
    world.clock.advance(CODE_LIFETIME_MS);
    answers.push(Phone::new(2).enrol(&world, &expired, false).await.expect(403, "bad_code").body);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

async fn five_wrong_halves_kill_a_code(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let person = world.person(Role::Inspector, &top).await;
    for (tries, outcome) in [(4, 200), (5, 403)] {
        let code = world.code(&person).await;
        for n in 0..tries {
            let guess = format!("{}-{n}000", &code[..4]);
            assert_ne!(guess, code);
            Phone::new(2).enrol(&world, &guess, true).await.expect(403, "bad_code");
        }
        let answer = Phone::new(20 + tries).enrol(&world, &code, true).await;
        assert_eq!(answer.status.as_u16(), outcome, "after {tries} wrong tries");
    }
}

async fn guessing_is_stopped_for_all_codes(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Inspector, &world.top().await).await;
    let code = world.code(&person).await;
    let mut guesser = Phone::new(2);
    for n in 0..100_u64 {
        let bytes: [u8; 8] = n.to_be_bytes();
        let guess = EnrolmentCode::from_random([bytes[7], bytes[7], 1, 2, 3]).to_string();
        guesser.enrol(&world, &guess, false).await.expect(403, "bad_code");
    }
    let answer = Phone::new(3).enrol(&world, &code, false).await.expect(429, "enrolment_blocked");
    assert_eq!(answer.headers["retry-after"], "900");
    guesser.enrol(&world, "0000-0000", false).await.expect(429, "enrolment_blocked");
    world.clock.advance(CODE_LIFETIME_MS);
    let code = world.code(&person).await;
    Phone::new(3).enrol(&world, &code, false).await.ok();
}

async fn a_second_phone_needs_to_replace_the_first(store: TestStore) {
    let world = World::new(store).await;
    let (person, mut first) = world.inspector(&world.top().await, 1).await;
    let code = world.code(&person).await;
    let mut second = Phone::new(2);
    second.enrol(&world, &code, false).await.expect(409, "has_phone");
    Phone::new(1).enrol(&world, &code, true).await.expect(409, "known_key");
    first.get(&world, "/v1/me").await.ok();
    second.enrol(&world, &code, true).await.ok();
    first.get(&world, "/v1/me").await.expect(403, "device_revoked");
    second.get(&world, "/v1/me").await.ok();
    let path = format!("/v1/devices?person={person}");
    let devices = world.get(&world.admin, &path).await.ok();
    let mut revoked: Vec<_> = devices["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| (text(&device["id"]), device["revoked_at"].is_number()))
        .collect();
    // Both began in the same millisecond of the test's clock, so their order is not told.
    revoked.sort_by_key(|&(_, revoked)| !revoked);
    assert_eq!(revoked, [(first.id, true), (second.id, false)]);
}

async fn a_refresh_token_is_bound_unrotated_and_ends_when_idle(store: TestStore) {
    let world = World::new(store).await;
    let (_, mut phone) = world.inspector(&world.top().await, 1).await;
    let refresh = phone.refresh.clone();
    let mut thief = Phone::new(2);
    thief.refresh.clone_from(&refresh);
    thief.renew(&world).await.expect(401, "bad_refresh_token");
    for _ in 0..3 {
        // However many answers are lost, the next request is answered.
        let body = phone.renew(&world).await.ok();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("DPoP"), &json!(600)));
        world.clock.advance(IDLE_MS - 1);
    }
    assert_eq!(phone.refresh, refresh);
    phone.renew(&world).await.ok();
    world.clock.advance(IDLE_MS);
    phone.renew(&world).await.expect(401, "bad_refresh_token");
}

async fn a_revoked_phone_gets_tokens_and_nothing_else(store: TestStore) {
    let world = World::new(store).await;
    let (_, mut phone) = world.inspector(&world.top().await, 1).await;
    let path = format!("/v1/devices/{}/revocation", phone.id);
    let device = world.post(&world.admin, &path, json!({"reason": "lost"})).await.ok();
    assert_eq!(device["revoked_why"], "lost");
    phone.get(&world, "/v1/me").await.expect(403, "device_revoked");
    phone.renew(&world).await.ok();
    phone.get(&world, "/v1/me").await.expect(403, "device_revoked");
    let again = world.post(&world.admin, &path, json!({"reason": "again"})).await.ok();
    assert_eq!(again["revoked_why"], "lost", "the first reason stays");
}

async fn codes_are_for_those_who_carry_phones(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    for (role, outcome) in [
        (Role::Inspector, 201),
        (Role::UnitLeader, 201),
        (Role::Supervisor, 201),
        (Role::Dispatcher, 409),
        (Role::Auditor, 409),
    ] {
        let person = world.person(role, &top).await;
        let path = format!("/v1/people/{person}/enrolment-codes");
        let answer = world.post(&world.admin, &path, json!({})).await;
        assert_eq!(answer.status.as_u16(), outcome, "{role}");
    }
}

async fn the_database_holds_no_secret(store: TestStore) {
    let url = store.url.clone();
    let world = World::new(store).await;
    let (person, phone) = world.inspector(&world.top().await, 1).await;
    let code = world.code(&person).await;
    let key = world.key(&person).await;
    let Some(path) = url.strip_prefix("sqlite://").and_then(|path| path.split('?').next()) else {
        return;
    };
    let mut bytes = std::fs::read(path).unwrap();
    bytes.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("enrolment_code"), "the right file is searched");
    for secret in [&code, &code.replace('-', ""), &key, &phone.refresh, &world.admin] {
        assert!(!holds(secret), "found in the database: {secret}");
    }
}

async fn a_leader_cannot_become_a_supervisor_by_a_phone(store: TestStore) {
    let world = World::new(store).await;
    let squad = world.unit("Squad", &world.top().await).await;
    let leader = world.key(&world.person(Role::UnitLeader, &squad).await).await;
    let supervisor = world.person(Role::Supervisor, &squad).await;
    let codes = |person: &str| format!("/v1/people/{person}/enrolment-codes");
    world.post(&leader, &codes(&supervisor), json!({})).await.expect(403, "forbidden");
    let mut phone = Phone::new(1);
    let code = world.code(&supervisor).await;
    phone.enrol(&world, &code, false).await.ok();
    let path = format!("/v1/devices/{}", phone.id);
    let revocation = json!({"reason": "in the way"});
    let answer = world.post(&leader, &format!("{path}/revocation"), revocation).await;
    answer.expect(403, "forbidden");
    world.post(&leader, &format!("{path}/confirmation"), json!({})).await.expect(403, "forbidden");
    world.get(&leader, &path).await.ok();
    let inspector = world.person(Role::Inspector, &squad).await;
    world.post(&leader, &codes(&inspector), json!({})).await.ok();
}

async fn one_code_enrols_one_phone_in_a_race(store: TestStore) {
    let world = Arc::new(World::new(store).await);
    let person = world.person(Role::Inspector, &world.top().await).await;
    for round in 0..3_u8 {
        let code = world.code(&person).await;
        let mut racers = JoinSet::new();
        for n in 0..4 {
            let (world, code) = (Arc::clone(&world), code.clone());
            let mut phone = Phone::new(10 + 4 * round + n);
            racers.spawn(async move { phone.enrol(&world, &code, true).await });
        }
        let answers = racers.join_all().await;
        let won = answers.iter().filter(|answer| answer.status.is_success()).count();
        let lost = answers.iter().filter(|answer| answer.code() == "bad_code").count();
        assert_eq!((won, lost), (1, 3), "{answers:?}");
    }
    let path = format!("/v1/devices?person={person}");
    let devices = world.get(&world.admin, &path).await.ok();
    let active = devices["devices"].as_array().unwrap().iter();
    assert_eq!(active.filter(|device| device["revoked_at"].is_null()).count(), 1);
}

async fn a_revocation_counts_on_every_node_at_once(store: TestStore) {
    let other = store.another().await;
    let world = World::new(store).await;
    let node = world.another_node(other).await;
    let (person, mut phone) = world.inspector(&world.top().await, 1).await;
    assert_eq!(phone.get(&node, "/v1/me").await.ok()["id"], json!(person));
    let path = format!("/v1/devices/{}/revocation", phone.id);
    world.post(&world.admin, &path, json!({"reason": "stolen"})).await.ok();
    phone.get(&node, "/v1/me").await.expect(403, "device_revoked");
    node.get(&node.admin, &format!("/v1/devices/{}", phone.id)).await.ok();
}

async fn who_leaves_the_field_hands_in_what_the_phone_holds(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (person, mut phone) = world.inspector(&top, 1).await;
    let post = json!({"role": "dispatcher", "unit": top});
    world.appoint(&person, post).await.ok();
    phone.get(&world, "/v1/me").await.expect(403, "device_revoked");
    phone.renew(&world).await.ok();
    let token = phone.access.clone();
    // Past the gate: what is refused now is the empty body.
    let answer = phone.send(&world, Method::POST, "/v1/sync", Some(&token), Some(json!({}))).await;
    answer.expect(415, "not_sync");
    let key = world.key(&person).await;
    world.post(&key, "/v1/sync", json!({})).await.expect(403, "not_a_phone");
}

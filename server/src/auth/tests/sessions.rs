//! Sessions end when they should, and failures make wait without locking anybody out for good.

use axum::http::Method;
use serde_json::{Value, json};

use super::desk::{Desk, PASSWORD, accept, invite, open, secret_of};
use super::kit::{Answer, World, bearer, text};
use crate::auth::Role;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    a_session_ends_by_time,
    people_end_their_own_sessions_and_no_others,
    an_administrator_ends_all_sessions_of_a_person,
    a_new_role_and_leaving_take_effect_at_once,
    whoever_was_taken_for_somebody_by_mistake_is_signed_out,
    tries_that_come_at_once_count_each,
    failures_make_an_account_wait_and_never_lock_it,
    who_knows_a_login_name_does_not_keep_its_owner_waiting,
    a_device_is_not_known_any_more_after_a_new_password,
    a_device_is_known_from_the_first_sign_in,
    a_session_that_chooses_a_password_is_counted_apart,
    tries_that_the_hub_is_too_busy_for_make_nobody_wait,
    failures_make_an_address_wait_and_not_its_neighbours,
    a_delay_stands_in_the_audit_log_without_a_name,
);

const HOUR_MS: i64 = 60 * 60_000;

async fn a_session_ends_by_time(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    world.clock.advance(HOUR_MS - 1);
    world.get(&desk.session, "/v1/me").await.ok();
    for _ in 0..11 {
        world.clock.advance(HOUR_MS - 60_000);
        world.get(&desk.session, "/v1/me").await.ok();
    }
    world.clock.advance(12 * 60_000);
    let answer = world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
    assert!(answer.headers.contains_key("www-authenticate"), "12 hours are over");
    let second = desk.sign_in(&world).await;
    world.clock.advance(HOUR_MS);
    world.get(&second, "/v1/me").await.expect(401, "session_ended");
    world.get("ons_AAAA", "/v1/me").await.expect(401, "session_ended");
    assert_eq!(desk.seen(&world).await["sessions"], json!([]), "those that ended are not shown");
}

async fn people_end_their_own_sessions_and_no_others(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let other = Desk::new(&world, Role::Dispatcher, "wang").await;
    let second = desk.sign_in(&world).await;
    let list = world.get(&second, "/v1/me/sessions").await.ok();
    let ids: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|s| text(&s["id"])).collect();
    assert_eq!((ids.len(), &list["present"]), (2, &json!(ids[1])));
    let end = async |key: &str, id: &str| {
        world.post(key, &format!("/v1/me/sessions/{id}/revocation"), json!({})).await
    };
    end(&other.session, &ids[0]).await.expect(404, "not_found");
    world.get(&desk.session, "/v1/me").await.ok();
    assert_eq!(end(&second, &ids[0]).await.status.as_u16(), 204);
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
    assert_eq!(world.post(&second, "/v1/sign-out", json!({})).await.status.as_u16(), 204);
    world.get(&second, "/v1/me").await.expect(401, "session_ended");
    world.get(&other.session, "/v1/me").await.ok();
    world.post(&world.admin, "/v1/sign-out", json!({})).await.expect(409, "no_session");
}

async fn an_administrator_ends_all_sessions_of_a_person(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Supervisor, "li").await;
    let second = desk.sign_in(&world).await;
    let path = format!("/v1/people/{}/sessions/revocation", desk.person);
    world.post(&desk.session, &path, json!({})).await.expect(403, "forbidden");
    let left = world.post(&world.admin, &path, json!({})).await.ok();
    assert_eq!((&left["login"], &left["sessions"]), (&json!("li"), &json!([])));
    for session in [&desk.session, &second] {
        world.get(session, "/v1/me").await.expect(401, "session_ended");
    }
    desk.sign_in(&world).await;
}

async fn a_new_role_and_leaving_take_effect_at_once(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Administrator, "li").await;
    world.get(&desk.session, &format!("/v1/people/{}/keys", desk.person)).await.ok();
    let post = json!({"role": "auditor", "unit": world.top().await});
    world.appoint(&desk.person, post).await.ok();
    let keys = world.get(&desk.session, &format!("/v1/people/{}/keys", desk.person)).await;
    keys.expect(403, "forbidden");
    world.get(&desk.session, "/v1/audit").await.ok();
    world.post(&world.admin, &format!("/v1/people/{}/closure", desk.person), json!({})).await.ok();
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
    let code = desk.next_code(&world);
    desk.try_with(&world, PASSWORD, &code).await.expect(401, "sign_in_failed");
}

async fn whoever_was_taken_for_somebody_by_mistake_is_signed_out(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let path = format!("/v1/people/{}/identity", desk.person);
    let link = async |identity: &str| {
        let body = json!({ "identity": identity });
        world.send(Method::PUT, &path, &bearer(&world.admin), Some(body)).await.ok();
    };
    link("somebody else's").await;
    world.get(&desk.session, "/v1/me").await.ok();
    link("their own").await;
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
}

async fn tries_that_come_at_once_count_each(store: TestStore) {
    let world = World::new(store).await;
    let wrong =
        json!({"login": "nobody.yet", "password": "not this one, surely", "code": "000000"});
    let tries = (0..4).map(|_| open(&world, "/v1/sign-in", wrong.clone()));
    for answer in futures_util::future::join_all(tries).await {
        answer.expect(401, "sign_in_failed");
    }
    open(&world, "/v1/sign-in", wrong.clone()).await.expect(401, "sign_in_failed");
    let sixth = open(&world, "/v1/sign-in", wrong).await;
    sixth.expect(429, "too_many_tries");
}

async fn failures_make_an_account_wait_and_never_lock_it(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let wrong = || desk.try_with(&world, "another password", "000000");
    for _ in 0..5 {
        wrong().await.expect(401, "sign_in_failed");
    }
    let waits = wrong().await.expect(429, "too_many_tries");
    assert_eq!(waits.headers["retry-after"], "31");
    let code = desk.secret.code(world.app.now().plus(30_000));
    desk.try_with(&world, PASSWORD, &code).await.expect(429, "too_many_tries");
    world.get(&desk.session, "/v1/me").await.ok();
    world.clock.advance(29_999);
    desk.try_with(&world, PASSWORD, &code).await.expect(429, "too_many_tries");
    world.clock.advance(1);
    wrong().await.expect(401, "sign_in_failed");
    wrong().await.expect(429, "too_many_tries");
    world.clock.advance(60_000);
    desk.sign_in(&world).await;
    // The right one was proof enough: all five are free again.
    for _ in 0..4 {
        wrong().await.expect(401, "sign_in_failed");
    }
    desk.sign_in(&world).await;
}

async fn who_knows_a_login_name_does_not_keep_its_owner_waiting(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let other = Desk::new(&world, Role::Dispatcher, "wang").await;
    let with = async |who: &Desk, password: &str, code: &str, device: &Value| {
        let body =
            json!({"login": who.login, "password": password, "code": code, "device": device});
        open(&world, "/v1/sign-in", body).await
    };
    let code = desk.next_code(&world);
    let device = desk.try_with(&world, PASSWORD, &code).await.ok()["device"].clone();
    let code = other.next_code(&world);
    let foreign = other.try_with(&world, PASSWORD, &code).await.ok()["device"].clone();
    // A stranger keeps the account waiting, and the address that both share.
    for _ in 0..5 {
        with(&desk, "another password", "000000", &foreign).await.expect(401, "sign_in_failed");
    }
    for n in 0..25 {
        from(&world, "127.0.0.1", n).await.expect(401, "sign_in_failed");
    }
    let code = desk.secret.code(world.app.now());
    with(&desk, PASSWORD, &code, &foreign).await.expect(429, "too_many_tries");
    with(&desk, PASSWORD, &code, &json!("forged")).await.expect(429, "too_many_tries");
    let signed_in = with(&desk, PASSWORD, &code, &device).await.ok();
    let renew = json!({"password": "another password", "code": "000000"});
    let session = text(&signed_in["token"]);
    let renewed = world.post(&session, "/v1/me/recovery-codes", renew).await;
    renewed.expect(401, "sign_in_failed");
    // Whoever holds the device guesses no faster with it, and the account's wait is not ended by it.
    for _ in 0..5 {
        with(&desk, "another password", "000000", &device).await.expect(401, "sign_in_failed");
    }
    with(&desk, "another password", "000000", &device).await.expect(429, "too_many_tries");
    desk.try_with(&world, PASSWORD, "000000").await.expect(429, "too_many_tries");
}

async fn a_device_is_not_known_any_more_after_a_new_password(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let code = desk.next_code(&world);
    let signed_in = desk.try_with(&world, PASSWORD, &code).await.ok();
    let with = async |password: &str, code: &str, device: &Value| {
        let body = json!({"login": "li", "password": password, "code": code, "device": device});
        open(&world, "/v1/sign-in", body).await
    };
    let kept_waiting = async || {
        for _ in 0..5 {
            with("another password", "000000", &Value::Null).await.expect(401, "sign_in_failed");
        }
        with("another password", "000000", &Value::Null).await.expect(429, "too_many_tries");
    };
    let new = "three lakes without a boat";
    let body = json!({"password": PASSWORD, "code": desk.next_code(&world), "new_password": new});
    world.post(&text(&signed_in["token"]), "/v1/me/password", body).await.ok();
    let code = desk.next_code(&world);
    let renewed = with(new, &code, &signed_in["device"]).await.ok()["device"].clone();
    kept_waiting().await;
    let code = desk.secret.code(world.app.now().plus(30_000));
    with(new, &code, &signed_in["device"]).await.expect(429, "too_many_tries");
    with(new, &code, &renewed).await.ok();
    // A reset ends it as well, also when the same password is chosen anew.
    let reset = format!("/v1/people/{}/sign-in", desk.person);
    world.send(Method::DELETE, &reset, &bearer(&world.admin), None).await.ok();
    with(new, &code, &renewed).await.expect(429, "too_many_tries");
    world.clock.advance(24 * 3_600_000);
    let invitation = invite(&world, &desk.person).await;
    let secret = secret_of(&accept(&world, &invitation, "li", new).await.ok());
    let body = json!({"code": invitation, "totp": secret.code(world.app.now())});
    open(&world, "/v1/sign-in/confirmation", body).await.ok();
    kept_waiting().await;
    let code = secret.code(world.app.now().plus(30_000));
    with(new, &code, &renewed).await.expect(429, "too_many_tries");
}

async fn a_device_is_known_from_the_first_sign_in(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Dispatcher, &world.top().await).await;
    let invitation = invite(&world, &person).await;
    let secret = secret_of(&accept(&world, &invitation, "li", PASSWORD).await.ok());
    let body = json!({"code": invitation, "totp": secret.code(world.app.now())});
    let first = open(&world, "/v1/sign-in/confirmation", body).await.ok();
    for _ in 0..5 {
        let body = json!({"login": "li", "password": "another password", "code": "000000"});
        open(&world, "/v1/sign-in", body).await.expect(401, "sign_in_failed");
    }
    world.clock.advance(25_000);
    let code = secret.code(world.app.now().plus(30_000));
    let mut body = json!({"login": "li", "password": PASSWORD, "code": code});
    open(&world, "/v1/sign-in", body.clone()).await.expect(429, "too_many_tries");
    body["device"] = first["session"]["device"].clone();
    open(&world, "/v1/sign-in", body).await.ok();
}

async fn a_session_that_chooses_a_password_is_counted_apart(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    for _ in 0..5 {
        let wrong = desk.try_with(&world, "another password", "000000").await;
        wrong.expect(401, "sign_in_failed");
    }
    desk.try_with(&world, PASSWORD, "000000").await.expect(429, "too_many_tries");
    let change = json!({"password": "another password", "code": "000000",
        "new_password": "seven herons over a ford"});
    for _ in 0..5 {
        let wrong = world.post(&desk.session, "/v1/me/password", change.clone()).await;
        wrong.expect(401, "sign_in_failed");
    }
    let more = world.post(&desk.session, "/v1/me/password", change).await;
    more.expect(429, "too_many_tries");
}

async fn tries_that_the_hub_is_too_busy_for_make_nobody_wait(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    world.app.auth.sign_in.passwords.close();
    for _ in 0..6 {
        desk.try_with(&world, PASSWORD, "000000").await.expect(503, "busy");
    }
}

/// A wrong try under a name of its own, from an address behind the proxy.
async fn from(world: &World, address: &str, n: usize) -> Answer {
    let body = json!({"login": format!("nobody{n}"), "password": "x", "code": "000000"});
    let headers = [("x-forwarded-for", address.to_owned())];
    world.send(Method::POST, "/v1/sign-in", &headers, Some(body)).await
}

async fn failures_make_an_address_wait_and_not_its_neighbours(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    for n in 0..30 {
        from(&world, "203.0.113.9", n).await.expect(401, "sign_in_failed");
    }
    from(&world, "203.0.113.9", 30).await.expect(429, "too_many_tries");
    from(&world, "1.2.3.4, 203.0.113.9", 31).await.expect(429, "too_many_tries");
    from(&world, "203.0.113.10", 32).await.expect(401, "sign_in_failed");
    desk.sign_in(&world).await;
    world.clock.advance(3 * 60_000);
    for n in 33..36 {
        from(&world, "203.0.113.9", n).await.expect(401, "sign_in_failed");
    }
}

async fn a_delay_stands_in_the_audit_log_without_a_name(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Auditor, "li").await;
    for _ in 0..5 {
        desk.try_with(&world, "another password", "000000").await.expect(401, "sign_in_failed");
    }
    let log = world.get(&desk.session, "/v1/audit?action=sign_in_delayed").await.ok();
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0]["subject"].as_str().unwrap().replace('-', ""),
        desk.person.replace('-', "")
    );
    assert_eq!(entries[0]["detail"], "account");
}

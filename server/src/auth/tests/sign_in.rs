//! People sign in with a password and an authenticator, and nobody else does.

use axum::http::Method;
use onscene_sync_core::id::Hash;
use serde_json::{Value, json};

use super::desk::{Desk, PASSWORD, accept, invite, open, secret_of};
use super::kit::{Answer, World, bearer, text};
use crate::auth::Role;
use crate::auth::signin::session;
use crate::store::testing::{TestStore, on_each_engine};
use crate::store::{RowExt as _, Store};
use crate::telemetry::testing::Lines;

on_each_engine!(
    an_invited_person_chooses_a_password_and_signs_in,
    an_invitation_is_good_once_and_for_a_day,
    weak_and_endless_passwords_are_refused,
    a_password_is_the_same_from_every_keyboard,
    a_code_of_the_authenticator_is_good_once,
    a_recovery_code_is_good_once,
    an_unknown_name_is_refused_like_a_wrong_password,
    a_reset_takes_everything_away_at_once,
    people_change_their_own_password_and_codes,
    other_systems_and_phones_do_not_sign_in,
    secrets_stand_nowhere_in_the_clear,
    without_a_provider_there_is_none,
);

async fn an_invited_person_chooses_a_password_and_signs_in(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::IntakeClerk, "Li.Ming").await;
    let me = world.get(&desk.session, "/v1/me").await.ok();
    assert_eq!((text(&me["id"]), &me["role"]), (desk.person.clone(), &json!("intake_clerk")));
    assert_eq!(desk.recovery_codes.len(), 10);
    let code = desk.next_code(&world);
    let answer = desk.try_with(&world, PASSWORD, &code).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let signed_in = answer.ok();
    assert_eq!(text(&signed_in["person"]), desk.person);
    let token = text(&signed_in["token"]);
    assert!(token.starts_with("ons_"));
    assert_eq!(text(&signed_in["id"]), session::hash(&token).to_string());
    assert_eq!(signed_in["expires_at"].as_i64().unwrap(), world.app.now().0 + 12 * 3_600_000);
    let seen = desk.seen(&world).await;
    assert_eq!((&seen["login"], &seen["recovery_codes"]), (&json!("li.ming"), &json!(10)));
    assert_eq!(seen["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(seen["invited_until"], Value::Null);
}

async fn an_invitation_is_good_once_and_for_a_day(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let person = world.person(Role::Dispatcher, &top).await;
    let confirm = async |code: &str, totp: &str| {
        open(&world, "/v1/sign-in/confirmation", json!({"code": code, "totp": totp})).await
    };
    accept(&world, "oni_AAAA", "li", PASSWORD).await.expect(403, "bad_invitation");
    let first = invite(&world, &person).await;
    confirm(&first, "000000").await.expect(409, "nothing_chosen");
    let replaced = invite(&world, &person).await;
    accept(&world, &first, "li", PASSWORD).await.expect(403, "bad_invitation");
    world.clock.advance(24 * 3_600_000 - 1);
    let told = accept(&world, &replaced, "li", PASSWORD).await.ok();
    world.clock.advance(1);
    let late = secret_of(&told).code(world.app.now());
    confirm(&replaced, &late).await.expect(403, "bad_invitation");
    let good = invite(&world, &person).await;
    let former = secret_of(&accept(&world, &good, "li", PASSWORD).await.ok());
    let secret = secret_of(&accept(&world, &good, "li", PASSWORD).await.ok());
    let wrong = confirm(&good, &former.code(world.app.now())).await;
    wrong.expect(409, "wrong_code");
    confirm(&good, &secret.code(world.app.now())).await.ok();
    confirm(&good, &secret.code(world.app.now())).await.expect(403, "bad_invitation");
    let other = world.person(Role::Dispatcher, &top).await;
    let invited = invite(&world, &other).await;
    accept(&world, &invited, "LI", PASSWORD).await.expect(409, "login_taken");
    world.post(&world.admin, &format!("/v1/people/{other}/closure"), json!({})).await.ok();
    accept(&world, &invited, "wang", PASSWORD).await.expect(403, "bad_invitation");
    let path = format!("/v1/people/{other}/sign-in-invitations");
    world.post(&world.admin, &path, json!({})).await.expect(409, "person_closed");
}

async fn weak_and_endless_passwords_are_refused(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Dispatcher, &world.top().await).await;
    let code = invite(&world, &person).await;
    for weak in ["short", "password1234", "a dispatcher", &"x".repeat(1025)] {
        accept(&world, &code, "li", weak).await.expect(400, "weak_password");
    }
    // The body alone is larger than any request may be.
    let endless = "é".repeat(1 << 19);
    accept(&world, &code, "li", &endless).await.expect(413, "too_large");
    let before = world.app.auth.sign_in.passwords.done();
    let body = json!({"login": "li", "password": "x".repeat(1_000_000), "code": "000000"});
    open(&world, "/v1/sign-in", body).await.expect(400, "weak_password");
    assert_eq!(world.app.auth.sign_in.passwords.done(), before, "nothing was hashed");
    accept(&world, &code, "li ming", PASSWORD).await.expect(400, "invalid");
    accept(&world, &code, "li", PASSWORD).await.ok();
}

async fn a_password_is_the_same_from_every_keyboard(store: TestStore) {
    let world = World::new(store).await;
    let person = world.person(Role::Dispatcher, &world.top().await).await;
    let code = invite(&world, &person).await;
    let told = accept(&world, &code, "éva", "naïve café 泉城路").await.ok();
    let secret = secret_of(&told);
    let body = json!({"code": code, "totp": secret.code(world.app.now())});
    open(&world, "/v1/sign-in/confirmation", body).await.ok();
    let totp = secret.code(world.clock.advance(30_000));
    let decomposed = "nai\u{308}ve cafe\u{301} 泉城路";
    let body = json!({"login": "E\u{301}VA", "password": decomposed, "code": totp});
    open(&world, "/v1/sign-in", body).await.ok();
}

async fn a_code_of_the_authenticator_is_good_once(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    // The one that confirmed the authenticator is used, and so are those before it.
    let used = desk.secret.code(world.app.now());
    let before = desk.secret.code(world.app.now().plus(-30_000));
    for code in [&used, &before] {
        desk.try_with(&world, PASSWORD, code).await.expect(401, "sign_in_failed");
    }
    let code = desk.next_code(&world);
    desk.try_with(&world, "another password", &code).await.expect(401, "sign_in_failed");
    desk.try_with(&world, PASSWORD, &code).await.ok();
    desk.try_with(&world, PASSWORD, &code).await.expect(401, "sign_in_failed");
    let code = desk.next_code(&world);
    let tries = [(); 4].map(|()| desk.try_with(&world, PASSWORD, &code));
    let answers: Vec<Answer> = futures_util::future::join_all(tries).await;
    let signed_in = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(signed_in, 1, "four at once with one code");
}

async fn a_recovery_code_is_good_once(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let other = Desk::new(&world, Role::Dispatcher, "wang").await;
    let typed = desk.recovery_codes[3].to_lowercase().replace('-', "");
    other.try_with(&world, PASSWORD, &typed).await.expect(401, "sign_in_failed");
    desk.try_with(&world, "another password", &typed).await.expect(401, "sign_in_failed");
    desk.try_with(&world, PASSWORD, &typed).await.ok();
    desk.try_with(&world, PASSWORD, &typed).await.expect(401, "sign_in_failed");
    let seen = desk.seen(&world).await;
    assert_eq!(seen["recovery_codes"], 9);
    let sessions = seen["sessions"].as_array().unwrap();
    assert!(sessions.iter().any(|session| session["method"] == "recovery_code"), "{sessions:?}");
}

async fn an_unknown_name_is_refused_like_a_wrong_password(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let gone = Desk::new(&world, Role::Dispatcher, "gone").await;
    world.post(&world.admin, &format!("/v1/people/{}/closure", gone.person), json!({})).await.ok();
    let mut seen = Vec::new();
    for (login, password) in
        [("nobody", PASSWORD), ("li", "another password"), ("li", PASSWORD), ("gone", PASSWORD)]
    {
        let before = world.app.auth.sign_in.passwords.done();
        let body = json!({"login": login, "password": password, "code": "000000"});
        let answer = open(&world, "/v1/sign-in", body).await.expect(401, "sign_in_failed");
        let mut headers = answer.headers;
        headers.remove("x-request-id");
        seen.push((headers, answer.body, world.app.auth.sign_in.passwords.done() - before));
    }
    assert_eq!(seen[0].2, 1, "one password is hashed for nobody, too");
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
    desk.sign_in(&world).await;
}

async fn a_reset_takes_everything_away_at_once(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li").await;
    let path = format!("/v1/people/{}/sign-in", desk.person);
    let left = world.send(Method::DELETE, &path, &bearer(&world.admin), None).await.ok();
    assert_eq!((&left["login"], &left["sessions"]), (&Value::Null, &json!([])));
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
    let code = desk.next_code(&world);
    for code in [&code, &desk.recovery_codes[0]] {
        desk.try_with(&world, PASSWORD, code).await.expect(401, "sign_in_failed");
    }
    let again = Desk::of(&world, &desk.person, "li").await;
    again.sign_in(&world).await;
    // A second invitation replaces all of the first once it is confirmed, and nothing before.
    let invitation = invite(&world, &desk.person).await;
    accept(&world, &invitation, "li.ming", PASSWORD).await.ok();
    again.sign_in(&world).await;
    let third = Desk::of(&world, &desk.person, "li.ming").await;
    let code = again.next_code(&world);
    again.try_with(&world, PASSWORD, &code).await.expect(401, "sign_in_failed");
    world.get(&again.session, "/v1/me").await.expect(401, "session_ended");
    third.sign_in(&world).await;
}

async fn people_change_their_own_password_and_codes(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::UnitLeader, "li").await;
    let second = desk.sign_in(&world).await;
    let new = "three lakes without a boat";
    let change = async |password: &str, code: &str, new: &str| {
        let body = json!({"password": password, "code": code, "new_password": new});
        world.post(&second, "/v1/me/password", body).await
    };
    let code = desk.next_code(&world);
    change(PASSWORD, &code, "password1234").await.expect(400, "weak_password");
    change("another password", &code, new).await.expect(401, "sign_in_failed");
    change(PASSWORD, &code, new).await.ok();
    world.get(&second, "/v1/me").await.ok();
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
    let code = desk.next_code(&world);
    desk.try_with(&world, PASSWORD, &code).await.expect(401, "sign_in_failed");
    desk.try_with(&world, new, &code).await.ok();
    let body = json!({"password": new, "code": desk.recovery_codes[0]});
    let renewed = world.post(&second, "/v1/me/recovery-codes", body).await.ok();
    let codes: Vec<_> = renewed["recovery_codes"].as_array().unwrap().iter().map(text).collect();
    desk.try_with(&world, new, &desk.recovery_codes[1]).await.expect(401, "sign_in_failed");
    desk.try_with(&world, new, &codes[0]).await.ok();
    let body = json!({"password": new, "code": codes[1]});
    let answer = world.post(&world.admin, "/v1/me/recovery-codes", body).await;
    answer.expect(409, "no_password");
}

async fn other_systems_and_phones_do_not_sign_in(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let system = world.person(Role::WebIntake, &top).await;
    let path = format!("/v1/people/{system}/sign-in-invitations");
    world.post(&world.admin, &path, json!({})).await.expect(409, "no_sign_in");
    let path = format!("/v1/people/{system}/identity");
    let body = json!({"identity": "x"});
    let answer = world.send(Method::PUT, &path, &bearer(&world.admin), Some(body)).await;
    answer.expect(409, "no_sign_in");
    let (inspector, mut phone) = world.inspector(&top, 1).await;
    let desk = Desk::of(&world, &inspector, "li").await;
    world.get(&desk.session, "/v1/me").await.ok();
    phone.get(&world, "/v1/me/sessions").await.expect(403, "desk_only");
    // Who becomes a system signs in no more.
    let post = json!({"role": "web_intake", "unit": top});
    world.appoint(&inspector, post).await.ok();
    world.get(&desk.session, "/v1/me").await.expect(401, "session_ended");
}

/// Every value of every column of the tables of sign-in, as text and as hexadecimal digits.
async fn dump(store: &Store) -> String {
    let mut all = String::new();
    for (table, texts, bytes) in [
        ("sign_in", &["login", "password"][..], &["totp"][..]),
        ("sign_in_invitation", &[], &["code_hash"]),
        ("session", &["method"], &["token_hash"]),
        ("recovery_code", &[], &["code_hash"]),
        ("sign_in_tries", &[], &["key"]),
        ("audit_entry", &["detail"], &["object"]),
    ] {
        let query = || sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {table}")));
        for row in store.read_one("test.dump", query).await.unwrap() {
            for column in texts {
                all.push_str(&row.text(column).unwrap());
                all.push('\n');
            }
            for column in bytes {
                let value = row.bytes(column).unwrap();
                all.push_str(&String::from_utf8_lossy(&value));
                all.push_str(&value.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
                all.push('\n');
            }
        }
    }
    all
}

async fn secrets_stand_nowhere_in_the_clear(store: TestStore) {
    let world = World::new(store).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li.ming").await;
    let invitation = invite(&world, &desk.person).await;
    desk.try_with(&world, PASSWORD, "999999").await.expect(401, "sign_in_failed");
    let kept = dump(&world.app.store).await;
    assert!(kept.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "the dump sees the tables");
    assert!(kept.contains(&session::hash(&desk.session).to_string()));
    let base32 = desk.secret.base32();
    let raw = totp_rs::Secret::Encoded(base32.clone()).to_bytes().unwrap();
    let raw: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [PASSWORD, &desk.session, &invitation, &desk.recovery_codes[0], &base32, &raw] {
        assert!(!kept.contains(secret), "{secret}");
    }
    let auditor = world.person(Role::Auditor, &world.top().await).await;
    let log = world.get(&world.key(&auditor).await, "/v1/audit").await.ok();
    let names: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    for deed in ["sign_in_invited", "sign_in_set", "signed_in"] {
        assert!(names.iter().any(|name| name == deed), "{deed} in {names:?}");
    }
    assert!(!log.to_string().contains("li.ming"), "the log names people by id alone");
    let answer = world.get(&desk.session, "/v1/me/sessions").await.ok();
    assert!(answer["present"].as_str().unwrap().parse::<Hash>().is_ok());
}

async fn without_a_provider_there_is_none(store: TestStore) {
    let world = World::new(store).await;
    open(&world, "/v1/sign-in/oidc", json!({})).await.expect(404, "no_provider");
    let body = json!({"attempt": "x", "state": "x", "code": "x"});
    open(&world, "/v1/sign-in/oidc/return", body).await.expect(404, "no_provider");
}

#[tokio::test]
async fn no_log_line_holds_what_people_sign_in_with() {
    let lines = Lines::default();
    let guard = lines.catch();
    let world = World::new(TestStore::sqlite().await).await;
    let desk = Desk::new(&world, Role::Dispatcher, "li.ming").await;
    let invitation = invite(&world, &desk.person).await;
    accept(&world, &invitation, "li.ming", "password1234").await.expect(400, "weak_password");
    accept(&world, &invitation, "li ming", PASSWORD).await.expect(400, "invalid");
    let code = desk.next_code(&world);
    desk.try_with(&world, "another password", &code).await.expect(401, "sign_in_failed");
    desk.try_with(&world, PASSWORD, &code).await.ok();
    desk.try_with(&world, PASSWORD, &desk.recovery_codes[0]).await.ok();
    for _ in 0..5 {
        desk.try_with(&world, "another password", &code).await.expect(401, "sign_in_failed");
    }
    desk.try_with(&world, PASSWORD, &code).await.expect(429, "too_many_tries");
    world.get(&desk.session, "/v1/me").await.ok();
    drop(guard);
    let lines = String::from_utf8(lines.caught()).unwrap();
    assert!(lines.contains("/v1/sign-in"), "the lines were caught: {lines}");
    let secrets =
        ["li.ming", PASSWORD, "another password", "password1234", &invitation, &desk.session];
    let more = [&code[..], &desk.recovery_codes[0], &desk.secret.base32()];
    for secret in secrets.iter().map(|text| &text[..]).chain(more) {
        assert!(!lines.contains(secret), "{secret}");
    }
}

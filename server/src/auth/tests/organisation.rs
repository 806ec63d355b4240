//! Units, teams and people.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use axum::http::Method;
use serde_json::json;

use super::kit::{World, bearer, text};
use crate::app::{App, StartError};
use crate::auth::Role;
use crate::auth::staff::{ADMIN_KEY_FILE, key_text};
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    a_new_database_has_one_administrator,
    a_key_file_that_holds_no_key_is_not_believed,
    unknown_things_and_bad_bodies_are_named,
    names_are_unique_among_siblings,
    two_administrators_do_not_undo_each_other_unseen,
    what_is_added_twice_with_one_key_is_there_once,
    lists_go_on_where_a_page_ends,
    the_last_administrator_stays,
    a_leader_sees_and_manages_the_own_subtree_only,
    lists_go_page_by_page,
    a_team_belongs_to_the_persons_unit,
);

async fn a_new_database_has_one_administrator(store: TestStore) {
    let world = World::new(store).await;
    let me = world.get(&world.admin, "/v1/me").await.ok();
    assert_eq!(me["role"], "administrator");
    let people = world.get(&world.admin, "/v1/people").await.ok();
    assert_eq!(people["people"].as_array().unwrap().len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = world.app.config.data.dir.join(crate::auth::staff::ADMIN_KEY_FILE);
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

async fn a_key_file_that_holds_no_key_is_not_believed(store: TestStore) {
    let file = store.dir.path().join(ADMIN_KEY_FILE);
    let good = key_text([7; 32]);
    for (text, mode) in [("", 0o600), ("onk_AAAA", 0o600), (&good, 0o644)] {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let refused = App::for_tests_on(store.dir.path(), store.another().await).await;
        assert!(matches!(refused, Err(StartError::FirstAdministrator(_))), "{text:?} {mode:o}");
    }
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let world = World::new(store).await;
    assert_eq!(world.get(&good, "/v1/me").await.ok()["role"], "administrator");
}

async fn unknown_things_and_bad_bodies_are_named(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let nowhere = "00000000-0000-0000-0000-00000000ffff";
    let post = async |path: &str, body| world.post(&world.admin, path, body).await;
    let person = |role: &str, unit: &str| json!({"name": "Li", "role": role, "unit": unit});
    let answer = post("/v1/people", person("chief", &top)).await.expect(400, "invalid");
    assert!(answer.body["detail"].as_str().unwrap().contains("`chief` is no role"));
    post("/v1/people", person("inspector", nowhere)).await.expect(404, "unknown_unit");
    post("/v1/people", person("inspector", "x")).await.expect(400, "invalid");
    post("/v1/units", json!({"name": "A", "parent": nowhere})).await.expect(404, "unknown_unit");
    post("/v1/teams", json!({"name": "A", "unit": nowhere})).await.expect(404, "unknown_unit");
    let extra = json!({"name": "A", "parent": top, "admin": true});
    let answer = post("/v1/units", extra).await.expect(400, "invalid");
    assert!(answer.body["detail"].as_str().unwrap().contains("unknown field `admin`"));
    post("/v1/units", json!({"name": " ", "parent": top})).await.expect(400, "invalid");
    post(&format!("/v1/people/{nowhere}/keys"), json!({"label": "x"}))
        .await
        .expect(404, "not_found");
    post(&format!("/v1/people/{nowhere}/enrolment-codes"), json!({}))
        .await
        .expect(404, "not_found");
    world.get(&world.admin, "/v1/people/nobody").await.expect(400, "invalid");
    world.get(&world.admin, &format!("/v1/units/{nowhere}")).await.expect(404, "unknown_unit");
    world.get(&world.admin, "/v1/devices/00000000000000aa").await.expect(404, "not_found");
    world.get(&world.admin, "/v1/people?colour=red").await.expect(400, "invalid");
}

async fn names_are_unique_among_siblings(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let one = world.unit("历下分局", &top).await;
    let body = json!({"name": "历下分局", "parent": top});
    world.post(&world.admin, "/v1/units", body).await.expect(409, "name_taken");
    let below = world.unit("历下分局", &one).await;
    let path = format!("/v1/units/{below}");
    let rename = async |path: &str, name| {
        world.change(Method::PATCH, &world.admin, (path, path), json!({"name": name})).await
    };
    assert_eq!(rename(&path, "一中队").await.ok()["name"], "一中队");
    let other = world.unit("二中队", &one).await;
    let path = format!("/v1/units/{other}");
    rename(&path, "一中队").await.expect(409, "name_taken");
    let team = json!({"name": "Team", "unit": one});
    world.post(&world.admin, "/v1/teams", team.clone()).await.ok();
    world.post(&world.admin, "/v1/teams", team).await.expect(409, "name_taken");
}

async fn two_administrators_do_not_undo_each_other_unseen(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let unit = world.unit("历下分局", &top).await;
    let path = format!("/v1/units/{unit}");
    let seen = world.get(&world.admin, &path).await.headers["etag"].to_str().unwrap().to_owned();
    let rename = async |tag: Option<&str>, name: &str| {
        let mut headers = bearer(&world.admin).to_vec();
        headers.extend(tag.map(|tag| ("if-match", tag.to_owned())));
        world.send(Method::PATCH, &path, &headers, Some(json!({"name": name}))).await
    };
    rename(None, "一").await.expect(428, "no_version");
    rename(Some("7"), "一").await.expect(400, "invalid");
    let first = rename(Some(&seen), "一").await;
    let now = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.ok()["name"], "一");
    rename(Some(&seen), "二").await.expect(412, "changed_meanwhile");
    rename(Some(&now), "二").await.ok();
    let person = world.person(Role::Inspector, &top).await;
    let record = format!("/v1/people/{person}");
    let stale = world.get(&world.admin, &record).await.headers["etag"].to_str().unwrap().to_owned();
    let post = json!({"role": "inspector", "unit": unit});
    world.appoint(&person, post.clone()).await.ok();
    let [admin] = bearer(&world.admin);
    let posts = format!("{record}/posts");
    let late = world.send(Method::POST, &posts, &[admin, ("if-match", stale)], Some(post)).await;
    late.expect(412, "changed_meanwhile");
}

async fn what_is_added_twice_with_one_key_is_there_once(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    for (path, name, body) in [
        ("/v1/units", "units", json!({"name": "历下分局", "parent": top})),
        ("/v1/teams", "teams", json!({"name": "一队", "unit": top})),
        ("/v1/people", "people", json!({"name": "李", "role": "auditor", "unit": top})),
    ] {
        let before = world.get(&world.admin, path).await.ok()[name].as_array().unwrap().len();
        let [admin] = bearer(&world.admin);
        let headers = [admin, ("idempotency-key", format!("k{name}"))];
        let first = world.send(Method::POST, path, &headers, Some(body.clone())).await;
        assert_eq!(first.status, 201);
        let again = world.send(Method::POST, path, &headers, Some(body.clone())).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        let after = world.get(&world.admin, path).await.ok()[name].as_array().unwrap().len();
        assert_eq!(after, before + 1, "{path}");
        let mut other = body;
        other["name"] = json!("another");
        let refused = world.send(Method::POST, path, &headers, Some(other)).await;
        refused.expect(422, "idempotency_key_reused");
    }
}

async fn lists_go_on_where_a_page_ends(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    for scalar in 1..=3 {
        world.inspector(&top, scalar).await;
    }
    for (path, name) in [("/v1/people", "people"), ("/v1/devices", "devices")] {
        let all = world.get(&world.admin, path).await.ok()[name].as_array().unwrap().clone();
        let (mut met, mut next) = (Vec::new(), String::new());
        loop {
            let page = world.get(&world.admin, &format!("{path}?limit=2{next}")).await.ok();
            met.extend(page[name].as_array().unwrap().iter().cloned());
            let Some(after) = page["next"].as_str() else { break };
            next = format!("&after={after}");
        }
        assert_eq!(met, all, "{path}");
        for wrong in ["limit=0", "limit=201", "after=x", "no_such=1"] {
            let answer = world.get(&world.admin, &format!("{path}?{wrong}")).await;
            answer.expect(400, "invalid");
        }
    }
}

async fn the_last_administrator_stays(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let first = text(&world.get(&world.admin, "/v1/me").await.ok()["id"]);
    let closure = format!("/v1/people/{first}/closure");
    let demotion = json!({"role": "auditor", "unit": top});
    world.post(&world.admin, &closure, json!({})).await.expect(409, "last_administrator");
    world.appoint(&first, demotion.clone()).await.expect(409, "last_administrator");
    world.person(Role::Administrator, &top).await;
    world.appoint(&first, demotion).await.ok();
    world.post(&world.admin, &closure, json!({})).await.expect(403, "forbidden");
}

async fn a_leader_sees_and_manages_the_own_subtree_only(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (own, foreign) = (world.unit("Own", &top).await, world.unit("Foreign", &top).await);
    let below = world.unit("Below", &own).await;
    let leader = world.person(Role::UnitLeader, &own).await;
    let key = world.key(&leader).await;
    let (near, near_phone) = world.inspector(&below, 1).await;
    let (far, far_phone) = world.inspector(&foreign, 2).await;
    let people = world.get(&key, "/v1/people").await.ok();
    let ids: Vec<_> =
        people["people"].as_array().unwrap().iter().map(|person| text(&person["id"])).collect();
    assert_eq!(ids, [leader.clone(), near.clone()]);
    world.get(&key, &format!("/v1/people/{near}")).await.ok();
    world.get(&key, &format!("/v1/people/{far}")).await.expect(404, "not_found");
    world.get(&key, &format!("/v1/people?unit={foreign}")).await.expect(404, "not_found");
    let code = async |person: &str| {
        world.post(&key, &format!("/v1/people/{person}/enrolment-codes"), json!({})).await
    };
    code(&near).await.ok();
    code(&far).await.expect(404, "not_found");
    let devices = world.get(&key, "/v1/devices").await.ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    world.get(&key, &format!("/v1/devices/{}", far_phone.id)).await.expect(404, "not_found");
    let revoke = async |device: &str| {
        let path = format!("/v1/devices/{device}/revocation");
        world.post(&key, &path, json!({"reason": "lost"})).await
    };
    revoke(&far_phone.id).await.expect(404, "not_found");
    revoke(&near_phone.id).await.ok();
    let team = async |unit: &str| {
        world.post(&key, "/v1/teams", json!({"name": "Team", "unit": unit})).await
    };
    team(&below).await.ok();
    team(&foreign).await.expect(404, "not_found");
}

async fn lists_go_page_by_page(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    for _ in 0..4 {
        world.person(Role::Inspector, &top).await;
        world.clock.advance(1);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/people?limit=2".to_owned();
    loop {
        let page = world.get(&world.admin, &path).await.ok();
        seen.extend(page["people"].as_array().unwrap().iter().map(|one| text(&one["id"])));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/people?limit=2&after={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
}

async fn a_team_belongs_to_the_persons_unit(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (one, two) = (world.unit("One", &top).await, world.unit("Two", &top).await);
    let body = json!({"name": "Fast", "unit": one});
    let team = text(&world.post(&world.admin, "/v1/teams", body).await.ok()["id"]);
    let person =
        |unit: &str| json!({"name": "Li", "role": "inspector", "unit": unit, "team": team});
    let created = world.post(&world.admin, "/v1/people", person(&one)).await.ok();
    assert_eq!(created["team"], json!(team));
    world.post(&world.admin, "/v1/people", person(&two)).await.expect(404, "unknown_team");
}

use axum::http::Method;
use serde_json::json;

use super::{Bureau, HOUR, MINUTE};
use crate::auth::Role;
use crate::auth::tests::kit::{bearer, text};
use crate::store::testing::{TestStore, on_each_engine};

async fn the_roster_shows_who_is_on_duty_and_when_nobody_is(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let inspector = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let shift = bureau.shift(&inspector, &bureau.squad, "desk", (0, 12));
    bureau.post(&bureau.leader, "/v1/duty/shifts", shift).await.expect(201, "");
    let team = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let shift = bureau.shift(&team, &bureau.squad, "team", (0, 24));
    bureau.post(&bureau.leader, "/v1/duty/shifts", shift).await.ok();

    let path = format!("/v1/duty/now?unit={}", bureau.squad);
    let now = bureau.get(&bureau.centre, &path).await.ok();
    let standing = now["units"][0]["on_duty"].as_array().unwrap();
    let posts: Vec<_> = standing.iter().map(|one| one["post"].as_str().unwrap()).collect();
    assert_eq!(posts, ["desk", "team"]);
    assert_eq!(standing[0]["person"].as_str(), Some(&inspector[..]));
    bureau.world.clock.advance(12 * HOUR);
    let now = bureau.get(&bureau.centre, &path).await.ok();
    assert_eq!(now["units"][0]["on_duty"].as_array().unwrap().len(), 1, "the end is not in");

    // 2026-11-23 begins at 16:00 UTC of the day before; the shift lasted from 08:00 to 20:00.
    let midnight = bureau.now() - 20 * HOUR;
    let days = "from=2026-11-23&to=2026-11-23";
    let path = format!("/v1/duty/gaps?{days}&unit={}", bureau.squad);
    let gaps = bureau.get(&bureau.leader, &path).await.ok();
    let expected = [
        json!({ "unit": bureau.squad, "from": midnight, "until": midnight + 8 * HOUR }),
        json!({ "unit": bureau.squad, "from": midnight + 20 * HOUR, "until": midnight + 24 * HOUR }),
    ];
    assert_eq!(gaps["gaps"], json!(expected), "a team on stand-by is not at the desk");
    let all = bureau.get(&bureau.centre, &format!("/v1/duty/gaps?{days}")).await.ok();
    assert_eq!(all["gaps"].as_array().unwrap().len(), 5, "three units have no roster at all");
    let listed = bureau.get(&bureau.leader, &format!("/v1/duty/shifts?{days}")).await.ok();
    assert_eq!(listed["shifts"].as_array().unwrap().len(), 2);
    bureau.get(&bureau.centre, "/v1/duty/gaps?from=2026-11-23").await.expect(400, "invalid");
}

async fn nobody_is_at_two_posts_at_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let inspector = bureau.world.person(Role::Inspector, &bureau.squad).await;
    bureau.on_duty(&inspector, &bureau.squad, "desk", (0, 12)).await;
    let plan = |unit: &str, post: &str, hours| {
        let body = bureau.shift(&inspector, unit, post, hours);
        let bureau = &bureau;
        async move { bureau.post(&bureau.admin, "/v1/duty/shifts", body).await }
    };
    let refused = plan(&bureau.other, "team", (11, 13)).await.expect(409, "at_two_posts");
    assert!(refused.body["detail"].as_str().unwrap().contains("A inspector"), "{}", refused.body);
    plan(&bureau.squad, "desk", (-1, 1)).await.expect(409, "at_two_posts");
    plan(&bureau.squad, "desk", (-2, 1)).await.expect(409, "shift_past");
    plan(&bureau.other, "team", (12, 13)).await.expect(201, "");
    let colleague = bureau.world.person(Role::Inspector, &bureau.squad).await;
    bureau.on_duty(&colleague, &bureau.squad, "desk", (0, 12)).await;

    plan(&bureau.squad, "desk", (30, 30)).await.expect(400, "invalid");
    plan(&bureau.squad, "desk", (30, 30 + 24 * 7 + 1)).await.expect(400, "invalid");
    plan(&bureau.squad, "desk", (-20, -10)).await.expect(409, "shift_over");
    plan(&bureau.squad, "cook", (30, 31)).await.expect(400, "invalid");
}

async fn two_who_change_a_shift_do_not_undo_each_other_unseen(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let inspector = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let shift = bureau.on_duty(&inspector, &bureau.squad, "desk", (2, 10)).await;
    let path = format!("/v1/duty/shifts/{}", shift["id"]);
    let body = |until: i64| {
        json!({ "person": inspector, "post": "leader", "from": bureau.now() + 2 * HOUR,
            "until": bureau.now() + until * HOUR })
    };
    let headers = bearer(&bureau.leader.key);
    let without = bureau.world.send(Method::PUT, &path, &headers, Some(body(9))).await;
    without.expect(428, "no_version");
    let first = bureau.edit(&bureau.leader, Method::PUT, &path, 1, body(9)).await.ok();
    assert_eq!((first["post"].as_str(), first["version"].as_i64()), (Some("leader"), Some(2)));
    let late = bureau.edit(&bureau.admin, Method::PUT, &path, 1, body(8)).await;
    late.expect(412, "changed_meanwhile");
    let late = bureau.edit(&bureau.admin, Method::DELETE, &path, 1, json!({})).await;
    late.expect(412, "changed_meanwhile");
    let removed = bureau.edit(&bureau.admin, Method::DELETE, &path, 2, json!({})).await;
    assert_eq!(removed.status, 204);
    bureau.get(&bureau.admin, &path).await.expect(404, "not_found");
    bureau.on_duty(&inspector, &bureau.squad, "desk", (2, 10)).await;
    assert_eq!(bureau.logged("shift_changed").await.len(), 4, "each step is on record");
}

async fn what_has_begun_is_ended_and_not_rewritten(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let one = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let other = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let shift = bureau.on_duty(&one, &bureau.squad, "desk", (0, 10)).await;
    let path = format!("/v1/duty/shifts/{}", shift["id"]);
    let from = shift["from"].as_i64().unwrap();
    bureau.world.clock.advance(3 * HOUR);
    let put = |person: &str, from: i64, until: i64| {
        let body = json!({ "person": person, "post": "desk", "from": from, "until": until });
        let (bureau, path) = (&bureau, &path);
        async move { bureau.edit(&bureau.leader, Method::PUT, path, 1, body).await }
    };
    put(&other, from, from + 10 * HOUR).await.expect(409, "shift_begun");
    put(&one, from + HOUR, from + 10 * HOUR).await.expect(409, "shift_begun");
    put(&one, from, from + 2 * HOUR).await.expect(409, "shift_begun");
    let gone = bureau.edit(&bureau.leader, Method::DELETE, &path, 1, json!({})).await;
    gone.expect(409, "shift_begun");
    put(&one, from, from + 3 * HOUR).await.ok();
    let again = bureau.edit(
        &bureau.leader,
        Method::PUT,
        &path,
        2,
        json!({ "person": one,
        "post": "desk", "from": from, "until": from + 9 * HOUR }),
    );
    again.await.expect(409, "shift_over");
    bureau.on_duty(&other, &bureau.squad, "desk", (0, 7)).await;
}

async fn a_swap_exchanges_people_or_nothing(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let one = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let other = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let early = bureau.on_duty(&one, &bureau.squad, "desk", (1, 10)).await;
    let late = bureau.on_duty(&other, &bureau.squad, "desk", (10, 20)).await;
    let path = format!("/v1/duty/shifts/{}/swap", early["id"]);
    let swap = |version: i64, with: i64| {
        let body = json!({ "with": late["id"], "version": with });
        let (bureau, path) = (&bureau, &path);
        async move { bureau.edit(&bureau.leader, Method::POST, path, version, body).await }
    };
    swap(1, 2).await.expect(412, "changed_meanwhile");
    let swapped = swap(1, 1).await.ok();
    let people: Vec<_> =
        swapped["shifts"].as_array().unwrap().iter().map(|one| text(&one["person"])).collect();
    assert_eq!(people, [other.clone(), one.clone()]);
    // Who now has the early shift is needed elsewhere at its time: nothing is exchanged.
    bureau.on_duty(&one, &bureau.other, "team", (2, 3)).await;
    swap(2, 2).await.expect(409, "at_two_posts");
    let path = format!("/v1/duty/shifts/{}", early["id"]);
    assert_eq!(bureau.get(&bureau.leader, &path).await.ok()["person"].as_str(), Some(&other[..]));
    bureau.world.clock.advance(HOUR);
    swap(2, 2).await.expect(409, "shift_begun");
    // Somebody of another unit helps out here; only who manages both may move them about.
    let guest = bureau.world.person(Role::Inspector, &bureau.other).await;
    let helps = bureau.on_duty(&guest, &bureau.squad, "desk", (30, 40)).await;
    let path = format!("/v1/duty/shifts/{}/swap", helps["id"]);
    let body = json!({ "with": late["id"], "version": 2 });
    let moved = bureau.edit(&bureau.leader, Method::POST, &path, 1, body).await;
    moved.expect(404, "not_found");
}

async fn whoever_stands_by_says_so_on_record(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let inspector = bureau.desk(Role::Inspector, &bureau.squad).await;
    let sign = |way: &'static str| bureau.post(&inspector, way, json!({}));
    sign("/v1/duty/sign-on").await.expect(409, "not_on_roster");
    bureau.on_duty(&inspector.person, &bureau.squad, "desk", (2, 10)).await;
    sign("/v1/duty/sign-on").await.expect(409, "not_on_roster");
    sign("/v1/duty/sign-off").await.expect(409, "not_signed_on");
    bureau.world.clock.advance(HOUR);
    let first = sign("/v1/duty/sign-on").await.ok();
    assert_eq!(first["signed_on_at"], bureau.now(), "an hour early is early enough");
    bureau.world.clock.advance(MINUTE);
    assert_eq!(sign("/v1/duty/sign-on").await.ok(), first, "saying it twice says it once");
    bureau.world.clock.advance(2 * HOUR);
    let path = format!("/v1/duty/now?unit={}", bureau.squad);
    let now = bureau.get(&bureau.centre, &path).await.ok();
    assert_eq!(now["units"][0]["on_duty"][0]["signed_on_at"], first["signed_on_at"]);
    let left = sign("/v1/duty/sign-off").await.ok();
    assert_eq!(left["signed_off_at"], bureau.now());
    let now = bureau.get(&bureau.centre, &path).await.ok();
    assert_eq!(now["units"][0]["on_duty"], json!([]), "who has left is not on duty");
    sign("/v1/duty/sign-off").await.expect(409, "not_signed_on");

    // A shift that somebody forgot to leave is not left days later in place of today's.
    bureau.on_duty(&inspector.person, &bureau.squad, "desk", (8, 20)).await;
    bureau.world.clock.advance(8 * HOUR);
    let forgotten = sign("/v1/duty/sign-on").await.ok();
    bureau.world.clock.advance(48 * HOUR);
    sign("/v1/duty/sign-off").await.expect(409, "not_signed_on");
    let today = bureau.on_duty(&inspector.person, &bureau.squad, "desk", (0, 9)).await;
    sign("/v1/duty/sign-on").await.ok();
    assert_eq!(sign("/v1/duty/sign-off").await.ok()["id"], today["id"]);
    let path = format!("/v1/duty/shifts/{}", forgotten["id"]);
    let open = bureau.get(&bureau.leader, &path).await.ok();
    assert_eq!(open["signed_off_at"], serde_json::Value::Null);
    let mut logged = bureau.logged("duty_signed").await;
    logged.sort_unstable();
    assert_eq!(logged, ["off", "off", "on", "on", "on"]);
}

async fn a_leader_plans_for_their_own_units_alone(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let own = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let foreign = bureau.world.person(Role::Inspector, &bureau.other).await;
    let plan = |person: &str, unit: &str| {
        let body = bureau.shift(person, unit, "desk", (1, 2));
        let bureau = &bureau;
        async move { bureau.post(&bureau.leader, "/v1/duty/shifts", body).await }
    };
    plan(&own, &bureau.top).await.expect(404, "not_found");
    plan(&own, &bureau.other).await.expect(404, "not_found");
    plan(&foreign, &bureau.squad).await.expect(404, "not_found");
    plan(&own, &bureau.squad).await.expect(201, "");
    let shift = bureau.on_duty(&foreign, &bureau.other, "desk", (1, 2)).await;
    let path = format!("/v1/duty/shifts/{}", shift["id"]);
    bureau.get(&bureau.leader, &path).await.expect(404, "not_found");
    let gone = bureau.edit(&bureau.leader, Method::DELETE, &path, 1, json!({})).await;
    gone.expect(404, "not_found");
    let path = format!("/v1/people/{foreign}/closure");
    bureau.post(&bureau.admin, &path, json!({})).await.ok();
    let body = bureau.shift(&foreign, &bureau.other, "desk", (5, 6));
    bureau.post(&bureau.admin, "/v1/duty/shifts", body).await.expect(409, "person_closed");
    bureau.world.clock.advance(HOUR);
    let path = format!("/v1/duty/now?unit={}", bureau.other);
    let now = bureau.get(&bureau.centre, &path).await.ok();
    assert_eq!(now["units"][0]["on_duty"], json!([]), "who has left the bureau stands by no more");
}

async fn a_month_comes_as_a_table_whole_or_not_at_all(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let one = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let other = bureau.world.person(Role::Inspector, &bureau.squad).await;
    let send = |text: String| {
        let bureau = &bureau;
        async move {
            use axum::body::Body;
            use axum::http::{Request, header};
            use http_body_util::BodyExt as _;
            use tower::ServiceExt as _;
            let request = Request::post("/v1/duty/imports")
                .header(header::AUTHORIZATION, format!("Bearer {}", bureau.leader.key))
                .header(header::CONTENT_TYPE, "text/csv")
                .body(Body::from(text))
                .unwrap();
            let router = crate::http::router(&bureau.world.app);
            let answer = router.oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice::<serde_json::Value>(&bytes).unwrap())
        }
    };
    let head = "单位,人员,岗位,开始,结束\n";
    let line = |person: &str, from: &str, until: &str| {
        format!("泉城路中队,{person},值守,2026-12-{from} 08:00,2026-12-{until} 08:00\n")
    };
    let clash = [head, &line(&one, "01", "03"), &line(&one, "02", "03")].concat();
    let (status, answer) = send(clash).await;
    assert_eq!((status, &answer["lines"][0]["line"]), (422, &json!(3)), "{answer}");
    let foreign = head.to_owned() + &line(&one, "01", "02").replace("泉城路", "大明湖");
    assert_eq!(send(foreign).await.0, 422, "another squad is out of reach");
    let path = "/v1/duty/shifts?from=2026-12-01&to=2026-12-31";
    assert_eq!(
        bureau.get(&bureau.leader, path).await.ok()["shifts"],
        json!([]),
        "nothing was taken"
    );
    let month: String = (1..=28)
        .map(|day| {
            let person = if day % 2 == 0 { &one } else { &other };
            line(person, &format!("{day:02}"), &format!("{:02}", day + 1))
        })
        .collect();
    let (status, answer) = send(head.to_owned() + &month).await;
    assert_eq!((status, answer["shifts"].as_array().unwrap().len()), (201, 28), "{answer}");
    assert_eq!(send(head.to_owned() + &month).await.0, 422, "nothing is taken twice");
    let path = format!("/v1/duty/gaps?from=2026-12-02&to=2026-12-28&unit={}", bureau.squad);
    assert_eq!(bureau.get(&bureau.leader, &path).await.ok()["gaps"], json!([]));
}

on_each_engine!(
    the_roster_shows_who_is_on_duty_and_when_nobody_is,
    nobody_is_at_two_posts_at_once,
    two_who_change_a_shift_do_not_undo_each_other_unseen,
    what_has_begun_is_ended_and_not_rewritten,
    a_swap_exchanges_people_or_nothing,
    whoever_stands_by_says_so_on_record,
    a_leader_plans_for_their_own_units_alone,
    a_month_comes_as_a_table_whole_or_not_at_all,
);

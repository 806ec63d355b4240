use serde_json::{Value, json};

use super::{Bureau, Desk};
use crate::auth::Role;
use crate::auth::tests::kit::text;
use crate::jobs::run_due;
use crate::store::testing::{TestStore, on_each_engine};

impl Bureau {
    /// What somebody was told of this kind: why, and the rung or the clock.
    async fn told(&self, who: &Desk, kind: &str) -> Vec<(String, Value)> {
        let inbox = self.get(who, "/v1/notices").await.ok();
        let notices = inbox["notices"].as_array().unwrap().iter();
        let mine = notices.filter(|notice| notice["kind"] == kind);
        mine.map(|notice| {
            let what = if kind == "clock" { &notice["clock"] } else { &notice["step"] };
            (text(&notice["because"]), what.clone())
        })
        .collect()
    }
}

fn told(told: &[(&str, Value)]) -> Vec<(String, Value)> {
    told.iter().map(|(because, what)| ((*because).to_owned(), what.clone())).collect()
}

async fn an_overdue_order_reaches_people_rung_by_rung_and_each_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let duty = bureau.desk(Role::Inspector, &bureau.squad).await;
    let parent = bureau.desk(Role::UnitLeader, &bureau.district).await;
    let chief = bureau.desk(Role::Leader, &bureau.top).await;
    let supervisor = bureau.desk(Role::Supervisor, &bureau.district).await;
    let foreign = bureau.desk(Role::Supervisor, &bureau.other).await;
    bureau.on_duty(&duty.person, &bureau.squad, "desk", (0, 24)).await;
    bureau.on_duty(&bureau.centre.person, &bureau.top, "desk", (0, 24)).await;
    let case = text(&bureau.case(36.65, 117.05, 50.0).await["id"]);
    bureau.order(&case, &bureau.squad).await;
    // Deemed received after 5 minutes, due 60 later.
    bureau.pass(5).await;
    bureau.pass(60).await;
    assert_eq!(bureau.told(&duty, "overdue").await, [], "the deadline itself is in time");
    // Another process works on the same database at the same moment, right after a restart.
    let node = bureau.world.another_node(bureau.world.app.store.clone()).await;
    node.clock.advance(66 * 60_000);
    bureau.world.clock.advance(60_000);
    let (one, other) = tokio::join!(run_due(&bureau.world.app), run_due(&node.app));
    one.unwrap();
    other.unwrap();
    assert_eq!(bureau.told(&duty, "overdue").await, told(&[("on_duty", json!(0))]));
    assert_eq!(bureau.told(&bureau.leader, "overdue").await, told(&[("leader", json!(0))]));
    assert_eq!(bureau.told(&parent, "overdue").await, []);
    bureau.pass(30).await;
    assert_eq!(bureau.told(&parent, "overdue").await, told(&[("leader", json!(1))]));
    let centre = told(&[("on_duty", json!(1))]);
    assert_eq!(bureau.told(&bureau.centre, "overdue").await, centre);
    assert_eq!(bureau.told(&chief, "overdue").await, []);
    bureau.pass(90).await;
    bureau.pass(600).await;
    assert_eq!(bureau.told(&chief, "overdue").await, told(&[("bureau_leader", json!(2))]));
    assert_eq!(bureau.told(&supervisor, "overdue").await, told(&[("supervisor", json!(2))]));
    assert_eq!(bureau.told(&foreign, "overdue").await, [], "of another squad");
    assert_eq!(bureau.told(&duty, "overdue").await.len(), 1, "each rung once");
    let notice = &bureau.get(&chief, "/v1/notices").await.ok()["notices"][0];
    assert_eq!((&notice["case"], &notice["unit"]), (&json!(case), &json!(bureau.squad)));
    assert!(!notice.to_string().contains("stalls"), "no word of the case: {notice}");
}

async fn whoever_is_off_duty_has_a_stand_in_and_the_centre_hears_of_nobody(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = text(&bureau.case(36.65, 117.05, 50.0).await["id"]);
    bureau.order(&case, &bureau.squad).await;
    bureau.pass(5).await;
    bureau.pass(61).await;
    assert_eq!(bureau.told(&bureau.leader, "overdue").await, told(&[("leader", json!(0))]));
    let nobody = told(&[("centre", json!(0))]);
    assert_eq!(bureau.told(&bureau.centre, "overdue").await, nobody, "no duty anywhere");

    let stand_in = bureau.desk(Role::Inspector, &bureau.district).await;
    bureau.on_duty(&stand_in.person, &bureau.district, "leader", (0, 24)).await;
    let second = text(&bureau.case(36.65, 117.06, 50.0).await["id"]);
    bureau.order(&second, &bureau.squad).await;
    bureau.pass(5).await;
    bureau.pass(61).await;
    let rung = told(&[("stand_in", json!(1)), ("stand_in", json!(0))]);
    let mut found = bureau.told(&stand_in, "overdue").await;
    found.sort_by_key(|one| std::cmp::Reverse(one.1.as_i64()));
    assert_eq!(found, rung, "the first case's next rung, and the second's first");
}

async fn a_clock_about_to_run_out_is_told_unless_it_stopped(store: TestStore) {
    let bureau = Bureau::new(store).await;
    bureau.on_duty(&bureau.centre.person, &bureau.top, "desk", (0, 48)).await;
    let duty = bureau.desk(Role::Inspector, &bureau.squad).await;
    bureau.on_duty(&duty.person, &bureau.squad, "desk", (0, 48)).await;
    let ordered = text(&bureau.case(36.65, 117.05, 50.0).await["id"]);
    let waiting = text(&bureau.case(36.65, 117.06, 50.0).await["id"]);
    bureau.order(&ordered, &bureau.squad).await;
    bureau.pass(2).await;
    assert_eq!(bureau.told(&bureau.centre, "clock").await, []);
    bureau.pass(1).await;
    let dispatch = told(&[("on_duty", json!("dispatch"))]);
    assert_eq!(bureau.told(&bureau.centre, "clock").await, dispatch, "of the one that waits");
    let notice = &bureau.get(&bureau.centre, "/v1/notices").await.ok()["notices"][0];
    assert_eq!(notice["case"].as_str(), Some(&waiting[..]));
    assert_eq!(notice["due"], bureau.now() + 2 * 60_000);

    bureau.pass(2).await;
    bureau.pass(44).await;
    assert_eq!(bureau.told(&duty, "clock").await, []);
    bureau.pass(1).await;
    assert_eq!(bureau.told(&duty, "clock").await, told(&[("on_duty", json!("arrival"))]));
    // Complex feedback is due at the end of the third day after: Thursday, 23:59:59.999.
    bureau.pass(3 * 24 * 60).await;
    let clocks = bureau.told(&bureau.leader, "clock").await;
    assert_eq!(clocks.len(), 1, "{clocks:?}");
    bureau.pass(14 * 60).await;
    let clocks = bureau.told(&bureau.leader, "clock").await;
    assert_eq!(clocks.last(), Some(&("leader".to_owned(), json!("complex_feedback"))));
}

async fn leaders_are_told_at_once_of_grave_matters_and_referrals(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let chief = bureau.desk(Role::Leader, &bureau.top).await;
    let supervisor = bureau.desk(Role::Supervisor, &bureau.top).await;
    let grave = json!({ "class": "complaint", "channel": "letter", "matter": "officer_conduct",
        "summary": "an officer shouted" });
    bureau.post(&bureau.centre, "/v1/cases", grave).await.ok();
    let plain = text(&bureau.case(36.65, 117.05, 50.0).await["id"]);
    bureau.pass(0).await;
    assert_eq!(bureau.told(&chief, "grave").await.len(), 1, "of the grave one alone");
    let ordered = bureau.order(&plain, &bureau.squad).await;
    let order = text(&ordered["orders"][0]["id"]);
    for _ in 0..3 {
        bureau.pass(1).await;
        let path = format!("/v1/cases/{plain}/orders/{order}/urges");
        bureau.post(&bureau.centre, &path, json!({ "reason": "nothing was done" })).await.ok();
    }
    bureau.pass(0).await;
    assert_eq!(bureau.told(&chief, "referral").await.len(), 1);
    assert_eq!(bureau.told(&supervisor, "referral").await.len(), 1);
    assert_eq!(bureau.told(&bureau.leader, "referral").await, []);
}

async fn an_inbox_is_read_on_from_a_number_and_is_its_owners_alone(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let chief = bureau.desk(Role::Leader, &bureau.top).await;
    for n in 0..5 {
        let grave = json!({ "class": "complaint", "channel": "letter", "matter": "noise",
            "summary": format!("matter {n}"), "grave": true });
        bureau.post(&bureau.centre, "/v1/cases", grave).await.ok();
        bureau.pass(0).await;
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = bureau.get(&chief, &format!("/v1/notices?limit=2&after={after}")).await.ok();
        let notices = page["notices"].as_array().unwrap();
        if notices.is_empty() {
            break;
        }
        seen.extend(notices.iter().map(|notice| notice["n"].as_i64().unwrap()));
        after = page["next"].as_i64().unwrap();
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    let left = bureau.post(&chief, "/v1/notices/read", json!({ "notices": [1, 3, 3, 99] })).await;
    assert_eq!(left.ok()["unread"], 3);
    let unread = bureau.get(&chief, "/v1/notices?unread=true").await.ok();
    let numbers: Vec<_> =
        unread["notices"].as_array().unwrap().iter().map(|one| one["n"].clone()).collect();
    assert_eq!(numbers, [2, 4, 5]);
    let other = bureau.desk(Role::Leader, &bureau.top).await;
    assert_eq!(bureau.get(&other, "/v1/notices").await.ok()["notices"], json!([]));
    let many = json!({ "notices": vec![1; 201] });
    bureau.post(&chief, "/v1/notices/read", many).await.expect(400, "invalid");
}

on_each_engine!(
    an_overdue_order_reaches_people_rung_by_rung_and_each_once,
    whoever_is_off_duty_has_a_stand_in_and_the_centre_hears_of_nobody,
    a_clock_about_to_run_out_is_told_unless_it_stopped,
    leaders_are_told_at_once_of_grave_matters_and_referrals,
    an_inbox_is_read_on_from_a_number_and_is_its_owners_alone,
);

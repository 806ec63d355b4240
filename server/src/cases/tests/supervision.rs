//! Drills, special checks, hotspots, hard cases and media reports, as supervision works with them.

use axum::http::Method;
use onscene_sync_core::id::UnitId;
use serde_json::{Value, json};

use super::bureau::{Answer, Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, text, vending};
use crate::auth::Role;
use crate::cases::project::faults;
use crate::store::testing::{TestStore, on_each_engine};

const SUPERVISOR: (Role, UnitId) = (Role::Supervisor, DISTRICT);
const LEADER: (Role, UnitId) = (Role::Leader, DISTRICT);
const DAY: i64 = 24 * 60 * MINUTE;
const NOVEMBER: &str = "from=2026-11-01&to=2026-12-31";

impl Bureau {
    async fn get_as(&self, who: (Role, UnitId), path: &str) -> Answer {
        self.send(who, Method::GET, path, None, None).await
    }

    async fn supervise(&self, case: &str, manner: &str) -> Answer {
        let body = json!({ "manner": manner, "handling": "three visits, each time they came back",
            "result": "a fence was put up" });
        self.post_as(SUPERVISOR, &format!("/v1/cases/{case}/supervisions"), body).await
    }

    async fn register_as(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut body = vending();
        change(&mut body);
        text(&self.post("/v1/cases", body).await.ok()["id"])
    }
}

async fn a_drill_needs_an_approval_of_its_own(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut drill = vending();
    drill["drill"] = json!(true);
    bureau.post("/v1/cases", drill.clone()).await.refused(409, "drill_not_approved");
    drill["approval"] = json!(99);
    bureau.post("/v1/cases", drill).await.refused(409, "drill_not_approved");
    let mut plain = vending();
    plain["approval"] = json!(1);
    bureau.post("/v1/cases", plain).await.refused(400, "invalid");

    let path = "/v1/drill-approvals";
    let reason = || json!({ "reason": "night duty" });
    bureau.post_as(SUPERVISOR, path, reason()).await.refused(403, "forbidden");
    bureau.post_as(LEADER, path, json!({ "reason": " " })).await.refused(400, "invalid");
    let drill = bureau.drill().await;
    let case = text(&bureau.post("/v1/cases", drill.clone()).await.ok()["id"]);
    bureau.post("/v1/cases", drill).await.refused(409, "drill_not_approved");
    let approvals = bureau.get_as(SUPERVISOR, path).await.ok();
    assert_eq!(approvals["approvals"][0]["case"].as_str(), Some(&case[..]));
    let counted = bureau.get("/v1/statistics?month=2026-11").await.ok();
    assert_eq!(counted["total"]["counts"]["registered"], 0, "drills are out of statistics");

    let late = bureau.drill().await;
    bureau.clock.advance(7 * DAY);
    bureau.post("/v1/cases", late).await.refused(409, "drill_not_approved");
    let wrong = json!({ "class": "complaint", "channel": "telephone", "matter": "no_such",
        "summary": "x", "drill": true, "approval": bureau.drill().await["approval"] });
    bureau.post("/v1/cases", wrong.clone()).await.refused(400, "invalid");
    let mut mended = wrong;
    mended["matter"] = json!("noise");
    bureau.post("/v1/cases", mended).await.ok();
}

async fn months_without_a_special_check_are_named(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let path = "/v1/special-checks";
    let begin = |subject: &str, unit: UnitId, case: Option<&str>| {
        let body = json!({ "subject": subject, "unit": unit, "case": case });
        let bureau = &bureau;
        async move { bureau.post_as(SUPERVISOR, path, body).await }
    };
    let without = || bureau.get_as(SUPERVISOR, "/v1/special-checks?from=2026-10&to=2026-12");
    begin("turn_out", SQUAD, None).await.refused(400, "invalid");
    begin("turn_out", SQUAD, Some("00000000-0000-0000-0000-00000000ffff"))
        .await
        .refused(404, "not_found");
    let drill = text(&bureau.post("/v1/cases", bureau.drill().await).await.ok()["id"]);
    bureau.order(&drill, SQUAD).await;
    let check = begin("turn_out", SQUAD, Some(&drill)).await.ok();
    assert_eq!(check["drill"], true);
    let found = without().await.ok();
    assert_eq!(found["months_without"], json!(["2026-10", "2026-11"]), "nothing was found yet");
    let path = format!("{path}/{}/finding", check["id"]);
    let finding = |words: &str| json!({ "in_order": false, "finding": words });
    let conclude = |words: &str| bureau.post_as(SUPERVISOR, &path, finding(words));
    conclude("").await.refused(400, "invalid");
    conclude("call 13812345678 back").await.refused(422, "personal_data");
    let concluded = conclude("nobody went out for 40 minutes").await.ok();
    assert_eq!(concluded["in_order"], false);
    conclude("or so").await.refused(409, "already_concluded");
    let found = without().await.ok();
    assert_eq!(found["months_without"], json!(["2026-10"]), "December is still to come");
    assert_eq!(found["checks"].as_array().unwrap().len(), 1);

    begin("duty", OTHER_SQUAD, None).await.ok();
    let year = bureau.get_as(LEADER, "/v1/special-checks").await.ok();
    assert_eq!(year["months_without"].as_array().unwrap().len(), 11, "{year}");
    let foreign = (Role::UnitLeader, SQUAD);
    bureau.get_as(foreign, "/v1/special-checks").await.refused(403, "forbidden");
    bureau.get_as(LEADER, "/v1/special-checks?from=2026-10").await.refused(400, "invalid");
}

async fn hotspots_are_what_makes_up_half_and_open_to_their_cases(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for (matter, count) in [("street_vending", 5), ("noise", 3), ("litter", 1), ("smoke", 1)] {
        for n in 0..count {
            let case = bureau.register_as(|body| body["matter"] = json!(matter)).await;
            let unit = if n % 2 == 0 { SQUAD } else { DISTRICT };
            bureau.order(&case, unit).await;
        }
    }
    bureau.register_as(|body| body["class"] = json!("help")).await;
    let drill = bureau.drill().await;
    bureau.post("/v1/cases", drill).await.ok();
    let found = bureau.get_as(LEADER, &format!("/v1/hotspots?{NOVEMBER}")).await.ok();
    assert_eq!((&found["cases"], &found["complaints"]), (&json!(11), &json!(10)));
    let matters = found["matters"].as_array().unwrap();
    assert_eq!(matters.len(), 1, "{found}");
    assert_eq!((&matters[0]["key"], &matters[0]["count"]), (&json!("street_vending"), &json!(5)));
    assert_eq!(matters[0]["share"], 0.5);
    assert_eq!(found["units"][0]["key"], json!(SQUAD));
    assert_eq!(found["places"][0]["count"], 10);
    let mut opened = 0;
    for dimension in ["classes", "matters", "units", "places"] {
        for spot in found[dimension].as_array().unwrap() {
            let list = bureau.get_as(LEADER, spot["list"].as_str().unwrap()).await.ok();
            let cases = list["cases"].as_array().unwrap().len();
            assert_eq!(json!(cases), spot["count"], "{dimension} {spot}");
            opened += 1;
        }
    }
    assert_eq!(opened, 4);
    let only = bureau.get_as(LEADER, &format!("/v1/hotspots?{NOVEMBER}&unit={SQUAD}")).await.ok();
    assert_eq!(only["complaints"], 7);
    let wrong = format!("/v1/hotspots?{NOVEMBER}&class=help");
    bureau.get_as(LEADER, &wrong).await.refused(400, "invalid");
}

async fn a_matter_of_three_handling_periods_is_hard_until_it_is_supervised_on_scene(
    store: TestStore,
) {
    let bureau = Bureau::new(store).await;
    let path = format!("/v1/hard-cases?{NOVEMBER}");
    let hard = || bureau.get_as(SUPERVISOR, &path);
    let mut cases: Vec<String> = Vec::new();
    for (n, days) in [0, 1, 4, 4].into_iter().enumerate() {
        bureau.clock.advance(days * DAY);
        let case = bureau.register().await;
        bureau.order(&case, SQUAD).await;
        if let Some(first) = cases.first() {
            assert_eq!(hard().await.ok()["hard_cases"], json!([]), "before case {n}");
            let path = format!("/v1/cases/{case}/repeats");
            bureau.post(&path, json!({ "case": first, "reason": "the same stalls" })).await.ok();
        }
        cases.push(case);
    }
    let found = hard().await.ok();
    let one = &found["hard_cases"][0];
    assert_eq!((&one["periods"], &one["owed"]), (&json!(3), &json!(true)), "{found}");
    let members: Vec<_> =
        one["cases"].as_array().unwrap().iter().map(|case| text(&case["case"])).collect();
    assert_eq!(members, cases, "with the handling before, oldest first");

    let last = cases.last().unwrap();
    let empty = json!({ "manner": "on_scene", "handling": "", "result": "a fence" });
    let path = format!("/v1/cases/{last}/supervisions");
    bureau.post_as(SUPERVISOR, &path, empty).await.refused(400, "invalid");
    let told = json!({ "manner": "on_scene", "handling": "as said", "result": "ask 13812345678" });
    bureau.post_as(SUPERVISOR, &path, told).await.refused(422, "personal_data");
    bureau.supervise(last, "by_order").await.ok();
    assert_eq!(hard().await.ok()["hard_cases"][0]["owed"], true, "it must be on scene");
    bureau.clock.advance(MINUTE);
    let view = bureau.supervise(last, "on_scene").await.ok();
    assert_eq!(view["supervised"][1]["result"], "a fence was put up");
    let found = hard().await.ok();
    let one = &found["hard_cases"][0];
    assert_eq!((&one["owed"], one["concluded_in"].as_str()), (&json!(false), Some(&last[..])));

    bureau.clock.advance(5 * DAY);
    let again = bureau.register().await;
    let path = format!("/v1/cases/{again}/repeats");
    bureau.post(&path, json!({ "case": last, "reason": "they are back" })).await.ok();
    let found = hard().await.ok();
    assert_eq!(found["hard_cases"][0]["owed"], true, "it came again since");
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
}

async fn a_matter_that_was_hard_in_a_month_stays_so_when_it_comes_again_later(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut cases: Vec<String> = Vec::new();
    for days in [0, 5, 0, 20] {
        bureau.clock.advance(days * DAY);
        let case = bureau.register().await;
        bureau.order(&case, SQUAD).await;
        if let Some(first) = cases.first() {
            let path = format!("/v1/cases/{case}/repeats");
            bureau.post(&path, json!({ "case": first, "reason": "again" })).await.ok();
        }
        cases.push(case);
    }
    let hard = |days: &'static str| {
        let path = format!("/v1/hard-cases?{days}");
        let bureau = &bureau;
        async move { bureau.get_as(SUPERVISOR, &path).await.ok()["hard_cases"].clone() }
    };
    // Two periods in November make it no hard case; with December's there are three.
    assert_eq!(hard("from=2026-11-01&to=2026-11-30").await, json!([]));
    assert_eq!(hard("from=2026-12-01&to=2026-12-31").await[0]["periods"], 3);
    bureau.clock.advance(31 * DAY);
    let again = bureau.register().await;
    let path = format!("/v1/cases/{again}/repeats");
    bureau.post(&path, json!({ "case": cases[0], "reason": "again" })).await.ok();
    let december = hard("from=2026-12-01&to=2026-12-31").await;
    let of_december = december[0]["cases"].as_array().unwrap();
    assert_eq!((of_december.len(), &december[0]["periods"]), (4, &json!(3)), "{december}");
    assert_eq!(hard("from=2027-01-01&to=2027-01-31").await[0]["periods"], 4);
    bureau.order(&again, SQUAD).await;
    bureau.supervise(&again, "on_scene").await.ok();
    let december = hard("from=2026-12-01&to=2026-12-31").await;
    assert_eq!(december[0]["owed"], false, "it was supervised since: {december}");
}

async fn a_media_report_is_owed_supervision_by_order_and_on_scene(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let media = bureau.register_as(|body| body["channel"] = json!("media")).await;
    bureau.register().await;
    let path = format!("/v1/media-cases?{NOVEMBER}");
    let owed = |query: &'static str| {
        let path = format!("{path}{query}");
        let bureau = &bureau;
        async move {
            let found = bureau.get_as(LEADER, &path).await.ok();
            found["media_cases"].as_array().unwrap().clone()
        }
    };
    let found = owed("").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["case"].as_str(), Some(&media[..]));
    assert_eq!(found[0]["owed"], json!(["by_order", "on_scene"]));
    bureau.order(&media, SQUAD).await;
    bureau.supervise(&media, "by_order").await.ok();
    assert_eq!(owed("&owed=true").await[0]["owed"], json!(["on_scene"]));
    bureau.supervise(&media, "on_scene").await.ok();
    assert_eq!(owed("&owed=true").await, Vec::<Value>::new());
    assert_eq!(owed("").await[0]["owed"], json!([]));
    let other = bureau.get_as(SUPERVISOR, &format!("{path}&unit={OTHER_SQUAD}")).await.ok();
    assert_eq!(other["media_cases"], json!([]), "another squad's");
}

async fn a_row_of_supervision_that_says_otherwise_is_found(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    bureau.supervise(&case, "on_scene").await.ok();
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    let forge = bureau.app.store.with_tx("test", (), |tx, ()| {
        Box::pin(async move {
            sqlx::query("UPDATE supervised SET manner = 'by_order'").execute(tx.conn()).await?;
            Ok::<_, crate::store::StoreError>(())
        })
    });
    forge.await.unwrap();
    let faults = faults(&bureau.app.store).await.unwrap();
    assert!(faults.len() == 1 && faults[0].contains("its supervision is"), "{faults:?}");
}

on_each_engine!(
    a_drill_needs_an_approval_of_its_own,
    months_without_a_special_check_are_named,
    hotspots_are_what_makes_up_half_and_open_to_their_cases,
    a_matter_of_three_handling_periods_is_hard_until_it_is_supervised_on_scene,
    a_matter_that_was_hard_in_a_month_stays_so_when_it_comes_again_later,
    a_media_report_is_owed_supervision_by_order_and_on_scene,
    a_row_of_supervision_that_says_otherwise_is_found,
);

use onscene_sync_core::place::datum::convert;
use onscene_sync_core::place::{Datum, Degrees};
use serde_json::{Value, json};

use super::{DAY, Desks, raised, stalls};
use crate::auth::Role::Dispatcher;
use crate::auth::tests::kit::text;
use crate::store::testing::{TestStore, on_each_engine};
use crate::store::{Engine, RowExt as _, StoreError};

const SAID: &str = "山大路与花园路交叉口流动摊贩占用人行道，行人无法通行";

fn found(suggestions: &Value) -> Vec<&str> {
    suggestions.as_array().unwrap().iter().map(|one| one["case"].as_str().unwrap()).collect()
}

async fn the_same_matter_is_found_and_others_are_not(store: TestStore) {
    let mut desks = Desks::new(store).await;
    let clock = desks.world.clock.clone();
    let old = desks.register(stalls(SAID, 36.651, 117.12)).await;
    clock.advance(91 * DAY);
    desks.keys = desks.world.keys(&desks.top).await;
    let first = desks.register(stalls(SAID, 36.6511, 117.1201)).await;
    let far = desks.register(stalls("泉城广场东侧有小贩", 36.66, 117.02)).await;
    let unlike = desks
        .register(json!({ "class": "complaint", "channel": "telephone",
        "matter": "noise", "summary": "夜里工地施工太吵", "site": { "datum": "wgs84", "circle":
        { "centre": { "lat": 36.6535, "lon": 117.12 }, "radius_m": 50.0 } } }))
        .await;
    let drill = desks.drill(stalls(SAID, 36.651, 117.12)).await;
    clock.advance(DAY);
    // The map of this clerk is shifted by half a kilometre, and says so.
    let gcj = convert(Degrees { lat: 36.651, lon: 117.12 }, Datum::Wgs84, Datum::Gcj02);
    let mut again = stalls("花园路山大路路口摊贩占道，人行道走不了", gcj.lat, gcj.lon);
    again["site"]["datum"] = json!("gcj02");
    let again = desks.register(again).await;
    let answer = desks.get(Dispatcher, &format!("/v1/cases/{again}/repeats")).await.ok();
    assert_eq!(found(&answer["suggestions"]), [&first[..]], "not {old}, {far}, {unlike}, {drill}");
    let one = &answer["suggestions"][0];
    assert!(one["score"].as_u64().unwrap() > 70, "{one}");
    let place = &one["reasons"][0];
    assert_eq!((place["kind"].as_str(), place["zh"].as_str()), (Some("place"), Some("相距14米")));
    let points =
        one["reasons"].as_array().unwrap().iter().map(|one| one["points"].as_u64().unwrap());
    assert_eq!(points.sum::<u64>(), one["score"].as_u64().unwrap());
}

async fn a_matter_without_a_place_is_found_by_its_words_and_its_caller(store: TestStore) {
    let desks = Desks::new(store).await;
    let mut first = raised("complaint", "noise", "舜玉小区南门便民市场喇叭叫卖声音太大影响休息");
    first["complainant"] = json!({ "number": "138-1234-5678" });
    let first = desks.register(first).await;
    let other = desks.register(raised("complaint", "noise", "经十路工地夜间打桩")).await;
    let search = |summary: &str, caller: Option<&str>| {
        let body = json!({ "matter": "noise", "summary": summary, "caller": caller });
        desks.post("/v1/repeat-search", body)
    };
    let like = "舜玉小区南门便民市场喇叭叫卖太吵影响休息";
    let answer = search(like, None).await.ok();
    assert_eq!(found(&answer["suggestions"]), [&first[..]], "not {other}");
    let score = answer["suggestions"][0]["score"].as_u64().unwrap();
    let answer = search(like, Some("13812345678")).await.ok();
    let with_caller = answer["suggestions"][0]["score"].as_u64().unwrap();
    assert_eq!(with_caller, (score + 15).min(100));
    assert!(!answer.to_string().contains("12345678"), "the number is in no answer");
    let answer = search("泉水浴场有人钓鱼", None).await.ok();
    assert_eq!(found(&answer["suggestions"]), [""; 0]);
    search("", None).await.ok();
}

async fn chains_survive_merges_rings_and_decisions_taken_back(store: TestStore) {
    let desks = Desks::new(store).await;
    let mut cases = Vec::new();
    for _ in 0..5 {
        cases.push(desks.register(stalls(SAID, 36.651, 117.12)).await);
        desks.world.clock.advance(1);
    }
    let link = async |case: usize, of: usize| {
        let path = format!("/v1/cases/{}/repeats", cases[case]);
        desks.post(&path, json!({ "case": cases[of] })).await
    };
    let chain = async |case: usize| {
        let path = format!("/v1/cases/{}/repeats", cases[case]);
        let answer = desks.get(Dispatcher, &path).await.ok();
        answer["chain"]["cases"].as_array().unwrap().len()
    };
    link(1, 0).await.ok();
    let joins = link(3, 2).await.ok();
    assert_eq!((chain(0).await, chain(3).await, chain(4).await), (2, 2, 0));
    // Two chains become one, through whichever of their cases, and a ring is no trouble.
    let bridge = link(3, 1).await.ok();
    link(0, 3).await.ok();
    assert_eq!((chain(0).await, chain(2).await), (4, 4));
    let twice = link(0, 3).await;
    assert_eq!(twice.status, 200, "said again, stated once");
    assert_eq!(twice.ok()["repeats"].as_array().unwrap().len(), 1);
    assert!(desks.faults().await.is_empty(), "{:?}", desks.faults().await);

    let statement = |view: &Value, of: usize| {
        let mut repeats = view["repeats"].as_array().unwrap().iter();
        text(&repeats.find(|repeat| repeat["case"] == cases[of]).unwrap()["id"])
    };
    let take_back = async |case: usize, statement: String| {
        let path = format!("/v1/cases/{}/repeats/{statement}/withdrawal", cases[case]);
        desks.post(&path, json!({ "reason": "another stall" })).await
    };
    take_back(3, statement(&bridge, 1)).await.ok();
    assert_eq!(chain(0).await, 4, "the ring still holds them");
    let view = take_back(3, statement(&joins, 2)).await.ok();
    let mut repeats = view["repeats"].as_array().unwrap().iter();
    let taken = repeats.find(|repeat| repeat["case"] == cases[2]).unwrap();
    assert_eq!(taken["taken_back"]["reason"], "another stall");
    assert_eq!((chain(0).await, chain(3).await, chain(2).await), (3, 3, 0));
    take_back(3, statement(&joins, 2)).await.expect(400, "invalid");
    link(2, 2).await.expect(400, "invalid");
    let nobody = json!({ "case": "00000000-0000-0000-0000-00000000ffff" });
    desks.post(&format!("/v1/cases/{}/repeats", cases[0]), nobody).await.expect(400, "invalid");
    assert!(desks.faults().await.is_empty(), "{:?}", desks.faults().await);
}

async fn clerks_who_join_at_the_same_time_make_one_chain(store: TestStore) {
    let desks = Desks::new(store).await;
    let mut cases = Vec::new();
    for _ in 0..6 {
        cases.push(desks.register(stalls(SAID, 36.651, 117.12)).await);
    }
    // A row, a step of it in both directions, and a ring, all at once.
    let pairs = [(0, 1), (1, 0), (1, 2), (3, 2), (3, 4), (4, 5), (5, 0)];
    let (desks, cases) = (&desks, &cases);
    let linked = pairs.map(|(case, of): (usize, usize)| async move {
        let path = format!("/v1/cases/{}/repeats", cases[case]);
        desks.post(&path, json!({ "case": cases[of] })).await
    });
    for answer in futures_util::future::join_all(linked).await {
        answer.ok();
    }
    let path = format!("/v1/cases/{}/repeats", cases[3]);
    let answer = desks.get(Dispatcher, &path).await.ok();
    assert_eq!(answer["chain"]["cases"].as_array().unwrap().len(), 6, "{answer}");
    assert_eq!(answer["chain"]["links"].as_array().unwrap().len(), pairs.len());
    assert_eq!(answer["suggestions"], json!([]), "what is joined is not suggested");
    assert!(desks.faults().await.is_empty(), "{:?}", desks.faults().await);
}

async fn cases_from_before_get_their_traces(store: TestStore) {
    let desks = Desks::new(store).await;
    let first = desks.register(stalls(SAID, 36.651, 117.12)).await;
    let again = desks.register(stalls(SAID, 36.651, 117.12)).await;
    let store = &desks.world.app.store;
    // The job as the migration inserts it where there are cases already.
    let begin = "INSERT INTO job (kind, key, payload, run_at) \
         VALUES ('intake.trace', 'begin', '{\"after\":null}', 0)";
    for sql in ["DELETE FROM case_trace", "DELETE FROM case_band", begin] {
        store.write_one("test", || sqlx::query(sql)).await.unwrap();
    }
    assert_eq!(desks.faults().await.len(), 2, "a missing trace is noticed");
    crate::jobs::run_due(&desks.world.app).await.unwrap();
    assert!(desks.faults().await.is_empty(), "{:?}", desks.faults().await);
    let answer = desks.get(Dispatcher, &format!("/v1/cases/{again}/repeats")).await.ok();
    assert_eq!(found(&answer["suggestions"]), [&first[..]]);
}

/// Plans of the statements that look for repeats: none may walk through a whole table.
async fn no_search_walks_through_all_cases(store: TestStore) {
    let desks = Desks::new(store).await;
    for (table, column, at) in [
        ("case_trace t", "t.cell", "t.registered_at"),
        ("case_band b JOIN case_trace t ON t.case_id = b.case_id", "b.band", "b.registered_at"),
    ] {
        let sql = format!(
            "SELECT t.case_id, r.view FROM {table} JOIN case_row r ON r.case_id = t.case_id \
             WHERE {column} IN (1, 2, 3) AND {at} BETWEEN 5 AND 9 ORDER BY {at} DESC LIMIT 300"
        );
        let engine = desks.world.app.store.engine();
        let plan = desks.world.app.store.with_read("test", sql, move |tx, sql| {
            Box::pin(async move {
                let (explain, line) = match engine {
                    Engine::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
                    Engine::Postgres => ("EXPLAIN", "QUERY PLAN"),
                };
                if engine == Engine::Postgres {
                    sqlx::query("SET LOCAL enable_seqscan = off").execute(tx.conn()).await?;
                }
                let sql = sqlx::AssertSqlSafe(format!("{explain} {sql}"));
                let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
                let lines = rows.iter().map(|row| row.text(line));
                Ok::<_, StoreError>(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
            })
        });
        let plan = plan.await.unwrap();
        assert!(!plan.contains("SCAN t") && !plan.contains("SCAN b"), "{plan}");
        assert!(!plan.contains("SCAN r") && !plan.contains("Seq Scan"), "{plan}");
    }
}

on_each_engine!(
    the_same_matter_is_found_and_others_are_not,
    a_matter_without_a_place_is_found_by_its_words_and_its_caller,
    chains_survive_merges_rings_and_decisions_taken_back,
    clerks_who_join_at_the_same_time_make_one_chain,
    cases_from_before_get_their_traces,
    no_search_walks_through_all_cases,
);

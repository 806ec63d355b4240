//! Files that are taken away: whole, scoped, on record, and without a complainant.

use axum::http::Method;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, OTHER_SQUAD, SQUAD, vending};
use super::histories::put;
use crate::auth::Role;
use crate::store::RowExt as _;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    a_list_of_any_length_is_exported_whole,
    an_export_ends_where_its_reader_s_reach_ends,
    a_file_holds_no_complainant_and_no_formula_and_is_on_record,
);

const CENTRE: (Role, onscene_sync_core::id::UnitId) = (Role::Dispatcher, DISTRICT);

async fn file(bureau: &Bureau, who: (Role, onscene_sync_core::id::UnitId), path: &str) -> Vec<u8> {
    let (status, bytes) = bureau.send_raw(who, Method::GET, path, None, None).await;
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
    bytes
}

fn records(csv: &[u8]) -> Vec<csv::StringRecord> {
    assert_eq!(&csv[..3], b"\xef\xbb\xbf", "Excel needs the mark");
    csv::Reader::from_reader(&csv[3..]).records().map(Result::unwrap).collect()
}

async fn a_list_of_any_length_is_exported_whole(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let cases = put(&bureau.app, 21, 430, 30).await;
    let lines = records(&file(&bureau, CENTRE, "/v1/exports/cases.csv").await);
    assert_eq!(lines.len(), cases.len());
    let noise = records(&file(&bureau, CENTRE, "/v1/exports/cases.csv?matter=noise").await);
    assert!(!noise.is_empty() && noise.iter().all(|line| &line[3] == "噪声扰民"));
    let geojson = file(&bureau, CENTRE, "/v1/exports/cases.geojson").await;
    let geojson: Value = serde_json::from_slice(&geojson).unwrap();
    assert_eq!(geojson["type"], "FeatureCollection");
    let features = geojson["features"].as_array().unwrap();
    assert_eq!(features.len(), cases.len());
    for feature in features {
        let Some(point) = feature["geometry"]["coordinates"].as_array() else {
            assert!(feature["geometry"].is_null());
            continue;
        };
        let (lon, lat) = (point[0].as_f64().unwrap(), point[1].as_f64().unwrap());
        assert!((117.0..118.0).contains(&lon) && (36.0..37.0).contains(&lat), "{feature}");
    }
    let workbook = file(&bureau, CENTRE, "/v1/exports/cases.xlsx").await;
    assert_eq!(&workbook[..2], b"PK");
    for name in ["statistics.xlsx", "bulletin.docx"] {
        let made = file(&bureau, CENTRE, &format!("/v1/exports/{name}?month=2026-11")).await;
        assert_eq!(&made[..2], b"PK", "{name}");
    }
}

async fn an_export_ends_where_its_reader_s_reach_ends(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for unit in [SQUAD, OTHER_SQUAD, SQUAD] {
        let case = bureau.register().await;
        bureau.order(&case, unit).await;
    }
    bureau.register().await;
    let leader = (Role::UnitLeader, SQUAD);
    assert_eq!(records(&file(&bureau, leader, "/v1/exports/cases.csv").await).len(), 2);
    assert_eq!(records(&file(&bureau, CENTRE, "/v1/exports/cases.csv").await).len(), 4);
    let foreign = format!("/v1/exports/cases.csv?unit={OTHER_SQUAD}");
    assert_eq!(bureau.send_raw(leader, Method::GET, &foreign, None, None).await.0, 404);
    let administrator = (Role::Administrator, DISTRICT);
    let (refused, _) =
        bureau.send_raw(administrator, Method::GET, "/v1/exports/cases.csv", None, None).await;
    assert_eq!(refused, 403);
}

async fn a_file_holds_no_complainant_and_no_formula_and_is_on_record(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut case = vending();
    case["summary"] = json!("=HYPERLINK(\"http://example.invalid\")占道");
    case["complainant"] = json!({ "name": "金丝雀", "number": "13905310000", "address": "" });
    bureau.post("/v1/cases", case).await.ok();
    let csv = file(&bureau, CENTRE, "/v1/exports/cases.csv").await;
    let lines = records(&csv);
    assert!(lines[0][4].starts_with("'=HYPERLINK"), "{:?}", &lines[0]);
    for path in ["cases.csv", "cases.geojson"] {
        let text = file(&bureau, CENTRE, &format!("/v1/exports/{path}")).await;
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("占道") && !text.contains("金丝雀") && !text.contains("1390531"));
    }
    let noted = bureau.app.store.read_one("test", || {
        sqlx::query("SELECT detail, person FROM audit_entry WHERE action = 90 ORDER BY id")
    });
    let noted = noted.await.unwrap();
    let names: Vec<_> = noted.iter().map(|row| row.text("detail").unwrap()).collect();
    assert_eq!(names, ["cases.csv", "cases.csv", "cases.geojson"]);
    assert!(noted.iter().all(|row| row.opt_bytes("person").unwrap().is_some()));
}

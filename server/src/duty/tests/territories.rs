use axum::http::Method;
use serde_json::{Value, json};

use super::Bureau;
use crate::auth::Role;
use crate::auth::tests::kit::text;
use crate::store::testing::{TestStore, on_each_engine};

/// A rectangle as a territory in WGS-84.
fn ground(west: f64, south: f64, east: f64, north: f64) -> Value {
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    json!({ "datum": "wgs84", "geometry": { "type": "Polygon", "coordinates": [ring] } })
}

impl Bureau {
    async fn set(&self, unit: &str, version: i64, territory: Value) -> Value {
        let path = format!("/v1/units/{unit}/territory");
        self.edit(&self.admin, Method::PUT, &path, version, territory).await.ok()
    }

    /// The district from 117.00 to 117.20 degrees east, its squads on either side of 117.10.
    async fn map(&self) {
        self.set(&self.district, 0, ground(117.0, 36.6, 117.2, 36.7)).await;
        self.set(&self.squad, 0, ground(117.0, 36.61, 117.1, 36.69)).await;
        self.set(&self.other, 0, ground(117.1, 36.61, 117.19, 36.69)).await;
    }

    async fn suggested(&self, lat: f64, lon: f64) -> Value {
        let site = json!({ "datum": "wgs84",
            "circle": { "centre": { "lat": lat, "lon": lon }, "radius_m": 100.0 } });
        self.post(&self.centre, "/v1/unit-suggestions", json!({ "site": site })).await.ok()
    }
}

fn units(suggested: &Value) -> Vec<(String, f64)> {
    let units = suggested["units"].as_array().unwrap().iter();
    units.map(|one| (text(&one["unit"]), one["share"].as_f64().unwrap())).collect()
}

async fn a_territory_is_set_and_removed_and_every_version_stays(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let path = format!("/v1/units/{}/territory", bureau.squad);
    let none = bureau.get(&bureau.leader, &path).await.ok();
    assert_eq!((&none["version"], &none["geometry"]), (&json!(0), &Value::Null));
    let first = bureau.set(&bureau.squad, 0, ground(117.0, 36.6, 117.1, 36.7)).await;
    assert!((first["area_km2"].as_f64().unwrap() - 99.3).abs() < 0.5, "{first}");
    let late =
        bureau.edit(&bureau.admin, Method::PUT, &path, 0, ground(117.0, 36.6, 117.2, 36.7)).await;
    late.expect(412, "changed_meanwhile");
    bureau.set(&bureau.squad, 1, ground(117.0, 36.6, 117.2, 36.7)).await;
    let removed = bureau.edit(&bureau.admin, Method::DELETE, &path, 2, json!({})).await.ok();
    assert_eq!((&removed["version"], &removed["geometry"]), (&json!(3), &Value::Null));
    let twice = bureau.edit(&bureau.admin, Method::DELETE, &path, 3, json!({})).await;
    twice.expect(404, "not_found");
    assert_eq!(units(&bureau.suggested(36.65, 117.05).await), [], "it is nobody's ground any more");
    let before = bureau.get(&bureau.leader, &format!("{path}?version=1")).await.ok();
    assert_eq!(before["geometry"], first["geometry"]);
    bureau.get(&bureau.leader, &format!("{path}?version=9")).await.expect(404, "not_found");
    bureau.set(&bureau.squad, 3, ground(117.0, 36.6, 117.1, 36.7)).await;
    let logged = bureau.logged("territory_changed").await;
    assert_eq!(logged.iter().filter(|word| *word == "set").count(), 3);
    assert_eq!(logged.len(), 4);
}

async fn an_outline_that_is_none_is_refused_with_what_to_mend(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let path = format!("/v1/units/{}/territory", bureau.squad);
    let point = json!({ "type": "Point", "coordinates": [117.0, 36.6] });
    let open = json!({ "type": "Polygon",
        "coordinates": [[[117.0, 36.6], [117.1, 36.6], [117.1, 36.7], [117.0, 36.7]]] });
    let sound = ground(117.0, 36.6, 117.1, 36.7)["geometry"].clone();
    for (body, said) in [
        (json!({ "datum": "wgs84", "geometry": point }), "Point"),
        (json!({ "datum": "wgs84", "geometry": open }), "end it with its first corner"),
        (json!({ "datum": "local", "geometry": sound }), "local"),
        (json!({ "geometry": sound }), "datum"),
    ] {
        let refused = bureau.edit(&bureau.admin, Method::PUT, &path, 0, body).await;
        let detail = text(&refused.expect(400, "invalid").body["detail"]);
        assert!(detail.contains(said), "{detail}");
    }
    let body = json!({ "datum": "cgcs2000", "geometry": sound });
    bureau.edit(&bureau.admin, Method::PUT, &path, 0, body).await.ok();
    let path = "/v1/units/00000000-0000-0000-0000-00000000ffff/territory";
    bureau.get(&bureau.admin, path).await.expect(404, "unknown_unit");
}

async fn a_place_suggests_the_units_whose_ground_it_is_smallest_first(store: TestStore) {
    let bureau = Bureau::new(store).await;
    bureau.map().await;
    let inside = bureau.suggested(36.65, 117.05).await;
    assert_eq!(
        units(&inside),
        [(bureau.squad.clone(), 1.0), (bureau.district.clone(), 1.0)],
        "{inside}"
    );
    assert_eq!(inside["border"], false);

    let border = bureau.suggested(36.65, 117.1).await;
    let named: Vec<_> = units(&border).into_iter().map(|one| one.0).collect();
    assert_eq!(named, [&bureau.other[..], &bureau.squad, &bureau.district]);
    for (_, share) in &units(&border)[..2] {
        assert!((share - 0.5).abs() < 0.01, "{border}");
    }
    assert_eq!(border["border"], true);

    let edge = bureau.suggested(36.65, 117.195).await;
    assert_eq!(units(&edge), [(bureau.district.clone(), 1.0)], "the district's own ground");

    let beside = bureau.suggested(36.71, 117.05).await;
    assert_eq!((units(&beside), &beside["nearest"]["unit"]), (vec![], &json!(bureau.district)));
    let metres = beside["nearest"]["distance_m"].as_f64().unwrap();
    assert!((metres - 1_010.0).abs() < 15.0, "{metres}");
    let away = bureau.suggested(36.8, 117.05).await;
    assert_eq!((units(&away), &away["nearest"]), (vec![], &Value::Null));
    assert!(away["says"].as_str().unwrap().contains("none is within 5 km"), "{away}");
}

async fn a_case_suggests_units_with_their_duty_and_dispatches_nothing(store: TestStore) {
    let bureau = Bureau::new(store).await;
    bureau.map().await;
    let inspector = bureau.world.person(Role::Inspector, &bureau.squad).await;
    bureau.on_duty(&inspector, &bureau.squad, "desk", (0, 12)).await;
    let earlier = text(&bureau.case(36.65, 117.04, 50.0).await["id"]);
    bureau.order(&earlier, &bureau.squad).await;
    let case = text(&bureau.case(36.65, 117.05, 50.0).await["id"]);
    let path = format!("/v1/cases/{case}/unit-suggestions");
    let suggested = bureau.get(&bureau.centre, &path).await.ok();
    let first = &suggested["units"][0];
    assert_eq!((&first["unit"], &first["open_orders"]), (&json!(bureau.squad), &json!(1)));
    assert_eq!(first["on_duty"][0]["person"].as_str(), Some(&inspector[..]));
    let view = bureau.get(&bureau.centre, &format!("/v1/cases/{case}")).await.ok();
    assert_eq!(view["orders"], json!([]), "a person decides");
    let ordered = bureau.order(&case, &bureau.squad).await;
    assert_eq!(ordered["orders"][0]["on_duty"][0]["person"].as_str(), Some(&inspector[..]));

    let nowhere = json!({ "class": "consultation", "channel": "telephone",
        "matter": "policy_question", "summary": "when may stalls stand?" });
    let nowhere = text(&bureau.post(&bureau.centre, "/v1/cases", nowhere).await.ok()["id"]);
    let path = format!("/v1/cases/{nowhere}/unit-suggestions");
    bureau.get(&bureau.centre, &path).await.expect(409, "no_site");
}

on_each_engine!(
    a_territory_is_set_and_removed_and_every_version_stays,
    an_outline_that_is_none_is_refused_with_what_to_mend,
    a_place_suggests_the_units_whose_ground_it_is_smallest_first,
    a_case_suggests_units_with_their_duty_and_dispatches_nothing,
);

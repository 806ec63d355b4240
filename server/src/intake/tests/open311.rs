use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Desks, raised, stalls};
use crate::auth::Role::{Dispatcher, WebIntake};
use crate::store::testing::{TestStore, on_each_engine};

/// A report as a citizen's app sends it.
const REPORT: [(&str, &str); 9] = [
    ("service_code", "street_vending"),
    ("lat", "36.651"),
    ("long", "117.12"),
    ("description", "流动摊贩占用人行道"),
    ("first_name", "小丫"),
    ("last_name", "王"),
    ("phone", "13812345678"),
    ("email", "wang@example.org"),
    ("media_url", "http://pictures.example/1.jpg"),
];

impl Desks {
    async fn georeport(&self, request: Request<Body>) -> (StatusCode, String) {
        let router = crate::http::router(&self.world.app);
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// GET with the key of the city's own app.
    async fn city_gets(&self, path: &str) -> (StatusCode, String) {
        let mark = if path.contains('?') { '&' } else { '?' };
        let key = &self.keys[&WebIntake];
        let request = Request::get(format!("/open311/v2/{path}{mark}api_key={key}"));
        self.georeport(request.body(Body::empty()).unwrap()).await
    }

    async fn city_reads(&self, path: &str) -> Value {
        let (status, body) = self.city_gets(path).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// POST of a form that holds the key.
    async fn city_posts(&self, format: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("api_key", &self.keys[&WebIntake]);
        let request = Request::post(format!("/open311/v2/requests.{format}"))
            .header("content-type", "application/x-www-form-urlencoded");
        self.georeport(request.body(Body::from(form.finish())).unwrap()).await
    }
}

async fn a_report_becomes_a_case_and_its_reporter_follows_it(store: TestStore) {
    let desks = Desks::new(store).await;
    let (status, body) = desks.city_posts("json", &REPORT).await;
    assert_eq!(status, 201, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer[0]["service_request_id"], "20261123-0001");
    assert_eq!(desks.city_posts("json", &REPORT).await.1, body, "sent again, registered once");
    let list = desks.get(Dispatcher, "/v1/cases").await.ok();
    assert_eq!(list["cases"].as_array().unwrap().len(), 1);
    let id = list["cases"][0]["id"].as_str().unwrap().to_owned();
    let case = desks.case(&id).await;
    assert_eq!(
        (&case["registration"]["channel"], &case["site"]["datum"]),
        (&json!("web"), &json!("wgs84"))
    );
    let held = desks.get(Dispatcher, &format!("/v1/cases/{id}/complainant")).await.ok();
    assert!(held["complainant"]["stored_at"].is_i64(), "{held}");

    let shown = desks.city_reads("requests/20261123-0001.json").await;
    assert_eq!(shown[0]["status"], "open");
    assert_eq!(shown[0]["description"], "流动摊贩占用人行道");
    assert_eq!(shown[0]["media_url"], "http://pictures.example/1.jpg");
    assert_eq!(shown[0]["requested_datetime"], "2026-11-23T08:00:00+08:00");
    assert!((shown[0]["lat"].as_f64().unwrap() - 36.651).abs() < 1e-7);
    assert_eq!(
        desks.city_reads(&format!("tokens/{id}.json")).await[0]["service_request_id"],
        "20261123-0001"
    );
    desks.world.clock.advance(60_000);
    desks.order(&id).await;
    let updates = desks.city_reads("requests/20261123-0001/updates.json").await;
    assert_eq!(updates[1]["description"], "已派单 a unit was ordered out");
    assert_eq!(updates[1]["updated_datetime"], "2026-11-23T08:01:00+08:00");
    let all = [case, shown, updates].map(|answer| answer.to_string()).concat();
    for private in ["王", "小丫", "13812345678", "wang@example"] {
        assert!(!all.contains(private), "{private}");
    }
    assert!(desks.faults().await.is_empty());
}

async fn who_says_the_same_again_after_an_hour_reports_anew(store: TestStore) {
    let desks = Desks::new(store).await;
    let number = async |fields: &[(&str, &str)]| {
        let (status, body) = desks.city_posts("json", fields).await;
        assert_eq!(status, 201, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer[0]["service_request_id"].as_str().unwrap().to_owned()
    };
    let mut other = REPORT;
    other[3] = ("description", "流动摊贩又来了");
    assert_eq!(number(&REPORT).await, number(&REPORT).await);
    assert_ne!(number(&REPORT).await, number(&other).await, "other words are another report");
    let first = number(&REPORT).await;
    desks.world.clock.advance(3_600_000);
    assert_ne!(number(&REPORT).await, first);
}

async fn xml_says_what_json_says(store: TestStore) {
    let desks = Desks::new(store).await;
    let (status, body) = desks.city_posts("xml", &REPORT).await;
    assert_eq!(status, 201);
    assert!(body.contains("<service_request_id>20261123-0001</service_request_id>"), "{body}");
    let (_, services) = desks.city_gets("services.xml").await;
    assert!(services.contains("<service_code>noise</service_code>"), "{services}");
    assert!(services.contains("<service_name>噪声扰民</service_name>"), "{services}");
    let (_, shown) = desks.city_gets("requests/20261123-0001.xml").await;
    assert!(
        shown.contains("<service_requests><request>") && shown.contains("<lat>36.651</lat>"),
        "{shown}"
    );
    let (status, error) = desks.city_gets("requests/20990101-0001.xml").await;
    assert_eq!(status, 404);
    assert!(error.contains("<errors><error><code>404</code><description>"), "{error}");
    // What is answered in XML can be imported as a file of requests.
    let open = vec![];
    let choices = crate::intake::import::open311::Choices {
        matters: std::collections::BTreeMap::new(),
        radius_m: 100.0,
    };
    let read = crate::intake::import::open311::read(shown.as_bytes(), &open, &choices).unwrap();
    assert_eq!(read[0].raw["service_request_id"], "20261123-0001");
}

async fn others_cases_are_shown_without_their_words_and_grave_ones_not_at_all(store: TestStore) {
    let desks = Desks::new(store).await;
    desks.register(stalls("山大路摊贩占道", 36.651, 117.12)).await;
    desks.register(raised("complaint", "officer_conduct", "态度粗暴")).await;
    let mut grave = stalls("塌方", 36.7, 117.0);
    grave["grave"] = json!(true);
    desks.register(grave).await;
    let mut drill = stalls("演练", 36.7, 117.0);
    drill["drill"] = json!(true);
    desks.register(drill).await;
    let seen = desks.city_reads("requests.json").await;
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(
        (&seen[0]["service_code"], &seen[0]["description"]),
        (&json!("street_vending"), &Value::Null)
    );
    assert_eq!(desks.city_gets("requests/20261123-0002.json").await.0, 404);
    let services = desks.city_reads("services.json").await;
    let codes: Vec<_> =
        services.as_array().unwrap().iter().map(|one| &one["service_code"]).collect();
    assert!(codes.contains(&&json!("noise")) && !codes.contains(&&json!("officer_conduct")));
    let definition = desks.city_reads("services/noise.json").await;
    assert_eq!(definition, json!({ "service_code": "noise", "attributes": [] }));
    assert_eq!(desks.city_gets("services/officer_conduct.json").await.0, 404);
}

async fn requests_are_filtered_as_the_standard_says(store: TestStore) {
    let desks = Desks::new(store).await;
    let first = desks.register(stalls("一", 36.651, 117.12)).await;
    desks.world.clock.advance(24 * 60 * 60 * 1000);
    desks.register(stalls("二", 36.651, 117.12)).await;
    desks.register(raised("complaint", "noise", "三")).await;
    let words = json!({ "why": "judicial" });
    desks.post(&format!("/v1/cases/{first}/refusal"), words).await.ok();
    for (filter, expected) in [
        ("", &["20261124-0002", "20261124-0001", "20261123-0001"][..]),
        ("service_code=noise", &["20261124-0002"]),
        ("service_code=noise,street_vending&status=open", &["20261124-0002", "20261124-0001"]),
        ("status=closed", &["20261123-0001"]),
        ("service_request_id=20261124-0001,20261123-0001", &["20261124-0001", "20261123-0001"]),
        (
            "start_date=2026-11-24T00:00:00Z&end_date=2026-11-25T00:00:00Z",
            &["20261124-0002", "20261124-0001"],
        ),
        ("end_date=2026-11-24T00:00:00%2B08:00", &["20261123-0001"]),
        ("page=2&page_size=2", &["20261123-0001"]),
    ] {
        let seen = desks.city_reads(&format!("requests.json?{filter}")).await;
        let numbers = seen.as_array().unwrap().iter().map(|one| one["service_request_id"].clone());
        assert_eq!(numbers.collect::<Vec<_>>(), expected, "{filter}");
    }
    for wrong in [
        "status=done",
        "page=0",
        "page_size=1001",
        "start_date=yesterday",
        "start_date=2026-01-01T00:00:00Z&end_date=2026-11-01T00:00:00Z",
    ] {
        let (status, body) = desks.city_gets(&format!("requests.json?{wrong}")).await;
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status.as_u16(), &error[0]["code"]), (400, &json!(400)), "{wrong}: {body}");
    }
}

async fn a_report_that_is_not_in_order_is_refused_by_name(store: TestStore) {
    let desks = Desks::new(store).await;
    let without = |name: &'static str| REPORT.into_iter().filter(move |(field, _)| *field != name);
    let with = |name: &'static str, value: &'static str| without(name).chain([(name, value)]);
    for (fields, code, named) in [
        (without("service_code").collect::<Vec<_>>(), 400, "service_code"),
        (with("service_code", "officer_conduct").collect(), 404, "officer_conduct"),
        (without("lat").collect(), 400, "`lat` and `long`"),
        (with("lat", "117,5").collect(), 400, "`lat` is no number"),
        (without("description").collect(), 400, "description"),
        (with("description", "电话13812345678").collect(), 422, "mobile number"),
        (with("attribute[COLOUR]", "red").collect(), 400, "`attribute[COLOUR]`"),
    ] {
        let (status, body) = desks.city_posts("json", &fields).await;
        assert_eq!(status.as_u16(), code, "{body}");
        assert!(body.contains(named) && !body.contains("13812345678"), "{named}: {body}");
    }
    let bare: Vec<_> = without("lat").filter(|(name, _)| *name != "long").collect();
    let (status, body) = desks.city_posts("json", &bare).await;
    assert!(status == 400 && body.contains("location"), "{body}");
    let list = desks.get(Dispatcher, "/v1/cases").await.ok();
    assert_eq!(list["cases"], json!([]));
}

async fn only_a_key_of_another_system_opens_it(store: TestStore) {
    let desks = Desks::new(store).await;
    let get = |headers: Vec<(&'static str, String)>, query: String| {
        let request = Request::get(format!("/open311/v2/services.json{query}"));
        let request =
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        desks.georeport(request.body(Body::empty()).unwrap())
    };
    let basic = |key: &str| {
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode(format!("city:{key}"));
        vec![("authorization", format!("Basic {coded}"))]
    };
    let key = desks.keys[&WebIntake].clone();
    assert_eq!(get(basic(&key), String::new()).await.0, 200);
    assert_eq!(get(vec![("authorization", format!("Bearer {key}"))], String::new()).await.0, 200);
    let (status, body) = get(Vec::new(), String::new()).await;
    assert!(status == 401 && body.contains("\"code\":401"), "{body}");
    assert_eq!(get(basic(&desks.keys[&Dispatcher]), String::new()).await.0, 403);
    assert_eq!(get(Vec::new(), "?api_key=onk_guessed".to_owned()).await.0, 401);
    let other = desks.world.get(&key, "/v1/cases").await;
    assert_eq!(other.status, 403, "and it opens nothing else");
}

on_each_engine!(
    a_report_becomes_a_case_and_its_reporter_follows_it,
    who_says_the_same_again_after_an_hour_reports_anew,
    xml_says_what_json_says,
    others_cases_are_shown_without_their_words_and_grave_ones_not_at_all,
    requests_are_filtered_as_the_standard_says,
    a_report_that_is_not_in_order_is_refused_by_name,
    only_a_key_of_another_system_opens_it,
);

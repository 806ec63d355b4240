use onscene_tests::process::Server;
use reqwest::Method;
use serde_json::{Value, json};

/// A bureau with a case, so that the fuzzer meets things that are there.
pub(super) struct Bureau {
    pub(super) keys: Vec<(&'static str, String)>,
    unit: Value,
    person: Value,
    case: Value,
    order: Value,
}

impl Bureau {
    pub(super) async fn on(server: &Server) -> Self {
        let post = async |path: &str, key: Option<&str>, body| {
            server.must(Method::POST, path, key, body).await
        };
        let me = server.must(Method::GET, "/v1/me", None, Value::Null).await;
        let squad = json!({ "name": "一中队", "parent": me["unit"] });
        let unit = post("/v1/units", None, squad).await["id"].clone();
        let mut keys = vec![("administrator", server.admin_key())];
        let mut person = Value::Null;
        for role in ["dispatcher", "web_intake", "inspector"] {
            let of = if role == "inspector" { &unit } else { &me["unit"] };
            let new = json!({ "name": role, "role": role, "unit": of });
            person = post("/v1/people", None, new).await["id"].clone();
            let path = format!("/v1/people/{}/keys", text(&person));
            let key = post(&path, None, json!({ "label": "fuzzer" })).await;
            keys.push((role, text(&key["key"]).to_owned()));
        }
        let dispatcher = Some(keys[1].1.as_str());
        let case = json!({ "class": "complaint", "channel": "telephone",
            "matter": "street_vending", "summary": "stalls block the pavement" });
        let case = post("/v1/cases", dispatcher, case).await["id"].clone();
        let orders = format!("/v1/cases/{}/orders", text(&case));
        let view = post(&orders, dispatcher, json!({ "unit": unit })).await;
        let order = view["orders"][0]["id"].clone();
        Self { keys, unit, person, case, order }
    }

    /// The description, with these things as examples of what a path may name.
    pub(super) fn described(&self) -> Value {
        let mut document: Value =
            serde_json::from_str(&onscene_server::http::docs::written()).unwrap();
        for (path, item) in document["paths"].as_object_mut().unwrap() {
            let id = match path.split('/').nth(2) {
                Some("units") => Some(&self.unit),
                Some("people") => Some(&self.person),
                Some("cases") => Some(&self.case),
                _ => None,
            };
            let operations = item.as_object_mut().unwrap().values_mut();
            let parameters = operations.filter_map(|one| one.get_mut("parameters")?.as_array_mut());
            for parameter in parameters.flatten() {
                let example = match parameter["name"].as_str() {
                    Some("id") => id.cloned(),
                    Some("order") => Some(self.order.clone()),
                    _ => None,
                };
                if let Some(example) = example {
                    parameter["example"] = example;
                }
            }
        }
        document
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

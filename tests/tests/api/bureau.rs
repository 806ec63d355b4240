use std::path::Path;

use onscene_mobile::{Device, OpenConfig, SoftwareKeys, Step};
use onscene_server::phone::lend::machine;
use onscene_server::phone::transport::Transport;
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

    /// Enrols a phone for the inspector; its private key in hexadecimal digits and an access token.
    pub(super) async fn phone(&self, server: &Server, dir: &Path) -> (String, String) {
        const SCALAR: [u8; 32] = [9; 32];
        let path = format!("/v1/people/{}/enrolment-codes", text(&self.person));
        let code = server.must(Method::POST, &path, None, json!({})).await;
        let config = OpenConfig {
            path: dir.join("phone.db"),
            model: "simulated".to_owned(),
            app_version: "1".to_owned(),
        };
        let keys = SoftwareKeys::from_scalar(&SCALAR).expect("a small scalar");
        let mut device = Device::open(config, machine(keys)).unwrap();
        device.enrol(&server.url(), text(&code["code"]), None, false).unwrap();
        let transport = Transport::new().unwrap();
        let mut token = String::new();
        device.sync_soon();
        while let Step::Send(request) = device.sync_next().unwrap() {
            let header = request.headers.iter().find(|(name, _)| *name == "authorization");
            if let Some(found) = header.and_then(|(_, value)| value.strip_prefix("DPoP ")) {
                found.clone_into(&mut token);
            }
            let reply = transport.send(&request).await.unwrap();
            device.sync_apply(request.id, &reply).unwrap();
        }
        (SCALAR.iter().map(|byte| format!("{byte:02x}")).collect(), token)
    }

    /// The key of the desk of this role.
    pub(super) fn key(&self, role: &str) -> &str {
        let found = self.keys.iter().find(|(name, _)| *name == role);
        found.map(|(_, key)| key.as_str()).expect("a desk of this role")
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

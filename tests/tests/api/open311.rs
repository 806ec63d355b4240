use std::process::Command;

use onscene_tests::process::Server;
use reqwest::Method;
use serde_json::{Value, json};

use super::bureau::Bureau;
use super::programs::{clients, programs, succeeds};

#[tokio::test]
async fn stock_clients_report_a_matter_and_follow_it_in_json_and_xml() {
    let Some(programs) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None).await;
    let bureau = Bureau::on(&server).await;
    let run = async |step: &str, told: &[&str]| {
        let mut client = Command::new(programs.join("python"));
        client.env("PYTHONDONTWRITEBYTECODE", "1").arg(clients().join("open311.py")).arg(step);
        client.arg(format!("{}/open311/v2", server.url())).arg(bureau.key("web_intake")).args(told);
        serde_json::from_str::<Value>(&succeeds(client).await).expect("JSON")
    };
    let report = json!({
        "service_code": "street_vending", "description": "流动摊贩占用人行道",
        "lat": 36.651, "lng": 117.12, "first_name": "Xiaoya", "last_name": "Wang",
        "phone": "13812345678", "media_url": "http://pictures.example/1.jpg",
    });
    let made = run("report", &[&report.to_string()]).await;
    assert_eq!(made["services"][0]["metadata"], false, "no client asks for attributes in vain");
    let number = made["reported"][0]["service_request_id"].as_str().expect("a number at once");
    let case = case_of(&server, &bureau, number).await;
    assert_eq!(case["registration"]["summary"], "流动摊贩占用人行道");

    let token = case["id"].as_str().unwrap();
    let read = run("follow", &[number, token]).await;
    assert_eq!(read["civicbot"]["token"][0]["service_request_id"], number);
    for (client, kinds) in [("civicbot", "JSON"), ("json", "JSON"), ("xml", "XML")] {
        let read = &read[client];
        let services = read["services"].as_array().unwrap();
        assert_eq!(services.len(), made["services"].as_array().unwrap().len(), "{client}");
        assert_eq!(read["definition"]["service_code"], "street_vending", "{client} {kinds}");
        for request in [&read["listed"][0], &read["by_number"][0], one(&read["request"])] {
            assert_eq!(request["service_request_id"], number, "{client}: {request}");
            assert_eq!(request["status"], "open", "{client}: {request}");
            assert_eq!(request["description"], "流动摊贩占用人行道", "{client}: {request}");
            let lat = request["lat"].to_string();
            assert_eq!(lat.trim_matches('"'), "36.651", "a number, or its text in XML: {request}");
        }
        assert!(!read.to_string().contains("13812345678"), "{client} reads no complainant");
    }
}

/// A client may hand out a list of one or its element.
fn one(found: &Value) -> &Value {
    found.get(0).unwrap_or(found)
}

async fn case_of(server: &Server, bureau: &Bureau, number: &str) -> Value {
    let desk = Some(bureau.key("dispatcher"));
    let list = server.must(Method::GET, "/v1/cases?limit=200", desk, Value::Null).await;
    let rows = list["cases"].as_array().unwrap();
    let row = rows.iter().find(|row| row["number"] == number).expect("it is on record");
    let path = format!("/v1/cases/{}", row["id"].as_str().unwrap());
    server.must(Method::GET, &path, desk, Value::Null).await
}

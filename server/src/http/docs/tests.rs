use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use super::*;
use crate::auth::tests::kit::World;
use crate::describe::document::undescribed;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(the_description_is_handed_out_once_and_known_again_by_its_tag);

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").iter();
            methods.map(|(method, said)| (method.to_uppercase(), path.clone(), said))
        })
        .collect()
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let routes = crate::http::all();
    assert!(undescribed(&routes).is_empty(), "{:#?}", undescribed(&routes));
    let document = document(&routes);
    let said: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let known: BTreeSet<_> =
        routes.table().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(said, known);
}

#[test]
fn names_are_told_apart_by_words_and_not_by_numbers() {
    let document = document(&crate::http::all());
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let numbered: Vec<_> = schemas
        .keys()
        .filter(|name| name.ends_with(|last: char| last.is_ascii_digit()))
        .filter(|name| !name.starts_with("Open311"))
        .collect();
    assert!(numbered.is_empty(), "give these a name with #[schemars(rename)]: {numbered:?}");
    let ids: Vec<_> = operations(&document)
        .into_iter()
        .map(|(_, _, said)| said["operationId"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "operation ids are unique");
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    found.push(target.clone());
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(members) => members.iter().for_each(|member| references(member, found)),
            _ => {}
        }
    }
    let document = document(&crate::http::all());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for target in found {
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

/// What makes something and may be sent again without making it twice, but for what is a secret.
#[test]
fn whatever_makes_something_takes_an_idempotency_key() {
    const SECRETS: [&str; 8] = [
        "/v1/sign-in",
        "/v1/sign-in/confirmation",
        "/v1/sign-in/oidc/return",
        "/v1/people/{id}/sign-in-invitations",
        "/v1/people/{id}/keys",
        "/v1/people/{id}/enrolment-codes",
        "/v1/cases/{id}/complainant/reads",
        "/v1/uploads",
    ];
    let document = document(&crate::http::all());
    for (method, path, said) in operations(&document) {
        let makes = method == "POST" && said["responses"].get("201").is_some();
        if !makes || SECRETS.contains(&&path[..]) {
            continue;
        }
        let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
        let takes = parameters.iter().any(|one| one["name"] == "Idempotency-Key");
        assert!(takes, "{method} {path} makes something and takes no Idempotency-Key");
    }
}

async fn the_description_is_handed_out_once_and_known_again_by_its_tag(store: TestStore) {
    let world = World::new(store).await;
    let get =
        async |path, headers: &[(&str, String)]| world.send(Method::GET, path, headers, None).await;
    let first = get("/v1/openapi.json", &[]).await;
    assert_eq!(first.body["openapi"], "3.1.0");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = get("/v1/openapi.json", &[("if-none-match", tag)]).await;
    assert_eq!(again.status, 304);
    for path in ["/v1/docs", "/v1/docs/page.js", "/v1/docs/page.css"] {
        let answer = get(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    get("/v1/docs/../../etc/passwd", &[]).await.expect(404, "no_such_route");
    get("/v1/docs/passwd", &[]).await.expect(404, "not_found");
}

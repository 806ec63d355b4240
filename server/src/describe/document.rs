//! The whole document, from the tables of routes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::operation::{Operation, parameters_of};
use super::{problems, schemas, security};
use crate::auth::{Route, Routes};

/// What stands at the top of the browsable page.
const ABOUT: &str = "Onscene (到场) records arrival, evidence and outcome of the city bureau's cases. \
    Moments are Unix milliseconds; ids are text. Lists answer a page and `next`: send it as `after` \
    for the page that follows, with the same other parameters; `next` is `null` on the last page, and a \
    page may be shorter than `limit` and yet have one. A POST that makes something takes an \
    `Idempotency-Key`: sent again with the same key, it is answered as the first time and not done \
    again. What two people may edit is answered with an `ETag`, and a change of it says by `If-Match` \
    which version it is meant for. Refusals are `application/problem+json` (RFC 9457); the address of a \
    thing out of the caller's reach answers as if there were nothing.";

/// The OpenAPI 3.1 document of these routes.
#[must_use]
pub fn document(routes: &Routes) -> Value {
    let (mut taken, mut given) = (schemas::of_requests(), schemas::of_answers());
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    let mut refusals = BTreeSet::new();
    for (route, words) in routes.described() {
        let mut operation = Operation::new(route.path, &mut taken, &mut given);
        (words.types)(&mut operation);
        if let Some(more) = words.more {
            more(&mut operation);
        }
        operation.may_refuse(security::refusals(route.access));
        refusals.extend(operation.parts.problems.iter().copied());
        let said = operation_of(route, words.about, operation);
        paths.entry(route.path).or_default().insert(route.method.as_str().to_lowercase(), said);
    }
    given.subschema_for::<problems::Problem>();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Onscene",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(routes),
        "paths": paths,
        "components": {
            "securitySchemes": security::schemes(),
            "responses": problems::components(refusals.into_iter()),
        },
    });
    let schemas = schemas::merge(taken, given, &mut document);
    document["components"]["schemas"] = json!(schemas);
    plain_words(&mut document);
    document
}

fn operation_of(route: &Route, about: &str, operation: Operation<'_>) -> Value {
    let problems: BTreeSet<u16> = operation.parts.problems.iter().copied().collect();
    let mut said = json!(operation.parts);
    for status in problems {
        let answer = problems::answer(route.access, route.path, status);
        said["responses"][status.to_string()] = answer;
    }
    said["operationId"] = json!(operation_id(route));
    said["tags"] = json!([tag(route.path)]);
    said["summary"] = json!(about);
    said["description"] = json!(security::in_words(route.access));
    said["security"] = security::requirement(route.access);
    said
}

/// The method and the words of the path: `post_cases_by_id_orders`. It stays as long as the address does.
fn operation_id(route: &Route) -> String {
    let parts = route.path.split('/').filter(|part| !matches!(*part, "" | "v1"));
    let words = parts.map(|part| match parameters_of(part).next() {
        Some(name) => format!("by_{name}"),
        None => part.replace(['-', '.'], "_"),
    });
    let words: Vec<_> = words.collect();
    format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_"))
}

/// What an address is about: the first word of its path.
fn tag(path: &str) -> &str {
    path.split('/').find(|part| !matches!(*part, "" | "v1")).unwrap_or(path)
}

fn tags(routes: &Routes) -> Vec<Value> {
    let names: BTreeSet<_> = routes.table().map(|route| tag(route.path)).collect();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

/// Comments of the code link to its parts: a reader of the document has no use for that.
fn plain_words(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => *text = without_links(text),
                    _ => plain_words(member),
                }
            }
        }
        Value::Array(members) => members.iter_mut().for_each(plain_words),
        _ => {}
    }
}

/// ``[`PAGE`](crate::PAGE)`` and ``[`PAGE`]`` become `` `PAGE` ``.
fn without_links(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        words.push_str(before);
        let Some((name, after)) = after.split_once("`]") else {
            words.push_str("[`");
            rest = after;
            continue;
        };
        words.push_str(&format!("`{name}`"));
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    words.push_str(rest);
    words.replace('\n', " ")
}

/// Routes of which the document would say nothing, and what it would lack.
#[must_use]
pub fn undescribed(routes: &Routes) -> Vec<String> {
    let (mut taken, mut given) = (schemas::of_requests(), schemas::of_answers());
    let mut found = Vec::new();
    for (route, words) in routes.described() {
        let mut operation = Operation::new(route.path, &mut taken, &mut given);
        (words.types)(&mut operation);
        words.more.into_iter().for_each(|more| more(&mut operation));
        let mut lacks = |what: &str| {
            found.push(format!("{} {}: {what}", route.method, route.path));
        };
        if words.about.is_empty() {
            lacks("say what it does, with `.about(…)`");
        }
        if !operation.has_answer() {
            lacks("say what it answers, by the handler's type or with `.with(…)`");
        }
        if !names_its_path(route, &operation) {
            lacks("take the path's parameters with `PathOf`");
        }
    }
    found
}

fn names_its_path(route: &Route, operation: &Operation<'_>) -> bool {
    let said = json!(operation.parts);
    let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
    let of_path: Vec<_> = parameters.iter().filter(|one| one["in"] == "path").collect();
    parameters_of(route.path).eq(of_path.iter().filter_map(|one| one["name"].as_str()))
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::http::Method;

    use super::*;
    use crate::auth::{Access, Action};

    #[test]
    fn links_of_comments_become_plain_words() {
        assert_eq!(without_links("up to [`PAGE`](crate::list::PAGE); 50"), "up to `PAGE`; 50");
        assert_eq!(without_links("see [`crate::bundle`], and [x]"), "see `crate::bundle`, and [x]");
        assert_eq!(without_links("a list [`open"), "a list [`open");
    }

    #[test]
    fn an_operation_is_named_by_its_method_and_address() {
        let named = |method, path| operation_id(&Route { method, path, access: Access::Open });
        assert_eq!(named(Method::GET, "/v1/cases"), "get_cases");
        let deep = "/v1/people/{id}/enrolment-codes";
        assert_eq!(named(Method::POST, deep), "post_people_by_id_enrolment_codes");
    }

    #[test]
    fn a_route_without_words_or_answer_is_found() {
        async fn told() -> Json<u32> {
            Json(1)
        }
        async fn silent() -> axum::response::Response {
            axum::response::IntoResponse::into_response(())
        }
        let access = Access::May(Action::ReadUnits);
        let whole = Routes::new().get("/v1/a", access, told).about("Tells.");
        assert!(undescribed(&whole).is_empty(), "{:?}", undescribed(&whole));
        let lacking = Routes::new().get("/v1/a/{id}", access, silent);
        assert_eq!(undescribed(&lacking).len(), 3, "{:?}", undescribed(&lacking));
    }

    #[test]
    fn who_may_call_is_read_from_access() {
        async fn told() -> Json<u32> {
            Json(1)
        }
        let routes = Routes::new()
            .get("/v1/open", Access::Open, told)
            .get("/v1/desk", Access::Desk(Action::ReadUnits), told)
            .get("/v1/phones", Access::May(Action::ReadUnits), told);
        let said = document(&routes);
        let security = |path: &str| said["paths"][path]["get"]["security"].clone();
        assert_eq!(security("/v1/open"), json!([]));
        assert_eq!(security("/v1/desk"), json!([{ "key": [] }]));
        assert_eq!(security("/v1/phones"), json!([{ "key": [] }, { "token": [], "proof": [] }]));
        let refusals = &said["paths"]["/v1/desk"]["get"]["responses"];
        assert_eq!(refusals["401"]["$ref"], "#/components/responses/Problem401");
        assert!(said["components"]["responses"]["Problem401"].is_object());
    }
}

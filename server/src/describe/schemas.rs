//! The schemas of all bodies, in one place of the document.
//!
//! A type may look different from both sides: what has a default may be left out of a request and is
//! always there in an answer. Such a type stands there twice, as `Thing` and as `ThingInput`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Where schemas stand in the document.
const PLACE: &str = "#/components/schemas/";
/// Where those of requests stand until they are merged.
const TAKEN: &str = "#/components/taken/";

/// Makes schemas of what is sent to the hub.
pub(super) fn of_requests() -> SchemaGenerator {
    settings(TAKEN).for_deserialize().into_generator()
}

/// Makes schemas of what the hub answers.
pub(super) fn of_answers() -> SchemaGenerator {
    settings(PLACE).for_serialize().into_generator()
}

fn settings(place: &'static str) -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = place.trim_start_matches('#').trim_end_matches('/').into();
        settings.meta_schema = None;
    })
}

/// Puts both kinds into one and points `document` at it.
pub(super) fn merge(
    mut taken: SchemaGenerator,
    mut given: SchemaGenerator,
    document: &mut Value,
) -> BTreeMap<String, Value> {
    let taken: BTreeMap<String, Value> = taken.take_definitions(true).into_iter().collect();
    let mut schemas: BTreeMap<String, Value> = given.take_definitions(true).into_iter().collect();
    let twice = differing(&taken, &schemas);
    let rename = |name: &str| {
        let input = if twice.contains(name) { "Input" } else { "" };
        format!("{PLACE}{name}{input}")
    };
    for (name, mut schema) in taken {
        point(&mut schema, &rename);
        let name = rename(&name)[PLACE.len()..].to_owned();
        schemas.entry(name).or_insert(schema);
    }
    point(document, &rename);
    schemas
}

/// The types whose two sides differ, in themselves or in what they refer to.
fn differing(taken: &BTreeMap<String, Value>, given: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    loop {
        let rename = |name: &str| {
            let input = if found.contains(name) { "Input" } else { "" };
            format!("{PLACE}{name}{input}")
        };
        let more: BTreeSet<String> = taken
            .iter()
            .filter(|(name, schema)| {
                let mut schema = (*schema).clone();
                point(&mut schema, &rename);
                given.get(*name).is_some_and(|other| *other != schema)
            })
            .map(|(name, _)| name.clone())
            .collect();
        if more == found {
            return found;
        }
        found = more;
    }
}

/// Points every reference to a schema of requests to where `rename` says.
fn point(value: &mut Value, rename: &impl Fn(&str) -> String) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix(TAKEN)
            {
                *target = rename(name);
            }
            members.values_mut().for_each(|member| point(member, rename));
        }
        Value::Array(members) => members.iter_mut().for_each(|member| point(member, rename)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema, Serialize, Deserialize)]
    struct Outer {
        inner: Inner,
        same: Same,
    }

    #[derive(JsonSchema, Serialize, Deserialize)]
    struct Inner {
        #[serde(default)]
        flag: bool,
    }

    #[derive(JsonSchema, Serialize, Deserialize)]
    struct Same {
        text: String,
    }

    #[test]
    fn a_type_stands_twice_only_where_its_sides_differ() {
        let (mut taken, mut given) = (of_requests(), of_answers());
        let mut document = json!({
            "asked": taken.subschema_for::<Outer>(),
            "answered": given.subschema_for::<Outer>(),
        });
        let schemas = merge(taken, given, &mut document);
        let names: Vec<_> = schemas.keys().map(String::as_str).collect();
        assert_eq!(names, ["Inner", "InnerInput", "Outer", "OuterInput", "Same"]);
        assert_eq!(document["asked"]["$ref"], "#/components/schemas/OuterInput");
        assert_eq!(document["answered"]["$ref"], "#/components/schemas/Outer");
        let inner = &schemas["OuterInput"]["properties"]["inner"];
        assert_eq!(inner["$ref"], "#/components/schemas/InnerInput");
        assert_eq!(schemas["Inner"]["required"], json!(["flag"]));
        assert!(schemas["InnerInput"].get("required").is_none());
    }
}

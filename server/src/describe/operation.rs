//! One operation while it is being described: its parameters, body and answers.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

/// JSON, as nearly everything is.
const JSON: &str = "application/json";

/// One operation while it is being described.
#[derive(Debug)]
pub struct Operation<'g> {
    path: &'static str,
    taken: &'g mut SchemaGenerator,
    given: &'g mut SchemaGenerator,
    pub(super) parts: Parts,
}

/// What is known of an operation by now.
#[derive(Debug, Default, Serialize)]
pub(super) struct Parts {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Parameter>,
    #[serde(rename = "requestBody", skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
    #[serde(rename = "responses")]
    pub(super) answers: BTreeMap<u16, Answered>,
    /// Statuses of problems, which are described once for all operations.
    #[serde(skip)]
    pub(super) problems: Vec<u16>,
}

#[derive(Debug, Serialize)]
struct Parameter {
    name: String,
    r#in: &'static str,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    schema: Schema,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    required: bool,
    content: BTreeMap<&'static str, Media>,
}

/// An answer of one status.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answered {
    description: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, Header>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    content: BTreeMap<&'static str, Media>,
}

#[derive(Debug, Serialize)]
struct Header {
    description: &'static str,
    schema: Schema,
}

#[derive(Debug, Serialize)]
struct Media {
    schema: Schema,
}

impl<'g> Operation<'g> {
    /// Nothing is known yet. `taken` makes the schemas of what is sent to the hub, `given` those of
    /// what it answers.
    pub(super) fn new(
        path: &'static str,
        taken: &'g mut SchemaGenerator,
        given: &'g mut SchemaGenerator,
    ) -> Self {
        Self { path, taken, given, parts: Parts::default() }
    }

    /// The path's parameters, in the order of `T`'s members; without them there is nothing to find.
    pub fn takes_path<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.taken);
        let members = schema.get("prefixItems").and_then(Value::as_array).cloned();
        let members = members.unwrap_or_else(|| vec![schema.to_value()]);
        for (name, member) in parameters_of(self.path).zip(members) {
            self.parameter(name, "path", true, as_schema(member));
        }
        self.may_refuse(&[400, 404]);
    }

    /// The query's parameters: the members of `T`.
    pub fn takes_query<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.taken);
        let required = schema.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        let members = schema.get("properties").and_then(Value::as_object).cloned();
        for (name, member) in members.unwrap_or_default() {
            let is_required = required.iter().any(|one| *one == name);
            self.parameter(name, "query", is_required, without_null(member));
        }
        self.may_refuse(&[400]);
    }

    /// A header.
    pub fn takes_header(&mut self, name: &str, required: bool, about: &str, schema: Schema) {
        let mut schema = schema;
        schema.insert("description".to_owned(), about.into());
        self.parameter(name.to_owned(), "header", required, schema);
    }

    fn parameter(
        &mut self,
        name: impl Into<String>,
        r#in: &'static str,
        required: bool,
        mut schema: Schema,
    ) {
        let description = schema.remove("description");
        let description = description.and_then(|text| text.as_str().map(str::to_owned));
        let name = name.into();
        self.parts.parameters.push(Parameter { name, r#in, required, description, schema });
    }

    /// A body of JSON.
    pub fn takes_json<T: JsonSchema>(&mut self) {
        let schema = self.taken.subschema_for::<T>();
        self.takes_body(JSON, schema);
        self.may_refuse(&[400, 413, 415]);
    }

    /// A body that is not JSON.
    pub fn takes_bytes(&mut self, media: &'static str) {
        self.takes_body(media, bytes());
        self.may_refuse(&[400, 413, 415]);
    }

    /// A form.
    pub fn takes_form<T: JsonSchema>(&mut self) {
        let schema = self.taken.subschema_for::<T>();
        self.takes_body("application/x-www-form-urlencoded", schema);
        self.may_refuse(&[400, 413, 415]);
    }

    fn takes_body(&mut self, media: &'static str, schema: Schema) {
        let body = self.parts.body.get_or_insert_default();
        body.required = true;
        body.content.insert(media, Media { schema });
    }

    /// The body may be left out.
    pub fn body_is_optional(&mut self) {
        if let Some(body) = &mut self.parts.body {
            body.required = false;
        }
    }

    /// An answer in JSON.
    pub fn answers_json<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.given.subschema_for::<T>();
        self.answered(status).content.insert(JSON, Media { schema });
    }

    /// An answer that is not JSON.
    pub fn answers_bytes(&mut self, status: u16, media: &'static str) {
        self.answered(status).content.insert(media, Media { schema: bytes() });
    }

    /// An answer of JSON that is of a media type of its own.
    pub fn answers_as(&mut self, status: u16, media: &'static str, schema: Schema) {
        self.answered(status).content.insert(media, Media { schema });
    }

    /// An answer in words or another text.
    pub fn answers_text(&mut self, status: u16, media: &'static str) {
        let schema = json_schema!({ "type": "string" });
        self.answered(status).content.insert(media, Media { schema });
    }

    /// An answer without a body.
    pub fn answers_nothing(&mut self, status: u16) {
        self.answered(status);
    }

    /// A header of an answer.
    pub fn answers_header(&mut self, status: u16, name: &'static str, description: &'static str) {
        let schema = json_schema!({ "type": "string" });
        self.answered(status).headers.insert(name, Header { description, schema });
    }

    /// Statuses of problems that it may answer besides those that its types tell.
    pub fn may_refuse(&mut self, statuses: &[u16]) {
        self.parts.problems.extend_from_slice(statuses);
    }

    fn answered(&mut self, status: u16) -> &mut Answered {
        let answered = self.parts.answers.entry(status).or_default();
        if answered.description.is_empty() {
            answered.description = reason(status);
        }
        answered
    }

    /// Whether it says what it answers when all goes well.
    pub(super) fn has_answer(&self) -> bool {
        !self.parts.answers.is_empty()
    }
}

/// The reason phrase of a status (RFC 9110 section 15).
pub(super) fn reason(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.unwrap_or("Refused").to_owned()
}

/// The names in a path's braces.
pub(super) fn parameters_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

fn bytes() -> Schema {
    json_schema!({ "type": "string", "format": "binary" })
}

fn as_schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}

/// A parameter of a query is absent, never null.
fn without_null(mut member: Value) -> Schema {
    let Some(members) = member.as_object_mut() else { return as_schema(member) };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|one| one["type"] != "null");
        if let [Value::Object(one)] = &choices[..] {
            let one = one.clone();
            members.remove("anyOf");
            one.into_iter().for_each(|(name, value)| {
                members.entry(name).or_insert(value);
            });
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("enum") {
        choices.retain(|one| !one.is_null());
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    as_schema(member)
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Filter {
        /// How many.
        limit: Option<u32>,
        kind: Option<Kind>,
        day: String,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Kind {
        First,
    }

    fn described(path: &'static str, describe: fn(&mut Operation<'_>)) -> Value {
        let mut taken = SchemaSettings::draft2020_12().into_generator();
        let mut given = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut operation = Operation::new(path, &mut taken, &mut given);
        describe(&mut operation);
        serde_json::to_value(&operation.parts).unwrap()
    }

    #[test]
    fn parameters_of_a_path_are_named_by_it_in_order() {
        let said = described("/a/{id}/b/{n}", |one| one.takes_path::<(String, u32)>());
        let (id, n) = (&said["parameters"][0], &said["parameters"][1]);
        assert_eq!(
            (&id["name"], &id["in"], &id["schema"]["type"]),
            (&json!("id"), &json!("path"), &json!("string"))
        );
        assert_eq!((&n["name"], &n["schema"]["type"]), (&json!("n"), &json!("integer")));
        let said = described("/a/{id}", |one| one.takes_path::<String>());
        assert_eq!(said["parameters"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn parameters_of_a_query_are_absent_and_never_null() {
        let said = described("/a", |one| one.takes_query::<Filter>());
        let named = |name: &str| {
            let all = said["parameters"].as_array().unwrap();
            all.iter().find(|one| one["name"] == name).unwrap().clone()
        };
        assert_eq!(named("limit")["schema"]["type"], "integer");
        assert_eq!(named("limit")["description"], "How many.");
        assert_eq!(named("limit")["required"], false);
        assert_eq!(named("day")["required"], true);
        assert!(!named("kind").to_string().contains("null"), "{}", named("kind"));
    }
}

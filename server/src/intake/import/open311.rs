//! A file of service requests as GeoReport v2 answers them (`GET requests.json`, `requests.xml`):
//! <https://wiki.open311.org/GeoReport_v2/>.

use std::collections::BTreeMap;

use onscene_sync_core::fact::body::Channel;
use onscene_sync_core::limits::{IMPORT_BYTES, IMPORT_ROWS, LINK_CHARS, TEXT_CHARS};
use onscene_sync_core::place::Datum;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::{Draft, Item, cells, matter_of};
use crate::cases::site::{Circle, Degrees, SiteForm};
use crate::intake::matters::Matter;

/// What does not stand in the file itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// Key of a kind for each service code that has another name here; `*` for all others.
    pub matters: BTreeMap<String, String>,
    /// Radius of the sites, metres.
    pub radius_m: f64,
}

/// Reads the requests of a file, in JSON or XML.
///
/// # Errors
/// When it is neither, or too large.
pub fn read(file: &[u8], open: &[Matter], choices: &Choices) -> Result<Vec<Item<Value>>, String> {
    if file.len() > IMPORT_BYTES {
        return Err(format!(
            "the file has {} bytes, at most {IMPORT_BYTES} are read at once: split it",
            file.len()
        ));
    }
    let text = std::str::from_utf8(file).map_err(|_| "the file is not UTF-8: save it so")?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let requests = if text.starts_with('<') { from_xml(text)? } else { from_json(text)? };
    if requests.len() > IMPORT_ROWS {
        return Err(format!("the file has more than {IMPORT_ROWS} requests: split it"));
    }
    let item = |(index, raw): (usize, Value)| {
        let read = draft(&raw, open, choices);
        Item { line: index as u64 + 1, raw, read }
    };
    Ok(requests.into_iter().enumerate().map(item).collect())
}

fn from_json(text: &str) -> Result<Vec<Value>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("the file is no JSON: {error}"))?;
    match value {
        Value::Array(requests) => Ok(requests),
        Value::Object(mut object) => match object.remove("service_requests") {
            Some(Value::Array(requests)) => Ok(requests),
            _ => Err("the file holds no list of service requests".to_owned()),
        },
        _ => Err("the file holds no list of service requests".to_owned()),
    }
}

/// The children of each `<request>` as an object of texts. Elements below them are passed over.
fn from_xml(text: &str) -> Result<Vec<Value>, String> {
    let broken = |error: quick_xml::Error| format!("the file is no XML: {error}");
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let (mut requests, mut request, mut words) = (Vec::new(), Map::new(), String::new());
    loop {
        match reader.read_event().map_err(broken)? {
            Event::Start(tag) => {
                path.push(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned());
                words.clear();
            }
            Event::Text(part) => {
                words.push_str(&part.decode().map_err(|error| broken(error.into()))?)
            }
            Event::CData(part) => words.push_str(&String::from_utf8_lossy(&part)),
            Event::GeneralRef(name) => words.push_str(&entity(&name)?),
            Event::End(_) => {
                let name = path.pop().unwrap_or_default();
                match path.last().map(String::as_str) {
                    Some("request") if !words.trim().is_empty() => {
                        request.insert(name, Value::String(words.trim().to_owned()));
                    }
                    _ if name == "request" => {
                        requests.push(Value::Object(std::mem::take(&mut request)));
                    }
                    _ => {}
                }
                words.clear();
            }
            Event::Eof if path.is_empty() => return Ok(requests),
            Event::Eof => return Err("the file is no XML: it breaks off".to_owned()),
            _ => {}
        }
    }
}

fn entity(name: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    let unknown = || "the file is no XML: it names an entity that XML has not".to_owned();
    if let Some(c) = name.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(c.to_string());
    }
    let text = name.decode().map_err(|_| unknown())?;
    quick_xml::escape::resolve_predefined_entity(&text).map(str::to_owned).ok_or_else(unknown)
}

fn draft(request: &Value, open: &[Matter], choices: &Choices) -> Result<Draft, String> {
    let Value::Object(fields) = request else { return Err("is no service request".to_owned()) };
    let text = |field: &str| match fields.get(field) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let reference = text("service_request_id");
    if reference.is_empty() {
        return Err("has no `service_request_id`".to_owned());
    }
    let (code, service) = (text("service_code"), text("service_name"));
    let mapped = choices.matters.get(&code);
    let found = match mapped {
        Some(key) => matter_of(open, key),
        None => matter_of(open, &code).or_else(|_| matter_of(open, &service)),
    };
    let other = choices.matters.get("*").map(|key| matter_of(open, key));
    let matter = found.or_else(|why| other.unwrap_or(Err(why))).map_err(|why| {
        format!("`{code}` ({service}): {why}; --map {code}=KEY says which kind it is")
    })?;
    let parts = [text("address"), text("description")];
    let parts: Vec<_> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let summary = if text("description").is_empty() {
        [&service[..]].into_iter().chain(parts).collect::<Vec<_>>().join("：")
    } else {
        parts.join("：")
    };
    let closed = (text("status").eq_ignore_ascii_case("closed")).then(|| {
        let notes = text("status_notes");
        let notes = if notes.is_empty() { "closed".to_owned() } else { notes };
        notes.chars().take(TEXT_CHARS).collect()
    });
    Ok(Draft {
        reference: Some(reference),
        class: None,
        channel: Channel::Transfer,
        matter: matter.key.clone(),
        summary,
        raised_at: cells::moment(&text("requested_datetime"), 0)
            .map_err(|why| format!("requested_datetime {why}"))?,
        site: site(&text("lat"), &text("long"), choices.radius_m)?,
        grave: false,
        link: link(text("media_url"))?,
        closed,
        complainant: None,
        content: serde_json::to_vec(fields).map_err(|error| error.to_string())?,
    })
}

/// GeoReport's coordinates are WGS-84.
fn site(
    lat: &str,
    lon: &str,
    radius_m: f64,
) -> Result<Option<onscene_sync_core::place::Site>, String> {
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("`{text}` is no coordinate"));
    if lat.is_empty() && lon.is_empty() {
        return Ok(None);
    }
    let centre = Degrees { lat: number(lat)?, lon: number(lon)? };
    let circle = Some(Circle { centre, radius_m });
    let form = SiteForm { datum: Datum::Wgs84, circle, polygon: None, corridor: None };
    form.to_site().map(Some).map_err(|error| error.to_string())
}

fn link(text: String) -> Result<Option<String>, String> {
    if text.chars().count() > LINK_CHARS {
        return Err(format!("media_url has more than {LINK_CHARS} characters"));
    }
    Ok(Some(text).filter(|link| !link.is_empty()))
}

//! `POST requests`: a citizen's report, through another system.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::body::Channel;
use onscene_sync_core::fact::intake::Origin;
use onscene_sync_core::id::DocId;
use onscene_sync_core::limits::LINK_CHARS;
use onscene_sync_core::place::{Datum, Site};
use serde_json::json;

use super::super::Problem;
use super::super::extract::BodyBytes;
use super::super::idempotency::{Command, IdempotencyKey, Reply};
use super::check_jurisdiction;
use super::format::Format;
use super::requests::source_of;
use super::services::{offered, unknown};
use crate::app::App;
use crate::auth::Viewer;
use crate::cases::project::number_of;
use crate::cases::register::{Registration, register};
use crate::cases::site::{Circle, Degrees, SiteForm};
use crate::intake::import::store::claim;
use crate::poke::Poke;
use crate::store::Tx;
use crate::vault::record::{Complainant, Sealed};

/// What may be sent. `device_id` names a citizen's phone, and is not kept.
const FIELDS: [&str; 16] = [
    "api_key",
    "jurisdiction_id",
    "service_code",
    "lat",
    "long",
    "address_string",
    "address_id",
    "email",
    "device_id",
    "account_id",
    "first_name",
    "last_name",
    "phone",
    "description",
    "media_url",
    "address",
];

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The fields of a form, each once.
struct Form(BTreeMap<String, String>);

/// A report to be registered.
struct Report {
    case: DocId,
    new: Registration,
    content: Vec<u8>,
}

pub(super) async fn report(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    format: Format,
    headers: axum::http::HeaderMap,
    BodyBytes(body): BodyBytes,
) -> Result<Response, Problem> {
    let form = Form::read(&headers, &body)?;
    check_jurisdiction(&app, form.get("jurisdiction_id"))?;
    let report = form.report(&app, &viewer).await?;
    // The request is remembered by a fingerprint that tells nothing about the complainant.
    // GeoReport's clients know no such key: who says the same within the hour says it again.
    let hour = app.now().0.div_euclid(HOUR_MS);
    let key = key.or(|| format!("open311-{}-{hour}", sha256(&report.content)));
    let command = Command::new(viewer.person, key, "open311", &report.content)?;
    let input = (app.clone(), viewer, command, report);
    let done = app.store.with_tx("open311.report", input, |tx, (app, viewer, command, report)| {
        Box::pin(perform(tx, app, viewer, command, report))
    });
    let (number, pokes) = done.await?;
    pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
    app.jobs.wake();
    let answer =
        json!([{ "service_request_id": number, "service_notice": null, "account_id": null }]);
    Ok(format.answer(StatusCode::CREATED, "service_requests", "request", &answer))
}

async fn perform(
    tx: &mut Tx,
    app: &App,
    viewer: &Viewer,
    command: &Command,
    report: &Report,
) -> Result<(String, Vec<Poke>), Problem> {
    if let Some(reply) = command.begin(tx, app.now()).await? {
        return Ok((String::from_utf8_lossy(&reply.body).into_owned(), Vec::new()));
    }
    let stated = register(tx, app, report.case, viewer.person, &report.new).await?;
    if let Some(origin) = &report.new.origin {
        claim(tx, origin, report.case, &report.content).await?;
    }
    let number = number_of(tx, report.case).await?.unwrap_or_default();
    let body = number.clone().into_bytes();
    command.finish(tx, &Reply { status: StatusCode::CREATED.as_u16(), body }).await?;
    Ok((number, stated.pokes))
}

impl Form {
    fn read(headers: &axum::http::HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let form = "application/x-www-form-urlencoded";
        if !kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(form)) {
            let title = "The body must be a form";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_form", title)
                .detail(format!("send `content-type: {form}`; pictures as media_url")));
        }
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if !FIELDS.contains(&&name[..]) {
                let name: String = name.chars().take(60).collect();
                return Err(Problem::invalid(format!(
                    "`{name}` is no field of this form (no service has attributes): leave it out"
                )));
            }
            if fields.insert(name.into_owned(), value.trim().to_owned()).is_some() {
                return Err(Problem::invalid("a field is there twice: send it once"));
            }
        }
        Ok(Self(fields))
    }

    /// What stands in a field that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    async fn report(&self, app: &App, viewer: &Viewer) -> Result<Report, Problem> {
        let missing = |what: &str| Problem::invalid(format!("{what} was not provided"));
        let code = self.get("service_code").ok_or_else(|| missing("service_code"))?;
        let matter = offered(app).await?.into_iter().find(|matter| matter.key == code);
        let matter = matter.ok_or_else(|| unknown(code))?;
        let address = self.get("address_string").or_else(|| self.get("address"));
        let site = self.site(app.config.open311.radius_m)?;
        if site.is_none() && address.is_none() {
            return Err(missing("a location (lat and long, or address_string)"));
        }
        let description = self.get("description").ok_or_else(|| missing("description"))?;
        let summary =
            address.map_or_else(|| description.to_owned(), |at| format!("{at}：{description}"));
        let link = self.get("media_url").map(str::to_owned);
        if link.as_ref().is_some_and(|link| link.chars().count() > LINK_CHARS) {
            return Err(Problem::invalid(format!(
                "`media_url` has more than {LINK_CHARS} characters"
            )));
        }
        let case = DocId::from_bytes(app.new_id());
        let complainant = self.complainant()?;
        let reference = case.to_string();
        let new = Registration {
            class: matter.class,
            channel: Channel::Web,
            matter: matter.key,
            summary,
            received_at: None,
            site,
            jurisdiction_clear: true,
            drill: false,
            grave: false,
            origin: Some(Origin { source: source_of(viewer), reference, raised_at: None, link }),
            complainant: complainant.map(|who| Sealed::new(app, case, &who)),
        };
        let told = self.0.iter().filter(|(name, _)| *name != "api_key");
        let told: Vec<u8> =
            told.flat_map(|(name, value)| format!("{name}={value}\n").into_bytes()).collect();
        Ok(Report { case, new, content: app.keys.vault.fingerprint(&told) })
    }

    /// GeoReport's coordinates are WGS-84.
    fn site(&self, radius_m: f64) -> Result<Option<Site>, Problem> {
        let number = |name: &str, text: &str| {
            text.parse::<f64>().map_err(|_| Problem::invalid(format!("`{name}` is no number")))
        };
        match (self.get("lat"), self.get("long")) {
            (Some(lat), Some(lon)) => {
                let centre = Degrees { lat: number("lat", lat)?, lon: number("long", lon)? };
                let circle = Some(Circle { centre, radius_m });
                let form = SiteForm { datum: Datum::Wgs84, circle, polygon: None, corridor: None };
                Ok(Some(form.to_site()?))
            }
            (None, None) => Ok(None),
            _ => Err(Problem::invalid("`lat` and `long` come together")),
        }
    }

    fn complainant(&self) -> Result<Option<Complainant>, Problem> {
        let name = match (self.get("first_name"), self.get("last_name")) {
            (Some(first), Some(last)) if first.is_ascii() => format!("{first} {last}"),
            (Some(first), Some(last)) => format!("{last}{first}"),
            (one, other) => one.or(other).unwrap_or_default().to_owned(),
        };
        // The vault holds no e-mail addresses of their own: they go where a letter would.
        let address = match (self.get("email"), self.get("account_id")) {
            (Some(email), _) => email,
            (None, account) => account.unwrap_or_default(),
        };
        let phone = self.get("phone").unwrap_or_default();
        if name.is_empty() && phone.is_empty() && address.is_empty() {
            return Ok(None);
        }
        let who = json!({ "name": name, "number": phone, "address": address });
        Complainant::try_from(who).map(Some).map_err(Problem::invalid)
    }
}

//! Service requests: cases, as another system may see them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use onscene_sync_core::fact::{Author, Body};
use onscene_sync_core::id::DocId;
use onscene_sync_core::place::Position;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::super::Problem;
use super::super::extract::{PathOf, QueryOf};
use super::answers::{Request, Token, Update};
use super::check_jurisdiction;
use super::format::{Format, bare};
use super::services::Plain;
use crate::app::App;
use crate::auth::Viewer;
use crate::cases::record::load;
use crate::intake::import::cells::moment;
use crate::store::{RowExt as _, StoreError, Tx};

/// Requests in one answer at most, as the standard has it.
const MOST: i64 = 1_000;
/// Names in one comma-separated list at most.
const NAMES: usize = 100;
/// The longest period, and the one of a request that names none.
const PERIOD_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// `GET requests`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Filter {
    /// The bureau's jurisdiction, or nothing.
    jurisdiction_id: Option<String>,
    /// Numbers of cases between commas; then nothing else is looked at.
    service_request_id: Option<String>,
    /// Keys of kinds of matter between commas.
    service_code: Option<String>,
    /// Registered at this moment or later, RFC 3339.
    start_date: Option<String>,
    /// Registered before this moment.
    end_date: Option<String>,
    /// `open`, `closed` or both between a comma.
    status: Option<String>,
    /// Which page, from 1.
    page: Option<i64>,
    /// How many, 1 to 1000; 1000 if absent.
    page_size: Option<i64>,
}

/// Which cases, of whom.
struct Wanted {
    source: String,
    numbers: Vec<String>,
    codes: Vec<String>,
    from: Millis,
    until: Millis,
    open: bool,
    closed: bool,
    limit: i64,
    offset: i64,
}

/// The name that reports of this key go by.
pub(super) fn source_of(viewer: &Viewer) -> String {
    format!("open311:{}", viewer.person)
}

pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    format: Format,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, filter.jurisdiction_id.as_deref())?;
    let wanted = filter.wanted(&viewer, app.now(), app.config.bureau.utc_offset_min)?;
    let requests = select(&app, wanted).await?;
    Ok(format.answer(StatusCode::OK, "service_requests", "request", &requests))
}

pub(super) async fn show(
    State(app): State<App>,
    viewer: Viewer,
    format: Format,
    PathOf(id): PathOf<String>,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    let requests = select(&app, one(&viewer, bare(&id))).await?;
    if requests.is_empty() {
        return Err(unknown(bare(&id)));
    }
    Ok(format.answer(StatusCode::OK, "service_requests", "request", &requests))
}

pub(super) async fn token(
    State(app): State<App>,
    viewer: Viewer,
    format: Format,
    PathOf(id): PathOf<String>,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    let token = bare(&id).to_owned();
    let case: DocId = token.parse().map_err(|_| unknown(&token))?;
    let number = app.store.with_read("open311.token", case, |tx, case| {
        Box::pin(crate::cases::project::number_of(tx, *case))
    });
    let number = number.await?.ok_or_else(|| unknown(&token))?;
    if select(&app, one(&viewer, &number)).await?.is_empty() {
        return Err(unknown(&token));
    }
    let answer = [Token { service_request_id: number, token }];
    Ok(format.answer(StatusCode::OK, "service_requests", "request", &answer))
}

pub(super) async fn updates(
    State(app): State<App>,
    viewer: Viewer,
    format: Format,
    PathOf(id): PathOf<String>,
    QueryOf(query): QueryOf<Plain>,
) -> Result<Response, Problem> {
    check_jurisdiction(&app, query.jurisdiction_id.as_deref())?;
    if select(&app, one(&viewer, &id)).await?.is_empty() {
        return Err(unknown(&id));
    }
    let offset = app.config.bureau.utc_offset_min;
    let steps = app.store.with_read("open311.updates", (id, offset), |tx, (id, offset)| {
        Box::pin(steps(tx, id, *offset))
    });
    Ok(format.answer(StatusCode::OK, "service_request_updates", "request_update", &steps.await?))
}

/// What became of a case, oldest first: that it happened and when, in fixed words.
async fn steps(tx: &mut Tx, number: &str, offset: i32) -> Result<Vec<Update>, Problem> {
    let query = sqlx::query("SELECT case_id FROM case_row WHERE number = $1").bind(number);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let row = row.ok_or_else(|| unknown(number))?;
    let case = load(tx, DocId::from_bytes(row.array("case_id")?), false).await?;
    let mut steps: Vec<_> = case
        .facts
        .iter()
        .filter_map(|(id, fact)| match fact.author {
            Author::Hub(at) => words(&fact.body).map(|words| (at, *id, words)),
            Author::Device(_) => None,
        })
        .collect();
    steps.sort_unstable_by_key(|(at, id, _)| (*at, *id));
    let step = |(at, update_id, (status, description))| Update {
        update_id,
        service_request_id: number.to_owned(),
        status,
        updated_datetime: written(at, offset),
        description,
    };
    Ok(steps.into_iter().map(step).collect())
}

fn words(body: &Body) -> Option<(&'static str, &'static str)> {
    Some(match body {
        Body::Registered(_) => ("open", "已受理 registered"),
        Body::CoordinationOpened(_) => ("open", "协调中 being coordinated"),
        Body::Ordered(_) => ("open", "已派单 a unit was ordered out"),
        Body::FedBack(fed) if fed.result.is_some() => ("open", "已处理 the unit has reported"),
        Body::ComplainantTold(_) | Body::ToldByMessage(_) => ("open", "已反馈 the caller was told"),
        Body::Refused(refused) => ("closed", refused.why.referral()),
        Body::Closed(_) => ("closed", "已办结 closed"),
        Body::Reopened(_) => ("open", "重新办理 opened again"),
        _ => return None,
    })
}

fn one(viewer: &Viewer, number: &str) -> Wanted {
    Wanted {
        source: source_of(viewer),
        numbers: vec![number.to_owned()],
        codes: Vec::new(),
        from: Millis(0),
        until: Millis(i64::MAX),
        open: true,
        closed: true,
        limit: 1,
        offset: 0,
    }
}

impl Filter {
    fn wanted(self, viewer: &Viewer, now: Millis, offset: i32) -> Result<Wanted, Problem> {
        let numbers = names("service_request_id", self.service_request_id.as_deref())?;
        let date = |name: &str, text: Option<&str>| {
            // A plus sign that was not escaped arrives as a space.
            let text = text.unwrap_or_default().trim().replace(' ', "+");
            let text = if text.contains('T') { text } else { text.replace('+', " ") };
            moment(&text, offset).map_err(|why| Problem::invalid(format!("`{name}` {why}")))
        };
        let start = date("start_date", self.start_date.as_deref())?;
        let end = date("end_date", self.end_date.as_deref())?;
        let until = end.unwrap_or_else(|| start.map_or(now.plus(1), |start| start.plus(PERIOD_MS)));
        let from = start.unwrap_or_else(|| until.plus(-PERIOD_MS));
        if numbers.is_empty() && until.since(from) > PERIOD_MS {
            return Err(Problem::invalid(
                "the period from `start_date` to `end_date` is longer than 90 days",
            ));
        }
        let status = names("status", self.status.as_deref())?;
        if let Some(wrong) = status.iter().find(|name| !matches!(&name[..], "open" | "closed")) {
            return Err(Problem::invalid(format!("`status` is open or closed, not `{wrong}`")));
        }
        let states = |name: &str| status.is_empty() || status.iter().any(|one| one == name);
        let limit = self.page_size.unwrap_or(MOST);
        let page = self.page.unwrap_or(1);
        if !(1..=MOST).contains(&limit) || !(1..=1_000_000).contains(&page) {
            return Err(Problem::invalid(format!(
                "`page` counts from 1, `page_size` is 1 to {MOST}"
            )));
        }
        let all = !numbers.is_empty();
        Ok(Wanted {
            source: source_of(viewer),
            codes: if all {
                Vec::new()
            } else {
                names("service_code", self.service_code.as_deref())?
            },
            from: if all { Millis(0) } else { from },
            until: if all { Millis(i64::MAX) } else { until },
            open: all || states("open"),
            closed: all || states("closed"),
            numbers,
            limit,
            offset: (page - 1) * limit,
        })
    }
}

fn names(field: &str, list: Option<&str>) -> Result<Vec<String>, Problem> {
    let names = list.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(str::to_owned).collect();
    if names.len() > NAMES {
        return Err(Problem::invalid(format!("`{field}` names more than {NAMES}: ask in parts")));
    }
    Ok(names)
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(40).collect();
    Problem::not_found(format!("service_request_id `{id}`: none that this key may see"))
}

async fn select(app: &App, wanted: Wanted) -> Result<Vec<Request>, Problem> {
    let offset = app.config.bureau.utc_offset_min;
    let found =
        app.store.with_read("open311.requests", (wanted, offset), |tx, (wanted, offset)| {
            Box::pin(async move { rows(tx, wanted, *offset).await })
        });
    Ok(found.await?)
}

async fn rows(tx: &mut Tx, wanted: &Wanted, offset: i32) -> Result<Vec<Request>, StoreError> {
    let Wanted { source, numbers, codes, from, until, open, closed, limit, offset: skipped } =
        wanted;
    let list = |first: usize, count: usize| {
        (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
    };
    let mut only = String::new();
    if !numbers.is_empty() {
        only.push_str(&format!(" AND r.number IN ({})", list(8, numbers.len())));
    }
    if !codes.is_empty() {
        only.push_str(&format!(" AND t.matter IN ({})", list(8 + numbers.len(), codes.len())));
    }
    let sql = format!(
        "SELECT r.number, r.phase, r.due_at, r.view, t.matter, t.registered_at, t.lat_e7, t.lon_e7, \
         m.zh, u.name AS unit, d.updated_at, o.link, \
         CASE WHEN o.source = $1 THEN 1 ELSE 0 END AS own \
         FROM case_trace t JOIN case_row r ON r.case_id = t.case_id \
         JOIN doc d ON d.doc_id = t.case_id JOIN matter m ON m.matter = t.matter \
         LEFT JOIN unit u ON u.unit_id = r.unit_id LEFT JOIN case_origin o ON o.case_id = t.case_id \
         WHERE t.registered_at >= $2 AND t.registered_at < $3 \
         AND (o.source = $1 OR (m.public = 1 AND t.grave = 0)) \
         AND ((r.phase <> 'closed' AND $4 = 1) OR (r.phase = 'closed' AND $5 = 1)){only} \
         ORDER BY t.registered_at DESC, r.number DESC LIMIT $6 OFFSET $7"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(source).bind(from.0).bind(until.0);
    let query = query.bind(i64::from(*open)).bind(i64::from(*closed)).bind(*limit).bind(*skipped);
    let query = numbers.iter().chain(codes).fold(query, |query, name| query.bind(name));
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter().map(|row| request(row, offset)).collect()
}

fn request(row: &AnyRow, offset: i32) -> Result<Request, StoreError> {
    let view = row.text("view")?;
    let about: Value = serde_json::from_str(&view).unwrap_or_default();
    let own = row.int("own")? == 1;
    let position = match row.opt_int("lat_e7")? {
        Some(_) => Some(
            Position { lat_e7: row.number("lat_e7")?, lon_e7: row.number("lon_e7")? }.degrees(),
        ),
        None => None,
    };
    let due = row.opt_millis("due_at")?;
    let summary = about["summary"].as_str().map(str::to_owned);
    Ok(Request {
        service_request_id: row.text("number")?,
        status: if row.text("phase")? == "closed" { "closed" } else { "open" },
        status_notes: row.text("phase")?,
        service_name: row.text("zh")?,
        service_code: row.text("matter")?,
        description: summary.filter(|_| own),
        agency_responsible: row.opt_text("unit")?,
        service_notice: None,
        requested_datetime: written(row.millis("registered_at")?, offset),
        updated_datetime: written(row.millis("updated_at")?, offset),
        expected_datetime: due.and_then(|due| written(due, offset)),
        address: None,
        address_id: None,
        zipcode: None,
        lat: position.map(|position| position.lat),
        long: position.map(|position| position.lon),
        media_url: row.opt_text("link")?.filter(|_| own),
    })
}

/// A moment on the bureau's clocks, in RFC 3339.
fn written(at: Millis, offset_min: i32) -> Option<String> {
    let offset = UtcOffset::from_whole_seconds(offset_min * 60).ok()?;
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).ok()?;
    moment.to_offset(offset).format(&Rfc3339).ok()
}

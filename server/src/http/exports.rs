//! Files to take away. Each is scoped like the list or the figures that it shows, holds nothing of a
//! complainant, and stands in the audit log before its first byte leaves.
//!
//! | route | answers |
//! |---|---|
//! | `GET /v1/exports/cases.csv`, `cases.geojson` | a list of cases of any length; parameters as `GET /v1/cases` |
//! | `GET /v1/exports/cases.xlsx` | the same, up to [`ROWS`] cases |
//! | `GET /v1/exports/statistics.xlsx` | figures with charts; parameters as `GET /v1/statistics` |
//! | `GET /v1/exports/bulletin.docx` | the bulletin (通报) of the same |

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use onscene_sync_core::crypto::sha256;

use super::Problem;
use super::cases::{ListCases, filter_of};
use super::extract::QueryOf;
use super::statistics::{AskStatistics, question, read};
use super::units::select;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Viewer};
use crate::cases::list::{Filter, PAGE, list};
use crate::cases::record::policy_in_force;
use crate::intake::matters::names;
use crate::statistics::bulletin;
use crate::statistics::export::sheet::Reading;
use crate::statistics::export::stream::{Form, body};
use crate::statistics::export::workbook::{self, ROWS};
use crate::statistics::period::Period;
use crate::store::StoreError;

/// The routes of this resource.
pub fn routes() -> Routes {
    let access = || Access::May(Action::ReadStatistics);
    Routes::new()
        .get("/v1/exports/cases.csv", access(), cases_as_csv)
        .get("/v1/exports/cases.geojson", access(), cases_as_geojson)
        .get("/v1/exports/cases.xlsx", access(), cases_as_workbook)
        .get("/v1/exports/statistics.xlsx", access(), figures_as_workbook)
        .get("/v1/exports/bulletin.docx", access(), bulletin_of)
}

const CSV: &str = "text/csv; charset=utf-8";
const GEOJSON: &str = "application/geo+json";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

async fn cases_as_csv(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListCases>,
) -> Result<Response, Problem> {
    cases_as(app, viewer, query, Form::Csv, "cases.csv", CSV).await
}

async fn cases_as_geojson(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListCases>,
) -> Result<Response, Problem> {
    cases_as(app, viewer, query, Form::GeoJson, "cases.geojson", GEOJSON).await
}

async fn cases_as(
    app: App,
    viewer: Viewer,
    query: ListCases,
    form: Form,
    name: &'static str,
    kind: &'static str,
) -> Result<Response, Problem> {
    let asked = format!("{query:?}");
    let filter = filter_of(&app, &viewer, Action::ReadStatistics, query)?;
    let reading = reading(&app, &filter).await?;
    note(&app, &viewer, name, &asked).await?;
    Ok(file(name, kind, body(app, form, reading, filter)))
}

async fn cases_as_workbook(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(query): QueryOf<ListCases>,
) -> Result<Response, Problem> {
    let asked = format!("{query:?}");
    let mut filter = filter_of(&app, &viewer, Action::ReadStatistics, query)?;
    filter.limit = PAGE;
    let reading = reading(&app, &filter).await?;
    let mut rows = Vec::new();
    loop {
        let read = app
            .store
            .with_read("export.page", filter.clone(), |tx, filter| Box::pin(list(tx, filter)));
        let page = read.await?;
        rows.extend(page.rows.iter().map(|row| reading.cells(row)));
        if rows.len() > ROWS {
            return Err(Problem::invalid(format!(
                "these are more than {ROWS} cases: ask for a shorter period, or for cases.csv"
            )));
        }
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    let made = made(move || workbook::of_cases(&rows).map_err(|error| error.to_string())).await?;
    note(&app, &viewer, "cases.xlsx", &asked).await?;
    Ok(file("cases.xlsx", XLSX, made.into()))
}

async fn figures_as_workbook(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(ask): QueryOf<AskStatistics>,
) -> Result<Response, Problem> {
    let period = Period::named(ask.month.as_deref(), ask.from.as_deref(), ask.to.as_deref())?;
    let figures = read(&app, question(&app, &viewer, period, &ask)?).await?;
    let make = move || workbook::of_figures(period, &figures).map_err(|error| error.to_string());
    let made = made(make).await?;
    note(&app, &viewer, "statistics.xlsx", &format!("{ask:?}")).await?;
    Ok(file("statistics.xlsx", XLSX, made.into()))
}

async fn bulletin_of(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(ask): QueryOf<AskStatistics>,
) -> Result<Response, Problem> {
    let period = Period::named(ask.month.as_deref(), ask.from.as_deref(), ask.to.as_deref())?;
    let question = question(&app, &viewer, period, &ask)?;
    let story = bulletin::story(&app.store, period, question).await?;
    let made = made(move || bulletin::document(&story).map_err(|error| error.to_string())).await?;
    note(&app, &viewer, "bulletin.docx", &format!("{ask:?}")).await?;
    Ok(file("bulletin.docx", DOCX, made.into()))
}

/// Makes a file where it is in nobody's way.
async fn made(
    make: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
) -> Result<Vec<u8>, Problem> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|error| error.to_string()).flatten().map_err(|error| Problem::internal(&error))
}

async fn reading(app: &App, filter: &Filter) -> Result<Reading, Problem> {
    let read = app.store.with_read("export.units", filter.sweep, |tx, sweep| {
        Box::pin(async move { Ok::<_, StoreError>((select(tx, sweep).await?, names(tx).await?)) })
    });
    let (units, matters) = read.await?;
    let units = units.into_iter().map(|unit| (unit.id, unit.name)).collect();
    Ok(Reading { units, matters, utc_offset_min: policy_in_force()?.utc_offset_min })
}

/// Puts on record who takes what away.
pub(super) async fn note(
    app: &App,
    viewer: &Viewer,
    name: &'static str,
    asked: &str,
) -> Result<(), StoreError> {
    let hash = sha256(asked.as_bytes());
    let entry =
        Entry::new(Deed::Exported, app.now()).by(viewer.person).detail(name).hashes([&hash]);
    let noted = app.store.with_tx("export.note", entry, |tx, entry| {
        Box::pin(audit::note(tx, std::slice::from_ref(entry)))
    });
    noted.await
}

fn file(name: &'static str, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

//! Repeats: what the hub suggests and what people decide.
//!
//! | request | body, answer |
//! |---|---|
//! | `POST /v1/repeat-search` | [`Search`]: while the caller speaks → [`Suggested`] |
//! | `GET /v1/cases/{id}/repeats` | → [`Repeats`] |
//! | `POST /v1/cases/{id}/repeats` | [`Decide`] → the case |
//! | `POST /v1/cases/{id}/repeats/{statement}/withdrawal` | [`Because`] → the case |

use axum::Json;
use axum::extract::State;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{DocId, FactId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::cases::Because;
use super::command::{Call, Commanded, command, scope_of};
use super::extract::{JsonBody, PathOf};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Scope, Viewer};
use crate::cases::site::SiteForm;
use crate::intake::candidates::{Subject, Suggestion, subject, suggest};
use crate::intake::repeats::{Chain, chain, link, take_back};

/// The routes of this resource.
pub fn routes() -> Routes {
    let path = "/v1/cases/{id}/repeats";
    let taking_back = "/v1/cases/{id}/repeats/{statement}/withdrawal";
    Routes::new()
        .post("/v1/repeat-search", Access::Desk(Action::RegisterCases), search)
        .about("Finds cases that may be the same matter, while the caller speaks.")
        .get(path, Access::Desk(Action::FindRepeats), show)
        .about("Shows cases that may be the same matter, and those that somebody joined to it.")
        .post(path, Access::Desk(Action::RegisterCases), decide)
        .about("Joins a case to the matter of another.")
        .post(taking_back, Access::Desk(Action::RegisterCases), withdraw)
        .about("Takes such a decision back.")
}

/// `POST /v1/repeat-search`: what is known of a matter before it is registered.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Kind of matter.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// Where.
    #[serde(default)]
    pub site: Option<SiteForm>,
    /// The caller's number. It is compared and not kept.
    #[serde(default)]
    pub caller: Option<String>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Search(…)")
    }
}

/// Cases that may be the same matter.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suggested {
    /// The likeliest first.
    pub suggestions: Vec<Suggestion>,
}

/// `GET /v1/cases/{id}/repeats`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Repeats {
    /// Cases that may be the same matter and that nobody has joined to it, the likeliest first.
    pub suggestions: Vec<Suggestion>,
    /// Those that somebody has.
    pub chain: Chain,
}

/// `POST /v1/cases/{id}/repeats`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The case whose matter this one is again.
    pub case: DocId,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

async fn search(
    State(app): State<App>,
    viewer: Viewer,
    JsonBody(body): JsonBody<Search>,
) -> Result<Json<Suggested>, Problem> {
    viewer.may(Action::RegisterCases, &Scope::Bureau)?;
    let site = body.site.as_ref().map(SiteForm::to_site).transpose()?;
    let subject = Subject {
        case: None,
        matter: body.matter,
        summary: body.summary,
        centre: site.map(|site| site.centre()),
        at: app.now(),
        caller: body.caller.as_deref().and_then(|number| app.keys.vault.caller(number)),
    };
    let compared = subject.caller.as_ref().map(|caller| {
        let deed = Entry::new(Deed::CallerCompared, app.now()).by(viewer.person);
        deed.hashes([&sha256(caller)])
    });
    let found = app.store.with_tx("repeats.search", (subject, compared), |tx, (subject, entry)| {
        Box::pin(async move {
            audit::note(tx, entry.as_slice()).await?;
            Ok::<_, Problem>(suggest(tx, subject).await?)
        })
    });
    Ok(Json(Suggested { suggestions: found.await? }))
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<DocId>,
) -> Result<Json<Repeats>, Problem> {
    let found = app.store.with_read("repeats.show", (viewer, id), |tx, (viewer, id)| {
        Box::pin(async move {
            viewer.may(Action::FindRepeats, &scope_of(tx, *id).await?)?;
            let mut subject = subject(tx, *id).await?;
            // That two matters have one caller is for those who may keep callers at all.
            if viewer.may(Action::StoreComplainants, &Scope::Bureau).is_err() {
                subject.caller = None;
            }
            let suggestions = suggest(tx, &subject).await?;
            Ok::<_, Problem>(Repeats { suggestions, chain: chain(tx, *id).await? })
        })
    });
    Ok(Json(found.await?))
}

async fn decide(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf(id): PathOf<DocId>,
    JsonBody(body): JsonBody<Decide>,
) -> Result<Commanded, Problem> {
    let call = Call::on(&app, viewer, key, Action::RegisterCases, id, "repeat", &body)?;
    command(call, body, |tx, app, call, body| {
        Box::pin(async move {
            let by = call.viewer.person;
            Ok(link(tx, app, call.case, by, body.case, &body.reason).await?)
        })
    })
    .await
}

async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    key: IdempotencyKey,
    PathOf((id, statement)): PathOf<(DocId, FactId)>,
    JsonBody(body): JsonBody<Because>,
) -> Result<Commanded, Problem> {
    let what = (statement, &body);
    let call = Call::on(&app, viewer, key, Action::RegisterCases, id, "no_repeat", &what)?;
    command(call, (statement, body), |tx, app, call, (statement, body)| {
        Box::pin(async move {
            let by = call.viewer.person;
            Ok(take_back(tx, app, call.case, by, *statement, &body.reason).await?)
        })
    })
    .await
}

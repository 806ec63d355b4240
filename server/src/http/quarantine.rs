//! Changes that were refused, for people to look at and settle.
//!
//! `GET /v1/quarantine[?unit=&all=&limit=&after=]`, `GET /v1/quarantine/{id}`,
//! `POST /v1/quarantine/{id}/settlement {ruling, reason}`.
//!
//! To settle means to say in writing that it is of no consequence, or that it is on record and
//! matters. Nothing lets a refused change into a document, and its bytes stay for good.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::fact::{Body, Fact, envelope};
use onscene_sync_core::guard;
use onscene_sync_core::id::{DocId, FactId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::complainants::required;
use super::extract::{JsonBody, PathOf, QueryOf};
use super::page::{self, Waiting};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::{Access, Action, Routes, Sweep, Viewer};
use crate::hub::quarantine::{self, Item, Settled, Settlement};
use crate::store::Tx;

/// The routes of this resource.
pub fn routes() -> Routes {
    let one = "/v1/quarantine/{id}";
    Routes::new()
        .get("/v1/quarantine", Access::May(Action::ReadQuarantine), list)
        .about("Lists refused changes, the newest first.")
        .with(|operation| operation.may_refuse(&[404]))
        .get(one, Access::May(Action::ReadQuarantine), show)
        .about("Shows a refused change with its bytes, and what can be read of them.")
        .post("/v1/quarantine/{id}/settlement", Access::May(Action::SettleQuarantine), settle)
        .about("Says in writing what a refused change amounts to.")
        .with(|operation| operation.may_refuse(&[409]))
}

/// `GET /v1/quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Items {
    /// Newest first.
    pub items: Vec<Item>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// `GET /v1/quarantine/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// What the list says of it.
    #[serde(flatten)]
    pub item: Item,
    /// The bytes as they came, in base64.
    pub change: String,
    /// The facts in it that can be read. Nothing about them has been checked.
    pub facts: Vec<Claim>,
    /// Why no facts can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable: Option<String>,
}

/// What a fact in a refused change claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Its id.
    pub id: FactId,
    /// The document that it names.
    pub doc: DocId,
    /// What is stated.
    pub states: String,
    /// Its text, if it has one.
    pub text: Option<String>,
    /// The order that it answers, if it does.
    pub order: Option<FactId>,
    /// Its place in the phone's chain.
    pub seq: Option<u64>,
    /// What the phone's wall clock showed, Unix milliseconds.
    pub wall_ms: Option<i64>,
}

/// `POST /v1/quarantine/{id}/settlement`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SettleQuarantine")]
pub struct Settle {
    /// What is decided.
    pub ruling: Settlement,
    /// Why, in words; it stays on record.
    pub reason: String,
}

async fn list(
    State(app): State<App>,
    viewer: Viewer,
    QueryOf(filter): QueryOf<Waiting>,
) -> Result<Json<Items>, Problem> {
    let sweep = viewer.sweep(Action::ReadQuarantine, filter.unit)?;
    let (limit, before) = filter.page()?;
    let input = (sweep, filter.all, before, limit);
    let read = app.store.with_read("quarantine.list", input, |tx, (sweep, all, before, limit)| {
        Box::pin(quarantine::list(tx, sweep, !all, *before, i64::from(*limit)))
    });
    let items = read.await?;
    let next = page::next(&items, limit, |item| item.id);
    Ok(Json(Items { items, next }))
}

async fn show(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
) -> Result<Json<Shown>, Problem> {
    let sweep = viewer.sweep(Action::ReadQuarantine, None)?;
    let read = app.store.with_read("quarantine.show", (sweep, id), |tx, (sweep, id)| {
        Box::pin(async move {
            let item = require(tx, sweep, *id).await?;
            let body = quarantine::body(tx, *id).await?;
            Ok::<_, Problem>((item, body.unwrap_or_default()))
        })
    });
    let (item, body) = read.await?;
    let (facts, unreadable) = match guard::peek(&body) {
        Ok(envelopes) => (envelopes.iter().filter_map(|bytes| claim(bytes)).collect(), None),
        Err(refusal) => (Vec::new(), Some(refusal.detail)),
    };
    Ok(Json(Shown { item, change: STANDARD.encode(&body), facts, unreadable }))
}

async fn settle(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<i64>,
    JsonBody(body): JsonBody<Settle>,
) -> Result<Json<Item>, Problem> {
    let sweep = viewer.sweep(Action::SettleQuarantine, None)?;
    let reason = body.reason.trim().to_owned();
    required("reason", &reason)?;
    let settled = Settled { ruling: body.ruling, reason, by: viewer.person, at: app.now() };
    let work = (sweep, id, settled);
    let done = app.store.with_tx("quarantine.settle", work, |tx, (sweep, id, settled)| {
        Box::pin(async move {
            require(tx, sweep, *id).await?;
            if !quarantine::settle(tx, *id, settled).await? {
                let title = "It has been settled before";
                return Err(Problem::new(StatusCode::CONFLICT, "already_settled", title)
                    .detail("read it again: it says by whom, when and why"));
            }
            let item = require(tx, sweep, *id).await?;
            let entry = Entry::new(Deed::QuarantineSettled, settled.at).by(settled.by);
            let entry = entry.device(item.device).to(item.doc.as_bytes()).hashes([&item.hash]);
            audit::note(tx, &[entry]).await?;
            Ok(item)
        })
    });
    Ok(Json(done.await?))
}

async fn require(tx: &mut Tx, sweep: &Sweep, id: i64) -> Result<Item, Problem> {
    let missing = || Problem::not_found("check the number, and that the phone is of your units");
    quarantine::get(tx, sweep, id).await?.ok_or_else(missing)
}

fn claim(bytes: &[u8]) -> Option<Claim> {
    let fact = envelope::read(bytes).ok()?;
    let (states, text, order) = told(&fact);
    let author = fact.device();
    Some(Claim {
        id: fact_id(bytes),
        doc: fact.doc,
        states: states.to_owned(),
        text,
        order,
        seq: author.map(|author| author.seq),
        wall_ms: author.map(|author| author.clock.wall_ms),
    })
}

fn told(fact: &Fact) -> (&'static str, Option<String>, Option<FactId>) {
    match &fact.body {
        Body::Accepted(accepted) => ("accepted", None, Some(accepted.order)),
        Body::Arrival(claim) => ("arrival", None, claim.order),
        Body::Note(text) => ("note", Some(text.text.clone()), None),
        Body::Evidence(manifest) => ("evidence", Some(manifest.sha256.to_string()), None),
        Body::Outcome(report) => ("outcome", Some(report.text.clone()), None),
        Body::Told(text) => ("told", Some(text.text.clone()), None),
        Body::Withdrawal(withdrawal) => ("withdrawal", Some(withdrawal.reason.clone()), None),
        Body::Finding(finding) => ("finding", Some(finding.text.clone()), None),
        Body::SiteCorrection(_) => ("site_correction", None, None),
        _ => ("a statement that only the hub makes", None, None),
    }
}

//! The audit log, for auditors.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/audit?action=&person=&device=&subject=&from=&until=&limit=&after=` | [`Entries`], newest first |
//! | `GET /v1/audit/checkpoint` | the newest checkpoint, a signed note (C2SP `tlog-checkpoint`) |
//! | `GET /v1/audit/{n}/proof` | that entry `n` is in the log of that checkpoint (C2SP `tlog-proof`) |

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use onscene_sync_core::id::{DeviceId, DocId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{PathOf, QueryOf};
use super::{Problem, page};
use crate::app::App;
use crate::audit::Deed;
use crate::audit::list::{Filter, Listed, list};
use crate::audit::{keeper, proof};
use crate::auth::{Access, Action, Routes};

const TEXT: &str = "text/plain; charset=utf-8";

/// The routes of this resource.
pub fn routes() -> Routes {
    let auditing = Access::May(Action::ReadAudit);
    Routes::new()
        .get("/v1/audit", auditing, entries)
        .about("Lists entries of the audit log, the newest first.")
        .get("/v1/audit/checkpoint", auditing, checkpoint)
        .about("Shows the newest checkpoint, a signed note (C2SP tlog-checkpoint).")
        .with(|operation| {
            operation.answers_text(200, TEXT);
            operation.may_refuse(&[404]);
        })
        .get("/v1/audit/{n}/proof", auditing, proof_of)
        .about("Proves that an entry is in the log of that checkpoint (C2SP tlog-proof).")
        .with(|operation| operation.answers_text(200, TEXT))
}

/// `GET /v1/audit`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListEntries {
    /// Only this deed, by its name.
    action: Option<String>,
    /// Only by this person.
    person: Option<PersonId>,
    /// Only with or to this phone.
    device: Option<DeviceId>,
    /// Only to this document, person, unit or team.
    subject: Option<DocId>,
    /// Only from this moment on, Unix milliseconds.
    from: Option<Millis>,
    /// Only before this moment, Unix milliseconds.
    until: Option<Millis>,
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<i64>,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Entries {
    /// The entries, newest first.
    pub entries: Vec<Listed>,
    /// `after` for the next page; `null` on the last.
    pub next: Option<i64>,
}

async fn entries(
    State(app): State<App>,
    QueryOf(query): QueryOf<ListEntries>,
) -> Result<Json<Entries>, Problem> {
    let limit = page::size(query.limit)?;
    let known = |name: &String| Deed::ALL.iter().find(|deed| deed.name() == name).copied();
    let unknown = || {
        let names: Vec<_> = Deed::ALL.iter().map(|deed| deed.name()).collect();
        Problem::invalid(format!("`action` must be one of {}", names.join(", ")))
    };
    let filter = Filter {
        deed: query.action.as_ref().map(|name| known(name).ok_or_else(unknown)).transpose()?,
        person: query.person,
        device: query.device,
        subject: query.subject.map(|subject| *subject.as_bytes()),
        from: query.from,
        until: query.until,
        after: query.after,
        limit,
    };
    let read = app.store.with_read("audit.list", filter, |tx, filter| Box::pin(list(tx, filter)));
    let entries = read.await?;
    let next = page::next(&entries, limit, |last| last.id);
    Ok(Json(Entries { entries, next }))
}

async fn checkpoint(State(app): State<App>) -> Result<Response, Problem> {
    let read = app.store.with_read("audit.checkpoint", (), |tx, ()| Box::pin(keeper::newest(tx)));
    let newest = read.await?.ok_or_else(not_yet)?;
    Ok(text(newest.signed.to_note(&app.keys.facts.public_key())))
}

async fn proof_of(State(app): State<App>, PathOf(n): PathOf<u64>) -> Result<Response, Problem> {
    let read = app.store.with_read("audit.proof", n, |tx, n| Box::pin(proof::of_entry(tx, *n)));
    let proof = read.await?.ok_or_else(not_yet)?;
    Ok(text(proof.to_text(&app.keys.facts.public_key())))
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], body).into_response()
}

fn not_yet() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_in_the_log", "No checkpoint covers this")
        .detail("entries get their places within a minute or so: ask again, or check the number")
}

//! One command on a case: scope, idempotency, the use case and the reply in one transaction; bells
//! after the commit.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use onscene_sync_core::id::DocId;
use serde::Serialize;

use super::Problem;
use super::complainants::exposed;
use super::idempotency::{Command, IdempotencyKey, Reply};
use crate::app::App;
use crate::auth::{Action, Scope, Viewer};
use crate::cases::CaseError;
use crate::cases::act::{Act, act};
use crate::cases::project::unit_of;
use crate::cases::record::Stated;
use crate::cases::view::{CaseView, show};
use crate::describe::{Answer, Operation};
use crate::hub::HubError;
use crate::poke::Poke;
use crate::store::Tx;

/// Who commands what, on which case.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) app: App,
    pub(super) viewer: Viewer,
    pub(super) case: DocId,
    /// What the caller must be allowed to do to the case; `None` when it is new.
    action: Option<Action>,
    command: Command,
}

impl Call {
    /// A command that makes a new case.
    pub(super) fn create(
        app: &App,
        viewer: Viewer,
        key: IdempotencyKey,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let command = Command::new(viewer.person, key, name, body)?;
        let case = DocId::from_bytes(app.new_id());
        Ok(Self { app: app.clone(), viewer, case, action: None, command })
    }

    /// A command on a case.
    pub(super) fn on(
        app: &App,
        viewer: Viewer,
        key: IdempotencyKey,
        action: Action,
        case: DocId,
        name: &str,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let command = Command::new(viewer.person, key, name, &(case, body))?;
        Ok(Self { app: app.clone(), viewer, case, action: Some(action), command })
    }
}

/// The case as it is after a command: 201 when something was stated, 200 when nothing was new.
#[derive(Debug)]
pub(super) struct Commanded(Reply);

impl IntoResponse for Commanded {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl Answer for Commanded {
    fn describe(operation: &mut Operation<'_>, _: u16) {
        operation.answers_json::<CaseView>(200);
        operation.answers_json::<CaseView>(201);
        operation.may_refuse(&[404, 409, 422]);
    }
}

/// Does a command and answers with the case as it then is.
pub(super) async fn command<I, F>(call: Call, input: I, run: F) -> Result<Commanded, Problem>
where
    I: Send + Sync + 'static,
    F: for<'t> Fn(&'t mut Tx, &'t App, &'t Call, &'t I) -> BoxFuture<'t, Result<Stated, Problem>>
        + Send
        + Sync
        + 'static,
{
    let app = call.app.clone();
    let (reply, pokes) = app
        .store
        .with_tx("cases.command", (call, input, run), |tx, (call, input, run)| {
            Box::pin(perform(tx, call, input, run))
        })
        .await?;
    pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
    app.jobs.wake();
    Ok(Commanded(reply))
}

/// Does one of the commands that [`Act`] names.
pub(super) async fn do_act(call: Call, what: Act) -> Result<Commanded, Problem> {
    command(call, what, |tx, app, call, what| {
        Box::pin(async move { Ok(act(tx, app, call.case, call.viewer.person, what).await?) })
    })
    .await
}

async fn perform<I, F>(
    tx: &mut Tx,
    call: &Call,
    input: &I,
    run: &F,
) -> Result<(Reply, Vec<Poke>), Problem>
where
    F: for<'t> Fn(&'t mut Tx, &'t App, &'t Call, &'t I) -> BoxFuture<'t, Result<Stated, Problem>>,
{
    let now = call.app.now();
    if let Some(action) = call.action {
        call.viewer.may(action, &scope_of(tx, call.case).await?)?;
    }
    if let Some(reply) = call.command.begin(tx, now).await? {
        return Ok((reply, Vec::new()));
    }
    let stated = run(tx, &call.app, call, input).await?;
    let view = show(tx, call.case, now).await?;
    let body = serde_json::to_vec(&view).map_err(|error| Problem::internal(&error))?;
    let created = call.action.is_none_or(|_| !stated.facts.is_empty());
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let reply = Reply { status: status.as_u16(), body };
    call.command.finish(tx, &reply).await?;
    Ok((reply, stated.pokes))
}

/// Whose a case is: the unit's of its newest order, the bureau's before there is one.
pub(super) async fn scope_of(tx: &mut Tx, case: DocId) -> Result<Scope, Problem> {
    let unit = unit_of(tx, case).await?.ok_or_else(|| unknown_case(case))?;
    Ok(unit.map_or(Scope::Bureau, Scope::Unit))
}

fn unknown_case(case: DocId) -> Problem {
    Problem::not_found(format!("no case within your scope has the id {case}"))
}

impl From<CaseError> for Problem {
    fn from(error: CaseError) -> Self {
        let absent = |code, title| Self::new(StatusCode::NOT_FOUND, code, title);
        let detail = error.to_string();
        match error {
            CaseError::Store(error) => error.into(),
            CaseError::Hub(HubError::Moved | HubError::Forked(_) | HubError::Interrupted) => {
                Self::busy("somebody else was writing: send it again")
            }
            CaseError::Hub(error) => Self::internal(&error),
            CaseError::UnknownCase(case) => unknown_case(case),
            CaseError::UnknownOrder(_) => {
                absent("unknown_order", "There is no such order").detail(detail)
            }
            CaseError::UnknownVerdict(_) => {
                absent("unknown_verdict", "There is no such verdict").detail(detail)
            }
            CaseError::UnknownMeasure(_) => {
                absent("unknown_measure", "There is no such measure").detail(detail)
            }
            CaseError::UnknownOpinion(_) => {
                absent("unknown_opinion", "There is no such opinion").detail(detail)
            }
            CaseError::UnknownUnit(_) => absent("unknown_unit", "There is no such unit")
                .detail(format!("{detail}: GET /v1/units lists them")),
            CaseError::Invalid { field, .. } => Self::invalid(detail).with("field", field),
            CaseError::Conflict { code, why } => {
                Self::new(StatusCode::CONFLICT, code, "The case does not stand so").detail(why)
            }
            CaseError::Unfinished(missing) => {
                let names = serde_json::to_value(&missing).unwrap_or_default();
                Self::new(StatusCode::CONFLICT, "not_done", "The case cannot be closed yet")
                    .detail(detail)
                    .with("missing", names)
            }
            CaseError::Exposed(found) => exposed(&found),
            CaseError::Policy(_) | CaseError::Broken(_) => Self::internal(&detail),
        }
    }
}

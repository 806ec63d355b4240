//! A unit's result, recorded on a phone, becomes its feedback to the command centre (反馈).

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{FedBack, Text};

use super::dispatch::order_of;
use super::record::load;
use super::{CaseError, evidence};
use crate::app::App;
use crate::hub::record::FactArrived;
use crate::jobs::{Job, JobError};
use crate::poke::Poke;
use crate::store::Tx;

/// Kind of the job that feeds an outcome back.
pub const FEEDBACK: &str = "feed_back";

/// Handler of [`FEEDBACK`]. While the team's phones disagree about the outcome, what they report
/// is progress, not a result.
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move { Ok(feed_back(tx, app, job.payload()?).await?) }.boxed()
}

async fn feed_back(
    tx: &mut Tx,
    app: &App,
    FactArrived { inspection, fact }: FactArrived,
) -> Result<Vec<Poke>, CaseError> {
    let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let mut case = load(tx, found.case, true).await?;
    if case.order(found.order)?.outcomes_fed_back().contains(&fact) {
        return Ok(Vec::new());
    }
    let visit = evidence::document(tx, inspection).await?;
    let (author, body) = evidence::device_fact(&visit, fact)?;
    let Body::Outcome(report) = body else {
        return Err(CaseError::Broken(format!("fact {fact} is not an outcome")));
    };
    let settled = visit.outcomes();
    let agreed = settled.len() <= 1;
    let superseded = agreed && !settled.contains(&fact);
    let seen = evidence::first_seen(tx, &author, fact).await?;
    let result = (agreed && !superseded).then_some(report.outcome);
    let mut bodies =
        vec![Body::FedBack(FedBack { order: found.order, outcome: Some(fact), result, at: seen })];
    if result.is_some() && report.complainant_told == Some(true) {
        let text = "told on scene by the team".to_owned();
        bodies.push(Body::ComplainantTold(Text { text, by: None }));
    }
    Ok(case.state(tx, app, bodies).await?.pokes)
}

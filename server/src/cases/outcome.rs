//! A unit's result, recorded on a phone, becomes its feedback to the command centre (反馈); what the
//! team takes back, chooses or tells on scene afterwards follows it into the case.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::document::Document;
use onscene_sync_core::fact::body::{FedBack, Outcome, TakenBack, ToldOnScene};
use onscene_sync_core::fact::{Body, envelope};
use onscene_sync_core::id::{DeviceId, FactId};
use onscene_sync_core::rules::record::Order;
use onscene_sync_core::time::Millis;

use super::dispatch::order_of;
use super::record::{Case, load};
use super::{CaseError, evidence};
use crate::app::App;
use crate::hub::record::{FactArrived, VisitChanged};
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

/// Handler of [`SETTLE`](crate::hub::record::SETTLE).
pub fn settle<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let VisitChanged { inspection } = job.payload()?;
        let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
        let mut case = load(tx, found.case, true).await?;
        let visit = Visit::read(&evidence::document(tx, inspection).await?);
        Ok(follow(tx, app, &mut case, found.order, &visit).await?)
    }
    .boxed()
}

async fn feed_back(
    tx: &mut Tx,
    app: &App,
    FactArrived { inspection, fact }: FactArrived,
) -> Result<Vec<Poke>, CaseError> {
    let Some(found) = order_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let mut case = load(tx, found.case, true).await?;
    let document = evidence::document(tx, inspection).await?;
    let visit = Visit::read(&document);
    let mut pokes = Vec::new();
    if !case.order(found.order)?.outcomes_fed_back().contains(&fact) {
        let (author, body) = evidence::device_fact(&document, fact)?;
        let Body::Outcome(report) = body else {
            return Err(CaseError::Broken(format!("fact {fact} is not an outcome")));
        };
        let at = evidence::first_seen(tx, &author, fact).await?;
        let result = (visit.settled == [fact]).then_some(report.outcome);
        let evidence = Some(visit.shown(&report.evidence));
        let fed_back = FedBack { order: found.order, outcome: Some(fact), result, at, evidence };
        pokes = case.state(tx, app, vec![Body::FedBack(fed_back)]).await?.pokes;
    }
    pokes.extend(follow(tx, app, &mut case, found.order, &visit).await?);
    Ok(pokes)
}

/// What a visit says about its order, besides arrivals.
struct Visit {
    /// Arrivals, outcomes and tellings taken back, each with the withdrawal that does.
    taken_back: BTreeMap<FactId, FactId>,
    /// The outcomes that the team settled on and did not take back.
    settled: Vec<FactId>,
    /// What each outcome was, and what it names to show it.
    outcomes: BTreeMap<FactId, (Outcome, Vec<FactId>)>,
    files: BTreeSet<FactId>,
    /// Facts that say that the complainant was told on scene: [`Body::Told`], each with the outcome
    /// that its phone had recorded last, and outcomes.
    told: Vec<(FactId, Option<FactId>)>,
    told_with: Vec<FactId>,
}

impl Visit {
    fn read(document: &Document) -> Self {
        let mut deciding = BTreeSet::new();
        let mut recorded: BTreeMap<(DeviceId, u32, u64), FactId> = BTreeMap::new();
        let mut told = Vec::new();
        let mut visit = Self {
            taken_back: BTreeMap::new(),
            settled: document.outcomes(),
            outcomes: BTreeMap::new(),
            files: BTreeSet::new(),
            told: Vec::new(),
            told_with: Vec::new(),
        };
        for (id, bytes) in document.facts() {
            // The guard has read every fact that it admitted.
            let Ok(fact) = envelope::read(&bytes) else { continue };
            if matches!(fact.body, Body::Arrival(_) | Body::Outcome(_) | Body::Told(_)) {
                deciding.insert(id);
            }
            let place = fact.device().map(|author| (author.device, author.install, author.seq));
            match fact.body {
                Body::Withdrawal(withdrawal) => {
                    visit.taken_back.entry(withdrawal.fact).or_insert(id);
                }
                Body::Outcome(report) => {
                    recorded.extend(place.map(|place| (place, id)));
                    if report.complainant_told == Some(true) {
                        visit.told_with.push(id);
                    }
                    visit.outcomes.insert(id, (report.outcome, report.evidence));
                }
                Body::Evidence(_) => {
                    visit.files.insert(id);
                }
                Body::Told(_) => told.push((id, place)),
                _ => {}
            }
        }
        visit.taken_back.retain(|fact, _| deciding.contains(fact));
        visit.settled.retain(|outcome| !visit.taken_back.contains_key(outcome));
        told.retain(|(told, _)| !visit.taken_back.contains_key(told));
        visit.told = told
            .into_iter()
            .map(|(told, place)| {
                let before = place.and_then(|(device, install, seq)| {
                    recorded.range((device, install, 0)..(device, install, seq)).next_back()
                });
                (told, before.map(|(_, outcome)| *outcome))
            })
            .collect();
        visit
    }

    /// How many files of this visit an outcome names.
    fn shown(&self, evidence: &[FactId]) -> u32 {
        let files: BTreeSet<_> = evidence.iter().filter(|fact| self.files.contains(fact)).collect();
        u32::try_from(files.len()).unwrap_or(u32::MAX)
    }
}

/// Brings the case into line with the visit: first what was taken back, then the result that the
/// team settled on, then whether the complainant was told it on scene.
async fn follow(
    tx: &mut Tx,
    app: &App,
    case: &mut Case,
    order: FactId,
    visit: &Visit,
) -> Result<Vec<Poke>, CaseError> {
    let mut pokes = Vec::new();
    let taken = taken_back(case.order(order)?, visit);
    if !taken.is_empty() {
        pokes.extend(case.state(tx, app, taken).await?.pokes);
    }
    if let Some(chosen) = chosen(case.order(order)?, visit, app.now()) {
        pokes.extend(case.state(tx, app, vec![chosen]).await?.pokes);
    }
    let told = told(case.order(order)?, visit);
    if !told.is_empty() {
        pokes.extend(case.state(tx, app, told).await?.pokes);
    }
    Ok(pokes)
}

fn taken_back(order: &Order, visit: &Visit) -> Vec<Body> {
    let id = order.issued.fact;
    let news = visit.taken_back.iter().filter(|(fact, _)| !order.is_taken_back(**fact));
    news.map(|(fact, withdrawal)| {
        Body::TakenBack(TakenBack { order: id, fact: *fact, withdrawal: *withdrawal })
    })
    .collect()
}

/// The outcome that the team agrees on, when it reached the command centre before and another one,
/// or none, counts as the team's result.
fn chosen(order: &Order, visit: &Visit, now: Millis) -> Option<Body> {
    let [settled] = visit.settled[..] else { return None };
    let feedback = order.feedback_as_recorded();
    let result = feedback
        .iter()
        .rfind(|one| one.body.result.is_some() && one.body.outcome.is_some())
        .and_then(|one| one.body.outcome);
    if result == Some(settled) || !order.outcomes_fed_back().contains(&settled) {
        return None;
    }
    let (result, evidence) = visit.outcomes.get(&settled)?;
    let (result, evidence) = (Some(*result), Some(visit.shown(evidence)));
    let order = order.issued.fact;
    Some(Body::FedBack(FedBack { order, outcome: Some(settled), result, at: now, evidence }))
}

/// Who was told on scene was told what the phone had recorded last, or was about to record: only
/// the result that stands counts. A telling that arrives after the work was sent back is of the old
/// result.
fn told(order: &Order, visit: &Visit) -> Vec<Body> {
    let Some(result) = order.standing_result() else { return Vec::new() };
    let with = visit.told_with.iter().filter(|outcome| result.body.outcome == Some(**outcome));
    let known = |fact: &FactId| order.told.iter().any(|told| told.body.fact == *fact);
    let id = order.issued.fact;
    let about = |(_, outcome): &&(FactId, Option<FactId>)| {
        outcome.is_none() || *outcome == result.body.outcome
    };
    with.chain(visit.told.iter().filter(about).map(|(told, _)| told))
        .filter(|fact| !known(fact))
        .map(|fact| Body::ToldOnScene(ToldOnScene { order: id, fact: *fact }))
        .collect()
}

//! A supervisor's finding reaches the case: what was found stands there, and a false report goes on
//! to discipline by itself (谎报结果).

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::document::Document;
use onscene_sync_core::fact::body::{
    ArrivalClaim, Measure, MeasureCause, MeasureStep, RecheckFinding, Rechecked,
};
use onscene_sync_core::fact::{Author, Body, DeviceAuthor, envelope};
use onscene_sync_core::id::{DeviceId, DocId, FactId, PersonId};
use onscene_sync_core::rules::arrival::{ArrivalPolicy, Grounds, Verdict};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::Millis;

use crate::app::App;
use crate::cases::record::{Case, load};
use crate::cases::{CaseError, evidence, tracks};
use crate::hub::record::FactArrived;
use crate::jobs::{Job, JobError};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// Handler of [`FOUND`](crate::hub::record::FOUND).
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move { Ok(take(tx, app, job.payload()?).await?) }.boxed()
}

/// A recheck that is, or was, on its way.
struct Recheck {
    case: DocId,
    order: FactId,
    person: PersonId,
}

async fn take(
    tx: &mut Tx,
    app: &App,
    FactArrived { inspection, fact }: FactArrived,
) -> Result<Vec<Poke>, CaseError> {
    // What patrols find has no such row.
    let Some(recheck) = recheck_of(tx, inspection).await? else { return Ok(Vec::new()) };
    let visit = evidence::document(tx, inspection).await?;
    let (author, body) = evidence::device_fact(&visit, fact)?;
    let Body::Finding(found) = body else { return Ok(Vec::new()) };
    let Some(finding) = RecheckFinding::of_name(&found.matter) else { return Ok(Vec::new()) };
    if person_of(tx, author.device).await? != Some(recheck.person) {
        return Ok(Vec::new());
    }
    let mut case = load(tx, recheck.case, true).await?;
    if case.record.rechecks.iter().any(|known| known.body.fact == fact) {
        return Ok(Vec::new());
    }
    let scene = scene(tx, &case, &recheck, &visit, author.device).await?;
    let bodies = statements(&case, &recheck, (inspection, fact), (finding, scene));
    let stated = case.state(tx, app, bodies).await?;
    let sql = "UPDATE recheck SET finding = $2, found_at = $3 WHERE inspection = $1";
    let query = sqlx::query(sql).bind(&inspection.as_bytes()[..]).bind(finding.name());
    query.bind(app.now().0).execute(tx.conn()).await.map_err(StoreError::from)?;
    Ok(stated.pokes)
}

fn statements(
    case: &Case,
    recheck: &Recheck,
    (inspection, fact): (DocId, FactId),
    (finding, scene): (RecheckFinding, Option<Verdict>),
) -> Vec<Body> {
    let Recheck { order, person, .. } = *recheck;
    let (by, scene) = (person, scene.map(Box::new));
    let mut bodies =
        vec![Body::Rechecked(Rechecked { order, inspection, fact, finding, by, scene })];
    let referred = case.record.measures.iter().map(|measure| &measure.taken.body);
    let mut referred = referred.filter(|it| it.cause == MeasureCause::FalseReport);
    if finding == RecheckFinding::FalseReport && !referred.any(|it| it.order == order) {
        bodies.push(Body::MeasureTaken(Measure {
            step: MeasureStep::AccountabilityReferral,
            cause: MeasureCause::FalseReport,
            order,
            reason: "a recheck on scene found the reported result false".to_owned(),
            by: None,
        }));
    }
    bodies
}

/// Whether the supervisor was there, by the last claim of theirs that stands. A recheck has no deadline.
async fn scene(
    tx: &mut Tx,
    case: &Case,
    recheck: &Recheck,
    visit: &Document,
    found_by: DeviceId,
) -> Result<Option<Verdict>, CaseError> {
    const NO_LIMIT_MS: i64 = 1000 * 60 * 60 * 24 * 36_525;
    let (ordered_at, mut claims) = claims(visit);
    // Chains of different phones have no order: the one that stated the finding has the last word.
    claims.sort_by_key(|(_, author, _)| (author.device == found_by, author.install, author.seq));
    for (fact, author, mut claim) in claims.into_iter().rev() {
        if person_of(tx, author.device).await? != Some(recheck.person) {
            continue;
        }
        // Its document was made for this order alone: what is stated in it names the order.
        claim.order = Some(recheck.order);
        let around = evidence::around(tx, visit, fact, &author, claim.tap.boot).await?;
        let order = &case.order(recheck.order)?.issued.body;
        let policies = Policies::built_in();
        let rule = policies.get(order.policy)?.arrival.clone();
        let grounds = Grounds {
            started_at: ordered_at,
            policy: ArrivalPolicy { limit_ms: NO_LIMIT_MS, ..rule },
            anchors: around.anchors,
            not_after: around.not_after,
            not_before: around.anchored_at.max(Some(ordered_at)),
            circumstances: around.flags,
            same_tracks: tracks::same_as(tx, fact).await?,
        };
        return Ok(Some(grounds.judge((order, ordered_at), (&claim, &author))));
    }
    Ok(None)
}

/// When a recheck was ordered, and the claims to be on scene that stand in it.
fn claims(visit: &Document) -> (Millis, Vec<(FactId, DeviceAuthor, ArrivalClaim)>) {
    let (mut ordered_at, mut claims, mut withdrawn) = (Millis(0), Vec::new(), BTreeSet::new());
    for (id, envelope) in visit.facts() {
        let Ok(fact) = envelope::read(&envelope) else { continue };
        match (fact.author, fact.body) {
            (Author::Hub(at), Body::RecheckOrdered(_)) => ordered_at = at,
            (Author::Device(author), Body::Arrival(claim)) => claims.push((id, author, claim)),
            (_, Body::Withdrawal(taken_back)) => drop(withdrawn.insert(taken_back.fact)),
            _ => {}
        }
    }
    claims.retain(|(id, ..)| !withdrawn.contains(id));
    (ordered_at, claims)
}

async fn recheck_of(tx: &mut Tx, inspection: DocId) -> Result<Option<Recheck>, StoreError> {
    let sql = "SELECT case_id, order_id, person_id FROM recheck WHERE inspection = $1";
    let row = sqlx::query(sql).bind(&inspection.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| {
        Ok(Recheck {
            case: DocId::from_bytes(row.array("case_id")?),
            order: FactId::from_bytes(row.array("order_id")?),
            person: PersonId::from_bytes(row.array("person_id")?),
        })
    })
    .transpose()
}

async fn person_of(tx: &mut Tx, device: DeviceId) -> Result<Option<PersonId>, StoreError> {
    let query = sqlx::query("SELECT person_id FROM device WHERE device = $1");
    let row = query.bind(&device.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| Ok(PersonId::from_bytes(row.array("person_id")?))).transpose()
}

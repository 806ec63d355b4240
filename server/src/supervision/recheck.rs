//! A supervisor's finding reaches the case: what was found stands there, and a false report goes on
//! to discipline by itself (谎报结果).

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{
    Measure, MeasureCause, MeasureStep, RecheckFinding, Rechecked,
};
use onscene_sync_core::id::{DeviceId, DocId, FactId, PersonId};

use crate::app::App;
use crate::cases::record::{Case, load};
use crate::cases::{CaseError, evidence};
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
    let bodies = statements(&case, &recheck, (inspection, fact), finding);
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
    finding: RecheckFinding,
) -> Vec<Body> {
    let Recheck { order, person, .. } = *recheck;
    let mut bodies =
        vec![Body::Rechecked(Rechecked { order, inspection, fact, finding, by: person })];
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

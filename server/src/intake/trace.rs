//! What repeats are looked for by: one row for each case, and rows that cases with like texts share.
//! Drills leave no trace.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::body::Registered;
use onscene_sync_core::id::DocId;
use onscene_sync_core::likeness::Pairs;
use onscene_sync_core::place::{Position, grid};
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::cases::CaseError;
use crate::cases::project::{cases_after, name};
use crate::cases::record::load;
use crate::jobs::{Effect, Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Kind of the job that writes the traces of cases from before there were any.
pub const FILL: &str = "intake.trace";
/// Cases that it looks at in one transaction.
const BATCH: i64 = 200;

/// Handlers of the jobs of intake.
pub const HANDLERS: &[(&str, Effect)] = &[(FILL, fill)];

/// A case's row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    matter: String,
    class: String,
    grave: bool,
    registered_at: Millis,
    /// WGS-84.
    position: Option<Position>,
    /// Ascending.
    bands: Vec<i64>,
}

impl Trace {
    /// `None` for a drill.
    fn of(record: &CaseRecord) -> Option<Self> {
        let registration = record.registration.as_ref()?;
        let Registered { class, matter, summary, site, drill, grave, .. } = &registration.body;
        if *drill {
            return None;
        }
        let centre = site.as_ref().map(onscene_sync_core::place::Site::centre);
        let mut bands = Pairs::of(summary).bands();
        bands.sort_unstable();
        bands.dedup();
        Some(Self {
            matter: matter.clone(),
            class: name(class),
            grave: *grave,
            registered_at: registration.at,
            position: centre.and_then(|at| Position::from_degrees(at.lat, at.lon).ok()),
            bands,
        })
    }
}

/// Writes the trace of a case, unless it is there.
///
/// # Errors
/// When the database refuses.
pub async fn write(tx: &mut Tx, case: DocId, record: &CaseRecord) -> Result<(), StoreError> {
    const ROW: &str = "INSERT INTO case_trace (case_id, matter, class, grave, registered_at, lat_e7, lon_e7, \
         cell) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (case_id) DO NOTHING";
    const BANDS: &str = "INSERT INTO case_band (band, registered_at, case_id)";
    let Some(trace) = Trace::of(record) else { return Ok(()) };
    let Trace { matter, class, grave, registered_at, position, bands } = &trace;
    let done = sqlx::query(ROW)
        .bind(&case.as_bytes()[..])
        .bind(matter)
        .bind(class)
        .bind(i64::from(*grave))
        .bind(registered_at.0)
        .bind(position.map(|position| i64::from(position.lat_e7)))
        .bind(position.map(|position| i64::from(position.lon_e7)))
        .bind(position.map(|position| grid::cell(position.degrees())))
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 {
        insert_many(tx, BANDS, 3, bands, "ON CONFLICT DO NOTHING", |query, band| {
            query.bind(*band).bind(registered_at.0).bind(case.as_bytes().to_vec())
        })
        .await?;
    }
    Ok(())
}

/// What of a case's trace is not as its facts say.
///
/// # Errors
/// When the database refuses.
pub async fn fault(
    tx: &mut Tx,
    case: DocId,
    record: &CaseRecord,
) -> Result<Option<String>, StoreError> {
    let expected = Trace::of(record);
    let bands = expected.as_ref().map_or(&[][..], |trace| &trace.bands);
    let found = read(tx, case, bands).await?;
    let differs = found != expected;
    Ok(differs.then(|| format!("case {case}: its trace is {found:?}, its facts say {expected:?}")))
}

/// The trace as it stands, with those of the bands `expected` that are there.
async fn read(tx: &mut Tx, case: DocId, expected: &[i64]) -> Result<Option<Trace>, StoreError> {
    const ROW: &str = "SELECT matter, class, grave, registered_at, lat_e7, lon_e7, cell FROM case_trace \
         WHERE case_id = $1";
    const BAND: &str = "SELECT band FROM case_band \
         WHERE band = $1 AND registered_at = $2 AND case_id = $3";
    let query = sqlx::query(ROW).bind(&case.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(None) };
    let registered_at = row.millis("registered_at")?;
    let position = match (row.opt_int("lat_e7")?, row.opt_int("lon_e7")?) {
        (Some(_), Some(_)) => {
            Some(Position { lat_e7: row.number("lat_e7")?, lon_e7: row.number("lon_e7")? })
        }
        _ => None,
    };
    let mut bands = Vec::with_capacity(expected.len());
    for band in expected {
        let query = sqlx::query(BAND).bind(*band).bind(registered_at.0).bind(&case.as_bytes()[..]);
        bands.extend(query.fetch_optional(tx.conn()).await?.map(|_| *band));
    }
    let cell = position.map(|position| grid::cell(position.degrees()));
    // A wrong cell hides the case as surely as a wrong position.
    let position = position.filter(|_| row.opt_int("cell").is_ok_and(|found| found == cell));
    let (matter, class) = (row.text("matter")?, row.text("class")?);
    Ok(Some(Trace { matter, class, grave: row.int("grave")? != 0, registered_at, position, bands }))
}

/// Handler of [`FILL`]: a batch of cases, and the next job.
fn fill<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let After { after } = job.payload()?;
        let cases = cases_after(tx, after, BATCH).await?;
        for &id in &cases {
            match load(tx, id, false).await {
                Ok(case) => write(tx, id, &case.record).await?,
                Err(CaseError::Store(error)) => return Err(error.into()),
                Err(error) => tracing::error!(case = %id, %error, "its trace was not written"),
            }
        }
        if let Some(after) = cases.last().copied() {
            enqueue(tx, NewJob::new(FILL, app.now(), &After { after: Some(after) })?).await?;
        }
        Ok(Vec::new())
    }
    .boxed()
}

#[derive(Debug, Serialize, Deserialize)]
struct After {
    after: Option<DocId>,
}

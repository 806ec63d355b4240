//! Working out rows anew, for cases that an earlier program wrote: a job, a few cases at a time, so
//! that a hub with a million cases works on meanwhile.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::id::DocId;

use super::{grams, write};
use crate::app::App;
use crate::cases::CaseError;
use crate::cases::record::load;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// Kind of the job; a migration that adds columns inserts one.
pub const REFILL: &str = "case.refill";

/// Cases in one transaction.
const BATCH: i64 = 50;

/// Handler of [`REFILL`]. Its payload is the last case that was done, as hexadecimal digits.
pub fn refill<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let after: Option<DocId> = match job.payload::<String>()? {
            text if text.is_empty() => None,
            text => Some(text.parse().map_err(|error| JobError::Failed(format!("{error}")))?),
        };
        let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        let sql = "SELECT case_id FROM case_row WHERE class = '' AND case_id > $1 \
                   ORDER BY case_id LIMIT $2";
        let rows = sqlx::query(sql).bind(after).bind(BATCH).fetch_all(tx.conn());
        let mut last = None;
        for row in rows.await.map_err(StoreError::from)? {
            let id = DocId::from_bytes(row.array("case_id")?);
            last = Some(id);
            match one(tx, id).await {
                Ok(()) => {}
                Err(CaseError::Store(error)) => return Err(error.into()),
                // One case that cannot be read must not keep the others; `onscene check` names it.
                Err(error) => tracing::error!(case = %id, %error, "a row was not worked out anew"),
            }
        }
        if let Some(last) = last {
            enqueue(tx, NewJob::new(REFILL, app.now(), &last.to_string())?).await?;
        }
        Ok(Vec::new())
    }
    .boxed()
}

async fn one(tx: &mut Tx, id: DocId) -> Result<(), CaseError> {
    let case = load(tx, id, true).await?;
    grams::note(tx, &case).await?;
    write(tx, &case).await
}

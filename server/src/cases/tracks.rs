//! Claims that rest on one and the same track: one receiver under several names, or a recording
//! that is sent again.
//!
//! Each claim's track is kept for as long as the policy says, under a coarse place. A claim is
//! compared with those around it, of any device, case and unit; where
//! [`likeness`](onscene_sync_core::rules::track) finds one track twice, both claims are judged
//! again and go to a person.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::Body;
use onscene_sync_core::id::{BootId, DeviceId, DocId, FactId};
use onscene_sync_core::place::Position;
use onscene_sync_core::rules::track::{Clocks, Track, likeness};
use onscene_sync_core::time::Millis;

use super::{CaseError, evidence, rejudge};
use crate::app::App;
use crate::hub::record::FactArrived;
use crate::jobs::{Job, JobError, NewJob, enqueue};
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// Kind of the job that compares a claim's track a second time.
pub const COMPARE: &str = "case.compare_tracks";

/// After this, whoever judged another claim at the same time has committed.
const SETTLED_MS: i64 = 30_000;
/// Tracks that one is compared with: the newest around it.
const COMPARED: i64 = 400;
/// Claims that a verdict names.
const NAMED: i64 = 8;
/// Edge of a cell, 10⁻⁷ degrees: about half a kilometre.
const CELL_E7: i64 = 50_000;
/// Cells around the globe.
const CELLS_AROUND: i64 = 3_600_000_000 / CELL_E7;

/// Keeps the track of a claim and compares it; a second comparison follows, because two claims that
/// are judged at once do not see each other.
///
/// # Errors
/// When the claim is not where it should be, and the database's.
pub(super) async fn note(tx: &mut Tx, claim: FactArrived, now: Millis) -> Result<(), CaseError> {
    const SQL: &str = "INSERT INTO track (fact_id, doc_id, device, boot, cell, received_at, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (fact_id) DO NOTHING";
    let visit = evidence::document(tx, claim.inspection).await?;
    let (author, body) = evidence::device_fact(&visit, claim.fact)?;
    let Body::Arrival(arrival) = body else { return Ok(()) };
    let track = Track::of(&arrival);
    let Some(middle) = track.middle() else { return Ok(()) };
    let (row, column) = cell(middle);
    let body = minicbor::to_vec(&track).expect("a vector takes all");
    let query = sqlx::query(SQL).bind(&claim.fact.as_bytes()[..]);
    let query = query.bind(&claim.inspection.as_bytes()[..]).bind(&author.device.as_bytes()[..]);
    let query = query.bind(&arrival.tap.boot.as_bytes()[..]).bind(row * CELLS_AROUND + column);
    query.bind(now.0).bind(body).execute(tx.conn()).await.map_err(StoreError::from)?;
    compare(tx, claim, now).await?;
    let again =
        NewJob::new(COMPARE, now.plus(SETTLED_MS), &claim).expect("two ids have a JSON form");
    enqueue(tx, again.once(claim.fact.to_string())).await?;
    Ok(())
}

/// Claims that rest on the track of `fact`, the first few.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn same_as(tx: &mut Tx, fact: FactId) -> Result<Vec<FactId>, StoreError> {
    let sql = "SELECT other FROM same_track WHERE fact_id = $1 ORDER BY other LIMIT $2";
    let query = sqlx::query(sql).bind(&fact.as_bytes()[..]).bind(NAMED);
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter().map(|row| row.array("other").map(FactId::from_bytes)).collect()
}

/// Handler of [`COMPARE`].
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let claim: FactArrived = job.payload()?;
        if compare(tx, claim, app.now()).await? {
            rejudge::plan(tx, &[claim], app.now()).await?;
        }
        Ok(Vec::new())
    }
    .boxed()
}

/// A track that is kept.
struct Kept {
    claim: FactArrived,
    device: DeviceId,
    boot: BootId,
    cell: i64,
    track: Track,
}

/// Finds the claims on the same track that were not known, and plans to judge them again. Whether
/// there are any.
async fn compare(tx: &mut Tx, claim: FactArrived, now: Millis) -> Result<bool, StoreError> {
    const PAIR: &str = "INSERT INTO same_track (fact_id, other) VALUES ($1, $2), ($2, $1) \
         ON CONFLICT DO NOTHING";
    let Some(own) = kept(tx, claim.fact).await? else { return Ok(false) };
    let mut alike = Vec::new();
    for other in around(tx, &own).await? {
        let clocks = if own.device == other.device && own.boot == other.boot {
            Clocks::Same
        } else {
            Clocks::Apart
        };
        if !likeness(&own.track, &other.track, clocks).is_some_and(|found| found.is_one_track()) {
            continue;
        }
        let query = sqlx::query(PAIR).bind(claim.fact.as_bytes().to_vec());
        let query = query.bind(other.claim.fact.as_bytes().to_vec());
        if query.execute(tx.conn()).await?.rows_affected() > 0 {
            alike.push(other.claim);
        }
    }
    rejudge::plan(tx, &alike, now).await?;
    Ok(!alike.is_empty())
}

async fn kept(tx: &mut Tx, fact: FactId) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT fact_id, doc_id, device, boot, cell, body FROM track WHERE fact_id = $1";
    let row = sqlx::query(sql).bind(&fact.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

/// The newest tracks of the cell of `own` and of the eight around it.
async fn around(tx: &mut Tx, own: &Kept) -> Result<Vec<Kept>, StoreError> {
    const SQL: &str = "SELECT fact_id, doc_id, device, boot, cell, body FROM track \
         WHERE cell IN ($1, $2, $3, $4, $5, $6, $7, $8, $9) AND fact_id <> $10 \
         ORDER BY received_at DESC LIMIT $11";
    let (row, column) = (own.cell.div_euclid(CELLS_AROUND), own.cell.rem_euclid(CELLS_AROUND));
    let mut query = sqlx::query(SQL);
    for north in -1..=1 {
        for east in -1..=1 {
            let column = (column + east).rem_euclid(CELLS_AROUND);
            query = query.bind((row + north) * CELLS_AROUND + column);
        }
    }
    let query = query.bind(&own.claim.fact.as_bytes()[..]).bind(COMPARED);
    query.fetch_all(tx.conn()).await?.iter().map(read).collect()
}

fn read(row: &sqlx::any::AnyRow) -> Result<Kept, StoreError> {
    let inspection = DocId::from_bytes(row.array("doc_id")?);
    let body = row.bytes("body")?;
    let track = minicbor::decode(&body).map_err(|error| StoreError::Inconsistent {
        column: "body".to_owned(),
        found: error.to_string(),
        expected: "a track".to_owned(),
    })?;
    Ok(Kept {
        claim: FactArrived { inspection, fact: FactId::from_bytes(row.array("fact_id")?) },
        device: DeviceId::from_bytes(row.array("device")?),
        boot: BootId::from_bytes(row.array("boot")?),
        cell: row.int("cell")?,
        track,
    })
}

/// Row and column of the cell that holds a position.
fn cell(position: Position) -> (i64, i64) {
    let row = (i64::from(position.lat_e7) + 900_000_000).div_euclid(CELL_E7);
    let column = (i64::from(position.lon_e7) + 1_800_000_000).div_euclid(CELL_E7);
    (row, column.rem_euclid(CELLS_AROUND))
}

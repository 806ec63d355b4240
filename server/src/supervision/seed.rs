//! The public value comes in, the draw is made, and each drawn case goes to a supervisor's phone: all
//! in one transaction, so a draw is made whole or not at all.

use std::str::FromStr as _;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::RecheckOrdered;
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::rules::draw::{
    Commitment, Drawn, Seed, draw, drawn_text, read_list, read_supervisors,
};
use onscene_sync_core::sync::message::Bucket;
use onscene_sync_core::time::Millis;

use super::DrawError;
use crate::app::App;
use crate::audit::entry::{Deed, Entry, note};
use crate::audit::keeper;
use crate::cases::CaseError;
use crate::cases::record::load;
use crate::hub::append::append;
use crate::hub::{buckets, documents};
use crate::jobs::enqueue_all;
use crate::notice::event::Event;
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// Takes the seed of a draw and draws. Returns what to ring after the commit.
///
/// # Errors
/// When there is no such draw, it has a seed already, or no signed checkpoint covers its commitment
/// yet; when the seed has no sense.
pub async fn enter(
    tx: &mut Tx,
    app: &App,
    by: PersonId,
    id: DocId,
    text: &str,
) -> Result<Vec<Poke>, DrawError> {
    let seed = Seed::from_str(text)
        .map_err(|error| DrawError::Invalid { field: "seed", why: error.to_string() })?;
    let (commitment, frozen_at, drawn) = {
        let frozen = Frozen::lock(tx, id).await?;
        require_committed(tx, id).await?;
        let (frozen_at, drawn) = frozen.draw(&seed)?;
        (sha256(frozen.commitment.as_bytes()), frozen_at, drawn)
    };
    let now = app.now();
    let mut rechecks = Vec::with_capacity(drawn.len());
    for one in &drawn {
        rechecks.push(order_recheck(tx, app, id, (one, frozen_at), now).await?);
    }
    let told = rechecks.iter().map(|(inspection, person)| {
        Event::Recheck { inspection: *inspection, person: *person }.job(now)
    });
    let told = told.collect::<Result<Vec<_>, _>>().map_err(CaseError::from)?;
    enqueue_all(tx, &told).await?;
    rechecks.sort_unstable_by_key(|recheck| recheck.1);
    let mut pokes = Vec::new();
    for (inspection, person) in rechecks {
        pokes.extend(buckets::enter(tx, inspection, &[Bucket::Person(person)], now).await?);
    }
    let drawn = drawn_text(&drawn);
    sqlx::query(
        "UPDATE draw SET seed = $2, drawn = $3, drawn_at = $4, drawn_by = $5 WHERE draw_id = $1",
    )
    .bind(&id.as_bytes()[..])
    .bind(text)
    .bind(&drawn[..])
    .bind(now.0)
    .bind(&by.as_bytes()[..])
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let entry = Entry::new(Deed::DrawMade, now).by(by).to(id.as_bytes());
    let hashes = [commitment, sha256(text.as_bytes()), sha256(drawn.as_bytes())];
    note(tx, &[entry.hashes(&hashes)]).await?;
    Ok(pokes)
}

/// The files of a draw that has no seed yet; its row is locked.
struct Frozen {
    commitment: String,
    list: String,
    supervisors: String,
}

impl Frozen {
    async fn lock(tx: &mut Tx, id: DocId) -> Result<Self, DrawError> {
        let lock = tx.engine().for_update();
        let sql = format!(
            "SELECT commitment, list, supervisors, seed FROM draw WHERE draw_id = $1{lock}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&id.as_bytes()[..]);
        let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
        let row = row.ok_or(DrawError::Unknown(id))?;
        if row.opt_text("seed")?.is_some() {
            let why = "the draw was made with another seed, or this one: GET /v1/draws".to_owned();
            return Err(DrawError::Conflict { code: "already_drawn", why });
        }
        let (list, supervisors) = (row.text("list")?, row.text("supervisors")?);
        Ok(Self { commitment: row.text("commitment")?, list, supervisors })
    }

    /// When the list was settled, and what is drawn from it.
    fn draw(&self, seed: &Seed) -> Result<(Millis, Vec<Drawn>), DrawError> {
        let broken =
            |error: onscene_sync_core::rules::draw::DrawFault| DrawError::Broken(error.to_string());
        let commitment = Commitment::from_text(&self.commitment).map_err(broken)?;
        let list = read_list(&self.list).map_err(broken)?;
        let supervisors = read_supervisors(&self.supervisors).map_err(broken)?;
        Ok((commitment.frozen_at, draw(&commitment, seed, &list, &supervisors)))
    }
}

/// Phones must have been able to see the commitment before anybody can bring a seed.
async fn require_committed(tx: &mut Tx, id: DocId) -> Result<(), DrawError> {
    let size = keeper::newest(tx).await?.map_or(0, |newest| newest.signed.checkpoint.size);
    let place = place_of_commitment(tx, id).await?;
    if place.is_some_and(|n| n < size) {
        return Ok(());
    }
    let why = "the commitment is not in a signed checkpoint of the audit log yet: wait a minute";
    Err(DrawError::Conflict { code: "not_committed", why: why.to_owned() })
}

/// The place of the commitment in the audit log.
pub(super) async fn place_of_commitment(tx: &mut Tx, id: DocId) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT n FROM audit_entry WHERE subject = $1 AND action = $2 AND n IS NOT NULL";
    let query = sqlx::query(sql).bind(&id.as_bytes()[..]).bind(Deed::DrawCommitted as i64);
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| row.number("n")).transpose()
}

/// Writes a drawn case into a document of its own that nobody sees yet.
async fn order_recheck(
    tx: &mut Tx,
    app: &App,
    draw: DocId,
    (drawn, frozen_at): (&Drawn, Millis),
    now: Millis,
) -> Result<(DocId, PersonId), DrawError> {
    let broken = |why: &str| DrawError::Broken(format!("case {}: {why}", drawn.case.case));
    let person = drawn.supervisor.ok_or_else(|| broken("it has no supervisor"))?;
    let case = load(tx, drawn.case.case, false).await?;
    let registered = case.record.registration.as_ref().ok_or_else(|| broken("it is empty"))?;
    // The one that stood when the list was settled, whatever was ordered since.
    let order = case.record.orders.iter().rfind(|order| {
        order.issued.body.unit == drawn.case.unit
            && order.issued.at <= frozen_at
            && order.withdrawn.as_ref().is_none_or(|withdrawn| withdrawn.at > frozen_at)
    });
    let order = order.ok_or_else(|| broken("its unit has no order"))?;
    let body = Body::RecheckOrdered(RecheckOrdered {
        matter: registered.body.matter.clone(),
        summary: registered.body.summary.clone(),
        site: order.issued.body.site.clone(),
        result: order.standing_result().and_then(|result| result.body.result),
        person,
    });
    let inspection = DocId::from_bytes(app.new_id());
    documents::create(tx, inspection, DocKind::Recheck, now).await?;
    append(tx, app, inspection, now, vec![body]).await?;
    insert(tx, draw, inspection, (drawn.case.case, order.issued.fact), person).await?;
    Ok((inspection, person))
}

async fn insert(
    tx: &mut Tx,
    draw: DocId,
    inspection: DocId,
    (case, order): (DocId, FactId),
    person: PersonId,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO recheck (inspection, draw_id, case_id, order_id, person_id) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&inspection.as_bytes()[..])
    .bind(&draw.as_bytes()[..])
    .bind(&case.as_bytes()[..])
    .bind(&order.as_bytes()[..])
    .bind(&person.as_bytes()[..])
    .execute(tx.conn())
    .await?;
    Ok(())
}

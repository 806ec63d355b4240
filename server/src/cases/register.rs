//! Puts a matter on record (受理登陆).

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{CaseClass, Channel, Registered};
use onscene_sync_core::fact::intake::Origin;
use onscene_sync_core::id::{DocId, PersonId, UnitId};
use onscene_sync_core::place::Site;
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::sync::message::Bucket;
use onscene_sync_core::time::Millis;

use super::record::{Case, Stated, policy_in_force};
use super::{CaseError, project, required_text};
use crate::app::App;
use crate::hub::{buckets, documents};
use crate::intake::{matters, trace};
use crate::store::{RowExt as _, StoreError, Tx};
use crate::supervision::drill;
use crate::vault::record::{self, Sealed};

/// A matter to be registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Class.
    pub class: CaseClass,
    /// Channel.
    pub channel: Channel,
    /// Kind of matter, a key of the reference data.
    pub matter: String,
    /// What it is about, without the complainant's name, number or address.
    pub summary: String,
    /// When the information was received; `None` means now.
    pub received_at: Option<Millis>,
    /// Where.
    pub site: Option<Site>,
    /// The responsible unit is clear.
    pub jurisdiction_clear: bool,
    /// A made-up case to test duty, by this approval of a bureau leader.
    pub drill: Option<i64>,
    /// For the bureau's leaders to see at once.
    pub grave: bool,
    /// Where it came from, if from another system or a file.
    pub origin: Option<Origin>,
    /// Who raised it: goes into the vault, and nowhere else.
    pub complainant: Option<Sealed>,
}

/// Registers a matter as the new document `id`.
///
/// # Errors
/// [`CaseError::Invalid`] names the field.
pub async fn register(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    new: &Registration,
) -> Result<Stated, CaseError> {
    let now = app.now();
    check(new, now)?;
    let grave = new.grave || matters::require_open(tx, &new.matter).await?.grave;
    if let Some(approval) = new.drill {
        drill::take(tx, approval, id, now).await?;
    }
    documents::create(tx, id, DocKind::Case, now).await?;
    let number = project::next_number(tx, now).await?;
    project::begin(tx, id, &number, now).await?;
    if let Some(sealed) = &new.complainant {
        record::store(tx, app, id, by, sealed).await?;
    }
    let mut case = Case { id, facts: Vec::new(), record: CaseRecord::default() };
    let body = Body::Registered(Registered {
        class: new.class,
        channel: new.channel,
        matter: new.matter.clone(),
        summary: new.summary.clone(),
        received_at: new.received_at.unwrap_or(now),
        site: new.site.clone(),
        jurisdiction_clear: new.jurisdiction_clear,
        policy: policy_in_force()?.version,
        by,
        drill: new.drill.is_some(),
        grave,
    });
    let origin = new.origin.clone().map(Body::Originated);
    let mut stated = case.state(tx, app, std::iter::once(body).chain(origin).collect()).await?;
    project::grams::note(tx, &case).await?;
    trace::write(tx, id, &case.record).await?;
    if grave {
        let leaders = roots(tx).await?;
        stated.pokes.extend(buckets::enter(tx, id, &leaders, now).await?);
    }
    Ok(stated)
}

fn check(new: &Registration, now: Millis) -> Result<(), CaseError> {
    if !matters::is_key(&new.matter) {
        return Err(CaseError::Invalid {
            field: "matter",
            why: format!(
                "must be a key of the reference data such as `street_vending`: 1 to {} of a-z, 0-9 \
                 and _; GET /v1/matters lists them",
                matters::KEY_CHARS
            ),
        });
    }
    required_text("summary", &new.summary)?;
    if new.received_at.is_some_and(|received| received > now || received.0 < 0) {
        return Err(CaseError::Invalid {
            field: "received_at",
            why: format!("must lie between 1970 and now ({}), in Unix milliseconds", now.0),
        });
    }
    Ok(())
}

/// The supervision buckets of the units that nobody stands above.
async fn roots(tx: &mut Tx) -> Result<Vec<Bucket>, StoreError> {
    let rows = sqlx::query("SELECT unit_id FROM unit WHERE parent IS NULL AND closed_at IS NULL")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok(Bucket::Supervision(UnitId::from_bytes(row.array("unit_id")?))))
        .collect()
}

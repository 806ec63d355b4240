//! The files of a visit as a screen shows them.

use onscene_sync_core::document::Document;
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::fact::{Body, envelope};
use onscene_sync_core::id::{DeviceId, FactId, Hash};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::reuse::{self, Flag};
use crate::store::{RowExt as _, StoreError, Tx};

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The phone has signed its manifest; none of its bytes came.
    Recorded,
    /// Some of its bytes came.
    Partly,
    /// It is here, whole.
    Stored,
    /// What came was not what was signed, or not of its kind; the phone may bring it again.
    Refused,
    /// It was here, and is lost or damaged.
    Missing,
    /// It was erased when its time was over.
    Erased,
}

/// A file of evidence. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileView {
    /// The manifest's fact: `GET /v1/evidence/{fact}` is the file.
    pub fact: FactId,
    /// The phone that states it.
    pub device: DeviceId,
    /// SHA-256.
    pub sha256: Hash,
    /// Bytes.
    pub bytes: u64,
    /// What it is.
    pub media: Media,
    /// Taken by the app's own camera rather than imported.
    pub captured: bool,
    /// The earlier file that shows the same before the work.
    pub before: Option<FactId>,
    /// Where the file is.
    pub state: State,
    /// Bytes that are here.
    pub received: u64,
    /// When it was whole.
    pub stored_at: Option<Millis>,
    /// Why it was refused, or why there is no thumbnail of it.
    pub why: Option<String>,
    /// There is a thumbnail and an outward copy.
    pub thumbnail: bool,
    /// Files of other cases that it is like, and what was found about that.
    pub reuse: Vec<Flag>,
}

/// The files that a visit's facts name, in no particular order.
///
/// # Errors
/// When the database refuses.
pub async fn of_visit(tx: &mut Tx, visit: &Document) -> Result<Vec<FileView>, StoreError> {
    let flags = reuse::of_visit(tx, visit.id()).await?;
    let mut files = Vec::new();
    for (fact, bytes) in visit.facts() {
        let Ok(read) = envelope::read(&bytes) else { continue };
        let (Some(author), Body::Evidence(manifest)) = (read.device(), &read.body) else {
            continue;
        };
        let mut file = FileView {
            fact,
            device: author.device,
            sha256: manifest.sha256,
            bytes: manifest.bytes,
            media: manifest.media,
            captured: manifest.captured,
            before: manifest.before,
            state: State::Recorded,
            received: 0,
            stored_at: None,
            why: None,
            thumbnail: false,
            reuse: flags.iter().filter(|flag| flag.fact == fact).cloned().collect(),
        };
        fill_in(tx, &mut file).await?;
        files.push(file);
    }
    Ok(files)
}

/// What the rows say of a file.
async fn fill_in(tx: &mut Tx, file: &mut FileView) -> Result<(), StoreError> {
    const SQL: &str = "SELECT e.stored_at, e.refused_at, e.refused_why, e.erased_at, \
         b.damaged_at, u.received, p.thumbnail, p.why FROM evidence e \
         LEFT JOIN blob b ON b.sha256 = e.sha256 LEFT JOIN upload u ON u.fact_id = e.fact_id \
         LEFT JOIN picture p ON p.sha256 = e.sha256 WHERE e.fact_id = $1";
    let query = sqlx::query(SQL).bind(&file.fact.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(()) };
    let received = row.opt_int("received")?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let damaged = row.opt_int("damaged_at")?.is_some();
    file.stored_at = row.opt_millis("stored_at")?;
    file.thumbnail = row.opt_bytes("thumbnail")?.is_some();
    file.why = row.opt_text("refused_why")?.or(row.opt_text("why")?);
    file.state = if row.opt_int("erased_at")?.is_some() {
        State::Erased
    } else if file.stored_at.is_some() {
        if damaged { State::Missing } else { State::Stored }
    } else if received > 0 {
        State::Partly
    } else if row.opt_int("refused_at")?.is_some() {
        State::Refused
    } else {
        State::Recorded
    };
    file.received = if file.state == State::Stored { file.bytes } else { received };
    Ok(())
}

//! Which object answers for a file of evidence, and whose it is.

use onscene_sync_core::id::{FactId, Hash, UnitId};

use crate::store::{RowExt as _, StoreError, Tx};

/// Which copy of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// As it came.
    Original,
    /// A small picture.
    Thumbnail,
    /// The picture alone, for outside the bureau.
    Outward,
}

/// A file to be sent, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The object.
    pub hash: Option<Hash>,
    /// Its type.
    pub mime: String,
    /// Whose it is: the unit of the case, or of the phone's person for a patrol.
    pub unit: Option<UnitId>,
    /// Why there is no object.
    pub why: String,
}

/// A copy of the file of `fact`; `None` when no upload for it was ever begun.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, fact: FactId, copy: Copy) -> Result<Option<File>, StoreError> {
    const SQL: &str = "SELECT e.sha256, e.mime, e.stored_at, e.erased_at, \
         p.thumbnail, p.outward, p.why, \
         CASE WHEN o.case_id IS NULL THEN w.unit_id ELSE c.unit_id END AS unit_id FROM evidence e \
         LEFT JOIN picture p ON p.sha256 = e.sha256 \
         LEFT JOIN dispatch_order o ON o.inspection = e.doc_id \
         LEFT JOIN case_row c ON c.case_id = o.case_id \
         LEFT JOIN device d ON d.device = e.device \
         LEFT JOIN person w ON w.person_id = d.person_id WHERE e.fact_id = $1";
    let query = sqlx::query(SQL).bind(&fact.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(None) };
    let mime = row.opt_text("mime")?.unwrap_or_default();
    let unit = row.opt_array("unit_id")?.map(UnitId::from_bytes);
    let nothing = |why: &str| File { hash: None, mime: String::new(), unit, why: why.to_owned() };
    if row.opt_int("erased_at")?.is_some() {
        return Ok(Some(nothing("it was erased when its time was over")));
    }
    if row.opt_int("stored_at")?.is_none() {
        return Ok(Some(nothing("the phone has not brought it whole yet")));
    }
    let (hash, mime) = match copy {
        Copy::Original => (Some(row.array("sha256")?), mime),
        Copy::Thumbnail => (row.opt_array("thumbnail")?, "image/jpeg".to_owned()),
        Copy::Outward => (row.opt_array("outward")?, "image/jpeg".to_owned()),
    };
    let Some(hash) = hash.map(Hash::from_bytes) else {
        let why = row.opt_text("why")?;
        return Ok(Some(nothing(why.as_deref().unwrap_or("it was not looked at yet"))));
    };
    Ok(Some(File { hash: Some(hash), mime, unit, why: String::new() }))
}

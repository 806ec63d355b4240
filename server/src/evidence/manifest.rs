//! The fact that names a file.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{DeviceId, DocId, FactId};

use super::EvidenceError;
use crate::cases::evidence::{device_fact, document};
use crate::store::{RowExt as _, StoreError, Tx};

/// A manifest and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its fact.
    pub fact: FactId,
    /// The visit that holds it.
    pub doc: DocId,
    /// The phone that states it.
    pub device: DeviceId,
    /// What it says.
    pub manifest: Manifest,
}

/// The manifest of a fact.
///
/// # Errors
/// [`EvidenceError::UnknownFact`] when the hub has no such fact, [`EvidenceError::NoManifest`] when
/// it states something else, and the database's.
pub async fn named(tx: &mut Tx, fact: FactId) -> Result<Named, EvidenceError> {
    let row = sqlx::query("SELECT doc_id FROM fact WHERE fact_id = $1")
        .bind(&fact.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let row = row.ok_or(EvidenceError::UnknownFact(fact))?;
    let doc = DocId::from_bytes(row.array("doc_id")?);
    let (author, body) = device_fact(&document(tx, doc).await?, fact)?;
    let Body::Evidence(manifest) = body else { return Err(EvidenceError::NoManifest(fact)) };
    Ok(Named { fact, doc, device: author.device, manifest })
}

/// Whether two phones are, or were, one person's.
///
/// # Errors
/// When the database refuses.
pub async fn of_one_person(
    tx: &mut Tx,
    one: DeviceId,
    other: DeviceId,
) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT count(*) AS n FROM device one JOIN device other \
         ON other.person_id = one.person_id WHERE one.device = $1 AND other.device = $2";
    let query = sqlx::query(SQL).bind(&one.as_bytes()[..]).bind(&other.as_bytes()[..]);
    Ok(query.fetch_one(tx.conn()).await?.int("n")? > 0)
}

/// A kind of file as it stands in a column.
pub(super) const fn media_number(media: Media) -> i64 {
    match media {
        Media::Photo => 0,
        Media::Video => 1,
        Media::Audio => 2,
        Media::Document => 3,
    }
}

/// Reads what [`media_number`] wrote.
pub(super) fn media_of(number: i64) -> Result<Media, StoreError> {
    let all = [Media::Photo, Media::Video, Media::Audio, Media::Document];
    all.into_iter().find(|media| media_number(*media) == number).ok_or_else(|| {
        StoreError::Inconsistent {
            column: "media".to_owned(),
            found: number.to_string(),
            expected: "a kind of file".to_owned(),
        }
    })
}

//! Rows of uploads. An upload's id is the hash of its address, which only who began it was told.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::{DeviceId, FactId, Hash};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use super::EvidenceError;
use super::manifest::{Named, media_number, media_of};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

const DAY_MS: i64 = 24 * 3_600_000;

/// Which upload: SHA-256 of the last part of its address, so that the database does not tell it.
#[must_use]
pub fn id_of(capability: &str) -> Hash {
    sha256(capability.as_bytes())
}

/// An upload as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id; its pieces stand in the staging folder of this name.
    pub id: Hash,
    /// The manifest's fact.
    pub fact: FactId,
    /// The phone that stated it.
    pub device: DeviceId,
    /// What the file must hash to.
    pub sha256: Hash,
    /// Its bytes.
    pub bytes: u64,
    /// What the file is to be.
    pub media: Media,
    /// Bytes from its beginning that are there durably.
    pub received: u64,
    /// Number of the request that may move `received`; raised by each newcomer.
    pub holder: i64,
    /// When it is forgotten if nothing comes.
    pub expires_at: Millis,
    /// The receipt, once the file is stored.
    pub receipt: Option<Vec<u8>>,
}

impl Upload {
    /// The staging folder of its pieces.
    #[must_use]
    pub fn folder(&self) -> String {
        self.id.to_string()
    }
}

/// Begins an upload for `named`, in place of one that was begun for it before; returns it and the
/// staging folder that nobody needs any more. If the file is stored already, nothing is to come.
///
/// # Errors
/// [`EvidenceError::Refused`] when the file was erased by the retention rule, and the database's.
pub async fn begin(
    tx: &mut Tx,
    named: &Named,
    id: Hash,
    now: Millis,
    expires_at: Millis,
) -> Result<(Upload, Option<String>), EvidenceError> {
    const FILE: &str = "INSERT INTO evidence \
         (fact_id, doc_id, device, sha256, bytes, media, begun_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (fact_id) DO NOTHING";
    let fact = named.fact.as_bytes().to_vec();
    sqlx::query(FILE)
        .bind(&fact[..])
        .bind(&named.doc.as_bytes()[..])
        .bind(&named.device.as_bytes()[..])
        .bind(&named.manifest.sha256.as_bytes()[..])
        .bind(number(named.manifest.bytes))
        .bind(media_number(named.manifest.media))
        .bind(now.0)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let stored = is_stored(tx, named.fact).await?;
    let former = forget_of_fact(tx, named.fact).await?;
    sqlx::query(
        "INSERT INTO upload (upload_id, fact_id, received, holder, expires_at) \
         VALUES ($1, $2, $3, 0, $4)",
    )
    .bind(&id.as_bytes()[..])
    .bind(&fact[..])
    .bind(if stored { number(named.manifest.bytes) } else { 0 })
    .bind(expires_at.0)
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok((find(tx, id, now).await?, former))
}

/// Locks the file's row and says whether the file is there. One that was found damaged is to come
/// again, and its receipt stays the same.
async fn is_stored(tx: &mut Tx, fact: FactId) -> Result<bool, EvidenceError> {
    let sql = format!(
        "SELECT stored_at, erased_at, sha256 FROM evidence WHERE fact_id = $1{}",
        tx.engine().for_update()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&fact.as_bytes()[..])
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if row.opt_int("erased_at")?.is_some() {
        let why = "the file was erased when its time was over: it is not taken again";
        return Err(EvidenceError::Refused(why.to_owned()));
    }
    if row.opt_int("stored_at")?.is_none() {
        return Ok(false);
    }
    let damaged = sqlx::query(
        "UPDATE evidence SET stored_at = NULL WHERE fact_id = $1 AND EXISTS \
         (SELECT 1 FROM blob b WHERE b.sha256 = evidence.sha256 AND b.damaged_at IS NOT NULL)",
    )
    .bind(&fact.as_bytes()[..])
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(damaged.rows_affected() == 0)
}

const SELECT: &str = "SELECT u.upload_id, u.fact_id, u.received, u.holder, u.expires_at, \
     e.device, e.sha256, e.bytes, e.media, e.stored_at, e.receipt \
     FROM upload u JOIN evidence e ON e.fact_id = u.fact_id WHERE u.upload_id = $1";

/// The upload of this id.
///
/// # Errors
/// [`EvidenceError::UnknownUpload`] when there is none or its time is over, and the database's.
pub async fn find(tx: &mut Tx, id: Hash, now: Millis) -> Result<Upload, EvidenceError> {
    let row = sqlx::query(SELECT)
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let upload = row.as_ref().map(read).transpose()?;
    upload.filter(|upload| upload.expires_at > now).ok_or(EvidenceError::UnknownUpload)
}

fn read(row: &AnyRow) -> Result<Upload, StoreError> {
    let stored = row.opt_int("stored_at")?.is_some();
    Ok(Upload {
        id: Hash::from_bytes(row.array("upload_id")?),
        fact: FactId::from_bytes(row.array("fact_id")?),
        device: DeviceId::from_bytes(row.array("device")?),
        sha256: Hash::from_bytes(row.array("sha256")?),
        bytes: row.number("bytes")?,
        media: media_of(row.int("media")?)?,
        received: row.number("received")?,
        holder: row.int("holder")?,
        expires_at: row.millis("expires_at")?,
        receipt: row.opt_bytes("receipt")?.filter(|_| stored),
    })
}

/// Makes the caller the holder: whoever held the upload before can no longer move it.
///
/// # Errors
/// As [`find`].
pub async fn take_over(tx: &mut Tx, id: Hash, now: Millis) -> Result<Upload, EvidenceError> {
    sqlx::query("UPDATE upload SET holder = holder + 1 WHERE upload_id = $1")
        .bind(&id.as_bytes()[..])
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    find(tx, id, now).await
}

/// Bytes that were written down in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How far the upload is now.
    pub to: u64,
    /// The pieces that its holder wrote.
    pub pieces: Vec<u64>,
    /// When it is forgotten if nothing more comes.
    pub expires_at: Millis,
    /// Which day they count for.
    pub day: i64,
    /// Bytes that a phone may bring in a day.
    pub day_limit: u64,
}

/// Moves an upload on, if the caller still holds it.
///
/// # Errors
/// [`EvidenceError::TakenOver`], [`EvidenceError::DayFull`], and the database's; nothing moved then.
pub async fn advance(tx: &mut Tx, upload: &Upload, step: &Step) -> Result<(), EvidenceError> {
    let moved = sqlx::query(
        "UPDATE upload SET received = $1, expires_at = $2 \
         WHERE upload_id = $3 AND holder = $4 AND received = $5",
    )
    .bind(number(step.to))
    .bind(step.expires_at.0)
    .bind(&upload.id.as_bytes()[..])
    .bind(upload.holder)
    .bind(number(upload.received))
    .execute(tx.conn())
    .await
    .map_err(StoreError::from)?;
    if moved.rows_affected() == 0 {
        return Err(EvidenceError::TakenOver);
    }
    let tail = "ON CONFLICT (upload_id, number) DO UPDATE SET holder = excluded.holder";
    let head = "INSERT INTO upload_piece (upload_id, number, holder)";
    insert_many(tx, head, 3, &step.pieces, tail, |query, piece| {
        query.bind(&upload.id.as_bytes()[..]).bind(number(*piece)).bind(upload.holder)
    })
    .await?;
    let today = brought(tx, upload.device, step.day, step.to - upload.received).await?;
    if today > step.day_limit {
        return Err(EvidenceError::DayFull { limit: step.day_limit });
    }
    Ok(())
}

/// Counts `more` bytes of a phone for a day and returns what it has brought in it.
///
/// # Errors
/// When the database refuses.
pub async fn brought(
    tx: &mut Tx,
    device: DeviceId,
    day: i64,
    more: u64,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO upload_day (device, day, bytes) VALUES ($1, $2, $3) \
         ON CONFLICT (device, day) DO UPDATE SET bytes = upload_day.bytes + excluded.bytes \
         RETURNING bytes",
    )
    .bind(&device.as_bytes()[..])
    .bind(day)
    .bind(number(more))
    .fetch_one(tx.conn())
    .await?;
    row.number("bytes")
}

/// Number of the bureau's day that `now` lies in.
#[must_use]
pub const fn day_of(now: Millis, utc_offset_min: i32) -> i64 {
    (now.0 + utc_offset_min as i64 * 60_000).div_euclid(DAY_MS)
}

/// Who wrote each piece, in order.
///
/// # Errors
/// When the database refuses.
pub async fn pieces(tx: &mut Tx, id: Hash) -> Result<Vec<(u64, i64)>, StoreError> {
    const SQL: &str =
        "SELECT number, holder FROM upload_piece WHERE upload_id = $1 ORDER BY number";
    let rows = sqlx::query(SQL).bind(&id.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((row.number("number")?, row.int("holder")?))).collect()
}

/// Forgets an upload. Its pieces in the blob store are for the caller to clear.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut Tx, id: Hash) -> Result<(), StoreError> {
    for sql in
        ["DELETE FROM upload_piece WHERE upload_id = $1", "DELETE FROM upload WHERE upload_id = $1"]
    {
        sqlx::query(sql).bind(&id.as_bytes()[..]).execute(tx.conn()).await?;
    }
    Ok(())
}

async fn forget_of_fact(tx: &mut Tx, fact: FactId) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT upload_id FROM upload WHERE fact_id = $1")
        .bind(&fact.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let former = Hash::from_bytes(row.array("upload_id")?);
    forget(tx, former).await?;
    Ok(Some(former.to_string()))
}

/// Sizes are bounded far below what a column holds.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

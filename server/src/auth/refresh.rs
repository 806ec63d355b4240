//! Refresh tokens of phones: 256 random bits, of which the hub keeps a hash; bound to the phone's
//! key and not rotated, so that an answer lost on a bad network locks nobody out (RFC 9700 section
//! 4.14 allows either).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{DeviceId, Hash, PersonId};
use onscene_sync_core::time::Millis;

use super::jwk::DeviceKey;
use crate::store::{RowExt as _, StoreError, Tx};

/// Milliseconds without use after which a token ends.
pub const IDLE_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Writes 32 random bytes as a token.
#[must_use]
pub fn token_text(random: [u8; 32]) -> String {
    format!("onr_{}", URL_SAFE_NO_PAD.encode(random))
}

/// What the hub keeps of a token.
#[must_use]
pub fn token_hash(token: &str) -> Hash {
    sha256(token.as_bytes())
}

/// Gives a phone its token, in place of any it had.
pub(super) async fn replace(
    tx: &mut Tx,
    device: DeviceId,
    hash: Hash,
    at: Millis,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM refresh_token WHERE device = $1")
        .bind(&device.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO refresh_token (token_hash, device, created_at, expires_at) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(&hash.as_bytes()[..])
    .bind(&device.as_bytes()[..])
    .bind(at.0)
    .bind(at.plus(IDLE_MS).0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A phone that asks for an access token.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// [`token_hash`] of what it sent.
    pub hash: Hash,
    /// The key that it has proven to hold.
    pub key: DeviceKey,
    /// Now.
    pub at: Millis,
}

/// The phone and person that a refresh token stands for, if it is good; its time starts anew.
///
/// # Errors
/// The database's.
pub async fn use_token(
    tx: &mut Tx,
    refresh: &Refresh,
) -> Result<Option<(DeviceId, PersonId)>, StoreError> {
    let row = sqlx::query(
        "SELECT r.device, r.expires_at, d.person_id \
         FROM refresh_token r JOIN device d ON d.device = r.device \
         WHERE r.token_hash = $1 AND d.key = $2",
    )
    .bind(&refresh.hash.as_bytes()[..])
    .bind(&refresh.key.point()[..])
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.millis("expires_at")? <= refresh.at {
        return Ok(None);
    }
    sqlx::query(
        "UPDATE refresh_token SET last_used_at = $2, expires_at = $3 WHERE token_hash = $1",
    )
    .bind(&refresh.hash.as_bytes()[..])
    .bind(refresh.at.0)
    .bind(refresh.at.plus(IDLE_MS).0)
    .execute(tx.conn())
    .await?;
    sqlx::query("UPDATE device SET last_seen_at = $2 WHERE device = $1")
        .bind(&row.bytes("device")?)
        .bind(refresh.at.0)
        .execute(tx.conn())
        .await?;
    let device = DeviceId::from_bytes(row.array("device")?);
    Ok(Some((device, PersonId::from_bytes(row.array("person_id")?))))
}

//! The data key: made once, kept wrapped by the phone's key store, and sealed to the hub.

use onscene_sync_core::crypto::{Signer, fact_id};
use onscene_sync_core::id::DeviceId;
use onscene_sync_core::recovery::escrow::{Escrow, EscrowFailed};
use onscene_sync_core::recovery::offer::RecoveryKey;
use onscene_sync_core::seal::{DataKey, KEY_BYTES};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::db::{Db, Sealer};
use super::meta::{from_cbor, to_cbor};
use crate::error::DeviceError;
use crate::host::{Host, HostError};

/// Who can unwrap the data key. Numbers stand in stores and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The phone's key store.
    Phone = 0,
    /// The hub: an [`Escrow`].
    Hub = 1,
}

/// A new data key, and how it stands in the store.
pub(super) fn make(host: &Host) -> Result<(DataKey, Vec<u8>), DeviceError> {
    let key = DataKey::new(host.bytes()?);
    let wrapped = host.keys.wrap(key.bytes())?;
    // A key store that does not give back what it was given would lock the phone out at once.
    if unwrap(host, &wrapped)?.bytes() != key.bytes() {
        return Err(gone("it unwraps another key than it wrapped"));
    }
    Ok((key, wrapped))
}

/// Puts the data key as one of its holders keeps it into the store.
pub(super) fn keep(
    connection: &Connection,
    holder: Holder,
    key: &DataKey,
    wrapped: &[u8],
) -> Result<(), rusqlite::Error> {
    connection.execute(
        "INSERT INTO data_key (holder, wrapped, print) VALUES (?1, ?2, ?3)
         ON CONFLICT (holder) DO UPDATE SET wrapped = excluded.wrapped, print = excluded.print",
        params![holder as i64, wrapped, print(key)],
    )?;
    Ok(())
}

/// The data key of an existing store, from the phone's key store.
pub(super) fn unlock(connection: &Connection, host: &Host) -> Result<DataKey, DeviceError> {
    let found: Option<(Vec<u8>, Vec<u8>)> = connection
        .query_row(
            "SELECT wrapped, print FROM data_key WHERE holder = ?1",
            [Holder::Phone as i64],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (wrapped, expected) = found.ok_or_else(|| DeviceError::damaged("data key"))?;
    let key = unwrap(host, &wrapped)?;
    if print(&key)[..] == expected[..] { Ok(key) } else { Err(gone("it gives another key")) }
}

/// Seals the data key to the hub, unless that has been done for this device and this key of the hub.
pub(crate) fn deposit(
    db: Db<'_>,
    device: DeviceId,
    to: RecoveryKey,
    signer: &dyn Signer,
) -> Result<(), DeviceError> {
    if escrow(&db)?.is_some_and(|kept| kept.device == device && kept.to == to) {
        return Ok(());
    }
    let made = db.escrow(device, to, signer);
    let made = made.map_err(|error| match error {
        EscrowFailed::Signing(error) => DeviceError::from(error),
        EscrowFailed::NotAKey => DeviceError::NoRecovery,
    })?;
    Ok(keep(&db, Holder::Hub, db.key(), &to_cbor(&made))?)
}

/// Copies the wrapped keys into another store, and wraps anew what cannot be read.
pub(super) fn copy(
    old: &Connection,
    new: &Connection,
    key: &DataKey,
    host: &Host,
) -> Result<(), DeviceError> {
    if let Ok(Some(made)) = escrow(old) {
        keep(new, Holder::Hub, key, &to_cbor(&made))?;
    }
    Ok(keep(new, Holder::Phone, key, &host.keys.wrap(key.bytes())?)?)
}

/// The data key as the hub can open it, if that has been done.
pub(crate) fn escrow(connection: &Connection) -> Result<Option<Escrow>, DeviceError> {
    let wrapped: Option<Vec<u8>> = connection
        .query_row("SELECT wrapped FROM data_key WHERE holder = ?1", [Holder::Hub as i64], |row| {
            row.get(0)
        })
        .optional()?;
    wrapped.map(|bytes| from_cbor(&bytes, "escrow of the data key")).transpose()
}

/// The sealer of a key, with nonces of its own.
pub(super) fn sealer(key: DataKey, host: &Host) -> Result<Sealer, DeviceError> {
    Ok(Sealer::new(key, host.bytes()?))
}

fn unwrap(host: &Host, wrapped: &[u8]) -> Result<DataKey, DeviceError> {
    let bytes = host.keys.unwrap(wrapped);
    let bytes = Zeroizing::new(bytes.map_err(unavailable)?);
    let bytes: [u8; KEY_BYTES] =
        (&bytes[..]).try_into().map_err(|_| gone("it unwrapped something else"))?;
    Ok(DataKey::new(bytes))
}

/// A fingerprint of a key. It says nothing about 32 bytes of chance.
fn print(key: &DataKey) -> [u8; 16] {
    *fact_id(&[b"onscene data key", &key.bytes()[..]].concat()).as_bytes()
}

fn unavailable(error: HostError) -> DeviceError {
    let HostError { why, lost } = error;
    DeviceError::KeyUnavailable { why, lost }
}

fn gone(why: &str) -> DeviceError {
    unavailable(HostError::for_good(why))
}

//! Single values: who the phone is, where its chain ends, what sync is about.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::id::{DeviceId, Hash, PersonId, UnitId};
use rusqlite::{OptionalExtension, Row, params};

use super::db::{Column, Db};
use crate::error::DeviceError;

/// Whose phone this is, as the hub said at enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Identity {
    #[n(0)]
    pub(crate) device: DeviceId,
    #[n(1)]
    pub(crate) person: PersonId,
    #[n(2)]
    pub(crate) unit: UnitId,
    #[n(3)]
    pub(crate) install: u32,
    /// The hub's Ed25519 key, for anchors and the facts of cases.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) hub_key: [u8; 32],
    /// The phone's own public key when it enrolled.
    #[n(5)]
    pub(crate) key: ByteVec,
}

/// An enrolment asked for and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Enrolment {
    #[n(0)]
    pub(crate) code: String,
    /// The hub's key as the invitation names it.
    #[n(1)]
    pub(crate) hub_key: Option<Hash>,
    /// Revoke the phone that the person has now.
    #[n(2)]
    pub(crate) replace: bool,
    #[n(3)]
    pub(crate) model: String,
    #[n(4)]
    pub(crate) app_version: String,
}

const VALUE: Column = Column { table: "meta", name: "value" };
const IDENTITY: &str = "identity";
const HEAD: &str = "head";

/// Who the phone is.
pub(crate) fn identity(db: Db<'_>) -> Result<Identity, DeviceError> {
    get(db, IDENTITY)?.ok_or(DeviceError::NotEnrolled)
}

/// Sets who the phone is and begins the chain of its installation.
pub(crate) fn install(db: Db<'_>, identity: &Identity) -> Result<(), DeviceError> {
    put(db, IDENTITY, identity)?;
    set_head(db, Head { install: identity.install, seq: 0, fact: None })?;
    put(db, "anchor_named", &0_u64)
}

/// The end of the present installation's chain.
pub(crate) fn head(db: Db<'_>) -> Result<Head, DeviceError> {
    get(db, HEAD)?.ok_or(DeviceError::NotEnrolled)
}

/// Moves the end of the chain.
pub(crate) fn set_head(db: Db<'_>, head: Head) -> Result<(), DeviceError> {
    put(db, HEAD, &head)
}

/// A flag; false when it was never set.
pub(crate) fn flag(db: Db<'_>, key: &'static str) -> Result<bool, DeviceError> {
    Ok(get(db, key)?.unwrap_or(false))
}

/// Reads one value.
pub(crate) fn get<T: for<'b> Decode<'b, ()>>(
    db: Db<'_>,
    key: &'static str,
) -> Result<Option<T>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([key], |row| row.get(0)).optional()?;
    bytes.map(|bytes| db.get(VALUE, key.as_bytes(), &bytes)).transpose()
}

/// Writes one value.
pub(crate) fn put<T: Encode<()>>(
    db: Db<'_>,
    key: &'static str,
    value: &T,
) -> Result<(), DeviceError> {
    let mut statement = db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute(params![key, db.put(VALUE, key.as_bytes(), value)])?;
    Ok(())
}

/// Removes one value.
pub(crate) fn remove(db: Db<'_>, key: &'static str) -> Result<(), DeviceError> {
    db.execute("DELETE FROM meta WHERE key = ?1", [key])?;
    Ok(())
}

/// Whether a row of key and value can be read.
pub(super) fn is_sound(db: Db<'_>, row: &Row<'_>) -> bool {
    match (row.get::<_, String>(0), row.get::<_, Vec<u8>>(1)) {
        (Ok(key), Ok(value)) => db.open(VALUE, key.as_bytes(), &value).is_ok(),
        _ => false,
    }
}

pub(crate) fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory cannot fail")
}

pub(crate) fn from_cbor<T: for<'b> Decode<'b, ()>>(
    bytes: &[u8],
    what: &str,
) -> Result<T, DeviceError> {
    minicbor::decode(bytes).map_err(|_| DeviceError::damaged(what))
}

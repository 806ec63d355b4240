//! What a phone that lost the key to its store recorded: opened with the hub's recovery key and let
//! in as the phone would have pushed it.
//!
//! The guard, the order and the once-only counting are those of any push. That the file is the
//! phone's, the phone has signed (see [`onscene_sync_core::recovery::escrow`]); a phone that was
//! revoked meanwhile has everything kept in quarantine, as when it syncs.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::id::{BootId, DeviceId, Hash, PersonId, UnitId};
use onscene_sync_core::limits::{PUSH_BYTES, PUSH_CHANGES};
use onscene_sync_core::recovery::file::{RecoveryError, RecoveryFile};
use onscene_sync_core::sync::message::{Push, PushResult, Refusal, RefusalCode, SyncRequest};
use onscene_sync_core::sync::version;
use onscene_sync_core::time::ClockReading;
use thiserror::Error;

use super::quarantine::{self, Refused};
use super::scope::Caller;
use super::{HubError, exchange};
use crate::app::App;
use crate::auth::jwk::verify_p256_fast;
use crate::auth::role_column;
use crate::store::{RowExt as _, StoreError, Tx};

/// Why a file was not taken. Nothing of it was.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// The file itself.
    #[error("this file cannot be recovered: {0}")]
    File(#[from] RecoveryError),
    /// A phone that this hub never enrolled.
    #[error("the file is of phone {0}, which this hub does not know: recover it at its own hub")]
    UnknownPhone(DeviceId),
    /// Not by that phone.
    #[error("phone {0} has not signed the key in this file: somebody else may have made it")]
    NotThePhones(DeviceId),
    /// The hub's part; what was let in before stays in, and the file may be recovered again.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// Whose records they are.
    pub device: DeviceId,
    /// Whose phone that is.
    pub person: PersonId,
    /// Each record by its number on the phone, in the order of recording.
    pub records: Vec<(u64, Push, PushResult)>,
    /// The numbers of records that are damaged in the file.
    pub damaged: Vec<u64>,
}

impl From<StoreError> for RecoverError {
    fn from(error: StoreError) -> Self {
        Self::Hub(error.into())
    }
}

struct Phone {
    caller: Caller,
    key: Vec<u8>,
}

/// Opens a recovery file and lets in what it holds. Safe to repeat.
///
/// # Errors
/// When the file is none, not for this hub or not the phone's, and when the hub fails.
pub async fn recover(app: &App, bytes: &[u8]) -> Result<Recovered, RecoverError> {
    let file = RecoveryFile::read(bytes)?;
    let opened = file.open(&app.keys.recovery)?;
    let device = file.escrow.device;
    let found =
        app.store.with_read("hub.recover", device, |tx, device| Box::pin(phone(tx, *device)));
    let Phone { caller, key } = found.await?.ok_or(RecoverError::UnknownPhone(device))?;
    if !file.escrow.is_of(&opened.key, &key, verify_p256_fast) {
        return Err(RecoverError::NotThePhones(device));
    }
    let nothing = Head { install: file.install.max(1), seq: 0, fact: None };
    let head = opened.head.unwrap_or(nothing);
    let mut records = Vec::new();
    let mut waiting = &opened.pushes[..];
    while let Some(count) = batch(waiting) {
        let (now, later) = waiting.split_at(count);
        waiting = later;
        let pushes = now.iter().map(|(_, push)| push.clone()).collect();
        let results = exchange::sync(app, &caller, request(head, pushes)).await?.results;
        for ((n, push), result) in now.iter().zip(results) {
            records.push((*n, push.clone(), result));
        }
    }
    keep_stranded(app, device, head.install, &mut records).await?;
    Ok(Recovered { device, person: caller.person, records, damaged: opened.damaged })
}

/// How many of these changes go into one request; `None` when there are none.
fn batch(pushes: &[(u64, Push)]) -> Option<usize> {
    let mut bytes = 0;
    let fit = pushes.iter().take(PUSH_CHANGES).take_while(|(_, push)| {
        bytes += push.change.len();
        bytes <= PUSH_BYTES
    });
    (!pushes.is_empty()).then(|| fit.count().max(1))
}

fn request(head: Head, push: Vec<Push>) -> SyncRequest {
    SyncRequest {
        protocol: version::CURRENT,
        head,
        clock: ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) },
        anchor: None,
        cursors: Vec::new(),
        push,
        want: Vec::new(),
        renew: false,
        // Nobody reads what the reply tells of others.
        max_bytes: 0,
        seen: None,
        disputed: None,
        statements: Vec::new(),
        certify: false,
    }
}

/// Keeps what could not be let in because something before it was not. A phone would write it anew;
/// here nobody can.
async fn keep_stranded(
    app: &App,
    device: DeviceId,
    install: u32,
    records: &mut [(u64, Push, PushResult)],
) -> Result<(), RecoverError> {
    let mut stranded = Vec::new();
    for (place, (_, push, result)) in records.iter_mut().enumerate() {
        if let PushResult::MissingDeps(_) = result {
            let detail = "it builds on a change that is not in the document".to_owned();
            let refusal = Refusal { code: RefusalCode::Malformed, detail };
            stranded.push(Refused {
                place,
                device,
                install: Some(install),
                doc: push.doc,
                kind: push.kind,
                hash: hash_of(push),
                body: push.change.to_vec(),
                refusal: refusal.clone(),
            });
            *result = PushResult::Refused(refusal);
        }
    }
    let now = app.now();
    let kept = app.store.with_tx("hub.recover", stranded, move |tx, stranded| {
        Box::pin(async move { quarantine::keep(tx, device, install, stranded, now).await })
    });
    // All of it is the phone's own: nothing was held back.
    kept.await?;
    Ok(())
}

fn hash_of(push: &Push) -> Hash {
    sha256(&push.change)
}

async fn phone(tx: &mut Tx, device: DeviceId) -> Result<Option<Phone>, StoreError> {
    const SQL: &str = "SELECT d.key, p.person_id, p.role, p.unit_id \
         FROM device d JOIN person p ON p.person_id = d.person_id WHERE d.device = $1";
    let row = sqlx::query(SQL).bind(&device.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    let Some(row) = row else { return Ok(None) };
    let person = PersonId::from_bytes(row.array("person_id")?);
    let unit = UnitId::from_bytes(row.array("unit_id")?);
    let caller = Caller::new(device, person, role_column(&row)?, unit);
    Ok(Some(Phone { caller, key: row.bytes("key")? }))
}

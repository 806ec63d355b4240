//! What the database holds of a case, read in the transaction that puts the export on record.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::body::Manifest as File;
use onscene_sync_core::fact::{Body, envelope};
use onscene_sync_core::id::{Actor, DeviceId, DocId, FactId, Hash, PersonId};
use onscene_sync_core::time::Millis;

use super::format::{Log, Logged, PhoneKey};
use crate::audit::entry::{Deed, Entry, note};
use crate::audit::keeper;
use crate::audit::proof::{Proof, of_documents, of_enrolments};
use crate::cases::{CaseError, grounds, record};
use crate::hub::documents;
use crate::store::{RowExt as _, StoreError, Tx};

/// See the module.
#[derive(Debug, Clone)]
pub struct Gathered {
    pub(super) case: DocId,
    pub(super) logs: BTreeMap<DocId, Log>,
    pub(super) phones: Vec<PhoneKey>,
    pub(super) grounds: BTreeMap<Hash, Vec<u8>>,
    pub(super) files: BTreeMap<FactId, File>,
    pub(super) receipts: BTreeMap<FactId, Vec<u8>>,
    pub(super) proofs: Vec<Proof>,
}

/// Reads a case for an export by this person, or by the hub's operator.
///
/// # Errors
/// When there is no such case, and the database's.
pub async fn gather(
    tx: &mut Tx,
    case: DocId,
    by: Option<PersonId>,
    now: Millis,
) -> Result<Gathered, CaseError> {
    let entry = Entry::new(Deed::BundleExported, now).to(case.as_bytes());
    note(tx, &[by.into_iter().fold(entry, Entry::by)]).await?;
    // The case stands still from here on; what the log has of visits is read before the visits, so
    // that nothing is proven that is not among them.
    let read = record::load(tx, case, true).await?;
    let visits = read.record.orders.iter().map(|order| order.issued.body.inspection);
    let rechecks = read.record.rechecks.iter().map(|recheck| recheck.body.inspection);
    let ids: BTreeSet<_> = visits.chain(rechecks).chain([case]).collect();
    let checkpoint = keeper::newest(tx).await?.map(|newest| newest.signed);
    let mut all = Gathered {
        case,
        logs: BTreeMap::new(),
        phones: Vec::new(),
        grounds: BTreeMap::new(),
        files: BTreeMap::new(),
        receipts: BTreeMap::new(),
        proofs: Vec::new(),
    };
    if let Some(checkpoint) = &checkpoint {
        all.proofs = of_documents(tx, checkpoint, &ids).await?;
    }
    all.read_documents(tx, ids).await?;
    all.read_grounds(tx, &read).await?;
    all.read_phones(tx).await?;
    for fact in all.files.keys() {
        if let Some(receipt) = receipt(tx, *fact).await? {
            all.receipts.insert(*fact, receipt);
        }
    }
    if let Some(checkpoint) = &checkpoint {
        let phones: Vec<_> = all.phones.iter().map(|phone| (phone.person, phone.device)).collect();
        all.proofs.extend(of_enrolments(tx, checkpoint, &phones).await?);
    }
    Ok(all)
}

impl Gathered {
    async fn read_documents(&mut self, tx: &mut Tx, ids: BTreeSet<DocId>) -> Result<(), CaseError> {
        for (id, row) in documents::rows(tx, ids, false).await? {
            let log = log(tx, id, row.kind).await?;
            if row.kind != DocKind::Case {
                self.files.extend(files(id, &log)?);
            }
            self.logs.insert(id, log);
        }
        Ok(())
    }

    async fn read_grounds(&mut self, tx: &mut Tx, case: &record::Case) -> Result<(), StoreError> {
        for (_, fact) in &case.facts {
            let Body::Judged(judged) = &fact.body else { continue };
            let Some(hash) = judged.grounds else { continue };
            if let Some(bytes) = grounds::find(tx, hash).await? {
                self.grounds.insert(hash, bytes);
            }
        }
        Ok(())
    }

    async fn read_phones(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let visits = self.logs.values().filter(|log| log.kind != DocKind::Case);
        let actors = visits.flat_map(|log| &log.changes).map(|one| one.actor);
        let devices: BTreeSet<_> =
            actors.filter_map(|actor| Some(Actor::from_slice(&actor)?.device)).collect();
        for device in devices {
            self.phones.extend(phone(tx, device).await?);
        }
        Ok(())
    }
}

async fn log(tx: &mut Tx, id: DocId, kind: DocKind) -> Result<Log, StoreError> {
    let rows = sqlx::query("SELECT actor, body FROM change WHERE doc_id = $1 ORDER BY ord")
        .bind(&id.as_bytes()[..])
        .fetch_all(tx.conn())
        .await?;
    let logged = |row: &sqlx::any::AnyRow| {
        Ok::<_, StoreError>(Logged { actor: row.array("actor")?, change: row.bytes("body")? })
    };
    Ok(Log { kind, changes: rows.iter().map(logged).collect::<Result<_, _>>()? })
}

fn files(id: DocId, log: &Log) -> Result<BTreeMap<FactId, File>, CaseError> {
    let changes = log.changes.iter().map(|one| &one.change[..]);
    let document = Document::replay(id, log.kind, changes);
    let document = document.map_err(|error| CaseError::Broken(format!("{id}: {error}")))?;
    let read = |bytes: &[u8]| envelope::read(bytes).ok().map(|fact| fact.body);
    let files = document.facts().into_iter().filter_map(|(fact, bytes)| match read(&bytes)? {
        Body::Evidence(file) => Some((fact, file)),
        _ => None,
    });
    Ok(files.collect())
}

async fn phone(tx: &mut Tx, device: DeviceId) -> Result<Option<PhoneKey>, StoreError> {
    let row = sqlx::query("SELECT person_id, key, install FROM device WHERE device = $1")
        .bind(&device.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok(PhoneKey {
            device,
            install: row.number("install")?,
            key: STANDARD.encode(row.bytes("key")?),
            person: PersonId::from_bytes(row.array("person_id")?),
        })
    })
    .transpose()
}

async fn receipt(tx: &mut Tx, fact: FactId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT receipt FROM evidence WHERE fact_id = $1 AND receipt IS NOT NULL";
    let row = sqlx::query(sql).bind(&fact.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| row.bytes("receipt")).transpose()
}

//! Whose changes a request brings: the phone's own, and those of colleagues that it met without a
//! network, each with its author's signed statement.
//!
//! What is carried is judged as if its author had pushed it now: by the author's key, chain, scope
//! and standing. The carrier is only named beside it.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::guard;
use onscene_sync_core::handover::statement::{self, Statement, introduced};
use onscene_sync_core::id::{DeviceId, DocId, PersonId, UnitId};
use onscene_sync_core::sync::message::{Bucket, Push};
use onscene_sync_core::time::Millis;

use super::scope::{self, Caller, Scope};
use super::sql::fetch_in;
use super::{HubError, buckets};
use crate::auth::jwk::verify_p256_fast;
use crate::auth::role_column;
use crate::store::{RowExt as _, StoreError, Tx};

/// What was assumed about a phone when its changes were judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) install: u32,
    pub(crate) revoked: bool,
    pub(crate) key: Vec<u8>,
}

/// A phone that wrote something of a request, as the hub knows it now.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) caller: Caller,
    pub(crate) judged: Judged,
    scopes: BTreeMap<DocId, Scope>,
    /// The units that its person is or was posted to; read only where phones meet.
    units: BTreeSet<UnitId>,
    /// The buckets that a patrol begins in.
    pub(crate) birthplace: Vec<Bucket>,
    /// Patrols that it began in the last 24 hours; read only where documents may begin.
    pub(crate) patrols: u64,
}

/// The phone that asks, and those whose changes it may carry.
#[derive(Debug)]
pub(crate) struct Phones {
    pub(crate) caller: DeviceId,
    pub(crate) known: BTreeMap<DeviceId, Phone>,
}

/// The statements of a request that are their authors'.
#[derive(Debug, Default)]
pub(crate) struct Statements(Vec<(Statement, Vec<u8>)>);

/// Reads what the hub knows of the caller and of everybody whom `statements` name. `born` is the time
/// now if some of the documents may begin with these changes.
pub(crate) async fn survey(
    tx: &mut Tx,
    caller: &Caller,
    statements: &[ByteVec],
    docs: &BTreeSet<DocId>,
    born: Option<Millis>,
) -> Result<Phones, HubError> {
    let parties = statements.iter().filter_map(|bytes| statement::parties(bytes));
    let mut devices: BTreeSet<DeviceId> = parties.flat_map(|(one, other)| [one, other]).collect();
    let meets = devices.iter().any(|device| *device != caller.device);
    devices.insert(caller.device);
    let mut known = rows(tx, &devices).await?;
    match known.get_mut(&caller.device) {
        Some(phone) => phone.caller = caller.clone(),
        None => return Err(HubError::UnknownDevice),
    }
    // A statement that its author did not sign names nobody: whoever could be named by words alone
    // would be looked up, and their rows locked, for anybody.
    let named: BTreeSet<DeviceId> = read(&known, statements)
        .flat_map(|(statement, _)| [statement.device, statement.to])
        .collect();
    known.retain(|device, _| *device == caller.device || named.contains(device));
    let posts = if meets { posts(tx, &known).await? } else { BTreeMap::new() };
    for phone in known.values_mut() {
        let Caller { person, unit, .. } = phone.caller;
        phone.scopes = scope::of_documents(tx, &phone.caller, docs.iter().copied()).await?;
        phone.units.extend(posts.get(&person).into_iter().flatten());
        phone.birthplace = vec![Bucket::Unit(unit), Bucket::Person(person)];
        if let Some(now) = born {
            phone.birthplace.extend(buckets::supervision_of(tx, unit).await?);
            phone.patrols = patrols(tx, phone.caller.device, now).await?;
        }
    }
    Ok(Phones { caller: caller.device, known })
}

/// The statements that those phones signed which they name.
fn read<'r>(
    known: &'r BTreeMap<DeviceId, Phone>,
    statements: &'r [ByteVec],
) -> impl Iterator<Item = (Statement, Vec<u8>)> + 'r {
    let key_of = |device| Some(known.get(&device)?.judged.key.clone());
    statements.iter().filter_map(move |bytes| {
        Some((statement::read(bytes, key_of, verify_p256_fast).ok()?, bytes.to_vec()))
    })
}

async fn rows(
    tx: &mut Tx,
    devices: &BTreeSet<DeviceId>,
) -> Result<BTreeMap<DeviceId, Phone>, HubError> {
    const HEAD: &str = "SELECT d.device AS device, d.install AS install, \
         d.revoked_at AS revoked_at, d.key AS key, p.person_id AS person_id, p.role AS role, \
         p.unit_id AS unit_id \
         FROM device d JOIN person p ON p.person_id = d.person_id WHERE d.device";
    let keys: Vec<_> = devices.iter().map(|device| device.as_bytes().to_vec()).collect();
    let mut known = BTreeMap::new();
    for row in fetch_in(tx, HEAD, &keys, "").await? {
        let device = DeviceId::from_bytes(row.array("device")?);
        let unit = UnitId::from_bytes(row.array("unit_id")?);
        let role = role_column(&row)?;
        let caller = Caller::new(device, PersonId::from_bytes(row.array("person_id")?), role, unit);
        let judged = Judged {
            install: row.number("install")?,
            revoked: row.opt_int("revoked_at")?.is_some(),
            key: row.bytes("key")?,
        };
        let phone = Phone {
            caller,
            judged,
            scopes: BTreeMap::new(),
            units: BTreeSet::from([unit]),
            birthplace: Vec::new(),
            patrols: 0,
        };
        known.insert(device, phone);
    }
    Ok(known)
}

/// How many patrols a phone began that came in within the last 24 hours.
async fn patrols(tx: &mut Tx, device: DeviceId, now: Millis) -> Result<u64, StoreError> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    // The kind stands in the text, so that the index of patrols serves.
    const SQL: &str = "SELECT count(*) AS n FROM doc d \
         JOIN change c ON c.doc_id = d.doc_id AND c.ord = 1 \
         WHERE d.kind = 2 AND d.created_at > $1 AND c.device = $2";
    let query = sqlx::query(SQL).bind(now.0 - DAY_MS).bind(&device.as_bytes()[..]);
    query.fetch_one(tx.conn()).await?.number("n")
}

/// The units that each person is or was posted to.
async fn posts(
    tx: &mut Tx,
    known: &BTreeMap<DeviceId, Phone>,
) -> Result<BTreeMap<PersonId, BTreeSet<UnitId>>, StoreError> {
    const HEAD: &str = "SELECT person_id, unit_id FROM person_post WHERE person_id";
    let persons: BTreeSet<_> =
        known.values().map(|phone| phone.caller.person.as_bytes().to_vec()).collect();
    let mut posts: BTreeMap<PersonId, BTreeSet<UnitId>> = BTreeMap::new();
    for row in fetch_in(tx, HEAD, &persons.into_iter().collect::<Vec<_>>(), "").await? {
        let person = PersonId::from_bytes(row.array("person_id")?);
        posts.entry(person).or_default().insert(UnitId::from_bytes(row.array("unit_id")?));
    }
    Ok(posts)
}

impl Phones {
    pub(crate) fn asking(&self) -> &Phone {
        &self.known[&self.caller]
    }

    /// Reads the statements; those that are not signed by the phone that they name prove nothing.
    pub(crate) fn check(&self, statements: &[ByteVec]) -> Statements {
        Statements(read(&self.known, statements).collect())
    }

    /// Who wrote a pushed change, with the proof where that is a colleague. A change without proof
    /// is taken for the caller's own, which the guard then refuses.
    pub(crate) fn author<'a>(
        &'a self,
        push: &Push,
        statements: &'a Statements,
    ) -> (&'a Phone, Option<&'a [u8]>) {
        let carried = guard::claim(&push.change).and_then(|claim| {
            let device = claim.actor.device;
            let mut all = statements.0.iter().filter(|_| device != self.caller);
            let (_, bytes) =
                all.find(|(one, _)| one.device == device && one.lists(push.doc, &claim.hash))?;
            Some((self.known.get(&device)?, Some(&bytes[..])))
        });
        carried.unwrap_or_else(|| (self.asking(), None))
    }

    /// How a document stands to each phone. Who was handed it by somebody entitled could not know
    /// better: it stands to them as one that they once followed.
    pub(crate) fn scopes(&self, doc: DocId, statements: &Statements) -> BTreeMap<DeviceId, Scope> {
        let own = |phone: &Phone| phone.scopes.get(&doc).copied().unwrap_or(Scope::Never);
        let mut scopes: BTreeMap<DeviceId, Scope> =
            self.known.iter().map(|(device, phone)| (*device, own(phone))).collect();
        let entitled = scopes.iter().filter(|(_, scope)| **scope != Scope::Never);
        let entitled: BTreeSet<DeviceId> = entitled.map(|(device, _)| *device).collect();
        let stated: Vec<Statement> = statements.0.iter().map(|(one, _)| one.clone()).collect();
        for device in introduced(&stated, doc, &entitled, |one, other| self.met(one, other)) {
            if !entitled.contains(&device) {
                scopes.insert(device, Scope::Once);
            }
        }
        scopes
    }

    /// Whether two phones' people were ever of one unit.
    fn met(&self, one: DeviceId, other: DeviceId) -> bool {
        match (self.known.get(&one), self.known.get(&other)) {
            (Some(one), Some(other)) => !one.units.is_disjoint(&other.units),
            _ => false,
        }
    }

    /// The chain ends that colleagues named when they handed over.
    pub(crate) fn heads(&self, statements: &Statements) -> Vec<(DeviceId, Head)> {
        let good = |one: &Statement| {
            let phone = self.known.get(&one.device).filter(|_| one.device != self.caller);
            phone.is_some_and(|phone| {
                !phone.judged.revoked && one.head.install <= phone.judged.install
            })
        };
        let stated = statements.0.iter().map(|(one, _)| one).filter(|one| good(one));
        stated.map(|one| (one.device, one.head)).collect()
    }
}

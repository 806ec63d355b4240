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

/// Reads what the hub knows of the caller and of everybody whom `statements` name.
pub(crate) async fn survey(
    tx: &mut Tx,
    caller: &Caller,
    statements: &[ByteVec],
    docs: &BTreeSet<DocId>,
    born: bool,
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
    let posts = if meets { posts(tx, &known).await? } else { BTreeMap::new() };
    for phone in known.values_mut() {
        let Caller { person, unit, .. } = phone.caller;
        phone.scopes = scope::of_documents(tx, &phone.caller, docs.iter().copied()).await?;
        phone.units.extend(posts.get(&person).into_iter().flatten());
        phone.birthplace = vec![Bucket::Unit(unit), Bucket::Person(person)];
        if born {
            phone.birthplace.extend(buckets::supervision_of(tx, unit).await?);
        }
    }
    Ok(Phones { caller: caller.device, known })
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
        };
        known.insert(device, phone);
    }
    Ok(known)
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
        let key_of = |device| Some(self.known.get(&device)?.judged.key.clone());
        let read = |bytes: &ByteVec| {
            Some((statement::read(bytes, key_of, verify_p256_fast).ok()?, bytes.to_vec()))
        };
        Statements(statements.iter().filter_map(read).collect())
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

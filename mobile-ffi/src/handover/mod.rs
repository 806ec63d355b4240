//! Hand-over: two phones of a unit exchange what each lacks over any pipe of bytes, without a network.
//!
//! A [`Handover`] is one meeting as this phone sees it. The host sends what [`Handover::next`] gives
//! and hands in what comes with [`Handover::take`]; in which order, how often and whether all of it
//! comes does not matter. One direction is enough to give, once the other's first message was seen.
//! What is taken is on the disk when the call returns.

mod give;
mod receive;

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;
use onscene_sync_core::crypto::verify_p256;
use onscene_sync_core::handover::certificate::{self, Certificate, RENEW_MS};
use onscene_sync_core::handover::hello::{self, Hello, Stranger};
use onscene_sync_core::handover::part::{self, Message, SealedPart, Secret, Unreadable};
use onscene_sync_core::id::{FactId, UnitId};
use onscene_sync_core::limits::{HANDOVER_PARTS, HELLO_KNOWN};
use onscene_sync_core::sync::message::Bucket;
use onscene_sync_core::time::ClockReading;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde::Serialize;
use thiserror::Error;

use crate::device::Device;
use crate::error::DeviceError;
use crate::store::db::Db;
use crate::store::work::record as case_record;
use crate::store::{carried, documents, feed, meta};
use give::{Filled, Plan};

const CERTIFICATE: &str = "certificate";

/// Why a hand-over cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandoverError {
    /// This phone failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The hub has not vouched for this phone yet.
    #[error("this phone has no certificate yet: sync once with the hub before handing over")]
    NoCertificate,
    /// The bytes are no message for this meeting.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The other phone cannot be believed.
    #[error("the other phone cannot be believed: {0}")]
    Stranger(#[from] Stranger),
    /// The other phone is of another unit.
    #[error("the other phone is of another unit: only colleagues of one unit hand over")]
    AnotherUnit,
    /// It is this very phone, or a copy of it.
    #[error("the other phone is this one: show it to a colleague's")]
    Mirror,
}

/// What this phone was given so far in a meeting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Facts of cases that were not known here: orders and what the hub said of them.
    pub told: u64,
    /// Colleagues' changes that were not known here and are carried from now on.
    pub changes: u64,
    /// Changes that were here before.
    pub known: u64,
    /// What was not taken, and why, the first 64. The phone that gave it still has it.
    pub refused: Vec<String>,
    /// Everything that the other phone has to give has come.
    pub complete: bool,
}

/// Words on what was refused that a meeting keeps.
const REFUSED_KEPT: usize = 64;

/// One meeting with a colleague's phone.
#[derive(Debug)]
pub struct Handover {
    secret: Secret,
    greeted: bool,
    plan: Option<Plan>,
    sent: u32,
    received: BTreeSet<u32>,
    last: Option<u32>,
    given: Given,
}

impl Device {
    /// Begins a meeting.
    ///
    /// # Errors
    /// When the platform has no chance to give.
    pub fn hand_over(&self) -> Result<Handover, HandoverError> {
        Ok(Handover {
            secret: Secret::new(&self.host.bytes().map_err(DeviceError::from)?),
            greeted: false,
            plan: None,
            sent: 0,
            received: BTreeSet::new(),
            last: None,
            given: Given::default(),
        })
    }
}

impl Handover {
    /// The next message for the other phone: first who this phone is, and once that phone has shown
    /// who it is, what it lacks. `None` when there is nothing to send now.
    ///
    /// # Errors
    /// When this phone has no certificate, or its store or key fails.
    pub fn next(&mut self, device: &mut Device) -> Result<Option<Vec<u8>>, HandoverError> {
        if !self.greeted {
            let hello = self.hello(device)?;
            self.greeted = true;
            return Ok(Some(Message::Hello(hello.into()).encode()));
        }
        let Some(plan) = &mut self.plan else { return Ok(None) };
        if plan.is_done() || self.sent >= HANDOVER_PARTS {
            return Ok(None);
        }
        let db = device.store.read();
        let Filled { part, last, items } = plan.fill(db, &*device.host.keys)?;
        let seed = device.host.bytes().map_err(DeviceError::from)?;
        let mut chance = ChaCha20Rng::from_seed(seed);
        let sealed = part::seal(&part, (self.sent, last), &plan.meeting, &mut chance);
        let sealed = sealed.ok_or(Unreadable::NotForUs)?;
        plan.gave(items, last);
        self.sent += 1;
        Ok(Some(Message::Part(sealed).encode()))
    }

    /// Takes a message of the other phone; says what this phone was given so far.
    ///
    /// # Errors
    /// When it is not for this meeting, or the other phone is not to be believed or of another unit.
    /// Nothing of it was taken then, and the meeting may go on.
    pub fn take(&mut self, device: &mut Device, message: &[u8]) -> Result<&Given, HandoverError> {
        match Message::decode(message)? {
            Message::Hello(bytes) => self.meet(device, &bytes)?,
            Message::Part(sealed) => self.receive(device, &sealed)?,
        }
        Ok(&self.given)
    }

    /// What this phone was given so far.
    #[must_use]
    pub const fn given(&self) -> &Given {
        &self.given
    }

    /// Messages with contents that this phone has given so far.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    /// This phone has given everything and was given everything.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.given.complete && self.plan.as_ref().is_some_and(Plan::is_done)
    }

    fn hello(&self, device: &Device) -> Result<Vec<u8>, HandoverError> {
        let db = device.store.read();
        let (_, certificate) = own_certificate(db)?.ok_or(HandoverError::NoCertificate)?;
        let work = device.my_work()?;
        let orders = work.iter().rev().take(HELLO_KNOWN).map(|item| prefix(item.order.as_bytes()));
        let carried = carried::newest(db, HELLO_KNOWN)?;
        let hello = Hello {
            certificate: certificate.into(),
            meeting: self.secret.public().to_vec().into(),
            orders: orders.collect(),
            carried: carried.iter().map(|hash| hash.prefix()).collect(),
        };
        Ok(hello::seal(&hello, &*device.host.keys).map_err(DeviceError::from)?)
    }

    fn meet(&mut self, device: &mut Device, bytes: &[u8]) -> Result<(), HandoverError> {
        let now = device.host.clock.read().map_err(DeviceError::from)?;
        let db = device.store.read();
        let identity = meta::identity(db)?;
        let not_before = feed::hub_time_at_least(db, &now)?;
        let (hello, peer) = hello::read(bytes, &identity.hub_key, not_before, verify_p256)?;
        let (own, _) = own_certificate(db)?.ok_or(HandoverError::NoCertificate)?;
        if peer.device == own.device {
            return Err(HandoverError::Mirror);
        }
        if peer.unit != own.unit {
            return Err(HandoverError::AnotherUnit);
        }
        if self.plan.as_ref().is_none_or(|plan| plan.meeting != hello.meeting) {
            self.plan = Some(Plan::new(device, &own, &peer, &hello)?);
            self.sent = 0;
        }
        Ok(())
    }

    fn receive(&mut self, device: &mut Device, sealed: &SealedPart) -> Result<(), HandoverError> {
        let part = part::open(sealed, &self.secret)?;
        let now = device.host.clock.read().map_err(DeviceError::from)?;
        if !self.received.contains(&sealed.index) {
            let given = device.store.write(|tx| receive::take_in(tx, &now, &part))?;
            self.given.add(given);
            self.received.insert(sealed.index);
        }
        if sealed.last {
            self.last = Some(sealed.index);
        }
        let count = u32::try_from(self.received.len()).unwrap_or(u32::MAX);
        self.given.complete = self.last.is_some_and(|last| count > last);
        Ok(())
    }
}

impl Given {
    fn add(&mut self, more: Self) {
        self.told += more.told;
        self.changes += more.changes;
        self.known += more.known;
        let room = REFUSED_KEPT.saturating_sub(self.refused.len());
        self.refused.extend(more.refused.into_iter().take(room));
    }
}

fn prefix(id: &[u8; 16]) -> u64 {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&id[..8]);
    u64::from_be_bytes(prefix)
}

/// This phone's certificate, read and as it was signed.
pub(crate) fn own_certificate(db: Db<'_>) -> Result<Option<(Certificate, Vec<u8>)>, DeviceError> {
    let identity = meta::identity(db)?;
    let Some(bytes) = meta::get::<ByteVec>(db, CERTIFICATE)? else { return Ok(None) };
    let read = certificate::read(&bytes, &identity.hub_key).ok();
    // Another device's, from before this phone was enrolled anew.
    let own = read.filter(|certificate| certificate.device == identity.device);
    Ok(own.map(|certificate| (certificate, bytes.to_vec())))
}

/// Whether the next request is to ask for a certificate: there is none for what this phone is now, or
/// it is nearing its end.
pub(crate) fn needs_certificate(db: Db<'_>, now: &ClockReading) -> Result<bool, DeviceError> {
    let Some((own, _)) = own_certificate(db)? else { return Ok(true) };
    let units: Vec<UnitId> = feed::buckets(db)?.iter().filter_map(unit_of).collect();
    let stale = own.install != meta::identity(db)?.install
        || !units.is_empty() && !units.contains(&own.unit)
        || feed::hub_time_at_least(db, now)?.plus(RENEW_MS) > own.expires_at;
    Ok(stale)
}

fn unit_of(bucket: &Bucket) -> Option<UnitId> {
    match bucket {
        Bucket::Unit(unit) | Bucket::Supervision(unit) => Some(*unit),
        Bucket::Person(_) => None,
    }
}

/// Keeps a certificate that the hub sent; or says why it is none.
pub(crate) fn keep_certificate(
    db: Db<'_>,
    bytes: &[u8],
) -> Result<Result<(), &'static str>, DeviceError> {
    let identity = meta::identity(db)?;
    let sound = certificate::read(bytes, &identity.hub_key).is_ok_and(|certificate| {
        certificate.device == identity.device && certificate.key == identity.key
    });
    if !sound {
        return Ok(Err("the certificate is not for this phone, or not the hub's"));
    }
    meta::put(db, CERTIFICATE, &ByteVec::from(bytes.to_vec()))?;
    Ok(Ok(()))
}

/// Whether an order is for this unit, as far as this phone knows its case.
fn is_for(db: Db<'_>, order: FactId, unit: UnitId) -> Result<bool, DeviceError> {
    let Some(found) = documents::order(db, order)? else { return Ok(false) };
    let record = case_record(db, found.case)?;
    Ok(record.order(order).is_some_and(|order| order.issued.body.unit == unit))
}

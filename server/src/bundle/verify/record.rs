//! Documents rebuilt from their changes, with every signature and every chain.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{Body, Fact, envelope};
use onscene_sync_core::guard::{self, Denied};
use onscene_sync_core::id::{Actor, DeviceId, DocId, FactId, Hash};
use onscene_sync_core::limits::{DOCUMENT_BYTES, DOCUMENT_CHANGES};

use super::{Contents, Line, line};
use crate::auth::jwk::verify_p256_fast;
use crate::bundle::format::{Log, PHONES, PhoneKey, document_name, document_of};

/// What the documents of a bundle say.
pub(super) struct Record {
    /// The phones that wrote.
    pub(super) phones: BTreeMap<DeviceId, Phone>,
    /// All facts.
    pub(super) facts: BTreeMap<FactId, Fact>,
    /// The hashes of the changes of each document.
    pub(super) changes: BTreeMap<DocId, BTreeSet<Hash>>,
}

/// A phone's key, and its newest installation.
pub(super) struct Phone {
    install: u32,
    /// A SEC1 point.
    pub(super) key: Vec<u8>,
}

impl Record {
    /// Rebuilds the documents. What does not hold becomes a line, and is not in the record.
    pub(super) fn read(bundle: &Contents, lines: &mut Vec<Line>) -> Result<Self, String> {
        let phones = phones(bundle)?;
        let mut record = Self { phones, facts: BTreeMap::new(), changes: BTreeMap::new() };
        let case = bundle.manifest.case;
        for (name, entry) in &bundle.entries {
            if let Some(id) = document_of(name) {
                let took = record.take(bundle, (id, id == case), &entry.content);
                lines.push(line(took.map_err(|why| format!("{name}: {why}"))));
            }
        }
        lines.push(line(record.visits(case)));
        lines.push(line(record.chains()));
        Ok(record)
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = (FactId, &Body)> {
        self.facts.iter().map(|(id, fact)| (*id, &fact.body))
    }

    pub(super) fn asks_for(&self, name: &str) -> bool {
        name == PHONES || document_of(name).is_some_and(|id| name == document_name(id))
    }

    fn take(
        &mut self,
        bundle: &Contents,
        (id, is_case): (DocId, bool),
        bytes: &[u8],
    ) -> Result<String, String> {
        let log: Log = minicbor::decode(bytes).map_err(|error| error.to_string())?;
        if is_case != (log.kind == DocKind::Case) {
            return Err("it is not of the kind that it should be".to_owned());
        }
        let rebuilt = if is_case { case(id, &log)? } else { visit(id, &log, &self.phones)? };
        let facts = rebuilt.facts();
        let (count, changes) = (facts.len(), rebuilt.change_hashes().collect::<BTreeSet<_>>());
        for (fact, bytes) in facts {
            let read = if is_case || begins_recheck(log.kind, &bytes) {
                envelope::read_from_hub(&bytes, bundle.manifest.hub_key.as_bytes())
            } else {
                from_phone(&bytes, &self.phones)
            };
            let read = read.map_err(|error| format!("fact {fact}: {error}"))?;
            if read.doc != id || self.facts.insert(fact, read).is_some() {
                return Err(format!("fact {fact} belongs to another document"));
            }
        }
        let (kind, by) = (log.kind.name(), if is_case { "the hub" } else { "their phones" });
        let said = format!("{kind} {id}: {} changes rebuild it, ", changes.len());
        self.changes.insert(id, changes);
        Ok(said + &format!("all {count} facts bear the signatures of {by}"))
    }

    /// The case is there, with the visit of each of its orders and rechecks and no other.
    fn visits(&self, case: DocId) -> Result<String, String> {
        if !self.changes.contains_key(&case) {
            return Err(format!("the case {case} is not in the bundle, or does not hold"));
        }
        let mut wanted = BTreeSet::from([case]);
        wanted.extend(self.bodies().filter_map(|(_, body)| match body {
            Body::Ordered(ordered) => Some(ordered.inspection),
            Body::Rechecked(rechecked) => Some(rechecked.inspection),
            _ => None,
        }));
        if let Some(lost) = wanted.iter().find(|id| !self.changes.contains_key(id)) {
            return Err(format!("the visit {lost} is not in the bundle, or does not hold"));
        }
        if let Some(more) = self.changes.keys().find(|id| !wanted.contains(id)) {
            return Err(format!("no order or recheck of the case asks for the visit {more}"));
        }
        Ok(format!("the case has all its {} visits", wanted.len() - 1))
    }

    /// No two facts of a phone have one place, and neighbours name each other. A phone's facts in
    /// other cases are not here, so places may be free.
    fn chains(&self) -> Result<String, String> {
        let mut places = BTreeMap::new();
        for (id, fact) in &self.facts {
            let Some(author) = fact.device() else { continue };
            let place = (author.device, author.install, author.seq);
            if places.insert(place, (*id, author.prev)).is_some() {
                let (device, seq) = (author.device, author.seq);
                return Err(format!("two facts of phone {device} have place {seq} of its chain"));
            }
        }
        for ((device, install, seq), (id, prev)) in &places {
            let before = places.get(&(*device, *install, seq.saturating_sub(1)));
            let fits = before.is_none_or(|(before, _)| *prev == Some(*before));
            if !fits || prev.is_none() != (*seq == 1) {
                return Err(format!("fact {id} does not name the fact before it in its chain"));
            }
        }
        Ok(format!("the {} facts of phones stand in their places of their chains", places.len()))
    }
}

fn phones(bundle: &Contents) -> Result<BTreeMap<DeviceId, Phone>, String> {
    let entry = bundle.content(PHONES).ok_or_else(|| format!("{PHONES} is missing"))?;
    let unreadable = |error: &dyn std::fmt::Display| format!("{PHONES} cannot be read: {error}");
    let phones: Vec<PhoneKey> =
        serde_json::from_slice(&entry.content).map_err(|error| unreadable(&error))?;
    let keys = phones.into_iter().map(|phone| {
        let key = STANDARD.decode(&phone.key).map_err(|error| unreadable(&error))?;
        Ok((phone.device, Phone { install: phone.install, key }))
    });
    keys.collect()
}

fn case(id: DocId, log: &Log) -> Result<Document, String> {
    let bytes: usize = log.changes.iter().map(|one| one.change.len()).sum();
    if log.changes.len() > DOCUMENT_CHANGES || bytes > 2 * DOCUMENT_BYTES {
        return Err("it is larger than a document can be".to_owned());
    }
    Document::replay(id, log.kind, log.changes.iter().map(|one| &one.change[..]))
        .map_err(|error| error.to_string())
}

/// Lets each change pass the guard again, as the phone's that it says it is of.
fn visit(id: DocId, log: &Log, phones: &BTreeMap<DeviceId, Phone>) -> Result<Document, String> {
    let mut document = Document::new(id, log.kind);
    for (at, one) in log.changes.iter().enumerate() {
        let at = at + 1;
        let device = Actor::from_slice(&one.actor).map(|actor| actor.device);
        if log.kind == DocKind::Recheck && device == Some(Actor::hub(1).device) {
            let applied = document.apply(&one.change);
            applied.map_err(|error| format!("change {at}: {error}"))?;
            continue;
        }
        let phone = device.and_then(|device| Some((device, phones.get(&device)?)));
        let (device, phone) =
            phone.ok_or_else(|| format!("change {at} is of a phone whose key is not here"))?;
        let Phone { install, key } = phone;
        let author = guard::Author { device, install: *install, key, verify: verify_p256_fast };
        let admitted = guard::admit(&mut document, &one.change, &author);
        admitted.map_err(|denied| match denied {
            Denied::Duplicate => format!("change {at} is there twice"),
            Denied::MissingDeps(_) => format!("change {at} builds on one that is not here"),
            Denied::Refused(refusal) => format!("change {at}: {}", refusal.detail),
        })?;
    }
    Ok(document)
}

/// The one fact that the hub states in a document of phones.
fn begins_recheck(kind: DocKind, bytes: &[u8]) -> bool {
    let ordered = |fact: Fact| matches!(fact.body, Body::RecheckOrdered(_));
    kind == DocKind::Recheck && envelope::read(bytes).is_ok_and(ordered)
}

fn from_phone(
    bytes: &[u8],
    phones: &BTreeMap<DeviceId, Phone>,
) -> Result<Fact, envelope::EnvelopeError> {
    let fact = envelope::read(bytes)?;
    let phone = fact.device().and_then(|author| phones.get(&author.device));
    let phone = phone.ok_or(envelope::EnvelopeError::BadSignature)?;
    envelope::read_from_device(bytes, &phone.key, verify_p256_fast)
}

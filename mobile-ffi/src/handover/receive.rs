//! Taking: a colleague is trusted no more than the hub trusts a phone. What passes the guard is carried
//! beside the hub's state; what builds on something that is not here is carried unseen, if its author
//! signed it; the rest stays with whoever gave it.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::crypto::{fact_id, verify_p256};
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::{Fact, envelope};
use onscene_sync_core::guard::{self, Author, Claim, Denied};
use onscene_sync_core::handover::certificate::{self, Certificate};
use onscene_sync_core::handover::hello;
use onscene_sync_core::handover::part::{self, Part, Told};
use onscene_sync_core::handover::statement::{self, Statement};
use onscene_sync_core::id::{DeviceId, DocId, FactId, UnitId};
use onscene_sync_core::limits::{CARRIED_BYTES, CARRIED_CHANGES, CARRIED_STATEMENTS, TOLD_FACTS};
use onscene_sync_core::time::ClockReading;

use super::{Given, is_for, own_certificate};
use crate::error::DeviceError;
use crate::store::carried::{self, NewCarried};
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::meta::{self, Identity};
use crate::store::work::record as case_record;
use crate::store::{documents, feed, intents, told};

/// Why something was not taken, in words.
type Fault = String;

/// A part being taken in.
struct Inbox<'a> {
    db: Db<'a>,
    identity: Identity,
    unit: UnitId,
    colleagues: BTreeMap<DeviceId, Certificate>,
    statements: Vec<(Statement, &'a [u8])>,
    views: BTreeMap<DocId, Document>,
    given: Given,
}

/// What became of a change.
enum Taken {
    New,
    Known,
}

/// Takes a part in, as far as it is good.
pub(super) fn take_in(db: Db<'_>, now: &ClockReading, part: &Part) -> Result<Given, DeviceError> {
    let identity = meta::identity(db)?;
    let unit = own_certificate(db)?.map_or(identity.unit, |(own, _)| own.unit);
    let not_before = feed::hub_time_at_least(db, now)?;
    let believed = part.certificates.iter().filter_map(|bytes| {
        Some((hello::believe(bytes, &identity.hub_key, not_before).ok()?, bytes))
    });
    let mut colleagues = BTreeMap::new();
    for (certificate, bytes) in believed {
        keep_newest(db, &identity, &certificate, bytes)?;
        colleagues.insert(certificate.device, certificate);
    }
    let key_of = |device: DeviceId| colleagues.get(&device).map(|one| one.key.to_vec());
    let read = |bytes| statement::read(bytes, key_of, verify_p256).ok();
    let statements = part.statements.iter();
    let statements = statements.filter_map(|bytes| Some((read(bytes)?, &bytes[..]))).collect();
    let (views, given) = (BTreeMap::new(), Given::default());
    let mut inbox = Inbox { db, identity, unit, colleagues, statements, views, given };
    inbox.told(&part.told)?;
    inbox.introductions()?;
    for change in &part.changes {
        match inbox.change(change)? {
            Ok(Taken::New) => inbox.given.changes += 1,
            Ok(Taken::Known) => inbox.given.known += 1,
            Err(fault) => inbox.given.refused.push(fault),
        }
    }
    let given = inbox.given;
    if given.told + given.changes > 0 {
        let detail = format!("{} facts of cases, {} changes", given.told, given.changes);
        events::add(db, now.wall_ms, EventKind::HandedOver, None, &detail)?;
    }
    Ok(given)
}

fn keep_newest(
    db: Db<'_>,
    identity: &Identity,
    certificate: &Certificate,
    bytes: &[u8],
) -> Result<(), DeviceError> {
    let kept = carried::certificate(db, certificate.device)?;
    let kept = kept.and_then(|kept| certificate::read(&kept, &identity.hub_key).ok());
    let newer = kept.is_none_or(|kept| kept.issued_at < certificate.issued_at);
    if newer && certificate.device != identity.device {
        carried::set_certificate(db, certificate.device, bytes)?;
    }
    Ok(())
}

impl Inbox<'_> {
    /// Facts of cases: the hub's signature is what counts, and that an order is for this unit.
    fn told(&mut self, all: &[Told]) -> Result<(), DeviceError> {
        let mut fresh: BTreeMap<DocId, u64> = BTreeMap::new();
        let mut room = TOLD_FACTS.saturating_sub(told::count(self.db)?);
        for one in all {
            let fact = envelope::read_from_hub(&one.envelope, &self.identity.hub_key).ok();
            let Some(fact) = fact.filter(|fact| fact.doc == one.case) else {
                self.given.refused.push(format!("a fact of case {} is not the hub's", one.case));
                continue;
            };
            let id = fact_id(&one.envelope);
            let base = documents::base(self.db, one.case)?;
            if base.is_some_and(|base| base.fact(&id).is_some()) {
                continue;
            }
            if room == 0 {
                let full = "there is no room for more facts of cases: let this phone sync first";
                self.given.refused.push(full.to_owned());
                break;
            }
            if told::add(self.db, one.case, (id, &fact), &one.envelope)? {
                room -= 1;
                *fresh.entry(one.case).or_default() += 1;
            }
        }
        for (case, count) in fresh {
            let orders = case_record(self.db, case)?.orders;
            if orders.iter().any(|order| order.issued.body.unit == self.unit) {
                self.given.told += count;
            } else {
                told::forget(self.db, case)?;
                self.given.refused.push(format!("case {case} has no order for this unit"));
            }
        }
        Ok(())
    }

    /// Keeps the statements that make documents known which are this unit's.
    fn introductions(&self) -> Result<(), DeviceError> {
        let mut room = CARRIED_STATEMENTS.saturating_sub(carried::statements(self.db)?);
        for (statement, bytes) in &self.statements {
            let colleague = self.colleagues.get(&statement.device);
            if room == 0 || colleague.is_none_or(|colleague| colleague.unit != self.unit) {
                continue;
            }
            let mut ours = Vec::new();
            for listed in &statement.docs {
                let patrol = documents::row(self.db, listed.doc)?
                    .is_some_and(|row| row.kind == DocKind::Patrol);
                if patrol || self.answers_our_order(listed.doc)? {
                    ours.push(listed.doc);
                }
            }
            if !ours.is_empty() {
                carried::add_statement(self.db, bytes, statement.to, &ours)?;
                room -= 1;
            }
        }
        Ok(())
    }

    fn answers_our_order(&self, doc: DocId) -> Result<bool, DeviceError> {
        match documents::order_of(self.db, doc)? {
            Some(order) => is_for(self.db, order, self.unit),
            None => Ok(false),
        }
    }

    fn change(&mut self, given: &part::Given) -> Result<Result<Taken, Fault>, DeviceError> {
        let bytes = &given.change[..];
        let Some(claim) = guard::claim(bytes) else {
            return Ok(Err("what was given is not a change".to_owned()));
        };
        let here = carried::contains(self.db, claim.hash)?
            || claim.actor.device == self.identity.device
            || intents::by_hash(self.db, claim.hash)?.is_some();
        if here {
            return Ok(Ok(Taken::Known));
        }
        if let Err(fault) = self.may_come(given)? {
            return Ok(Err(fault));
        }
        let proof = self.statements.iter().find(|(statement, _)| {
            statement.device == claim.actor.device && statement.lists(given.doc, &claim.hash)
        });
        let author = self.colleagues.get(&claim.actor.device).filter(|one| one.unit == self.unit);
        let (Some((statement, proof)), Some(author)) = (proof.cloned(), author.cloned()) else {
            let fault = "its author's proof is missing, forged, or of another unit's phone";
            return Ok(Err(format!("change {}: {fault}", claim.hash)));
        };
        let author = Author {
            device: author.device,
            install: author.install,
            key: &author.key,
            verify: verify_p256,
        };
        let Ruling { ruled, fact } = match self.judge(given, &author, &claim)? {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Ok(Taken::Known)),
            Err(fault) => return Ok(Err(format!("change {}: {fault}", claim.hash))),
        };
        let (waiting, size) = carried::load(self.db)?;
        if waiting >= CARRIED_CHANGES || size + bytes.len() as u64 > CARRIED_BYTES {
            let full = "this phone carries as much for colleagues as it may: let it sync first";
            return Ok(Err(full.to_owned()));
        }
        documents::ensure(self.db, given.doc, given.kind)?;
        let statement = carried::add_statement(self.db, proof, statement.to, &[given.doc])?;
        let (doc, device) = (given.doc, author.device);
        let new =
            NewCarried { hash: claim.hash, doc, device, statement, fact, ruled, change: bytes };
        carried::add(self.db, &new)?;
        Ok(Ok(Taken::New))
    }

    /// Whether changes of a document may come from a colleague at all.
    fn may_come(&self, given: &part::Given) -> Result<Result<(), Fault>, DeviceError> {
        let row = documents::row(self.db, given.doc)?;
        let fits = row.is_none_or(|row| row.kind == given.kind);
        let ours = match given.kind {
            DocKind::Patrol => true,
            DocKind::Response => self.answers_our_order(given.doc)?,
            DocKind::Case | DocKind::Recheck => false,
        };
        Ok(if fits && ours {
            Ok(())
        } else {
            Err(format!("document {} is not one that this unit works on", given.doc))
        })
    }

    /// Lets a change into the view of its document as the hub would; `None` when all that it says is
    /// known.
    fn judge(
        &mut self,
        given: &part::Given,
        author: &Author<'_>,
        claim: &Claim,
    ) -> Result<Result<Option<Ruling>, Fault>, DeviceError> {
        let mut view = match self.views.remove(&given.doc) {
            Some(view) => view,
            None => documents::view(self.db, given.doc)?
                .unwrap_or_else(|| Document::new(given.doc, given.kind)),
        };
        let ruled = guard::admit(&mut view, &given.change, author);
        let verdict = match ruled {
            Ok(admitted) => {
                let fact = only(admitted.facts.iter().map(|(id, _)| *id));
                Ok(Some(Ruling { ruled: true, fact }))
            }
            Err(Denied::Duplicate) => Ok(None),
            Err(Denied::MissingDeps(_)) => signed_facts(given, author, claim)
                .map(|facts| Some(Ruling { ruled: false, fact: only(facts.into_iter()) })),
            Err(Denied::Refused(refusal)) => {
                let envelopes = guard::peek(&given.change).unwrap_or_default();
                let ids: BTreeSet<FactId> = envelopes.iter().map(|one| fact_id(one)).collect();
                if !ids.is_empty() && ids.iter().all(|id| view.fact(id).is_some()) {
                    Ok(None)
                } else {
                    Err(refusal.detail)
                }
            }
        };
        self.views.insert(given.doc, view);
        Ok(verdict)
    }
}

/// What became of a change that may be carried.
struct Ruling {
    /// The guard let it in; else it builds on something that is not here.
    ruled: bool,
    /// The fact that it states.
    fact: Option<FactId>,
}

fn only(mut facts: impl Iterator<Item = FactId>) -> Option<FactId> {
    let first = facts.next();
    first.filter(|_| facts.next().is_none())
}

/// The facts of a change that cannot be let in yet: each must be its author's and of its document.
fn signed_facts(
    given: &part::Given,
    author: &Author<'_>,
    claim: &Claim,
) -> Result<Vec<FactId>, String> {
    let envelopes = guard::peek(&given.change).map_err(|refusal| refusal.detail)?;
    let of_author = |fact: &Fact| {
        fact.doc == given.doc
            && fact.device().is_some_and(|device| {
                device.device == author.device && device.install == claim.actor.install
            })
    };
    let read = |bytes: &Vec<u8>| {
        let fact = envelope::read_from_device(bytes, author.key, author.verify);
        fact.is_ok_and(|fact| of_author(&fact)).then(|| fact_id(bytes))
    };
    let facts: Option<Vec<FactId>> = envelopes.iter().map(read).collect();
    facts.ok_or_else(|| "a fact in it is not its author's, or of another document".to_owned())
}

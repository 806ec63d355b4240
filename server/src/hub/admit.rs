//! Letting a phone's changes in.
//!
//! The guard's work is long, so it is done before any lock is taken: [`judge`] reads the documents
//! and rules on each change, [`record`](super::record) writes the rulings down in one transaction and finds out by
//! the documents' versions whether they still hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::bytes::ByteVec;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::Fact;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::guard::{self, Admitted, Author, Denied};
use onscene_sync_core::id::{DeviceId, DocId, FactId};
use onscene_sync_core::limits::PATROLS_PER_DAY;
use onscene_sync_core::sync::admission::{self, Ruled};
use onscene_sync_core::sync::message::{Bucket, Push, PushResult, Refusal, RefusalCode};
use onscene_sync_core::time::Millis;

use super::authors::{self, Judged, Phone, Phones};
use super::documents::{self, DocRow, Material};
use super::log::{Carried, NewChange};
use super::quarantine::Refused;
use super::scope::{Caller, Scope};
use super::{Chains, HubError, buckets, snapshots};
use crate::app::App;
use crate::auth::jwk::verify_p256_fast;
use crate::store::Tx;

/// What a request's changes came to, not yet written down.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// How the authors stood when they were judged.
    pub(crate) judged: BTreeMap<DeviceId, Judged>,
    /// The chain ends that colleagues named when they handed over.
    pub(crate) heads: Vec<(DeviceId, Head)>,
    /// The documents that take changes, ascending.
    pub(crate) docs: Vec<DocBatch>,
    /// What goes to quarantine.
    pub(crate) refused: Vec<Refused>,
    /// What the phone is told of each change, in its order.
    pub(crate) results: Vec<PushResult>,
}

/// A document with the changes that it takes.
#[derive(Debug)]
pub(crate) struct DocBatch {
    pub(crate) before: DocRow,
    /// It is new to the hub.
    pub(crate) born: bool,
    pub(crate) after: Document,
    pub(crate) changes: Vec<NewChange>,
    pub(crate) facts: Vec<(FactId, Fact)>,
    /// The buckets that it is in, or that it enters when born.
    pub(crate) buckets: Vec<Bucket>,
}

/// What the database says about the documents of a request.
#[derive(Debug)]
struct Ground {
    phones: Phones,
    rows: BTreeMap<DocId, DocRow>,
    members: BTreeMap<DocId, Vec<Bucket>>,
    cold: Vec<Material>,
}

const TOO_MANY_PATROLS: &str = "this phone began as many patrols as the hub takes in 24 hours: \
     the rest is taken as that time passes";

/// One document's changes in a request, each with its place there.
type Group<'a> = Vec<(usize, &'a Push)>;

/// What a request brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brought {
    pub(crate) push: Arc<[Push]>,
    /// Statements of colleagues.
    pub(crate) statements: Arc<[ByteVec]>,
}

/// Rules on every change of a request.
///
/// # Errors
/// When the database refuses, a document is damaged, or somebody else took a document meanwhile.
pub(crate) async fn judge(
    app: &App,
    caller: &Caller,
    brought: &Brought,
    slots: Chains,
) -> Result<Batch, HubError> {
    if brought.push.is_empty() {
        return Ok(Batch::default());
    }
    let docs: BTreeSet<DocId> = brought.push.iter().map(|push| push.doc).collect();
    let now = app.now();
    let input = (caller.clone(), Arc::clone(&brought.statements), docs, Arc::clone(&app.warm));
    let ground = app
        .store
        .with_read("hub.judge", input, move |tx, (caller, statements, docs, warm)| {
            Box::pin(survey(tx, caller, statements, docs, (warm, now)))
        })
        .await?;
    let mut open = warm_documents(app, &ground)?;
    let brought = brought.clone();
    let work = move || {
        let damaged = build_cold(&ground.cold, &mut open);
        if damaged.is_empty() { Ok(rule(&ground, &brought, open, slots)) } else { Err(damaged) }
    };
    match tokio::task::spawn_blocking(work).await.map_err(|_| HubError::Interrupted)? {
        Ok(batch) => Ok(batch),
        Err(damaged) => {
            for row in damaged {
                snapshots::repair(app, row).await?;
            }
            Err(HubError::Moved)
        }
    }
}

async fn survey(
    tx: &mut Tx,
    caller: &Caller,
    statements: &[ByteVec],
    docs: &BTreeSet<DocId>,
    (warm, now): (&documents::Warm, Millis),
) -> Result<Ground, HubError> {
    let rows = documents::rows(tx, docs.iter().copied(), false).await?;
    let born = rows.len() < docs.len();
    let phones = authors::survey(tx, caller, statements, docs, born.then_some(now)).await?;
    let members = buckets::members(tx, docs.iter().copied()).await?;
    let cold: Vec<DocRow> = rows.values().filter(|row| !warm.has(row)).copied().collect();
    let cold = documents::material(tx, &cold).await?;
    Ok(Ground { phones, rows, members, cold })
}

/// Takes the warm documents. One that went away since it was seen makes the work begin again.
fn warm_documents(app: &App, ground: &Ground) -> Result<BTreeMap<DocId, Document>, HubError> {
    let cold: BTreeSet<DocId> = ground.cold.iter().map(|material| material.row.id).collect();
    ground
        .rows
        .values()
        .filter(|row| !cold.contains(&row.id))
        .map(|row| Ok((row.id, app.warm.take(row).ok_or(HubError::Moved)?)))
        .collect()
}

/// Builds the documents that were not warm; returns those that do not add up.
fn build_cold(cold: &[Material], open: &mut BTreeMap<DocId, Document>) -> Vec<DocRow> {
    let mut damaged = Vec::new();
    for material in cold {
        match material.build() {
            Ok(document) => drop(open.insert(material.row.id, document)),
            Err(_) => damaged.push(material.row),
        }
    }
    damaged
}

fn rule(
    ground: &Ground,
    brought: &Brought,
    mut open: BTreeMap<DocId, Document>,
    mut chains: Chains,
) -> Batch {
    let statements = ground.phones.check(&brought.statements);
    let mut groups: BTreeMap<DocId, Group<'_>> = BTreeMap::new();
    for (place, push) in brought.push.iter().enumerate() {
        groups.entry(push.doc).or_default().push((place, push));
    }
    let known = ground.phones.known.iter();
    let begun = |(device, phone): (&DeviceId, &Phone)| (*device, phone.patrols);
    let mut patrols: BTreeMap<DeviceId, u64> = known.clone().map(begun).collect();
    let mut batch = Batch {
        judged: known.map(|(device, phone)| (*device, phone.judged.clone())).collect(),
        heads: ground.phones.heads(&statements),
        results: vec![PushResult::Duplicate; brought.push.len()],
        ..Batch::default()
    };
    for (doc, group) in groups {
        let born = !ground.rows.contains_key(&doc);
        let before =
            ground.rows.get(&doc).copied().unwrap_or_else(|| DocRow::new(doc, DocKind::Patrol));
        let scopes = ground.phones.scopes(doc, &statements);
        let document = open.remove(&doc).unwrap_or_else(|| Document::new(doc, before.kind));
        let mut run = Run { before, born, scopes, after: document, changes: Vec::new() };
        let mut facts = Vec::new();
        let mut birthplace = None;
        for (place, push) in group {
            let (phone, proof) = ground.phones.author(push, &statements);
            let begun = patrols.entry(phone.caller.device).or_default();
            let begins = run.begins(push, phone);
            if begins && *begun >= PATROLS_PER_DAY {
                batch.results[place] = PushResult::Later(TOO_MANY_PATROLS.to_owned());
                continue;
            }
            match run.take(push, phone, &mut chains) {
                Ruled::Admitted(admitted) => {
                    batch.results[place] = PushResult::Accepted;
                    *begun += u64::from(begins);
                    birthplace.get_or_insert(&phone.birthplace);
                    let carrier = proof.map(|statement| Carried {
                        carrier: ground.phones.caller,
                        statement: statement.to_vec(),
                    });
                    run.note(push, phone, &admitted, carrier);
                    facts.extend(admitted.facts);
                }
                Ruled::Denied(Denied::Refused(refusal)) => {
                    batch.refuse(place, push, phone, refusal);
                }
                denied @ Ruled::Denied(_) => batch.results[place] = denied.result(),
            }
        }
        let buckets = if born {
            birthplace.cloned().unwrap_or_default()
        } else {
            ground.members.get(&doc).cloned().unwrap_or_default()
        };
        let Run { before, after, changes, .. } = run;
        batch.docs.push(DocBatch { before, born, after, changes, facts, buckets });
    }
    batch
}

/// One document's part of a request.
struct Run {
    before: DocRow,
    /// It is new to the hub.
    born: bool,
    scopes: BTreeMap<DeviceId, Scope>,
    after: Document,
    changes: Vec<NewChange>,
}

impl Run {
    /// Rules on one change as if its author had pushed it.
    fn take(&mut self, push: &Push, phone: &Phone, chains: &mut Chains) -> Ruled {
        if let Err(refusal) = self.admissible(push, phone) {
            return Ruled::Denied(refusal.into());
        }
        let author = Author {
            device: phone.caller.device,
            install: phone.judged.install,
            key: &phone.judged.key,
            verify: verify_p256_fast,
        };
        let slots = chains.entry(author.device).or_default();
        admission::admit(&mut self.after, &push.change, &author, slots)
    }

    /// Whether this change, if it is let in, begins the document.
    fn begins(&self, push: &Push, phone: &Phone) -> bool {
        self.born && self.changes.is_empty() && self.admissible(push, phone).is_ok()
    }

    /// Whether changes of this phone for this document may come before the guard at all.
    fn admissible(&self, push: &Push, phone: &Phone) -> Result<(), Refusal> {
        let refuse = |code, detail: &str| Err(Refusal { code, detail: detail.to_owned() });
        if phone.judged.revoked {
            let detail = "this phone was revoked: a supervisor decides what becomes of its records";
            return refuse(RefusalCode::DeviceRevoked, detail);
        }
        if self.born && push.kind != DocKind::Patrol {
            let detail = "there is no such document: only a patrol may begin on a phone";
            return refuse(RefusalCode::UnknownDocument, detail);
        }
        if !self.born && self.scope(phone) == Scope::Never {
            let detail = "this document is not and never was among those of this phone";
            return refuse(RefusalCode::OutOfScope, detail);
        }
        if self.before.kind == push.kind {
            return Ok(());
        }
        let detail = format!("the document is a {}", self.before.kind.name());
        refuse(RefusalCode::Malformed, &detail)
    }

    fn scope(&self, phone: &Phone) -> Scope {
        self.scopes.get(&phone.caller.device).copied().unwrap_or(Scope::Never)
    }

    fn note(&mut self, push: &Push, phone: &Phone, admitted: &Admitted, carried: Option<Carried>) {
        self.changes.push(NewChange {
            doc: push.doc,
            ord: self.before.changes + self.changes.len() as u64 + 1,
            hash: admitted.hash,
            actor: admitted.actor.to_bytes(),
            seq: admitted.seq,
            body: push.change.to_vec(),
            device: phone.caller.device,
            late: !self.born && self.scope(phone) == Scope::Once,
            carried,
        });
    }
}

impl Batch {
    fn refuse(&mut self, place: usize, push: &Push, phone: &Phone, refusal: Refusal) {
        self.results[place] = PushResult::Refused(refusal.clone());
        let claimed = guard::claim(&push.change).map(|claim| claim.actor);
        let claimed = claimed.filter(|actor| actor.device == phone.caller.device);
        self.refused.push(Refused {
            place,
            device: phone.caller.device,
            install: claimed.map(|actor| actor.install),
            doc: push.doc,
            kind: push.kind,
            hash: sha256(&push.change),
            body: push.change.to_vec(),
            refusal,
        });
    }
}

//! Letting a phone's changes in.
//!
//! The guard's work is long, so it is done before any lock is taken: [`judge`] reads the documents
//! and rules on each change, [`record`](super::record) writes the rulings down in one transaction and finds out by
//! the documents' versions whether they still hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::Fact;
use onscene_sync_core::guard::Author;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::admission::{Ruled, admit_run};
use onscene_sync_core::sync::chain::Slots;
use onscene_sync_core::sync::message::{Bucket, Push, PushResult, Refusal, RefusalCode};

use super::documents::{self, DocRow, Material};
use super::log::NewChange;
use super::quarantine::Refused;
use super::scope::{self, Caller, Scope};
use super::{HubError, buckets, snapshots};
use crate::app::App;
use crate::auth::jwk::verify_p256_fast;
use crate::store::{RowExt as _, StoreError, Tx};

/// What a request's changes came to, not yet written down.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// How the device stood when it was judged; `None` if nothing was.
    pub(crate) judged: Option<Judged>,
    /// The documents that take changes, ascending.
    pub(crate) docs: Vec<DocBatch>,
    /// What goes to quarantine.
    pub(crate) refused: Vec<Refused>,
    /// What the phone is told of each change, in its order.
    pub(crate) results: Vec<PushResult>,
}

/// What was assumed about the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) install: u32,
    pub(crate) revoked: bool,
    key: Vec<u8>,
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
    judged: Judged,
    rows: BTreeMap<DocId, DocRow>,
    scopes: BTreeMap<DocId, Scope>,
    members: BTreeMap<DocId, Vec<Bucket>>,
    /// The buckets that a patrol begins in.
    birthplace: Vec<Bucket>,
    cold: Vec<Material>,
}

/// One document's changes in a request, each with its place there.
struct Group<'a> {
    kind: DocKind,
    pushes: Vec<(usize, &'a Push)>,
}

/// Rules on every change of a request.
///
/// # Errors
/// When the database refuses, a document is damaged, or somebody else took a document meanwhile.
pub(crate) async fn judge(
    app: &App,
    caller: &Caller,
    pushes: &Arc<[Push]>,
    slots: Slots,
) -> Result<Batch, HubError> {
    if pushes.is_empty() {
        return Ok(Batch::default());
    }
    let docs: BTreeSet<DocId> = pushes.iter().map(|push| push.doc).collect();
    let input = (caller.clone(), docs, Arc::clone(&app.warm));
    let ground = app
        .store
        .with_read("hub.judge", input, |tx, (caller, docs, warm)| {
            Box::pin(survey(tx, caller, docs, warm))
        })
        .await?;
    let mut open = warm_documents(app, &ground)?;
    let (caller, pushes) = (caller.clone(), Arc::clone(pushes));
    let work = move || {
        let damaged = build_cold(&ground.cold, &mut open);
        if damaged.is_empty() {
            Ok(rule(&caller, &ground, &pushes, open, slots))
        } else {
            Err(damaged)
        }
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
    docs: &BTreeSet<DocId>,
    warm: &documents::Warm,
) -> Result<Ground, HubError> {
    const SQL: &str = "SELECT install, revoked_at, key FROM device WHERE device = $1";
    let row = sqlx::query(SQL).bind(&caller.device.as_bytes()[..]).fetch_optional(tx.conn()).await;
    let row = row.map_err(StoreError::from)?.ok_or(HubError::UnknownDevice)?;
    let judged = Judged {
        install: row.number("install")?,
        revoked: row.opt_int("revoked_at")?.is_some(),
        key: row.bytes("key")?,
    };
    let rows = documents::rows(tx, docs.iter().copied(), false).await?;
    let scopes = scope::of_documents(tx, caller, docs.iter().copied()).await?;
    let members = buckets::members(tx, docs.iter().copied()).await?;
    let mut birthplace = vec![Bucket::Unit(caller.unit), Bucket::Person(caller.person)];
    if rows.len() < docs.len() {
        birthplace.extend(buckets::supervision_of(tx, caller.unit).await?);
    }
    let cold: Vec<DocRow> = rows.values().filter(|row| !warm.has(row)).copied().collect();
    let cold = documents::material(tx, &cold).await?;
    Ok(Ground { judged, rows, scopes, members, birthplace, cold })
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
    caller: &Caller,
    ground: &Ground,
    pushes: &[Push],
    mut open: BTreeMap<DocId, Document>,
    mut slots: Slots,
) -> Batch {
    let mut groups: BTreeMap<DocId, Group<'_>> = BTreeMap::new();
    for (place, push) in pushes.iter().enumerate() {
        let group = Group { kind: push.kind, pushes: Vec::new() };
        groups.entry(push.doc).or_insert(group).pushes.push((place, push));
    }
    let mut batch = Batch {
        judged: Some(ground.judged.clone()),
        results: vec![PushResult::Duplicate; pushes.len()],
        ..Batch::default()
    };
    for (doc, group) in groups {
        match admissible(ground, doc, &group) {
            Err(refusal) => {
                group.pushes.iter().for_each(|(place, push)| batch.refuse(*place, push, &refusal));
            }
            Ok((before, born)) => {
                let document = open.remove(&doc).unwrap_or_else(|| Document::new(doc, before.kind));
                let run = Run { caller, ground, before, born };
                batch.take(&run, document, &group, &mut slots);
            }
        }
    }
    batch
}

/// Whether changes of this device for this document may come before the guard at all.
fn admissible(ground: &Ground, doc: DocId, group: &Group<'_>) -> Result<(DocRow, bool), Refusal> {
    let refuse = |code, detail: &str| Err(Refusal { code, detail: detail.to_owned() });
    if ground.judged.revoked {
        let detail = "this phone was revoked: a supervisor decides what becomes of its records";
        return refuse(RefusalCode::DeviceRevoked, detail);
    }
    let Some(row) = ground.rows.get(&doc) else {
        return if group.kind == DocKind::Patrol {
            Ok((DocRow::new(doc, DocKind::Patrol), true))
        } else {
            let detail = "there is no such document: only a patrol may begin on a phone";
            refuse(RefusalCode::UnknownDocument, detail)
        };
    };
    match ground.scopes.get(&doc) {
        Some(Scope::Now | Scope::Once) => {}
        Some(Scope::Never) | None => {
            let detail = "this document is not and never was among those of this phone";
            return refuse(RefusalCode::OutOfScope, detail);
        }
    }
    if row.kind == group.kind {
        Ok((*row, false))
    } else {
        refuse(RefusalCode::Malformed, &format!("the document is a {}", row.kind.name()))
    }
}

/// One document's part of a request.
struct Run<'a> {
    caller: &'a Caller,
    ground: &'a Ground,
    before: DocRow,
    born: bool,
}

impl Batch {
    fn refuse(&mut self, place: usize, push: &Push, refusal: &Refusal) {
        self.results[place] = PushResult::Refused(refusal.clone());
        self.refused.push(Refused {
            doc: push.doc,
            kind: push.kind,
            hash: sha256(&push.change),
            body: push.change.to_vec(),
            refusal: refusal.clone(),
        });
    }

    fn take(&mut self, run: &Run<'_>, document: Document, group: &Group<'_>, slots: &mut Slots) {
        let judged = &run.ground.judged;
        let author = Author {
            device: run.caller.device,
            install: judged.install,
            key: &judged.key,
            verify: verify_p256_fast,
        };
        let mut after = document;
        let bytes: Vec<&[u8]> = group.pushes.iter().map(|(_, push)| &push.change[..]).collect();
        let ruled = admit_run(&mut after, &bytes, &author, slots);
        let (mut changes, mut facts) = (Vec::new(), Vec::new());
        for ((place, push), ruled) in group.pushes.iter().zip(ruled) {
            match (ruled.result(), ruled) {
                (PushResult::Refused(refusal), _) => self.refuse(*place, push, &refusal),
                (result, Ruled::Admitted(admitted)) => {
                    self.results[*place] = result;
                    changes.push(NewChange {
                        doc: push.doc,
                        ord: run.before.changes + changes.len() as u64 + 1,
                        hash: admitted.hash,
                        actor: admitted.actor.to_bytes(),
                        seq: admitted.seq,
                        body: push.change.to_vec(),
                        device: run.caller.device,
                        late: run.is_late(),
                    });
                    facts.extend(admitted.facts);
                }
                (result, Ruled::Denied(_)) => self.results[*place] = result,
            }
        }
        let id = run.before.id;
        let buckets = if run.born {
            run.ground.birthplace.clone()
        } else {
            run.ground.members.get(&id).cloned().unwrap_or_default()
        };
        let before = run.before;
        self.docs.push(DocBatch { before, born: run.born, after, changes, facts, buckets });
    }
}

impl Run<'_> {
    fn is_late(&self) -> bool {
        self.ground.scopes.get(&self.before.id) == Some(&Scope::Once) && !self.born
    }
}

//! After the storm: what must hold when everybody has synced.

use std::collections::{BTreeMap, BTreeSet};

use onscene_mobile::{EventKind, ItemState, Job};
use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::fact::envelope;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::message::Bucket;
use sha2::Digest as _;
use sqlx::SqlitePool;

use super::{Outcome, Simulation};
use crate::oracle;

/// Rounds in which everybody syncs before quiet is given up on.
const ROUNDS: usize = 30;

/// The hub's log of one document.
#[derive(Debug)]
pub(super) struct Log {
    kind: DocKind,
    changes: Vec<Vec<u8>>,
}

impl Simulation {
    /// Heals the network, lets everybody sync until nothing moves, and asks the oracles.
    pub(super) async fn settle(mut self) -> Outcome {
        self.tell("the storm is over");
        let mut before = None;
        let mut quiet = false;
        for _ in 0..ROUNDS {
            self.world.pass(40_000);
            for n in 0..self.phones.len() {
                self.deliver_late(n);
                self.sync_well(n).await;
            }
            let now = self.hub_size().await;
            quiet = before == Some(now);
            if quiet {
                break;
            }
            before = Some(now);
        }
        let mut objections = Vec::new();
        if !quiet {
            objections.push(format!("no quiet after {ROUNDS} rounds"));
        }
        let logs = self.logs().await;
        self.check_logs(&logs, &mut objections);
        Self::check_restated(&logs, &mut objections);
        self.check_buckets(&logs, &mut objections).await;
        self.check_phones(&logs, &mut objections).await;
        self.check_files(&logs, &mut objections).await;
        let mut recorded = 0;
        let mut refused = 0;
        for phone in &mut self.phones {
            let counts = phone.device().counts().expect("counts");
            recorded += counts.recorded;
            refused += counts.refused;
        }
        let relayed = self.relayed().await;
        Outcome { trace: self.trace.finalize().into(), recorded, refused, relayed, objections }
    }

    /// Changes that the hub has through a colleague of their author.
    async fn relayed(&self) -> u64 {
        let database = self.database().await;
        let sql = "SELECT count(*) FROM carried_change";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&database).await.expect("a count");
        database.close().await;
        count.cast_unsigned()
    }

    pub(super) async fn database(&self) -> SqlitePool {
        SqlitePool::connect(&format!("sqlite://{}", self.hub.database().display()))
            .await
            .expect("the hub's database opens")
    }

    /// Counts that stop rising when nothing more happens.
    async fn hub_size(&self) -> (i64, i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM quarantine), \
                   (SELECT coalesce(sum(n), 0) FROM bucket)";
        let database = self.database().await;
        let size = sqlx::query_as(sql).fetch_one(&database).await.expect("counts");
        database.close().await;
        size
    }

    async fn logs(&self) -> BTreeMap<DocId, Log> {
        let database = self.database().await;
        let docs: Vec<(Vec<u8>, i64)> = sqlx::query_as("SELECT doc_id, kind FROM doc")
            .fetch_all(&database)
            .await
            .expect("docs");
        let mut logs = BTreeMap::new();
        for (doc, kind) in docs {
            let changes: Vec<(Vec<u8>,)> =
                sqlx::query_as("SELECT body FROM change WHERE doc_id = ? ORDER BY ord")
                    .bind(&doc)
                    .fetch_all(&database)
                    .await
                    .expect("changes");
            let kinds = [DocKind::Case, DocKind::Response, DocKind::Patrol, DocKind::Recheck];
            let kind = kinds[usize::try_from(kind).expect("a kind")];
            let changes = changes.into_iter().map(|(body,)| body).collect();
            logs.insert(doc_id(&doc), Log { kind, changes });
        }
        database.close().await;
        logs
    }

    /// Each log obeys the policy as the oracle knows it, and what it gives can be saved and loaded.
    fn check_logs(&self, logs: &BTreeMap<DocId, Log>, objections: &mut Vec<String>) {
        for (doc, log) in logs {
            for objection in oracle::objections(*doc, log.kind, &log.changes) {
                objections.push(format!("{doc}: {objection}"));
            }
            let replayed = Document::replay(*doc, log.kind, log.changes.iter().map(Vec::as_slice));
            let saved = replayed.and_then(|document| document.save_verified());
            if let Err(error) = saved {
                objections.push(format!("{doc} is poisoned: {error}"));
            }
        }
    }

    /// Nothing that was stated anew stands beside what it restates: that would count it twice.
    fn check_restated(logs: &BTreeMap<DocId, Log>, objections: &mut Vec<String>) {
        let stated: Vec<(FactId, Option<FactId>)> = logs
            .iter()
            .filter_map(|(doc, log)| replay(*doc, log))
            .flat_map(|document| document.facts())
            .filter_map(|(id, bytes)| {
                let fact = envelope::read(&bytes).ok()?;
                Some((id, fact.device().and_then(|device| device.restates)))
            })
            .collect();
        let all: BTreeSet<FactId> = stated.iter().map(|(id, _)| *id).collect();
        for (id, restates) in stated {
            if restates.is_some_and(|earlier| all.contains(&earlier)) {
                objections.push(format!("{id} is counted twice: what it restates is there too"));
            }
        }
    }

    /// Each bucket's sequence has no gap, and its checksum is that of the documents in it.
    async fn check_buckets(&self, logs: &BTreeMap<DocId, Log>, objections: &mut Vec<String>) {
        let database = self.database().await;
        let gaps: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT b.n, count(l.seq), coalesce(max(l.seq), 0) FROM bucket b \
             LEFT JOIN bucket_log l ON l.bucket = b.bucket GROUP BY b.bucket, b.n",
        )
        .fetch_all(&database)
        .await
        .expect("buckets");
        for (n, rows, highest) in gaps {
            if n != rows || n != highest {
                objections.push(format!("a bucket at {n} has {rows} rows up to {highest}"));
            }
        }
        let sums: BTreeMap<DocId, u64> = logs.iter().map(|(doc, log)| (*doc, sum(log))).collect();
        let buckets: Vec<(Vec<u8>, i64)> = sqlx::query_as("SELECT bucket, checksum FROM bucket")
            .fetch_all(&database)
            .await
            .expect("buckets");
        for (bucket, checksum) in buckets {
            let members: Vec<(Vec<u8>,)> = sqlx::query_as(
                "SELECT doc_id FROM doc_bucket WHERE bucket = ? AND left_seq IS NULL",
            )
            .bind(&bucket)
            .fetch_all(&database)
            .await
            .expect("members");
            let sum =
                members.iter().fold(0_u64, |sum, (doc,)| sum.wrapping_add(sums[&doc_id(doc)]));
            if sum != checksum.cast_unsigned() {
                objections.push("a bucket's checksum is not that of its documents".to_owned());
            }
        }
        database.close().await;
    }

    /// Each phone holds what its scope holds, everything acknowledged is at the hub, once.
    async fn check_phones(&mut self, logs: &BTreeMap<DocId, Log>, objections: &mut Vec<String>) {
        let at_hub: BTreeMap<DocId, BTreeSet<FactId>> =
            logs.iter().map(|(doc, log)| (*doc, facts(*doc, log))).collect();
        for n in 0..self.phones.len() {
            let scope = self.scope(n).await;
            for (fact, doc) in self.phones[n].acknowledged.clone() {
                if !at_hub.get(&doc).is_some_and(|facts| facts.contains(&fact)) {
                    objections.push(format!("phone {n} saw {fact} delivered; the hub lacks it"));
                }
            }
            if !self.phones[n].revoked {
                for (doc, kind) in scope {
                    self.compare(n, doc, kind, &at_hub[&doc], objections);
                }
            }
            self.check_account(n, &at_hub, objections);
        }
    }

    /// Nothing waits, nothing is counted twice, no alarm was raised.
    fn check_account(
        &mut self,
        n: usize,
        at_hub: &BTreeMap<DocId, BTreeSet<FactId>>,
        objections: &mut Vec<String>,
    ) {
        let mut seen = BTreeSet::new();
        for item in self.phones[n].items() {
            match item.state {
                ItemState::Saved => objections.push(format!("phone {n} still waits: {item:?}")),
                ItemState::Delivered | ItemState::Verified => {
                    let Some(fact) = item.fact else { continue };
                    if !seen.insert(fact) {
                        objections.push(format!("phone {n} counts {fact} twice"));
                    }
                    if !at_hub.get(&item.doc).is_some_and(|facts| facts.contains(&fact)) {
                        objections.push(format!("phone {n}: {fact} is not at the hub"));
                    }
                }
                ItemState::Refused { .. } if self.phones[n].revoked => {}
                ItemState::Refused { code, detail } => {
                    objections.push(format!("phone {n} was refused: {code}: {detail}"));
                }
            }
        }
        for event in self.phones[n].device().events_since(0, 10_000).expect("events") {
            if matches!(event.kind, EventKind::Alarm) {
                objections.push(format!("phone {n} raised {event:?}"));
            }
        }
    }

    fn compare(
        &mut self,
        n: usize,
        doc: DocId,
        kind: DocKind,
        hub: &BTreeSet<FactId>,
        objections: &mut Vec<String>,
    ) {
        let device = self.phones[n].device();
        let held = match kind {
            DocKind::Case => return self.compare_case(n, doc, objections),
            DocKind::Response | DocKind::Patrol | DocKind::Recheck => {
                device.visit(Job::Inspection(doc))
            }
        };
        let held: BTreeSet<FactId> = match held {
            Ok(view) => view.facts.into_iter().map(|(id, _)| id).collect(),
            Err(error) => return objections.push(format!("phone {n} lacks {doc}: {error}")),
        };
        if held != *hub {
            objections.push(format!("phone {n} holds other facts of {doc} than the hub"));
        }
    }

    fn compare_case(&mut self, n: usize, doc: DocId, objections: &mut Vec<String>) {
        if let Err(error) = self.phones[n].device().case(doc) {
            objections.push(format!("phone {n} lacks case {doc}: {error}"));
        }
    }

    /// The documents that a phone follows now, as the hub's tables say.
    async fn scope(&self, n: usize) -> Vec<(DocId, DocKind)> {
        let phone = &self.phones[n];
        let database = self.database().await;
        let mut scope = Vec::new();
        for bucket in [Bucket::Unit(self.units[phone.unit]), Bucket::Person(phone.person)] {
            let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
                "SELECT d.doc_id, d.kind FROM doc_bucket m JOIN doc d ON d.doc_id = m.doc_id \
                 WHERE m.bucket = ? AND m.left_seq IS NULL",
            )
            .bind(onscene_server::hub::buckets::key(&bucket))
            .fetch_all(&database)
            .await
            .expect("members");
            let kinds = [DocKind::Case, DocKind::Response, DocKind::Patrol, DocKind::Recheck];
            scope.extend(
                rows.into_iter().map(|(doc, kind)| {
                    (doc_id(&doc), kinds[usize::try_from(kind).expect("a kind")])
                }),
            );
        }
        database.close().await;
        scope
    }
}

fn doc_id(bytes: &[u8]) -> DocId {
    DocId::from_bytes(bytes.try_into().expect("sixteen bytes"))
}

fn sum(log: &Log) -> u64 {
    log.changes.iter().filter_map(|chunk| automerge::Change::try_from(chunk.as_slice()).ok()).fold(
        0,
        |sum, change| {
            let mut prefix = [0; 8];
            prefix.copy_from_slice(&change.hash().0[..8]);
            u64::wrapping_add(sum, u64::from_be_bytes(prefix))
        },
    )
}

fn facts(doc: DocId, log: &Log) -> BTreeSet<FactId> {
    let facts = replay(doc, log).map(|document| document.facts()).unwrap_or_default();
    facts.into_iter().map(|(id, _)| id).collect()
}

pub(super) fn replay(doc: DocId, log: &Log) -> Option<Document> {
    Document::replay(doc, log.kind, log.changes.iter().map(Vec::as_slice)).ok()
}

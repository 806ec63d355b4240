//! A small bureau in the database, and phones that speak to the hub without HTTP.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use onscene_sync_core::crypto::SoftwareP256;
use onscene_sync_core::document::{DocKind, Document, Entry};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::fact::body::{Body, Text};
use onscene_sync_core::fact::{self, DeviceAuthor, FACT_VERSION, Fact};
use onscene_sync_core::guard;
use onscene_sync_core::handover::statement::{self, Listed, Statement};
use onscene_sync_core::id::{Actor, BootId, DeviceId, DocId, FactId, Hash, PersonId, UnitId};
use onscene_sync_core::sync::message::{
    Bucket, Cursor, Frame, Page, Push, PushResult, RefusalCode, Standing, SyncReply, SyncRequest,
};
use onscene_sync_core::sync::version;
use onscene_sync_core::time::ClockReading;

use crate::app::App;
use crate::auth::Role;
use crate::clock::ManualClock;
use crate::hub::scope::Caller;
use crate::hub::{HubError, buckets, documents, exchange, verify};
use crate::store::testing::TestStore;
use crate::store::{RowExt as _, StoreError};

/// The bureau: a district over two squads.
pub(super) const DISTRICT: UnitId = UnitId::from_bytes([0xd0; 16]);
pub(super) const SQUAD: UnitId = UnitId::from_bytes([0xa1; 16]);
pub(super) const OTHER_SQUAD: UnitId = UnitId::from_bytes([0xb2; 16]);

/// A hub with its bureau.
pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: ManualClock,
    pub(super) store: TestStore,
}

impl World {
    pub(super) async fn new(store: TestStore) -> Self {
        let (app, clock) = store.app().await;
        let world = Self { app, clock, store };
        for (unit, parent) in
            [(DISTRICT, None), (SQUAD, Some(DISTRICT)), (OTHER_SQUAD, Some(DISTRICT))]
        {
            world.add_unit(unit, parent).await;
        }
        world
    }

    /// Another process over the same database.
    pub(super) async fn another_node(&self) -> App {
        let store = self.store.another().await;
        let (mut app, _) = App::for_tests_on(self.store.dir.path(), store).await.unwrap();
        app.clock = self.app.clock.clone();
        app.keys = self.app.keys.clone();
        app
    }

    async fn add_unit(&self, unit: UnitId, parent: Option<UnitId>) {
        self.execute(
            "INSERT INTO unit (unit_id, parent, name, created_at) VALUES ($1, $2, 'x', 0)",
            vec![Some(unit.as_bytes().to_vec()), parent.map(|parent| parent.as_bytes().to_vec())],
        )
        .await;
    }

    /// Runs one statement with bytes as its parameters.
    pub(super) async fn execute(&self, sql: &'static str, bytes: Vec<Option<Vec<u8>>>) {
        let work = (sql, bytes);
        let done = self.app.store.with_tx("test", work, |tx, (sql, bytes)| {
            Box::pin(async move {
                let query = bytes.iter().fold(sqlx::query(*sql), |query, value| query.bind(value));
                query.execute(tx.conn()).await.map_err(StoreError::from)
            })
        });
        done.await.unwrap();
    }

    /// A single number out of the database.
    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let read = self.app.store.with_read("test", sql, |tx, sql| {
            Box::pin(async move {
                let row = sqlx::query(*sql).fetch_one(tx.conn()).await?;
                row.int("n")
            })
        });
        read.await.unwrap()
    }

    /// The bytes of a document's change.
    pub(super) async fn body(&self, doc: DocId, ord: i64) -> Vec<u8> {
        let read = self.app.store.with_read("test", (doc, ord), |tx, (doc, ord)| {
            Box::pin(async move {
                let query = sqlx::query("SELECT body FROM change WHERE doc_id = $1 AND ord = $2");
                let row =
                    query.bind(doc.as_bytes().to_vec()).bind(*ord).fetch_one(tx.conn()).await?;
                row.bytes("body")
            })
        });
        read.await.unwrap()
    }

    /// A phone of the squad; `number` makes it and its person.
    pub(super) async fn phone(&self, number: u8) -> Phone {
        let phone = Phone::new(number, SQUAD);
        let person = phone.caller.person.as_bytes().to_vec();
        self.execute(
            "INSERT INTO person (person_id, name, role, unit_id, created_at) \
             VALUES ($1, 'x', 'inspector', $2, 0)",
            vec![Some(person.clone()), Some(SQUAD.as_bytes().to_vec())],
        )
        .await;
        self.execute(
            "INSERT INTO device (device, person_id, key, model, key_level, app_version, \
                 check_words, install, enrolled_at) \
             VALUES ($1, $2, $3, 'x', 'software', '1', '[]', 1, 0)",
            vec![
                Some(phone.caller.device.as_bytes().to_vec()),
                Some(person),
                Some(phone.key.public_key()),
            ],
        )
        .await;
        phone
    }

    /// Begins an inspection that answers an order to the squad.
    pub(super) async fn response(&self, number: u8) -> DocId {
        let doc = DocId::from_bytes([number; 16]);
        let now = self.app.now();
        let made = self.app.store.with_tx("test", (), move |tx, ()| {
            Box::pin(async move {
                documents::create(tx, doc, DocKind::Response, now).await?;
                buckets::enter(tx, doc, &[Bucket::Unit(SQUAD)], now).await
            })
        });
        made.await.unwrap();
        doc
    }

    pub(super) async fn move_doc(&self, doc: DocId, from: UnitId, to: UnitId) {
        let now = self.app.now();
        let moved = self.app.store.with_tx("test", (), move |tx, ()| {
            Box::pin(async move {
                buckets::leave(tx, doc, &[Bucket::Unit(from)], now).await?;
                buckets::enter(tx, doc, &[Bucket::Unit(to)], now).await
            })
        });
        moved.await.unwrap();
    }

    /// Everything rebuilt from the logs fits.
    pub(super) async fn assert_sound(&self) {
        let report = verify::verify(&self.app.store, None).await.unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
    }
}

/// A phone: its key, its chain, its documents and what it has yet to push.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) caller: Caller,
    pub(super) install: u32,
    pub(super) incarnation: u32,
    key: SoftwareP256,
    scalar: [u8; 32],
    seq: u64,
    prev: Option<FactId>,
    pub(super) docs: BTreeMap<DocId, Document>,
    pub(super) outbox: Vec<Push>,
    held: BTreeMap<Bucket, (Cursor, BTreeSet<DocId>)>,
}

impl Phone {
    fn new(number: u8, unit: UnitId) -> Self {
        let device = DeviceId::from_bytes([number; 8]);
        Self::enrolled(number, device, PersonId::from_bytes([number; 16]), unit)
    }

    /// A phone that the hub knows under this id; `number` makes its key.
    pub(super) fn enrolled(number: u8, device: DeviceId, person: PersonId, unit: UnitId) -> Self {
        let scalar = [number; 32];
        Self {
            caller: Caller::new(device, person, Role::Inspector, unit),
            install: 1,
            incarnation: 0,
            key: SoftwareP256::from_scalar(&scalar).unwrap(),
            scalar,
            seq: 0,
            prev: None,
            docs: BTreeMap::new(),
            outbox: Vec::new(),
            held: BTreeMap::new(),
        }
    }

    /// The same phone from a backup made now.
    pub(super) fn backup(&self) -> Self {
        Self {
            caller: self.caller.clone(),
            install: self.install,
            incarnation: self.incarnation,
            key: SoftwareP256::from_scalar(&self.scalar).unwrap(),
            scalar: self.scalar,
            seq: self.seq,
            prev: self.prev,
            docs: self.docs.clone(),
            outbox: self.outbox.clone(),
            held: self.held.clone(),
        }
    }

    pub(super) fn now_in(&mut self, unit: UnitId) {
        let Caller { device, person, .. } = self.caller;
        self.caller = Caller::new(device, person, Role::Inspector, unit);
    }

    /// Starts a chain under a new install number.
    pub(super) fn reinstall(&mut self, install: u32) {
        (self.install, self.seq, self.prev) = (install, 0, None);
        self.docs.clear();
        self.held.clear();
        self.outbox.clear();
    }

    pub(super) fn begin_patrol(&mut self, number: u8) -> DocId {
        let doc = DocId::from_bytes([number; 16]);
        self.docs.insert(doc, Document::new(doc, DocKind::Patrol));
        doc
    }

    /// Holds a document that it has not been sent.
    pub(super) fn invent(&mut self, doc: DocId, kind: DocKind) {
        self.docs.insert(doc, Document::new(doc, kind));
    }

    pub(super) fn note(&mut self, doc: DocId, text: &str) -> FactId {
        self.state(doc, Body::Note(Text { text: text.to_owned(), by: None }))
    }

    pub(super) fn state(&mut self, doc: DocId, body: Body) -> FactId {
        let author = DeviceAuthor {
            device: self.caller.device,
            install: self.install,
            seq: self.seq + 1,
            prev: self.prev,
            clock: self.clock(),
            anchors: Vec::new(),
            restates: None,
        };
        let author = fact::Author::Device(author);
        let fact = Fact { version: FACT_VERSION, doc, author, body };
        let (id, envelope) = fact::envelope::seal(&fact, &self.key).unwrap();
        (self.seq, self.prev) = (self.seq + 1, Some(id));
        let actor = Actor {
            device: self.caller.device,
            install: self.install,
            incarnation: self.incarnation,
        };
        let document = self.docs.get_mut(&doc).expect("the phone holds it");
        let entry = Entry { facts: vec![(id, envelope)], ..Entry::default() };
        let change = document.write(actor, &entry).unwrap().bytes.into();
        self.outbox.push(Push { doc, kind: document.kind(), change });
        id
    }

    /// States what it hands over of its outbox to another phone, or only that these documents are.
    pub(super) fn states(&self, to: &Self, docs: &[DocId]) -> ByteVec {
        let mut listed: BTreeMap<DocId, Vec<Hash>> =
            docs.iter().map(|doc| (*doc, Vec::new())).collect();
        for push in &self.outbox {
            let claim = guard::claim(&push.change).expect("a change");
            if claim.actor.device == self.caller.device {
                listed.entry(push.doc).or_default().push(claim.hash);
            }
        }
        let docs = listed.into_iter().map(|(doc, changes)| Listed { doc, changes }).collect();
        let (device, to) = (self.caller.device, to.caller.device);
        let stated = Statement { device, to, head: self.head(), docs };
        statement::seal(&stated, &self.key).unwrap().into()
    }

    /// A request that delivers what another phone has in its outbox, with these proofs.
    pub(super) fn carrying(&self, author: &Self, statements: Vec<ByteVec>) -> SyncRequest {
        let push = author.outbox.iter().chain(&self.outbox).cloned().collect();
        SyncRequest { push, statements, ..self.request() }
    }

    pub(super) fn clock(&self) -> ClockReading {
        ClockReading { wall_ms: 0, boot_ns: 1, boot: BootId::from_bytes([1; 8]) }
    }

    pub(super) fn head(&self) -> Head {
        Head { install: self.install, seq: self.seq, fact: self.prev }
    }

    pub(super) fn request(&self) -> SyncRequest {
        SyncRequest {
            protocol: version::CURRENT,
            head: self.head(),
            clock: self.clock(),
            anchor: None,
            cursors: self.held.values().map(|(cursor, _)| *cursor).collect(),
            push: self.outbox.clone(),
            want: Vec::new(),
            renew: false,
            max_bytes: 1 << 20,
            seen: None,
            disputed: None,
            statements: Vec::new(),
            certify: false,
        }
    }

    pub(super) async fn send(&self, app: &App, request: SyncRequest) -> SyncReply {
        self.try_send(app, request).await.unwrap()
    }

    pub(super) async fn try_send(
        &self,
        app: &App,
        request: SyncRequest,
    ) -> Result<SyncReply, HubError> {
        exchange::sync(app, &self.caller, request).await
    }

    /// One whole sync: everything accepted or known leaves the outbox, every frame is applied.
    pub(super) async fn sync(&mut self, app: &App) -> SyncReply {
        let reply = self.send(app, self.request()).await;
        let delivered = |result: &PushResult| {
            matches!(result, PushResult::Accepted | PushResult::Duplicate | PushResult::Refused(_))
        };
        let mut results = reply.results.iter();
        self.outbox.retain(|_| !results.next().is_some_and(delivered));
        self.apply(&reply);
        reply
    }

    /// Syncs until nothing more comes.
    pub(super) async fn catch_up(&mut self, app: &App) -> SyncReply {
        loop {
            let reply = self.sync(app).await;
            assert_eq!(reply.standing, Standing::Good);
            if reply.buckets.iter().all(|page| page.checksum.is_some()) {
                return reply;
            }
        }
    }

    pub(super) fn apply(&mut self, reply: &SyncReply) {
        for page in &reply.buckets {
            self.apply_page(page);
        }
        for whole in &reply.docs {
            let document = Document::load(whole.doc, whole.kind, &whole.snapshot).unwrap();
            assert_eq!(document.sum(), whole.sum);
            self.docs.insert(whole.doc, document);
        }
    }

    fn apply_page(&mut self, page: &Page) {
        let cursor = Cursor { bucket: page.bucket, epoch: page.epoch, seq: page.seq };
        let (held, members) = self.held.entry(page.bucket).or_insert((cursor, BTreeSet::new()));
        assert!(page.seq >= held.seq, "a cursor never goes back");
        *held = cursor;
        for frame in &page.frames {
            match frame {
                Frame::Change { doc, change } => {
                    let document = self.docs.get_mut(doc).expect("the document came before");
                    document.apply(change).expect("what it builds on came before");
                }
                Frame::Own { doc, hash } => {
                    assert!(self.docs[doc].contains(hash), "it holds what it wrote");
                }
                Frame::Enter(whole) => {
                    let document = Document::load(whole.doc, whole.kind, &whole.snapshot).unwrap();
                    assert_eq!(document.sum(), whole.sum);
                    let pending = self.outbox.iter().filter(|push| push.doc == whole.doc);
                    let document = pending.fold(document, |mut document, push| {
                        document.apply(&push.change).unwrap();
                        document
                    });
                    self.docs.insert(whole.doc, document);
                    members.insert(whole.doc);
                }
                Frame::Leave { doc } => {
                    members.remove(doc);
                }
            }
        }
        if let Some(checksum) = page.checksum
            && self.outbox.is_empty()
        {
            let sum = members.iter().fold(0_u64, |sum, doc| sum.wrapping_add(self.docs[doc].sum()));
            assert_eq!(sum, checksum, "the phone holds what the bucket holds");
        }
    }

    pub(super) fn members(&self, bucket: Bucket) -> BTreeSet<DocId> {
        self.held.get(&bucket).map(|(_, members)| members.clone()).unwrap_or_default()
    }

    pub(super) fn hashes(&self, doc: DocId) -> BTreeSet<Hash> {
        self.docs[&doc].change_hashes().collect()
    }
}

pub(super) fn refusal(result: &PushResult) -> Option<RefusalCode> {
    match result {
        PushResult::Refused(refusal) => Some(refusal.code),
        _ => None,
    }
}

pub(super) fn page(reply: &SyncReply, bucket: Bucket) -> &Page {
    reply.buckets.iter().find(|page| page.bucket == bucket).expect("it follows the bucket")
}

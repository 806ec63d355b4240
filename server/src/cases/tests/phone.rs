//! A phone of a squad that keeps its documents, its chain and its anchors, and syncs when told to.

use std::collections::BTreeMap;

use onscene_sync_core::crypto::{SoftwareP256, fact_id, sha256};
use onscene_sync_core::document::{DocKind, Document, Entry as Written};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::fact::body::{
    Accepted, ArrivalClaim, Body, Finding, Manifest, Media, Outcome, OutcomeReport, Text,
    Withdrawal,
};
use onscene_sync_core::fact::envelope::{read_anchor, seal};
use onscene_sync_core::fact::{AnchorRef, Author, DeviceAuthor, FACT_VERSION, Fact};
use onscene_sync_core::guard;
use onscene_sync_core::handover::statement::{self, Listed, Statement};
use onscene_sync_core::id::{Actor, BootId, DeviceId, DocId, FactId, Hash, PersonId, UnitId};
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use onscene_sync_core::sync::message::{
    Bucket, Cursor, Frame, Push, PushResult, SyncReply, SyncRequest,
};
use onscene_sync_core::sync::version;
use onscene_sync_core::time::{ClockReading, Millis};

use super::bureau::Bureau;
use crate::audit::{Deed, Entry, note};
use crate::auth::Role;
use crate::http::people::{NewPerson, insert as insert_person};
use crate::hub::exchange;
use crate::hub::scope::Caller;
use crate::store::StoreError;

/// See the module.
pub(super) struct Phone {
    caller: Caller,
    key: SoftwareP256,
    head: Head,
    cursors: BTreeMap<Bucket, Cursor>,
    docs: BTreeMap<DocId, Document>,
    outbox: Vec<Push>,
    newest: Option<AnchorRef>,
    unstated: Vec<AnchorRef>,
    booted_at: Millis,
    boot: u8,
    lag_ms: i64,
    /// Which errors its receiver makes next: each claim has its own.
    pub(super) errors: u8,
}

impl Phone {
    /// An enrolled phone of an inspector of `unit`.
    pub(super) async fn new(bureau: &Bureau, number: u8, unit: UnitId) -> Self {
        Self::of(bureau, number, unit, Role::Inspector).await
    }

    /// An enrolled phone of a person of this role.
    pub(super) async fn of(bureau: &Bureau, number: u8, unit: UnitId, role: Role) -> Self {
        let key = SoftwareP256::from_scalar(&[number; 32]).unwrap();
        let device = DeviceId::from_bytes([number; 8]);
        let person = PersonId::from_bytes([number; 16]);
        let now = bureau.app.now();
        let row = (device, person, key.public_key(), unit, now, role);
        let enrol =
            bureau.app.store.with_tx("test", row, |tx, (device, person, key, unit, now, role)| {
                Box::pin(async move {
                    let (role, name) = (*role, format!("{role} {person}"));
                    let new = NewPerson {
                        person: *person,
                        name,
                        role,
                        unit: *unit,
                        team: None,
                        at: *now,
                    };
                    insert_person(tx, &new, None).await?;
                    let sql = "INSERT INTO device (device, person_id, key, model, \
                     key_level, app_version, check_words, install, enrolled_at, confirmed_at) \
                     VALUES ($1, $2, $3, 'a phone', 'software', '1', '', 1, $4, $4)";
                    let query = sqlx::query(sql).bind(&device.as_bytes()[..]);
                    let query = query.bind(&person.as_bytes()[..]).bind(&key[..]).bind(now.0);
                    query.execute(tx.conn()).await.map_err(StoreError::from)?;
                    let entry = Entry::new(Deed::DeviceEnrolled, *now).by(*person).device(*device);
                    note(tx, &[entry.object(&key[..])]).await
                })
            });
        enrol.await.unwrap();
        let buckets = Caller::new(device, person, role, unit).buckets;
        Self {
            caller: Caller { device, person, unit, buckets },
            key,
            head: Head { install: 1, seq: 0, fact: None },
            cursors: BTreeMap::new(),
            docs: BTreeMap::new(),
            outbox: Vec::new(),
            newest: None,
            unstated: Vec::new(),
            booted_at: now.plus(-3_600_000),
            boot: 0,
            lag_ms: 0,
            errors: number.wrapping_mul(31),
        }
    }

    /// Whether the phone holds a document.
    pub(super) fn holds(&self, doc: &str) -> bool {
        self.docs.contains_key(&doc.parse().unwrap())
    }

    /// One exchange with the hub; everything pushed must be admitted.
    pub(super) async fn sync(&mut self, bureau: &Bureau) {
        let push = std::mem::take(&mut self.outbox);
        self.exchange(bureau, push).await;
    }

    /// An exchange that delivers what was recorded in one visit only.
    pub(super) async fn sync_visit(&mut self, bureau: &Bureau, visit: &str) {
        let visit: DocId = visit.parse().unwrap();
        let (push, kept) = self.outbox.drain(..).partition(|push| push.doc == visit);
        self.outbox = kept;
        self.exchange(bureau, push).await;
    }

    /// A request without changes, as it leaves the phone now.
    pub(super) fn request(&self, bureau: &Bureau) -> SyncRequest {
        SyncRequest {
            protocol: version::CURRENT,
            head: self.head,
            clock: self.reading(bureau.app.now()),
            anchor: self.newest,
            cursors: self.cursors.values().copied().collect(),
            push: Vec::new(),
            want: Vec::new(),
            renew: false,
            max_bytes: 1 << 20,
            seen: None,
            disputed: None,
            statements: Vec::new(),
            certify: false,
        }
    }

    /// A request reaches the hub and its answer is lost, or thrown away.
    pub(super) async fn unanswered(&self, bureau: &Bureau, request: SyncRequest) {
        exchange::sync(&bureau.app, &self.caller, request).await.unwrap();
    }

    /// Switches the phone off and on.
    pub(super) fn reboot(&mut self, bureau: &Bureau) {
        self.boot += 1;
        self.booted_at = bureau.app.now().plus(-10_000);
        self.newest = None;
    }

    /// From now on its boot clock lies by so much.
    pub(super) fn set_boot_clock_back(&mut self, by_ms: i64) {
        self.lag_ms = by_ms;
    }

    /// Puts back an older copy of the phone: its chain ends earlier.
    pub(super) fn restore_from_backup(&mut self) {
        self.head = Head { install: 1, seq: 0, fact: None };
    }

    async fn exchange(&mut self, bureau: &Bureau, push: Vec<Push>) {
        let request = SyncRequest { push, ..self.request(bureau) };
        let clock = request.clock;
        let reply = exchange::sync(&bureau.app, &self.caller, request).await.unwrap();
        for result in &reply.results {
            assert_eq!(result, &PushResult::Accepted);
        }
        self.apply(bureau, &reply, clock);
    }

    /// Delivers what a colleague's phone has recorded and not delivered, with its signed list.
    pub(super) async fn deliver_for(&mut self, bureau: &Bureau, author: &Self) {
        let mut listed: BTreeMap<DocId, Vec<Hash>> = BTreeMap::new();
        for push in &author.outbox {
            let claim = guard::claim(&push.change).unwrap();
            listed.entry(push.doc).or_default().push(claim.hash);
        }
        let docs = listed.into_iter().map(|(doc, changes)| Listed { doc, changes }).collect();
        let (device, to) = (author.caller.device, self.caller.device);
        let stated = Statement { device, to, head: author.head, docs };
        let statements = vec![statement::seal(&stated, &author.key).unwrap().into()];
        let push = author.outbox.clone();
        let request = SyncRequest { push, statements, ..self.request(bureau) };
        let clock = request.clock;
        let reply = exchange::sync(&bureau.app, &self.caller, request).await.unwrap();
        assert!(reply.results.iter().all(|result| *result == PushResult::Accepted));
        self.apply(bureau, &reply, clock);
    }

    /// Delivers what a colleague has delivered before.
    pub(super) async fn sync_again(&mut self, bureau: &Bureau) {
        let push = std::mem::take(&mut self.outbox);
        let request = SyncRequest { push, ..self.request(bureau) };
        let clock = request.clock;
        let reply = exchange::sync(&bureau.app, &self.caller, request).await.unwrap();
        assert!(reply.results.iter().all(|result| *result == PushResult::Duplicate));
        self.apply(bureau, &reply, clock);
    }

    /// Syncs until it has told the hub how far it has read, and lets the hub's jobs run.
    pub(super) async fn catch_up(&mut self, bureau: &Bureau) {
        self.sync(bureau).await;
        self.sync(bureau).await;
        bureau.run_jobs().await;
        self.sync(bureau).await;
    }

    /// Says that its person read the order.
    pub(super) fn accept(&mut self, bureau: &Bureau, visit: &str, order: &str) {
        let order = order.parse().unwrap();
        self.state(bureau, visit, Body::Accepted(Accepted { order }), false);
    }

    /// Claims an arrival `metres` north of the centre of the site, with fixes over 100 seconds.
    /// The clock goes on by two minutes meanwhile.
    pub(super) fn arrive(
        &mut self,
        bureau: &Bureau,
        visit: &str,
        order: &str,
        metres: i32,
    ) -> FactId {
        self.be_there(bureau, visit, Some(order), metres)
    }

    /// The same where there may be no order: at a recheck.
    pub(super) fn be_there(
        &mut self,
        bureau: &Bureau,
        visit: &str,
        order: Option<&str>,
        metres: i32,
    ) -> FactId {
        let tap = self.reading(bureau.app.now());
        let fixes = (0..20_u8).map(|step| self.fix(tap, step, metres)).collect();
        self.errors = self.errors.wrapping_add(1);
        let order = order.map(|order| order.parse().unwrap());
        bureau.clock.advance(120_000);
        let claim = ArrivalClaim { order, tap, datum: Datum::Wgs84, fixes };
        self.state(bureau, visit, Body::Arrival(claim), false)
    }

    /// Records an outcome as the team's, with nobody there to be told.
    pub(super) fn conclude(&mut self, bureau: &Bureau, visit: &str, outcome: Outcome) -> FactId {
        self.report(bureau, visit, outcome, None)
    }

    /// Records an outcome, and whether a complainant who was there was told.
    pub(super) fn report(
        &mut self,
        bureau: &Bureau,
        visit: &str,
        outcome: Outcome,
        complainant_told: Option<bool>,
    ) -> FactId {
        let text = "done".to_owned();
        let report = OutcomeReport { outcome, text, evidence: Vec::new(), complainant_told };
        self.state(bureau, visit, Body::Outcome(report), true)
    }

    /// Takes a photo of these bytes.
    pub(super) fn photograph(&mut self, bureau: &Bureau, visit: &str, bytes: &[u8]) -> FactId {
        let manifest = Manifest {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
            media: Media::Photo,
            captured: true,
            taken: self.reading(bureau.app.now()),
            fix: None,
            datum: None,
            before: None,
        };
        self.state(bureau, visit, Body::Evidence(manifest), false)
    }

    /// The rechecks that the phone holds.
    pub(super) fn rechecks(&self) -> Vec<String> {
        let rechecks = self.docs.values().filter(|doc| doc.kind() == DocKind::Recheck);
        rechecks.map(|doc| doc.id().to_string()).collect()
    }

    /// Records what a recheck found.
    pub(super) fn find(&mut self, bureau: &Bureau, recheck: &str, matter: &str) -> FactId {
        let (matter, text) = (matter.to_owned(), "seen".to_owned());
        let finding = Finding { matter, text, position: None, datum: None };
        self.state(bureau, recheck, Body::Finding(finding), false)
    }

    /// Takes back an earlier statement.
    pub(super) fn withdraw(&mut self, bureau: &Bureau, visit: &str, fact: FactId) -> FactId {
        let reason = "a mistake".to_owned();
        self.state(bureau, visit, Body::Withdrawal(Withdrawal { fact, reason }), false)
    }

    /// Says that the complainant was told on scene.
    pub(super) fn tell(&mut self, bureau: &Bureau, visit: &str) -> FactId {
        let text = Text { text: "told at the door".to_owned(), by: None };
        self.state(bureau, visit, Body::Told(text), false)
    }

    /// Settles on one of several outcomes.
    pub(super) fn choose(&mut self, visit: &str, outcome: FactId) {
        let entry = Written { outcome: Some(outcome), ..Written::default() };
        self.write(visit.parse().unwrap(), &entry);
    }

    fn write(&mut self, doc: DocId, entry: &Written) {
        let actor = Actor { device: self.caller.device, install: 1, incarnation: 0 };
        let document = self.docs.get_mut(&doc).expect("the phone holds the visit");
        let written = document.write(actor, entry).unwrap();
        let kind = document.kind();
        self.outbox.push(Push { doc, kind, change: written.bytes.into() });
    }

    fn fix(&self, tap: ClockReading, step: u8, metres: i32) -> Fix {
        // A receiver's errors: a metre or two, and they wander.
        let (at, which) = (f64::from(step), f64::from(self.errors));
        let slow = (at * (0.17 + 0.0007 * which) + which).sin() * 110.0;
        let slower = (at * (0.11 + 0.0011 * which) + 2.0 * which).cos() * 140.0;
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred units")]
        let (slow, slower) = (slow as i32, slower as i32);
        let north = 366_510_000 + metres * 90 + slow;
        let east = 1_171_200_000 + slower - 120;
        Fix {
            position: Position { lat_e7: north, lon_e7: east },
            accuracy_mm: 6_000 + u32::from(step) * 37,
            boot_ns: tap.boot_ns + u64::from(step) * 5_000_000_000,
            provider: Provider::Gnss,
            mock: false,
            speed_mm_s: Some(0),
            satellites: Some(14),
            fix_wall_ms: None,
        }
    }

    fn state(&mut self, bureau: &Bureau, doc: &str, body: Body, is_outcome: bool) -> FactId {
        let doc: DocId = doc.parse().unwrap();
        let author = DeviceAuthor {
            device: self.caller.device,
            install: 1,
            seq: self.head.seq + 1,
            prev: self.head.fact,
            clock: self.reading(bureau.app.now()),
            anchors: std::mem::take(&mut self.unstated),
            restates: None,
        };
        let fact = Fact { version: FACT_VERSION, doc, author: Author::Device(author), body };
        let (id, envelope) = seal(&fact, &self.key).unwrap();
        let outcome = is_outcome.then_some(id);
        let entry = Written { facts: vec![(id, envelope)], outcome, ..Written::default() };
        self.write(doc, &entry);
        self.head = Head { install: 1, seq: self.head.seq + 1, fact: Some(id) };
        id
    }

    fn apply(&mut self, bureau: &Bureau, reply: &SyncReply, sent: ClockReading) {
        for page in &reply.buckets {
            for frame in &page.frames {
                match frame {
                    Frame::Enter(whole) => {
                        let loaded = Document::load(whole.doc, whole.kind, &whole.snapshot);
                        self.docs.insert(whole.doc, loaded.unwrap());
                    }
                    Frame::Change { doc, change } => {
                        self.docs.get_mut(doc).unwrap().apply(change).unwrap();
                    }
                    Frame::Own { .. } => {}
                    Frame::Leave { doc } => {
                        // What is on the screen stays on the screen until its work is delivered.
                        self.docs.remove(doc);
                    }
                }
            }
            let cursor = Cursor { bucket: page.bucket, epoch: page.epoch, seq: page.seq };
            self.cursors.insert(page.bucket, cursor);
        }
        if let Some(envelope) = &reply.anchor {
            let key = bureau.app.keys.facts.public_key();
            let anchor = read_anchor(envelope, &key).unwrap();
            let received = AnchorRef {
                number: anchor.number,
                proof: fact_id(envelope),
                sent_boot_ns: sent.boot_ns,
                received_boot_ns: sent.boot_ns + 40_000_000,
            };
            self.newest = Some(received);
            self.unstated = vec![received];
        }
    }

    fn reading(&self, now: Millis) -> ClockReading {
        let since = now.since(self.booted_at) - self.lag_ms;
        let boot_ns = u64::try_from(since).unwrap() * 1_000_000;
        let mut boot = *self.caller.device.as_bytes();
        boot[7] = boot[7].wrapping_add(self.boot);
        ClockReading { wall_ms: now.0, boot_ns, boot: BootId::from_bytes(boot) }
    }
}

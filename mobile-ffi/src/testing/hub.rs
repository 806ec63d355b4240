//! A hub in memory: the product's own guard, chains and buckets over plain maps.

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::bytes::ByteVec;
use onscene_sync_core::audit::checkpoint::{Checkpoint, Restore, SignedCheckpoint};
use onscene_sync_core::audit::tree::{self, Node, Span};
use onscene_sync_core::audit::witness::{Mark, News};
use onscene_sync_core::crypto::{SoftwareEd25519, verify_p256};
use onscene_sync_core::document::{DocKind, Document, Entry as Writing};
use onscene_sync_core::enrolment::message::{AccessToken, EnrolReply, EnrolRequest, Protocols};
use onscene_sync_core::enrolment::{EnrolmentCode, check_words};
use onscene_sync_core::fact::anchor::{Anchor, Head};
use onscene_sync_core::fact::body::{
    CaseClass, Channel, OrderReceived, Ordered, Receipt, Registered,
};
use onscene_sync_core::fact::{Author, Body, FACT_VERSION, Fact, envelope};
use onscene_sync_core::guard;
use onscene_sync_core::handover::certificate::{self, Certificate, LIFE_MS};
use onscene_sync_core::handover::statement::{self, Statement};
use onscene_sync_core::id::{Actor, DeviceId, DocId, FactId, Hash, PersonId, UnitId};
use onscene_sync_core::place::{Datum, Position, Shape, Site};
use onscene_sync_core::recovery::offer::{self, RecoverySecret};
use onscene_sync_core::sync::admission::{self, Ruled};
use onscene_sync_core::sync::bucket::{self, Action, Budget, Entry, Row, State};
use onscene_sync_core::sync::chain::{self, Known, Slots};
use onscene_sync_core::sync::message::{
    Bucket, Frame, Push, PushResult, Refusal, RefusalCode, Standing, SyncReply, SyncRequest, Whole,
};
use onscene_sync_core::sync::wire;
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};

use super::files::Files;
use super::reply;
use crate::{HttpReply, HttpRequest};

pub(crate) const UNIT: UnitId = UnitId::from_bytes([7; 16]);
const PERSON: PersonId = PersonId::from_bytes([8; 16]);
const BUCKET: Bucket = Bucket::Unit(UNIT);
pub(super) const NONCE: &str = "nonce-of-today";

/// One hub with one unit.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) now: i64,
    pub(crate) docs: BTreeMap<DocId, Kept>,
    pub(crate) state: State,
    pub(crate) rows: Vec<(Row, Option<[u8; 16]>)>,
    pub(crate) members: BTreeSet<DocId>,
    pub(crate) devices: BTreeMap<DeviceId, Phone>,
    /// Changes kept in quarantine.
    pub(crate) quarantine: BTreeSet<Hash>,
    /// Files of evidence.
    pub(crate) files: Files,
    /// Frames per page; small ones make many pages.
    pub(crate) page_bytes: usize,
    /// Entries of the audit log.
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) restores: Vec<Restore>,
    /// Checkpoints that phones asked an explanation for.
    pub(crate) disputed: Vec<SignedCheckpoint>,
    codes: u8,
    hidden: u64,
}

/// A document at the hub.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) document: Document,
    pub(crate) bodies: BTreeMap<Hash, Vec<u8>>,
}

/// What the hub knows of a phone.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) install: u32,
    pub(crate) revoked: bool,
    /// Named in its certificates.
    pub(crate) unit: UnitId,
    key: Vec<u8>,
    slots: Slots,
    /// Admitted facts by install and place.
    pub(crate) facts: BTreeMap<(u32, u64), FactId>,
    named: BTreeMap<u32, Head>,
    anchors: u64,
}

pub(super) fn key() -> SoftwareEd25519 {
    SoftwareEd25519::from_seed(&[42; 32])
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            now: 1_790_000_000_000,
            docs: BTreeMap::new(),
            state: State { epoch: 1, ..State::default() },
            rows: Vec::new(),
            members: BTreeSet::new(),
            devices: BTreeMap::new(),
            quarantine: BTreeSet::new(),
            files: Files::default(),
            page_bytes: 1 << 20,
            log: Vec::new(),
            restores: Vec::new(),
            disputed: Vec::new(),
            codes: 0,
            hidden: 0,
        }
    }

    /// A fresh enrolment code.
    pub(crate) fn code(&mut self) -> String {
        self.codes += 1;
        EnrolmentCode::from_random([self.codes; 5]).to_string()
    }

    /// Registers a case and orders the unit out; returns the order, the case and the inspection.
    pub(crate) fn dispatch(&mut self, number: u8) -> (FactId, DocId, DocId) {
        let (case, inspection) = ([number; 16], [number ^ 0x80; 16]);
        let docs = (DocId::from_bytes(case), DocId::from_bytes(inspection));
        (self.order_out(docs, "Stalls block the pavement"), docs.0, docs.1)
    }

    /// Registers a case and orders the unit out, with an inspection of this id; returns the order.
    pub(crate) fn order_out(&mut self, (case, inspection): (DocId, DocId), what: &str) -> FactId {
        let centre = Position { lat_e7: 366_512_000, lon_e7: 1_171_200_000 };
        let site = Site { datum: Datum::Wgs84, shape: Shape::Circle { centre, radius_cm: 8_000 } };
        self.state_fact(
            case,
            Body::Registered(Registered {
                class: CaseClass::Complaint,
                channel: Channel::Telephone,
                matter: "street_vending".to_owned(),
                summary: what.to_owned(),
                received_at: Millis(self.now),
                site: Some(site.clone()),
                jurisdiction_clear: true,
                policy: 1,
                by: PERSON,
                drill: false,
                grave: false,
            }),
        );
        let order = self.state_fact(
            case,
            Body::Ordered(Ordered {
                unit: UNIT,
                inspection,
                site: Some(site),
                policy: 1,
                by: PERSON,
                text: "Go and see".to_owned(),
            }),
        );
        let receipt = OrderReceived { order, at: Millis(self.now), receipt: Receipt::Deemed };
        self.state_fact(case, Body::OrderReceived(receipt));
        self.keep(inspection, DocKind::Response);
        order
    }

    /// States a fact in a case.
    pub(crate) fn state_fact(&mut self, case: DocId, body: Body) -> FactId {
        let author = Author::Hub(Millis(self.now));
        let fact = Fact { version: FACT_VERSION, doc: case, author, body };
        let sealed = envelope::seal(&fact, &key()).unwrap();
        let id = sealed.0;
        let recheck = matches!(fact.body, Body::RecheckOrdered(_));
        self.keep(case, if recheck { DocKind::Recheck } else { DocKind::Case });
        let kept = self.docs.get_mut(&case).unwrap();
        let entry = Writing { facts: vec![sealed], ..Writing::default() };
        let change = kept.document.write(Actor::hub(0), &entry).unwrap();
        kept.bodies.insert(change.hash, change.bytes.clone());
        self.log_change(case, change.hash, Actor::hub(0).to_bytes(), change.bytes.len());
        id
    }

    /// Takes a document out of the unit's work.
    pub(crate) fn leave(&mut self, doc: DocId) {
        if self.members.remove(&doc) {
            let seq = self.state.leave(self.docs[&doc].document.sum());
            self.row(seq, doc, Entry::Leave, 0, None);
        }
    }

    /// Builds the unit's log anew, as after a restore from a backup.
    pub(crate) fn raise_epoch(&mut self) {
        self.state = State { epoch: self.state.epoch + 1, ..State::default() };
        self.rows.clear();
        for doc in std::mem::take(&mut self.members) {
            self.enter(doc);
        }
    }

    /// Makes the hub's account differ from what phones hold.
    pub(crate) fn corrupt_checksum(&mut self, by: u64) {
        self.hidden = by;
    }

    /// All facts of phones that are in documents.
    pub(crate) fn facts(&self) -> Vec<(FactId, Fact)> {
        let inspections = self.docs.values().filter(|kept| kept.document.kind() != DocKind::Case);
        let facts = inspections.flat_map(|kept| kept.document.facts());
        facts.map(|(id, bytes)| (id, envelope::read(&bytes).unwrap())).collect()
    }

    /// The texts of all remarks, sorted: each must be there once.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .facts()
            .into_iter()
            .filter_map(|(_, fact)| {
                let Body::Note(text) = fact.body else { return None };
                Some(text.text)
            })
            .collect();
        notes.sort();
        notes
    }

    /// Answers a request.
    pub(crate) fn handle(&mut self, request: &HttpRequest) -> HttpReply {
        self.now += 40;
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value.as_str())
        };
        let proof = header("dpop").expect("every request carries a proof");
        let (jwk, claims) = proof_parts(proof);
        assert_eq!(claims["htu"], request.url.as_str());
        if claims["nonce"] != NONCE {
            return with_nonce(reply(401, ""), r#"DPoP error="use_dpop_nonce""#);
        }
        let key = point(&jwk);
        match request.url.rsplit('/').next() {
            Some("enrol") => self.enrol(&serde_json::from_slice(&request.body).unwrap(), key),
            Some("token") => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let refresh = body["refresh_token"].as_str().unwrap();
                let known = refresh.strip_prefix("refresh-").filter(|device| {
                    device.parse().is_ok_and(|device| self.devices.contains_key(&device))
                });
                known.map_or_else(
                    || reply(401, ""),
                    |device| reply(200, json!(access(device)).to_string()),
                )
            }
            Some("sync") => {
                let Some(device) = self.holder(header("authorization")) else {
                    return reply(401, "");
                };
                let body = wire::decompress(&request.body).unwrap();
                let answer = self.sync(device, wire::decode(&body).unwrap());
                let mut reply = reply(200, wire::compress(&wire::encode(&answer)));
                reply.headers.push(("Content-Encoding".to_owned(), "zstd".to_owned()));
                reply
            }
            _ => reply(404, ""),
        }
    }

    /// The phone that an access token was given to.
    pub(super) fn holder(&self, authorization: Option<&str>) -> Option<DeviceId> {
        let device = authorization?.strip_prefix("DPoP access-")?.parse().ok()?;
        self.devices.contains_key(&device).then_some(device)
    }

    fn enrol(&mut self, request: &EnrolRequest, key: Vec<u8>) -> HttpReply {
        let code = EnrolmentCode::parse(&request.code).unwrap();
        let device = DeviceId::from_bytes([u8::try_from(self.devices.len()).unwrap() + 1; 8]);
        let words = check_words(&key, &code).map(str::to_owned).to_vec();
        let phone = Phone {
            install: 1,
            revoked: false,
            unit: UNIT,
            key,
            slots: Slots::default(),
            facts: BTreeMap::new(),
            named: BTreeMap::new(),
            anchors: 0,
        };
        self.devices.insert(device, phone);
        let answer = EnrolReply {
            device,
            install: 1,
            person: PERSON,
            person_name: "Li".to_owned(),
            role: "inspector".to_owned(),
            unit: UNIT,
            unit_name: "Squad 1".to_owned(),
            check_words: words,
            hub_key: Hash::from_bytes(self::key().public_key()),
            protocols: Protocols { oldest: 1, newest: 1 },
            refresh_token: format!("refresh-{device}"),
            access: access(&device.to_string()),
        };
        reply(200, serde_json::to_vec(&answer).unwrap())
    }

    /// One exchange.
    pub(crate) fn sync(&mut self, device: DeviceId, request: SyncRequest) -> SyncReply {
        let stated = self.stated(&request.statements);
        let results = request.push.iter().map(|push| self.admit(device, push, &stated)).collect();
        let mut standing = self.standing(device, &request.head);
        self.disputed.extend(request.disputed.clone());
        let phone = self.devices.get_mut(&device).unwrap();
        let head = Head { install: request.head.install, seq: 0, fact: None };
        if phone.revoked {
            let (buckets, docs) = (Vec::new(), Vec::new());
            let at = Millis(self.now);
            return SyncReply {
                protocol: 1,
                results,
                buckets,
                docs,
                head,
                anchor: None,
                at,
                standing,
                log: None,
                certificate: None,
            };
        }
        if request.renew {
            phone.install += 1;
            standing = Standing::Renewed(phone.install);
        }
        phone.anchors += 1;
        let anchor =
            Anchor { device, number: phone.anchors, head: request.head, at: Millis(self.now) };
        let anchor = envelope::seal_anchor(&anchor, &key()).unwrap().1;
        let own = matches!(standing, Standing::Good).then(|| {
            let actor = Actor { device, install: request.head.install, incarnation: 0 };
            actor.to_bytes()[..12].to_vec()
        });
        let certificate = request.certify.then(|| self.certificate(device).into());
        let cursor = request.cursors.iter().find(|cursor| cursor.bucket == BUCKET);
        let from = bucket::start(&self.state, cursor.map(|cursor| (cursor.epoch, cursor.seq)));
        let want = request.want.iter().filter(|doc| self.members.contains(doc));
        let docs = want.map(|doc| self.whole(*doc)).collect();
        SyncReply {
            protocol: 1,
            results,
            buckets: vec![self.page(from, own.as_deref())],
            docs,
            head,
            anchor: Some(anchor.into()),
            at: Millis(self.now),
            standing,
            log: self.log(request.seen),
            certificate,
        }
    }

    /// What the audit log says to a phone that has this much of it.
    fn log(&self, seen: Option<Mark>) -> Option<News> {
        let size = self.log.len() as u64;
        let of = |span: Span| tree::root(span.nodes().into_iter().map(|node| self.node(node)));
        let checkpoint = Checkpoint {
            size,
            root: of(Span { from: 0, to: size }),
            restores: self.restores.clone(),
        };
        if size == 0 || seen == Some(Mark { epoch: checkpoint.epoch(), size }) {
            return None;
        }
        let spans = tree::consistency(seen.map_or(0, |mark| mark.size), size);
        let proof = spans.unwrap_or_default().into_iter().map(of).collect();
        Some(News { checkpoint: checkpoint.sign(&key().public_key(), &key()).unwrap(), proof })
    }

    fn node(&self, node: Node) -> Hash {
        if node.level == 0 {
            return tree::leaf(&self.log[usize::try_from(node.index).unwrap()]);
        }
        let child = |index| self.node(Node { level: node.level - 1, index });
        tree::parent(&child(node.index * 2), &child(node.index * 2 + 1))
    }

    /// A certificate of a phone as it is now.
    pub(crate) fn certificate(&self, device: DeviceId) -> Vec<u8> {
        let phone = &self.devices[&device];
        let certificate = Certificate {
            device,
            install: phone.install,
            key: phone.key.clone().into(),
            person: PERSON,
            unit: phone.unit,
            issued_at: Millis(self.now),
            expires_at: Millis(self.now + LIFE_MS),
        };
        certificate::seal(&certificate, &key()).unwrap()
    }

    fn stated(&self, statements: &[ByteVec]) -> Vec<Statement> {
        let key_of = |device| self.devices.get(&device).map(|phone: &Phone| phone.key.clone());
        let read = |bytes: &ByteVec| statement::read(bytes, key_of, verify_p256).ok();
        statements.iter().filter_map(read).collect()
    }

    fn page(&self, from: u64, own: Option<&[u8]>) -> onscene_sync_core::sync::message::Page {
        let rows: Vec<Row> = self
            .rows
            .iter()
            .filter(|(row, _)| row.seq > from)
            .map(|(row, actor)| Row {
                own: own.is_some_and(|own| actor.is_some_and(|actor| actor.starts_with(own))),
                ..*row
            })
            .collect();
        let size = |doc: DocId| self.docs[&doc].document.save().len();
        let plan = bucket::plan(from, &rows, &size, &mut Budget::new(self.page_bytes));
        let frames = plan.steps.iter().map(|step| match step.action {
            Action::Change(hash) => {
                let change = self.docs[&step.doc].bodies[&hash].clone().into();
                Frame::Change { doc: step.doc, change }
            }
            Action::Own(hash) => Frame::Own { doc: step.doc, hash },
            Action::Enter => Frame::Enter(self.whole(step.doc)),
            Action::Leave => Frame::Leave { doc: step.doc },
        });
        let state = State { checksum: self.state.checksum.wrapping_add(self.hidden), ..self.state };
        bucket::page(BUCKET, &state, plan.seq, frames.collect())
    }

    fn whole(&self, doc: DocId) -> Whole {
        let document = &self.docs[&doc].document;
        let snapshot = document.save().into();
        Whole { doc, kind: document.kind(), snapshot, sum: document.sum() }
    }

    fn standing(&mut self, device: DeviceId, head: &Head) -> Standing {
        let phone = self.devices.get_mut(&device).unwrap();
        let admitted = phone.facts.range((head.install, 0)..=(head.install, u64::MAX)).next_back();
        let admitted = admitted.map(|((install, seq), fact)| Head {
            install: *install,
            seq: *seq,
            fact: Some(*fact),
        });
        let known = Known {
            revoked: phone.revoked,
            install: phone.install,
            named: phone.named.get(&head.install).copied(),
            admitted,
            at_end: phone.facts.get(&(head.install, head.seq)).copied(),
        };
        let named = phone.named.entry(head.install).or_insert(*head);
        if head.seq > named.seq {
            *named = *head;
        }
        chain::standing(head, &known)
    }

    fn admit(&mut self, carrier: DeviceId, push: &Push, stated: &[Statement]) -> PushResult {
        let author = guard::claim(&push.change).and_then(|claim| {
            let device = claim.actor.device;
            let mut proofs = stated.iter().filter(|one| one.device == device);
            proofs.any(|one| one.lists(push.doc, &claim.hash)).then_some(device)
        });
        let device = author.unwrap_or(carrier);
        let phone = self.devices[&device].clone();
        let refused =
            |code| PushResult::Refused(Refusal { code, detail: "the test says so".to_owned() });
        let poisoned = push.change.windows(6).any(|window| window == b"poison");
        if phone.revoked || poisoned {
            self.quarantine.insert(onscene_sync_core::crypto::sha256(&push.change));
            return refused(if phone.revoked {
                RefusalCode::DeviceRevoked
            } else {
                RefusalCode::Forbidden
            });
        }
        if push.kind == DocKind::Patrol {
            self.keep(push.doc, DocKind::Patrol);
        }
        let Some(kept) = self.docs.get_mut(&push.doc) else {
            return refused(RefusalCode::UnknownDocument);
        };
        let author =
            guard::Author { device, install: phone.install, key: &phone.key, verify: verify_p256 };
        let slots = &mut self.devices.get_mut(&device).unwrap().slots;
        let changes = [&push.change[..]];
        let ruled = admission::admit_run(&mut kept.document, &changes, &author, slots);
        if let Ruled::Admitted(admitted) = &ruled[0] {
            kept.bodies.insert(admitted.hash, push.change.to_vec());
            for (id, fact) in &admitted.facts {
                let author = fact.device().unwrap();
                let facts = &mut self.devices.get_mut(&device).unwrap().facts;
                facts.insert((author.install, author.seq), *id);
            }
            let (hash, actor) = (admitted.hash, admitted.actor.to_bytes());
            self.log_change(push.doc, hash, actor, push.change.len());
        }
        ruled[0].result()
    }

    fn keep(&mut self, doc: DocId, kind: DocKind) {
        if let Vacant(place) = self.docs.entry(doc) {
            let document = Document::new(doc, kind);
            place.insert(Kept { document, bodies: BTreeMap::new() });
            self.enter(doc);
        }
    }

    pub(crate) fn enter(&mut self, doc: DocId) {
        if self.members.insert(doc) {
            let seq = self.state.enter(self.docs[&doc].document.sum());
            self.row(seq, doc, Entry::Enter, 0, None);
        }
    }

    fn log_change(&mut self, doc: DocId, hash: Hash, actor: [u8; 16], bytes: usize) {
        if self.members.contains(&doc) {
            let seq = self.state.change(hash);
            self.row(seq, doc, Entry::Change(hash), bytes, Some(actor));
        }
    }

    fn row(&mut self, seq: u64, doc: DocId, entry: Entry, bytes: usize, actor: Option<[u8; 16]>) {
        self.rows.push((Row { seq, doc, entry, bytes, own: false }, actor));
    }
}

/// The hub's recovery key.
pub(crate) fn recovery() -> RecoverySecret {
    RecoverySecret::from_seed(&[77; 32])
}

fn access(device: &str) -> AccessToken {
    AccessToken {
        access_token: format!("access-{device}"),
        token_type: "DPoP".to_owned(),
        expires_in: 600,
        at: Millis(0),
        recovery: Some(URL_SAFE_NO_PAD.encode(offer::seal(&recovery().public(), &key()).unwrap())),
    }
}

pub(super) fn with_nonce(mut reply: HttpReply, challenge: &str) -> HttpReply {
    reply.headers.push(("DPoP-Nonce".to_owned(), NONCE.to_owned()));
    reply.headers.push(("WWW-Authenticate".to_owned(), challenge.to_owned()));
    reply
}

/// The key and the claims of a proof.
pub(crate) fn proof_parts(proof: &str) -> (Value, Value) {
    let part = |text: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let mut parts = proof.split('.');
    let header = part(parts.next().unwrap());
    (header["jwk"].clone(), part(parts.next().unwrap()))
}

fn point(jwk: &Value) -> Vec<u8> {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    [vec![4], coordinate("x"), coordinate("y")].concat()
}

//! Phones with keys, and the hub's copy of a document.

use onscene_sync_core::crypto::{SoftwareP256, verify_p256};
use onscene_sync_core::document::{Answer, DocKind, Document, DocumentError, Entry, Written};
use onscene_sync_core::fact::body::{Outcome, OutcomeReport, Text};
use onscene_sync_core::fact::{self, Body, DeviceAuthor, FACT_VERSION, Fact, envelope};
use onscene_sync_core::guard::{self, Admitted, Author, Denied};
use onscene_sync_core::id::{Actor, BootId, DeviceId, DocId, FactId};
use onscene_sync_core::sync::message::RefusalCode;
use onscene_sync_core::time::ClockReading;

pub(crate) const DOC: DocId = DocId::from_bytes([0xd0; 16]);

/// A phone with its own copy of the document.
pub(crate) struct Phone {
    key: SoftwareP256,
    public: Vec<u8>,
    pub(crate) actor: Actor,
    seq: u64,
    prev: Option<FactId>,
    pub(crate) document: Document,
}

impl Phone {
    pub(crate) fn new(number: u8, kind: DocKind) -> Self {
        let key = SoftwareP256::from_scalar(&[number; 32]).expect("a small scalar");
        let device = DeviceId::from_bytes([number; 8]);
        Self {
            public: key.public_key(),
            key,
            actor: Actor { device, install: 1, incarnation: 0 },
            seq: 0,
            prev: None,
            document: Document::new(DOC, kind),
        }
    }

    pub(crate) fn author(&self) -> Author<'_> {
        Author {
            device: self.actor.device,
            install: self.actor.install,
            key: &self.public,
            verify: verify_p256,
        }
    }

    pub(crate) fn clock(&self) -> ClockReading {
        let boot = BootId::from_bytes([1; 8]);
        ClockReading { wall_ms: 1_795_000_000_000, boot_ns: 1_000_000 * (self.seq + 1), boot }
    }

    /// A new installation, with a chain of its own.
    pub(crate) fn begin_anew(&mut self) {
        self.actor.install += 1;
        (self.seq, self.prev) = (0, None);
    }

    /// The next fact of this phone's chain, not yet signed.
    pub(crate) fn unsigned(&mut self, body: Body) -> Fact {
        let clock = self.clock();
        self.seq += 1;
        let author = DeviceAuthor {
            device: self.actor.device,
            install: self.actor.install,
            seq: self.seq,
            prev: self.prev,
            clock,
            anchors: Vec::new(),
            restates: None,
        };
        Fact { version: FACT_VERSION, doc: DOC, author: fact::Author::Device(author), body }
    }

    pub(crate) fn sign(&mut self, fact: &Fact) -> (FactId, Vec<u8>) {
        let sealed = envelope::seal(fact, &self.key).expect("a key in memory signs");
        self.prev = Some(sealed.0);
        sealed
    }

    pub(crate) fn seal(&mut self, body: Body) -> (FactId, Vec<u8>) {
        let fact = self.unsigned(body);
        self.sign(&fact)
    }

    pub(crate) fn state(&mut self, body: Body) -> Written {
        let facts = vec![self.seal(body)];
        self.write(&Entry { facts, ..Entry::default() })
    }

    pub(crate) fn note(&mut self, text: &str) -> Written {
        self.state(note(text))
    }

    /// An outcome that becomes the team's.
    pub(crate) fn settle(&mut self, result: Outcome) -> Written {
        let sealed = self.seal(outcome(result));
        let outcome = Some(sealed.0);
        self.write(&Entry { facts: vec![sealed], outcome, ..Entry::default() })
    }

    pub(crate) fn answer(&mut self, item: &str, answer: Answer) -> Result<Written, DocumentError> {
        let answer = Some((item.to_owned(), answer));
        self.document.write(self.actor, &Entry { answer, ..Entry::default() })
    }

    pub(crate) fn write(&mut self, entry: &Entry) -> Written {
        self.document.write(self.actor, entry).expect("the entry is new")
    }

    pub(crate) fn push(&self, hub: &mut Document, change: &[u8]) -> Result<Admitted, Denied> {
        guard::admit(hub, change, &self.author())
    }
}

pub(crate) fn note(text: &str) -> Body {
    Body::Note(Text { text: text.to_owned(), by: None })
}

pub(crate) fn outcome(outcome: Outcome) -> Body {
    let text = "查处完毕".to_owned();
    Body::Outcome(OutcomeReport { outcome, text, evidence: Vec::new(), complainant_told: None })
}

/// A response inspection with three changes of phone 1 and one of phone 2, at the hub and on both
/// phones.
pub(crate) fn visit() -> (Document, Phone, Phone) {
    let mut hub = Document::new(DOC, DocKind::Response);
    let mut one = Phone::new(1, DocKind::Response);
    let mut two = Phone::new(2, DocKind::Response);
    let first = one.note("摊位占道");
    let rest = [
        one.settle(Outcome::Stopped),
        one.answer("fire_lane", Answer::Yes).expect("the answer is new"),
    ];
    two.document.apply(&first.bytes).expect("it builds on the first change");
    let other = two.note("已劝离");
    for change in [&first, &rest[0], &rest[1]] {
        one.push(&mut hub, &change.bytes).expect("an honest change");
    }
    two.push(&mut hub, &other.bytes).expect("an honest change");
    for (_, change) in hub.changes_since(&[]) {
        one.document.apply(&change).expect("the hub admitted it");
        two.document.apply(&change).expect("the hub admitted it");
    }
    (hub, one, two)
}

/// Pushes what must be refused, and sees that the document is as it was.
pub(crate) fn refusal(hub: &mut Document, phone: &Phone, change: &[u8]) -> RefusalCode {
    let (before, bytes) = (hub.clone(), hub.save());
    let Err(Denied::Refused(refusal)) = phone.push(hub, change) else {
        panic!("the change was not refused");
    };
    assert!(hub.same_as(&before) && hub.sum() == before.sum(), "{refusal:?}");
    assert_eq!(hub.save(), bytes, "{refusal:?}");
    refusal.code
}

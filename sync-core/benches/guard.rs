//! What the guard costs the hub for each change: `cargo bench -p onscene-sync-core --bench guard`.
//!
//! The document holds 35 changes of two phones, the mean of a visit. `signed` checks signatures
//! with the portable implementation; `unsigned` leaves them out and so shows the guard alone.

use divan::{Bencher, black_box};
use onscene_sync_core::crypto::{SoftwareP256, VerifyP256, verify_p256};
use onscene_sync_core::document::{DocKind, Document, Entry};
use onscene_sync_core::fact::body::Text;
use onscene_sync_core::fact::{self, Body, DeviceAuthor, FACT_VERSION, Fact, envelope};
use onscene_sync_core::guard::{self, Author};
use onscene_sync_core::id::{Actor, BootId, DeviceId, DocId, FactId};
use onscene_sync_core::time::ClockReading;

const DOC: DocId = DocId::from_bytes([0xd0; 16]);
const CHANGES: u64 = 35;
const UNSIGNED: VerifyP256 = |_, _, _| true;

fn main() {
    divan::main();
}

struct Phone {
    key: SoftwareP256,
    public: Vec<u8>,
    actor: Actor,
    seq: u64,
    prev: Option<FactId>,
}

impl Phone {
    fn new(number: u8) -> Self {
        let key = SoftwareP256::from_scalar(&[number; 32]).expect("a small scalar");
        let device = DeviceId::from_bytes([number; 8]);
        let actor = Actor { device, install: 1, incarnation: 0 };
        Self { public: key.public_key(), key, actor, seq: 0, prev: None }
    }

    fn author(&self, verify: VerifyP256) -> Author<'_> {
        let Actor { device, install, .. } = self.actor;
        Author { device, install, key: &self.public, verify }
    }

    fn note(&mut self, document: &mut Document) -> Vec<u8> {
        self.seq += 1;
        let boot = BootId::from_bytes([1; 8]);
        let author = DeviceAuthor {
            device: self.actor.device,
            install: self.actor.install,
            seq: self.seq,
            prev: self.prev,
            clock: ClockReading { wall_ms: 0, boot_ns: self.seq, boot },
            anchors: Vec::new(),
            restates: None,
        };
        let body =
            Body::Note(Text { text: "沿街摊位已清理，现场恢复".to_owned(), by: None });
        let author = fact::Author::Device(author);
        let fact = Fact { version: FACT_VERSION, doc: DOC, author, body };
        let sealed = envelope::seal(&fact, &self.key).expect("a key in memory signs");
        self.prev = Some(sealed.0);
        let entry = Entry { facts: vec![sealed], ..Entry::default() };
        document.write(self.actor, &entry).expect("the note is new").bytes
    }
}

/// The hub's document, the first phone, and that phone's next changes. With `apart`, the second
/// phone has written since the first one saw the document.
fn visit(apart: bool, next: usize) -> (Document, Phone, Vec<Vec<u8>>) {
    let mut hub = Document::new(DOC, DocKind::Response);
    let (mut one, mut two) = (Phone::new(1), Phone::new(2));
    for number in 0..CHANGES {
        let phone = if number % 2 == 0 { &mut one } else { &mut two };
        phone.note(&mut hub);
    }
    let mut seen = hub.clone();
    if apart {
        two.note(&mut hub);
    }
    let changes = (0..next).map(|_| one.note(&mut seen)).collect();
    (hub, one, changes)
}

fn admit(bencher: Bencher<'_, '_>, apart: bool, next: usize, verify: VerifyP256) {
    let (hub, phone, changes) = visit(apart, next);
    let author = phone.author(verify);
    bencher.with_inputs(|| hub.clone()).bench_local_refs(|hub| {
        let run = changes.iter().map(Vec::as_slice);
        let results = guard::admit_run(hub, run, black_box(&author));
        assert!(results.iter().all(Result::is_ok));
    });
}

#[divan::bench]
fn current_signed(bencher: Bencher<'_, '_>) {
    admit(bencher, false, 1, verify_p256);
}

#[divan::bench]
fn current_unsigned(bencher: Bencher<'_, '_>) {
    admit(bencher, false, 1, UNSIGNED);
}

#[divan::bench]
fn apart_signed(bencher: Bencher<'_, '_>) {
    admit(bencher, true, 1, verify_p256);
}

#[divan::bench]
fn apart_unsigned(bencher: Bencher<'_, '_>) {
    admit(bencher, true, 1, UNSIGNED);
}

#[divan::bench]
fn current_run_of_five_unsigned(bencher: Bencher<'_, '_>) {
    admit(bencher, false, 5, UNSIGNED);
}

#[divan::bench]
fn apart_run_of_five_unsigned(bencher: Bencher<'_, '_>) {
    admit(bencher, true, 5, UNSIGNED);
}

fn refuse(bencher: Bencher<'_, '_>, change: &[u8]) {
    let (mut hub, phone, _) = visit(false, 0);
    let author = phone.author(verify_p256);
    bencher.bench_local(|| assert!(guard::admit(&mut hub, black_box(change), &author).is_err()));
}

#[divan::bench]
fn refuse_a_million_operations(bencher: Bencher<'_, '_>) {
    refuse(bencher, include_bytes!("../tests/fixtures/automerge_rle_bomb_1e6.bin"));
}

#[divan::bench]
fn refuse_a_deflated_chunk_of_half_a_megabyte(bencher: Bencher<'_, '_>) {
    let head = [0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2, 0xe5, 0xec, 0x1f];
    refuse(bencher, &[&head[..], &vec![0; 521_829]].concat());
}

#[divan::bench]
fn refuse_a_repeat(bencher: Bencher<'_, '_>) {
    let (mut hub, phone, changes) = visit(false, 1);
    let author = phone.author(verify_p256);
    guard::admit(&mut hub, &changes[0], &author).expect("an honest change");
    bencher.bench_local(|| guard::admit(&mut hub, black_box(&changes[0]), &author).is_err());
}

#[divan::bench]
fn load_a_snapshot(bencher: Bencher<'_, '_>) {
    let snapshot = visit(true, 0).0.save();
    bencher.bench(|| Document::load(DOC, DocKind::Response, black_box(&snapshot)).is_ok());
}

#[divan::bench]
fn replay_a_log(bencher: Bencher<'_, '_>) {
    let log = visit(true, 0).0.changes_since(&[]);
    bencher.bench(|| {
        let changes = log.iter().map(|(_, change)| change.as_slice());
        Document::replay(DOC, DocKind::Response, black_box(changes)).is_ok()
    });
}

#[divan::bench]
fn save_and_read_back(bencher: Bencher<'_, '_>) {
    let (document, ..) = visit(true, 0);
    bencher.bench_local(|| document.save_verified().is_ok());
}

#[divan::bench]
fn copy_a_document(bencher: Bencher<'_, '_>) {
    let (document, ..) = visit(true, 0);
    bencher.bench_local(|| document.clone());
}

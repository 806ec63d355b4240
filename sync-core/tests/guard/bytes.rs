//! Attacks below the level of operations: encodings, bombs, other kinds of chunk.

use automerge::Change;
use onscene_sync_core::document::{Answer, Document};
use onscene_sync_core::sync::message::RefusalCode::{self, *};

use crate::forge::{CHANGE, Raw, body, chunk, leb, run};
use crate::world::{Phone, refusal, visit};

const ACTION: u64 = 0x42;
const PREDS: u64 = 0x70;

struct Attack {
    hub: Document,
    phone: Phone,
    honest: Vec<u8>,
}

impl Attack {
    fn new() -> Self {
        let (hub, mut phone, _) = visit();
        let honest = phone.answer("fire_lane", Answer::No).expect("another answer").bytes;
        Self { hub, phone, honest }
    }

    fn send(&mut self, bytes: &[u8]) -> RefusalCode {
        assert_ne!(bytes, self.honest);
        refusal(&mut self.hub, &self.phone, bytes)
    }

    fn send_altered(&mut self, alter: impl FnOnce(&mut Raw)) -> RefusalCode {
        let mut raw = Raw::read(&self.honest);
        assert_eq!(raw.write(), self.honest, "taking apart and putting together is the identity");
        alter(&mut raw);
        self.send(&raw.write())
    }
}

#[test]
fn damaged_chunks_are_refused() {
    let mut attack = Attack::new();
    let honest = attack.honest.clone();
    for length in 0..honest.len() {
        assert_eq!(attack.send(&honest[..length]), Malformed, "cut to {length} bytes");
    }
    for at in 0..8 {
        let mut damaged = honest.clone();
        damaged[at] ^= 1;
        assert_eq!(attack.send(&damaged), Malformed, "magic or checksum, byte {at}");
    }
    assert_eq!(attack.send(&[honest.as_slice(), &[0]].concat()), Malformed);
    assert_eq!(attack.send(&[honest.as_slice(), &honest].concat()), Malformed);
}

#[test]
fn other_kinds_of_chunk_are_refused() {
    let mut attack = Attack::new();
    let inner = body(&attack.honest).to_vec();
    for kind in [0, 2, 3, 4, 255] {
        assert_eq!(attack.send(&chunk(kind, &inner)), Malformed, "kind {kind}");
    }
    let document = attack.hub.save();
    assert_eq!(attack.send(&document), Malformed);
    let long = attack.phone.note(&"long ".repeat(200)).bytes;
    let deflated = Change::try_from(long.as_slice()).expect("it is honest").bytes().into_owned();
    assert_eq!(deflated[8], 2);
    assert_eq!(attack.send(&deflated), Malformed);
}

#[test]
fn other_encodings_of_the_same_change_are_refused() {
    let mut attack = Attack::new();
    assert_eq!(
        attack.send_altered(|raw| raw.column(ACTION).splice(.., [0x01, 0x01]).for_each(drop)),
        NotReproducible
    );
    assert_eq!(attack.send_altered(|raw| raw.others.push(vec![0xee; 16])), NotReproducible);
    assert_eq!(attack.send_altered(|raw| raw.others.push(vec![0xee; 15])), Malformed);
    assert_eq!(attack.send_altered(|raw| raw.others = vec![vec![0xee; 16]; 2]), Malformed);
    assert_eq!(
        attack.send_altered(|raw| raw.others = (0..65).map(|n| vec![n; 16]).collect()),
        Malformed
    );
    assert_eq!(attack.send_altered(|raw| raw.columns.push((0xb2, vec![0x7f, 0x01]))), Malformed);
    assert_eq!(attack.send_altered(|raw| raw.columns.insert(0, (0x01, Vec::new()))), Malformed);
    assert_eq!(attack.send_altered(|raw| raw.columns.reverse()), Malformed);
    assert_eq!(attack.send_altered(|raw| raw.columns.clear()), Malformed);
    assert_eq!(attack.send_altered(|raw| raw.extra.push(0)), Malformed);
    assert_eq!(
        attack.send_altered(|raw| raw.columns.iter_mut().for_each(|column| column.0 |= 8)),
        Malformed
    );
}

#[test]
fn indexes_that_point_nowhere_are_refused_before_the_decoder_panics() {
    let mut attack = Attack::new();
    for spec in [0x01, 0x71] {
        let code = attack.send_altered(|raw| *raw.column(spec) = run(1, 9));
        assert_eq!(code, Malformed, "column {spec:#x}");
    }
    for action in 4..16 {
        assert_eq!(attack.send_altered(|raw| *raw.column(ACTION) = vec![0x7f, action]), Malformed);
    }
}

#[test]
fn small_bombs_are_refused() {
    let mut attack = Attack::new();
    for rows in [513, 1_000_000, 1 << 40, 1 << 62] {
        for spec in [0x01, 0x02, ACTION, 0x56, PREDS] {
            let code = attack.send_altered(|raw| *raw.column(spec) = run(rows, 1));
            assert_eq!(code, Malformed, "{rows} rows of column {spec:#x}");
        }
        let code = attack.send_altered(|raw| {
            raw.column(0x34).clear();
            leb(raw.column(0x34), rows);
        });
        assert_eq!(code, Malformed, "{rows} insertions");
        let code = attack.send_altered(|raw| {
            *raw.column(0x15) = vec![0];
            leb(raw.column(0x15), rows);
        });
        assert_eq!(code, Malformed, "{rows} keys of none");
    }
    let code = attack.send_altered(|raw| *raw.column(PREDS) = run(512, 100));
    assert_eq!(code, Malformed, "51,200 predecessors");
}

#[test]
fn a_change_of_a_million_operations_is_refused() {
    let mut attack = Attack::new();
    let bomb = include_bytes!("../fixtures/automerge_rle_bomb_1e6.bin");
    assert_eq!(bomb.len(), 104);
    assert_eq!(attack.send(bomb), Malformed);
}

#[test]
fn inflating_bombs_are_refused_without_inflating() {
    let mut attack = Attack::new();
    // Stored deflate blocks would do as well: what is inflated is never looked at.
    let zeros = vec![0; 16 * 1024];
    assert_eq!(attack.send(&chunk(2, &zeros)), Malformed);
    let too_large = chunk(CHANGE, &vec![0; 64 * 1024]);
    assert_eq!(attack.send(&too_large), Malformed);
    let lying = [&attack.honest[..9], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    assert_eq!(attack.send(&lying), Malformed);
}

//! Making changes that no honest phone makes, with the right checksum.

use automerge::{Change, ExpandedChange};
use onscene_sync_core::crypto::sha256;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) const CHANGE: u8 = 1;

/// Decodes an honest change, alters it, encodes it again.
pub(crate) fn altered(change: &[u8], alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut expanded = Change::try_from(change).expect("an honest change").decode();
    alter(&mut expanded);
    encoded(expanded).expect("the encoder takes it")
}

/// Automerge's own encoder, which panics on some of what can be said in an expanded change.
pub(crate) fn encoded(expanded: ExpandedChange) -> Option<Vec<u8>> {
    catch_unwind(AssertUnwindSafe(|| Change::from(expanded).raw_bytes().to_vec())).ok()
}

/// A chunk with the right length and checksum around any body.
pub(crate) fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    leb(&mut hashed, body.len() as u64);
    hashed.extend_from_slice(body);
    let checksum = sha256(&hashed);
    [&[0x85, 0x6f, 0x4a, 0x83], &checksum.as_bytes()[..4], &hashed].concat()
}

/// The body of a chunk.
pub(crate) fn body(chunk: &[u8]) -> &[u8] {
    let mut rest = &chunk[9..];
    let length = usize::try_from(take_leb(&mut rest)).expect("a length");
    assert_eq!(rest.len(), length);
    rest
}

/// A change taken apart below the level of operations.
pub(crate) struct Raw {
    /// Dependencies, actor, numbers, time and message.
    head: Vec<u8>,
    pub(crate) others: Vec<Vec<u8>>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    pub(crate) extra: Vec<u8>,
}

impl Raw {
    pub(crate) fn read(change: &[u8]) -> Self {
        let whole = body(change);
        let mut rest = whole;
        let deps = take_leb(&mut rest);
        take(&mut rest, deps * 32);
        take_prefixed(&mut rest);
        for _seq_start_time in 0..3 {
            take_leb(&mut rest);
        }
        take_prefixed(&mut rest);
        let head = whole[..whole.len() - rest.len()].to_vec();
        let others = (0..take_leb(&mut rest)).map(|_| take_prefixed(&mut rest)).collect();
        let layout: Vec<_> =
            (0..take_leb(&mut rest)).map(|_| (take_leb(&mut rest), take_leb(&mut rest))).collect();
        let columns =
            layout.into_iter().map(|(spec, length)| (spec, take(&mut rest, length))).collect();
        Self { head, others, columns, extra: rest.to_vec() }
    }

    pub(crate) fn column(&mut self, spec: u64) -> &mut Vec<u8> {
        let column = self.columns.iter_mut().find(|(known, _)| *known == spec);
        &mut column.expect("the change has this column").1
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut body = self.head.clone();
        leb(&mut body, self.others.len() as u64);
        for actor in &self.others {
            leb(&mut body, actor.len() as u64);
            body.extend_from_slice(actor);
        }
        leb(&mut body, self.columns.len() as u64);
        for (spec, data) in &self.columns {
            leb(&mut body, *spec);
            leb(&mut body, data.len() as u64);
        }
        for (_, data) in &self.columns {
            body.extend_from_slice(data);
        }
        body.extend_from_slice(&self.extra);
        chunk(CHANGE, &body)
    }
}

/// Unsigned LEB128.
pub(crate) fn leb(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let bits = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        out.push(if value == 0 { bits } else { bits | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// A run of `count` rows of `value` (signed LEB128 of a positive count, then the value).
pub(crate) fn run(count: u64, value: u8) -> Vec<u8> {
    let mut out = Vec::new();
    leb(&mut out, count);
    let last = out.last_mut().expect("a number has a byte");
    if *last & 0x40 != 0 {
        *last |= 0x80;
        out.push(0);
    }
    out.push(value);
    out
}

fn take_leb(rest: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn take(rest: &mut &[u8], count: u64) -> Vec<u8> {
    let (head, tail) = rest.split_at(usize::try_from(count).expect("a length"));
    *rest = tail;
    head.to_vec()
}

fn take_prefixed(rest: &mut &[u8]) -> Vec<u8> {
    let length = take_leb(rest);
    take(rest, length)
}

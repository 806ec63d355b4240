//! The phone's half of an exchange: what to ask.
//!
//! [`compose`] chooses what one request carries; [`replica`](super::replica) says what the answer
//! means. Both are pure: the store lends what it holds and applies what comes back in one
//! transaction.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::message::{Cursor, Push, SyncRequest};
use super::version;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::witness::Mark;
use crate::document::DocKind;
use crate::fact::AnchorRef;
use crate::fact::anchor::Head;
use crate::id::{DocId, Hash};
use crate::limits::{BUCKETS, PUSH_BYTES, REPLY_FRAME_BYTES, STATEMENTS, WANTED};
use crate::time::ClockReading;

/// A change that the hub has yet to answer for: this phone's, or one that it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its document.
    pub doc: DocId,
    /// The document's kind.
    pub kind: DocKind,
    /// The change's hash.
    pub hash: Hash,
    /// The change chunk.
    pub bytes: Vec<u8>,
    /// Statements of colleagues that go with it.
    pub proofs: Vec<Vec<u8>>,
}

/// What the store knows when a request is due.
#[derive(Debug, Clone)]
pub struct Situation {
    /// The end of this installation's chain of facts.
    pub head: Head,
    /// The clocks now.
    pub clock: ClockReading,
    /// The newest anchor.
    pub anchor: Option<AnchorRef>,
    /// How far each bucket has been read.
    pub cursors: Vec<Cursor>,
    /// Documents to fetch whole. Their changes wait until that has happened.
    pub want: Vec<DocId>,
    /// A new install number is needed.
    pub renew: bool,
    /// A certificate is needed.
    pub certify: bool,
    /// Changes to push at most, lowered after the hub found a request too large.
    pub max_changes: usize,
    /// The newest checkpoint of the audit log.
    pub seen: Option<Mark>,
    /// One that the hub is to explain.
    pub disputed: Option<SignedCheckpoint>,
}

/// What a request carried, kept until its answer: an answer means nothing without it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Sent {
    /// The chain's end that it named.
    #[n(0)]
    pub head: Head,
    /// The clocks as it left.
    #[n(1)]
    pub clock: ClockReading,
    /// The cursors that it named.
    #[n(2)]
    pub cursors: Vec<Cursor>,
    /// The changes that it pushed, in order.
    #[n(3)]
    pub pushed: Vec<Pushed>,
    /// The documents that it asked for.
    #[n(4)]
    pub want: Vec<DocId>,
    /// Whether it asked for a new install number.
    #[n(5)]
    pub renew: bool,
}

/// A change that a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pushed {
    /// Its document.
    #[n(0)]
    pub doc: DocId,
    /// Its hash.
    #[n(1)]
    pub hash: Hash,
}

/// Composes a request. `queue` is in the order of recording, which is causal within a document.
///
/// A new install number is asked for only by a request that carries everything still unanswered,
/// with no document to fetch first: what may have reached the hub unseen must be answered for before
/// it is stated anew, or it would count twice.
#[must_use]
pub fn compose(
    situation: Situation,
    queue: impl IntoIterator<Item = Queued>,
) -> (SyncRequest, Sent) {
    let Situation { head, clock, anchor, mut cursors, mut want, renew, max_changes, .. } =
        situation;
    let Situation { certify, seen, disputed, .. } = situation;
    let mut push = Vec::new();
    let mut pushed = Vec::new();
    let mut bytes = 0;
    let mut proofs = BTreeSet::new();
    let mut all = true;
    for change in queue {
        if want.contains(&change.doc) {
            continue;
        }
        bytes += change.bytes.len();
        let more = change.proofs.iter().filter(|proof| !proofs.contains(*proof)).count();
        let over = bytes > PUSH_BYTES || proofs.len() + more > STATEMENTS;
        if pushed.len() >= max_changes || (over && !pushed.is_empty()) {
            all = false;
            break;
        }
        proofs.extend(change.proofs);
        pushed.push(Pushed { doc: change.doc, hash: change.hash });
        push.push(Push { doc: change.doc, kind: change.kind, change: ByteVec::from(change.bytes) });
    }
    cursors.truncate(BUCKETS);
    want.truncate(WANTED);
    let renew = renew && all && want.is_empty();
    let sent = Sent { head, clock, cursors: cursors.clone(), pushed, want: want.clone(), renew };
    let max_bytes = u32::try_from(REPLY_FRAME_BYTES).unwrap_or(u32::MAX);
    let protocol = version::CURRENT;
    let statements = proofs.into_iter().take(STATEMENTS).map(ByteVec::from).collect();
    let request = SyncRequest {
        protocol,
        head,
        clock,
        anchor,
        cursors,
        push,
        want,
        renew,
        max_bytes,
        seen,
        disputed,
        statements,
        certify,
    };
    (request, sent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::sha256;
    use crate::id::BootId;
    use crate::limits::{CHANGE_BYTES, PUSH_CHANGES};

    fn doc(byte: u8) -> DocId {
        DocId::from_bytes([byte; 16])
    }

    fn queued(doc_byte: u8, n: usize, bytes: usize) -> Queued {
        let hash = sha256(&n.to_be_bytes());
        let (doc, kind) = (doc(doc_byte), DocKind::Response);
        Queued { doc, kind, hash, bytes: vec![0; bytes], proofs: Vec::new() }
    }

    fn situation(want: Vec<DocId>, renew: bool) -> Situation {
        Situation {
            head: Head { install: 1, seq: 0, fact: None },
            clock: ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) },
            anchor: None,
            cursors: Vec::new(),
            want,
            renew,
            certify: false,
            max_changes: PUSH_CHANGES,
            seen: None,
            disputed: None,
        }
    }

    proptest! {
        #[test]
        fn a_request_is_a_bounded_beginning_of_the_queue_without_waiting_documents(
            sizes in prop::collection::vec((0_u8..4, 1_usize..CHANGE_BYTES), 0..40),
            waiting in prop::collection::btree_set(0_u8..4, 0..3),
        ) {
            let queue: Vec<Queued> = sizes
                .iter()
                .enumerate()
                .map(|(n, (doc_byte, bytes))| queued(*doc_byte, n, *bytes))
                .collect();
            let want: Vec<DocId> = waiting.iter().map(|byte| doc(*byte)).collect();
            let free: Vec<&Queued> =
                queue.iter().filter(|change| !want.contains(&change.doc)).collect();
            let (request, sent) = compose(situation(want.clone(), true), queue.clone());
            prop_assert!(request.push.iter().map(|push| push.change.len()).sum::<usize>() <= PUSH_BYTES);
            prop_assert_eq!(request.push.is_empty(), free.is_empty());
            for ((push, pushed), expected) in request.push.iter().zip(&sent.pushed).zip(&free) {
                prop_assert_eq!(push.doc, expected.doc);
                prop_assert_eq!(pushed.hash, expected.hash);
            }
            prop_assert_eq!(request.renew, request.push.len() == queue.len() && want.is_empty());
            prop_assert_eq!(sent.renew, request.renew);
        }
    }

    #[test]
    fn each_proof_goes_once_and_they_are_bounded() {
        let queue = (0..100_u8).map(|n| {
            let proofs = vec![vec![n / 2, 1], vec![n / 2, 2]];
            Queued { proofs, ..queued(1, n.into(), 10) }
        });
        let (request, sent) = compose(situation(Vec::new(), false), queue);
        assert_eq!((request.statements.len(), sent.pushed.len()), (STATEMENTS, STATEMENTS));
    }

    #[test]
    fn the_number_of_changes_is_bounded_too() {
        let queue = (0..PUSH_CHANGES + 1).map(|n| queued(1, n, 10));
        let (request, _) = compose(situation(Vec::new(), true), queue);
        assert_eq!(request.push.len(), PUSH_CHANGES);
        assert!(!request.renew, "something is left unanswered");
    }
}

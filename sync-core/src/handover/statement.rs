//! The statement: a phone's signed list of the changes of its own that it hands over, and to whom.
//!
//! It is the author's proof for changes that somebody else delivers. It also introduces: who was
//! handed a document by a phone entitled to it may write to it, even if the hub never told it so.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::crypto::{Signer, SigningFailed, VerifyP256};
use crate::fact::anchor::Head;
use crate::fact::envelope::{self, EnvelopeError, Sealed};
use crate::id::{DeviceId, DocId, Hash};
use crate::limits::{CHAIN_SEQ, LISTED_CHANGES, LISTED_DOCS, STATEMENT_BYTES};

/// Signed with every statement and never sent.
const PURPOSE: &[u8] = b"onscene hand-over statement v1";

/// What a phone signs with ES256 in a COSE_Sign1 envelope (RFC 9052) when it hands over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Statement {
    /// The phone that states it, author of all changes listed.
    #[n(0)]
    pub device: DeviceId,
    /// The phone that it is given to.
    #[n(1)]
    pub to: DeviceId,
    /// The end of the author's chain of facts at this moment. Who delivers this proves that the
    /// chain had come so far.
    #[n(2)]
    pub head: Head,
    /// The documents handed over, ascending, at most [`LISTED_DOCS`].
    #[n(3)]
    pub docs: Vec<Listed>,
}

/// A document that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Listed {
    /// Which.
    #[n(0)]
    pub doc: DocId,
    /// The author's own changes of it, at most [`LISTED_CHANGES`] in all documents together. None
    /// when only the document is made known.
    #[n(1)]
    pub changes: Vec<Hash>,
}

impl Sealed for Statement {}

impl Statement {
    /// Whether it vouches for a change.
    #[must_use]
    pub fn lists(&self, doc: DocId, change: &Hash) -> bool {
        self.docs.iter().any(|listed| listed.doc == doc && listed.changes.contains(change))
    }

    /// Whether it makes `doc` known to `to`.
    #[must_use]
    pub fn introduces(&self, doc: DocId, to: DeviceId) -> bool {
        self.to == to && self.docs.iter().any(|listed| listed.doc == doc)
    }

    fn is_sound(&self) -> bool {
        let Head { install, seq, fact } = self.head;
        install > 0
            && seq <= CHAIN_SEQ
            && (seq == 0) == fact.is_none()
            && self.docs.len() <= LISTED_DOCS
            && self.docs.iter().map(|listed| listed.changes.len()).sum::<usize>() <= LISTED_CHANGES
            && self.docs.is_sorted_by(|one, next| one.doc < next.doc)
    }
}

/// Signs a statement.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(statement: &Statement, key: &dyn Signer) -> Result<Vec<u8>, SigningFailed> {
    envelope::seal_for_device(PURPOSE, statement, key)
}

/// Reads a statement; `key_of` gives the key of the phone that it names, `None` if that is unknown.
///
/// # Errors
/// When the bytes are not a statement within the limits, or not signed by that key.
pub fn read(
    bytes: &[u8],
    key_of: impl FnOnce(DeviceId) -> Option<Vec<u8>>,
    verify: VerifyP256,
) -> Result<Statement, EnvelopeError> {
    if bytes.len() > STATEMENT_BYTES {
        return Err(EnvelopeError::Malformed("it is longer than a statement"));
    }
    let key_of = |statement: &Statement| {
        if statement.is_sound() { key_of(statement.device) } else { None }
    };
    envelope::read_for_device(PURPOSE, bytes, key_of, verify)
}

/// Whom unchecked bytes name as author and receiver; `None` when they are no statement.
#[must_use]
pub fn parties(bytes: &[u8]) -> Option<(DeviceId, DeviceId)> {
    let statement: Statement =
        if bytes.len() > STATEMENT_BYTES { None } else { envelope::peek(bytes) }?;
    Some((statement.device, statement.to))
}

/// The phones that were handed `doc`, directly or through others, by one of those entitled to it.
/// `know` says whether two phones may hand over to each other.
#[must_use]
pub fn introduced(
    statements: &[Statement],
    doc: DocId,
    entitled: &BTreeSet<DeviceId>,
    know: impl Fn(DeviceId, DeviceId) -> bool,
) -> BTreeSet<DeviceId> {
    let mut reached = entitled.clone();
    loop {
        let before = reached.len();
        for one in statements {
            let handed = reached.contains(&one.device) && one.introduces(doc, one.to);
            if handed && know(one.device, one.to) {
                reached.insert(one.to);
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{SoftwareP256, verify_p256};
    use crate::fact::{Author, Body, DeviceAuthor, FACT_VERSION, Fact, body::Text};
    use crate::id::{BootId, FactId};
    use crate::time::ClockReading;

    fn key(number: u8) -> SoftwareP256 {
        SoftwareP256::from_scalar(&[number; 32]).expect("a key")
    }

    fn device(number: u8) -> DeviceId {
        DeviceId::from_bytes([number; 8])
    }

    fn doc(number: u8) -> DocId {
        DocId::from_bytes([number; 16])
    }

    fn statement(from: u8, to: u8, docs: &[u8]) -> Statement {
        let listed = |n: &u8| Listed { doc: doc(*n), changes: vec![Hash::from_bytes([*n; 32])] };
        Statement {
            device: device(from),
            to: device(to),
            head: Head { install: 1, seq: 1, fact: Some(FactId::from_bytes([1; 16])) },
            docs: docs.iter().map(listed).collect(),
        }
    }

    fn read_of(bytes: &[u8], number: u8) -> Result<Statement, EnvelopeError> {
        read(bytes, |_| Some(key(number).public_key()), verify_p256)
    }

    #[test]
    fn a_statement_reads_back_for_its_author_only() {
        let bytes = seal(&statement(1, 2, &[3, 4]), &key(1)).expect("signed");
        let back = read_of(&bytes, 1).expect("its author's");
        assert_eq!(back, statement(1, 2, &[3, 4]));
        assert!(back.lists(doc(3), &Hash::from_bytes([3; 32])));
        assert!(!back.lists(doc(3), &Hash::from_bytes([4; 32])), "that is in another document");
        assert!(back.introduces(doc(4), device(2)) && !back.introduces(doc(4), device(1)));
        assert_eq!(read_of(&bytes, 2), Err(EnvelopeError::BadSignature));
        assert_eq!(read(&bytes, |_| None, verify_p256), Err(EnvelopeError::BadSignature));
    }

    #[test]
    fn nothing_else_that_a_phone_signs_is_a_statement() {
        let elsewhere = envelope::seal_for_device(b"", &statement(1, 2, &[3]), &key(1));
        assert_eq!(read_of(&elsewhere.expect("signed"), 1), Err(EnvelopeError::BadSignature));
        let author = DeviceAuthor {
            device: device(1),
            install: 1,
            seq: 1,
            prev: None,
            clock: ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) },
            anchors: Vec::new(),
            restates: None,
        };
        let body = Body::Note(Text { text: "x".to_owned(), by: None });
        let author = Author::Device(author);
        let fact = Fact { version: FACT_VERSION, doc: doc(1), author, body };
        let (_, fact) = envelope::seal(&fact, &key(1)).expect("signed");
        assert!(read_of(&fact, 1).is_err());
        let bytes = seal(&statement(1, 2, &[3]), &key(1)).expect("signed");
        assert!(envelope::read_from_device(&bytes, &key(1).public_key(), verify_p256).is_err());
    }

    #[test]
    fn what_is_over_a_limit_or_out_of_order_is_refused_whoever_signed_it() {
        let good = statement(1, 2, &[3, 4]);
        let many = Listed { doc: doc(9), changes: vec![Hash::from_bytes([1; 32]); 257] };
        let docs = (0..65).map(|n| Listed { doc: doc(n), changes: Vec::new() }).collect();
        let no_install = Head { install: 0, ..good.head };
        let no_fact = Head { fact: None, ..good.head };
        let beyond = Head { seq: CHAIN_SEQ + 1, ..good.head };
        let headed = |head| Statement { head, ..good.clone() };
        let wrong = [
            statement(1, 2, &[4, 3]),
            statement(1, 2, &[3, 3]),
            Statement { docs: vec![many], ..good.clone() },
            Statement { docs, ..good.clone() },
            headed(no_install),
            headed(no_fact),
            headed(beyond),
        ];
        for one in wrong {
            let bytes = seal(&one, &key(1)).expect("signed");
            assert!(read_of(&bytes, 1).is_err(), "{one:?}");
        }
    }

    #[test]
    fn who_was_handed_a_document_is_introduced_through_others_but_by_strangers_never() {
        let passed = [
            statement(2, 3, &[7]),
            statement(1, 2, &[7]),
            statement(8, 9, &[7]),
            statement(1, 4, &[6]),
        ];
        let entitled = BTreeSet::from([device(1)]);
        let all = |_, _| true;
        let reached = introduced(&passed, doc(7), &entitled, all);
        assert_eq!(reached, BTreeSet::from([1, 2, 3].map(device)));
        let apart = |one: DeviceId, other| (one, other) != (device(1), device(2));
        assert_eq!(introduced(&passed, doc(7), &entitled, apart), entitled);
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let bytes = seal(&statement(1, 2, &[3]), &key(1)).expect("signed");
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(read_of(&altered, 1).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read_of(&bytes, 1).is_err());
        }
    }
}

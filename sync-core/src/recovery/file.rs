//! The recovery file: a phone's undelivered records, still sealed, with the key in escrow.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::escrow::Escrow;
use super::offer::RecoverySecret;
use crate::document::DocKind;
use crate::fact::anchor::Head;
use crate::id::DocId;
use crate::limits::RECOVERY_BYTES;
use crate::seal::{DataKey, Place, Unopened};
use crate::sync::message::Push;

/// How every file begins.
const MAGIC: &[u8] = b"ONSCENE-RECOVERY-1\n";

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecoveryFile {
    /// The key to what follows.
    #[n(0)]
    pub escrow: Escrow,
    /// Which installation of the phone.
    #[n(1)]
    pub install: u32,
    /// The end of the phone's chain of facts ([`Head`] as CBOR), sealed; empty if it was lost.
    #[n(2)]
    pub head: ByteVec,
    /// What the hub had not acknowledged, in the order of recording.
    #[n(3)]
    pub records: Vec<Record>,
}

/// One undelivered record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Record {
    /// Its number on the phone.
    #[n(0)]
    pub n: u64,
    /// The document that it belongs to.
    #[n(1)]
    pub doc: DocId,
    /// That document's kind.
    #[n(2)]
    pub kind: DocKind,
    /// The change that carries it, sealed at [`change_place`]; empty if it was lost.
    #[n(3)]
    pub change: ByteVec,
}

/// Why a file is not opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecoveryError {
    /// Something else, or cut off.
    #[error(
        "it is no recovery file of this version, or it is cut off: copy it from the phone again"
    )]
    NotOne,
    /// Too much.
    #[error("it has {0} bytes, more than the {RECOVERY_BYTES} of a recovery file")]
    TooLarge(u64),
    /// Sealed to another hub.
    #[error("its key was sealed to another hub's recovery key, or is damaged")]
    AnotherHub,
}

/// What a file holds, opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The key to the phone's store.
    pub key: DataKey,
    /// The end of the phone's chain, if it is known.
    pub head: Option<Head>,
    /// The changes that can be read, as the phone would have pushed them, each with its number on
    /// the phone.
    pub pushes: Vec<(u64, Push)>,
    /// The numbers of records that are damaged.
    pub damaged: Vec<u64>,
}

/// Where a phone's store keeps the change of record `n` (its number, big-endian).
#[must_use]
pub const fn change_place(n: &[u8; 8]) -> Place<'_> {
    Place { table: "intent", column: "change", row: n }
}

/// Where a phone's store keeps the end of its chain.
#[must_use]
pub const fn head_place() -> Place<'static> {
    Place { table: "meta", column: "value", row: b"head" }
}

impl RecoveryFile {
    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = minicbor::to_vec(self).expect("writing CBOR to memory cannot fail");
        [MAGIC, &body].concat()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is none or too large.
    pub fn read(bytes: &[u8]) -> Result<Self, RecoveryError> {
        if bytes.len() as u64 > RECOVERY_BYTES {
            return Err(RecoveryError::TooLarge(bytes.len() as u64));
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(RecoveryError::NotOne)?;
        let mut decoder = minicbor::Decoder::new(body);
        let file = decoder.decode().map_err(|_| RecoveryError::NotOne)?;
        if decoder.position() == body.len() { Ok(file) } else { Err(RecoveryError::NotOne) }
    }

    /// Opens what can be opened.
    ///
    /// # Errors
    /// When the key in it does not open.
    pub fn open(&self, secret: &RecoverySecret) -> Result<Opened, RecoveryError> {
        let key = self.escrow.open(secret).map_err(|Unopened| RecoveryError::AnotherHub)?;
        let head = key.open(head_place(), &self.head).ok();
        let head = head.and_then(|head| minicbor::decode(&head).ok());
        let (mut pushes, mut damaged) = (Vec::new(), Vec::new());
        for record in &self.records {
            let Record { n, doc, kind, change } = record;
            match key.open(change_place(&n.to_be_bytes()), change) {
                Ok(bytes) => {
                    pushes.push((*n, Push { doc: *doc, kind: *kind, change: bytes.into() }));
                }
                Err(Unopened) => damaged.push(*n),
            }
        }
        Ok(Opened { key, head, pushes, damaged })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::crypto::SoftwareP256;
    use crate::id::DeviceId;

    fn file() -> RecoveryFile {
        let key = DataKey::new([7; 32]);
        let to = RecoverySecret::from_seed(&[1; 32]).public();
        let phone = SoftwareP256::from_scalar(&[2; 32]).unwrap();
        let mut chance = ChaCha20Rng::from_seed([9; 32]);
        let device = DeviceId::from_bytes([5; 8]);
        let escrow = Escrow::new(&key, device, to, &phone, &mut chance).unwrap();
        let head = minicbor::to_vec(Head { install: 1, seq: 0, fact: None }).unwrap();
        let record = |n: u64| Record {
            n,
            doc: DocId::from_bytes([3; 16]),
            kind: DocKind::Response,
            change: key.seal(change_place(&n.to_be_bytes()), [4; 24], b"change").into(),
        };
        RecoveryFile {
            escrow,
            install: 1,
            head: key.seal(head_place(), [4; 24], &head).into(),
            records: vec![record(1), record(2)],
        }
    }

    #[test]
    fn what_is_whole_opens_and_what_is_damaged_is_named() {
        let secret = RecoverySecret::from_seed(&[1; 32]);
        let mut file = RecoveryFile::read(&file().to_bytes()).unwrap();
        let opened = file.open(&secret).unwrap();
        assert_eq!((opened.pushes.len(), opened.damaged.len()), (2, 0));
        assert_eq!(opened.head, Some(Head { install: 1, seq: 0, fact: None }));
        file.records.swap(0, 1);
        (file.records[0].n, file.records[1].n) = (1, 2);
        assert_eq!(file.open(&secret).unwrap().damaged, [1, 2], "records do not change places");
        file.head = Vec::new().into();
        assert_eq!(file.open(&secret).unwrap().head, None);
        let other = RecoverySecret::from_seed(&[2; 32]);
        assert_eq!(file.open(&other).err(), Some(RecoveryError::AnotherHub));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let bytes = file().to_bytes();
        for end in 0..bytes.len() {
            assert_eq!(RecoveryFile::read(&bytes[..end]), Err(RecoveryError::NotOne), "{end}");
        }
        assert!(RecoveryFile::read(&[&bytes[..], b"more"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(RecoveryFile::read(&[MAGIC, &tail].concat()).is_err());
        }

        #[test]
        fn an_altered_file_never_gives_another_change(at in 19_usize..700, bit in 0_u8..8) {
            let mut bytes = file().to_bytes();
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1 << bit;
            let Ok(file) = RecoveryFile::read(&bytes) else { return Ok(()) };
            let Ok(opened) = file.open(&RecoverySecret::from_seed(&[1; 32])) else { return Ok(()) };
            for (_, push) in opened.pushes {
                prop_assert_eq!(&push.change[..], b"change");
            }
        }
    }
}

//! A part: some of what one phone gives another, readable by that phone alone.
//!
//! HPKE (RFC 9180) in base mode to the key in the receiver's hello: X25519-HKDF-SHA256, HKDF-SHA256,
//! ChaCha20-Poly1305. Who gave it is proven by the statements inside.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::document::DocKind;
use crate::id::DocId;
use crate::limits::{HANDOVER_MESSAGE_BYTES, HANDOVER_PARTS, STATEMENTS};
use crate::sync::wire;

/// What the encryption is for (RFC 9180's `info`).
const PURPOSE: &[u8] = b"onscene hand-over part v1";

/// What one phone gives another at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Part {
    /// Certificates of all authors named.
    #[n(0)]
    pub certificates: Vec<ByteVec>,
    /// Their [statements](super::statement).
    #[n(1)]
    pub statements: Vec<ByteVec>,
    /// Facts of the hub about cases.
    #[n(2)]
    pub told: Vec<Told>,
    /// Changes of inspections, each after those that it builds on.
    #[n(3)]
    pub changes: Vec<Given>,
}

/// A fact of a case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Told {
    /// The case.
    #[n(0)]
    pub case: DocId,
    /// The fact, signed by the hub.
    #[n(1)]
    pub envelope: ByteVec,
}

/// A change of an inspection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Given {
    /// Its document.
    #[n(0)]
    pub doc: DocId,
    /// The document's kind.
    #[n(1)]
    pub kind: DocKind,
    /// An uncompressed Automerge change chunk.
    #[n(2)]
    pub change: ByteVec,
}

/// A message between two phones.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// See [`hello`](super::hello).
    #[n(0)]
    Hello(#[n(0)] ByteVec),
    /// A part for the phone whose hello it answers.
    #[n(1)]
    Part(#[n(0)] SealedPart),
}

/// A part on its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedPart {
    /// The encapsulated key, 32 bytes.
    #[n(0)]
    pub key: ByteVec,
    /// Its place among the parts that answer the hello, from 0.
    #[n(1)]
    pub index: u32,
    /// No part comes after it.
    #[n(2)]
    pub last: bool,
    /// The encrypted part.
    #[n(3)]
    pub sealed: ByteVec,
}

/// Bytes that are no message for this phone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Longer than [`HANDOVER_MESSAGE_BYTES`].
    #[error("the message is longer than {HANDOVER_MESSAGE_BYTES} bytes: it is not of this app")]
    TooLong,
    /// Not a message.
    #[error("the bytes are not a message between phones: {0}")]
    Malformed(String),
    /// For another phone or another meeting, or altered on the way.
    #[error("it is not for this meeting, or was altered on the way: begin anew on both phones")]
    NotForUs,
}

/// The secret half of a key for one meeting.
pub struct Secret(<X25519HkdfSha256 as Kem>::PrivateKey, Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The key pair that RFC 9180's `DeriveKeyPair` makes of 32 bytes of chance.
    #[must_use]
    pub fn new(chance: &[u8; 32]) -> Self {
        let (secret, public) = X25519HkdfSha256::derive_keypair(chance);
        Self(secret, public.to_bytes().to_vec())
    }

    /// The public half: 32 bytes.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.1
    }
}

fn place(index: u32, last: bool) -> Vec<u8> {
    [&index.to_be_bytes()[..], &[u8::from(last)]].concat()
}

/// Encrypts a part for the phone that showed `meeting` in its hello. `None` when that is no key.
#[must_use]
pub fn seal(
    part: &Part,
    place: (u32, bool),
    meeting: &[u8],
    chance: &mut impl CryptoRng,
) -> Option<SealedPart> {
    encrypt(&wire::compress(&wire::encode(part)), place, meeting, chance)
}

fn encrypt(
    plain: &[u8],
    (index, last): (u32, bool),
    meeting: &[u8],
    chance: &mut impl CryptoRng,
) -> Option<SealedPart> {
    let meeting = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(meeting).ok()?;
    let (key, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &meeting, PURPOSE, plain, &place(index, last), chance)
    .ok()?;
    Some(SealedPart { key: key.to_bytes().to_vec().into(), index, last, sealed: sealed.into() })
}

/// Opens a part that answers the hello whose secret this is.
///
/// # Errors
/// When it is for somebody else, was altered, or holds more than a part may.
pub fn open(part: &SealedPart, secret: &Secret) -> Result<Part, Unreadable> {
    if part.index >= HANDOVER_PARTS {
        return Err(Unreadable::Malformed("it is one part too many".to_owned()));
    }
    let key = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&part.key);
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret.0,
        &key.map_err(|_| Unreadable::NotForUs)?,
        PURPOSE,
        &part.sealed,
        &place(part.index, part.last),
    );
    let plain = plain.map_err(|_| Unreadable::NotForUs)?;
    let malformed = |error: wire::WireError| Unreadable::Malformed(error.to_string());
    let part: Part =
        wire::decode(&wire::decompress(&plain).map_err(malformed)?).map_err(malformed)?;
    if part.certificates.len() > STATEMENTS || part.statements.len() > STATEMENTS {
        return Err(Unreadable::Malformed("it names too many authors".to_owned()));
    }
    Ok(part)
}

impl Message {
    /// The message as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are too many or no message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > HANDOVER_MESSAGE_BYTES {
            return Err(Unreadable::TooLong);
        }
        wire::decode(bytes).map_err(|error| Unreadable::Malformed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::limits::CHANGE_BYTES;

    fn secret(number: u8) -> Secret {
        Secret::new(&[number; 32])
    }

    fn chance() -> impl CryptoRng {
        rand_chacha::ChaCha20Rng::from_seed([5; 32])
    }

    fn part() -> Part {
        let change = vec![7; 900].into();
        let given = Given { doc: DocId::from_bytes([1; 16]), kind: DocKind::Patrol, change };
        Part { changes: vec![given], ..Part::default() }
    }

    fn sealed() -> SealedPart {
        seal(&part(), (3, true), secret(1).public(), &mut chance()).expect("a good key")
    }

    #[test]
    fn only_the_phone_whose_hello_it_answers_reads_a_part() {
        assert_eq!(open(&sealed(), &secret(1)), Ok(part()));
        assert_eq!(open(&sealed(), &secret(3)), Err(Unreadable::NotForUs));
        assert_eq!(seal(&part(), (0, true), b"no point", &mut chance()), None);
        for (index, last) in [(4, true), (3, false)] {
            let moved = SealedPart { index, last, ..sealed() };
            assert_eq!(open(&moved, &secret(1)), Err(Unreadable::NotForUs));
        }
    }

    #[test]
    fn a_message_with_the_largest_change_fits() {
        let change =
            (0..CHANGE_BYTES).map(|n| crate::crypto::sha256(&n.to_be_bytes()).as_bytes()[0]);
        let change: Vec<u8> = change.collect();
        let doc = DocId::from_bytes([1; 16]);
        let given = Given { doc, kind: DocKind::Patrol, change: change.into() };
        let part = Part { changes: vec![given], ..Part::default() };
        let sealed = seal(&part, (0, true), secret(1).public(), &mut chance()).expect("a good key");
        let bytes = Message::Part(sealed.clone()).encode();
        assert_eq!(Message::decode(&bytes), Ok(Message::Part(sealed)));
    }

    #[test]
    fn a_bomb_is_refused() {
        let plain = wire::compress(&vec![0; 64 * 1024 * 1024]);
        let bomb = encrypt(&plain, (0, true), secret(1).public(), &mut chance());
        let bomb = bomb.expect("a good key");
        assert!(matches!(open(&bomb, &secret(1)), Err(Unreadable::Malformed(_))));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let bytes = Message::Part(sealed()).encode();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x10;
            let read = Message::decode(&altered).map(|message| match message {
                Message::Part(part) => open(&part, &secret(1)),
                Message::Hello(_) => Err(Unreadable::NotForUs),
            });
            assert!(!matches!(read, Ok(Ok(_))), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Message::Part(part)) = Message::decode(&bytes) {
                prop_assert!(open(&part, &secret(1)).is_err());
            }
            let part = SealedPart { sealed: bytes.into(), ..sealed() };
            prop_assert!(open(&part, &secret(1)).is_err());
        }
    }
}

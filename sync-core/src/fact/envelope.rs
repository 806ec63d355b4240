//! Signing facts and anchors, and reading them back: COSE_Sign1 (RFC 9052) over CBOR.
//!
//! Phones sign with ES256, the hub with EdDSA. The encoding is fixed (tagged-free COSE_Sign1, one
//! protected header: the algorithm), so an envelope that is not exactly what [`seal`] would have
//! written is refused: the bytes of a fact are as good as the fact.
//! ES256 signatures are kept in the lower of their two forms.

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::anchor::Anchor;
use super::{Author, FACT_VERSION, Fact};
use crate::crypto::{Signer, SigningFailed, VerifyP256, fact_id, verify_ed25519};
use crate::id::FactId;
use crate::limits::FACT_BYTES;

/// How every envelope begins: an array of four, the protected header that names ES256 or EdDSA, an
/// empty unprotected header. Looked at first, because a header may hold countersignatures that have
/// headers themselves, and the parser follows them until the stack is exhausted, which nothing
/// catches.
const PREAMBLES: [[u8; 6]; 2] =
    [[0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0], [0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0]];

/// Why an envelope is not a fact or an anchor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Longer than [`FACT_BYTES`].
    #[error("the envelope has {bytes} bytes, more than the {FACT_BYTES} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not the one encoding that this version writes.
    #[error("the envelope is not a COSE_Sign1 in the encoding of this version: {0}")]
    Malformed(&'static str),
    /// Written by a newer build.
    #[error("the fact is of version {0}, newer than {FACT_VERSION}: the hub needs an update")]
    TooNew(u8),
    /// The signature does not belong to this key and payload.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Encodes and signs a fact. Returns its id and its envelope.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(fact: &Fact, key: &dyn Signer) -> Result<(FactId, Vec<u8>), SigningFailed> {
    let algorithm = match fact.author {
        Author::Device(_) => iana::Algorithm::ES256,
        Author::Hub(_) => iana::Algorithm::EdDSA,
    };
    let envelope = sign(encode(fact), algorithm, &[], key)?;
    Ok((fact_id(&envelope), envelope))
}

/// Signs an anchor. Returns its proof (see [`AnchorRef`](super::AnchorRef)) and its envelope.
///
/// # Errors
/// When the key cannot sign.
pub fn seal_anchor(anchor: &Anchor, key: &dyn Signer) -> Result<(FactId, Vec<u8>), SigningFailed> {
    let envelope = sign(encode(anchor), iana::Algorithm::EdDSA, &[], key)?;
    Ok((fact_id(&envelope), envelope))
}

/// Signs something else that the hub states. `purpose` is signed too but not sent (the external
/// data of RFC 9052 section 4.3), so that what was signed for one purpose is good for no other.
pub(crate) fn seal_for<T: Sealed>(
    purpose: &[u8],
    value: &T,
    key: &dyn Signer,
) -> Result<Vec<u8>, SigningFailed> {
    sign(encode(value), iana::Algorithm::EdDSA, purpose, key)
}

/// Reads a fact without checking its signature: for facts that were checked when they were
/// admitted.
///
/// # Errors
/// When the bytes are not one fact in the encoding of this version.
pub fn read(envelope: &[u8]) -> Result<Fact, EnvelopeError> {
    open(envelope).map(|(fact, _)| fact)
}

/// Reads a phone's fact and checks its signature against the phone's key (a SEC1 point).
///
/// # Errors
/// When the bytes are not a phone's fact, or the signature does not verify.
pub fn read_from_device(
    envelope: &[u8],
    key: &[u8],
    verify: VerifyP256,
) -> Result<Fact, EnvelopeError> {
    let (fact, sign1) = open::<Fact>(envelope)?;
    if fact.device().is_none() {
        return Err(EnvelopeError::Malformed("it is not a phone's"));
    }
    check_device(&sign1, &[], key, verify).map(|()| fact)
}

/// Reads a fact of the hub and checks its signature against the hub's Ed25519 key.
///
/// # Errors
/// When the bytes are not a fact of the hub, or the signature does not verify.
pub fn read_from_hub(envelope: &[u8], key: &[u8; 32]) -> Result<Fact, EnvelopeError> {
    let (fact, sign1) = open::<Fact>(envelope)?;
    if fact.device().is_some() || algorithm(&sign1) != Some(iana::Algorithm::EdDSA) {
        return Err(EnvelopeError::Malformed("it is not the hub's"));
    }
    check_hub(&sign1, &[], key).map(|()| fact)
}

/// Reads an anchor and checks its signature against the hub's Ed25519 key.
///
/// # Errors
/// When the bytes are not an anchor, or the signature does not verify.
pub fn read_anchor(envelope: &[u8], key: &[u8; 32]) -> Result<Anchor, EnvelopeError> {
    let (anchor, sign1) = open::<Anchor>(envelope)?;
    check_hub(&sign1, &[], key).map(|()| anchor)
}

/// Reads what [`seal_for`] sealed for the same purpose, and checks the hub's signature.
pub(crate) fn read_for<T: Sealed>(
    purpose: &[u8],
    envelope: &[u8],
    key: &[u8; 32],
) -> Result<T, EnvelopeError> {
    let (value, sign1) = open::<T>(envelope)?;
    check_hub(&sign1, purpose, key).map(|()| value)
}

/// Signs something else that a phone states, as [`seal_for`] does for the hub.
pub(crate) fn seal_for_device<T: Sealed>(
    purpose: &[u8],
    value: &T,
    key: &dyn Signer,
) -> Result<Vec<u8>, SigningFailed> {
    sign(encode(value), iana::Algorithm::ES256, purpose, key)
}

/// What an envelope says, unchecked.
pub(crate) fn peek<T: Sealed>(envelope: &[u8]) -> Option<T> {
    open(envelope).ok().map(|(value, _)| value)
}

/// Reads what [`seal_for_device`] sealed; `key_of` says whose key it must be signed with.
pub(crate) fn read_for_device<T: Sealed>(
    purpose: &[u8],
    envelope: &[u8],
    key_of: impl FnOnce(&T) -> Option<Vec<u8>>,
    verify: VerifyP256,
) -> Result<T, EnvelopeError> {
    let (value, sign1) = open::<T>(envelope)?;
    let key = key_of(&value).ok_or(EnvelopeError::BadSignature)?;
    check_device(&sign1, purpose, &key, verify).map(|()| value)
}

fn check_device(
    sign1: &CoseSign1,
    purpose: &[u8],
    key: &[u8],
    verify: VerifyP256,
) -> Result<(), EnvelopeError> {
    if algorithm(sign1) != Some(iana::Algorithm::ES256) {
        return Err(EnvelopeError::Malformed("it is not a phone's"));
    }
    let raw = <[u8; 64]>::try_from(sign1.signature.as_slice());
    if raw.map_or(true, |raw| low_s(raw) != raw) {
        return Err(EnvelopeError::Malformed("its signature is not 64 bytes with the lower s"));
    }
    if verify(key, &sign1.tbs_data(purpose), &sign1.signature) {
        Ok(())
    } else {
        Err(EnvelopeError::BadSignature)
    }
}

fn check_hub(sign1: &CoseSign1, purpose: &[u8], key: &[u8; 32]) -> Result<(), EnvelopeError> {
    if verify_ed25519(key, &sign1.tbs_data(purpose), &sign1.signature) {
        Ok(())
    } else {
        Err(EnvelopeError::BadSignature)
    }
}

fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory cannot fail")
}

fn sign(
    payload: Vec<u8>,
    algorithm: iana::Algorithm,
    purpose: &[u8],
    key: &dyn Signer,
) -> Result<Vec<u8>, SigningFailed> {
    let builder = CoseSign1Builder::new()
        .protected(HeaderBuilder::new().algorithm(algorithm).build())
        .payload(payload)
        .try_create_signature(purpose, |message| {
            let raw = key.sign(message)?;
            let es256 = algorithm == iana::Algorithm::ES256;
            Ok::<_, SigningFailed>(if es256 { low_s(raw) } else { raw }.to_vec())
        })?;
    Ok(to_cbor(builder.build()))
}

/// Of an ES256 signature `(r, s)` and its twin `(r, -s)`, which verifies as well, the one with the
/// lower `s`: so nobody but the signer can make a second envelope of a fact.
fn low_s(raw: [u8; 64]) -> [u8; 64] {
    p256::ecdsa::Signature::from_slice(&raw)
        .map_or(raw, |signature| signature.normalize_s().to_bytes().into())
}

fn to_cbor(sign1: CoseSign1) -> Vec<u8> {
    sign1.to_vec().expect("writing CBOR to memory cannot fail")
}

fn algorithm(sign1: &CoseSign1) -> Option<iana::Algorithm> {
    match &sign1.protected.header.alg {
        Some(coset::RegisteredLabelWithPrivate::Assigned(algorithm)) => Some(*algorithm),
        _ => None,
    }
}

/// What an envelope can hold.
pub(crate) trait Sealed: Encode<()> + for<'b> Decode<'b, ()> {
    fn version(&self) -> u8 {
        FACT_VERSION
    }
}
impl Sealed for Fact {
    fn version(&self) -> u8 {
        self.version
    }
}
impl Sealed for Anchor {}

fn open<T: Sealed>(envelope: &[u8]) -> Result<(T, CoseSign1), EnvelopeError> {
    if envelope.len() > FACT_BYTES {
        return Err(EnvelopeError::TooLarge { bytes: envelope.len() });
    }
    if !PREAMBLES.iter().any(|preamble| envelope.starts_with(preamble)) {
        return Err(EnvelopeError::Malformed("its headers are not the two that are written"));
    }
    let sign1 = CoseSign1::from_slice(envelope)
        .map_err(|_| EnvelopeError::Malformed("it is not a COSE_Sign1"))?;
    let payload =
        sign1.payload.as_deref().ok_or(EnvelopeError::Malformed("it carries no payload"))?;
    let value: T = minicbor::decode(payload).map_err(|_| match leading_version(payload) {
        Some(version) if version > FACT_VERSION => EnvelopeError::TooNew(version),
        _ => EnvelopeError::Malformed("its payload is not of the expected kind"),
    })?;
    if value.version() > FACT_VERSION {
        return Err(EnvelopeError::TooNew(value.version()));
    }
    let algorithm = algorithm(&sign1).ok_or(EnvelopeError::Malformed("it names no algorithm"))?;
    let canonical = to_cbor(
        CoseSign1Builder::new()
            .protected(HeaderBuilder::new().algorithm(algorithm).build())
            .payload(encode(&value))
            .signature(sign1.signature.clone())
            .build(),
    );
    if canonical != envelope {
        return Err(EnvelopeError::Malformed("it is not in canonical form"));
    }
    Ok((value, sign1))
}

fn leading_version(payload: &[u8]) -> Option<u8> {
    let mut decoder = minicbor::Decoder::new(payload);
    decoder.array().ok()?;
    decoder.u8().ok()
}

#[cfg(test)]
mod tests {
    use coset::{CoseSign1, Header, ProtectedHeader};
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{SoftwareEd25519, SoftwareP256, verify_p256};
    use crate::fact::anchor::Head;
    use crate::fact::body::Text;
    use crate::fact::{Body, DeviceAuthor};
    use crate::id::{BootId, DeviceId, DocId};
    use crate::time::{ClockReading, Millis};

    fn phone_key(number: u8) -> SoftwareP256 {
        SoftwareP256::from_scalar(&[number; 32]).expect("a small scalar")
    }

    fn hub_key() -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[7; 32])
    }

    fn phone_author() -> Author {
        let boot = BootId::from_bytes([1; 8]);
        Author::Device(DeviceAuthor {
            device: DeviceId::from_bytes([1; 8]),
            install: 1,
            seq: 1,
            prev: None,
            clock: ClockReading { wall_ms: 1_795_000_000_000, boot_ns: 5, boot },
            anchors: Vec::new(),
            restates: None,
        })
    }

    fn fact(author: Author, text: &str) -> Fact {
        let body = Body::Note(Text { text: text.to_owned(), by: None });
        Fact { version: FACT_VERSION, doc: DocId::from_bytes([9; 16]), author, body }
    }

    fn sealed(text: &str) -> Vec<u8> {
        seal(&fact(phone_author(), text), &phone_key(1)).expect("a key in memory signs").1
    }

    fn read_one(envelope: &[u8]) -> Result<Fact, EnvelopeError> {
        read_from_device(envelope, &phone_key(1).public_key(), verify_p256)
    }

    #[test]
    fn a_fact_reads_back_for_the_key_that_signed_it_only() {
        let envelope = sealed("占道");
        assert_eq!(read_one(&envelope), Ok(fact(phone_author(), "占道")));
        assert_eq!(read(&envelope), Ok(fact(phone_author(), "占道")));
        let other = phone_key(2).public_key();
        let refused = read_from_device(&envelope, &other, verify_p256);
        assert_eq!(refused, Err(EnvelopeError::BadSignature));
        let hub = read_from_hub(&envelope, &hub_key().public_key());
        assert!(matches!(hub, Err(EnvelopeError::Malformed(_))));
    }

    #[test]
    fn a_hubs_fact_reads_back_for_its_key_only() {
        let stated = fact(Author::Hub(Millis(5)), "结案");
        let (id, envelope) = seal(&stated, &hub_key()).expect("a key in memory signs");
        assert_eq!(id, fact_id(&envelope));
        assert_eq!(read_from_hub(&envelope, &hub_key().public_key()), Ok(stated));
        let other = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        assert_eq!(read_from_hub(&envelope, &other), Err(EnvelopeError::BadSignature));
        assert!(matches!(read_one(&envelope), Err(EnvelopeError::Malformed(_))));
    }

    #[test]
    fn an_anchor_reads_back_for_the_hubs_key_only() {
        let head = Head { install: 1, seq: 0, fact: None };
        let device = DeviceId::from_bytes([1; 8]);
        let anchor = Anchor { device, number: 1, head, at: Millis(5) };
        let (proof, envelope) = seal_anchor(&anchor, &hub_key()).expect("a key in memory signs");
        assert_eq!(proof, fact_id(&envelope));
        assert_eq!(read_anchor(&envelope, &hub_key().public_key()), Ok(anchor));
        let other = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        assert_eq!(read_anchor(&envelope, &other), Err(EnvelopeError::BadSignature));
        assert!(read_anchor(&sealed("x"), &hub_key().public_key()).is_err());
        assert!(read(&envelope).is_err());
    }

    /// Signs a message of which every header and the payload can be chosen, as a phone could.
    fn signed(protected: Header, unprotected: Header, payload: Option<Vec<u8>>) -> CoseSign1 {
        let mut sign1 = CoseSign1 {
            protected: ProtectedHeader { original_data: None, header: protected },
            unprotected,
            payload,
            signature: Vec::new(),
        };
        let raw = phone_key(1).sign(&sign1.tbs_data(&[])).expect("a key in memory signs");
        sign1.signature = low_s(raw).to_vec();
        sign1
    }

    fn es256() -> Header {
        HeaderBuilder::new().algorithm(iana::Algorithm::ES256).build()
    }

    fn with_payload(payload: Vec<u8>) -> Vec<u8> {
        to_cbor(signed(es256(), Header::default(), Some(payload)))
    }

    /// A COSE_Sign1 whose protected header holds a countersignature, whose protected header holds
    /// one, and so on.
    fn matryoshka() -> Vec<u8> {
        let bytes = |inner: &[u8]| {
            let length = u16::try_from(inner.len()).expect("short of a fact's limit");
            [&[0x59][..], &length.to_be_bytes(), inner].concat()
        };
        let mut header = vec![0xa0];
        while header.len() < FACT_BYTES - 32 {
            header = [&[0xa1, 0x07, 0x83][..], &bytes(&header), &[0xa0, 0x40]].concat();
        }
        [&[0x84][..], &bytes(&header), &[0xa0, 0x40, 0x40]].concat()
    }

    #[test]
    fn headers_within_headers_do_not_exhaust_the_stack() {
        let hostile = matryoshka();
        assert!(hostile.len() <= FACT_BYTES);
        assert!(matches!(read(&hostile), Err(EnvelopeError::Malformed(_))));
        let later = [&[0x84, 0x43, 0xa1, 0x01, 0x26], &hostile[4..]].concat();
        assert!(matches!(read(&later), Err(EnvelopeError::Malformed(_))));
    }

    #[test]
    fn only_the_one_encoding_is_read() {
        let payload = encode(&fact(phone_author(), "x"));
        assert_eq!(
            with_payload(payload.clone()),
            sealed("x"),
            "the base of the forgeries is honest"
        );
        let with_kid = HeaderBuilder::new().algorithm(iana::Algorithm::ES256).key_id(vec![1]);
        let headers = signed(with_kid.build(), Header::default(), Some(payload.clone()));
        let unprotected = HeaderBuilder::new().key_id(vec![1]).build();
        let loose = signed(es256(), unprotected, Some(payload.clone()));
        let unnamed = signed(Header::default(), Header::default(), Some(payload.clone()));
        let eddsa = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).build();
        let misnamed = signed(eddsa, Header::default(), Some(payload.clone()));
        let empty = signed(es256(), Header::default(), None);

        assert_eq!(payload[..2], [0x84, FACT_VERSION]);
        let wide_number = [&[0x84, 0x18, FACT_VERSION], &payload[2..]].concat();
        let endless_array = [&[0x9f], &payload[1..], &[0xff]].concat();
        let one_more = [&[0x85], &payload[1..], &[0x00]].concat();
        let trailing = [&payload[..], &[0x00]].concat();
        let tagged = [&[0xd2][..], &sealed("x")].concat();
        let longer = [&sealed("x")[..], &[0x00]].concat();
        for (name, envelope) in [
            ("another protected header", to_cbor(headers)),
            ("an unprotected header", to_cbor(loose)),
            ("no algorithm", to_cbor(unnamed)),
            ("another algorithm", to_cbor(misnamed)),
            ("no payload", to_cbor(empty)),
            ("a number in two bytes", with_payload(wide_number)),
            ("an array without length", with_payload(endless_array)),
            ("one field more", with_payload(one_more)),
            ("bytes after the fact", with_payload(trailing)),
            ("a tag", tagged),
            ("bytes after the envelope", longer),
            ("nothing", Vec::new()),
        ] {
            let refused = read_one(&envelope);
            assert!(matches!(refused, Err(EnvelopeError::Malformed(_))), "{name}: {refused:?}");
        }
    }

    /// The signature that verifies as well as this one.
    fn twin(raw: &[u8]) -> [u8; 64] {
        let signature = p256::ecdsa::Signature::from_slice(raw).expect("it is a signature");
        let (r, s) = signature.split_scalars();
        let twin = p256::ecdsa::Signature::from_scalars(r, -s).expect("neither part is zero");
        twin.to_bytes().into()
    }

    #[test]
    fn the_twin_of_a_signature_is_refused() {
        let mut sign1 = CoseSign1::from_slice(&sealed("x")).expect("it is an envelope");
        sign1.signature = twin(&sign1.signature).to_vec();
        let message = sign1.tbs_data(&[]);
        assert!(verify_p256(&phone_key(1).public_key(), &message, &sign1.signature));
        let refused = read_one(&to_cbor(sign1));
        assert!(matches!(refused, Err(EnvelopeError::Malformed(_))), "{refused:?}");
    }

    /// A phone's hardware gives either twin; the envelope holds the lower one.
    #[test]
    fn either_twin_seals_to_the_same_envelope() {
        struct Higher(SoftwareP256);
        impl Signer for Higher {
            fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
                self.0.sign(message).map(|raw| twin(&low_s(raw)))
            }
        }
        let stated = fact(phone_author(), "x");
        let (_, envelope) = seal(&stated, &Higher(phone_key(1))).expect("a key in memory signs");
        assert_eq!(envelope, sealed("x"));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = Fact { version: 2, ..fact(phone_author(), "x") };
        assert_eq!(read_one(&with_payload(encode(&newer))), Err(EnvelopeError::TooNew(2)));
        let unknown_form = vec![0x82, 0x03, 0xf6];
        assert_eq!(read_one(&with_payload(unknown_form)), Err(EnvelopeError::TooNew(3)));
        let damaged = vec![0x82, 0x01, 0xf6];
        assert!(matches!(read_one(&with_payload(damaged)), Err(EnvelopeError::Malformed(_))));
    }

    #[test]
    fn a_large_envelope_is_refused_unread() {
        let large = vec![0xff; FACT_BYTES + 1];
        assert_eq!(read(&large), Err(EnvelopeError::TooLarge { bytes: FACT_BYTES + 1 }));
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let honest = sealed("占道经营");
        for bit in 0..honest.len() * 8 {
            let mut altered = honest.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(read_one(&altered).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read_one(&bytes).is_err());
            let _ = read_one(&with_payload(bytes));
        }
    }
}

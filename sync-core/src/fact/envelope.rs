//! Signing facts and anchors, and reading them back: COSE_Sign1 (RFC 9052) over CBOR.
//!
//! Phones sign with ES256, the hub with EdDSA. The encoding is fixed (tagged-free COSE_Sign1, one
//! protected header: the algorithm), so an envelope that is not exactly what [`seal`] would have
//! written is refused: the bytes of a fact are as good as the fact.

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::anchor::Anchor;
use super::{Author, FACT_VERSION, Fact};
use crate::crypto::{Signer, SigningFailed, VerifyP256, fact_id, verify_ed25519};
use crate::id::FactId;
use crate::limits::FACT_BYTES;

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
    let envelope = sign(encode(fact), algorithm, key)?;
    Ok((fact_id(&envelope), envelope))
}

/// Signs an anchor. Returns its proof (see [`AnchorRef`](super::AnchorRef)) and its envelope.
///
/// # Errors
/// When the key cannot sign.
pub fn seal_anchor(anchor: &Anchor, key: &dyn Signer) -> Result<(FactId, Vec<u8>), SigningFailed> {
    let envelope = sign(encode(anchor), iana::Algorithm::EdDSA, key)?;
    Ok((fact_id(&envelope), envelope))
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
    if fact.device().is_none() || algorithm(&sign1) != Some(iana::Algorithm::ES256) {
        return Err(EnvelopeError::Malformed("it is not a phone's"));
    }
    if verify(key, &sign1.tbs_data(&[]), &sign1.signature) {
        Ok(fact)
    } else {
        Err(EnvelopeError::BadSignature)
    }
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
    check_hub(&sign1, key).map(|()| fact)
}

/// Reads an anchor and checks its signature against the hub's Ed25519 key.
///
/// # Errors
/// When the bytes are not an anchor, or the signature does not verify.
pub fn read_anchor(envelope: &[u8], key: &[u8; 32]) -> Result<Anchor, EnvelopeError> {
    let (anchor, sign1) = open::<Anchor>(envelope)?;
    check_hub(&sign1, key).map(|()| anchor)
}

fn check_hub(sign1: &CoseSign1, key: &[u8; 32]) -> Result<(), EnvelopeError> {
    if verify_ed25519(key, &sign1.tbs_data(&[]), &sign1.signature) {
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
    key: &dyn Signer,
) -> Result<Vec<u8>, SigningFailed> {
    let builder = CoseSign1Builder::new()
        .protected(HeaderBuilder::new().algorithm(algorithm).build())
        .payload(payload)
        .try_create_signature(&[], |message| key.sign(message).map(Vec::from))?;
    Ok(to_cbor(builder.build()))
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

trait Sealed: Encode<()> + for<'b> Decode<'b, ()> {
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

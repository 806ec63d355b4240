//! The hello: who a phone is, a key made for this meeting, and what it knows already.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::certificate::{self, Certificate};
use crate::crypto::{Signer, SigningFailed, VerifyP256};
use crate::fact::envelope::{self, EnvelopeError, Sealed};
use crate::limits::HELLO_KNOWN;
use crate::time::Millis;

/// Signed with every hello and never sent.
const PURPOSE: &[u8] = b"onscene hand-over hello v1";

/// What a phone signs with ES256 in a COSE_Sign1 envelope (RFC 9052) to begin.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hello {
    /// Its certificate.
    #[n(0)]
    pub certificate: ByteVec,
    /// An X25519 public key (RFC 7748) whose secret only this phone has, and only during this meeting: a
    /// hello that somebody recorded and shows again is of no use to them.
    #[n(1)]
    pub meeting: ByteVec,
    /// First eight bytes of each order that is known here, big-endian.
    #[n(2)]
    pub orders: Vec<u64>,
    /// First eight bytes of the hash of each colleague's change that is carried here, big-endian.
    #[n(3)]
    pub carried: Vec<u64>,
}

impl Sealed for Hello {}

/// Why a colleague cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Stranger {
    /// The certificate is none of our hub's.
    #[error("its certificate was not issued by the hub of this phone: {0}")]
    Foreign(EnvelopeError),
    /// The certificate has had its day.
    #[error("its certificate has expired: that phone must sync with the hub first")]
    Expired,
    /// It is not signed with the key of the certificate, or over a limit.
    #[error("it is not signed by the phone that its certificate names: {0}")]
    Unproven(EnvelopeError),
}

/// Signs a hello.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(hello: &Hello, key: &dyn Signer) -> Result<Vec<u8>, SigningFailed> {
    envelope::seal_for_device(PURPOSE, hello, key)
}

/// Reads a hello of a phone of the hub whose key is `hub_key`; `not_before` is a moment of the hub's
/// clock that has certainly passed.
///
/// # Errors
/// Why whoever shows it is not to be trusted.
pub fn read(
    bytes: &[u8],
    hub_key: &[u8; 32],
    not_before: Millis,
    verify: VerifyP256,
) -> Result<(Hello, Certificate), Stranger> {
    let mut found = None;
    let key_of = |hello: &Hello| {
        let read = believe(&hello.certificate, hub_key, not_before);
        let key = read.as_ref().ok().map(|certificate| certificate.key.to_vec());
        found = Some(read);
        key
    };
    let hello = envelope::read_for_device(PURPOSE, bytes, key_of, verify);
    match (hello, found) {
        (_, Some(Err(stranger))) => Err(stranger),
        (Ok(hello), Some(Ok(certificate))) if hello.is_sound() => Ok((hello, certificate)),
        (Err(error), _) => Err(Stranger::Unproven(error)),
        (Ok(_), _) => Err(Stranger::Unproven(EnvelopeError::Malformed("it is over a limit"))),
    }
}

/// Reads a certificate that has not certainly expired.
///
/// # Errors
/// When it is not the hub's, or has expired.
pub fn believe(
    bytes: &[u8],
    hub_key: &[u8; 32],
    not_before: Millis,
) -> Result<Certificate, Stranger> {
    let certificate = certificate::read(bytes, hub_key).map_err(Stranger::Foreign)?;
    if certificate.expires_at <= not_before { Err(Stranger::Expired) } else { Ok(certificate) }
}

impl Hello {
    fn is_sound(&self) -> bool {
        self.orders.len() <= HELLO_KNOWN && self.carried.len() <= HELLO_KNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{SoftwareEd25519, SoftwareP256, verify_p256};
    use crate::id::{DeviceId, PersonId, UnitId};

    fn hub(number: u8) -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[number; 32])
    }

    fn phone(number: u8) -> SoftwareP256 {
        SoftwareP256::from_scalar(&[number; 32]).expect("a key")
    }

    fn hello(known: usize) -> Hello {
        let certificate = Certificate {
            device: DeviceId::from_bytes([1; 8]),
            install: 1,
            key: phone(1).public_key().into(),
            person: PersonId::from_bytes([2; 16]),
            unit: UnitId::from_bytes([3; 16]),
            issued_at: Millis(0),
            expires_at: Millis(100),
        };
        let certificate = certificate::seal(&certificate, &hub(7)).expect("signed").into();
        let meeting = phone(9).public_key().into();
        Hello { certificate, meeting, orders: vec![u64::MAX; known], carried: Vec::new() }
    }

    fn read_at(bytes: &[u8], hub_number: u8, now: i64) -> Result<Hello, Stranger> {
        let read = read(bytes, &hub(hub_number).public_key(), Millis(now), verify_p256);
        read.map(|(hello, _)| hello)
    }

    #[test]
    fn a_hello_is_believed_from_the_phone_that_the_hub_named_until_it_expires() {
        let bytes = seal(&hello(3), &phone(1)).expect("signed");
        assert_eq!(read_at(&bytes, 7, 99), Ok(hello(3)));
        assert_eq!(read_at(&bytes, 7, 100), Err(Stranger::Expired));
        assert!(matches!(read_at(&bytes, 8, 0), Err(Stranger::Foreign(_))));
        let another = seal(&hello(3), &phone(2)).expect("signed");
        assert!(matches!(read_at(&another, 7, 0), Err(Stranger::Unproven(_))));
    }

    #[test]
    fn a_hello_over_a_limit_or_of_any_bytes_is_refused() {
        let most = seal(&hello(HELLO_KNOWN), &phone(1)).expect("signed");
        assert!(read_at(&most, 7, 0).is_ok());
        let more = seal(&hello(HELLO_KNOWN + 1), &phone(1)).expect("signed");
        assert!(matches!(read_at(&more, 7, 0), Err(Stranger::Unproven(_))));
        for at in 0..most.len() {
            let mut altered = most.clone();
            altered[at] ^= 4;
            assert!(read_at(&altered, 7, 0).is_err(), "byte {at}");
            assert!(read_at(&most[..at], 7, 0).is_err(), "cut at {at}");
        }
    }
}

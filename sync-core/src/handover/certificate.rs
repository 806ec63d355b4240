//! The certificate: the hub's word on whose phone a key belongs to, for colleagues without a network.
//!
//! It says who somebody is, not what they may do: a phone revoked since still shows a good one. The
//! hub decides what counts when it is handed in.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::crypto::{Signer, SigningFailed};
use crate::fact::envelope::{self, EnvelopeError, Sealed};
use crate::id::{DeviceId, PersonId, UnitId};
use crate::limits::CERTIFICATE_BYTES;
use crate::time::Millis;

/// How long a certificate is good, milliseconds: 30 days.
pub const LIFE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// A phone asks for another when less than this is left, milliseconds: 20 days, so that a phone that
/// is online now and then can be offline for weeks.
pub const RENEW_MS: i64 = 20 * 24 * 3_600 * 1_000;

/// Signed with every certificate and never sent.
const PURPOSE: &[u8] = b"onscene phone certificate v1";

/// What the hub signs with Ed25519 in a COSE_Sign1 envelope (RFC 9052).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Certificate {
    /// The phone.
    #[n(0)]
    pub device: DeviceId,
    /// Its newest installation.
    #[n(1)]
    pub install: u32,
    /// Its public key, a SEC1 point on P-256.
    #[n(2)]
    pub key: ByteVec,
    /// Whose phone it is.
    #[n(3)]
    pub person: PersonId,
    /// That person's unit.
    #[n(4)]
    pub unit: UnitId,
    /// The hub's clock when it was issued.
    #[n(5)]
    pub issued_at: Millis,
    /// Not to be believed from this moment of the hub's clock on.
    #[n(6)]
    pub expires_at: Millis,
}

impl Sealed for Certificate {}

/// Signs a certificate. The same certificate always gives the same bytes.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(certificate: &Certificate, key: &dyn Signer) -> Result<Vec<u8>, SigningFailed> {
    envelope::seal_for(PURPOSE, certificate, key)
}

/// Reads a certificate and checks the signature of the hub whose Ed25519 key is `hub_key`.
///
/// # Errors
/// When the bytes are not a certificate, or another hub's.
pub fn read(bytes: &[u8], hub_key: &[u8; 32]) -> Result<Certificate, EnvelopeError> {
    if bytes.len() > CERTIFICATE_BYTES {
        return Err(EnvelopeError::Malformed("it is longer than a certificate"));
    }
    envelope::read_for(PURPOSE, bytes, hub_key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{SoftwareEd25519, SoftwareP256};

    fn hub() -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[7; 32])
    }

    fn certificate() -> Certificate {
        let key = SoftwareP256::from_scalar(&[1; 32]).expect("a key").public_key();
        Certificate {
            device: DeviceId::from_bytes([1; 8]),
            install: u32::MAX,
            key: key.into(),
            person: PersonId::from_bytes([2; 16]),
            unit: UnitId::from_bytes([3; 16]),
            issued_at: Millis(i64::MIN),
            expires_at: Millis(i64::MAX),
        }
    }

    #[test]
    fn a_certificate_reads_back_for_its_hub_only_and_fits() {
        let bytes = seal(&certificate(), &hub()).expect("signed");
        assert!(bytes.len() <= CERTIFICATE_BYTES, "{}", bytes.len());
        assert_eq!(read(&bytes, &hub().public_key()), Ok(certificate()));
        let other = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        assert_eq!(read(&bytes, &other), Err(EnvelopeError::BadSignature));
        let elsewhere = envelope::seal_for(b"", &certificate(), &hub()).expect("signed");
        assert_eq!(read(&elsewhere, &hub().public_key()), Err(EnvelopeError::BadSignature));
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let bytes = seal(&certificate(), &hub()).expect("signed");
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&altered, &hub().public_key()).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(read(&bytes, &hub().public_key()).is_err());
        }
    }
}

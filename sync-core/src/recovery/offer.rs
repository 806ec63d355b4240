//! The hub's recovery key, and how phones know that it is the hub's.

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::crypto::{Signer, SigningFailed};
use crate::fact::envelope::{self, EnvelopeError, Sealed};
use crate::limits::OFFER_BYTES;

/// Signed with every offer and never sent: no other statement of the hub verifies as one.
const PURPOSE: &[u8] = b"onscene recovery key v1";

type Point = <X25519HkdfSha256 as hpke::Kem>::PublicKey;

/// An X25519 public key (RFC 7748) that data keys are sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecoveryKey {
    /// Its 32 bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: [u8; 32],
}

impl Sealed for RecoveryKey {}

/// The private part, held by the hub. `Debug` does not show it.
pub struct RecoverySecret(<X25519HkdfSha256 as hpke::Kem>::PrivateKey, RecoveryKey);

impl RecoverySecret {
    /// The key pair that RFC 9180's `DeriveKeyPair` makes of a seed. Every 32 bytes are one.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let (secret, public) = X25519HkdfSha256::derive_keypair(seed);
        Self(secret, RecoveryKey { bytes: public.to_bytes().into() })
    }

    /// The public part.
    #[must_use]
    pub const fn public(&self) -> RecoveryKey {
        self.1
    }

    pub(super) const fn private(&self) -> &<X25519HkdfSha256 as hpke::Kem>::PrivateKey {
        &self.0
    }
}

impl std::fmt::Debug for RecoverySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoverySecret(…)")
    }
}

impl RecoveryKey {
    pub(super) fn point(&self) -> Option<Point> {
        Point::from_bytes(&self.bytes).ok()
    }
}

/// Why an offer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OfferError {
    /// It is longer than an offer.
    #[error("it has {0} bytes, more than the {OFFER_BYTES} of an offer")]
    TooLarge(usize),
    /// It is not the hub's.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// Signs the recovery key with the hub's Ed25519 key. The same key always gives the same bytes.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(key: &RecoveryKey, signer: &dyn Signer) -> Result<Vec<u8>, SigningFailed> {
    envelope::seal_for(PURPOSE, key, signer)
}

/// Reads an offer and checks the hub's signature.
///
/// # Errors
/// When it is none, or not of the hub with this Ed25519 key.
pub fn read(bytes: &[u8], hub_key: &[u8; 32]) -> Result<RecoveryKey, OfferError> {
    if bytes.len() > OFFER_BYTES {
        return Err(OfferError::TooLarge(bytes.len()));
    }
    Ok(envelope::read_for(PURPOSE, bytes, hub_key)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SoftwareEd25519;

    #[test]
    fn an_offer_is_the_hubs_or_nothing() {
        let [hub, other] = [7, 8].map(|seed| SoftwareEd25519::from_seed(&[seed; 32]));
        let key = RecoverySecret::from_seed(&[1; 32]).public();
        let offer = seal(&key, &hub).unwrap();
        assert_eq!(read(&offer, &hub.public_key()), Ok(key));
        assert!(offer.len() <= OFFER_BYTES);
        assert!(read(&offer, &other.public_key()).is_err());
        for at in 0..offer.len() {
            let mut altered = offer.clone();
            altered[at] ^= 1;
            assert!(read(&altered, &hub.public_key()).is_err(), "byte {at}");
        }
        assert!(read(&vec![0; OFFER_BYTES + 1], &hub.public_key()).is_err());
        // The same bytes signed for no purpose in particular are no offer.
        let elsewhere = envelope::seal_for(&[], &key, &hub).unwrap();
        assert!(read(&elsewhere, &hub.public_key()).is_err());
    }

    #[test]
    fn a_seed_always_makes_the_same_pair_and_does_not_show() {
        let [first, again, other] = [1, 1, 2].map(|seed| RecoverySecret::from_seed(&[seed; 32]));
        assert_eq!(first.public(), again.public());
        assert_ne!(first.public(), other.public());
        assert_eq!(format!("{first:?}"), "RecoverySecret(…)");
    }
}

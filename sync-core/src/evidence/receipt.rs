//! The receipt for a file of evidence: the hub's signed word that it has the whole file, durably.
//!
//! Only this makes a phone call a file *verified*, and only this lets it drop its own copy later.

use minicbor::{Decode, Encode};

use crate::crypto::{Signer, SigningFailed};
use crate::fact::envelope::{self, EnvelopeError, Sealed};
use crate::id::{FactId, Hash};
use crate::limits::RECEIPT_BYTES;
use crate::time::Millis;

/// The header of an HTTP answer that carries a receipt, as base64url without padding (RFC 4648).
pub const HEADER: &str = "onscene-receipt";

/// Signed with every receipt and never sent: no other statement of the hub verifies as one.
const PURPOSE: &[u8] = b"onscene evidence receipt v1";

/// What the hub signs with Ed25519 in a COSE_Sign1 envelope (RFC 9052).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The [`Manifest`](crate::fact::body::Manifest) fact that names the file.
    #[n(0)]
    pub fact: FactId,
    /// SHA-256 of what the hub has, computed from the bytes that it stored.
    #[n(1)]
    pub sha256: Hash,
    /// Its bytes.
    #[n(2)]
    pub bytes: u64,
    /// The hub's clock when the file was whole and durable.
    #[n(3)]
    pub at: Millis,
}

impl Sealed for Receipt {}

/// Signs a receipt. The same receipt always gives the same bytes.
///
/// # Errors
/// When the key cannot sign.
pub fn seal(receipt: &Receipt, key: &dyn Signer) -> Result<Vec<u8>, SigningFailed> {
    envelope::seal_for(PURPOSE, receipt, key)
}

/// Reads a receipt and checks its signature against the hub's Ed25519 key.
///
/// # Errors
/// When the bytes are not a receipt in the one encoding, or the signature does not verify.
pub fn read(bytes: &[u8], key: &[u8; 32]) -> Result<Receipt, EnvelopeError> {
    if bytes.len() > RECEIPT_BYTES {
        return Err(EnvelopeError::Malformed("it is longer than a receipt"));
    }
    envelope::read_for(PURPOSE, bytes, key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SoftwareEd25519;
    use crate::fact::anchor::{Anchor, Head};
    use crate::id::DeviceId;

    fn key() -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[7; 32])
    }

    fn receipt() -> Receipt {
        Receipt {
            fact: FactId::from_bytes([1; 16]),
            sha256: Hash::from_bytes([2; 32]),
            bytes: u64::MAX,
            at: Millis(i64::MIN),
        }
    }

    fn sealed() -> Vec<u8> {
        seal(&receipt(), &key()).expect("a key in memory signs")
    }

    #[test]
    fn a_receipt_reads_back_for_the_hubs_key_only_and_is_always_the_same_bytes() {
        assert_eq!(read(&sealed(), &key().public_key()), Ok(receipt()));
        assert_eq!(sealed(), sealed());
        assert!(sealed().len() <= RECEIPT_BYTES, "{}", sealed().len());
        let other = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        assert_eq!(read(&sealed(), &other), Err(EnvelopeError::BadSignature));
    }

    #[test]
    fn nothing_else_that_the_hub_signs_is_a_receipt_and_a_receipt_is_nothing_else() {
        let head = Head { install: 1, seq: 0, fact: None };
        let anchor =
            Anchor { device: DeviceId::from_bytes([1; 8]), number: 1, head, at: Millis(5) };
        let (_, anchor) = envelope::seal_anchor(&anchor, &key()).expect("a key in memory signs");
        assert!(read(&anchor, &key().public_key()).is_err());
        assert!(envelope::read_anchor(&sealed(), &key().public_key()).is_err());
        // The very payload of a receipt, signed by the hub but not for this purpose.
        let elsewhere = envelope::seal_for(&[], &receipt(), &key()).expect("a key in memory signs");
        assert_eq!(read(&elsewhere, &key().public_key()), Err(EnvelopeError::BadSignature));
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        for bit in 0..sealed().len() * 8 {
            let mut altered = sealed();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&altered, &key().public_key()).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            prop_assert!(read(&bytes, &key().public_key()).is_err());
        }
    }
}

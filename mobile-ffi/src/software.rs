//! A key store in ordinary memory: for tests, the command-line phone and phones without secure
//! hardware.

use onscene_sync_core::crypto::{Signer, SigningFailed, SoftwareP256, sha256};
use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::seal::{DataKey, NONCE_BYTES, Place};

use crate::host::{HostError, KeyStore};

const WRAPPED: Place<'_> = Place { table: "data_key", column: "wrapped", row: b"software" };

/// A P-256 key and, derived from it, the key that wraps the store's.
#[derive(Debug)]
pub struct SoftwareKeys {
    signing: SoftwareP256,
    wrapping: DataKey,
}

impl SoftwareKeys {
    /// Keys from a P-256 scalar of 32 bytes; `None` when it is zero or not below the curve's order.
    #[must_use]
    pub fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        let signing = SoftwareP256::from_scalar(scalar)?;
        let wrapping = DataKey::new(*sha256(&[b"onscene wrap", &scalar[..]].concat()).as_bytes());
        Some(Self { signing, wrapping })
    }
}

impl Signer for SoftwareKeys {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        self.signing.sign(message)
    }
}

impl KeyStore for SoftwareKeys {
    fn public_key(&self) -> Result<Vec<u8>, HostError> {
        Ok(self.signing.public_key())
    }

    fn level(&self) -> KeyLevel {
        KeyLevel::Software
    }

    fn wrap(&self, data_key: &[u8]) -> Result<Vec<u8>, HostError> {
        // A nonce that depends on all that goes in needs no chance: it repeats only with the message.
        let digest = sha256(&[&self.wrapping.bytes()[..], data_key].concat());
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&digest.as_bytes()[..NONCE_BYTES]);
        Ok(self.wrapping.seal(WRAPPED, nonce, data_key))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Vec<u8>, HostError> {
        let opened = self.wrapping.open(WRAPPED, wrapped);
        opened.map_err(|_| HostError::for_good("the key in memory is another one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_phone_wraps_no_other_unwraps() {
        let keys = |byte| SoftwareKeys::from_scalar(&[byte; 32]).unwrap();
        let wrapped = keys(1).wrap(&[7; 32]).unwrap();
        assert_eq!(keys(1).unwrap(&wrapped), Ok(vec![7; 32]));
        assert!(keys(2).unwrap(&wrapped).is_err() && keys(1).unwrap(b"").is_err());
        assert!(!wrapped.windows(8).any(|window| window == [7; 8]));
        assert_ne!(wrapped, keys(1).wrap(&[8; 32]).unwrap());
    }
}

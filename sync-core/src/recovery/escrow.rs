//! A store's key, sealed to the hub: HPKE (RFC 9180) in base mode, X25519-HKDF-SHA256,
//! HKDF-SHA256, ChaCha20-Poly1305.
//!
//! Anybody can seal to a public key, so the phone signs which key is its store's. What opens under
//! that key was written by that phone, also where a record carries no signature of its own.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use thiserror::Error;
use zeroize::Zeroizing;

use super::offer::{RecoveryKey, RecoverySecret};
use crate::crypto::{Signer, SigningFailed, VerifyP256, sha256};
use crate::id::DeviceId;
use crate::seal::{DataKey, Unopened};

/// What the sealing is for (RFC 9180's `info`), and the beginning of what the phone signs.
const PURPOSE: &[u8] = b"onscene store escrow v1";

/// A store's key as only the hub can read it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Escrow {
    /// The phone.
    #[n(0)]
    pub device: DeviceId,
    /// Whom it is sealed to.
    #[n(1)]
    pub to: RecoveryKey,
    /// The encapsulated key.
    #[n(2)]
    encapsulated: ByteVec,
    /// The data key, sealed.
    #[n(3)]
    sealed: ByteVec,
    /// The phone's P-256 signature, `r ‖ s`, that this key is its store's.
    #[n(4)]
    signature: ByteVec,
}

/// Why a key could not be put in escrow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EscrowFailed {
    /// The hub's key is no point to seal to.
    #[error("the hub's recovery key is none")]
    NotAKey,
    /// The phone's key did not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

impl Escrow {
    /// Seals a store's key to the hub.
    ///
    /// # Errors
    /// When the hub's key is none, or the phone's does not sign.
    pub fn new(
        key: &DataKey,
        device: DeviceId,
        to: RecoveryKey,
        signer: &dyn Signer,
        chance: &mut impl CryptoRng,
    ) -> Result<Self, EscrowFailed> {
        let point = to.point().ok_or(EscrowFailed::NotAKey)?;
        let signature = signer.sign(&claim(device, key))?;
        let (encapsulated, sealed) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &point,
                PURPOSE,
                key.bytes(),
                device.as_bytes(),
                chance,
            )
            .map_err(|_| EscrowFailed::NotAKey)?;
        Ok(Self {
            device,
            to,
            encapsulated: encapsulated.to_bytes().to_vec().into(),
            sealed: sealed.into(),
            signature: signature.to_vec().into(),
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it was sealed to another key, or is damaged.
    pub fn open(&self, secret: &RecoverySecret) -> Result<DataKey, Unopened> {
        type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;
        let encapsulated = Encapsulated::from_bytes(&self.encapsulated).map_err(|_| Unopened)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            secret.private(),
            &encapsulated,
            PURPOSE,
            &self.sealed,
            self.device.as_bytes(),
        );
        let opened = Zeroizing::new(opened.map_err(|_| Unopened)?);
        Ok(DataKey::new((&opened[..]).try_into().map_err(|_| Unopened)?))
    }

    /// Whether the phone with this public key (SEC1) says that `key` is its store's.
    #[must_use]
    pub fn is_of(&self, key: &DataKey, phone: &[u8], verify: VerifyP256) -> bool {
        verify(phone, &claim(self.device, key), &self.signature)
    }
}

fn claim(device: DeviceId, key: &DataKey) -> Vec<u8> {
    let print = sha256(&[PURPOSE, &key.bytes()[..]].concat());
    [PURPOSE, device.as_bytes(), print.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::crypto::{SoftwareP256, verify_p256};

    const DEVICE: DeviceId = DeviceId::from_bytes([5; 8]);

    fn phone(byte: u8) -> SoftwareP256 {
        SoftwareP256::from_scalar(&[byte; 32]).unwrap()
    }

    fn escrow(key: u8) -> Escrow {
        let mut chance = ChaCha20Rng::from_seed([9; 32]);
        let to = RecoverySecret::from_seed(&[1; 32]).public();
        Escrow::new(&DataKey::new([key; 32]), DEVICE, to, &phone(2), &mut chance).unwrap()
    }

    #[test]
    fn the_hub_opens_what_a_phone_sealed_to_it_and_nobody_else_does() {
        let (hub, other) =
            (RecoverySecret::from_seed(&[1; 32]), RecoverySecret::from_seed(&[2; 32]));
        let escrow = escrow(7);
        let key = escrow.open(&hub).unwrap();
        assert_eq!(key.bytes(), &[7; 32]);
        assert_eq!(escrow.open(&other).err(), Some(Unopened));
        assert!(escrow.is_of(&key, &phone(2).public_key(), verify_p256));
        assert!(!escrow.is_of(&key, &phone(3).public_key(), verify_p256));
        assert!(!escrow.is_of(&DataKey::new([8; 32]), &phone(2).public_key(), verify_p256));
        let renamed = Escrow { device: DeviceId::from_bytes([6; 8]), ..escrow };
        assert_eq!(renamed.open(&hub).err(), Some(Unopened), "the phone's id is bound");
    }

    #[test]
    fn an_altered_escrow_never_gives_a_key_that_counts_as_the_phones() {
        let hub = RecoverySecret::from_seed(&[1; 32]);
        let bytes = minicbor::to_vec(escrow(7)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let Ok(altered) = minicbor::decode::<Escrow>(&altered) else { continue };
            let Ok(key) = altered.open(&hub) else { continue };
            // What remains are the fields that the opening does not need.
            assert_eq!(key.bytes(), &[7; 32], "bit {bit}");
            let counts = altered.is_of(&key, &phone(2).public_key(), verify_p256);
            assert!(!counts || altered.to != escrow(7).to, "bit {bit}");
        }
    }
}

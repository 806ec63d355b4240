//! Signatures as arguments: who holds a key is the caller's business.
//!
//! Phones sign with P-256 because their secure hardware does (RFC 9053 ES256); the hub signs with
//! Ed25519. Hashing is SHA-256 throughout.

use ed25519_dalek::Verifier as _;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::id::{FactId, Hash};

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::digest(bytes).into())
}

/// The id of a signed envelope: the first half of its SHA-256.
#[must_use]
pub fn fact_id(envelope: &[u8]) -> FactId {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(envelope).as_bytes()[..16]);
    FactId::from_bytes(id)
}

/// A key that could not sign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the key could not sign: {why}")]
pub struct SigningFailed {
    /// What the key store said.
    pub why: String,
    /// The key is gone for good; otherwise it may sign later.
    pub lost: bool,
}

impl SigningFailed {
    /// It may sign later.
    #[must_use]
    pub fn for_now(why: impl ToString) -> Self {
        Self { why: why.to_string(), lost: false }
    }
}

/// A private key, wherever it lives. `sign` returns the 64-byte `r ‖ s` (ES256) or Ed25519 form.
pub trait Signer {
    /// Signs `message` (not yet hashed).
    ///
    /// # Errors
    /// When the key store refuses or has lost the key.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed>;
}

/// Checks a P-256 signature: `key` is the SEC1 point (33 or 65 bytes), `signature` is `r ‖ s`.
///
/// A parameter, so that the hub can use a faster implementation than the portable one here.
pub type VerifyP256 = fn(key: &[u8], message: &[u8], signature: &[u8]) -> bool;

/// Portable P-256 verification.
#[must_use]
pub fn verify_p256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(key) else { return false };
    let Ok(signature) = p256::ecdsa::Signature::from_slice(signature) else { return false };
    key.verify(message, &signature).is_ok()
}

/// Ed25519 verification (RFC 8032, strict about the points it accepts).
#[must_use]
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else { return false };
    let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
    !key.is_weak() && key.verify(message, &signature).is_ok()
}

/// A P-256 key in memory: for tests, the command-line phone and devices without secure hardware.
#[derive(Debug)]
pub struct SoftwareP256(p256::ecdsa::SigningKey);

impl SoftwareP256 {
    /// Reads a 32-byte scalar; `None` when it is zero or not below the curve's order.
    #[must_use]
    pub fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(scalar).ok().map(Self)
    }

    /// The public key as an uncompressed SEC1 point of 65 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }
}

impl Signer for SoftwareP256 {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        use p256::ecdsa::signature::Signer as _;
        let signature: p256::ecdsa::Signature =
            self.0.try_sign(message).map_err(SigningFailed::for_now)?;
        Ok(signature.to_bytes().into())
    }
}

/// An Ed25519 key in memory: the hub's.
#[derive(Debug)]
pub struct SoftwareEd25519(ed25519_dalek::SigningKey);

impl SoftwareEd25519 {
    /// Every 32 bytes are a valid seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl Signer for SoftwareEd25519 {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        use ed25519_dalek::Signer as _;
        Ok(self.0.sign(message).to_bytes())
    }
}

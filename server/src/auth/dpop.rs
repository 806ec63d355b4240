//! Proof of possession (RFC 9449): each request of a phone carries a JWT signed by its P-256 key.
//!
//! The proof's `iat` is not read, because phones' clocks are wrong; a server nonce bounds its age
//! and each `jti` is taken once. The memory of used proofs is this process's own: a proof caught on
//! the way could be repeated at another node within its ten minutes, which does no harm, since
//! every write of a phone is recognised by its content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::time::Millis;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use thiserror::Error;

use super::jwk::{DeviceKey, Jwk, Thumbprint};
use super::nonce::Nonces;
use super::secrets::Secrets;

/// Bytes of a proof; honest ones have about 500.
const PROOF_BYTES: usize = 4 * 1024;
/// Proofs that one key may use in five minutes.
const PROOFS_PER_KEY: usize = 10_000;
/// Keys remembered in five minutes.
const KEYS_REMEMBERED: usize = 100_000;

/// Why a proof is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Not a DPoP proof, or not of a P-256 key.
    #[error("the DPoP proof is not a `dpop+jwt` signed with ES256 by a P-256 key in its header")]
    Malformed,
    /// The signature does not verify.
    #[error("the DPoP proof's signature is wrong")]
    BadSignature,
    /// Made for another method or address.
    #[error("the DPoP proof was made for another request: check `htm` and `htu`")]
    OtherRequest,
    /// Made for another access token, or for none.
    #[error("the DPoP proof was made for another access token: check `ath`")]
    OtherToken,
    /// Without a nonce of this server, or with an old one.
    #[error("repeat the request with the nonce of the DPoP-Nonce header in the DPoP proof")]
    UseNonce,
    /// Used before.
    #[error("the DPoP proof was used before: make a new one, with a `jti` of its own")]
    Replayed,
    /// This key makes too many requests.
    #[error("too many requests of one key: wait five minutes")]
    TooMany,
}

/// The request that a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, as it follows the public address.
    pub path: &'a str,
    /// The access token that is used with it.
    pub access_token: Option<&'a str>,
}

/// Checks proofs.
#[derive(Debug)]
pub struct Proofs {
    public_url: String,
    nonces: Nonces,
    used: Mutex<Used>,
}

impl Proofs {
    /// Checks proofs for the server that phones know as `public_url`.
    #[must_use]
    pub fn new(secrets: &Secrets, public_url: &str) -> Self {
        Self {
            public_url: public_url.to_owned(),
            nonces: Nonces::new(secrets.nonce.clone()),
            used: Mutex::default(),
        }
    }

    /// The nonce to put into the next proof.
    #[must_use]
    pub fn nonce(&self, now: Millis) -> String {
        self.nonces.current(now)
    }

    /// The key that made `proof` for this request.
    ///
    /// # Errors
    /// When the proof is not good for it.
    pub fn check(
        &self,
        proof: &str,
        request: Request<'_>,
        now: Millis,
    ) -> Result<DeviceKey, ProofError> {
        let (key, claims) = read(proof)?;
        let address = format!("{}{}", self.public_url, request.path);
        let htu = claims.htu.split(['?', '#']).next().unwrap_or_default();
        if claims.htm != request.method || htu != address {
            return Err(ProofError::OtherRequest);
        }
        if claims.ath != request.access_token.map(token_hash) {
            return Err(ProofError::OtherToken);
        }
        let nonce = claims.nonce.as_deref().unwrap_or_default();
        let generation = self.nonces.recognise(nonce, now).ok_or(ProofError::UseNonce)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.take(generation, key.thumbprint(), &claims.jti)?;
        Ok(key)
    }
}

/// The `ath` of a token: base64url of its SHA-256.
fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()).as_bytes())
}

/// Reads a proof and checks its signature with the key in its own header.
fn read(proof: &str) -> Result<(DeviceKey, Claims), ProofError> {
    if proof.len() > PROOF_BYTES {
        return Err(ProofError::Malformed);
    }
    let (message, signature) = proof.rsplit_once('.').ok_or(ProofError::Malformed)?;
    let (header, claims) = message.split_once('.').ok_or(ProofError::Malformed)?;
    let header: Header = part(header)?;
    if header.typ != "dpop+jwt" || header.alg != "ES256" || header.crit.is_some() {
        return Err(ProofError::Malformed);
    }
    let key = DeviceKey::from_jwk(&header.jwk).ok_or(ProofError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| ProofError::Malformed)?;
    if !key.verify(message.as_bytes(), &signature) {
        return Err(ProofError::BadSignature);
    }
    Ok((key, part(claims)?))
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, ProofError> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| ProofError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| ProofError::Malformed)
}

#[derive(Debug, Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
    crit: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    ath: Option<String>,
    nonce: Option<String>,
}

/// The proofs used under each nonce that is still taken.
#[derive(Debug, Default)]
struct Used(BTreeMap<i64, BTreeMap<Thumbprint, BTreeSet<u64>>>);

impl Used {
    fn take(&mut self, generation: i64, key: Thumbprint, jti: &str) -> Result<(), ProofError> {
        while self.0.len() > 2
            || self.0.first_key_value().is_some_and(|(old, _)| *old < generation - 1)
        {
            self.0.pop_first();
        }
        let keys = self.0.entry(generation).or_default();
        if keys.len() >= KEYS_REMEMBERED && !keys.contains_key(&key) {
            return Err(ProofError::TooMany);
        }
        let proofs = keys.entry(key).or_default();
        let name = sha256(jti.as_bytes()).prefix();
        if proofs.contains(&name) {
            return Err(ProofError::Replayed);
        }
        if proofs.len() >= PROOFS_PER_KEY {
            return Err(ProofError::TooMany);
        }
        proofs.insert(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::crypto::{Signer as _, SoftwareP256};
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::nonce::GENERATION_MS;

    const NOW: Millis = Millis(1_750_000_000_000);
    const SYNC: Request<'static> =
        Request { method: "POST", path: "/v1/sync", access_token: Some("token") };

    fn proofs() -> Proofs {
        Proofs::new(&Secrets::derive(&[1; 32]), "https://hub.example")
    }

    fn key() -> SoftwareP256 {
        SoftwareP256::from_scalar(&[9; 32]).expect("a scalar")
    }

    fn header() -> Value {
        let point = key().public_key();
        let (x, y) = point[1..].split_at(32);
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {
            "kty": "EC", "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}})
    }

    fn claims() -> Value {
        json!({"jti": "one", "htm": "POST", "htu": "https://hub.example/v1/sync", "iat": 0,
            "ath": token_hash("token"), "nonce": proofs().nonce(NOW)})
    }

    fn sign(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = key().sign(message.as_bytes()).expect("in memory");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn with(mut object: Value, member: &str, value: Value) -> Value {
        object[member] = value;
        object
    }

    fn check(header: &Value, claims: &Value) -> Result<DeviceKey, ProofError> {
        proofs().check(&sign(header, claims), SYNC, NOW)
    }

    #[test]
    fn the_ath_of_rfc_9449_section_7_1() {
        assert_eq!(
            token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
        );
    }

    #[test]
    fn the_proof_of_rfc_9449_section_4_2_has_a_good_signature() {
        let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4\
            dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFR\
            sY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2My\
            bFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ij\
            oxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNy\
            JK70nfbV37xRZT3Lg";
        let (key, claims) = read(proof).expect("a good proof");
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(key.thumbprint().to_string(), jkt);
        assert_eq!(claims.htu, "https://server.example.com/token");
    }

    #[test]
    fn a_good_proof_is_taken_once() {
        let proofs = proofs();
        let proof = sign(&header(), &claims());
        assert!(proofs.check(&proof, SYNC, NOW).is_ok());
        assert_eq!(proofs.check(&proof, SYNC, NOW), Err(ProofError::Replayed));
        let next = sign(&header(), &with(claims(), "jti", json!("two")));
        assert!(proofs.check(&next, SYNC, NOW).is_ok());
    }

    #[test]
    fn a_replay_is_seen_as_long_as_its_nonce_is_taken() {
        let proofs = proofs();
        let proof = sign(&header(), &claims());
        let key = proofs.check(&proof, SYNC, NOW).expect("fresh");
        let later = NOW.plus(GENERATION_MS);
        let other = with(with(claims(), "nonce", json!(proofs.nonce(later))), "jti", json!("two"));
        assert_eq!(proofs.check(&sign(&header(), &other), SYNC, later), Ok(key));
        assert_eq!(proofs.check(&proof, SYNC, later), Err(ProofError::Replayed));
        let much_later = NOW.plus(2 * GENERATION_MS);
        assert_eq!(proofs.check(&proof, SYNC, much_later), Err(ProofError::UseNonce));
    }

    #[test]
    fn a_proof_for_something_else_is_refused() {
        for (member, value, error) in [
            ("htm", json!("GET"), ProofError::OtherRequest),
            ("htu", json!("https://hub.example/v1/token"), ProofError::OtherRequest),
            ("htu", json!("https://evil.example/v1/sync"), ProofError::OtherRequest),
            ("ath", json!(token_hash("other")), ProofError::OtherToken),
            ("ath", Value::Null, ProofError::OtherToken),
            ("nonce", json!("AAAAAAAAAAAAAAAAAAAAAA"), ProofError::UseNonce),
            ("nonce", Value::Null, ProofError::UseNonce),
            ("jti", Value::Null, ProofError::Malformed),
        ] {
            let outcome = check(&header(), &with(claims(), member, value.clone()));
            assert_eq!(outcome, Err(error), "{member} {value}");
        }
        let with_query = with(claims(), "htu", json!("https://hub.example/v1/sync?a=b#c"));
        assert!(check(&header(), &with_query).is_ok());
        let no_token = Request { access_token: None, ..SYNC };
        let outcome = proofs().check(&sign(&header(), &claims()), no_token, NOW);
        assert_eq!(outcome, Err(ProofError::OtherToken));
    }

    #[test]
    fn a_proof_of_another_form_is_refused() {
        let mut private = header();
        private["jwk"]["d"] = json!("AAAA");
        for wrong in [
            with(header(), "typ", json!("at+jwt")),
            with(header(), "alg", json!("EdDSA")),
            with(header(), "crit", json!(["b64"])),
            with(header(), "jwk", json!({"kty": "oct", "k": "AAAA"})),
            private,
        ] {
            assert_eq!(check(&wrong, &claims()), Err(ProofError::Malformed), "{wrong}");
        }
        let large = with(claims(), "jti", json!("x".repeat(PROOF_BYTES)));
        assert_eq!(check(&header(), &large), Err(ProofError::Malformed));
        for text in ["", "..", "a.b.c", "é.é.é"] {
            assert_eq!(proofs().check(text, SYNC, NOW), Err(ProofError::Malformed));
        }
        let mut other_key = header();
        other_key["jwk"]["x"] = json!(URL_SAFE_NO_PAD.encode([1; 32]));
        assert_eq!(check(&other_key, &claims()), Err(ProofError::BadSignature));
    }

    #[test]
    fn one_key_cannot_fill_the_memory() {
        let mut used = Used::default();
        let jkt = |n: u8| Thumbprint::parse(&URL_SAFE_NO_PAD.encode([n; 32])).expect("32 bytes");
        for n in 0..PROOFS_PER_KEY {
            assert_eq!(used.take(1, jkt(1), &n.to_string()), Ok(()));
        }
        assert_eq!(used.take(1, jkt(1), "more"), Err(ProofError::TooMany));
        assert_eq!(used.take(1, jkt(2), "more"), Ok(()));
        assert_eq!(used.take(3, jkt(1), "more"), Ok(()));
        assert!(!used.0.contains_key(&1), "what no nonce leads to is forgotten");
    }
}

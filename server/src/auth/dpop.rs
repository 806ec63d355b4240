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
/// Keys with a token remembered in five minutes: more phones than a city has.
const KEYS_REMEMBERED: usize = 100_000;
/// Proofs without a token remembered in five minutes, of all keys: about 30 MB.
const STRANGERS_REMEMBERED: usize = 1_000_000;

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
    /// Made by another key than the one that the access token is bound to.
    #[error("the DPoP proof was made by another key than the access token is bound to")]
    OtherKey,
    /// This key makes too many requests, or too many are made without a token.
    #[error("too many requests: wait five minutes")]
    TooMany,
}

/// The request that a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, as it follows the public address.
    pub path: &'a str,
    /// The access token that is used with it, and the key that the token is bound to.
    pub access_token: Option<(&'a str, Thumbprint)>,
}

/// Checks proofs.
#[derive(Debug)]
pub struct Proofs {
    public_url: String,
    nonces: Nonces,
    used: Mutex<Memory>,
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
        if claims.ath != request.access_token.map(|(token, _)| token_hash(token)) {
            return Err(ProofError::OtherToken);
        }
        let made_by = key.thumbprint();
        if request.access_token.is_some_and(|(_, bound_to)| bound_to != made_by) {
            return Err(ProofError::OtherKey);
        }
        let nonce = claims.nonce.as_deref().unwrap_or_default();
        let generation = self.nonces.recognise(nonce, now).ok_or(ProofError::UseNonce)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if request.access_token.is_some() {
            used.phones.take(generation, made_by, &claims.jti)?;
        } else {
            used.strangers.take(generation, made_by, &claims.jti)?;
        }
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

/// Anybody can make keys, and with each a proof without a token: those are remembered apart, so that
/// they cannot crowd out the phones that have one.
#[derive(Debug, Default)]
struct Memory {
    phones: Used,
    strangers: Strangers,
}

/// The proofs used without a token under each nonce that is still taken.
#[derive(Debug, Default)]
struct Strangers(BTreeMap<i64, BTreeSet<u64>>);

impl Strangers {
    fn take(&mut self, generation: i64, key: Thumbprint, jti: &str) -> Result<(), ProofError> {
        forget_old(&mut self.0, generation);
        let proofs = self.0.entry(generation).or_default();
        let name = sha256(format!("{key} {jti}").as_bytes()).prefix();
        if proofs.contains(&name) {
            return Err(ProofError::Replayed);
        }
        if proofs.len() >= STRANGERS_REMEMBERED {
            return Err(ProofError::TooMany);
        }
        proofs.insert(name);
        Ok(())
    }
}

/// Forgets what was used under nonces that are not taken any more.
fn forget_old<T>(used: &mut BTreeMap<i64, T>, generation: i64) {
    while used.len() > 2 || used.first_key_value().is_some_and(|(old, _)| *old < generation - 1) {
        used.pop_first();
    }
}

/// The proofs used with a token under each nonce that is still taken.
#[derive(Debug, Default)]
struct Used(BTreeMap<i64, BTreeMap<Thumbprint, BTreeSet<u64>>>);

impl Used {
    fn take(&mut self, generation: i64, key: Thumbprint, jti: &str) -> Result<(), ProofError> {
        forget_old(&mut self.0, generation);
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
    fn sync() -> Request<'static> {
        let bound_to = DeviceKey::from_point(&key().public_key()).expect("a point").thumbprint();
        Request { method: "POST", path: "/v1/sync", access_token: Some(("token", bound_to)) }
    }

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
        proofs().check(&sign(header, claims), sync(), NOW)
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
        assert!(proofs.check(&proof, sync(), NOW).is_ok());
        assert_eq!(proofs.check(&proof, sync(), NOW), Err(ProofError::Replayed));
        let next = sign(&header(), &with(claims(), "jti", json!("two")));
        assert!(proofs.check(&next, sync(), NOW).is_ok());
    }

    #[test]
    fn a_replay_is_seen_as_long_as_its_nonce_is_taken() {
        let proofs = proofs();
        let proof = sign(&header(), &claims());
        let key = proofs.check(&proof, sync(), NOW).expect("fresh");
        let later = NOW.plus(GENERATION_MS);
        let other = with(with(claims(), "nonce", json!(proofs.nonce(later))), "jti", json!("two"));
        assert_eq!(proofs.check(&sign(&header(), &other), sync(), later), Ok(key));
        assert_eq!(proofs.check(&proof, sync(), later), Err(ProofError::Replayed));
        let much_later = NOW.plus(2 * GENERATION_MS);
        assert_eq!(proofs.check(&proof, sync(), much_later), Err(ProofError::UseNonce));
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
        let no_token = Request { access_token: None, ..sync() };
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
            assert_eq!(proofs().check(text, sync(), NOW), Err(ProofError::Malformed));
        }
        let mut other_key = header();
        other_key["jwk"]["x"] = json!(URL_SAFE_NO_PAD.encode([1; 32]));
        assert_eq!(check(&other_key, &claims()), Err(ProofError::BadSignature));
    }

    fn jkt(number: u8) -> Thumbprint {
        Thumbprint::parse(&URL_SAFE_NO_PAD.encode([number; 32])).expect("32 bytes")
    }

    #[test]
    fn a_proof_by_another_key_is_refused_and_not_remembered() {
        let proofs = proofs();
        let (token, _) = sync().access_token.expect("one");
        let stolen = Request { access_token: Some((token, jkt(5))), ..sync() };
        let outcome = proofs.check(&sign(&header(), &claims()), stolen, NOW);
        assert_eq!(outcome, Err(ProofError::OtherKey));
        assert!(proofs.used.lock().unwrap().phones.0.is_empty());
    }

    #[test]
    fn strangers_do_not_crowd_out_phones() {
        let mut memory = Memory::default();
        memory.strangers.0.insert(1, (0..STRANGERS_REMEMBERED as u64).collect());
        assert_eq!(memory.strangers.take(1, jkt(1), "one"), Err(ProofError::TooMany));
        assert_eq!(memory.phones.take(1, jkt(1), "one"), Ok(()));
        assert_eq!(memory.strangers.take(2, jkt(1), "one"), Ok(()));
        assert_eq!(memory.strangers.take(2, jkt(1), "one"), Err(ProofError::Replayed));
        assert_eq!(memory.strangers.take(2, jkt(2), "one"), Ok(()), "another key's");
        assert_eq!(memory.strangers.take(3, jkt(1), "one"), Ok(()));
        assert!(!memory.strangers.0.contains_key(&1), "what no nonce leads to is forgotten");
    }

    #[test]
    fn one_key_cannot_fill_the_memory() {
        let mut used = Used::default();
        for n in 0..PROOFS_PER_KEY {
            assert_eq!(used.take(1, jkt(1), &n.to_string()), Ok(()));
        }
        assert_eq!(used.take(1, jkt(1), "more"), Err(ProofError::TooMany));
        assert_eq!(used.take(1, jkt(2), "more"), Ok(()));
        assert_eq!(used.take(3, jkt(1), "more"), Ok(()));
        assert!(!used.0.contains_key(&1), "what no nonce leads to is forgotten");
    }
}

//! Access tokens: EdDSA JWTs of the profile RFC 9068, bound to a phone's key (RFC 9449 `cnf.jkt`).
//!
//! The only caller of `jsonwebtoken`. Left to its defaults that crate takes a missing issuer, any
//! `typ`, unknown `crit`, a minute of leeway and tokens of any size and lifetime; here a token is
//! read only if it looks exactly like those that [`AccessTokens::issue`] writes (RFC 8725).

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use onscene_sync_core::crypto::{SoftwareEd25519, sha256};
use onscene_sync_core::id::{DeviceId, PersonId};
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::jwk::Thumbprint;
use super::secrets::Secrets;

/// Seconds that a fresh token is good for.
pub const LIFETIME_S: u32 = 600;
/// Longest lifetime, in seconds, that a token may claim.
const LONGEST_S: i64 = 900;
/// Seconds by which the clocks of two nodes may differ.
const LEEWAY_S: i64 = 30;
/// Bytes of a token; ours have about 450.
const TOKEN_BYTES: usize = 4 * 1024;
/// RFC 9068 section 2.1.
const TYP: &str = "at+jwt";
/// PKCS#8 version 1 of an Ed25519 key (RFC 8410 section 7), up to the seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Why a token is not taken. The texts name no secret and may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a token of this server's form.
    #[error("this is not an access token of this server: ask for one at /v1/token")]
    Malformed,
    /// Signed with a key that this server does not have.
    #[error("the access token was signed with another key: ask for a new one at /v1/token")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the access token's signature is wrong: ask for a new one at /v1/token")]
    BadSignature,
    /// Issued by another server.
    #[error("the access token was issued by another server: enrol the phone here")]
    WrongIssuer,
    /// Issued for another service, or for several.
    #[error("the access token is for another audience: ask for one at /v1/token")]
    WrongAudience,
    /// Its time has passed.
    #[error("the access token has expired: ask for a new one at /v1/token")]
    Expired,
    /// Its time has not come, or its times contradict each other.
    #[error("the access token's times are not plausible: ask for a new one at /v1/token")]
    ImplausibleTimes,
}

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The person.
    pub person: PersonId,
    /// The phone.
    pub device: DeviceId,
    /// The phone's key; every request must prove its possession.
    pub key: Thumbprint,
}

/// Issues and reads access tokens.
pub struct AccessTokens {
    issuer: String,
    audience: String,
    kid: String,
    signing: EncodingKey,
    verifying: BTreeMap<String, DecodingKey>,
}

/// The signature backend does not do what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("access tokens fail their self-test: this build of the server must not be used")]
pub struct SelfTestFailed;

impl AccessTokens {
    /// Prepares issuing for the server that phones know as `public_url`, and tests that a token
    /// written is read and a damaged one is not.
    ///
    /// # Errors
    /// When that test fails.
    pub fn new(secrets: &Secrets, public_url: &str) -> Result<Self, SelfTestFailed> {
        // A second call in the same process is refused and harmless: the first is in force.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let public = SoftwareEd25519::from_seed(&secrets.token_seed).public_key();
        let kid = URL_SAFE_NO_PAD.encode(&sha256(&public).as_bytes()[..3]);
        let tokens = Self {
            issuer: public_url.to_owned(),
            audience: format!("{public_url}/v1"),
            signing: EncodingKey::from_ed_der(&[&PKCS8_PREFIX, &secrets.token_seed[..]].concat()),
            verifying: BTreeMap::from([(kid.clone(), DecodingKey::from_ed_der(&public))]),
            kid,
        };
        tokens.self_test()?;
        Ok(tokens)
    }

    /// Writes a token. `unique` are random bytes that name it (`jti`).
    #[must_use]
    pub fn issue(&self, subject: &Subject, now: Millis, unique: [u8; 9]) -> String {
        let now_s = now.0.div_euclid(1000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: short(subject.person.as_bytes()),
            client_id: short(subject.device.as_bytes()),
            iat: now_s,
            exp: now_s + i64::from(LIFETIME_S),
            jti: short(&unique),
            cnf: Confirmation { jkt: subject.key.to_string() },
        };
        jsonwebtoken::encode(&self.header(&self.kid), &claims, &self.signing)
            .expect("the key passed the self-test and the claims are plain JSON")
    }

    /// Reads a token at `now`.
    ///
    /// # Errors
    /// Unless it is one of ours, whole, and in its time.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Subject, TokenError> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        let kid = header.kid.as_deref().ok_or(TokenError::Malformed)?;
        // Equality refuses at once another `alg` or `typ` and every `crit`, `jku`, `jwk`, `x5u`.
        if header != self.header(kid) {
            return Err(TokenError::Malformed);
        }
        let key = self.verifying.get(kid).ok_or(TokenError::UnknownKey)?;
        let claims = decode(token, key)?;
        self.check(&claims, now.0.div_euclid(1000))?;
        let key = Thumbprint::parse(&claims.cnf.jkt).ok_or(TokenError::Malformed)?;
        let person = PersonId::from_bytes(long(&claims.sub).ok_or(TokenError::Malformed)?);
        let device = DeviceId::from_bytes(long(&claims.client_id).ok_or(TokenError::Malformed)?);
        Ok(Subject { person, device, key })
    }

    fn check(&self, claims: &Claims, now_s: i64) -> Result<(), TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if claims.aud != self.audience {
            return Err(TokenError::WrongAudience);
        }
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(TokenError::ImplausibleTimes)?;
        if !(0..=LONGEST_S).contains(&lifetime) || claims.iat > now_s.saturating_add(LEEWAY_S) {
            return Err(TokenError::ImplausibleTimes);
        }
        if claims.exp <= now_s.saturating_sub(LEEWAY_S) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }

    fn header(&self, kid: &str) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(kid.to_owned());
        header
    }

    fn self_test(&self) -> Result<(), SelfTestFailed> {
        let subject = Subject {
            person: PersonId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 8]),
            key: Thumbprint::parse(&URL_SAFE_NO_PAD.encode([3; 32])).ok_or(SelfTestFailed)?,
        };
        let at = Millis(1_000_000);
        let token = self.issue(&subject, at, [4; 9]);
        let (message, _) = token.rsplit_once('.').ok_or(SelfTestFailed)?;
        let unsigned = format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
        let taken = self.verify(&token, at) == Ok(subject);
        let refused = self.verify(&unsigned, at) == Err(TokenError::BadSignature);
        if taken && refused { Ok(()) } else { Err(SelfTestFailed) }
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    cnf: Confirmation,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    jkt: String,
}

/// An id as short as a claim can hold it: the token travels with every request.
fn short(id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

fn long<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Checks the signature and the form. Times, issuer and audience are checked by the caller, with
/// the server's own clock.
#[expect(clippy::disallowed_methods, reason = "the one place that bounds what it accepts")]
fn decode(token: &str, key: &DecodingKey) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(token, key, &validation) {
        Ok(data) => Ok(data.claims),
        Err(error) if *error.kind() == jsonwebtoken::errors::ErrorKind::InvalidSignature => {
            Err(TokenError::BadSignature)
        }
        Err(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::Ed25519KeyPair;
    use serde_json::{Value, json};

    use super::*;

    const URL: &str = "https://hub.example";
    const NOW: Millis = Millis(1_750_000_000_000);
    const NOW_S: i64 = 1_750_000_000;

    fn keys(root: u8) -> Secrets {
        Secrets::derive(&[root; 32])
    }

    fn tokens() -> AccessTokens {
        AccessTokens::new(&keys(1), URL).expect("the self-test passes")
    }

    fn subject() -> Subject {
        Subject {
            person: PersonId::from_bytes([5; 16]),
            device: DeviceId::from_bytes([6; 8]),
            key: Thumbprint::parse(&URL_SAFE_NO_PAD.encode([7; 32])).expect("32 bytes"),
        }
    }

    /// A token with any header and claims, well signed with the server's own key.
    fn forge(header: &str, claims: &str) -> String {
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let pair = Ed25519KeyPair::from_seed_unchecked(&keys(1).token_seed).expect("a seed");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
    }

    fn header() -> Value {
        json!({"typ": "at+jwt", "alg": "EdDSA", "kid": tokens().kid})
    }

    fn claims() -> Value {
        json!({
            "iss": URL, "aud": "https://hub.example/v1",
            "sub": short(&[5; 16]), "client_id": short(&[6; 8]), "iat": NOW_S, "exp": NOW_S + 600, "jti": "j",
            "cnf": {"jkt": URL_SAFE_NO_PAD.encode([7; 32])},
        })
    }

    fn with(mut object: Value, member: &str, value: Value) -> String {
        object[member] = value;
        object.to_string()
    }

    fn without(mut object: Value, member: &str) -> String {
        object.as_object_mut().expect("an object").remove(member);
        object.to_string()
    }

    fn verdict(header: &str, claims: &str) -> Result<Subject, TokenError> {
        tokens().verify(&forge(header, claims), NOW)
    }

    #[test]
    fn a_token_is_read_back_until_it_expires() {
        let token = tokens().issue(&subject(), NOW, [9; 9]);
        assert_eq!(tokens().verify(&token, NOW), Ok(subject()));
        assert_eq!(tokens().verify(&token, NOW.plus(629_000)), Ok(subject()));
        assert_eq!(tokens().verify(&token, NOW.plus(630_000)), Err(TokenError::Expired));
        assert_eq!(tokens().verify(&token, NOW.plus(-30_000)), Ok(subject()));
        assert_eq!(tokens().verify(&token, NOW.plus(-31_000)), Err(TokenError::ImplausibleTimes));
        assert_eq!(verdict(&header().to_string(), &claims().to_string()), Ok(subject()));
    }

    #[test]
    fn missing_or_mistyped_claims_are_refused() {
        for claim in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "cnf"] {
            let outcome = verdict(&header().to_string(), &without(claims(), claim));
            assert_eq!(outcome, Err(TokenError::Malformed), "without {claim}");
            let outcome = verdict(&header().to_string(), &with(claims(), claim, json!([true])));
            assert_eq!(outcome, Err(TokenError::Malformed), "mistyped {claim}");
        }
        for (claim, id) in [("sub", short(&[5; 15])), ("client_id", "not base64!".to_owned())] {
            let outcome = verdict(&header().to_string(), &with(claims(), claim, json!(id)));
            assert_eq!(outcome, Err(TokenError::Malformed), "{claim} {id}");
        }
        let unbound = with(claims(), "cnf", json!({}));
        assert_eq!(verdict(&header().to_string(), &unbound), Err(TokenError::Malformed));
        let twice = claims().to_string().replacen('{', "{\"exp\":1,", 1);
        assert_eq!(verdict(&header().to_string(), &twice), Err(TokenError::Malformed));
    }

    #[test]
    fn another_issuer_or_audience_is_refused() {
        let issuer = with(claims(), "iss", json!("https://other.example"));
        assert_eq!(verdict(&header().to_string(), &issuer), Err(TokenError::WrongIssuer));
        let audience = with(claims(), "aud", json!("https://hub.example/upload"));
        assert_eq!(verdict(&header().to_string(), &audience), Err(TokenError::WrongAudience));
        let several = with(claims(), "aud", json!(["https://hub.example/v1", "other"]));
        assert_eq!(verdict(&header().to_string(), &several), Err(TokenError::Malformed));
    }

    #[test]
    fn implausible_times_are_refused() {
        for (claim, value, error) in [
            ("iat", NOW_S + 31, TokenError::ImplausibleTimes),
            ("exp", NOW_S + 901, TokenError::ImplausibleTimes),
            ("exp", i64::MAX, TokenError::ImplausibleTimes),
            ("iat", i64::MIN, TokenError::ImplausibleTimes),
            ("exp", NOW_S - 1, TokenError::ImplausibleTimes),
        ] {
            let outcome = verdict(&header().to_string(), &with(claims(), claim, json!(value)));
            assert_eq!(outcome, Err(error), "{claim} {value}");
        }
        let fraction = with(claims(), "exp", json!(1e18));
        assert_eq!(verdict(&header().to_string(), &fraction), Err(TokenError::Malformed));
    }

    #[test]
    fn headers_of_other_kinds_are_refused() {
        for (member, value) in [
            ("typ", json!("dpop+jwt")),
            ("typ", json!("JWT")),
            ("typ", json!("application/at+jwt")),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("crit", json!(["b64"])),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/cert")),
            ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([1; 32])})),
            ("b64", json!(false)),
        ] {
            let outcome = verdict(&with(header(), member, value.clone()), &claims().to_string());
            assert_eq!(outcome, Err(TokenError::Malformed), "{member} {value}");
        }
        for member in ["typ", "kid"] {
            let outcome = verdict(&without(header(), member), &claims().to_string());
            assert_eq!(outcome, Err(TokenError::Malformed), "without {member}");
        }
    }

    #[test]
    fn keys_that_are_not_ours_are_refused() {
        let other = AccessTokens::new(&keys(2), URL).expect("the self-test passes");
        let foreign = other.issue(&subject(), NOW, [9; 9]);
        assert_eq!(tokens().verify(&foreign, NOW), Err(TokenError::UnknownKey));
        let (_, signature) = foreign.rsplit_once('.').expect("three parts");
        let ours = tokens().issue(&subject(), NOW, [9; 9]);
        let (message, _) = ours.rsplit_once('.').expect("three parts");
        let mixed = format!("{message}.{signature}");
        assert_eq!(tokens().verify(&mixed, NOW), Err(TokenError::BadSignature));
        // The classic confusion: HMAC keyed with the public key.
        let hmac_header = with(header(), "alg", json!("HS256"));
        assert_eq!(verdict(&hmac_header, &claims().to_string()), Err(TokenError::Malformed));
    }

    #[test]
    fn what_is_no_token_is_refused_unread() {
        let large = forge(&with(header(), "pad", json!("x".repeat(5_000_000))), "{}");
        for text in ["", ".", "..", "a.b.c", "....", "\u{0}", &large] {
            assert_eq!(tokens().verify(text, NOW), Err(TokenError::Malformed));
        }
        let padded = with(claims(), "jti", json!("x".repeat(TOKEN_BYTES)));
        assert_eq!(verdict(&header().to_string(), &padded), Err(TokenError::Malformed));
    }
}

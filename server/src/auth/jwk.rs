//! A phone's P-256 key: as a JWK (RFC 7517), as a point, by its thumbprint (RFC 7638).

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// P-256 verification by aws-lc, for the hub; agrees with
/// [`onscene_sync_core::crypto::verify_p256`] and is several times faster.
#[must_use]
pub fn verify_p256_fast(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    // aws-lc also reads the hybrid form (tags 6 and 7), which SEC1 deprecates and nobody sends.
    let known_form = matches!((key.len(), key.first()), (33, Some(2 | 3)) | (65, Some(4)));
    known_form
        && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature).is_ok()
}

/// A public key as it stands in a DPoP header. Further members are ignored, a private one is not.
#[derive(Debug, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    d: Option<IgnoredAny>,
}

/// A phone's public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceKey([u8; 65]);

impl DeviceKey {
    /// Reads a JWK; `None` unless it is a public P-256 key. Whether the point is on the curve shows
    /// when a signature is checked with it.
    pub(super) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.kty != "EC" || jwk.crv != "P-256" || jwk.d.is_some() {
            return None;
        }
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&coordinate(&jwk.x)?);
        point[33..].copy_from_slice(&coordinate(&jwk.y)?);
        Some(Self(point))
    }

    /// Reads an uncompressed SEC1 point of 65 bytes.
    #[must_use]
    pub fn from_point(point: &[u8]) -> Option<Self> {
        point.try_into().ok().filter(|point: &[u8; 65]| point[0] == 4).map(Self)
    }

    /// The uncompressed SEC1 point.
    #[must_use]
    pub const fn point(&self) -> &[u8; 65] {
        &self.0
    }

    /// RFC 7638.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        let (x, y) = self.0[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        thumbprint(&[("crv", "P-256"), ("kty", "EC"), ("x", &x), ("y", &y)])
    }

    /// Whether `signature` (`r ‖ s`) is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        verify_p256_fast(&self.0, message, signature)
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.thumbprint())
    }
}

fn coordinate(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// SHA-256 over a key's required members in lexical order, without spaces.
fn thumbprint(members: &[(&str, &str)]) -> Thumbprint {
    debug_assert!(members.is_sorted(), "RFC 7638 orders the members by name");
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    let json = format!("{{{}}}", members.join(","));
    let digest = digest::digest(&digest::SHA256, json.as_bytes());
    Thumbprint(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// The `jkt` of a key: what tokens are bound to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Reads base64url without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        coordinate(text).map(Self)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::crypto::{Signer as _, SoftwareP256, verify_p256};
    use proptest::prelude::*;

    use super::*;

    fn jwk(json: serde_json::Value) -> Option<DeviceKey> {
        serde_json::from_value::<Jwk>(json).ok().and_then(|jwk| DeviceKey::from_jwk(&jwk))
    }

    #[test]
    fn the_thumbprint_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
                 oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65Y\
                 GjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk\
                 t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqD\
                 Kgw";
        assert_eq!(
            thumbprint(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)]).to_string(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn the_thumbprint_of_rfc_9449_section_6_1() {
        let key = jwk(serde_json::json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        }))
        .expect("a key");
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(key.thumbprint().to_string(), jkt);
        assert_eq!(Thumbprint::parse(jkt), Some(key.thumbprint()));
    }

    #[test]
    fn only_public_p256_keys_are_read() {
        let x = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
        let y = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";
        for wrong in [
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": x}),
            serde_json::json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}),
            serde_json::json!({"kty": "RSA", "crv": "P-256", "x": x, "y": y}),
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": &x[1..], "y": y}),
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": x}),
        ] {
            assert_eq!(jwk(wrong.clone()), None, "{wrong}");
        }
    }

    fn signed(scalar: [u8; 32], message: &[u8]) -> Option<(Vec<u8>, [u8; 64])> {
        let key = SoftwareP256::from_scalar(&scalar)?;
        Some((key.public_key(), key.sign(message).ok()?))
    }

    fn compressed(point: &[u8]) -> Vec<u8> {
        [&[2 + (point[64] & 1)], &point[1..33]].concat()
    }

    #[test]
    fn both_verifiers_agree_on_every_form_of_key() {
        let (point, signature) = signed([9; 32], b"fact").expect("a key");
        let mut forms = vec![(point.clone(), true), (compressed(&point), true)];
        for tag in 0..=7_u8 {
            let with_tag = |rest: &[u8]| [&[tag], rest].concat();
            forms.extend([
                (with_tag(&point[1..]), tag == 4),
                (with_tag(&point[1..33]), tag == 2 + (point[64] & 1)),
            ]);
        }
        forms.extend([(vec![], false), (vec![0], false), (point[..64].to_vec(), false)]);
        for (key, valid) in forms {
            assert_eq!(verify_p256_fast(&key, b"fact", &signature), valid, "fast {key:02x?}");
            assert_eq!(verify_p256(&key, b"fact", &signature), valid, "portable {key:02x?}");
        }
    }

    #[test]
    fn both_verifiers_agree_on_odd_signatures() {
        let (point, signature) = signed([9; 32], b"fact").expect("a key");
        let order: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
            0x25, 0x51,
        ];
        let (r, s) = signature.split_at(32);
        let mirrored = subtract(&order, s);
        let cases: [(Vec<u8>, bool); 7] = [
            ([r, s].concat(), true),
            ([r, &mirrored].concat(), true),
            ([r, &[0; 32]].concat(), false),
            ([&[0; 32], s].concat(), false),
            ([r, &order].concat(), false),
            (signature[..63].to_vec(), false),
            ([&signature[..], &[0]].concat(), false),
        ];
        for (signature, valid) in cases {
            assert_eq!(verify_p256_fast(&point, b"fact", &signature), valid, "{signature:02x?}");
            assert_eq!(verify_p256(&point, b"fact", &signature), valid, "{signature:02x?}");
        }
    }

    fn subtract(left: &[u8; 32], right: &[u8]) -> Vec<u8> {
        let mut borrow = 0;
        let mut difference = vec![0; 32];
        for at in (0..32).rev() {
            let value = i16::from(left[at]) - i16::from(right[at]) - borrow;
            borrow = i16::from(value < 0);
            difference[at] = u8::try_from(value.rem_euclid(256)).expect("below 256");
        }
        difference
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn both_verifiers_agree_on_damaged_input(
            scalar in any::<[u8; 32]>(), message in proptest::collection::vec(any::<u8>(), 0..64),
            flip in 0..65_usize + 64 + 1, bit in 0..8_u8,
        ) {
            let Some((mut key, mut signature)) = signed(scalar, &message) else { return Ok(()) };
            match flip {
                0..65 => key[flip] ^= 1 << bit,
                65..129 => signature[flip - 65] ^= 1 << bit,
                _ => {}
            }
            let fast = verify_p256_fast(&key, &message, &signature);
            prop_assert_eq!(fast, verify_p256(&key, &message, &signature));
            prop_assert_eq!(fast, flip == 129);
        }
    }
}

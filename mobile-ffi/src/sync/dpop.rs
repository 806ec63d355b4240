//! Proof of possession (RFC 9449): a JWT signed with the phone's key for each request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_sync_core::crypto::sha256;
use serde_json::json;

use crate::error::DeviceError;
use crate::host::{Host, HostError};

/// What a proof is made for.
pub(crate) struct Occasion<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    /// The access token sent beside it.
    pub(crate) access_token: Option<&'a str>,
    /// The server's newest nonce.
    pub(crate) nonce: Option<&'a str>,
    /// Unix seconds. Servers here do not rely on it: phones' clocks are wrong.
    pub(crate) issued_at_s: i64,
}

/// Makes a proof.
pub(crate) fn proof(host: &Host, occasion: &Occasion<'_>) -> Result<String, DeviceError> {
    let point = host.keys.public_key()?;
    let (x, y) = coordinates(&point)
        .ok_or_else(|| HostError::for_good("the public key is not an uncompressed P-256 point"))?;
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)},
    });
    let mut claims = json!({
        "jti": encode(&host.bytes::<12>()?),
        "htm": occasion.method,
        "htu": occasion.url,
        "iat": occasion.issued_at_s,
    });
    if let Some(token) = occasion.access_token {
        claims["ath"] = encode(sha256(token.as_bytes()).as_bytes()).into();
    }
    if let Some(nonce) = occasion.nonce {
        claims["nonce"] = nonce.into();
    }
    let message = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = host.keys.sign(message.as_bytes())?;
    Ok(format!("{message}.{}", encode(&signature)))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    match point {
        [4, rest @ ..] if rest.len() == 64 => Some(rest.split_at(32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::crypto::verify_p256;
    use serde_json::Value;

    use super::*;
    use crate::testing::FakeHost;

    fn decode(text: &str) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(text).ok()
    }

    fn part(text: &str) -> Value {
        serde_json::from_slice(&decode(text).unwrap()).unwrap()
    }

    #[test]
    fn a_proof_is_a_jwt_that_its_own_key_verifies() {
        let fake = FakeHost::new(1);
        let host = fake.host();
        // The token and its hash are those of RFC 9449 section 7.1.
        let occasion = Occasion {
            method: "POST",
            url: "https://hub.example/v1/sync",
            access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            nonce: Some("n1"),
            issued_at_s: 7,
        };
        let text = proof(&host, &occasion).unwrap();
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{text}") };
        let message = format!("{header}.{claims}");
        let key = host.keys.public_key().unwrap();
        assert!(verify_p256(&key, message.as_bytes(), &decode(signature).unwrap()));
        let (header, claims) = (part(header), part(claims));
        assert_eq!((&header["typ"], &header["alg"]), (&"dpop+jwt".into(), &"ES256".into()));
        assert_eq!(decode(header["jwk"]["x"].as_str().unwrap()).unwrap(), key[1..33]);
        assert_eq!(decode(header["jwk"]["y"].as_str().unwrap()).unwrap(), key[33..]);
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!((&claims["htm"], &claims["nonce"]), (&"POST".into(), &"n1".into()));
        assert_eq!(claims["htu"], "https://hub.example/v1/sync");
        let again = proof(&host, &occasion).unwrap();
        assert_ne!(part(again.split('.').nth(1).unwrap())["jti"], claims["jti"]);
    }
}

//! HTTP Message Signatures (RFC 9421) in one form: HMAC-SHA-256 over method, path and the body's digest
//! (RFC 9530), with the moment, a nonce and the key's name. What is signed, lines joined by `\n`:
//!
//! ```text
//! "@method": PUT
//! "@path": /v1/messages/0198f3a2-7c11-7d52-9e0b-5f2f6c1e4a77
//! "content-digest": sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:
//! "@signature-params": ("@method" "@path" "content-digest");created=1795392000;nonce="…";alg="hmac-sha256";keyid="bureau"
//! ```
//!
//! Sent as `Content-Digest`, `Signature-Input: onscene=(…);created=…` and `Signature: onscene=:…:`. The
//! label is free; there must be one signature, over these three components in this order, and the address
//! has no query.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::time::Millis;
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parser};
use thiserror::Error;

use crate::config::Sms;

/// How far the signer's clock may be off, and how long a nonce must be remembered.
pub const WINDOW_MS: i64 = 300_000;
/// Characters of a nonce.
const NONCE_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
const COMPONENTS: [&str; 3] = ["@method", "@path", "content-digest"];
const ALGORITHM: &str = "hmac-sha256";

/// Why a signature was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsigned {
    /// A header is absent or not of its form.
    #[error(
        "the request needs one signature (RFC 9421) over \"@method\", \"@path\" and \
         \"content-digest\" with created, nonce and keyid"
    )]
    Form,
    /// The key is another.
    #[error("the signature names another key")]
    Key,
    /// Too old, or from the future.
    #[error("the signature was made more than five minutes ago or ahead: set the clock")]
    Time,
    /// The digest is not that of the body.
    #[error("`content-digest` is not the SHA-256 of the body")]
    Digest,
    /// It was made with another key or for another request.
    #[error("the signature does not fit the request")]
    Wrong,
}

/// The key that both sides share. `Debug` does not show it.
pub struct Signer {
    key_id: String,
    key: hmac::Key,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key of the configuration.
    #[must_use]
    pub fn new(config: &Sms) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, config.secret.0.as_bytes());
        Self { key_id: config.key_id.clone(), key }
    }

    /// The three headers for a request.
    #[must_use]
    pub fn sign(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        now: Millis,
        nonce: [u8; 16],
    ) -> [(&'static str, String); 3] {
        let digest = digest(body);
        let covered = COMPONENTS.map(|name| format!("\"{name}\"")).join(" ");
        let params = format!(
            "({covered});created={};nonce=\"{}\";alg=\"{ALGORITHM}\";keyid=\"{}\"",
            now.0.div_euclid(1_000),
            URL_SAFE_NO_PAD.encode(nonce),
            self.key_id
        );
        let signed = hmac::sign(&self.key, base(method, path, &digest, &params).as_bytes());
        let signature = format!("onscene=:{}:", STANDARD.encode(signed.as_ref()));
        [
            ("content-digest", digest),
            ("signature-input", format!("onscene={params}")),
            ("signature", signature),
        ]
    }

    /// Checks a request's signature and returns its nonce, which must not be taken twice.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(
        &self,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: Millis,
    ) -> Result<Vec<u8>, Unsigned> {
        let digest_given = single(headers, "content-digest")?;
        let inputs = dictionary(single(headers, "signature-input")?)?;
        let signatures = dictionary(single(headers, "signature")?)?;
        let (Some((label, ListEntry::InnerList(input))), 1) = (inputs.first(), inputs.len()) else {
            return Err(Unsigned::Form);
        };
        let (Some(ListEntry::Item(signature)), 1) = (signatures.get(label), signatures.len())
        else {
            return Err(Unsigned::Form);
        };
        let BareItem::ByteSequence(signature) = &signature.bare_item else {
            return Err(Unsigned::Form);
        };
        let stated = Stated::read(input)?;
        if stated.key_id != self.key_id {
            return Err(Unsigned::Key);
        }
        if now.since(Millis(stated.created.saturating_mul(1_000))).abs() > WINDOW_MS {
            return Err(Unsigned::Time);
        }
        if digest_given != digest(body) {
            return Err(Unsigned::Digest);
        }
        let base = base(method, path, digest_given, &stated.params);
        hmac::verify(&self.key, base.as_bytes(), signature).map_err(|_| Unsigned::Wrong)?;
        Ok(stated.nonce.into_bytes())
    }
}

/// What a signature says of itself.
struct Stated {
    created: i64,
    nonce: String,
    key_id: String,
    /// As it is signed.
    params: String,
}

impl Stated {
    fn read(input: &InnerList) -> Result<Self, Unsigned> {
        let named = |item: &sfv::Item| match &item.bare_item {
            BareItem::String(name) if item.params.is_empty() => Some(name.as_str().to_owned()),
            _ => None,
        };
        let covered: Option<Vec<String>> = input.items.iter().map(named).collect();
        let text = |name: &str| match input.params.get(name) {
            Some(BareItem::String(value)) => Ok(Some(value.as_str().to_owned())),
            None => Ok(None),
            _ => Err(Unsigned::Form),
        };
        let created = match input.params.get("created") {
            Some(BareItem::Integer(created)) => i64::from(*created),
            _ => return Err(Unsigned::Form),
        };
        let nonce = text("nonce")?.filter(|nonce| NONCE_CHARS.contains(&nonce.len()));
        let good = covered.is_some_and(|covered| covered == COMPONENTS)
            && text("alg")?.is_none_or(|alg| alg == ALGORITHM);
        let params = vec![ListEntry::InnerList(input.clone())].serialize();
        match (nonce, text("keyid")?, params) {
            (Some(nonce), Some(key_id), Some(params)) if good => {
                Ok(Self { created, nonce, key_id, params })
            }
            _ => Err(Unsigned::Form),
        }
    }
}

fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Unsigned> {
    let mut all = headers.get_all(name).iter();
    match (all.next().map(HeaderValue::to_str), all.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(Unsigned::Form),
    }
}

fn dictionary(text: &str) -> Result<Dictionary, Unsigned> {
    Parser::new(text).parse::<Dictionary>().map_err(|_| Unsigned::Form)
}

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body).as_bytes()))
}

fn base(method: &str, path: &str, digest: &str, params: &str) -> String {
    let [m, p, d] = COMPONENTS;
    format!(
        "\"{m}\": {method}\n\"{p}\": {path}\n\"{d}\": {digest}\n\"@signature-params\": {params}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const NOW: Millis = Millis(1_795_392_000_000);
    const PATH: &str = "/v1/messages/receipts";

    fn signer(secret: &str) -> Signer {
        let secret = Secret(secret.to_owned());
        Signer::new(&Sms { key_id: "bureau".to_owned(), secret, ..Sms::default() })
    }

    fn headers(signed: [(&'static str, String); 3]) -> HeaderMap {
        signed
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(&value).unwrap()))
            .collect()
    }

    fn signed() -> HeaderMap {
        headers(signer("a shared secret").sign("POST", PATH, b"{}", NOW, [7; 16]))
    }

    fn verify(headers: &HeaderMap) -> Result<Vec<u8>, Unsigned> {
        signer("a shared secret").verify("POST", PATH, headers, b"{}", NOW)
    }

    #[test]
    fn what_is_signed_stands_in_the_documentation() {
        // Worked out with Python's hmac and hashlib from the text at the top of this file.
        let signed = signed();
        assert_eq!(
            signed["content-digest"],
            "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"
        );
        assert_eq!(
            signed["signature-input"],
            "onscene=(\"@method\" \"@path\" \"content-digest\");created=1795392000;\
             nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";alg=\"hmac-sha256\";keyid=\"bureau\""
        );
        assert_eq!(signed["signature"], "onscene=:2yJliar5+dmUf6ZyRp3Bg0NI0U9MObHgSwdEdlodxNo=:");
    }

    /// RFC 9421, B.2.5: the same primitive over the RFC's own base.
    #[test]
    fn the_standards_example_is_signed_alike() {
        let secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
        let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\
            \"content-type\": application/json\n\"@signature-params\": \
            (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap());
        let signed = STANDARD.encode(hmac::sign(&key, base.as_bytes()).as_ref());
        assert_eq!(signed, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    #[test]
    fn a_request_is_taken_as_it_was_signed_and_in_no_other_form() {
        assert_eq!(verify(&signed()).unwrap(), b"BwcHBwcHBwcHBwcHBwcHBw");
        let of = |method: &str, path: &str, body: &[u8], now| {
            signer("a shared secret").verify(method, path, &signed(), body, now)
        };
        assert_eq!(of("PUT", PATH, b"{}", NOW), Err(Unsigned::Wrong));
        assert_eq!(of("POST", "/v1/messages/inbound", b"{}", NOW), Err(Unsigned::Wrong));
        assert_eq!(of("POST", PATH, b"{ }", NOW), Err(Unsigned::Digest));
        for off in [-WINDOW_MS - 1_000, WINDOW_MS + 1_000] {
            assert_eq!(of("POST", PATH, b"{}", NOW.plus(off)), Err(Unsigned::Time));
        }
        let other = signer("another secret").verify("POST", PATH, &signed(), b"{}", NOW);
        assert_eq!(other, Err(Unsigned::Wrong));
    }

    #[test]
    fn headers_that_are_not_of_the_form_are_refused() {
        assert_eq!(verify(&HeaderMap::new()), Err(Unsigned::Form));
        let input = signed()["signature-input"].to_str().unwrap().to_owned();
        let with = |input: String| {
            let mut headers = signed();
            headers.insert("signature-input", HeaderValue::from_str(&input).unwrap());
            verify(&headers)
        };
        assert!(with(input.clone()).is_ok());
        let forms = [
            input.replace("\"@path\" ", ""),
            input.replace("\"@path\"", "\"@path\";req"),
            input.replace("created=1795392000;", ""),
            input.replace("created=1795392000", "created=1.5"),
            input.replace("nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";", ""),
            input.replace("BwcHBwcHBwcHBwcHBwcHBw", "short"),
            input.replace("hmac-sha256", "none"),
            input.replace(";keyid=\"bureau\"", ""),
            format!("{input}, {}", input.replace("onscene=", "other=")),
            input.replace("onscene=", "other="),
            "onscene".to_owned(),
            "((((".to_owned(),
        ];
        for form in forms {
            assert_eq!(with(form.clone()), Err(Unsigned::Form), "{form}");
        }
        assert_eq!(with(input.replace("\"bureau\"", "\"others\"")), Err(Unsigned::Key));
        assert_eq!(with(input.replace("BwcHB", "CwcHB")), Err(Unsigned::Wrong));
        let mut twice = signed();
        twice.append("signature", signed()["signature"].clone());
        assert_eq!(verify(&twice), Err(Unsigned::Form));
    }
}

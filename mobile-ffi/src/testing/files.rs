//! The hub's half of the lane of files: tus 1.0 over a map.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::evidence::receipt::{self, Receipt};
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Manifest;
use onscene_sync_core::id::{FactId, Hash};
use onscene_sync_core::time::Millis;

use super::hub::{Hub, NONCE, key, with_nonce};
use super::{proof_parts, reply};
use crate::{HttpReply, UploadBody, UploadRequest};

const ADDRESS: &str = "/v1/uploads/";

/// What a hub has of files.
#[derive(Clone, Default)]
pub(crate) struct Files {
    /// Whole files by their content.
    pub(crate) whole: BTreeMap<Hash, Vec<u8>>,
    /// Bytes that arrived in all, repeated ones counted again.
    pub(crate) received: u64,
    open: BTreeMap<String, Half>,
    addresses: u64,
}

/// A file on its way.
#[derive(Clone)]
struct Half {
    fact: FactId,
    manifest: Manifest,
    bytes: Vec<u8>,
}

/// What the host would put into the body.
pub(crate) fn body(request: &UploadRequest) -> Vec<u8> {
    let UploadBody::Range { path, offset, length } = &request.body else { return Vec::new() };
    let mut file = std::fs::File::open(path).unwrap();
    file.seek(SeekFrom::Start(*offset)).unwrap();
    let mut body = Vec::new();
    file.take(*length).read_to_end(&mut body).unwrap();
    body
}

pub(crate) fn header<'a>(request: &'a UploadRequest, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    headers.find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
}

impl Hub {
    /// Answers a request of the lane.
    pub(crate) fn upload(&mut self, request: &UploadRequest) -> HttpReply {
        self.upload_of(request, body(request))
    }

    /// The hub forgets where it takes files: what was half done begins anew.
    pub(crate) fn expire_uploads(&mut self) {
        self.files.open.clear();
    }

    /// Answers a request of which this body arrived.
    pub(crate) fn upload_of(&mut self, request: &UploadRequest, body: Vec<u8>) -> HttpReply {
        self.now += 40;
        self.files.received += body.len() as u64;
        assert_eq!(header(request, "tus-resumable"), Some("1.0.0"));
        match request.method {
            "POST" => self.create(request),
            "HEAD" => match self.at(request) {
                Some((_, half)) => self.stands_at(&half, 200),
                None => reply(404, ""),
            },
            "PATCH" => self.append(request, body),
            other => panic!("{other}"),
        }
    }

    fn create(&mut self, request: &UploadRequest) -> HttpReply {
        let (_, claims) = proof_parts(header(request, "dpop").unwrap());
        assert_eq!(
            (claims["htu"].as_str(), claims["htm"].as_str()),
            (Some(&*request.url), Some("POST"))
        );
        if claims["nonce"] != NONCE {
            return with_nonce(reply(401, ""), r#"DPoP error="use_dpop_nonce""#);
        }
        let Some(device) = self.holder(header(request, "authorization")) else {
            return reply(401, "");
        };
        let metadata = header(request, "upload-metadata").unwrap().strip_prefix("fact ").unwrap();
        let fact = String::from_utf8(STANDARD.decode(metadata).unwrap()).unwrap();
        let fact: FactId = fact.parse().unwrap();
        let known = self.facts().into_iter().find(|(id, _)| *id == fact);
        let Some((_, known)) = known else { return reply(404, "no such fact") };
        assert_eq!(known.device().map(|author| author.device), Some(device));
        let Body::Evidence(manifest) = known.body else { return reply(422, "no file") };
        assert_eq!(header(request, "upload-length"), Some(&*manifest.bytes.to_string()));
        self.files.addresses += 1;
        let address = format!("capability-{}", self.files.addresses);
        let bytes = self.files.whole.get(&manifest.sha256).cloned().unwrap_or_default();
        let half = Half { fact, manifest, bytes };
        self.files.open.insert(address.clone(), half.clone());
        let mut answer = self.stands_at(&half, 201);
        answer.headers.push(("Location".to_owned(), format!("{ADDRESS}{address}")));
        answer
    }

    fn append(&mut self, request: &UploadRequest, body: Vec<u8>) -> HttpReply {
        let Some((address, mut half)) = self.at(request) else { return reply(404, "") };
        let offset = header(request, "upload-offset").unwrap();
        if offset != half.bytes.len().to_string() {
            return reply(409, "");
        }
        let checksum = header(request, "upload-checksum").unwrap().strip_prefix("sha256 ").unwrap();
        let UploadBody::Range { length, .. } = request.body else { panic!("a part has a body") };
        let cut = (body.len() as u64) < length;
        if !cut && checksum != STANDARD.encode(sha256(&body).as_bytes()) {
            return reply(460, "");
        }
        half.bytes.extend(body);
        let Manifest { sha256: expected, bytes, .. } = half.manifest;
        if half.bytes.len() as u64 > bytes {
            return reply(413, "");
        }
        if half.bytes.len() as u64 == bytes {
            if sha256(&half.bytes) != expected {
                self.files.open.remove(&address);
                return reply(460, "not the file of the manifest");
            }
            let before = self.files.whole.insert(expected, half.bytes.clone());
            assert!(before.is_none(), "a file arrived twice");
        }
        self.files.open.insert(address.clone(), half.clone());
        self.stands_at(&half, 204)
    }

    fn at(&self, request: &UploadRequest) -> Option<(String, Half)> {
        assert!(header(request, "authorization").is_none(), "the address is the permission");
        let address = request.url.split_once(ADDRESS)?.1.to_owned();
        let half = self.files.open.get(&address)?.clone();
        Some((address, half))
    }

    fn stands_at(&self, half: &Half, status: u16) -> HttpReply {
        let mut answer = reply(status, "");
        let Manifest { sha256, bytes, .. } = half.manifest;
        let mut header = |name: &str, value: String| answer.headers.push((name.to_owned(), value));
        header("Tus-Resumable", "1.0.0".to_owned());
        header("Upload-Offset", half.bytes.len().to_string());
        header("Upload-Length", bytes.to_string());
        if self.files.whole.contains_key(&sha256) {
            let receipt = Receipt { fact: half.fact, sha256, bytes, at: Millis(self.now) };
            let sealed = receipt::seal(&receipt, &key()).unwrap();
            header("Onscene-Receipt", URL_SAFE_NO_PAD.encode(sealed));
        }
        answer
    }
}

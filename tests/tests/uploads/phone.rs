//! A phone that has delivered a manifest, and what a stock client needs in its name.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_mobile::{Device, Job, OpenConfig, SoftwareKeys, Step};
use onscene_server::phone::lend::machine;
use onscene_server::phone::transport::Transport;
use onscene_sync_core::crypto::{Signer as _, SoftwareP256, sha256};
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{BootId, FactId};
use onscene_sync_core::time::ClockReading;
use onscene_tests::process::Server;
use reqwest::Method;
use serde_json::{Value, json};

const SCALAR: [u8; 32] = [9; 32];

/// What a request to begin an upload carries.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) fact: FactId,
    pub(super) token: String,
    pub(super) proof: String,
}

/// Enrols a phone, records each of `files` in a patrol, and delivers it.
pub(super) async fn deliver(server: &Server, dir: &Path, files: &[&[u8]]) -> Vec<Ticket> {
    let code = enrolment_code(server).await;
    let key = SoftwareP256::from_scalar(&SCALAR).expect("a small scalar");
    let keys = SoftwareKeys::from_scalar(&SCALAR).expect("a small scalar");
    let config = OpenConfig {
        path: dir.join("phone.db"),
        model: "simulated".to_owned(),
        app_version: "1".to_owned(),
    };
    let mut device = Device::open(config, machine(keys)).unwrap();
    device.enrol(&server.url(), &code, None, false).unwrap();
    let transport = Transport::new().unwrap();
    sync(&mut device, &transport).await;
    let patrol = Job::Inspection(device.begin_patrol().unwrap());
    for file in files {
        device.attach_manifest(patrol, manifest(file)).unwrap();
    }
    let (token, nonce) = sync(&mut device, &transport).await;
    let items = device.items(0, 100).unwrap();
    let facts = items.iter().filter_map(|item| item.fact);
    let tickets = facts.enumerate().map(|(number, fact)| {
        let url = format!("{}/v1/uploads", server.url());
        Ticket { fact, token: token.clone(), proof: proof(&key, &url, &token, &nonce, number) }
    });
    tickets.collect()
}

async fn enrolment_code(server: &Server) -> String {
    let me = server.must(Method::GET, "/v1/me", None, Value::Null).await;
    let person = json!({ "name": "inspector", "role": "inspector", "unit": me["unit"] });
    let person = server.must(Method::POST, "/v1/people", None, person).await;
    let path = format!("/v1/people/{}/enrolment-codes", person["id"].as_str().unwrap());
    let code = server.must(Method::POST, &path, None, json!({})).await;
    code["code"].as_str().unwrap().to_owned()
}

fn manifest(file: &[u8]) -> Manifest {
    Manifest {
        sha256: sha256(file),
        bytes: file.len() as u64,
        media: Media::Photo,
        captured: true,
        taken: ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([1; 8]) },
        fix: None,
        datum: None,
        before: None,
    }
}

/// Syncs until nothing is left; returns the access token and the newest nonce that were seen.
async fn sync(device: &mut Device, transport: &Transport) -> (String, String) {
    let (mut token, mut nonce) = (String::new(), String::new());
    device.sync_soon();
    loop {
        let request = match device.sync_next().unwrap() {
            Step::Send(request) => request,
            Step::Wait { ms, .. } => {
                tokio::time::sleep(std::time::Duration::from_millis(ms.min(1_000))).await;
                continue;
            }
            Step::Idle => return (token, nonce),
        };
        let bearer = request.headers.iter().find(|(name, _)| *name == "authorization");
        if let Some(found) = bearer.and_then(|(_, value)| value.strip_prefix("DPoP ")) {
            found.clone_into(&mut token);
        }
        let reply = transport.send(&request).await.unwrap();
        let given = reply.headers.iter().find(|(name, _)| name == "dpop-nonce");
        if let Some((_, value)) = given {
            value.clone_into(&mut nonce);
        }
        device.sync_apply(request.id, &reply).unwrap();
    }
}

/// A proof of possession (RFC 9449) for one POST.
fn proof(key: &SoftwareP256, url: &str, token: &str, nonce: &str, number: usize) -> String {
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = key.public_key();
    let (x, y) = point[1..].split_at(32);
    let header = json!({
        "typ": "dpop+jwt", "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) },
    });
    let claims = json!({
        "jti": format!("upload-{number}"), "htm": "POST", "htu": url, "iat": 0, "nonce": nonce,
        "ath": base64(sha256(token.as_bytes()).as_bytes()),
    });
    let message = [header, claims].map(|part| base64(part.to_string().as_bytes())).join(".");
    let signature = key.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", base64(&signature))
}

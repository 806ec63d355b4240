//! What stays in memory.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_mobile::HttpRequest;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::document::Document;
use onscene_tests::process::Server;
use serde_json::{Value, json};

use super::drain::Drained;
use super::figures::{Goal, Table};
use super::phone::Phone;
use super::usage;
use super::wire::Wire;

/// Live connections of each phone: as many as the server allows.
const EACH: usize = 3;
/// Copies of each document, so that memory which was free before does not matter.
const COPIES: usize = 10;

/// An inspection of five changes that is held open, as the server holds those used last.
pub(crate) fn document(table: &mut Table, drained: &Drained) {
    let here = std::process::id();
    let (before, _) = usage::memory(here);
    let mut open = Vec::new();
    for phone in (0..COPIES).flat_map(|_| &drained.pushed) {
        for visit in phone.push.chunk_by(|one, next| one.doc == next.doc) {
            let changes = visit.iter().map(|push| &push.change[..]);
            open.push(Document::replay(visit[0].doc, visit[0].kind, changes).expect("accepted"));
        }
    }
    let (after, _) = usage::memory(here);
    table.add("memory, kB/open document", (after - before) / 1e3 / open.len() as f64, Goal::Stated);
}

/// Phones that wait for a poke.
pub(crate) async fn connections(table: &mut Table, server: &Server, phones: &mut [Phone]) {
    for phone in phones.iter_mut() {
        phone.reconnect().await;
        phone.wire = None;
    }
    usage::settle(server).await;
    let (before, _) = usage::memory(server.pid());
    let mut open = Vec::new();
    for phone in phones {
        phone.device.sync_soon();
        let request = phone.next().expect("a sync");
        let mut wire = Wire::connect(&server.url()).await;
        let reply = wire.exchange(&request).await;
        phone.apply(request.id, &reply);
        let nonce = reply.headers.iter().find(|(name, _)| name == "dpop-nonce");
        let nonce = &nonce.expect("every answer brings one").1;
        for number in 0..EACH {
            let mut wire = Wire::connect(&server.url()).await;
            let reply = wire.exchange(&live(server, phone, &request, nonce, number)).await;
            assert_eq!(reply.status, 101, "{}", String::from_utf8_lossy(&reply.body));
            open.push(wire);
        }
    }
    usage::settle(server).await;
    let (after, _) = usage::memory(server.pid());
    let each = (after - before) / 1e3 / open.len() as f64;
    table.add("memory, kB/idle live connection", each, Goal::Stated);
}

/// A phone's request for a live connection, with the access token of its last request.
fn live(
    server: &Server,
    phone: &Phone,
    last: &HttpRequest,
    nonce: &str,
    number: usize,
) -> HttpRequest {
    let header = |name: &str| last.headers.iter().find(|(found, _)| *found == name);
    let token = &header("authorization").expect("a phone's request").1;
    let url = format!("{}/v1/live", server.url());
    let keys = phone.handset.host().keys;
    let point = keys.public_key().expect("a key in memory");
    let jwk =
        json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])});
    let bare = token.split(' ').nth(1).expect("a scheme and a token");
    let claims = json!({
        "jti": format!("live {number}"), "htm": "GET", "htu": url, "iat": 0, "nonce": nonce,
        "ath": text(sha256(bare.as_bytes()).as_bytes()),
    });
    let part = |value: &Value| text(value.to_string().as_bytes());
    let head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let message = format!("{}.{}", part(&head), part(&claims));
    let signature = keys.sign(message.as_bytes()).expect("a key in memory signs");
    let headers = vec![
        ("authorization", token.clone()),
        ("dpop", format!("{message}.{}", text(&signature))),
        ("connection", "upgrade".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("sec-websocket-version", "13".to_owned()),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
    ];
    HttpRequest { id: 0, method: "GET", url, headers, body: Vec::new(), deadline_ms: 5_000 }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

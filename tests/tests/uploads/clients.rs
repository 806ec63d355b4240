use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onscene_server::keys::Keys;
use onscene_server::random::SystemRandom;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::evidence::receipt;
use onscene_sync_core::limits::UPLOAD_PIECE_BYTES;
use onscene_tests::process::Server;

use super::phone::{Ticket, deliver};
use super::proxy::Proxy;

/// Bytes of the file: not a whole number of pieces.
const BYTES: usize = 3_000_001;
/// What a connection costs besides the bytes of the file: heads of requests.
const HEADS: u64 = 4 * 1024;
/// Bytes that the kernel may hold for a process that is killed.
const IN_KERNEL: u64 = 256 * 1024;
const PIECE: u64 = UPLOAD_PIECE_BYTES as u64;
/// Connections are cut after so many bytes, heads included: within the first head, at its end, within
/// a piece, at the edges of pieces.
const CUTS: [u64; 8] = [1, 700, 100_000, 262_144, 1, 400_003, 524_288, 750_000];

#[derive(Clone, Copy)]
enum Client {
    JavaScript,
    Java,
}

#[tokio::test]
async fn tus_js_client_gets_a_file_through_a_network_that_breaks() {
    survives_cuts(Client::JavaScript).await;
}

#[tokio::test]
async fn tus_java_client_gets_a_file_through_a_network_that_breaks() {
    survives_cuts(Client::Java).await;
}

#[tokio::test]
async fn tus_js_client_gets_a_file_past_a_server_that_is_killed() {
    survives_kills(Client::JavaScript).await;
}

#[tokio::test]
async fn tus_java_client_gets_a_file_past_a_server_that_is_killed() {
    survives_kills(Client::Java).await;
}

async fn survives_cuts(client: Client) {
    if !client.is_installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None).await;
    let file = photo();
    let ticket = deliver(&server, dir.path(), &[&file]).await.pop().unwrap();
    // The request that begins is a call of the phone, with a proof that is good for once; it is not
    // cut after it reached the server.
    let proxy = Proxy::start(server.url().replace("http://", ""), &CUTS[2..]).await;
    let running = client.start(dir.path(), &proxy.url, &ticket, &file);
    finished(running).await;
    assert_eq!(proxy.cuts_left(), 0);
    let most = BYTES as u64 + CUTS.len() as u64 * (PIECE + HEADS) + HEADS;
    assert!(proxy.passed() <= most, "{} bytes went over the network", proxy.passed());
    println!("{BYTES} bytes, {} cuts: {} bytes sent", CUTS.len() - 2, proxy.passed());
    is_stored(&server, dir.path(), &ticket, &file).await;
}

async fn survives_kills(client: Client) {
    if !client.is_installed() {
        return;
    }
    const KILLS: u64 = 3;
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), None).await;
    let file = photo();
    let ticket = deliver(&server, dir.path(), &[&file]).await.pop().unwrap();
    let proxy = Proxy::start(server.url().replace("http://", ""), &[]).await;
    let running = client.start(dir.path(), &proxy.url, &ticket, &file);
    for kill in 1..=KILLS {
        while proxy.passed() < kill * BYTES as u64 / (KILLS + 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill_and_restart().await;
    }
    finished(running).await;
    let most = BYTES as u64 + KILLS * (PIECE + IN_KERNEL + HEADS) + HEADS;
    assert!(proxy.passed() <= most, "{} bytes went over the network", proxy.passed());
    println!("{BYTES} bytes, {KILLS} kills: {} bytes sent", proxy.passed());
    is_stored(&server, dir.path(), &ticket, &file).await;
}

fn photo() -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..BYTES).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect();
    bytes[..4].copy_from_slice(b"\xff\xd8\xff\xe0");
    bytes
}

async fn finished(client: Child) {
    let output = tokio::task::spawn_blocking(|| client.wait_with_output());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await;
    let output = output.expect("it ends").unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The hub holds the very file, and `onscene check` finds it.
async fn is_stored(server: &Server, dir: &Path, ticket: &Ticket, file: &[u8]) {
    let hash = sha256(file).to_string();
    let stored = dir.join("blobs/sha256").join(&hash[..2]).join(&hash[2..]);
    assert_eq!(std::fs::read(stored).unwrap(), file);
    let keys = Keys::open(&dir.join("keys"), false, &SystemRandom).unwrap();
    let database = onscene_server::store::Store::sqlite_url(&dir.join("onscene.db"));
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&database).await.unwrap();
    let sql = "SELECT receipt FROM evidence WHERE stored_at IS NOT NULL";
    let (sealed,): (Vec<u8>,) = sqlx::query_as(sql).fetch_one(&pool).await.unwrap();
    let receipt = receipt::read(&sealed, &keys.facts.public_key()).unwrap();
    assert_eq!((receipt.fact, receipt.sha256), (ticket.fact, sha256(file)));
    pool.close().await;
    let (content, said) = server.check();
    assert!(content, "{said}");
}

impl Client {
    /// The folder that `tests/run` installed the client in.
    fn folder(self) -> PathBuf {
        let name = match self {
            Self::JavaScript => "js",
            Self::Java => "java",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
    }

    fn is_installed(self) -> bool {
        let installed = match self {
            Self::JavaScript => self.folder().join("node_modules/tus-js-client"),
            Self::Java => self.folder().join("target/dependency"),
        };
        if !installed.is_dir() {
            assert!(std::env::var("CI").is_err(), "{} must be there in CI", installed.display());
            println!("SKIPPED: {} is not there, use tests/run", installed.display());
        }
        installed.is_dir()
    }

    fn start(self, dir: &Path, url: &str, ticket: &Ticket, file: &[u8]) -> Child {
        let path = dir.join("photo.jpg");
        std::fs::write(&path, file).unwrap();
        let mut command = match self {
            Self::JavaScript => {
                let mut node = Command::new("node");
                node.arg(self.folder().join("upload.mjs"));
                node
            }
            Self::Java => {
                let target = self.folder().join("target");
                let classes = format!("{0}/classes:{0}/dependency/*", target.display());
                let mut java = Command::new("java");
                java.args(["-cp", &classes, "Upload"]);
                java
            }
        };
        command
            .arg(path)
            .arg(format!("{url}/v1/uploads"))
            .args([ticket.fact.to_string(), ticket.token.clone(), ticket.proof.clone()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("node and java are installed with the clients")
    }
}

#[tokio::test]
async fn a_receipt_is_told_again_to_who_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None).await;
    let (file, other) = (photo(), photo()[..5_000].to_vec());
    let tickets = deliver(&server, dir.path(), &[&file, &other, &file]).await;
    let client = reqwest::Client::new();
    let begin = |ticket: &Ticket, length: usize, body: Vec<u8>| {
        let fact = base64::engine::general_purpose::STANDARD.encode(ticket.fact.to_string());
        client
            .post(format!("{}/v1/uploads", server.url()))
            .header("authorization", format!("DPoP {}", ticket.token))
            .header("dpop", &ticket.proof)
            .header("tus-resumable", "1.0.0")
            .header("upload-length", length)
            .header("upload-metadata", format!("fact {fact}"))
            .header("content-type", "application/offset+octet-stream")
            .body(body)
            .send()
    };
    let created = begin(&tickets[0], BYTES, file.clone()).await.unwrap();
    assert_eq!(created.status(), 201);
    let header =
        |reply: &reqwest::Response, name: &str| reply.headers()[name].to_str().unwrap().to_owned();
    let sealed = header(&created, receipt::HEADER);
    let keys = Keys::open(&dir.path().join("keys"), false, &SystemRandom).unwrap();
    let read = receipt::read(&URL_SAFE_NO_PAD.decode(&sealed).unwrap(), &keys.facts.public_key());
    assert_eq!(read.unwrap().fact, tickets[0].fact);
    let other_length = begin(&tickets[1], 4_999, Vec::new()).await.unwrap();
    assert_eq!(other_length.status(), 400);
    let replayed = begin(&tickets[1], 5_000, Vec::new()).await.unwrap();
    assert_eq!(replayed.status(), 401, "a proof is good for once");
    let again = Ticket {
        fact: tickets[0].fact,
        token: tickets[2].token.clone(),
        proof: tickets[2].proof.clone(),
    };
    let again = begin(&again, BYTES, Vec::new()).await.unwrap();
    assert_eq!(header(&again, receipt::HEADER), sealed);
    assert_eq!(header(&again, "upload-offset"), BYTES.to_string());
}

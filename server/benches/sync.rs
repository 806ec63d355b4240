//! What syncing costs the hub in CPU time, through its whole router: token, proof of possession,
//! guard, signatures of facts, one transaction, fsync before the answer. SQLite, one process.
//!
//! `cargo bench -p onscene-server --bench sync`. Clients prepare their requests beforehand and
//! read nothing but the status while the clock runs, so that the figure is the hub's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use onscene_server::app::App;
use onscene_server::auth::jwk::DeviceKey;
use onscene_server::auth::token::Subject;
use onscene_server::http::router;
use onscene_server::hub::{HubError, buckets, documents};
use onscene_server::store::StoreError;
use onscene_sync_core::crypto::{Signer as _, SoftwareP256, sha256};
use onscene_sync_core::document::{DocKind, Document, Entry};
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::fact::body::{Body as Statement, Text};
use onscene_sync_core::fact::envelope::seal;
use onscene_sync_core::fact::{Author, DeviceAuthor, FACT_VERSION, Fact};
use onscene_sync_core::id::{Actor, BootId, DeviceId, DocId, FactId, PersonId, UnitId};
use onscene_sync_core::sync::message::{
    Bucket, Cursor, Page, Push, PushResult, SyncReply, SyncRequest,
};
use onscene_sync_core::sync::wire;
use onscene_sync_core::time::ClockReading;
use tower::ServiceExt as _;

/// Phones that come back at once.
const PHONES: u8 = 50;
/// Documents of each phone.
const DOCUMENTS: u8 = 50;
/// Those that it wrote to.
const DIRTY: u8 = 10;
/// Changes in each of these: arrival, three of evidence, outcome.
const CHANGES: u8 = 5;
/// Requests of phones that have nothing new.
const IDLE: u64 = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads").block_on(run());
}

async fn run() {
    let dir = tempfile::tempdir().expect("a folder");
    let (app, _clock) = App::for_tests(dir.path()).await.expect("a hub");
    let phones: Vec<Phone> = (0..PHONES).map(|n| Phone::new(&app, n)).collect();
    make_bureau(&app, &phones).await;
    let hub = router(&app);

    let mut pages = Vec::new();
    for phone in &phones {
        let reply = exchange(&hub, phone.request(&app, &phone.empty())).await;
        pages.push(cursors(&reply.buckets));
    }
    let drains: Vec<_> = phones
        .iter()
        .zip(&pages)
        .map(|(phone, cursors)| phone.request(&app, &phone.day(cursors.clone())))
        .collect();
    // A hub that has just started holds no document.
    let hub = router(&restarted(&app));
    let (before, sent) = (cpu_ms(), bytes(&drains));
    let done = all_at_once(&hub, drains).await;
    let drain_ms = cpu_ms() - before;
    let accepted: usize = done
        .iter()
        .flat_map(|reply| &reply.results)
        .filter(|result| **result == PushResult::Accepted)
        .count();
    assert_eq!(accepted, usize::from(PHONES) * usize::from(DIRTY) * usize::from(CHANGES));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let per_second = accepted as f64 * 1_000.0 / drain_ms as f64;
    println!(
        "offline drain: {accepted} changes of {PHONES} phones in {drain_ms} ms of CPU: \
         {per_second:.0} changes per CPU second, {} bytes up per phone",
        sent / usize::from(PHONES)
    );

    let phone = &phones[0];
    let cursors = cursors(&exchange(&hub, phone.request(&app, &phone.empty())).await.buckets);
    let idle: Vec<_> = (0..IDLE)
        .map(|_| phone.request(&app, &SyncRequest { cursors: cursors.clone(), ..phone.empty() }))
        .collect();
    let (before, up) = (cpu_ms(), bytes(&idle) / usize::try_from(IDLE).expect("a small number"));
    let mut down = 0;
    for request in idle {
        down = reply_bytes(&hub, request).await.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = (cpu_ms() - before) as f64 / IDLE as f64;
    println!("idle sync: {each:.3} ms of CPU, {up} bytes up and {down} down, without headers");
}

/// The hub with nothing in memory.
fn restarted(app: &App) -> App {
    App { warm: Arc::default(), ..app.clone() }
}

struct Phone {
    key: SoftwareP256,
    device: DeviceId,
    person: PersonId,
    unit: UnitId,
    docs: Vec<DocId>,
    token: String,
}

/// A request with its headers, ready to be sent.
struct Prepared {
    proof: String,
    token: String,
    body: Vec<u8>,
}

impl Phone {
    fn new(app: &App, number: u8) -> Self {
        let key = SoftwareP256::from_scalar(&[number + 1; 32]).expect("a key");
        let device = DeviceId::from_bytes([number; 8]);
        let person = PersonId::from_bytes([number; 16]);
        let point = DeviceKey::from_point(&key.public_key()).expect("a point");
        let subject = Subject { device, person, key: point.thumbprint() };
        let token = app.auth.tokens.issue(&subject, app.now(), [number; 16]);
        let doc = |n| {
            let mut id = [0; 16];
            (id[0], id[1]) = (number, n);
            DocId::from_bytes(id)
        };
        let docs = (0..DOCUMENTS).map(doc).collect();
        Self { key, device, person, unit: UnitId::from_bytes([number; 16]), docs, token }
    }

    fn empty(&self) -> SyncRequest {
        SyncRequest {
            protocol: 1,
            head: Head { install: 1, seq: 0, fact: None },
            clock: clock(),
            anchor: None,
            cursors: Vec::new(),
            push: Vec::new(),
            want: Vec::new(),
            renew: false,
            max_bytes: 1 << 20,
        }
    }

    /// A day's work in the tunnel.
    fn day(&self, cursors: Vec<Cursor>) -> SyncRequest {
        let (mut seq, mut prev): (u64, Option<FactId>) = (0, None);
        let mut push = Vec::new();
        for doc in &self.docs[..usize::from(DIRTY)] {
            let mut document = Document::new(*doc, DocKind::Response);
            for change in 0..CHANGES {
                seq += 1;
                let author = DeviceAuthor {
                    device: self.device,
                    install: 1,
                    seq,
                    prev,
                    clock: clock(),
                    anchors: Vec::new(),
                    restates: None,
                };
                let text = format!("到达现场，摊位占道经营，已责令整改 {change}");
                let fact = Fact {
                    version: FACT_VERSION,
                    doc: *doc,
                    author: Author::Device(author),
                    body: Statement::Note(Text { text, by: None }),
                };
                let (id, envelope) = seal(&fact, &self.key).expect("signed");
                prev = Some(id);
                let actor = Actor { device: self.device, install: 1, incarnation: 0 };
                let entry = Entry { facts: vec![(id, envelope)], ..Entry::default() };
                let change = document.write(actor, &entry).expect("written").bytes.into();
                push.push(Push { doc: *doc, kind: DocKind::Response, change });
            }
        }
        let head = Head { install: 1, seq, fact: prev };
        SyncRequest { head, push, cursors, ..self.empty() }
    }

    fn request(&self, app: &App, message: &SyncRequest) -> Prepared {
        let point = self.key.public_key();
        let (x, y) = point[1..].split_at(32);
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut unique = [0; 16];
        app.random.fill(&mut unique);
        let header = serde_json::json!({"typ": "dpop+jwt", "alg": "ES256",
            "jwk": {"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)}});
        let claims = serde_json::json!({"jti": base64(&unique), "htm": "POST",
            "htu": format!("{}/v1/sync", app.config.http.public_url), "iat": 0,
            "nonce": app.auth.proofs.nonce(app.now()),
            "ath": base64(sha256(self.token.as_bytes()).as_bytes())});
        let text = [header, claims].map(|part| base64(part.to_string().as_bytes())).join(".");
        let signature = self.key.sign(text.as_bytes()).expect("signed");
        Prepared {
            proof: format!("{text}.{}", base64(&signature)),
            token: self.token.clone(),
            body: wire::compress(&wire::encode(message)),
        }
    }
}

fn clock() -> ClockReading {
    ClockReading { wall_ms: 0, boot_ns: 1, boot: BootId::from_bytes([1; 8]) }
}

fn cursors(pages: &[Page]) -> Vec<Cursor> {
    let cursor = |page: &Page| Cursor { bucket: page.bucket, epoch: page.epoch, seq: page.seq };
    pages.iter().map(cursor).collect()
}

fn bytes(requests: &[Prepared]) -> usize {
    requests.iter().map(|request| request.body.len()).sum()
}

async fn all_at_once(hub: &Router, requests: Vec<Prepared>) -> Vec<SyncReply> {
    let send = |request| tokio::spawn(exchange_owned(hub.clone(), request));
    let tasks: Vec<_> = requests.into_iter().map(send).collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.expect("answered"));
    }
    replies
}

async fn exchange_owned(hub: Router, request: Prepared) -> SyncReply {
    exchange(&hub, request).await
}

async fn exchange(hub: &Router, request: Prepared) -> SyncReply {
    let bytes = reply_bytes(hub, request).await;
    let plain = wire::decompress(&bytes).unwrap_or(bytes);
    wire::decode(&plain).expect("a reply")
}

async fn reply_bytes(hub: &Router, request: Prepared) -> Vec<u8> {
    let request = Request::post("/v1/sync")
        .header("authorization", format!("DPoP {}", request.token))
        .header("dpop", request.proof)
        .header("content-type", wire::CONTENT_TYPE)
        .header("content-encoding", "zstd")
        .header("accept-encoding", "zstd")
        .body(Body::from(request.body))
        .expect("a request");
    let response = hub.clone().oneshot(request).await.expect("answered");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes().to_vec();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    body
}

/// A unit, a person and fifty ordered visits for each phone.
async fn make_bureau(app: &App, phones: &[Phone]) {
    for phone in phones {
        let ids = (phone.unit, phone.person, phone.device, phone.key.public_key());
        let docs = (phone.docs.clone(), app.now());
        let made = app.store.with_tx("bench", (ids, docs), |tx, (ids, docs)| {
            Box::pin(async move {
                let (unit, person, device, key) = ids;
                let (unit_id, person_id) = (&unit.as_bytes()[..], &person.as_bytes()[..]);
                let unit_row = "INSERT INTO unit (unit_id, name, created_at) VALUES ($1, 'x', 0)";
                let person_row = "INSERT INTO person (person_id, unit_id, name, role, created_at) \
                     VALUES ($1, $2, 'x', 'inspector', 0)";
                let query = sqlx::query(unit_row).bind(unit_id);
                query.execute(tx.conn()).await.map_err(StoreError::from)?;
                let query = sqlx::query(person_row).bind(person_id).bind(unit_id);
                query.execute(tx.conn()).await.map_err(StoreError::from)?;
                let sql = sqlx::query(DEVICE_ROW).bind(&device.as_bytes()[..]).bind(person_id);
                sql.bind(&key[..]).execute(tx.conn()).await.map_err(StoreError::from)?;
                for doc in &docs.0 {
                    documents::create(tx, *doc, DocKind::Response, docs.1).await?;
                    buckets::enter(tx, *doc, &[Bucket::Unit(*unit)], docs.1).await?;
                }
                Ok::<_, HubError>(())
            })
        });
        made.await.expect("a bureau");
    }
    let units: BTreeSet<_> = phones.iter().map(|phone| phone.unit).collect();
    assert_eq!(units.len(), phones.len());
}

const DEVICE_ROW: &str = "INSERT INTO device \
     (device, person_id, key, model, key_level, app_version, check_words, install, enrolled_at) \
     VALUES ($1, $2, $3, 'x', 'software', '1', '[]', 1, 0)";

/// CPU time of this process so far, all threads, in milliseconds (Linux counts it in hundredths of
/// a second).
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    (ticks(12) + ticks(13)) * 10
}

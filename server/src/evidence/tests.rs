//! Uploads through the hub's router, on each engine.

mod looked_at;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::evidence::receipt;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{BootId, DeviceId, DocId, FactId, Hash};
use onscene_sync_core::time::ClockReading;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::manifest::Named;
use super::sweep::{Swept, sweep};
use super::{inventory, uploads};
use crate::app::App;
use crate::clock::ManualClock;
use crate::store::testing::{TestStore, on_each_engine};
use crate::store::{RowExt as _, StoreError};

on_each_engine!(
    a_file_comes_in_parts_and_gets_one_receipt,
    other_bytes_than_the_signed_ones_are_refused_and_dropped,
    a_file_of_another_kind_is_refused,
    a_checksum_counts_for_the_whole_request,
    a_cut_costs_nothing_that_came,
    a_newcomer_takes_a_half_open_upload_over_at_once,
    a_silent_request_ends_and_what_came_is_kept,
    requests_that_do_not_fit_are_refused_by_name,
    an_upload_ends_with_its_time_or_its_termination,
    a_phone_brings_so_much_in_a_day,
    equal_files_are_kept_once,
    what_nothing_names_goes_in_two_steps_and_what_is_named_stays,
    an_object_that_is_being_dropped_is_waited_for,
    what_was_left_of_an_upload_is_swept,
    the_inventory_names_what_is_missing_or_damaged,
);

pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: ManualClock,
    router: Router,
    _store: TestStore,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("{name}: {} {:?}", self.status, self.body)).to_str().unwrap()
    }

    fn offset(&self) -> u64 {
        self.header("upload-offset").parse().unwrap()
    }

    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(
            (self.status, &body["type"]),
            (status, &format!("urn:onscene:problem:{code}").into())
        );
        assert_eq!(self.header("tus-resumable"), "1.0.0");
        body["detail"].as_str().unwrap_or_default().to_owned()
    }
}

impl World {
    pub(super) async fn new(store: TestStore) -> Self {
        Self::with(store, |_| ()).await
    }

    async fn with(store: TestStore, change: impl FnOnce(&mut crate::config::Evidence)) -> Self {
        let (mut app, clock) = store.app().await;
        let mut config = (*app.config).clone();
        change(&mut config.evidence);
        app.config = config.into();
        Self { router: crate::http::router(&app), app, clock, _store: store }
    }

    /// Begins an upload of a file as if its manifest had been delivered; returns its address.
    pub(super) async fn begin(&self, named: &Named) -> String {
        let capability = format!("capability-{}-{}", named.fact, self.app.now().0);
        let (id, now) = (uploads::id_of(&capability), self.app.now());
        let expires = now.plus(i64::from(self.app.config.evidence.upload_hours) * 3_600_000);
        let begun =
            self.app.store.with_tx("test", (named.clone(), id, now, expires), |tx, input| {
                Box::pin(async move {
                    let (named, id, now, expires) = input;
                    uploads::begin(tx, named, *id, *now, *expires).await
                })
            });
        begun.await.unwrap();
        format!("/v1/uploads/{capability}")
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = reply.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::from_static(b"broken off"),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, &[("tus-resumable", "1.0.0")], Body::empty()).await
    }

    async fn patch(&self, path: &str, offset: u64, body: Body, more: &[(&str, &str)]) -> Answer {
        let offset = offset.to_string();
        let mut headers = vec![
            ("tus-resumable", "1.0.0"),
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", &offset[..]),
        ];
        headers.extend_from_slice(more);
        self.send(Method::PATCH, path, &headers, body).await
    }

    pub(super) async fn bring(&self, named: &Named, bytes: &[u8]) -> Answer {
        let path = self.begin(named).await;
        self.patch(&path, 0, Body::from(bytes.to_vec()), &[]).await
    }

    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let read = self.app.store.with_read("test", sql, |tx, sql| {
            Box::pin(async move { sqlx::query(*sql).fetch_one(tx.conn()).await?.int("n") })
        });
        let number: Result<i64, StoreError> = read.await;
        number.unwrap()
    }

    pub(super) async fn execute(&self, sql: &'static str, key: Vec<u8>) {
        let done = self.app.store.with_tx("test", (sql, key), |tx, (sql, key)| {
            Box::pin(async move {
                sqlx::query(*sql).bind(&key[..]).execute(tx.conn()).await.map_err(StoreError::from)
            })
        });
        done.await.unwrap();
    }

    /// A case whose order is worked on in `visit`.
    pub(super) async fn open_case(&self, visit: DocId) {
        self.execute(
            "INSERT INTO case_row (case_id, number, phase, registered_at, version, view) \
             VALUES ($1, '1', 'ordered', 0, 0, '{}')",
            visit.as_bytes().to_vec(),
        )
        .await;
        self.execute(
            "INSERT INTO dispatch_order (order_id, case_id, inspection, unit_id, issued_at) \
             VALUES ($1, $1, $1, $1, 0)",
            visit.as_bytes().to_vec(),
        )
        .await;
    }

    async fn close_case(&self) {
        let closed = format!("UPDATE case_row SET closed_at = {}", self.app.now().0);
        let done = self.app.store.with_tx("test", closed, |tx, sql| {
            Box::pin(async move {
                let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
                query.execute(tx.conn()).await.map_err(StoreError::from)
            })
        });
        done.await.unwrap();
    }

    fn read_receipt(&self, answer: &Answer) -> receipt::Receipt {
        let bytes = URL_SAFE_NO_PAD.decode(answer.header(receipt::HEADER)).unwrap();
        receipt::read(&bytes, &self.app.keys.facts.public_key()).unwrap()
    }

    async fn staged(&self) -> usize {
        self.app.blobs.staging_folders().await.unwrap().len()
    }
}

/// Bytes that begin like a JPEG file and that no two offsets share.
pub(super) fn photo(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..length).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[2] ^ seed).collect();
    bytes[..4].copy_from_slice(b"\xff\xd8\xff\xe0");
    bytes
}

pub(super) fn named(number: u8, bytes: &[u8], media: Media) -> Named {
    let taken = ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([1; 8]) };
    Named {
        fact: FactId::from_bytes([number; 16]),
        doc: DocId::from_bytes([number; 16]),
        device: DeviceId::from_bytes([7; 8]),
        manifest: Manifest {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
            media,
            captured: true,
            taken,
            fix: None,
            datum: None,
            before: None,
        },
    }
}

async fn a_file_comes_in_parts_and_gets_one_receipt(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(1_000_000, 0);
    let named = named(1, &bytes, Media::Photo);
    let path = world.begin(&named).await;
    let mut offset = 0;
    for part in [1, 4, 262_139, 262_144, 300_000, 1_000_000] {
        let end = (offset + part).min(bytes.len());
        let answer =
            world.patch(&path, offset as u64, Body::from(bytes[offset..end].to_vec()), &[]).await;
        assert_eq!((answer.status, answer.offset()), (204, end as u64));
        offset = end;
        let told = world.head(&path).await;
        assert_eq!((told.status, told.offset()), (200, end as u64));
        assert_eq!(told.header("upload-length"), "1000000");
        assert_eq!(told.header("cache-control"), "no-store");
        assert!(told.header("upload-expires").ends_with(" GMT"));
        assert_eq!(told.headers.contains_key(receipt::HEADER), end == bytes.len());
    }
    let answer = world.head(&path).await;
    let receipt = world.read_receipt(&answer);
    let expected = (named.fact, sha256(&bytes), 1_000_000, world.app.now());
    assert_eq!((receipt.fact, receipt.sha256, receipt.bytes, receipt.at), expected);
    assert_eq!(world.app.blobs.bytes(sha256(&bytes), 1_000_000).await.unwrap(), bytes);
    assert_eq!(world.staged().await, 0);
    world.clock.advance(5_000);
    let again = world.begin(&named).await;
    let told = world.head(&again).await;
    assert_eq!(told.offset(), 1_000_000);
    assert_eq!(told.header(receipt::HEADER), answer.header(receipt::HEADER));
    assert_eq!(world.head(&path).await.status, 404, "its successor answers now");
}

async fn other_bytes_than_the_signed_ones_are_refused_and_dropped(store: TestStore) {
    let world = World::new(store).await;
    let (bytes, others) = (photo(400_000, 0), photo(400_000, 1));
    let named = named(1, &bytes, Media::Photo);
    let path = world.begin(&named).await;
    let answer = world.patch(&path, 0, Body::from(others), &[]).await;
    let why = answer.refused(422, "file_refused");
    assert!(why.contains(&sha256(&bytes).to_string()), "{why}");
    assert_eq!(world.staged().await, 0);
    assert_eq!(world.head(&path).await.status, 404);
    assert_eq!(world.number("SELECT count(refused_at) AS n FROM evidence").await, 1);
    assert_eq!(world.app.blobs.size(sha256(&bytes)).await.unwrap(), None);
    world.clock.advance(1);
    assert_eq!(world.bring(&named, &bytes).await.status, 204);
    assert_eq!(world.number("SELECT count(refused_at) AS n FROM evidence").await, 0);
}

async fn a_file_of_another_kind_is_refused(store: TestStore) {
    let world = World::new(store).await;
    let page = b"<!DOCTYPE html><script>alert(1)</script>".to_vec();
    let answer = world.bring(&named(1, &page, Media::Photo), &page).await;
    let why = answer.refused(422, "file_refused");
    assert!(why.contains("image/jpeg"), "{why}");
    let bytes = photo(5_000, 0);
    let answer = world.bring(&named(2, &bytes, Media::Video), &bytes).await;
    assert!(answer.refused(422, "file_refused").contains("begins like image/jpeg"));
    assert_eq!(world.staged().await, 0);
}

async fn a_checksum_counts_for_the_whole_request(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(700_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let (first, rest) = bytes.split_at(300_000);
    let right = format!("sha256 {}", STANDARD.encode(sha256(first).as_bytes()));
    let body = || Body::from(first.to_vec());
    let wrong = format!("sha256 {}", STANDARD.encode(sha256(b"").as_bytes()));
    world
        .patch(&path, 0, body(), &[("upload-checksum", &wrong)])
        .await
        .refused(460, "other_checksum");
    assert_eq!(world.head(&path).await.offset(), 0);
    let cut = stream::iter([Ok(Bytes::from(first[..280_000].to_vec())), Err("cut")]);
    world.patch(&path, 0, Body::from_stream(cut), &[("upload-checksum", &right)]).await;
    assert_eq!(world.head(&path).await.offset(), 0, "a part has no checksum");
    for unknown in ["crc32 AAAA", "sha256", "sha256 !"] {
        let answer = world.patch(&path, 0, body(), &[("upload-checksum", unknown)]).await;
        answer.refused(400, "invalid");
    }
    let answer = world.patch(&path, 0, body(), &[("upload-checksum", &right)]).await;
    assert_eq!((answer.status, answer.offset()), (204, 300_000));
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, rest);
    let sha1 = format!("sha1 {}", STANDARD.encode(sha1.as_ref()));
    let answer =
        world.patch(&path, 300_000, Body::from(rest.to_vec()), &[("upload-checksum", &sha1)]).await;
    assert_eq!(answer.status, 204);
    assert_eq!(world.read_receipt(&answer).bytes, 700_000);
}

async fn a_cut_costs_nothing_that_came(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(1_000_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let mut offset = 0;
    for length in [400_000, 1, 262_144, 100] {
        let part = Bytes::from(bytes[offset..offset + length].to_vec());
        let cut = stream::iter([Ok(part), Err("cut")]);
        world.patch(&path, offset as u64, Body::from_stream(cut), &[]).await;
        offset += length;
        assert_eq!(world.head(&path).await.offset(), offset as u64);
    }
    let answer = world.patch(&path, offset as u64, Body::from(bytes[offset..].to_vec()), &[]).await;
    assert_eq!(world.read_receipt(&answer).sha256, sha256(&bytes));
}

/// A body that goes on as long as the sender lives.
fn slow() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let bytes = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|bytes| (bytes, receiver))
    });
    (sender, Body::from_stream(bytes.map(Ok::<_, std::io::Error>)))
}

async fn a_newcomer_takes_a_half_open_upload_over_at_once(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(600_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let (sender, body) = slow();
    let newcomer = async {
        sender.send(bytes[..270_000].to_vec().into()).unwrap();
        // Long enough for what waits to be put down.
        tokio::time::sleep(Duration::from_millis(3_000)).await;
        let began = tokio::time::Instant::now();
        let told = world.head(&path).await;
        assert_eq!(told.offset(), 270_000);
        let rest = Body::from(bytes[270_000..500_000].to_vec());
        assert_eq!(world.patch(&path, 270_000, rest, &[]).await.offset(), 500_000);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // The one who was overtaken wakes up and sends something else.
        sender.send(vec![0; 330_000].into()).unwrap();
        drop(sender);
    };
    let (overtaken, ()) = tokio::join!(world.patch(&path, 0, body, &[]), newcomer);
    overtaken.refused(409, "taken_over");
    assert_eq!(world.head(&path).await.offset(), 500_000);
    let answer = world.patch(&path, 500_000, Body::from(bytes[500_000..].to_vec()), &[]).await;
    assert_eq!(world.read_receipt(&answer).sha256, sha256(&bytes));
    assert_eq!(world.staged().await, 0);
}

async fn a_silent_request_ends_and_what_came_is_kept(store: TestStore) {
    let world = World::with(store, |evidence| evidence.idle_timeout_s = 1).await;
    let bytes = photo(600_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let (sender, body) = slow();
    sender.send(bytes[..300_000].to_vec().into()).unwrap();
    world.patch(&path, 0, body, &[]).await.refused(408, "idle");
    assert_eq!(world.head(&path).await.offset(), 300_000);
    drop(sender);
}

async fn requests_that_do_not_fit_are_refused_by_name(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(1_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let body = || Body::from(bytes.clone());
    let old = world.send(Method::PATCH, &path, &[("tus-resumable", "0.2.2")], body()).await;
    old.refused(412, "tus_version");
    assert_eq!(old.header("tus-version"), "1.0.0");
    let form = [("tus-resumable", "1.0.0"), ("content-type", "text/plain")];
    world.send(Method::PATCH, &path, &form, body()).await.refused(415, "not_bytes");
    let conflict = world.patch(&path, 5, body(), &[]).await;
    conflict.refused(409, "other_offset");
    assert_eq!(conflict.offset(), 0);
    let longer = Body::from([&bytes[..], b"x"].concat());
    world.patch(&path, 0, longer, &[]).await.refused(413, "too_large");
    world.patch("/v1/uploads/guessed", 0, body(), &[]).await.refused(404, "unknown_upload");
    let post = world.send(Method::POST, &path, &[("tus-resumable", "1.0.0")], body()).await;
    post.refused(405, "wrong_method");
    let described = world.send(Method::OPTIONS, "/v1/uploads", &[], Body::empty()).await;
    assert_eq!(described.status, 204);
    assert!(described.header("tus-extension").contains("creation-with-upload"));
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("x-http-method-override", "PATCH"),
        ("content-type", "application/offset+octet-stream"),
        ("upload-offset", "0"),
    ];
    assert_eq!(world.send(Method::POST, &path, &headers, body()).await.status, 204);
}

async fn an_upload_ends_with_its_time_or_its_termination(store: TestStore) {
    let world = World::with(store, |evidence| evidence.upload_hours = 1).await;
    let bytes = photo(300_000, 0);
    let first = world.begin(&named(1, &bytes, Media::Photo)).await;
    let second = world.begin(&named(2, &bytes, Media::Photo)).await;
    for path in [&first, &second] {
        world.patch(path, 0, Body::from(bytes[..5].to_vec()), &[]).await;
    }
    assert_eq!(world.staged().await, 2);
    let version = [("tus-resumable", "1.0.0")];
    let gone = world.send(Method::DELETE, &first, &version, Body::empty()).await;
    assert_eq!(gone.status, 204);
    assert_eq!((world.head(&first).await.status, world.staged().await), (404, 1));
    world.clock.advance(3_599_000);
    assert_eq!(world.head(&second).await.offset(), 5);
    world.clock.advance(2_000);
    assert_eq!(world.head(&second).await.status, 404);
}

async fn a_phone_brings_so_much_in_a_day(store: TestStore) {
    let world = World::with(store, |evidence| evidence.device_day_bytes = 1_500).await;
    let bytes = photo(1_000, 0);
    assert_eq!(world.bring(&named(1, &bytes, Media::Photo), &bytes).await.status, 204);
    let more = photo(1_000, 1);
    let path = world.begin(&named(2, &more, Media::Photo)).await;
    let full = world.patch(&path, 0, Body::from(more.clone()), &[]).await;
    full.refused(StatusCode::TOO_MANY_REQUESTS.as_u16(), "day_full");
    assert_eq!(world.head(&path).await.offset(), 0);
    world.clock.advance(24 * 3_600_000);
    assert_eq!(world.patch(&path, 0, Body::from(more), &[]).await.status, 204);
}

async fn equal_files_are_kept_once(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(300_000, 0);
    for number in [1, 2] {
        let answer = world.bring(&named(number, &bytes, Media::Photo), &bytes).await;
        assert_eq!(world.read_receipt(&answer).fact, FactId::from_bytes([number; 16]));
    }
    assert_eq!(world.number("SELECT count(*) AS n FROM blob").await, 1);
    let hash: Hash = sha256(&bytes);
    assert_eq!(world.app.blobs.size(hash).await.unwrap(), Some(300_000));
}

async fn what_nothing_names_goes_in_two_steps_and_what_is_named_stays(store: TestStore) {
    let world = World::with(store, |evidence| evidence.keep_days = 30).await;
    let (bytes, others) = (photo(5_000, 0), photo(5_000, 1));
    let of_patrol = named(1, &bytes, Media::Photo);
    world.bring(&of_patrol, &bytes).await;
    let of_case = named(2, &others, Media::Photo);
    world.bring(&of_case, &others).await;
    world.open_case(of_case.doc).await;
    let day = 24 * 3_600_000;
    world.clock.advance(31 * day);
    let swept = sweep(&world.app).await.unwrap();
    assert_eq!(swept, Swept { uploads: 2, erased: 1, objects: 0 }, "condemned only");
    world.clock.advance(day / 2);
    // The same photo comes again, for another fact, before its object is gone.
    let again = Named { doc: of_case.doc, ..named(3, &bytes, Media::Photo) };
    assert_eq!(world.bring(&again, &bytes).await.status, 204);
    world.clock.advance(2 * day);
    assert_eq!(sweep(&world.app).await.unwrap().objects, 0);
    assert!(world.app.blobs.verify(sha256(&bytes)).await.is_ok());
    world.close_case().await;
    world.clock.advance(31 * day);
    assert_eq!(sweep(&world.app).await.unwrap().erased, 2);
    world.clock.advance(2 * day);
    assert_eq!(sweep(&world.app).await.unwrap().objects, 2);
    assert_eq!(world.app.blobs.size(sha256(&bytes)).await.unwrap(), None);
    assert_eq!(world.number("SELECT count(*) AS n FROM blob").await, 0);
    assert_eq!(world.number("SELECT count(erased_at) AS n FROM evidence").await, 3);
}

async fn an_object_that_is_being_dropped_is_waited_for(store: TestStore) {
    let world = World::new(store).await;
    let bytes = photo(5_000, 0);
    world
        .execute(
            "INSERT INTO blob (sha256, bytes, touched_at, condemned_at, dropping_at) \
        VALUES ($1, 5000, 0, 0, 0)",
            sha256(&bytes).as_bytes().to_vec(),
        )
        .await;
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    let busy = world.patch(&path, 0, Body::from(bytes.clone()), &[]).await;
    busy.refused(503, "busy");
    assert_eq!(sweep(&world.app).await.unwrap().objects, 1);
    let answer = world.head(&path).await;
    assert_eq!(world.read_receipt(&answer).sha256, sha256(&bytes));
    assert!(world.app.blobs.verify(sha256(&bytes)).await.is_ok());
}

async fn what_was_left_of_an_upload_is_swept(store: TestStore) {
    let world = World::with(store, |evidence| evidence.upload_hours = 1).await;
    let bytes = photo(300_000, 0);
    let path = world.begin(&named(1, &bytes, Media::Photo)).await;
    world.patch(&path, 0, Body::from(bytes[..5].to_vec()), &[]).await;
    let lost = sha256(b"a process ended").to_string();
    world.app.blobs.stage(&lost, "000000-1", vec![1]).await.unwrap();
    assert_eq!(sweep(&world.app).await.unwrap().uploads, 0);
    assert_eq!(world.staged().await, 1);
    world.clock.advance(3_601_000);
    assert_eq!(sweep(&world.app).await.unwrap().uploads, 1);
    assert_eq!((world.staged().await, world.head(&path).await.status), (0, 404));
}

async fn the_inventory_names_what_is_missing_or_damaged(store: TestStore) {
    let world = World::new(store).await;
    let files: Vec<_> = (0..3).map(|seed| photo(2_000, seed)).collect();
    for (number, file) in (1..).zip(&files) {
        world.bring(&named(number, file, Media::Photo), file).await;
    }
    let take = |whole| inventory::take(&world.app.store, Some(&world.app.blobs), whole);
    let content = take(true).await.unwrap();
    assert_eq!((content.files, content.faults.len()), (3, 0));
    let hashes: Vec<_> = files.iter().map(|file| sha256(file)).collect();
    world.app.blobs.remove(hashes[0]).await.unwrap();
    let text = hashes[1].to_string();
    let path = world.app.config.data.dir.join("blobs/sha256").join(&text[..2]).join(&text[2..]);
    std::fs::write(path, photo(2_000, 9)).unwrap();
    let glance = take(false).await.unwrap();
    assert_eq!(glance.faults.len(), 1);
    assert!(glance.faults[0].contains(&hashes[0].to_string()), "{glance:?}");
    let whole = take(true).await.unwrap();
    assert_eq!(whole.faults.len(), 2);
    assert!(whole.faults[1].contains("damaged"), "{whole:?}");
    assert_eq!(inventory::take(&world.app.store, None, false).await.unwrap().faults.len(), 3);
}

//! Every answer that the library reads, bent in every place: real ones of each kind are recorded,
//! mutated and handed in. Whatever comes, no panic; what was recorded stays, whole and once; and no
//! file counts as verified that the hub has not signed for.

use std::collections::BTreeSet;

use onscene_sync_core::id::DocId;
use onscene_sync_core::sync::message::{Bucket, Poke};
use onscene_sync_core::sync::wire;
use proptest::prelude::*;
use proptest::sample::Index;

use super::upload::{Scene, scene};
use super::{photo, picture, take};
use crate::testing::{FakeHost, Hub, UNIT, reply};
use crate::{Applied, Device, EvidenceState, HttpReply, ItemState, Job, Step, UploadStep};

/// One thing that is done to an answer.
#[derive(Debug, Clone)]
enum Bend {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    /// Another byte in what the compressed body holds, so that it is met below the compression.
    Inside(Index, u8),
    /// A place in JSON is given another value.
    Json(Index, u8),
    DropHeader(Index),
    Header(Index, String),
    TwiceHeader(Index, String),
    Status(u16),
}

fn bend() -> impl Strategy<Value = Bend> {
    let text = prop_oneof![
        Just(String::new()),
        Just("-1".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("https://evil.example/x".to_owned()),
        "[ -~]{0,40}",
        "\\PC{0,300}",
    ];
    let statuses = vec![
        200, 201, 204, 304, 400, 401, 403, 404, 409, 410, 412, 413, 423, 426, 429, 460, 500, 503,
        999,
    ];
    prop_oneof![
        3 => (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Bend::Flip(at, bits)),
        1 => any::<Index>().prop_map(Bend::Cut),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Bend::Insert(at, bytes)),
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Bend::Inside(at, bits)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, how)| Bend::Json(at, how)),
        1 => any::<Index>().prop_map(Bend::DropHeader),
        3 => (any::<Index>(), text.clone()).prop_map(|(at, text)| Bend::Header(at, text)),
        1 => (any::<Index>(), text).prop_map(|(at, text)| Bend::TwiceHeader(at, text)),
        1 => prop::sample::select(statuses).prop_map(Bend::Status),
    ]
}

fn bends() -> impl Strategy<Value = Vec<Bend>> {
    prop::collection::vec(bend(), 1..4)
}

fn bent(mut answer: HttpReply, bends: &[Bend]) -> HttpReply {
    for bend in bends {
        let (body, headers) = (&mut answer.body, &mut answer.headers);
        match bend {
            Bend::Status(status) => answer.status = *status,
            Bend::Flip(at, bits) if !body.is_empty() => {
                let at = at.index(body.len());
                body[at] ^= bits;
            }
            Bend::Cut(at) => body.truncate(at.index(body.len() + 1)),
            Bend::Insert(at, bytes) => {
                let at = at.index(body.len() + 1);
                body.splice(at..at, bytes.iter().copied());
            }
            Bend::Inside(at, bits) => {
                if let Ok(mut inside) = wire::decompress(body)
                    && !inside.is_empty()
                {
                    let at = at.index(inside.len());
                    inside[at] ^= bits;
                    *body = wire::compress(&inside);
                }
            }
            Bend::Json(at, how) => bend_json(body, at, *how),
            Bend::DropHeader(at) if !headers.is_empty() => {
                headers.remove(at.index(headers.len()));
            }
            Bend::Header(at, text) if !headers.is_empty() => {
                let at = at.index(headers.len());
                headers[at].1.clone_from(text);
            }
            Bend::TwiceHeader(at, text) if !headers.is_empty() => {
                let again = (headers[at.index(headers.len())].0.clone(), text.clone());
                headers.insert(0, again);
            }
            Bend::Flip(..) | Bend::DropHeader(_) | Bend::Header(..) | Bend::TwiceHeader(..) => {}
        }
    }
    answer
}

fn bend_json(body: &mut Vec<u8>, at: &Index, how: u8) {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(body) else { return };
    let Some(name) = fields.keys().nth(at.index(fields.len().max(1))).cloned() else { return };
    match how % 5 {
        0 => drop(fields.remove(&name)),
        1 => drop(fields.insert(name, serde_json::Value::Null)),
        2 => drop(fields.insert(name, i64::MIN.into())),
        3 => drop(fields.insert(name, "\u{0}".repeat(5_000).into())),
        _ => drop(fields.insert(name, serde_json::json!([[[{}]]]))),
    }
    *body = serde_json::to_vec(&fields).unwrap();
}

/// What holds of a phone with these records, whatever it was told.
fn holds(device: &Device, recorded: &BTreeSet<i64>, files: &[Vec<u8>], hub: &Hub) {
    let items = device.items(0, 1_000).unwrap();
    assert_eq!(&items.iter().map(|item| item.n).collect::<BTreeSet<_>>(), recorded);
    let facts: BTreeSet<_> = items.iter().filter_map(|item| item.fact).collect();
    assert_eq!(facts.len(), recorded.len(), "each is stated once");
    let counts = device.counts().unwrap();
    assert_eq!(counts.recorded, counts.saved + counts.delivered + counts.refused);
    let evidence = device.evidence(0, 100).unwrap();
    assert_eq!(evidence.len(), files.len());
    for (item, file) in evidence.iter().zip(files) {
        assert!(std::fs::read(item.path.as_ref().unwrap()).unwrap() == *file, "the file stays");
        if let EvidenceState::Verified { .. } = item.state {
            assert!(hub.files.whole.values().any(|whole| whole == file), "signed for unseen");
        }
    }
    let sound: String =
        device.store.read().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

/// A phone with notes and photos in all states.
fn busy() -> (Scene, BTreeSet<i64>, Vec<Vec<u8>>) {
    let mut scene = scene();
    let files = vec![picture(1, 270_000), picture(2, 1_000)];
    scene.device.note(scene.job, "a").unwrap();
    take(&mut scene.device, scene.job, photo(), &files[0]);
    scene.sync();
    scene.device.note(scene.job, "b").unwrap();
    take(&mut scene.device, scene.job, photo(), &files[1]);
    scene.hub.dispatch(2);
    (scene, BTreeSet::from([1, 2, 3, 4]), files)
}

fn reopened(scene: Scene) -> Scene {
    let Scene { folder, fake, hub, device, job } = scene;
    drop(device);
    let device = fake.open(folder.path());
    Scene { folder, fake, hub, device, job }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The answers of the lane: in the end all files are at the hub, once, and signed for.
    #[test]
    fn bent_answers_about_files_are_survived_and_made_good(
        mishaps in prop::collection::vec((0_usize..4, bends()), 1..4),
        reopen in any::<bool>(),
    ) {
        let (mut scene, recorded, files) = busy();
        scene.sync();
        for (honest, bends) in mishaps {
            for turn in 0..=honest {
                let step = scene.device.upload_next().unwrap();
                let UploadStep::Send(request) = step else {
                    if let UploadStep::Wait { ms, .. } = step {
                        scene.fake.advance(ms.min(60_000));
                    }
                    continue;
                };
                let mut answer = scene.hub.upload(&request);
                if turn == honest {
                    answer = bent(answer, &bends);
                }
                prop_assert_eq!(scene.device.upload_apply(request.id, &answer).unwrap(), Applied::Taken);
                holds(&scene.device, &recorded, &files, &scene.hub);
            }
        }
        if reopen {
            scene = reopened(scene);
        }
        scene.device.upload_soon();
        scene.fake.upload(&mut scene.device, &mut scene.hub);
        let verified = scene.device.evidence_counts().unwrap().verified;
        prop_assert_eq!(verified, 2);
        prop_assert_eq!(scene.hub.files.whole.len(), 2);
        holds(&scene.device, &recorded, &files, &scene.hub);
    }

    /// The answers of sync, of every kind that the phone meets on its way.
    #[test]
    fn bent_answers_of_sync_leave_everything_recorded_in_its_place(
        token in any::<bool>(),
        bends in bends(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut scene, recorded, files) = busy();
        if token {
            scene.fake.advance(700_000);
        }
        for _ in 0..3 {
            let request = scene.fake.next_request(&mut scene.device);
            // The liar tells what the hub would tell, and takes nothing in.
            let answer = bent(scene.hub.clone().handle(&request), &bends);
            prop_assert_eq!(scene.device.sync_apply(request.id, &answer).unwrap(), Applied::Taken);
            holds(&scene.device, &recorded, &files, &scene.hub);
            scene.device.poked(&noise).unwrap();
            scene.device.live_refused(&answer).unwrap();
            holds(&scene.device, &recorded, &files, &scene.hub);
        }
        scene = reopened(scene);
        holds(&scene.device, &recorded, &files, &scene.hub);
        // A hub may take an order out of sight; the visit can be recorded all the same.
        let visit = Job::Inspection(DocId::from_bytes([0x81; 16]));
        scene.device.note(visit, "recording goes on").unwrap();
        prop_assert!(scene.device.sync_next().is_ok());
    }

    /// The answer that makes a phone somebody's: it is taken whole or not at all.
    #[test]
    fn a_bent_enrolment_leaves_a_phone_that_can_be_enrolled(bends in bends()) {
        let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
        let (order, ..) = hub.dispatch(1);
        let mut device = fake.open(folder.path());
        device.enrol("https://hub.example", &hub.code(), None, false).unwrap();
        for _ in 0..2 {
            let Step::Send(request) = device.sync_next().unwrap() else { continue };
            if !request.url.ends_with("/v1/enrol") {
                break;
            }
            let answer = bent(hub.handle(&request), &bends);
            prop_assert_eq!(device.sync_apply(request.id, &answer).unwrap(), Applied::Taken);
        }
        drop(device);
        let mut device = fake.open(folder.path());
        device.standing().unwrap();
        device.enrol("https://hub.example", &hub.code(), None, false).unwrap();
        for _ in 0..20 {
            match device.sync_next().unwrap() {
                Step::Send(request) if request.url.ends_with("/v1/sync") => break,
                Step::Send(request) => {
                    let answer = hub.handle(&request);
                    device.sync_apply(request.id, &answer).unwrap();
                }
                Step::Wait { ms, .. } => fake.advance(ms),
                Step::Idle => break,
            }
        }
        fake.sync(&mut device, &mut hub);
        take(&mut device, Job::Order(order), photo(), &picture(1, 100));
        fake.sync(&mut device, &mut hub);
        prop_assert!(device.items(0, 10).unwrap().iter().all(|item| item.state == ItemState::Verified));
    }

    /// What comes over the live connection asks for a sync at most.
    #[test]
    fn bent_pokes_change_nothing(seq in any::<u64>(), at in any::<Index>(), bits in any::<u8>()) {
        let (mut scene, recorded, files) = busy();
        let mut frame = wire::encode(&Poke { bucket: Bucket::Unit(UNIT), seq });
        let at = at.index(frame.len());
        frame[at] ^= bits;
        scene.device.poked(&frame).unwrap();
        scene.device.poked(&frame[..at]).unwrap();
        holds(&scene.device, &recorded, &files, &scene.hub);
    }
}

/// A receipt is good for one fact, one content, one key.
#[test]
fn only_the_hubs_own_receipt_for_this_very_file_makes_it_verified() {
    let (mut scene, recorded, files) = busy();
    scene.sync();
    let mut receipts = Vec::new();
    let mut steps = 0;
    while receipts.is_empty() {
        let request = scene.fake.next_upload(&mut scene.device);
        let answer = scene.hub.upload(&request);
        let receipt = answer.headers.iter().find(|(name, _)| name == "Onscene-Receipt");
        receipts.extend(receipt.map(|(_, text)| text.clone()));
        scene.device.upload_apply(request.id, &answer).unwrap();
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(scene.device.evidence_counts().unwrap().verified, 1);
    let genuine = receipts.remove(0);
    for text in [genuine.clone(), genuine[..genuine.len() - 4].to_owned(), "AAAA".repeat(1_000)] {
        let request = scene.fake.next_upload(&mut scene.device);
        let mut answer = reply(204, "");
        answer.headers.push(("Onscene-Receipt".to_owned(), text));
        scene.device.upload_apply(request.id, &answer).unwrap();
        assert_eq!(scene.device.evidence_counts().unwrap().verified, 1);
        holds(&scene.device, &recorded, &files, &scene.hub);
    }
    let events = scene.device.events_since(0, 1_000).unwrap();
    let alarms = events.iter().filter(|event| event.kind == crate::EventKind::Alarm);
    assert!(alarms.filter(|event| event.detail.contains("receipt")).count() >= 3);
}

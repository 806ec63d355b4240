//! What networks and servers do to requests.

use onscene_sync_core::sync::message::SyncRequest;
use onscene_sync_core::sync::wire;
use proptest::prelude::*;

use crate::testing::{FakeHost, Hub, reply};
use crate::{
    Applied, Counts, Device, EventKind, HttpReply, HttpRequest, ItemState, Job, Step, WaitReason,
};

fn with(mut reply: HttpReply, name: &str, value: &str) -> HttpReply {
    reply.headers.push((name.to_owned(), value.to_owned()));
    reply
}

fn wait(device: &mut Device) -> (u64, WaitReason) {
    match device.sync_next().unwrap() {
        Step::Wait { ms, why } => (ms, why),
        other @ (Step::Send(_) | Step::Idle) => panic!("{other:?}"),
    }
}

fn enrolled() -> (tempfile::TempDir, FakeHost, Hub, Device, Job) {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let device = fake.enrolled(folder.path(), &mut hub);
    (folder, fake, hub, device, Job::Order(order))
}

#[test]
fn an_answer_is_good_after_the_app_was_killed_and_good_for_nothing_twice() {
    let (folder, fake, mut hub, mut device, job) = enrolled();
    device.note(job, "a").unwrap();
    let request = fake.next_request(&mut device);
    let answer = hub.handle(&request);
    drop(device);
    let mut device = fake.open(folder.path());
    assert_eq!(device.sync_apply(request.id, &answer).unwrap(), Applied::Taken);
    let before = device.items(0, 10).unwrap();
    assert_eq!(before[0].state, ItemState::Verified);
    for id in [request.id, request.id + 1, 0, u64::MAX] {
        assert_eq!(device.sync_apply(id, &answer).unwrap(), Applied::Stale);
        device.sync_failed(id, "late").unwrap();
    }
    assert_eq!(device.items(0, 10).unwrap(), before);
}

#[test]
fn a_request_names_the_end_of_all_that_was_recorded_sent_or_not() {
    let (_folder, fake, mut hub, mut device, job) = enrolled();
    let mut named = Vec::new();
    for round in 1..=2 {
        device.note(job, &format!("note {round}")).unwrap();
        device.note(job, &format!("another {round}")).unwrap();
        let request = fake.next_request(&mut device);
        // Recorded once the request had left: the next one names it.
        let last = device.note(job, &format!("meanwhile {round}")).unwrap();
        let body = wire::decompress(&request.body).unwrap();
        let asked: SyncRequest = wire::decode(&body).unwrap();
        named.push((asked.head.seq, asked.head.fact == Some(last)));
        device.sync_failed(request.id, "no answer").unwrap();
        fake.advance(60_000);
        device.sync_soon();
    }
    assert_eq!(named, [(2, false), (5, false)]);
    assert!(hub.facts().is_empty(), "nothing of it was delivered");
    fake.sync(&mut device, &mut hub);
    assert_eq!(hub.facts().len(), 6);
}

#[test]
fn an_anchor_of_an_earlier_boot_is_not_told_beside_this_boots_clock() {
    let (_folder, fake, mut hub, mut device, _) = enrolled();
    fake.advance(3_600_000);
    fake.sync(&mut device, &mut hub);
    fake.reboot();
    let mut told = Vec::new();
    while told.len() < 2 {
        let request = fake.next_request(&mut device);
        if request.url.ends_with("/v1/sync") {
            let body = wire::decompress(&request.body).unwrap();
            let asked: SyncRequest = wire::decode(&body).unwrap();
            told.push(asked.anchor.map(|anchor| anchor.received_boot_ns <= asked.clock.boot_ns));
        }
        let answer = hub.handle(&request);
        device.sync_apply(request.id, &answer).unwrap();
    }
    assert_eq!(told, [None, Some(true)]);
}

#[test]
fn a_late_answer_to_a_replaced_request_is_stale_and_the_work_arrives_once() {
    let (_folder, fake, mut hub, mut device, job) = enrolled();
    device.note(job, "a").unwrap();
    let first = fake.next_request(&mut device);
    let late = hub.handle(&first);
    assert_eq!(wait(&mut device).1, WaitReason::InFlight);
    fake.advance(60_000);
    let second = fake.next_request(&mut device);
    assert_ne!(first.id, second.id);
    assert_eq!(device.sync_apply(first.id, &late).unwrap(), Applied::Stale);
    let answer = hub.handle(&second);
    assert_eq!(device.sync_apply(second.id, &answer).unwrap(), Applied::Taken);
    assert_eq!(hub.notes(), ["a"]);
    assert_eq!(device.counts().unwrap().delivered, 1);
}

#[test]
fn an_expired_token_is_replaced_and_with_an_unknown_one_nothing_is_lost() {
    let (_folder, fake, mut hub, mut device, job) = enrolled();
    device.note(job, "a").unwrap();
    fake.advance(700_000);
    let request = fake.next_request(&mut device);
    assert!(request.url.ends_with("/v1/token"), "the phone knows by its own clock");
    let answer = hub.handle(&request);
    device.sync_apply(request.id, &answer).unwrap();
    let request = fake.next_request(&mut device);
    assert!(request.url.ends_with("/v1/sync"));
    let stale = with(reply(401, ""), "WWW-Authenticate", r#"DPoP error="invalid_token""#);
    device.sync_apply(request.id, &stale).unwrap();
    let request = fake.next_request(&mut device);
    assert!(request.url.ends_with("/v1/token"), "the hub knows better");
    let unknown = r#"{"type": "urn:onscene:problem:bad_refresh_token", "detail": "enrol anew"}"#;
    device.sync_apply(request.id, &reply(401, unknown)).unwrap();
    assert_eq!(wait(&mut device).1, WaitReason::NeedsEnrolment);
    let events = device.events_since(0, 100).unwrap();
    let last = events.last().unwrap();
    assert_eq!(last.kind, EventKind::Problem);
    assert!(last.detail.contains("enrol anew"), "{}", last.detail);
    let counts = Counts { recorded: 1, saved: 1, delivered: 0, refused: 0 };
    assert_eq!(device.counts().unwrap(), counts);
    device.note(job, "recording goes on").unwrap();
}

#[test]
fn a_server_that_always_asks_for_another_nonce_or_token_is_not_hammered() {
    let (_folder, _fake, _hub, mut device, job) = enrolled();
    device.note(job, "a").unwrap();
    let mut sent = 0;
    while let Step::Send(request) = device.sync_next().unwrap() {
        sent += 1;
        let answer = with(reply(401, ""), "dpop-nonce", &format!("n{sent}"));
        let challenge = r#"DPoP error="use_dpop_nonce""#;
        device.sync_apply(request.id, &with(answer, "www-authenticate", challenge)).unwrap();
        assert!(sent < 10);
    }
    assert_eq!(wait(&mut device).1, WaitReason::Backoff);
}

#[test]
fn each_status_has_its_pause() {
    let cases: [(HttpReply, WaitReason, std::ops::RangeInclusive<u64>); 8] = [
        (with(reply(429, ""), "Retry-After", "7"), WaitReason::ServerBusy, 6_990..=7_000),
        (with(reply(503, ""), "retry-after", "2"), WaitReason::ServerBusy, 1_990..=2_000),
        (reply(503, ""), WaitReason::Backoff, 1..=100),
        (reply(500, "<html>"), WaitReason::Backoff, 1..=100),
        (reply(426, ""), WaitReason::NeedsUpdate, 800_000..=900_000),
        (reply(403, ""), WaitReason::NeedsEnrolment, 200_000..=300_000),
        (reply(200, "not a message"), WaitReason::Backoff, 1..=100),
        (reply(302, ""), WaitReason::Backoff, 1..=100),
    ];
    for (answer, why, range) in cases {
        let (_folder, fake, mut hub, mut device, job) = enrolled();
        device.note(job, "a").unwrap();
        let request = fake.next_request(&mut device);
        assert_eq!(device.sync_apply(request.id, &answer).unwrap(), Applied::Taken);
        let (ms, found) = wait(&mut device);
        assert_eq!(found, why, "{answer:?}");
        assert!(range.contains(&ms), "{ms} {answer:?}");
        fake.advance(ms);
        fake.sync(&mut device, &mut hub);
        assert_eq!(hub.notes(), ["a"], "{answer:?}");
    }
}

#[test]
fn a_request_found_too_large_is_halved_until_it_passes() {
    let (_folder, fake, mut hub, mut device, job) = enrolled();
    for n in 0..40 {
        device.note(job, &format!("{n:02}")).unwrap();
    }
    let mut refused = 0;
    loop {
        let request = fake.next_request(&mut device);
        if request.body.len() > 6_000 {
            device.sync_apply(request.id, &reply(413, "")).unwrap();
            refused += 1;
            assert!(refused < 12);
            continue;
        }
        let answer = hub.handle(&request);
        device.sync_apply(request.id, &answer).unwrap();
        if device.counts().unwrap().saved == 0 {
            break;
        }
    }
    assert!(refused > 0);
    assert_eq!(hub.notes().len(), 40);
}

#[test]
fn a_code_that_is_refused_is_not_tried_again() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), FakeHost::new(1));
    let mut device = fake.open(folder.path());
    assert_eq!(device.sync_next().unwrap(), Step::Idle);
    device.enrol("http://127.0.0.1:8080", "7K3F-9QXD", None, false).unwrap();
    let request = fake.next_request(&mut device);
    let HttpRequest { url, method, .. } = &request;
    assert_eq!((url.as_str(), *method), ("http://127.0.0.1:8080/v1/enrol", "POST"));
    let problem = r#"{"type": "urn:onscene:problem:bad_code", "title": "No such code"}"#;
    device.sync_apply(request.id, &reply(403, problem)).unwrap();
    assert_eq!(device.sync_next().unwrap(), Step::Idle);
    let events = device.events_since(0, 10).unwrap();
    assert!(events[0].detail.contains("No such code"), "{events:?}");
}

#[test]
fn an_enrolment_with_the_wrong_words_or_key_is_not_taken() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.open(folder.path());
    let pinned = Some(onscene_sync_core::id::Hash::from_bytes([1; 32]));
    device.enrol("https://hub.example", &hub.code(), pinned, false).unwrap();
    fake.sync(&mut device, &mut hub);
    assert_eq!(device.standing().unwrap(), None);
    device.enrol("https://hub.example", &hub.code(), None, false).unwrap();
    let request = fake.next_request(&mut device);
    let mut answer = hub.handle(&request);
    let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    body["check_words"][0] = "elsewhere".into();
    answer.body = body.to_string().into_bytes();
    device.sync_apply(request.id, &answer).unwrap();
    assert_eq!(device.standing().unwrap(), None);
    let events = device.events_since(0, 10).unwrap();
    assert!(events.iter().filter(|event| event.kind == EventKind::Alarm).count() == 2);
}

/// What happens to a phone at random.
#[derive(Debug, Clone)]
enum Happening {
    Note,
    Poison,
    Answered,
    RequestLost,
    AnswerLost,
    AnswerTwice,
    Restart,
    Time(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Note),
        1 => Just(Happening::Poison),
        3 => Just(Happening::Answered),
        1 => Just(Happening::RequestLost),
        2 => Just(Happening::AnswerLost),
        1 => Just(Happening::AnswerTwice),
        1 => Just(Happening::Restart),
        1 => (1_u64..700_000).prop_map(Happening::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_network_does_everything_arrives_once(
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let (folder, fake, mut hub, mut device, job) = enrolled();
        let (mut notes, mut poisoned) = (Vec::new(), 0);
        for (n, happening) in happenings.into_iter().enumerate() {
            match happening {
                Happening::Note => {
                    device.note(job, &format!("{n:03}")).unwrap();
                    notes.push(format!("{n:03}"));
                }
                Happening::Poison => {
                    device.note(job, "poison").unwrap();
                    poisoned += 1;
                }
                Happening::Restart => {
                    drop(device);
                    device = fake.open(folder.path());
                }
                Happening::Time(ms) => fake.advance(ms),
                Happening::Answered | Happening::AnswerTwice => {
                    let request = fake.next_request(&mut device);
                    let answer = hub.handle(&request);
                    prop_assert_eq!(device.sync_apply(request.id, &answer).unwrap(), Applied::Taken);
                    if matches!(happening, Happening::AnswerTwice) {
                        let again = device.sync_apply(request.id, &answer).unwrap();
                        prop_assert_eq!(again, Applied::Stale);
                    }
                }
                Happening::RequestLost | Happening::AnswerLost => {
                    let request = fake.next_request(&mut device);
                    if matches!(happening, Happening::AnswerLost) {
                        hub.handle(&request);
                    }
                    device.sync_failed(request.id, "lost").unwrap();
                }
            }
        }
        fake.sync(&mut device, &mut hub);
        prop_assert_eq!(hub.notes(), notes.clone());
        let (delivered, refused) = (notes.len() as u64, poisoned);
        let counts = Counts { recorded: delivered + refused, saved: 0, delivered, refused };
        prop_assert_eq!(device.counts().unwrap(), counts);
        let shown = device.visit(job).unwrap().facts.len();
        prop_assert_eq!(shown, notes.len());
    }
}

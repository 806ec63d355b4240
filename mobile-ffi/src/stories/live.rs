//! The live connection: how a phone asks for it, and what a poke does.

use onscene_sync_core::id::UnitId;
use onscene_sync_core::sync::message::{Bucket, Poke};
use onscene_sync_core::sync::wire;
use proptest::prelude::*;
use serde_json::Value;

use crate::testing::{FakeHost, Hub, UNIT, proof_parts, reply};
use crate::{Applied, Device, HttpReply, HttpRequest, Step};

fn enrolled() -> (tempfile::TempDir, FakeHost, Hub, Device) {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    hub.dispatch(1);
    let device = fake.enrolled(folder.path(), &mut hub);
    (folder, fake, hub, device)
}

fn claims(request: &HttpRequest) -> Value {
    let proof = request.headers.iter().find(|(name, _)| *name == "dpop").unwrap();
    proof_parts(&proof.1).1
}

fn poke(bucket: Bucket, seq: u64) -> Vec<u8> {
    wire::encode(&Poke { bucket, seq })
}

fn challenge(error: &str, nonce: Option<&str>) -> HttpReply {
    let mut reply = reply(401, "");
    reply.headers.push(("WWW-Authenticate".to_owned(), format!("DPoP error=\"{error}\"")));
    reply.headers.extend(nonce.map(|nonce| ("DPoP-Nonce".to_owned(), nonce.to_owned())));
    reply
}

#[test]
fn an_enrolled_phone_asks_with_its_token_and_a_proof_of_its_own_each_time() {
    let (_folder, _fake, _hub, mut device) = enrolled();
    let first = device.live_request().unwrap().expect("a token and a nonce are there");
    assert_eq!((first.method, &*first.url), ("GET", "https://hub.example/v1/live"));
    assert!(
        first
            .headers
            .iter()
            .any(|(name, value)| { *name == "authorization" && value.starts_with("DPoP access-") })
    );
    let (one, other) = (claims(&first), claims(&device.live_request().unwrap().unwrap()));
    assert_eq!((&one["htm"], &one["htu"]), (&"GET".into(), &first.url.clone().into()));
    assert!(one["ath"].is_string() && one["nonce"].is_string(), "{one}");
    assert_ne!(one["jti"], other["jti"]);
    let applied = device.sync_apply(first.id, &reply(200, "")).unwrap();
    assert_eq!(applied, Applied::Stale, "it is no step of sync");
}

#[test]
fn without_a_good_token_sync_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, mut hub) = (FakeHost::new(1), Hub::new());
    let mut device = fake.open(folder.path());
    assert_eq!(device.live_request().unwrap(), None, "not enrolled");
    device.enrol("https://hub.example", &hub.code(), None, false).unwrap();
    assert_eq!(device.live_request().unwrap(), None, "not enrolled yet");
    fake.sync(&mut device, &mut hub);
    assert!(device.live_request().unwrap().is_some());
    fake.advance(700_000);
    assert_eq!(device.live_request().unwrap(), None, "the token has had its day");
    fake.sync(&mut device, &mut hub);
    assert!(device.live_request().unwrap().is_some());
    let id = device.standing().unwrap().unwrap().device;
    hub.devices.get_mut(&id).unwrap().revoked = true;
    fake.sync(&mut device, &mut hub);
    assert_eq!(device.live_request().unwrap(), None, "revoked");
}

#[test]
fn a_refusal_brings_a_nonce_or_costs_the_token_or_means_patience() {
    let (_folder, fake, mut hub, mut device) = enrolled();
    assert!(!device.live_refused(&reply(429, "")).unwrap());
    assert!(device.live_request().unwrap().is_some(), "a crowded hub says nothing of the token");
    assert!(device.live_refused(&challenge("use_dpop_nonce", Some("another"))).unwrap());
    assert_eq!(claims(&device.live_request().unwrap().unwrap())["nonce"], "another");
    assert!(!device.live_refused(&challenge("invalid_token", None)).unwrap());
    assert_eq!(device.live_request().unwrap(), None);
    let request = fake.next_request(&mut device);
    assert!(request.url.ends_with("/v1/token"), "{request:?}");
    device.sync_failed(request.id, "no answer").unwrap();
    fake.sync(&mut device, &mut hub);
    assert!(device.live_request().unwrap().is_some());
}

#[test]
fn a_poke_leads_to_an_exchange_only_when_it_brings_news() {
    let (_folder, fake, mut hub, mut device) = enrolled();
    let unit = Bucket::Unit(UNIT);
    for seq in 1..=hub.state.seq {
        assert!(!device.poked(&poke(unit, seq)).unwrap(), "read already");
        assert_eq!(device.sync_next().unwrap(), Step::Idle);
    }
    let (order, ..) = hub.dispatch(2);
    let elsewhere = Bucket::Unit(UnitId::from_bytes([99; 16]));
    let news = [poke(unit, hub.state.seq), poke(unit, 0), poke(elsewhere, 1)];
    for frame in news {
        assert!(device.poked(&frame).unwrap());
        let request = fake.next_request(&mut device);
        assert!(request.url.ends_with("/v1/sync"));
        let answer = hub.handle(&request);
        device.sync_apply(request.id, &answer).unwrap();
        assert_eq!(device.sync_next().unwrap(), Step::Idle);
    }
    assert!(device.my_work().unwrap().iter().any(|item| item.order == order));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn bytes_that_are_no_poke_change_nothing(frames in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..64), 1..32,
    ), cut in 0_usize..8) {
        let (_folder, _fake, _hub, mut device) = enrolled();
        let whole = poke(Bucket::Unit(UNIT), 0);
        let torn = whole[..whole.len() - 1 - cut].to_vec();
        for frame in frames.into_iter().chain([torn]) {
            if wire::decode::<Poke>(&frame).is_err() {
                prop_assert!(!device.poked(&frame).unwrap());
                prop_assert_eq!(device.sync_next().unwrap(), Step::Idle);
            }
        }
    }
}

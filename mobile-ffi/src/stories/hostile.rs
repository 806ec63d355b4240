//! A hub that lies or babbles: no panic, and the outbox is never touched.

use minicbor::bytes::ByteVec;
use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::{DocId, Hash};
use onscene_sync_core::sync::message::{
    Bucket, Frame, PushResult, Standing, SyncReply, SyncRequest, Whole,
};
use onscene_sync_core::sync::wire;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::testing::{FakeHost, Hub, UNIT, reply};
use crate::{Counts, Device, EventKind, Job, Step};

type Lie = Box<dyn Fn(&mut SyncReply)>;

struct Scene {
    _folder: tempfile::TempDir,
    fake: FakeHost,
    hub: Hub,
    device: Device,
    job: Job,
}

/// A phone with two waiting records, and a hub with something new for it.
fn scene() -> Scene {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let job = Job::Order(order);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(job, "a").unwrap();
    device.note(job, "b").unwrap();
    hub.dispatch(2);
    Scene { _folder: folder, fake, hub, device, job }
}

impl Scene {
    /// Hands the phone an answer that was tampered with on the way, before the hub's own state
    /// changed; then everything goes honestly.
    fn survives(mut self, tamper: impl FnOnce(&mut SyncReply)) -> Vec<String> {
        let request = self.fake.next_request(&mut self.device);
        let body = wire::decompress(&request.body).unwrap();
        // The liar tells what the hub would tell, but takes nothing in.
        let asked = SyncRequest { push: Vec::new(), ..wire::decode(&body).unwrap() };
        let device = self.device.standing().unwrap().unwrap().device;
        let mut answer = self.hub.clone().sync(device, asked);
        tamper(&mut answer);
        self.device.sync_apply(request.id, &reply(200, wire::encode(&answer))).unwrap();
        let saved = Counts { recorded: 2, saved: 2, delivered: 0, refused: 0 };
        assert_eq!(self.device.counts().unwrap(), saved);
        let events = self.device.events_since(0, 1_000).unwrap();
        self.settles();
        events
            .into_iter()
            .filter(|event| event.kind == EventKind::Alarm)
            .map(|event| event.detail)
            .collect()
    }

    fn settles(&mut self) {
        self.fake.sync(&mut self.device, &mut self.hub);
        assert_eq!(self.hub.notes(), ["a", "b"]);
        let done = Counts { recorded: 2, saved: 0, delivered: 2, refused: 0 };
        assert_eq!(self.device.counts().unwrap(), done);
        assert_eq!(self.device.my_work().unwrap().len(), 2);
        assert_eq!(self.device.visit(self.job).unwrap().facts.len(), 2);
    }
}

fn frames(answer: &mut SyncReply) -> &mut Vec<Frame> {
    &mut answer.buckets[0].frames
}

fn wholes(answer: &mut SyncReply) -> impl Iterator<Item = &mut Whole> {
    frames(answer).iter_mut().filter_map(|frame| match frame {
        Frame::Enter(whole) => Some(whole),
        Frame::Change { .. } | Frame::Own { .. } | Frame::Leave { .. } => None,
    })
}

#[test]
fn every_lie_about_documents_is_seen_and_mended() {
    let elsewhere = DocId::from_bytes([0x55; 16]);
    let lies: [(&str, Lie); 8] = [
        (
            "a truncated snapshot",
            Box::new(|answer| {
                wholes(answer).for_each(|whole| {
                    let half = whole.snapshot.len() / 2;
                    whole.snapshot = ByteVec::from(whole.snapshot[..half].to_vec());
                });
            }),
        ),
        (
            "another document's snapshot",
            Box::new(move |answer| {
                wholes(answer).for_each(|whole| whole.doc = elsewhere);
            }),
        ),
        (
            "another kind",
            Box::new(|answer| {
                wholes(answer).for_each(|whole| whole.kind = DocKind::Recheck);
            }),
        ),
        ("a wrong sum", Box::new(|answer| wholes(answer).for_each(|whole| whole.sum ^= 1))),
        ("a missing frame", Box::new(|answer| drop(frames(answer).remove(0)))),
        (
            "a change of nothing",
            Box::new(move |answer| {
                frames(answer).push(Frame::Change { doc: elsewhere, change: vec![1, 2, 3].into() });
            }),
        ),
        ("a page that ends before it begins", Box::new(|answer| answer.buckets[0].seq = 0)),
        (
            "the same bucket twice",
            Box::new(|answer| {
                let page = answer.buckets[0].clone();
                answer.buckets.push(page);
            }),
        ),
    ];
    for (name, lie) in lies {
        let alarms = scene().survives(|answer| lie(answer));
        assert!(alarms.len() >= 2, "{name}: besides the results, {alarms:?}");
    }
}

#[test]
fn a_hub_that_promises_more_and_sends_nothing_is_not_asked_without_end() {
    let mut scene = scene();
    scene.settles();
    scene.device.sync_soon();
    let request = scene.fake.next_request(&mut scene.device);
    let asked = wire::decode(&wire::decompress(&request.body).unwrap()).unwrap();
    let device = scene.device.standing().unwrap().unwrap().device;
    let mut answer: SyncReply = scene.hub.sync(device, asked);
    for page in &mut answer.buckets {
        page.frames.clear();
        page.checksum = None;
    }
    scene.device.sync_apply(request.id, &reply(200, wire::encode(&answer))).unwrap();
    assert_eq!(scene.device.sync_next().unwrap(), Step::Idle);
}

#[test]
fn a_printed_request_shows_no_token_and_nothing_recorded() {
    let mut scene = scene();
    let request = scene.fake.next_request(&mut scene.device);
    let token = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
    let printed = format!("{request:?}");
    assert!(printed.contains("/v1/sync"), "{printed}");
    assert!(!printed.contains(&token.1) && !printed.contains("DPoP"), "{printed}");
    let printed = format!("{:?}", reply(200, b"onr_secret".to_vec()));
    assert!(printed.contains("200") && !printed.contains("onr"), "{printed}");
}

#[test]
fn lies_about_the_phone_are_seen() {
    let two = vec![PushResult::Accepted; 3];
    let alarms = scene().survives(|answer| answer.results = two);
    assert!(alarms[0].contains("2 changes were pushed and 3"), "{alarms:?}");
    let alarms = scene().survives(|answer| answer.standing = Standing::Renewed(9));
    assert!(alarms.iter().any(|alarm| alarm.contains("install number 9")), "{alarms:?}");
    let alarms = scene().survives(|answer| answer.protocol = 9);
    assert!(alarms[0].contains("protocol 9"), "{alarms:?}");
    for cut in [0, 10, 40] {
        let alarms = scene().survives(|answer| {
            let anchor = answer.anchor.take().unwrap();
            answer.anchor = Some(anchor[..cut].to_vec().into());
        });
        assert!(alarms.iter().any(|alarm| alarm.contains("anchor")), "{alarms:?}");
    }
    let alarms = scene().survives(|answer| {
        let mut anchor = answer.anchor.take().unwrap().to_vec();
        *anchor.last_mut().unwrap() ^= 1;
        answer.anchor = Some(anchor.into());
    });
    assert!(alarms.iter().any(|alarm| alarm.contains("signature")), "{alarms:?}");
}

#[test]
fn a_hub_that_takes_everything_away_gets_the_outbox_all_the_same() {
    scene().survives(|answer| answer.buckets.clear());
    scene().survives(|answer| {
        let page = &mut answer.buckets[0];
        page.frames.clear();
        page.frames
            .extend((0..=255).map(|byte| Frame::Leave { doc: DocId::from_bytes([byte; 16]) }));
    });
    scene().survives(|answer| answer.buckets[0].epoch += 7);
    scene().survives(|answer| answer.buckets[0].bucket = Bucket::Supervision(UNIT));
    scene().survives(|answer| answer.standing = Standing::Restored);
    // As if the phone had forgotten work of its own: it begins a new installation.
    scene().survives(|answer| {
        let (doc, hash) = (DocId::from_bytes([0x55; 16]), Hash::from_bytes([1; 32]));
        frames(answer).push(Frame::Own { doc, hash });
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn bytes_flipped_inside_documents_never_get_past(
        flips in prop::collection::vec((any::<Index>(), any::<Index>(), 1_u8..), 1..4),
    ) {
        scene().survives(|answer| {
            for (frame, at, bits) in flips {
                let count = frames(answer).len();
                let bytes: &mut ByteVec = match &mut frames(answer)[frame.index(count)] {
                    Frame::Enter(whole) => &mut whole.snapshot,
                    Frame::Change { change, .. } => change,
                    Frame::Own { .. } | Frame::Leave { .. } => continue,
                };
                let mut flipped = bytes.to_vec();
                let at = at.index(flipped.len());
                flipped[at] ^= bits;
                *bytes = flipped.into();
            }
        });
    }

    #[test]
    fn any_bytes_at_all_leave_the_records_alone(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
        status in prop::sample::select(vec![200_u16, 201, 204, 400, 401, 409, 413, 500]),
    ) {
        let mut scene = scene();
        let request = scene.fake.next_request(&mut scene.device);
        let honest = scene.hub.clone().handle(&request);
        let mut body = wire::decompress(&honest.body).unwrap();
        for (at, bits) in flips {
            let at = at.index(body.len());
            body[at] ^= bits;
        }
        let mut zipped = reply(200, honest.body.clone());
        zipped.body.truncate(cut.index(honest.body.len()));
        zipped.headers = honest.headers;
        for answer in [reply(status, noise), zipped, reply(200, body)] {
            let request = scene.fake.next_request(&mut scene.device);
            scene.device.sync_apply(request.id, &answer).unwrap();
            let counts = scene.device.counts().unwrap();
            prop_assert_eq!(counts.recorded, 2);
            prop_assert_eq!(counts.saved + counts.delivered + counts.refused, 2);
            let request = scene.device.sync_next();
            prop_assert!(request.is_ok(), "{:?}", request);
        }
    }
}

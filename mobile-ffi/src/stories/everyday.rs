//! A shift without mishaps.

use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{
    Finding, Manifest, Media, Outcome, OutcomeReport, RecheckOrdered,
};
use onscene_sync_core::id::{DocId, Hash, PersonId};
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use onscene_sync_core::rules::arrival::{Conclusion, Grade, PlaceGrade};

use crate::testing::{FakeHost, Hub, UNIT};
use crate::{Counts, Device, DeviceError, ItemState, Job};

fn fixes(fake: &FakeHost) -> Vec<Fix> {
    let start = fake.now().boot_ns;
    (0..100)
        .map(|n| Fix {
            position: Position {
                lat_e7: 366_512_000 + (i32::try_from(n % 60).unwrap() - 30).abs() * 11,
                lon_e7: 1_171_200_000 + (i32::try_from(n % 44).unwrap() - 22).abs() * 13,
            },
            accuracy_mm: 6_000 + u32::try_from(n % 9).unwrap() * 100,
            boot_ns: start + n * 1_000_000_000,
            provider: Provider::Gnss,
            mock: false,
            speed_mm_s: Some(0),
            satellites: Some(12),
            fix_wall_ms: None,
        })
        .collect()
}

pub(super) fn report(text: &str) -> OutcomeReport {
    OutcomeReport {
        outcome: Outcome::Unfounded,
        text: text.to_owned(),
        evidence: Vec::new(),
        complainant_told: Some(true),
    }
}

fn manifest(fake: &FakeHost) -> Manifest {
    Manifest {
        sha256: Hash::from_bytes([5; 32]),
        bytes: 1_000,
        media: Media::Photo,
        captured: true,
        taken: fake.now(),
        fix: None,
        datum: None,
        before: None,
    }
}

fn states(device: &Device) -> Vec<ItemState> {
    device.items(0, 1_000).unwrap().into_iter().map(|item| item.state).collect()
}

#[test]
fn a_visit_recorded_offline_arrives_in_one_exchange() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, case, inspection) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let work = device.my_work().unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!((work[0].order, work[0].case, work[0].inspection), (order, case, inspection));
    assert_eq!(work[0].summary, "Stalls block the pavement");
    assert!(!work[0].accepted && !work[0].arrived && !work[0].done);

    let job = Job::Order(order);
    device.accept(order).unwrap();
    let (tap, window) = (fake.now(), fixes(&fake));
    fake.advance(110_000);
    let receipt = device.arrive(job, tap, Datum::Wgs84, window).unwrap();
    let likely = receipt.likely.unwrap();
    assert_eq!(likely.time.anchors, 1, "the anchor of the first sync bounds the time");
    assert_eq!(
        (likely.conclusion, likely.place),
        (Conclusion::OnTime, PlaceGrade::ProvenInside),
        "{likely:?}"
    );
    assert_eq!(likely.grade, Grade::Attested, "{likely:?}");
    assert!((0..60_000).contains(&likely.started_at.since(work[0].issued_at)));
    let photo = device.attach_manifest(job, manifest(&fake)).unwrap();
    device.outcome(job, OutcomeReport { evidence: vec![photo], ..report("moved on") }).unwrap();
    device.told(job, "told her at the door").unwrap();
    device.answer(job, "fire_lane", Answer::No).unwrap();
    let counts = Counts { recorded: 6, saved: 6, delivered: 0, refused: 0 };
    assert_eq!(device.counts().unwrap(), counts);
    assert!(states(&device).iter().all(|state| *state == ItemState::Saved));

    assert_eq!(fake.sync(&mut device, &mut hub), 1);
    assert!(states(&device).iter().all(|state| *state == ItemState::Verified));
    assert_eq!(device.counts().unwrap(), Counts { delivered: 6, saved: 0, ..counts });
    assert_eq!(hub.facts().len(), 5);
    let seen = device.case(case).unwrap();
    assert_eq!(seen.inspections[0].facts.len(), 5);
    assert_eq!(seen.record.orders.len(), 1);
    let work = &device.my_work().unwrap()[0];
    assert!(work.accepted && work.arrived && work.done);
    let arrival = hub.facts().into_iter().find(|(id, _)| *id == receipt.fact).unwrap().1;
    let author = arrival.device().unwrap();
    assert_eq!((author.seq, author.install), (2, 1));
    assert!(matches!(arrival.body, Body::Arrival(claim) if claim.tap == tap));
    assert_eq!(fake.sync(&mut device, &mut hub), 1, "an idle sync is one exchange");
    device.withdraw(receipt.fact, "it was the next street").unwrap();
    let work = &device.my_work().unwrap()[0];
    assert!(work.accepted && !work.arrived && work.done, "what is taken back is to be done again");
}

#[test]
fn a_patrol_is_born_on_the_phone() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let patrol = device.begin_patrol().unwrap();
    let job = Job::Inspection(patrol);
    let finding = Finding {
        matter: "noise".to_owned(),
        text: "a generator".to_owned(),
        position: None,
        datum: None,
    };
    device.finding(job, finding).unwrap();
    let receipt = device.arrive(job, fake.now(), Datum::Wgs84, Vec::new()).unwrap();
    assert_eq!(receipt.likely, None);
    fake.sync(&mut device, &mut hub);
    assert!(states(&device).iter().all(|state| *state == ItemState::Verified));
    assert_eq!(hub.facts().len(), 2);
    assert_eq!(device.patrols().unwrap(), [patrol]);
}

#[test]
fn a_recheck_comes_from_the_draw_and_ends_with_a_finding() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let inspection = DocId::from_bytes([0x77; 16]);
    let ordered = RecheckOrdered {
        matter: "noise".to_owned(),
        summary: "a saw at night".to_owned(),
        site: None,
        result: Some(Outcome::Stopped),
        person: PersonId::from_bytes([1; 16]),
    };
    hub.state_fact(inspection, Body::RecheckOrdered(ordered));
    fake.sync(&mut device, &mut hub);
    let recheck = device.rechecks().unwrap().remove(0);
    assert_eq!((recheck.inspection, recheck.done), (inspection, false));
    assert_eq!((&recheck.matter[..], recheck.result), ("noise", Some(Outcome::Stopped)));
    let job = Job::Inspection(inspection);
    let found = |matter: &str| Finding {
        matter: matter.to_owned(),
        text: "the saw is at work".to_owned(),
        position: None,
        datum: None,
    };
    let error = device.finding(job, found("noise")).unwrap_err().to_string();
    assert!(error.contains("quality_short"), "it says what may be found: {error}");
    device.arrive(job, fake.now(), Datum::Wgs84, Vec::new()).unwrap();
    let finding = device.finding(job, found("relapsed")).unwrap();
    fake.sync(&mut device, &mut hub);
    assert!(states(&device).iter().all(|state| *state == ItemState::Verified));
    assert!(device.rechecks().unwrap()[0].done);
    device.withdraw(finding, "another street").unwrap();
    assert!(!device.rechecks().unwrap()[0].done, "what is taken back is to be found again");
}

#[test]
fn an_outcome_with_nothing_to_show_for_it_is_refused_with_how_to_mend_it() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let job = Job::Order(order);
    let stopped = OutcomeReport { outcome: Outcome::Stopped, ..report("moved on") };
    let error = device.outcome(job, stopped.clone()).unwrap_err();
    assert_eq!(error, DeviceError::NoEvidence);
    assert!(error.to_string().contains("take a photo"), "{error}");
    assert!(!device.my_work().unwrap()[0].done, "nothing was recorded");
    device.outcome(job, report("a consultation at the door")).unwrap();
    let photo = device.attach_manifest(job, manifest(&fake)).unwrap();
    device.outcome(job, OutcomeReport { evidence: vec![photo], ..stopped }).unwrap();
}

#[test]
fn two_phones_that_disagree_see_the_conflict_and_settle_it() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (fake_one, fake_two, mut hub) = (FakeHost::new(1), FakeHost::new(2), Hub::new());
    let (order, ..) = hub.dispatch(1);
    let mut first = fake_one.enrolled(one.path(), &mut hub);
    let mut second = fake_two.enrolled(two.path(), &mut hub);
    let job = Job::Order(order);
    let mine = first.outcome(job, report("stopped")).unwrap();
    second.outcome(job, report("nobody there")).unwrap();
    for _ in 0..2 {
        fake_one.sync(&mut first, &mut hub);
        fake_two.sync(&mut second, &mut hub);
    }
    assert_eq!(first.conflicts(job).unwrap().outcomes.len(), 2);
    assert_eq!(first.conflicts(job).unwrap(), second.conflicts(job).unwrap());
    second.choose_outcome(job, mine).unwrap();
    fake_two.sync(&mut second, &mut hub);
    fake_one.sync(&mut first, &mut hub);
    assert_eq!(first.conflicts(job).unwrap().outcomes, []);
    assert_eq!(first.visit(job).unwrap().facts.len(), 2, "neither is dropped");
}

#[test]
fn work_that_goes_to_another_unit_leaves_the_phone_once_all_is_delivered() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, case, inspection) = hub.dispatch(1);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    device.note(Job::Order(order), "on the way").unwrap();
    hub.leave(case);
    hub.leave(inspection);
    fake.sync(&mut device, &mut hub);
    assert_eq!(device.my_work().unwrap(), []);
    assert_eq!(device.case(case), Err(DeviceError::unknown("case", case)));
    assert_eq!(hub.notes(), ["on the way"], "field work is never thrown away");
    assert_eq!(states(&device), [ItemState::Verified], "a receipt covers it");
    hub.enter(case);
    hub.enter(inspection);
    fake.sync(&mut device, &mut hub);
    assert_eq!(device.my_work().unwrap().len(), 1);
}

#[test]
fn small_pages_bring_the_same_as_large_ones() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    for number in 1..40 {
        hub.dispatch(number);
    }
    hub.page_bytes = 3_000;
    let mut device = fake.open(folder.path());
    device.enrol("https://hub.example", &hub.code(), None, false).unwrap();
    assert!(fake.sync(&mut device, &mut hub) > 5);
    assert_eq!(device.my_work().unwrap().len(), 39);
    assert_eq!(device.standing().unwrap().unwrap().unit, UNIT);
}

#[test]
fn what_cannot_be_recorded_is_refused_at_once() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let (order, case, inspection) = hub.dispatch(1);
    let mut fresh = fake.open(folder.path());
    assert_eq!(fresh.begin_patrol(), Err(DeviceError::NotEnrolled));
    for (server, code) in [("hub", "7K3F-9QXD"), ("https://", "7K3F-9QXD"), ("https://h", "7K3")] {
        let refused = fresh.enrol(server, code, None, false);
        assert!(matches!(refused, Err(DeviceError::Invalid { .. })), "{server} {code}");
    }
    drop(fresh);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let job = Job::Order(order);
    let window = fixes(&fake);
    fake.advance(110_000);
    let mut off = window.clone();
    off[3].position.lat_e7 = 910_000_000;
    let many = window.iter().cycle().take(201).copied().collect();
    for wrong in [off, many] {
        let refused = device.arrive(job, fake.now(), Datum::Wgs84, wrong);
        assert!(matches!(refused, Err(DeviceError::Invalid { .. })), "{refused:?}");
    }
    let invalid = |result: Result<(), DeviceError>| {
        assert!(matches!(result, Err(DeviceError::Invalid { .. })), "{result:?}");
    };
    invalid(device.note(job, "  ").map(drop));
    invalid(device.note(job, &"长".repeat(4_001)).map(drop));
    invalid(device.answer(job, "Fire lane!", Answer::Yes));
    let unknown = |result: Result<(), DeviceError>| {
        assert!(matches!(result, Err(DeviceError::Unknown { .. })), "{result:?}");
    };
    let nowhere = onscene_sync_core::id::FactId::from_bytes([9; 16]);
    unknown(device.accept(nowhere).map(drop));
    unknown(device.note(Job::Inspection(case), "a case is the hub's").map(drop));
    unknown(device.withdraw(nowhere, "why").map(drop));
    unknown(device.choose_outcome(job, nowhere));
    assert_eq!(device.counts().unwrap(), Counts::default());
    assert_eq!(device.visit(Job::Inspection(inspection)).unwrap().facts, []);
    fake.break_key(true);
    assert!(matches!(device.note(job, "x"), Err(DeviceError::Key(_))));
    fake.break_key(false);
    assert_eq!(device.standing().unwrap().unwrap().facts, 0, "no place in the chain is lost");
}

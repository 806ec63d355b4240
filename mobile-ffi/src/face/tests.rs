use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use onscene_sync_core::crypto::{Signer as _, SigningFailed};
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::telling::{
    self, NotReached, OpinionGiven, OpinionSettled, ToldByMessage,
};
use onscene_sync_core::id::{MessageId, PersonId};
use p256::ecdsa::Signature;

use super::*;
use crate::testing::{FakeHost, Hub};
use crate::{Clock, HostError, HttpReply, HttpRequest, KeyStore};

/// The platform of one phone as an app implements it, with the mistakes an app can make.
struct App {
    fake: FakeHost,
    /// The key store throws what the library has never heard of: UniFFI panics on some of that.
    panics: AtomicBool,
    /// The key store answers in DER, as Java's does.
    der: AtomicBool,
    /// The clock calls back into the library.
    calls: OnceLock<Weak<PhoneCore>>,
    answer: Mutex<Option<PhoneError>>,
    lines: Mutex<Vec<LogLine>>,
}

impl App {
    fn new(seed: u8) -> Arc<Self> {
        Arc::new(Self {
            fake: FakeHost::new(seed),
            panics: AtomicBool::new(false),
            der: AtomicBool::new(false),
            calls: OnceLock::new(),
            answer: Mutex::new(None),
            lines: Mutex::new(Vec::new()),
        })
    }

    fn open(self: &Arc<Self>, folder: &std::path::Path) -> Result<Arc<PhoneCore>, PhoneError> {
        let config = PhoneConfig {
            path: folder.join("phone.db").display().to_string(),
            model: "Test One".to_owned(),
            app_version: "1.0".to_owned(),
        };
        PhoneCore::open(
            config,
            Arc::clone(self) as Arc<dyn PhoneClock>,
            Arc::clone(self) as Arc<dyn PhoneKeys>,
            Some(Arc::clone(self) as Arc<dyn PhoneLog>),
        )
    }

    fn enrolled(self: &Arc<Self>, folder: &std::path::Path, hub: &mut Hub) -> Arc<PhoneCore> {
        let core = self.open(folder).unwrap();
        core.enrol(enrolment(&hub.code())).unwrap();
        self.sync(&core, hub);
        core
    }

    fn call_back(&self) {
        if let Some(core) = self.calls.get().and_then(Weak::upgrade) {
            *self.answer.lock().unwrap() = core.counts().err();
        }
    }

    fn signature(&self, fixed: &[u8; 64]) -> Vec<u8> {
        if self.der.load(Ordering::Relaxed) {
            Signature::from_slice(fixed).unwrap().to_der().as_bytes().to_vec()
        } else {
            fixed.to_vec()
        }
    }

    fn keep(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
    }

    fn sync(&self, core: &PhoneCore, hub: &mut Hub) {
        core.sync_soon().unwrap();
        for _ in 0..100 {
            match core.sync_next().unwrap() {
                SyncStep::Send { request } => {
                    let reply = answered(hub, &request);
                    assert_eq!(core.sync_apply(request.id, reply), Ok(ReplyTaken::Taken));
                }
                SyncStep::Wait { ms, .. } => self.fake.advance(ms.cast_unsigned()),
                SyncStep::Idle => return,
            }
        }
        panic!("sync does not come to an end");
    }
}

fn enrolment(code: &str) -> Enrolment {
    Enrolment {
        server: "https://hub.example".to_owned(),
        code: code.to_owned(),
        hub_key: None,
        replace: false,
    }
}

fn answered(hub: &mut Hub, request: &PhoneRequest) -> PhoneReply {
    let names = ["content-type", "content-encoding", "accept-encoding", "authorization", "dpop"];
    let named = |name: &str| names.into_iter().find(|known| *known == name).unwrap();
    let headers = request.headers.iter().map(|header| (named(&header.name), header.value.clone()));
    let HttpReply { status, headers, body } = hub.handle(&HttpRequest {
        id: request.id.cast_unsigned(),
        method: "POST",
        url: request.url.clone(),
        headers: headers.collect(),
        body: request.body.clone(),
        deadline_ms: 0,
    });
    let header = |(name, value)| PhoneHeader { name, value };
    PhoneReply {
        status: i32::from(status),
        headers: headers.into_iter().map(header).collect(),
        body,
    }
}

fn failed(error: HostError) -> HostFailure {
    match error {
        HostError { why, lost: true } => HostFailure::Lost { reason: why },
        HostError { why, lost: false } => HostFailure::Unavailable { reason: why },
    }
}

impl PhoneClock for App {
    fn read(&self) -> Result<PhoneReading, HostFailure> {
        self.call_back();
        let reading = Clock::read(&self.fake).map_err(failed)?;
        Ok(PhoneReading {
            wall_ms: reading.wall_ms,
            boot_ns: reading.boot_ns.cast_signed(),
            boot_id: format!("{:?}", reading.boot),
        })
    }
}

impl PhoneKeys for App {
    fn level(&self) -> Result<PhoneKeyLevel, HostFailure> {
        Ok(PhoneKeyLevel::Tee)
    }

    fn public_key(&self) -> Result<Vec<u8>, HostFailure> {
        let point = KeyStore::public_key(&self.fake).map_err(failed)?;
        let spki = [&[0x30; 26][..], &point].concat();
        Ok(if self.der.load(Ordering::Relaxed) { spki } else { point })
    }

    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, HostFailure> {
        assert!(!self.panics.load(Ordering::Relaxed), "the app's own mistake");
        let signature = self.fake.sign(&message);
        let failed = |SigningFailed { why, lost }| failed(HostError { why, lost });
        Ok(self.signature(&signature.map_err(failed)?))
    }

    fn wrap(&self, data_key: Vec<u8>) -> Result<Vec<u8>, HostFailure> {
        KeyStore::wrap(&self.fake, &data_key).map_err(failed)
    }

    fn unwrap(&self, wrapped: Vec<u8>) -> Result<Vec<u8>, HostFailure> {
        KeyStore::unwrap(&self.fake, &wrapped).map_err(failed)
    }
}

impl PhoneLog for App {
    fn write(&self, line: LogLine) -> Result<(), HostFailure> {
        self.keep(line);
        Err(HostFailure::Unavailable { reason: "the log is full".to_owned() })
    }
}

fn fixes(app: &App) -> Vec<PhoneFix> {
    let start = app.fake.now().boot_ns.cast_signed();
    let fix = |n: i32| PhoneFix {
        place: Place {
            // A receiver's errors: a metre or two, and they wander.
            latitude: 36.6512 + (f64::from(n) * 0.034).sin() * 11e-6,
            longitude: 117.12 + (f64::from(n) * 0.022 + 2.0).cos() * 14e-6,
        },
        accuracy_m: 6.0 + f64::from(n % 9) / 10.0,
        boot_ns: start + i64::from(n) * 1_000_000_000,
        provider: FixProvider::Gnss,
        mock: false,
        speed_m_s: Some(0.0),
        satellites: Some(12),
        fix_wall_ms: None,
    };
    (0..100).map(fix).collect()
}

fn window(app: &App) -> EvidenceWindow {
    EvidenceWindow { tap: app.read().unwrap(), datum: Datum::Wgs84, fixes: fixes(app) }
}

#[test]
fn a_visit_recorded_offline_is_verified_after_one_round() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    app.der.store(true, Ordering::Relaxed);
    let core = app.enrolled(folder.path(), &mut hub);
    assert_eq!(core.standing().unwrap().unwrap().check_words.len(), 4);
    let work = core.my_work().unwrap().remove(0);
    core.accept(work.order.clone()).unwrap();
    let window = window(&app);
    let early = EvidenceWindow { fixes: window.fixes[..20].to_vec(), ..window.clone() };
    let early = core.expected_arrival(work.visit.clone(), early).unwrap().unwrap();
    assert_eq!(early.place, PlaceGrade::ProbablyInside, "{early:?}");
    app.fake.advance(110_000);
    let expected = core.expected_arrival(work.visit.clone(), window.clone()).unwrap();
    let arrival = core.arrive(work.visit.clone(), window).unwrap();
    assert_eq!(arrival.likely, expected, "nothing was recorded in between");
    let likely = arrival.likely.unwrap();
    assert_eq!(
        (likely.conclusion, likely.place),
        (Conclusion::OnTime, PlaceGrade::ProvenInside),
        "{likely:?}"
    );
    assert!(likely.inside_probability.unwrap() > 0.95 && !likely.reasons.is_empty());
    let report = VisitReport {
        outcome: VisitOutcome::Unfounded,
        text: "nobody sells here".to_owned(),
        evidence: Vec::new(),
        complainant_told: Some(true),
    };
    let unproven = VisitReport { outcome: VisitOutcome::Stopped, ..report.clone() };
    let refused = core.report_outcome(work.visit.clone(), unproven).unwrap_err();
    let PhoneError::Invalid { field, reason } = refused else { panic!("{refused}") };
    assert!(field == "evidence" && reason.contains("take a photo"), "{field}: {reason}");
    core.report_outcome(work.visit.clone(), report).unwrap();
    core.told_complainant(work.visit.clone(), "told her at the door".to_owned()).unwrap();
    core.answer(work.visit, "fire_lane".to_owned(), ChecklistAnswer::No).unwrap();
    let counts = core.counts().unwrap();
    assert_eq!((counts.recorded, counts.saved), (5, 5));
    app.sync(&core, &mut hub);
    let records = core.records(0, 100).unwrap();
    assert!(records.iter().all(|record| record.state == RecordState::Verified), "{records:?}");
    assert_eq!(records[1].fact.as_ref(), Some(&arrival.fact));
    let work = core.my_work().unwrap().remove(0);
    assert!(work.accepted && work.arrived && work.done);
    let kinds: Vec<_> =
        core.events_since(0, 100).unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds[0], PhoneEventKind::Enrolled);
    assert!(kinds.contains(&PhoneEventKind::Delivered));
}

#[test]
fn a_panic_in_the_midst_of_recording_is_an_error_and_leaves_the_store_as_it_was() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    core.note(visit.clone(), "before".to_owned()).unwrap();
    app.panics.store(true, Ordering::Relaxed);
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let failed = core.note(visit.clone(), "lost in a panic".to_owned());
    panic::set_hook(quiet);
    assert!(
        matches!(&failed, Err(PhoneError::Internal { code, .. }) if code == "panic"),
        "{failed:?}"
    );
    app.panics.store(false, Ordering::Relaxed);
    assert_eq!(core.counts().unwrap().recorded, 1);
    core.note(visit, "after".to_owned()).unwrap();
    app.sync(&core, &mut hub);
    assert_eq!(hub.notes(), ["after", "before"]);
}

#[test]
fn a_platform_that_calls_back_gets_an_error_instead_of_waiting_for_itself() {
    let (folder, app) = (tempfile::tempdir().unwrap(), App::new(1));
    let core = app.open(folder.path()).unwrap();
    app.calls.set(Arc::downgrade(&core)).unwrap();
    assert_eq!(core.sync_next(), Ok(SyncStep::Idle));
    let answer = app.answer.lock().unwrap().take().unwrap();
    assert!(matches!(&answer, PhoneError::Internal { code, .. } if code == "reentrant"));
}

#[test]
fn a_suspended_phone_does_nothing_and_takes_an_answer_after_it_resumes() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    core.note(visit.clone(), "on the way".to_owned()).unwrap();
    let SyncStep::Send { request } = core.sync_next().unwrap() else { panic!("nothing to send") };
    core.suspend().unwrap();
    assert_eq!(core.note(visit, "now".to_owned()), Err(PhoneError::Suspended));
    assert_eq!(core.my_work(), Err(PhoneError::Suspended));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "the store is closed: {left:?}");
    core.resume().unwrap();
    core.resume().unwrap();
    let reply = answered(&mut hub, &request);
    assert_eq!(core.sync_apply(request.id, reply), Ok(ReplyTaken::Taken));
    assert_eq!(core.counts().unwrap().delivered, 1);
}

#[test]
fn an_answer_counts_once_after_the_app_was_killed() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    core.note(visit, "on the way".to_owned()).unwrap();
    let SyncStep::Send { request } = core.sync_next().unwrap() else { panic!("nothing to send") };
    let reply = answered(&mut hub, &request);
    drop(core);
    let core = app.open(folder.path()).unwrap();
    assert_eq!(core.sync_apply(request.id, reply.clone()), Ok(ReplyTaken::Taken));
    assert_eq!(core.sync_apply(request.id, reply), Ok(ReplyTaken::Stale));
    assert_eq!(core.counts().unwrap().delivered, 1);
}

#[test]
fn colleagues_meet_by_frames_and_a_panic_in_between_costs_nothing() {
    let (there, here, mut hub) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Hub::new());
    hub.dispatch(1);
    let (anna, bo) = (App::new(1), App::new(2));
    let (one, two) = (anna.enrolled(there.path(), &mut hub), bo.enrolled(here.path(), &mut hub));
    one.note(one.my_work().unwrap().remove(0).visit, "ours".to_owned()).unwrap();
    let giving = Arc::clone(&one).hand_over().unwrap();
    let taking = Arc::clone(&two).hand_over().unwrap();

    anna.panics.store(true, Ordering::Relaxed);
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let failed = giving.next();
    panic::set_hook(quiet);
    assert!(matches!(&failed, Err(PhoneError::Internal { .. })), "{failed:?}");
    anna.panics.store(false, Ordering::Relaxed);

    let hello = giving.next().unwrap().unwrap();
    let own = giving.take(hello);
    assert!(matches!(&own, Err(PhoneError::Meeting { code: MeetingFault::Mirror, .. })), "{own:?}");
    let noise = giving.take(vec![1, 2, 3]);
    assert!(
        matches!(&noise, Err(PhoneError::Meeting { code: MeetingFault::Unreadable, .. })),
        "{noise:?}"
    );
    giving.take(taking.next().unwrap().unwrap()).unwrap();
    let part = giving.next().unwrap().unwrap();
    assert_eq!(giving.next(), Ok(None));
    let frames = giving.frames(part, 300).unwrap();
    let total = i32::try_from(frames.len()).unwrap();
    let seen: Vec<FrameTaken> =
        frames.iter().rev().map(|frame| taking.take_frame(frame.clone()).unwrap()).collect();
    assert_eq!(seen[0], FrameTaken::Gathering { have: 1, total });
    let Some(FrameTaken::Taken { state }) = seen.last() else { panic!("a whole message") };
    assert_eq!((state.changes, state.complete, state.done), (1, true, false));
    assert_eq!(taking.take_frame(vec![0; 40]), Ok(FrameTaken::Damaged));
    assert_eq!(two.carried().unwrap().waiting, 1);
    bo.sync(&two, &mut hub);
    assert_eq!((hub.notes(), two.carried().unwrap().delivered), (vec!["ours".to_owned()], 1));
}

#[test]
fn what_cannot_be_taken_is_named() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    let named = |result: Result<(), PhoneError>| match result {
        Err(PhoneError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let arrive = |change: fn(&mut PhoneFix)| {
        let mut window = window(&app);
        change(&mut window.fixes[0]);
        named(core.arrive(visit.clone(), window).map(drop))
    };
    assert_eq!(arrive(|fix| fix.place.latitude = f64::NAN), "place");
    assert_eq!(arrive(|fix| fix.accuracy_m = 0.0), "accuracy_m");
    assert_eq!(arrive(|fix| fix.boot_ns = -1), "boot_ns");
    assert_eq!(arrive(|fix| fix.satellites = Some(-1)), "satellites");
    assert_eq!(named(core.note("here".to_owned(), "x".to_owned()).map(drop)), "visit");
    assert_eq!(named(core.note(visit.clone(), " ".to_owned()).map(drop)), "statement");
    assert_eq!(named(core.records(0, -1).map(drop)), "max");
    assert_eq!(named(core.enrol(enrolment("7K3"))), "code");
    let line = SiteShape::Corridor { line: Vec::new(), half_width_m: 3.0 };
    let site = PhoneSite { datum: Datum::Wgs84, shape: line };
    assert_eq!(named(core.correct_site(visit, site).map(drop)), "site");
    let meeting = Arc::clone(&core).hand_over().unwrap();
    assert_eq!(named(meeting.frames(vec![0; 99], 9).map(drop)), "bytes");
    assert_eq!(named(meeting.frames(vec![0; 99], -1).map(drop)), "bytes");
    let other = core.conflicts("0198f3a2-7c11-7d52-9e0b-5f2f6c1e4a77".to_owned());
    assert!(matches!(other, Err(PhoneError::Unknown { .. })), "{other:?}");
}

#[test]
fn a_lost_key_and_a_foreign_file_say_so() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    app.fake.break_key(true);
    let failed = core.note(visit, "x".to_owned());
    assert!(matches!(&failed, Err(PhoneError::Key { code: KeyFault::Signing, .. })), "{failed:?}");
    drop(core);
    let other = App::new(2).open(folder.path());
    assert!(matches!(other, Err(PhoneError::Key { code: KeyFault::Store, .. })), "{other:?}");
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("phone.db"), "x".repeat(5_000)).unwrap();
    let other = app.open(place.path());
    assert!(
        matches!(other, Err(PhoneError::Storage { code: StorageFault::NotAStore, .. })),
        "{other:?}"
    );
}

#[test]
fn the_log_hears_what_failed_and_nothing_that_was_said() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    core.note(visit.clone(), "call 13800138000".to_owned()).unwrap();
    core.note(visit, "13800138000\0".to_owned()).unwrap_err();
    app.sync(&core, &mut hub);
    let lines = app.lines.lock().unwrap();
    let failed = lines.iter().find(|line| line.event == "call_failed").unwrap();
    assert_eq!(failed.level, LogLevel::Warning);
    assert_eq!(
        failed.fields,
        [log::LogField::code("call", "note"), log::LogField::code("error", "invalid")]
    );
    assert!(lines.iter().any(|line| line.event == "answer"));
    assert!(!format!("{lines:?}").contains("13800138000"));
}

#[test]
fn the_library_says_what_it_is() {
    let info = core_info().unwrap();
    assert!(info.schema >= 2 && info.protocol >= 1, "{info:?}");
}

#[test]
fn a_stand_goes_on_after_the_app_was_killed() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    let window = window(&app);
    let (first, rest) = window.fixes.split_at(10);
    let tapped = EvidenceWindow { fixes: first.to_vec(), ..window.clone() };
    assert_eq!(core.begin_arrival(visit.clone(), tapped), Ok(None));
    drop(core);
    let core = app.open(folder.path()).unwrap();
    let [open] = &core.unfinished_arrivals().unwrap()[..] else { panic!("one arrival") };
    assert_eq!((&open.visit, open.fixes, open.tap_wall_ms), (&visit, 10, window.tap.wall_ms));
    app.fake.advance(110_000);
    let expected = core.add_fixes(visit.clone(), rest.to_vec()).unwrap();
    let arrival = core.finish_arrival(visit).unwrap();
    assert_eq!(arrival.likely.map(|likely| likely.place), Some(PlaceGrade::ProvenInside));
    assert_eq!(expected.map(|likely| likely.conclusion), Some(Conclusion::OnTime));
    assert_eq!(core.unfinished_arrivals(), Ok(Vec::new()));
}

#[test]
fn a_case_tells_what_has_happened_in_it_and_in_its_visit() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    let (_, case, _) = hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let work = core.my_work().unwrap().remove(0);
    core.accept(work.order.clone()).unwrap();
    let remark = core.note(work.visit.clone(), "shop is closed".to_owned()).unwrap();
    core.withdraw(remark.clone(), "the wrong shop".to_owned()).unwrap();
    core.arrive(work.visit.clone(), window(&app)).unwrap();
    let seen = core.phone_case(case.to_string()).unwrap();
    assert_eq!((&*seen.matter, seen.phase), ("street_vending", Some(CasePhase::Received)));
    let stated: Vec<_> = seen.history.iter().map(|entry| &entry.event).collect();
    let [HistoryEvent::Registered { .. }, HistoryEvent::Ordered { .. }, received] = &stated[..]
    else {
        panic!("{stated:?}")
    };
    assert!(matches!(received, HistoryEvent::OrderReceived { order, deemed: true, .. }
        if *order == work.order));
    assert!(seen.history.iter().all(|entry| entry.device.is_none() && !entry.taken_back));
    let [order] = &seen.orders[..] else { panic!("{seen:?}") };
    assert_eq!((&order.order, &order.visit), (&work.order, &work.visit));
    let me = core.standing().unwrap().unwrap().device;
    assert!(order.history.iter().all(|entry| entry.device.as_ref() == Some(&me)));
    let event = |n: usize| &order.history[n].event;
    assert_eq!(event(0), &HistoryEvent::Accepted);
    assert_eq!(event(1), &HistoryEvent::Noted { text: "shop is closed".to_owned() });
    assert!(order.history[1].taken_back);
    let reason = "the wrong shop".to_owned();
    assert_eq!(event(2), &HistoryEvent::Withdrew { fact: remark, reason });
    assert!(matches!(event(3), HistoryEvent::Arrived { fixes: 100, .. }));
    assert_eq!(core.visit_history(work.visit), Ok(order.history.clone()));
    let unknown = core.phone_case(work.order);
    assert!(matches!(unknown, Err(PhoneError::Unknown { .. } | PhoneError::Invalid { .. })));
}

#[test]
fn a_case_tells_whether_the_complainant_was_told_and_is_content() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    let (_, case, _) = hub.dispatch(1);
    let (by, message) = (PersonId::from_bytes([7; 16]), MessageId::from_bytes([8; 16]));
    let why = telling::NoReach::WrongNumber;
    let text = "no such number".to_owned();
    hub.state_fact(
        case,
        Body::NotReached(NotReached {
            why,
            text: text.clone(),
            by: Some(by),
            message: None,
            left_at: None,
        }),
    );
    hub.state_fact(case, Body::ToldByMessage(ToldByMessage { message, by, left_at: None }));
    let (opinion, reason) = (telling::Opinion::NotSatisfied, "back the next day".to_owned());
    let given = OpinionGiven { opinion, reason: reason.clone(), by: None, message: Some(message) };
    let given = hub.state_fact(case, Body::OpinionGiven(given));
    let (decision, opinion) = (telling::OpinionDecision::Return, given);
    let settled = OpinionSettled { opinion, decision, reason: "look again".to_owned(), by };
    hub.state_fact(case, Body::OpinionSettled(settled));
    let core = app.enrolled(folder.path(), &mut hub);
    let history = core.phone_case(case.to_string()).unwrap().history;
    let stated: Vec<_> = history.into_iter().map(|entry| entry.event).collect();
    let told = [
        HistoryEvent::NotReached { why: NoReach::WrongNumber, text },
        HistoryEvent::ToldByMessage,
        HistoryEvent::OpinionGiven { opinion: ComplainantOpinion::NotSatisfied, reason },
        HistoryEvent::OpinionSettled {
            given: given.to_string(),
            decision: OpinionDecision::SendBack,
            reason: "look again".to_owned(),
        },
    ];
    assert!(told.iter().all(|event| stated.contains(event)), "{stated:?}");
}

#[test]
fn rivals_show_what_each_of_them_said() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two, mut hub) = (App::new(1), App::new(2), Hub::new());
    hub.dispatch(1);
    let first = one.enrolled(here.path(), &mut hub);
    let second = two.enrolled(there.path(), &mut hub);
    let visit = first.my_work().unwrap().remove(0).visit;
    let report = |outcome, text: &str| VisitReport {
        outcome,
        text: text.to_owned(),
        evidence: Vec::new(),
        complainant_told: None,
    };
    let mine = report(VisitOutcome::Unfounded, "all is in order");
    let other = report(VisitOutcome::Unfounded, "nobody there");
    first.report_outcome(visit.clone(), mine.clone()).unwrap();
    second.report_outcome(visit.clone(), other.clone()).unwrap();
    first.answer(visit.clone(), "fire_lane".to_owned(), ChecklistAnswer::Yes).unwrap();
    second.answer(visit.clone(), "fire_lane".to_owned(), ChecklistAnswer::No).unwrap();
    for _ in 0..2 {
        one.sync(&first, &mut hub);
        two.sync(&second, &mut hub);
    }
    let conflicts = first.conflicts(visit.clone()).unwrap();
    let said: Vec<_> =
        conflicts.outcomes.iter().map(|rival| (rival.by.this_phone, &rival.report)).collect();
    assert!(said.contains(&(true, &mine)) && said.contains(&(false, &other)), "{said:?}");
    let answers = vec![ChecklistAnswer::Yes, ChecklistAnswer::No];
    assert_eq!(conflicts.items, [RivalAnswers { item: "fire_lane".to_owned(), answers }]);
    let theirs = conflicts.outcomes.iter().find(|rival| !rival.by.this_phone).unwrap();
    first.choose_outcome(visit.clone(), theirs.fact.clone()).unwrap();
    assert_eq!(first.conflicts(visit).unwrap().outcomes, []);
}

#[test]
fn work_is_found_by_words_and_page_by_page() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    for number in 1..=3 {
        hub.dispatch(number);
    }
    let core = app.enrolled(folder.path(), &mut hub);
    let search = |words: &str, after, max| {
        let words = words.to_owned();
        core.find_work(WorkSearch { words, undone_only: true, after, max })
    };
    let all = search("PAVEMENT stalls", None, 10).unwrap();
    assert_eq!(all, core.my_work().unwrap());
    assert_eq!(search("smoke", None, 10), Ok(Vec::new()));
    let cursor = WorkCursor { issued_ms: all[0].issued_ms, order: all[0].order.clone() };
    core.forget_list().unwrap();
    assert_eq!(search("", Some(cursor), 1).unwrap(), all[1..2]);
    assert!(matches!(search("", None, -1), Err(PhoneError::Invalid { .. })));
    assert_eq!(core.rechecks(), Ok(Vec::new()));
}

#[test]
fn a_key_that_is_gone_is_told_from_one_that_is_locked_and_the_phone_begins_anew() {
    let (folder, app, mut hub) = (tempfile::tempdir().unwrap(), App::new(1), Hub::new());
    hub.dispatch(1);
    let core = app.enrolled(folder.path(), &mut hub);
    let visit = core.my_work().unwrap().remove(0).visit;
    core.note(visit.clone(), "not delivered".to_owned()).unwrap();
    assert_eq!(core.check_store(), Ok(Vec::new()));
    assert_eq!(core.mend_store().unwrap().kept, 1);
    let fault = |error: PhoneError| match error {
        PhoneError::Key { code, retryable, .. } => (code, retryable),
        other => panic!("{other:?}"),
    };
    app.fake.break_key(true);
    let locked = core.note(visit, "x".to_owned()).unwrap_err();
    assert_eq!(fault(locked), (KeyFault::Signing, true));
    drop(core);
    assert_eq!(fault(app.open(folder.path()).unwrap_err()), (KeyFault::Store, true));
    let other = App::new(2);
    assert_eq!(fault(other.open(folder.path()).unwrap_err()), (KeyFault::Store, false));

    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, file) = (path("phone.db"), path("for-the-bureau"));
    assert_eq!(recovery_file(store.clone(), file.clone()), Ok(1));
    assert!(matches!(recovery_file(store.clone(), file), Err(PhoneError::Storage { .. })));
    let aside = set_aside(store.clone()).unwrap();
    assert!(std::path::Path::new(&aside).exists() && set_aside(store).is_err());
    let core = other.enrolled(folder.path(), &mut hub);
    assert_eq!((core.counts().unwrap().recorded, core.my_work().unwrap().len()), (0, 1));
}

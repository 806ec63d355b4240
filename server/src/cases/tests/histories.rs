//! Random histories of cases, as facts, put straight into the tables.

use std::collections::BTreeSet;

use onscene_sync_core::fact::body::{
    AboutOrder, ArrivalClaim, CaseClass, Channel, FedBack, Judged, Measure, MeasureCause,
    MeasureStep, OrderReceived, Ordered, Outcome, Receipt, Registered, ReviewSettled, Ruling, Text,
};
use onscene_sync_core::fact::telling::{
    NoReach, NotReached, Opinion, OpinionDecision, OpinionGiven, OpinionSettled, ReopenCause,
    Reopening,
};
use onscene_sync_core::fact::{Author, Body, DeviceAuthor, FACT_VERSION, Fact};
use onscene_sync_core::id::{BootId, DeviceId, DocId, FactId, PersonId, UnitId};
use onscene_sync_core::place::{Datum, Position, Shape, Site};
use onscene_sync_core::rules::arrival::{ArrivalPolicy, Conclusion, Question, Verdict, judge};
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::time::{ClockReading, Millis};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bureau::{MINUTE, OTHER_SQUAD, SQUAD};
use crate::app::App;
use crate::cases::project::{begin, grams, write};
use crate::cases::record::Case;

pub(super) const DAY: i64 = 1440 * MINUTE;
pub(super) const MATTERS: [(&str, &str); 4] = [
    ("street_vending", "流动摊贩占道经营"),
    ("noise", "夜间施工噪声扰民"),
    ("illegal_building", "楼顶违法建设"),
    ("litter", "路边垃圾无人清运"),
];

/// Writes the next facts of one case.
struct Writer<'r> {
    chance: &'r mut ChaCha8Rng,
    at: Millis,
    case: Case,
}

/// `count` cases that began in the days before `now`, in the tables of `app`.
pub(super) async fn put(app: &App, seed: u64, count: usize, days: i64) -> Vec<Case> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let cases: Vec<Case> = (0..count).map(|_| one(&mut chance, app.now(), days)).collect();
    for (number, case) in cases.iter().enumerate() {
        let stored = app.store.with_tx("test", (number, case.clone()), |tx, (number, case)| {
            Box::pin(async move {
                let at = case.record.registration.as_ref().unwrap().at;
                begin(tx, case.id, &format!("test-{number:05}"), at).await?;
                grams::note(tx, case).await?;
                write(tx, case).await
            })
        });
        stored.await.unwrap();
    }
    cases
}

fn one(chance: &mut ChaCha8Rng, now: Millis, days: i64) -> Case {
    let id = DocId::from_bytes(chance.random());
    let at = now.plus(-chance.random_range(0..days * DAY));
    let case = Case { id, facts: Vec::new(), record: CaseRecord::default() };
    let mut writer = Writer { chance, at, case };
    writer.register();
    for _ in 0..writer.chance.random_range(0..16) {
        let span = match writer.chance.random_range(0..4) {
            0 => writer.chance.random_range(1..4 * MINUTE),
            1 | 2 => writer.chance.random_range(1..90 * MINUTE),
            _ => writer.chance.random_range(1..3 * DAY),
        };
        writer.at = writer.at.plus(span);
        if writer.at >= now.plus(-6 * MINUTE) {
            break;
        }
        writer.something();
    }
    writer.case
}

impl Writer<'_> {
    fn state(&mut self, body: Body) -> FactId {
        let id = FactId::from_bytes(self.chance.random());
        let author = Author::Hub(self.at);
        self.case.facts.push((id, Fact { version: FACT_VERSION, doc: self.case.id, author, body }));
        self.case.record = CaseRecord::from_facts(self.case.facts.iter().cloned());
        self.at = self.at.plus(1);
        id
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.chance.random_range(0..from.len())]
    }

    fn register(&mut self) {
        let (matter, words) = self.pick(&MATTERS);
        let late = self.chance.random_range(0..20 * MINUTE);
        let classes =
            [CaseClass::Complaint, CaseClass::Complaint, CaseClass::Help, CaseClass::Consultation];
        let channels = [Channel::Telephone, Channel::Telephone, Channel::Web, Channel::Patrol];
        let site = self.chance.random_bool(0.8).then(|| self.site());
        let registered = Registered {
            class: self.pick(&classes),
            channel: self.pick(&channels),
            matter: matter.to_owned(),
            summary: format!("{words}，编号{:04}", self.chance.next_u32() % 10_000),
            received_at: self.at.plus(-late),
            site,
            jurisdiction_clear: self.chance.random_bool(0.8),
            policy: 1,
            by: BY,
            drill: self.chance.random_bool(0.1),
            grave: self.chance.random_bool(0.1),
        };
        self.state(Body::Registered(registered));
    }

    fn site(&mut self) -> Site {
        let centre = Position::from_degrees(
            36.65 + self.chance.random_range(0..40) as f64 / 1_000.0,
            117.10 + self.chance.random_range(0..40) as f64 / 1_000.0,
        );
        let datum = self.pick(&[Datum::Wgs84, Datum::Gcj02]);
        Site { datum, shape: Shape::Circle { centre: centre.unwrap(), radius_cm: 8_000 } }
    }

    fn something(&mut self) {
        let live = self.case.record.live_order().map(|order| order.issued.fact);
        let open = !self.case.record.is_closed();
        match (self.chance.random_range(0..19), live) {
            (0..=4, None) if open => self.order(),
            (0..=4, Some(order)) => self.arrival(order),
            (5..=7, Some(order)) => self.feed_back(order),
            (8, Some(order)) => drop(self.state(Body::Returned(about(order)))),
            (9, Some(order)) => drop(self.state(Body::Urged(about(order)))),
            (10, Some(order)) => drop(self.state(Body::OrderWithdrawn(about(order)))),
            (11, _) if open => drop(self.state(Body::CoordinationOpened(text()))),
            (12, _) => drop(self.state(Body::ComplainantTold(text()))),
            (13, _) if open => drop(self.state(Body::Closed(text()))),
            (13, _) => self.reopen(),
            (16, _) => self.not_reached(),
            (17, _) => self.opinion(),
            (18, _) => self.decide(),
            (14, _) => self.settle(),
            (15, Some(order)) => self.refer(order),
            _ => {}
        }
    }

    /// An order, and its receipt within the five minutes after which it counts as received.
    fn order(&mut self) {
        let unit = self.pick(&[SQUAD, OTHER_SQUAD]);
        let inspection = DocId::from_bytes(self.chance.random());
        let text = String::new();
        let ordered = Ordered { unit, inspection, site: None, policy: 1, by: BY, text };
        let issued = self.at;
        let order = self.state(Body::Ordered(ordered));
        let receipt = match self.chance.random_range(0..3) {
            0 => Receipt::Deemed,
            1 => Receipt::Desk { by: BY },
            _ => Receipt::Device { device: DeviceId::from_bytes([5; 8]) },
        };
        let after = match receipt {
            Receipt::Deemed => 5 * MINUTE,
            _ => self.chance.random_range(1..5 * MINUTE),
        };
        self.at = issued.plus(after);
        let at = self.at;
        self.state(Body::OrderReceived(OrderReceived { order, at, receipt }));
    }

    fn arrival(&mut self, order: FactId) {
        let conclusions = [
            Conclusion::OnTime,
            Conclusion::OnTime,
            Conclusion::Late,
            Conclusion::NeedsReview,
            Conclusion::NotOnScene,
        ];
        let conclusion = self.pick(&conclusions);
        let seen_at = self.at.plus(-self.chance.random_range(0..30 * MINUTE));
        let arrival = FactId::from_bytes(self.chance.random());
        let verdict = verdict(conclusion);
        self.state(Body::Judged(Box::new(Judged {
            order,
            arrival,
            seen_at,
            verdict,
            grounds: None,
        })));
    }

    fn settle(&mut self) {
        let judged = self.case.record.orders.iter().flat_map(|order| &order.claims);
        let Some(judged) = judged.last().and_then(|claim| claim.judged.last()) else { return };
        let (judged, reason) = (judged.fact, String::new());
        let ruling = self.pick(&[Ruling::OnTime, Ruling::Late, Ruling::NotOnScene]);
        self.state(Body::ReviewSettled(ReviewSettled { judged, ruling, reason, by: BY }));
    }

    fn reopen(&mut self) {
        let (text, by, cause) = ("复办".to_owned(), Some(BY), Some(ReopenCause::NewCall));
        self.state(Body::Reopened(Reopening { text, by, cause }));
    }

    fn not_reached(&mut self) {
        let why = self.pick(&[NoReach::NoAnswer, NoReach::NotDelivered, NoReach::Anonymous]);
        self.state(Body::NotReached(NotReached {
            why,
            text: String::new(),
            by: None,
            message: None,
            left_at: None,
        }));
    }

    fn opinion(&mut self) {
        let opinions = [
            Opinion::Satisfied,
            Opinion::Partly,
            Opinion::NotSatisfied,
            Opinion::NotSatisfied,
            Opinion::NotAsked,
            Opinion::NotReached,
        ];
        let opinion = self.pick(&opinions);
        let reason = String::new();
        self.state(Body::OpinionGiven(OpinionGiven { opinion, reason, by: None, message: None }));
    }

    fn decide(&mut self) {
        let Some(opinion) = self.case.record.opinions.last() else { return };
        let (opinion, decision, reason) =
            (opinion.given.fact, OpinionDecision::Close, "依法".to_owned());
        self.state(Body::OpinionSettled(OpinionSettled { opinion, decision, reason, by: BY }));
    }

    fn refer(&mut self, order: FactId) {
        let step = self.pick(&[MeasureStep::OrderToCorrect, MeasureStep::AccountabilityReferral]);
        let (cause, reason) = (MeasureCause::Finding, "督查".to_owned());
        self.state(Body::MeasureTaken(Measure { step, cause, order, reason, by: Some(BY) }));
    }

    fn feed_back(&mut self, order: FactId) {
        let results =
            [Some(Outcome::Stopped), Some(Outcome::Corrected), Some(Outcome::LongTerm), None];
        let result = self.pick(&results);
        let at = self.at.plus(-self.chance.random_range(0..30 * MINUTE));
        let evidence = self.pick(&[None, Some(0), Some(2)]);
        self.state(Body::FedBack(FedBack { order, outcome: None, result, at, evidence }));
    }
}

const BY: PersonId = PersonId::from_bytes([2; 16]);

fn text() -> Text {
    Text { text: "办理".to_owned(), by: Some(BY) }
}

fn about(order: FactId) -> AboutOrder {
    AboutOrder { order, by: BY, reason: "催".to_owned() }
}

/// A verdict that bounds the arrival by nothing but its delivery.
fn verdict(conclusion: Conclusion) -> Verdict {
    let clock = ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) };
    let claim = ArrivalClaim { order: None, tap: clock, datum: Datum::Wgs84, fixes: Vec::new() };
    let author = DeviceAuthor {
        device: DeviceId::from_bytes([5; 8]),
        install: 1,
        seq: 1,
        prev: None,
        clock,
        anchors: Vec::new(),
        restates: None,
    };
    let question = Question {
        order_issued_at: Millis(0),
        started_at: Millis(0),
        site: None,
        claim: &claim,
        author: &author,
        anchors: &[],
        not_after: None,
        not_before: None,
        circumstances: &BTreeSet::new(),
        same_tracks: &[],
    };
    let mut verdict = judge(&question, &ArrivalPolicy::V1);
    verdict.conclusion = conclusion;
    verdict
}

/// Whose unit a case is now.
pub(super) fn unit_of(case: &Case) -> Option<UnitId> {
    let order = case.record.live_order().or_else(|| case.record.orders.last());
    order.map(|order| order.issued.body.unit)
}

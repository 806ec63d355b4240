//! A visit to a site, built step by step.

use std::collections::BTreeSet;

use onscene_sync_core::fact::DeviceAuthor;
use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::id::{BootId, DeviceId, FactId};
use onscene_sync_core::place::plane::{Plane, Point};
use onscene_sync_core::place::{Datum, Degrees, Fix, Position, Provider, Shape, Site};
use onscene_sync_core::rules::arrival::{
    ArrivalPolicy, Flag, KnownAnchor, Question, Verdict, judge,
};
use onscene_sync_core::time::{ClockReading, Millis};

pub(crate) const JINAN: Degrees = Degrees { lat: 36.65, lon: 117.0 };
/// The hub issues the order.
pub(crate) const ISSUED: Millis = Millis(1_700_000_000_000);
/// The unit receives it a minute later; the clock starts.
pub(crate) const STARTED: Millis = Millis(1_700_000_060_000);
/// The true server time at which the phone's boot clock shows zero.
pub(crate) const BOOTED: i64 = 1_699_996_400_000;

pub(crate) fn boot(id: u8) -> BootId {
    BootId::from_bytes([id; 8])
}

/// The boot clock at a true moment, nanoseconds.
pub(crate) fn boot_ns(at: Millis) -> u64 {
    u64::try_from(at.0 - BOOTED).expect("after the start of the phone") * 1_000_000
}

pub(crate) fn minutes(after_start: i64) -> Millis {
    STARTED.plus(after_start * 60_000)
}

/// An exchange of 400 ms in which the hub signed at `at`, half way.
pub(crate) fn anchor(number: u64, at: Millis) -> KnownAnchor {
    KnownAnchor {
        number,
        at,
        boot: boot(1),
        sent_boot_ns: boot_ns(at.plus(-200)),
        received_boot_ns: boot_ns(at.plus(200)),
    }
}

/// A position so many metres north and east of the middle of the site.
pub(crate) fn near(north: f64, east: f64) -> Position {
    let degrees = Plane::around(JINAN).unproject(Point { x: east, y: north });
    Position::from_degrees(degrees.lat, degrees.lon).expect("near Jinan")
}

pub(crate) fn circle(radius_m: u32) -> Site {
    let shape = Shape::Circle { centre: near(0.0, 0.0), radius_cm: radius_m * 100 };
    Site { datum: Datum::Wgs84, shape }
}

/// One claim with all that surrounds it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) site: Option<Site>,
    pub(crate) claim: ArrivalClaim,
    pub(crate) author: DeviceAuthor,
    pub(crate) anchors: Vec<KnownAnchor>,
    pub(crate) not_before: Option<Millis>,
    pub(crate) not_after: Option<Millis>,
    pub(crate) circumstances: BTreeSet<Flag>,
    pub(crate) same_tracks: Vec<FactId>,
}

impl Scene {
    /// An honest visit: a tap at `at`, fixes every 5 s from 30 s before to 90 s after it at the
    /// middle of a circle of 100 m, one anchor of the minute in which the order came.
    pub(crate) fn honest(at: Millis) -> Self {
        let tap = ClockReading { wall_ms: at.0, boot_ns: boot_ns(at), boot: boot(1) };
        let signed = ClockReading { boot_ns: boot_ns(at.plus(95_000)), ..tap };
        Self {
            site: Some(circle(100)),
            claim: ArrivalClaim {
                order: Some(FactId::from_bytes([9; 16])),
                tap,
                datum: Datum::Wgs84,
                fixes: visit(at, 0.0, 0.0),
            },
            author: DeviceAuthor {
                device: DeviceId::from_bytes([5; 8]),
                install: 1,
                seq: 2,
                prev: None,
                clock: signed,
                anchors: Vec::new(),
                restates: None,
            },
            anchors: vec![anchor(1, STARTED)],
            not_before: Some(STARTED),
            not_after: None,
            circumstances: BTreeSet::new(),
            same_tracks: Vec::new(),
        }
    }

    pub(crate) fn judge(&self) -> Verdict {
        judge(
            &Question {
                order_issued_at: ISSUED,
                started_at: STARTED,
                site: self.site.as_ref(),
                claim: &self.claim,
                author: &self.author,
                anchors: &self.anchors,
                not_after: self.not_after,
                not_before: self.not_before,
                circumstances: &self.circumstances,
                same_tracks: &self.same_tracks,
            },
            &ArrivalPolicy::V1,
        )
    }

    /// The same claim as the hub sees it at `at`.
    pub(crate) fn seen_at(mut self, at: Millis) -> Self {
        self.not_after = Some(at);
        self
    }
}

/// Fixes of an ordinary receiver around a spot: every 5 s, accuracy about 8 m, errors that wander.
pub(crate) fn visit(tap: Millis, north: f64, east: f64) -> Vec<Fix> {
    (-6_i32..=18)
        .map(|step| {
            let at = tap.plus(i64::from(step) * 5_000);
            let (sin, cos) = (f64::from(step) * 0.4).sin_cos();
            let accuracy_mm = 8_000 + step.unsigned_abs();
            fix(at, near(north + 2.0 * sin, east + 2.0 * cos), accuracy_mm)
        })
        .collect()
}

pub(crate) fn fix(at: Millis, position: Position, accuracy_mm: u32) -> Fix {
    Fix {
        position,
        accuracy_mm,
        boot_ns: boot_ns(at),
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: Some(0),
        satellites: Some(if accuracy_mm.is_multiple_of(2) { 14 } else { 13 }),
        fix_wall_ms: Some(at.0),
    }
}

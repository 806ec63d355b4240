//! Being on scene: the claim with its evidence, kept from the tap on, and what the rule says of it.

use onscene_sync_core::place::{self, Fix};
use onscene_sync_core::rules::arrival::{self, Grade, Language, Reason, Timing};
use onscene_sync_core::time::ClockReading;

use super::convert::{job, signed};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::host::{self, PhoneReading};
use super::place::{Datum, PhoneFix};
use crate::{ArrivalReceipt, OpenArrival};

/// What the rule says of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Conclusion {
    /// On scene, in time.
    OnTime,
    /// On scene, too late.
    Late,
    /// The evidence shows another place.
    NotOnScene,
    /// A person has to look; the reasons say why.
    NeedsReview,
}

/// How well the time of arrival is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TimeGrade {
    /// Nothing bounds it.
    Unknown,
    /// Only the phone's word.
    Claimed,
    /// The phone's uninterrupted boot clock since a signed anchor.
    Attested,
    /// Signed anchors and the server's own clock alone.
    Proven,
}

/// Where the bounds on the time lie against the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ArrivalTiming {
    /// Wholly up to the deadline.
    InTime,
    /// Wholly after it.
    Late,
    /// The deadline lies between them, or one is missing.
    Unsettled,
}

/// How the place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PlaceGrade {
    /// Two windows half a minute apart, both inside.
    ProvenInside,
    /// A fix that is probably inside.
    ProbablyInside,
    /// Cannot be told.
    Uncertain,
    /// All fixes are outside.
    Outside,
    /// The order has no site.
    NoSite,
}

/// One reason, to be shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VerdictReason {
    /// In English.
    pub english: String,
    /// In Chinese, simplified.
    pub chinese: String,
}

/// What the rule says of an arrival: with what this phone knows, or, in the history of a case, with
/// what the server knew. The server decides, and knows more: other phones' receipts, pauses of the
/// clock.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ArrivalVerdict {
    /// The conclusion.
    pub conclusion: Conclusion,
    /// How well the time is shown.
    pub time: TimeGrade,
    /// Where the bounds on the time lie against the deadline.
    pub timing: ArrivalTiming,
    /// How the place was found.
    pub place: PlaceGrade,
    /// The probability of having been inside the site, 0 to 1: of the windows that decide, or of the
    /// best fix; nothing without a fix that can be used, or without a site.
    pub inside_probability: Option<f64>,
    /// Start of the 60 minutes, by the server's clock, Unix milliseconds.
    pub started_ms: i64,
    /// The last moment that is in time, by the server's clock, Unix milliseconds.
    pub deadline_ms: i64,
    /// Why, most weighty first.
    pub reasons: Vec<VerdictReason>,
}

/// What a claim to be on scene rests on.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct EvidenceWindow {
    /// What the clocks showed when the inspector tapped: read them with the app's own `PhoneClock`.
    pub tap: PhoneReading,
    /// Datum of all fixes.
    pub datum: Datum,
    /// The fixes, in the order taken.
    pub fixes: Vec<PhoneFix>,
}

/// An arrival that is on record on this phone.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Arrival {
    /// The statement.
    pub fact: String,
    /// What the rule is likely to say; nothing for a patrol, which nobody ordered, and where this app
    /// does not know the policy in force.
    pub likely: Option<ArrivalVerdict>,
}

/// An arrival that was begun and is not claimed yet.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UnfinishedArrival {
    /// The visit.
    pub visit: String,
    /// The wall clock when the inspector tapped, Unix milliseconds.
    pub tap_wall_ms: i64,
    /// Fixes so far.
    pub fixes: i64,
}

#[uniffi::export]
impl PhoneCore {
    /// The inspector taps on scene: tap and fixes so far are on disk when this returns, and a killed
    /// app finds them at its next start. `add_fixes` goes on, `finish_arrival` claims.
    ///
    /// The evidence window is the fixes from half a minute before the tap to two and a half minutes
    /// after it, in the order taken, at most 200.
    ///
    /// One that was begun in this visit before is claimed first, as far as it came, and returned: it
    /// was a tap too.
    ///
    /// # Errors
    /// When there are too many fixes or one is not usable, or the visit is not on this phone.
    pub fn begin_arrival(
        &self,
        visit: String,
        window: EvidenceWindow,
    ) -> Result<Option<Arrival>, PhoneError> {
        self.call("begin_arrival", |device| {
            let (tap, datum, fixes) = window.read()?;
            Ok(device.begin_arrival(job(&visit)?, tap, datum, fixes)?.map(Into::into))
        })
    }

    /// Adds fixes, in the datum of the first ones, to an arrival that was begun; returns what the rule
    /// would make of it by now, for the screen.
    ///
    /// # Errors
    /// When none was begun in this visit, a fix is not usable, or there would be more than 200: then
    /// none of these is added, and it is time to finish.
    pub fn add_fixes(
        &self,
        visit: String,
        fixes: Vec<PhoneFix>,
    ) -> Result<Option<ArrivalVerdict>, PhoneError> {
        self.call("add_fixes", |device| {
            Ok(device.add_fixes(job(&visit)?, read(fixes)?)?.map(Into::into))
        })
    }

    /// Claims an arrival that was begun.
    ///
    /// # Errors
    /// When none was begun in this visit, or it cannot be recorded: then it stays begun.
    pub fn finish_arrival(&self, visit: String) -> Result<Arrival, PhoneError> {
        self.call("finish_arrival", |device| Ok(device.finish_arrival(job(&visit)?)?.into()))
    }

    /// Arrivals that were begun and are not claimed. Ask at the start of the app, and go on with them
    /// or finish them. A tap that was a mistake is finished, and then withdrawn.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unfinished_arrivals(&self) -> Result<Vec<UnfinishedArrival>, PhoneError> {
        self.call("unfinished_arrivals", |device| {
            Ok(device.open_arrivals()?.into_iter().map(Into::into).collect())
        })
    }

    /// Claims to be on scene since `tap`, with the whole evidence window at once: for an app that was
    /// sure to live that long.
    ///
    /// # Errors
    /// When there are too many fixes or one is not usable, or the visit is not on this phone.
    pub fn arrive(&self, visit: String, window: EvidenceWindow) -> Result<Arrival, PhoneError> {
        self.call("arrive", |device| {
            let (tap, datum, fixes) = window.read()?;
            Ok(device.arrive(job(&visit)?, tap, datum, fixes)?.into())
        })
    }

    /// What the rule would say of such a claim now, for the screen while the team stands there.
    /// Nothing is recorded. Nothing for a patrol, and where this app does not know the policy.
    ///
    /// # Errors
    /// When a fix is not usable, or the visit is not on this phone.
    pub fn expected_arrival(
        &self,
        visit: String,
        window: EvidenceWindow,
    ) -> Result<Option<ArrivalVerdict>, PhoneError> {
        self.call("expected_arrival", |device| {
            let (tap, datum, fixes) = window.read()?;
            let verdict = device.expected_arrival(job(&visit)?, tap, datum, fixes)?;
            Ok(verdict.map(Into::into))
        })
    }
}

impl EvidenceWindow {
    fn read(self) -> Result<(ClockReading, place::Datum, Vec<Fix>), PhoneError> {
        let tap = host::reading(self.tap).map_err(PhoneError::platform)?;
        Ok((tap, self.datum.into(), read(self.fixes)?))
    }
}

fn read(fixes: Vec<PhoneFix>) -> Result<Vec<Fix>, PhoneError> {
    fixes.into_iter().map(TryInto::try_into).collect()
}

impl From<OpenArrival> for UnfinishedArrival {
    fn from(open: OpenArrival) -> Self {
        Self {
            visit: open.inspection.to_string(),
            tap_wall_ms: open.claim.tap.wall_ms,
            fixes: signed(open.claim.fixes.len() as u64),
        }
    }
}

impl From<ArrivalReceipt> for Arrival {
    fn from(receipt: ArrivalReceipt) -> Self {
        Self { fact: receipt.fact.to_string(), likely: receipt.likely.map(Into::into) }
    }
}

impl From<arrival::Verdict> for ArrivalVerdict {
    fn from(verdict: arrival::Verdict) -> Self {
        let deciding = verdict.position.deciding.iter().map(|window| window.p_inside_ppm).min();
        let inside_ppm = deciding.or(verdict.position.fixes.p_max_ppm);
        Self {
            conclusion: verdict.conclusion.into(),
            time: match verdict.grade {
                Grade::Unknown => TimeGrade::Unknown,
                Grade::Claimed => TimeGrade::Claimed,
                Grade::Attested => TimeGrade::Attested,
                Grade::Proven => TimeGrade::Proven,
            },
            timing: match verdict.timing {
                Timing::InTime => ArrivalTiming::InTime,
                Timing::Late => ArrivalTiming::Late,
                Timing::Unsettled => ArrivalTiming::Unsettled,
            },
            place: match verdict.place {
                arrival::PlaceGrade::ProvenInside => PlaceGrade::ProvenInside,
                arrival::PlaceGrade::ProbablyInside => PlaceGrade::ProbablyInside,
                arrival::PlaceGrade::Uncertain => PlaceGrade::Uncertain,
                arrival::PlaceGrade::Outside => PlaceGrade::Outside,
                arrival::PlaceGrade::NoSite => PlaceGrade::NoSite,
            },
            inside_probability: inside_ppm.map(|ppm| f64::from(ppm) / 1e6),
            started_ms: verdict.started_at.0,
            deadline_ms: verdict.deadline.0,
            reasons: verdict.reasons.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<arrival::Conclusion> for Conclusion {
    fn from(conclusion: arrival::Conclusion) -> Self {
        match conclusion {
            arrival::Conclusion::OnTime => Self::OnTime,
            arrival::Conclusion::Late => Self::Late,
            arrival::Conclusion::NotOnScene => Self::NotOnScene,
            arrival::Conclusion::NeedsReview => Self::NeedsReview,
        }
    }
}

impl From<Reason> for VerdictReason {
    fn from(reason: Reason) -> Self {
        Self {
            english: reason.sentence(Language::English).to_owned(),
            chinese: reason.sentence(Language::Chinese).to_owned(),
        }
    }
}

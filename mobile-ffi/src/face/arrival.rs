//! Being on scene: the claim with its evidence, and what the rule is likely to say of it.

use onscene_sync_core::place::{self, Fix};
use onscene_sync_core::rules::arrival::{self, Grade, Language, Reason, Timing};
use onscene_sync_core::time::ClockReading;

use super::convert::job;
use super::core::PhoneCore;
use super::error::PhoneError;
use super::host::{self, PhoneReading};
use super::place::{Datum, PhoneFix};
use crate::ArrivalReceipt;

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

/// What the rule says with what the phone knows. The server decides, and knows more: other phones'
/// receipts, pauses of the clock.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct LikelyVerdict {
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
    pub likely: Option<LikelyVerdict>,
}

#[uniffi::export]
impl PhoneCore {
    /// Claims to be on scene since `tap`, with the evidence window: the fixes from half a minute
    /// before the tap to two and a half minutes after it, in the order taken, at most 200.
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
    ) -> Result<Option<LikelyVerdict>, PhoneError> {
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
        let fixes = self.fixes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok((tap, self.datum.into(), fixes))
    }
}

impl From<ArrivalReceipt> for Arrival {
    fn from(receipt: ArrivalReceipt) -> Self {
        Self { fact: receipt.fact.to_string(), likely: receipt.likely.map(Into::into) }
    }
}

impl From<arrival::Verdict> for LikelyVerdict {
    fn from(verdict: arrival::Verdict) -> Self {
        let deciding = verdict.position.deciding.iter().map(|window| window.p_inside_ppm).min();
        let inside_ppm = deciding.or(verdict.position.fixes.p_max_ppm);
        Self {
            conclusion: match verdict.conclusion {
                arrival::Conclusion::OnTime => Conclusion::OnTime,
                arrival::Conclusion::Late => Conclusion::Late,
                arrival::Conclusion::NotOnScene => Conclusion::NotOnScene,
                arrival::Conclusion::NeedsReview => Conclusion::NeedsReview,
            },
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

impl From<Reason> for VerdictReason {
    fn from(reason: Reason) -> Self {
        Self {
            english: reason.sentence(Language::English).to_owned(),
            chinese: reason.sentence(Language::Chinese).to_owned(),
        }
    }
}

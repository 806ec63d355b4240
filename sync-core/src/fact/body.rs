//! Everything that can be stated. Numbers below 32 are stated by phones, from 32 on by the hub.
//!
//! The words are the bureau's (the rule book's names). Adding a variant needs a new number;
//! numbers are never used again.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::intake::{AnsweredFrom, Origin, Refused, RepeatOf, RepeatTakenBack};
use super::telling::{NotReached, OpinionGiven, OpinionSettled, Reopening, ToldByMessage};
use crate::id::{DeviceId, DocId, FactId, Hash, PersonId, UnitId};
use crate::place::{Datum, Fix, Position, Site};
use crate::rules::arrival::Verdict;
use crate::time::{ClockReading, Millis};

/// A statement.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Body {
    /// The order was read on a phone of its unit.
    #[n(0)]
    Accepted(#[n(0)] Accepted),
    /// A claim to be on scene (到达现场), with its evidence window.
    #[n(1)]
    Arrival(#[n(0)] ArrivalClaim),
    /// A remark.
    #[n(2)]
    Note(#[n(0)] Text),
    /// A file of evidence: its fingerprint, taken before the screen closed.
    #[n(3)]
    Evidence(#[n(0)] Manifest),
    /// What was done (处理结果).
    #[n(4)]
    Outcome(#[n(0)] OutcomeReport),
    /// A complainant who was on scene was told the result there and then.
    #[n(5)]
    Told(#[n(0)] Text),
    /// The author takes back an earlier fact of its own; both stay.
    #[n(6)]
    Withdrawal(#[n(0)] Withdrawal),
    /// Something a patrol found.
    #[n(7)]
    Finding(#[n(0)] Finding),
    /// The site is elsewhere or shaped otherwise than registered.
    #[n(8)]
    SiteCorrection(#[n(0)] Site),

    /// The case is on record (受理登陆).
    #[n(32)]
    Registered(#[n(0)] Registered),
    /// Who is responsible is unclear: coordination (协调) began; it replaces the dispatch clock.
    #[n(33)]
    CoordinationOpened(#[n(0)] Text),
    /// A dispatch order (调度指令) to a unit.
    #[n(34)]
    Ordered(#[n(0)] Ordered),
    /// The unit has received an order.
    #[n(35)]
    OrderReceived(#[n(0)] OrderReceived),
    /// An order was taken back from its unit (another one may follow).
    #[n(36)]
    OrderWithdrawn(#[n(0)] AboutOrder),
    /// An arrival was judged.
    #[n(37)]
    Judged(#[n(0)] Box<Judged>),
    /// A supervisor settled a verdict that needed review.
    #[n(38)]
    ReviewSettled(#[n(0)] ReviewSettled),
    /// The deadline of an order passed and nothing had arrived. Provisional.
    #[n(39)]
    Overdue(#[n(0)] Overdue),
    /// The unit's result, or its progress, reached the command centre (反馈).
    #[n(40)]
    FedBack(#[n(0)] FedBack),
    /// Work sent back as not good enough (退办).
    #[n(41)]
    Returned(#[n(0)] AboutOrder),
    /// Work pressed for (催办).
    #[n(42)]
    Urged(#[n(0)] AboutOrder),
    /// The complainant was told the result by the command centre.
    #[n(43)]
    ComplainantTold(#[n(0)] Text),
    /// The case is closed.
    #[n(44)]
    Closed(#[n(0)] Text),
    /// The case is open again.
    #[n(45)]
    Reopened(#[n(0)] Reopening),
    /// A phone took back what it had stated in the visit: that decides nothing any more.
    #[n(46)]
    TakenBack(#[n(0)] TakenBack),
    /// The team told a complainant on scene the result, there and then.
    #[n(47)]
    ToldOnScene(#[n(0)] ToldOnScene),
    /// A step of supervision (督察处理) was taken against a unit's work on this case.
    #[n(51)]
    MeasureTaken(#[n(0)] Measure),
    /// What came of a step of supervision.
    #[n(52)]
    MeasureConcluded(#[n(0)] MeasureConcluded),
    /// A closed case was drawn to be rechecked on scene (抽项复查): the first fact of the recheck.
    #[n(53)]
    RecheckOrdered(#[n(0)] RecheckOrdered),
    /// What a recheck on scene found, in the case.
    #[n(54)]
    Rechecked(#[n(0)] Rechecked),

    /// The case was supervised (督办): what was seen of the handling before, and what came of it.
    #[n(78)]
    Supervised(#[n(0)] Supervised),

    /// The matter is not the bureau's; the caller was told where to go instead.
    #[n(60)]
    Refused(#[n(0)] Refused),
    /// The caller was answered at once from an earlier case.
    #[n(61)]
    AnsweredFrom(#[n(0)] AnsweredFrom),
    /// A person decided that this is the matter of another case again (重复投诉).
    #[n(62)]
    RepeatOf(#[n(0)] RepeatOf),
    /// A person took such a decision back; both stay.
    #[n(63)]
    RepeatTakenBack(#[n(0)] RepeatTakenBack),
    /// The matter came from another system or a file.
    #[n(64)]
    Originated(#[n(0)] Origin),

    /// The complainant was not reached, or there is none to be told.
    #[n(74)]
    NotReached(#[n(0)] NotReached),
    /// A text message with the result was delivered: the complainant was told.
    #[n(75)]
    ToldByMessage(#[n(0)] ToldByMessage),
    /// What the complainant thinks of the result.
    #[n(76)]
    OpinionGiven(#[n(0)] OpinionGiven),
    /// A person decided what follows from a complainant's discontent.
    #[n(77)]
    OpinionSettled(#[n(0)] OpinionSettled),
}

/// See [`Body::Accepted`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Accepted {
    /// The dispatch order.
    #[n(0)]
    pub order: FactId,
}

/// A free text of at most [`TEXT_CHARS`](crate::limits::TEXT_CHARS), with who says it where the
/// hub speaks for a person.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Text {
    /// The text.
    #[n(0)]
    pub text: String,
    /// The person whom the hub speaks for; `None` on phones, where the device tells.
    #[n(1)]
    pub by: Option<PersonId>,
}

/// See [`Body::Arrival`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct ArrivalClaim {
    /// The order answered; `None` for a patrol.
    #[n(0)]
    pub order: Option<FactId>,
    /// The clocks at the inspector's tap.
    #[n(1)]
    pub tap: ClockReading,
    /// Datum of all fixes.
    #[n(2)]
    pub datum: Datum,
    /// The evidence window: fixes in the order taken.
    #[n(3)]
    pub fixes: Vec<Fix>,
}

/// See [`Body::Evidence`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Manifest {
    /// SHA-256 of the file.
    #[n(0)]
    pub sha256: Hash,
    /// Its bytes.
    #[n(1)]
    pub bytes: u64,
    /// What it is.
    #[n(2)]
    pub media: Media,
    /// Taken by the app's own camera rather than imported.
    #[n(3)]
    pub captured: bool,
    /// The clocks when it was taken.
    #[n(4)]
    pub taken: ClockReading,
    /// A fix near that moment, and its datum.
    #[n(5)]
    pub fix: Option<Fix>,
    /// Datum of `fix`.
    #[n(6)]
    pub datum: Option<Datum>,
    /// The earlier file of this visit that shows the same before: the two are a pair.
    #[n(7)]
    pub before: Option<FactId>,
}

/// Kinds of evidence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A photo.
    #[n(0)]
    Photo,
    /// A video.
    #[n(1)]
    Video,
    /// A sound recording.
    #[n(2)]
    Audio,
    /// A document.
    #[n(3)]
    Document,
}

/// What a unit did about a case.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Violation stopped.
    #[n(0)]
    Stopped,
    /// Corrected by the party.
    #[n(1)]
    Corrected,
    /// Penalty decided.
    #[n(2)]
    Penalised,
    /// Unfounded.
    #[n(3)]
    Unfounded,
    /// Already gone.
    #[n(4)]
    AlreadyGone,
    /// Cannot be found.
    #[n(5)]
    NotFound,
    /// Filed for investigation.
    #[n(6)]
    Investigation,
    /// Needs another department.
    #[n(7)]
    OtherDepartment,
    /// Needs coordination.
    #[n(8)]
    NeedsCoordination,
    /// Long-term.
    #[n(9)]
    LongTerm,
}

impl Outcome {
    /// Whether the unit may close it on the spot (当场处结), else it is complex (较复杂).
    #[must_use]
    pub const fn on_the_spot(self) -> bool {
        matches!(
            self,
            Self::Stopped
                | Self::Corrected
                | Self::Penalised
                | Self::Unfounded
                | Self::AlreadyGone
                | Self::NotFound
        )
    }

    /// Whether it must name evidence: all but *unfounded*, which a consultation may show.
    #[must_use]
    pub const fn needs_evidence(self) -> bool {
        !matches!(self, Self::Unfounded)
    }
}

/// See [`Body::Outcome`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct OutcomeReport {
    /// What was done.
    #[n(0)]
    pub outcome: Outcome,
    /// In words.
    #[n(1)]
    pub text: String,
    /// Evidence facts that show it.
    #[n(2)]
    pub evidence: Vec<FactId>,
    /// Whether a complainant who was on scene was told there and then; `None` if none was there.
    #[n(3)]
    pub complainant_told: Option<bool>,
}

/// See [`Body::Withdrawal`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Withdrawal {
    /// The fact taken back.
    #[n(0)]
    pub fact: FactId,
    /// Why.
    #[n(1)]
    pub reason: String,
}

/// See [`Body::Finding`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Finding {
    /// Kind of matter, a key of the reference data (`street_vending`, `noise` …).
    #[n(0)]
    pub matter: String,
    /// In words.
    #[n(1)]
    pub text: String,
    /// Where, in `datum`.
    #[n(2)]
    pub position: Option<Position>,
    /// Datum of `position`.
    #[n(3)]
    pub datum: Option<Datum>,
}

/// The four classes of intake.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum CaseClass {
    /// 咨询
    #[n(0)]
    Consultation,
    /// 求助
    #[n(1)]
    Help,
    /// 投诉
    #[n(2)]
    Complaint,
    /// 建议
    #[n(3)]
    Suggestion,
}

/// How a matter reached the command centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The hotline itself: registered while the caller speaks, so without a registration clock.
    #[n(0)]
    Telephone,
    /// Text message.
    #[n(1)]
    Sms,
    /// Web form.
    #[n(2)]
    Web,
    /// Letter.
    #[n(3)]
    Letter,
    /// Media report.
    #[n(4)]
    Media,
    /// Transfer from a linked line.
    #[n(5)]
    Transfer,
    /// Found by a patrol.
    #[n(6)]
    Patrol,
}

/// See [`Body::Registered`]. It never holds who complained.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Registered {
    /// Class.
    #[n(0)]
    pub class: CaseClass,
    /// Channel.
    #[n(1)]
    pub channel: Channel,
    /// Kind of matter, a key of the reference data.
    #[n(2)]
    pub matter: String,
    /// What it is about, without the complainant's name, number or address.
    #[n(3)]
    pub summary: String,
    /// When the information was received.
    #[n(4)]
    pub received_at: Millis,
    /// Where; `None` for matters without a place.
    #[n(5)]
    pub site: Option<Site>,
    /// The responsible unit is clear.
    #[n(6)]
    pub jurisdiction_clear: bool,
    /// Version of the policy in force.
    #[n(7)]
    pub policy: u32,
    /// Who registered it.
    #[n(8)]
    pub by: PersonId,
    /// A made-up case to test duty; never in statistics.
    #[n(9)]
    pub drill: bool,
    /// A grave matter, or criticism of officers: the bureau's leaders see it at once.
    #[n(10)]
    pub grave: bool,
}

/// See [`Body::Ordered`]. The moment of issue is the fact's own.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Ordered {
    /// The responsible unit.
    #[n(0)]
    pub unit: UnitId,
    /// The inspection document of this visit.
    #[n(1)]
    pub inspection: DocId,
    /// The site as ordered: a later edit does not change what arrival is judged against.
    #[n(2)]
    pub site: Option<Site>,
    /// Version of the policy in force.
    #[n(3)]
    pub policy: u32,
    /// Who issued it.
    #[n(4)]
    pub by: PersonId,
    /// Words for the unit.
    #[n(5)]
    pub text: String,
}

/// How an order counts as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Receipt {
    /// A phone of the unit fetched it.
    #[n(0)]
    Device {
        /// Which.
        #[n(0)]
        device: DeviceId,
    },
    /// The unit's duty desk confirmed it.
    #[n(1)]
    Desk {
        /// Who.
        #[n(0)]
        by: PersonId,
    },
    /// Nobody confirmed in time: a unit cannot stop the clock by staying offline.
    #[n(2)]
    Deemed,
}

/// See [`Body::OrderReceived`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct OrderReceived {
    /// The order.
    #[n(0)]
    pub order: FactId,
    /// When: the start of the 60 minutes.
    #[n(1)]
    pub at: Millis,
    /// How.
    #[n(2)]
    pub receipt: Receipt,
}

/// An act of the command centre or a supervisor about an order, with its reason.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct AboutOrder {
    /// The order.
    #[n(0)]
    pub order: FactId,
    /// Who acts.
    #[n(1)]
    pub by: PersonId,
    /// Why.
    #[n(2)]
    pub reason: String,
}

/// See [`Body::Judged`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Judged {
    /// The order.
    #[n(0)]
    pub order: FactId,
    /// The arrival claim.
    #[n(1)]
    pub arrival: FactId,
    /// When it reached the hub.
    #[n(2)]
    pub seen_at: Millis,
    /// The verdict with every number that led to it.
    #[n(3)]
    pub verdict: Verdict,
    /// SHA-256 of the [`Grounds`](crate::rules::arrival::Grounds) that the hub keeps, with which the
    /// rule comes to this verdict again; `None` in verdicts from before it kept them.
    #[n(4)]
    pub grounds: Option<Hash>,
}

/// What a supervisor decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// On scene in time.
    #[n(0)]
    OnTime,
    /// On scene too late.
    #[n(1)]
    Late,
    /// Not on scene.
    #[n(2)]
    NotOnScene,
}

/// See [`Body::ReviewSettled`]. The machine's verdict stays beside it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct ReviewSettled {
    /// The [`Body::Judged`] fact.
    #[n(0)]
    pub judged: FactId,
    /// The ruling.
    #[n(1)]
    pub ruling: Ruling,
    /// The written reason.
    #[n(2)]
    pub reason: String,
    /// The supervisor.
    #[n(3)]
    pub by: PersonId,
}

/// See [`Body::Overdue`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Overdue {
    /// The order.
    #[n(0)]
    pub order: FactId,
    /// When the time was up.
    #[n(1)]
    pub deadline: Millis,
    /// Step of the escalation ladder, from 0.
    #[n(2)]
    pub step: u32,
}

/// See [`Body::FedBack`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct FedBack {
    /// The order.
    #[n(0)]
    pub order: FactId,
    /// The outcome fact in the inspection; `None` for progress only.
    #[n(1)]
    pub outcome: Option<FactId>,
    /// What that outcome was.
    #[n(2)]
    pub result: Option<Outcome>,
    /// When the team recorded it, as far as the hub can bound it; else when it was received.
    #[n(3)]
    pub at: Millis,
    /// Files of evidence in the visit that the outcome names; `None` where no phone recorded it.
    #[n(4)]
    pub evidence: Option<u32>,
}

impl FedBack {
    /// A result that a phone recorded with nothing to show for it, where something is demanded.
    #[must_use]
    pub fn unproven(&self) -> bool {
        self.evidence == Some(0) && self.result.is_some_and(Outcome::needs_evidence)
    }
}

/// See [`Body::TakenBack`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct TakenBack {
    /// The order that the visit answers.
    #[n(0)]
    pub order: FactId,
    /// The phone's fact that was taken back.
    #[n(1)]
    pub fact: FactId,
    /// The phone's [`Withdrawal`], which holds the reason.
    #[n(2)]
    pub withdrawal: FactId,
}

/// See [`Body::ToldOnScene`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct ToldOnScene {
    /// The order that the visit answers.
    #[n(0)]
    pub order: FactId,
    /// The phone's fact that says so: [`Body::Told`], or the outcome.
    #[n(1)]
    pub fact: FactId,
}

/// The steps of supervision, mildest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum MeasureStep {
    /// Ordered to put it right (责令改正).
    #[n(0)]
    OrderToCorrect,
    /// Criticised before all units (通报批评).
    #[n(1)]
    CirculatedCriticism,
    /// Passed on to discipline (责任追究).
    #[n(2)]
    AccountabilityReferral,
}

/// What made supervision act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum MeasureCause {
    /// A supervisor's own finding.
    #[n(0)]
    Finding,
    /// Urges and returns reached the policy's number and the work was not done.
    #[n(1)]
    UrgesAndReturns,
    /// A recheck found the result false (谎报结果).
    #[n(2)]
    FalseReport,
}

/// See [`Body::MeasureTaken`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Measure {
    /// Which step.
    #[n(0)]
    pub step: MeasureStep,
    /// Why it was taken.
    #[n(1)]
    pub cause: MeasureCause,
    /// The order whose unit answers for it.
    #[n(2)]
    pub order: FactId,
    /// The reason in words.
    #[n(3)]
    pub reason: String,
    /// Who took it; `None` when the rule itself did.
    #[n(4)]
    pub by: Option<PersonId>,
}

/// See [`Body::MeasureConcluded`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct MeasureConcluded {
    /// The [`Body::MeasureTaken`] fact.
    #[n(0)]
    pub measure: FactId,
    /// What came of it.
    #[n(1)]
    pub text: String,
    /// Who says so.
    #[n(2)]
    pub by: PersonId,
}

/// See [`Body::RecheckOrdered`]. It does not say who had worked on the case.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct RecheckOrdered {
    /// Kind of matter.
    #[n(0)]
    pub matter: String,
    /// What the case was about.
    #[n(1)]
    pub summary: String,
    /// Where.
    #[n(2)]
    pub site: Option<Site>,
    /// What was reported to have been done.
    #[n(3)]
    pub result: Option<Outcome>,
    /// The supervisor who is to look.
    #[n(4)]
    pub person: PersonId,
}

/// What a recheck found. Phones state it as the matter of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum RecheckFinding {
    /// As reported.
    #[n(0)]
    Upheld,
    /// Done, but not well.
    #[n(1)]
    QualityShort,
    /// It was put right and is back (回潮).
    #[n(2)]
    Relapsed,
    /// It was never done (谎报结果).
    #[n(3)]
    FalseReport,
}

impl RecheckFinding {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Upheld, Self::QualityShort, Self::Relapsed, Self::FalseReport];

    /// As a [`Finding::matter`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upheld => "upheld",
            Self::QualityShort => "quality_short",
            Self::Relapsed => "relapsed",
            Self::FalseReport => "false_report",
        }
    }

    /// The finding of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.name() == name)
    }
}

/// See [`Body::Rechecked`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Rechecked {
    /// The order whose work was checked.
    #[n(0)]
    pub order: FactId,
    /// The recheck's document.
    #[n(1)]
    pub inspection: DocId,
    /// The supervisor's [`Finding`] in it.
    #[n(2)]
    pub fact: FactId,
    /// What was found.
    #[n(3)]
    pub finding: RecheckFinding,
    /// The supervisor.
    #[n(4)]
    pub by: PersonId,
    /// Whether the supervisor was on scene: the arrival rule, without its limit, on the last claim that
    /// they made by then and did not take back. `None` where there is none.
    #[n(5)]
    pub scene: Option<Box<Verdict>>,
}

/// How supervision looks at a case.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// By an order in writing (督办件).
    #[n(0)]
    ByOrder,
    /// On scene (现场督办).
    #[n(1)]
    OnScene,
}

/// See [`Body::Supervised`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Supervised {
    /// How.
    #[n(0)]
    pub manner: Manner,
    /// What was seen of the handling before.
    #[n(1)]
    pub handling: String,
    /// What came of the supervision.
    #[n(2)]
    pub result: String,
    /// The supervisor.
    #[n(3)]
    pub by: PersonId,
}

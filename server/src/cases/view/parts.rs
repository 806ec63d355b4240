//! The parts of a case as a screen shows them: each statement with its fact, its moment and its maker.

use onscene_sync_core::fact::body::{
    AboutOrder, MeasureCause, MeasureStep, Outcome, Receipt, RecheckFinding, Rechecked, Registered,
    ReviewSettled, Ruling, TakenBack, Text,
};
use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::fact::telling::{ReopenCause, Reopening};
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::rules::arrival::Conclusion;
use onscene_sync_core::rules::record::{Closure, Order, Stated, TakenMeasure};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::{SceneView, because};

/// How a case came on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RegistrationView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who registered it.
    pub by: PersonId,
    /// Class.
    pub class: CaseClass,
    /// Channel.
    pub channel: Channel,
    /// Kind of matter.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// When the information was received.
    pub received_at: Millis,
    /// The responsible unit is clear.
    pub jurisdiction_clear: bool,
    /// Version of the policy in force.
    pub policy: u32,
    /// A made-up case to test duty.
    pub drill: bool,
    /// For the bureau's leaders to see at once.
    pub grave: bool,
}

/// A reason that somebody gave about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReasonView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// A receipt of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReceiptView {
    /// The fact.
    pub id: FactId,
    /// When it was received.
    pub at: Millis,
    /// By a phone or for the unit.
    pub receipt: Receipt,
}

/// A step of the escalation ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OverdueView {
    /// The fact.
    pub id: FactId,
    /// When it was stated.
    pub at: Millis,
    /// Until when the team had to be there.
    pub deadline: Millis,
    /// Which step, from 1.
    pub step: u32,
    /// The team turned out to have been there in time.
    pub answered: bool,
}

/// What a unit fed back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FeedbackView {
    /// The fact.
    pub id: FactId,
    /// When it reached the hub.
    pub reached_at: Millis,
    /// When it was recorded.
    pub recorded_at: Millis,
    /// The phone's outcome that it rests on.
    pub outcome: Option<FactId>,
    /// The result; `null` for progress.
    pub result: Option<Outcome>,
    /// Files of evidence that the outcome names; `null` where no phone recorded it.
    pub evidence: Option<u32>,
    /// Nothing shows the result.
    pub unproven: bool,
    /// When and by which fact its phone took it back.
    pub taken_back: Option<TakenBackView>,
}

/// That a phone took something back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TakenBackView {
    /// The fact.
    pub id: FactId,
    /// When the hub stated it.
    pub at: Millis,
    /// The phone's fact.
    pub withdrawal: FactId,
}

/// A ruling of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettlementView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// The verdict that it settles.
    pub judged: FactId,
    /// The ruling.
    pub ruling: Ruling,
    /// The written reason.
    pub reason: String,
    /// Who.
    pub by: PersonId,
}

/// A closure or a reopening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClosureView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Which of both.
    pub kind: ClosureKind,
    /// In words.
    pub text: String,
    /// Who; `null` for the hub itself.
    pub by: Option<PersonId>,
    /// Why it was opened again.
    pub cause: Option<ReopenCause>,
}

/// Closed or opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosureKind {
    /// Closed.
    Closed,
    /// Opened again.
    Reopened,
}

/// A step of supervision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MeasureView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Which step.
    pub step: MeasureStep,
    /// What led to it.
    pub cause: MeasureCause,
    /// The order whose unit answers for it.
    pub order: FactId,
    /// Why.
    pub reason: String,
    /// Who; `null` when the rule took it.
    pub by: Option<PersonId>,
    /// What came of it.
    pub concluded: Vec<ConclusionView>,
}

/// What came of a step of supervision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConclusionView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// In words.
    pub text: String,
    /// Who.
    pub by: PersonId,
}

/// What a recheck on scene found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RecheckView {
    /// The fact.
    pub id: FactId,
    /// When the hub stated it.
    pub at: Millis,
    /// The order for the recheck.
    pub order: FactId,
    /// The recheck's document.
    pub inspection: DocId,
    /// The supervisor's own fact.
    pub fact: FactId,
    /// What was found.
    pub finding: RecheckFinding,
    /// Who was there.
    pub by: PersonId,
    /// How the arrival rule judges that; `null` where it could not.
    pub scene: Option<SceneView>,
}

pub(super) fn registered(stated: &Stated<Registered>) -> RegistrationView {
    let about = &stated.body;
    RegistrationView {
        id: stated.fact,
        at: stated.at,
        by: about.by,
        class: about.class,
        channel: about.channel,
        matter: about.matter.clone(),
        summary: about.summary.clone(),
        received_at: about.received_at,
        jurisdiction_clear: about.jurisdiction_clear,
        policy: about.policy,
        drill: about.drill,
        grave: about.grave,
    }
}

pub(super) fn reason(stated: &Stated<AboutOrder>) -> ReasonView {
    let AboutOrder { by, reason, order: _ } = stated.body.clone();
    ReasonView { id: stated.fact, at: stated.at, by, reason }
}

pub(super) fn receipts(order: &Order) -> Vec<ReceiptView> {
    let receipts = order.receipts.iter();
    receipts
        .map(|one| ReceiptView { id: one.fact, at: one.body.at, receipt: one.body.receipt })
        .collect()
}

pub(super) fn overdue(order: &Order, arrival: Option<Conclusion>) -> Vec<OverdueView> {
    let answered = arrival == Some(Conclusion::OnTime);
    let step = |id, at, deadline, step| OverdueView { id, at, deadline, step, answered };
    order
        .overdue
        .iter()
        .map(|one| step(one.fact, one.at, one.body.deadline, one.body.step))
        .collect()
}

pub(super) fn feedback(order: &Order) -> Vec<FeedbackView> {
    let feedback = order.feedback.iter().map(|one| FeedbackView {
        id: one.fact,
        reached_at: one.at,
        recorded_at: one.body.at,
        outcome: one.body.outcome,
        result: one.body.result,
        evidence: one.body.evidence,
        unproven: one.body.unproven(),
        taken_back: one.body.outcome.and_then(|outcome| order.taking_back(outcome)).map(taken_back),
    });
    feedback.collect()
}

pub(super) fn taken_back(stated: &Stated<TakenBack>) -> TakenBackView {
    TakenBackView { id: stated.fact, at: stated.at, withdrawal: stated.body.withdrawal }
}

pub(super) fn settlement(stated: &Stated<ReviewSettled>) -> SettlementView {
    let ReviewSettled { judged, ruling, reason, by } = stated.body.clone();
    SettlementView { id: stated.fact, at: stated.at, judged, ruling, reason, by }
}

pub(super) fn closure(stated: &Stated<Closure>) -> ClosureView {
    let (kind, text, by, cause) = match stated.body.clone() {
        Closure::Closed(Text { text, by }) => (ClosureKind::Closed, text, by, None),
        Closure::Reopened(Reopening { text, by, cause }) => {
            (ClosureKind::Reopened, text, by, cause)
        }
    };
    ClosureView { id: stated.fact, at: stated.at, kind, text, by, cause }
}

pub(super) fn measure(measure: &TakenMeasure) -> MeasureView {
    let Stated { fact, at, body } = &measure.taken;
    let concluded = measure.concluded.iter().map(|one| ConclusionView {
        id: one.fact,
        at: one.at,
        text: one.body.text.clone(),
        by: one.body.by,
    });
    MeasureView {
        id: *fact,
        at: *at,
        step: body.step,
        cause: body.cause,
        order: body.order,
        reason: body.reason.clone(),
        by: body.by,
        concluded: concluded.collect(),
    }
}

pub(super) fn rechecked(stated: &Stated<Rechecked>) -> RecheckView {
    let Rechecked { order, inspection, fact, finding, by, scene } = stated.body.clone();
    let scene = scene.map(|verdict| SceneView { because: because(&verdict), verdict: *verdict });
    RecheckView { id: stated.fact, at: stated.at, order, inspection, fact, finding, by, scene }
}

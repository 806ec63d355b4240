//! A case as a screen shows it: with every clock, every verdict and every number behind it.

mod first_call;
mod parts;
mod telling;

use onscene_sync_core::document::Document;
use onscene_sync_core::fact::body::{Manner, Outcome, Supervised, Text};
use onscene_sync_core::fact::{Author, Body};
use onscene_sync_core::id::{DeviceId, DocId, FactId, PersonId, UnitId};
use onscene_sync_core::rules::arrival::{Conclusion, Language, Verdict};
use onscene_sync_core::rules::clocks::{Clock, clocks};
use onscene_sync_core::rules::closing::Missing;
use onscene_sync_core::rules::phase::{Phase, phase};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::rules::record::{CaseRecord, Claim, Order, Stated};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

pub use first_call::{AnswerView, OriginView, RefusalView, RepeatView, UndoneView};
pub use parts::{
    ClosureKind, ClosureView, ConclusionView, FeedbackView, MeasureView, OverdueView, ReasonView,
    ReceiptView, RecheckView, RegistrationView, SettlementView, TakenBackView,
};

use self::telling::{NotReachedView, OpinionView};
use super::record::{Case, load};
use super::site::SiteForm;
use super::{CaseError, closing, evidence};
use crate::audit::entry::kind_of;
use crate::duty::presence::{OnDuty, on_duty};
use crate::evidence::view::{self as files, FileView};
use crate::messages::outbox::{self, Message};
use crate::store::{RowExt as _, StoreError, Tx};

/// One case, whole. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CaseView {
    /// Its document.
    pub id: DocId,
    /// Its number, for people.
    pub number: String,
    /// Its phase.
    pub phase: Option<Phase>,
    /// How it came on record.
    pub registration: RegistrationView,
    /// Where it is, in the form of `POST /v1/cases`.
    pub site: Option<SiteForm>,
    /// All clocks as they stand now.
    pub clocks: Vec<Clock>,
    /// Its orders, oldest first.
    pub orders: Vec<OrderView>,
    /// Where it came from, if from another system or a file.
    pub origin: Option<OriginView>,
    /// Why it is not the bureau's, and where the caller was sent.
    pub refused: Option<RefusalView>,
    /// Answers given at once from earlier cases.
    pub answers: Vec<AnswerView>,
    /// Decisions that it is the matter of another case again, also those taken back.
    pub repeats: Vec<RepeatView>,
    /// Whenever the complainant was told.
    pub told: Vec<Words>,
    /// Whenever the complainant was not reached.
    pub not_reached: Vec<NotReachedView>,
    /// What the complainant thinks, oldest first.
    pub opinions: Vec<OpinionView>,
    /// Text messages to the complainant, oldest first, each with what became of it.
    pub messages: Vec<Message>,
    /// What the case lacks to be closed; empty when it is closed.
    pub missing: Vec<Missing>,
    /// Closures and reopenings.
    pub closures: Vec<ClosureView>,
    /// Steps of supervision, oldest first.
    pub measures: Vec<MeasureView>,
    /// What rechecks on scene found, oldest first.
    pub rechecks: Vec<RecheckView>,
    /// What supervision of the case came to, oldest first.
    pub supervised: Vec<SupervisedView>,
    /// Every fact, oldest first.
    pub history: Vec<Entry>,
}

/// A dispatch order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OrderView {
    /// The order.
    pub id: FactId,
    /// Its unit.
    pub unit: UnitId,
    /// The visit's document.
    pub inspection: DocId,
    /// When it was issued.
    pub issued_at: Millis,
    /// By whom.
    pub by: PersonId,
    /// Words for the unit.
    pub text: String,
    /// Where, as ordered: what arrival is judged against.
    pub site: Option<SiteForm>,
    /// Each receipt.
    pub receipts: Vec<ReceiptView>,
    /// When and why it was taken back.
    pub withdrawn: Option<ReasonView>,
    /// What counts of its arrival.
    pub arrival: Option<Conclusion>,
    /// Each arrival claim with its verdicts.
    pub claims: Vec<ClaimView>,
    /// Steps of the escalation ladder; answered ones stay.
    pub overdue: Vec<OverdueView>,
    /// What the unit fed back.
    pub feedback: Vec<FeedbackView>,
    /// Work sent back.
    pub returns: Vec<ReasonView>,
    /// Work pressed for.
    pub urges: Vec<ReasonView>,
    /// What the team recorded as its outcome: several while its phones disagree.
    pub outcomes: Vec<OutcomeView>,
    /// Files of evidence of the visit.
    pub evidence: Vec<FileView>,
    /// They disagree, and nobody has decided yet.
    pub conflict: bool,
    /// Who stands by in the unit now, as long as the order stands.
    pub on_duty: Vec<OnDuty>,
}

/// An arrival claim.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClaimView {
    /// The claim, a fact of the inspection.
    pub arrival: FactId,
    /// What counts, were it not taken back.
    pub conclusion: Option<Conclusion>,
    /// When and by which fact of the visit its phone took it back: it decides nothing any more.
    pub taken_back: Option<TakenBackView>,
    /// The rule's verdicts, newest last.
    pub verdicts: Vec<VerdictView>,
    /// Rulings of supervisors, newest last.
    pub settlements: Vec<SettlementView>,
}

/// A verdict of the rule.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VerdictView {
    /// Its fact: what a settlement names.
    pub id: FactId,
    /// When it was given.
    pub at: Millis,
    /// When the claim reached the hub.
    pub seen_at: Millis,
    /// Why, one sentence each.
    pub because: Vec<Sentence>,
    /// Every number that led to it.
    pub verdict: Verdict,
}

/// Whether a supervisor was at the place of a recheck.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SceneView {
    /// Every number of the verdict.
    pub verdict: Verdict,
    /// Why, one sentence each.
    pub because: Vec<Sentence>,
}

/// A reason in both languages.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sentence {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
    /// The claim that the sentence speaks of, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<FactId>,
}

/// An outcome that a phone recorded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutcomeView {
    /// Its fact.
    pub id: FactId,
    /// The phone.
    pub device: DeviceId,
    /// What was done.
    pub outcome: Outcome,
    /// In words.
    pub text: String,
    /// Evidence facts.
    pub evidence: Vec<FactId>,
}

/// Words of a person.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Words {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// Who; `None` when a phone's fact says it.
    pub by: Option<PersonId>,
    /// What.
    pub text: String,
}

/// A supervision of the case.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SupervisedView {
    /// The fact.
    pub id: FactId,
    /// When.
    pub at: Millis,
    /// How.
    pub manner: Manner,
    /// What was seen of the handling before.
    pub handling: String,
    /// What came of it.
    pub result: String,
    /// Who says so.
    pub by: PersonId,
}

/// A fact of the history.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Entry {
    /// The fact.
    pub id: FactId,
    /// When the hub stated it.
    pub at: Millis,
    /// What it is.
    pub kind: &'static str,
}

/// A case as of `now`.
///
/// # Errors
/// [`CaseError::UnknownCase`].
pub async fn show(tx: &mut Tx, id: DocId, now: Millis) -> Result<CaseView, CaseError> {
    let case = load(tx, id, false).await?;
    let number = number_of(tx, id).await?;
    let record = &case.record;
    let registration = record.registration.as_ref().ok_or(CaseError::UnknownCase(id))?;
    let mut orders = Vec::with_capacity(record.orders.len());
    for order in &record.orders {
        let visit = evidence::document(tx, order.issued.body.inspection).await?;
        let files = files::of_visit(tx, &visit).await?;
        let on_duty = match record.ended(order) {
            None => on_duty(tx, order.issued.body.unit, now).await?,
            Some(_) => Vec::new(),
        };
        orders.push(OrderView { on_duty, ..order_view(order, &visit, files)? });
    }
    Ok(CaseView {
        id,
        number,
        phase: phase(record),
        registration: parts::registered(registration),
        site: registration.body.site.as_ref().map(SiteForm::from),
        clocks: clocks(record, &Policies::built_in(), now)?,
        orders,
        origin: record.origin.as_ref().map(first_call::origin),
        refused: record.refused.as_ref().map(first_call::refused),
        answers: record.answers.iter().map(first_call::answer).collect(),
        repeats: first_call::repeats(record),
        told: told(record),
        not_reached: record.not_reached.iter().map(telling::not_reached).collect(),
        opinions: record.opinions.iter().map(telling::opinion).collect(),
        messages: outbox::of_case(tx, id).await?,
        missing: if record.is_closed() { Vec::new() } else { closing::lacks(tx, &case).await? },
        closures: record.closures.iter().map(parts::closure).collect(),
        measures: record.measures.iter().map(parts::measure).collect(),
        rechecks: record.rechecks.iter().map(parts::rechecked).collect(),
        supervised: record.supervised.iter().map(supervised).collect(),
        history: history(&case),
    })
}

async fn number_of(tx: &mut Tx, id: DocId) -> Result<String, CaseError> {
    let row = sqlx::query("SELECT number FROM case_row WHERE case_id = $1")
        .bind(&id.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(row.ok_or(CaseError::UnknownCase(id))?.text("number")?)
}

fn order_view(
    order: &Order,
    visit: &Document,
    evidence: Vec<FileView>,
) -> Result<OrderView, CaseError> {
    let issued = &order.issued;
    let arrival = order.deciding_claim().map(|claim| claim.1);
    let standing = visit.outcomes().into_iter().filter(|id| !order.is_taken_back(*id));
    let outcomes = standing.map(|id| outcome(visit, id)).collect::<Result<Vec<_>, _>>()?;
    Ok(OrderView {
        id: issued.fact,
        unit: issued.body.unit,
        inspection: issued.body.inspection,
        issued_at: issued.at,
        by: issued.body.by,
        text: issued.body.text.clone(),
        site: issued.body.site.as_ref().map(SiteForm::from),
        receipts: parts::receipts(order),
        withdrawn: order.withdrawn.as_ref().map(parts::reason),
        arrival,
        claims: order.claims.iter().map(|one| claim(order, one)).collect(),
        overdue: parts::overdue(order, arrival),
        feedback: parts::feedback(order),
        returns: order.returns.iter().map(parts::reason).collect(),
        urges: order.urges.iter().map(parts::reason).collect(),
        evidence,
        conflict: outcomes.len() > 1,
        outcomes,
        on_duty: Vec::new(),
    })
}

fn claim(order: &Order, claim: &Claim) -> ClaimView {
    let verdicts = claim.judged.iter().map(|judged| VerdictView {
        id: judged.fact,
        at: judged.at,
        seen_at: judged.body.seen_at,
        because: because(&judged.body.verdict),
        verdict: judged.body.verdict.clone(),
    });
    ClaimView {
        arrival: claim.arrival,
        conclusion: claim.conclusion(),
        taken_back: order.taking_back(claim.arrival).map(parts::taken_back),
        verdicts: verdicts.collect(),
        settlements: claim.settled.iter().map(parts::settlement).collect(),
    }
}

fn because(verdict: &Verdict) -> Vec<Sentence> {
    let sentences = verdict.reasons.iter().map(|reason| Sentence {
        en: reason.sentence(Language::English),
        zh: reason.sentence(Language::Chinese),
        claim: reason.names(),
    });
    sentences.collect()
}

fn told(record: &CaseRecord) -> Vec<Words> {
    let tellings = record.tellings().into_iter();
    tellings
        .map(|(at, fact)| {
            let by_centre = record.told.iter().find(|told| told.fact == fact);
            let by_message = record.told_by_message.iter().find(|told| told.fact == fact);
            match (by_centre, by_message) {
                (Some(told), _) => words(told),
                (_, Some(told)) => {
                    let text = "told by text message".to_owned();
                    Words { id: fact, at, by: Some(told.body.by), text }
                }
                _ => {
                    let text = "told on scene by the team".to_owned();
                    Words { id: fact, at, by: None, text }
                }
            }
        })
        .collect()
}

fn outcome(visit: &Document, id: FactId) -> Result<OutcomeView, CaseError> {
    let (author, body) = evidence::device_fact(visit, id)?;
    let Body::Outcome(report) = body else {
        return Err(CaseError::Broken(format!("fact {id} is not an outcome")));
    };
    Ok(OutcomeView {
        id,
        device: author.device,
        outcome: report.outcome,
        text: report.text,
        evidence: report.evidence,
    })
}

fn words(stated: &Stated<Text>) -> Words {
    let Text { text, by } = stated.body.clone();
    Words { id: stated.fact, at: stated.at, by, text }
}

fn history(case: &Case) -> Vec<Entry> {
    let mut entries: Vec<Entry> = case
        .facts
        .iter()
        .filter_map(|(id, fact)| match fact.author {
            Author::Hub(at) => Some(Entry { id: *id, at, kind: kind_of(&fact.body) }),
            Author::Device(_) => None,
        })
        .collect();
    entries.sort_by_key(|entry| (entry.at, entry.id));
    entries
}

fn supervised(stated: &Stated<Supervised>) -> SupervisedView {
    let Supervised { manner, handling, result, by } = stated.body.clone();
    SupervisedView { id: stated.fact, at: stated.at, manner, handling, result, by }
}

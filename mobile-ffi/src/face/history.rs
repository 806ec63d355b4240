//! What was stated in a case and in its visits, in words of the bureau.

use onscene_sync_core::fact::body::{Receipt, Ruling};
use onscene_sync_core::fact::{Author, Body, Fact};
use onscene_sync_core::id::FactId;

use super::arrival::{ArrivalVerdict, Conclusion};
use super::complainant::{ComplainantOpinion, NoReach, OpinionDecision};
use super::convert::signed;
use super::evidence::MediaKind;
use super::place::PhoneSite;
use super::recording::{PatrolFinding, VisitOutcome, VisitReport};

/// One thing that was stated.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct HistoryEntry {
    /// The statement.
    pub fact: String,
    /// When, Unix milliseconds: by the server's clock in a case, by the wall clock of the phone that
    /// states it in a visit, which may be wrong.
    pub at_ms: i64,
    /// The phone that states it; nothing for the bureau.
    pub device: Option<String>,
    /// Its author has taken it back: it decides nothing any more, and stays on record.
    pub taken_back: bool,
    /// What was stated.
    pub event: HistoryEvent,
}

/// What can be stated. Those up to `TakenBack` are stated by the bureau in a case, the others by
/// phones in a visit.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum HistoryEvent {
    /// The case is on record (受理登陆).
    Registered {
        /// Kind of matter, a key of the reference data.
        matter: String,
        /// What it is about.
        summary: String,
    },
    /// Who is responsible is unclear: coordination (协调) began.
    CoordinationOpened {
        /// In words.
        text: String,
    },
    /// A dispatch order (调度指令); the statement's id is the order's.
    Ordered {
        /// To this unit.
        unit: String,
        /// Words for it.
        text: String,
    },
    /// The unit has received an order: the 60 minutes run.
    OrderReceived {
        /// The order.
        order: String,
        /// Since when, by the server's clock, Unix milliseconds.
        received_ms: i64,
        /// Nobody confirmed it in time, so it counts as received.
        deemed: bool,
    },
    /// An order was taken back from its unit.
    OrderWithdrawn {
        /// The order.
        order: String,
        /// Why.
        reason: String,
    },
    /// The server judged an arrival. A later judgement of the same arrival knew more.
    Judged {
        /// The order.
        order: String,
        /// The arrival, a statement of the visit.
        arrival: String,
        /// What the rule says.
        verdict: ArrivalVerdict,
    },
    /// A supervisor settled a judgement.
    Settled {
        /// The judgement.
        judged: String,
        /// As what.
        conclusion: Conclusion,
        /// Why.
        reason: String,
    },
    /// The time of an order was up and nobody was known to be on scene.
    Overdue {
        /// The order.
        order: String,
        /// When it was up, by the server's clock, Unix milliseconds.
        deadline_ms: i64,
    },
    /// A result or progress reached the command centre (反馈).
    FedBack {
        /// The order.
        order: String,
        /// What was done; nothing for progress only.
        outcome: Option<VisitOutcome>,
    },
    /// The work was sent back as not good enough (退办).
    Returned {
        /// The order.
        order: String,
        /// Why.
        reason: String,
    },
    /// The work was pressed for (催办).
    Urged {
        /// The order.
        order: String,
        /// Why.
        reason: String,
    },
    /// The command centre told the complainant the result.
    ComplainantTold {
        /// In words.
        text: String,
    },
    /// The team told the complainant on scene.
    ToldOnScene {
        /// The order.
        order: String,
    },
    /// The complainant was not reached, or there is none to be told.
    NotReached {
        /// Why.
        why: NoReach,
        /// What was tried, in words.
        text: String,
    },
    /// A text message with the result was delivered: the complainant was told.
    ToldByMessage,
    /// What the complainant thinks of the result.
    OpinionGiven {
        /// The opinion.
        opinion: ComplainantOpinion,
        /// The complainant's reason, or why it was not asked.
        reason: String,
    },
    /// It was decided what follows from a complainant's discontent.
    OpinionSettled {
        /// The statement of the opinion.
        given: String,
        /// The decision.
        decision: OpinionDecision,
        /// Why.
        reason: String,
    },
    /// The case is closed.
    Closed {
        /// In words.
        text: String,
    },
    /// The case is open again.
    Reopened {
        /// In words.
        text: String,
    },
    /// A phone took back what it had stated in the visit.
    TakenBack {
        /// The order.
        order: String,
        /// What was taken back.
        fact: String,
    },

    /// The order was read.
    Accepted,
    /// Somebody of the team is on scene (到达现场).
    Arrived {
        /// The phone's wall clock at the tap, Unix milliseconds.
        tap_wall_ms: i64,
        /// Fixes that show it.
        fixes: i64,
    },
    /// A remark.
    Noted {
        /// In words.
        text: String,
    },
    /// A file of evidence.
    FileStated {
        /// What it is.
        media: MediaKind,
        /// Its bytes.
        bytes: i64,
        /// Taken by the app's own camera, rather than copied in.
        captured: bool,
        /// The earlier file of the visit that shows the same before.
        before: Option<String>,
    },
    /// What was done (处理结果).
    Reported {
        /// The report.
        report: VisitReport,
    },
    /// The complainant was told on scene.
    Told {
        /// In words.
        text: String,
    },
    /// The phone took back an earlier statement of its own.
    Withdrew {
        /// Which.
        fact: String,
        /// Why.
        reason: String,
    },
    /// A patrol found something.
    Found {
        /// What.
        finding: PatrolFinding,
    },
    /// The site is elsewhere or shaped otherwise.
    SiteCorrected {
        /// Where it is.
        site: PhoneSite,
    },
    /// Something that this version of the library has no words for.
    Other,
}

/// Facts as a screen tells them, in their order.
pub(super) fn told(
    facts: &[(FactId, Fact)],
    is_taken_back: impl Fn(FactId) -> bool,
) -> Vec<HistoryEntry> {
    facts.iter().map(|(id, fact)| entry(*id, fact, is_taken_back(*id))).collect()
}

fn entry(id: FactId, fact: &Fact, taken_back: bool) -> HistoryEntry {
    let (at_ms, device) = match &fact.author {
        Author::Hub(at) => (at.0, None),
        Author::Device(author) => (author.clock.wall_ms, Some(author.device.to_string())),
    };
    HistoryEntry { fact: id.to_string(), at_ms, device, taken_back, event: (&fact.body).into() }
}

impl From<&Body> for HistoryEvent {
    fn from(body: &Body) -> Self {
        by_phone(body).or_else(|| by_bureau(body)).unwrap_or(Self::Other)
    }
}

fn of_complainant(body: &Body) -> Option<HistoryEvent> {
    use HistoryEvent as Event;
    Some(match body {
        Body::ComplainantTold(text) => Event::ComplainantTold { text: text.text.clone() },
        Body::ToldOnScene(told) => Event::ToldOnScene { order: told.order.to_string() },
        Body::NotReached(tried) => {
            Event::NotReached { why: tried.why.into(), text: tried.text.clone() }
        }
        Body::ToldByMessage(_) => Event::ToldByMessage,
        Body::OpinionGiven(given) => {
            Event::OpinionGiven { opinion: given.opinion.into(), reason: given.reason.clone() }
        }
        Body::OpinionSettled(settled) => Event::OpinionSettled {
            given: settled.opinion.to_string(),
            decision: settled.decision.into(),
            reason: settled.reason.clone(),
        },
        _ => return None,
    })
}

fn by_bureau(body: &Body) -> Option<HistoryEvent> {
    use HistoryEvent as Event;
    Some(match body {
        Body::Registered(case) => {
            Event::Registered { matter: case.matter.clone(), summary: case.summary.clone() }
        }
        Body::CoordinationOpened(text) => Event::CoordinationOpened { text: text.text.clone() },
        Body::Ordered(order) => {
            Event::Ordered { unit: order.unit.to_string(), text: order.text.clone() }
        }
        Body::OrderReceived(received) => Event::OrderReceived {
            order: received.order.to_string(),
            received_ms: received.at.0,
            deemed: received.receipt == Receipt::Deemed,
        },
        Body::OrderWithdrawn(about) => {
            Event::OrderWithdrawn { order: about.order.to_string(), reason: about.reason.clone() }
        }
        Body::Judged(judged) => Event::Judged {
            order: judged.order.to_string(),
            arrival: judged.arrival.to_string(),
            verdict: judged.verdict.clone().into(),
        },
        Body::ReviewSettled(settled) => Event::Settled {
            judged: settled.judged.to_string(),
            conclusion: settled.ruling.into(),
            reason: settled.reason.clone(),
        },
        Body::Overdue(overdue) => {
            Event::Overdue { order: overdue.order.to_string(), deadline_ms: overdue.deadline.0 }
        }
        Body::FedBack(fed_back) => Event::FedBack {
            order: fed_back.order.to_string(),
            outcome: fed_back.result.map(Into::into),
        },
        Body::Returned(about) => {
            Event::Returned { order: about.order.to_string(), reason: about.reason.clone() }
        }
        Body::Urged(about) => {
            Event::Urged { order: about.order.to_string(), reason: about.reason.clone() }
        }
        Body::Closed(text) => Event::Closed { text: text.text.clone() },
        Body::Reopened(text) => Event::Reopened { text: text.text.clone() },
        Body::TakenBack(taken) => {
            Event::TakenBack { order: taken.order.to_string(), fact: taken.fact.to_string() }
        }
        _ => return of_complainant(body),
    })
}

fn by_phone(body: &Body) -> Option<HistoryEvent> {
    use HistoryEvent as Event;
    Some(match body {
        Body::Accepted(_) => Event::Accepted,
        Body::Arrival(claim) => Event::Arrived {
            tap_wall_ms: claim.tap.wall_ms,
            fixes: signed(claim.fixes.len() as u64),
        },
        Body::Note(text) => Event::Noted { text: text.text.clone() },
        Body::Evidence(file) => Event::FileStated {
            media: file.media.into(),
            bytes: signed(file.bytes),
            captured: file.captured,
            before: file.before.map(|fact| fact.to_string()),
        },
        Body::Outcome(report) => Event::Reported { report: report.clone().into() },
        Body::Told(text) => Event::Told { text: text.text.clone() },
        Body::Withdrawal(withdrawal) => {
            Event::Withdrew { fact: withdrawal.fact.to_string(), reason: withdrawal.reason.clone() }
        }
        Body::Finding(finding) => Event::Found { finding: finding.clone().into() },
        Body::SiteCorrection(site) => Event::SiteCorrected { site: site.clone().into() },
        _ => return None,
    })
}

impl From<Ruling> for Conclusion {
    fn from(ruling: Ruling) -> Self {
        match ruling {
            Ruling::OnTime => Self::OnTime,
            Ruling::Late => Self::Late,
            Ruling::NotOnScene => Self::NotOnScene,
        }
    }
}

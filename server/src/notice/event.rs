//! What is told. An event is a job in the transaction that calls for it, and its notices are one
//! transaction with the job's completion: so each is told once, also right after a restart.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::fact::body::MeasureStep;
use onscene_sync_core::fact::{Body, Fact};
use onscene_sync_core::id::{DocId, FactId, PersonId, UnitId};
use onscene_sync_core::rules::escalation::{Addressee, Because, Reached};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

use super::address::staff;
use super::inbox::{Kind, Notice, give};
use super::warn;
use crate::app::App;
use crate::cases::CaseError;
use crate::cases::record::{Case, load};
use crate::jobs::{Job, JobError, NewJob, enqueue_all};
use crate::poke::Poke;
use crate::store::{StoreError, Tx};

/// Kind of the job that tells people of an event.
pub const TELL: &str = "notice.tell";

/// Something that people are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Event {
    /// A fact was stated in a case.
    Stated {
        /// The case.
        case: DocId,
        /// The fact.
        fact: FactId,
    },
    /// A clock of a case is about to run out.
    Clock {
        /// The case.
        case: DocId,
        /// Its kind.
        clock: String,
        /// Its order, for a unit's clocks.
        order: Option<FactId>,
        /// When it runs out.
        due: Millis,
    },
    /// A supervisor was given a recheck by a draw.
    Recheck {
        /// The recheck's document.
        inspection: DocId,
        /// The supervisor.
        person: PersonId,
    },
}

impl Event {
    /// Its name: no two events have one.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stated { fact, .. } => format!("fact {fact}"),
            Self::Clock { case, clock, order, due } => {
                let order = order.map(|order| order.to_string()).unwrap_or_default();
                format!("clock {clock} {case} {order} {}", due.0)
            }
            Self::Recheck { inspection, .. } => format!("recheck {inspection}"),
        }
    }

    /// The job that tells of it from `at` on.
    ///
    /// # Errors
    /// Never: events have a JSON form.
    pub fn job(&self, at: Millis) -> Result<NewJob, JobError> {
        Ok(NewJob::new(TELL, at, self)?.once(self.name()))
    }
}

/// Plans what is to be told of a case in which `facts` were just stated: of these, and of clocks that
/// are about to run out.
///
/// # Errors
/// When the database refuses.
pub async fn hear(
    tx: &mut Tx,
    case: &Case,
    facts: &[(FactId, Fact)],
    now: Millis,
) -> Result<(), CaseError> {
    let told = facts.iter().filter(|(_, fact)| is_told(&fact.body));
    let events = told.map(|(fact, _)| (Event::Stated { case: case.id, fact: *fact }, now));
    let events: Vec<_> = events.chain(warn::events(case, now)?).collect();
    let jobs = events.iter().map(|(event, at)| event.job(*at));
    enqueue_all(tx, &jobs.collect::<Result<Vec<_>, _>>()?).await?;
    Ok(())
}

fn is_told(body: &Body) -> bool {
    match body {
        Body::Overdue(_) => true,
        Body::Registered(registered) => registered.grave,
        Body::MeasureTaken(measure) => measure.step == MeasureStep::AccountabilityReferral,
        _ => false,
    }
}

/// Handler of [`TELL`].
pub fn run<'t>(
    tx: &'t mut Tx,
    app: &'t App,
    job: &'t Job,
) -> BoxFuture<'t, Result<Vec<Poke>, JobError>> {
    async move {
        let event: Event = job.payload()?;
        tell(tx, &event, app.now()).await?;
        Ok(Vec::new())
    }
    .boxed()
}

async fn tell(tx: &mut Tx, event: &Event, now: Millis) -> Result<(), CaseError> {
    let (notice, to) = match event {
        Event::Recheck { inspection, person } => {
            // Nobody stands in: who else is told could warn the unit.
            let notice = Notice { inspection: Some(*inspection), ..Notice::new(Kind::Recheck) };
            return Ok(give(tx, event, &notice, [(*person, Because::Person)], now).await?);
        }
        Event::Stated { case, fact } => stated(&load(tx, *case, false).await?, *fact)?,
        Event::Clock { case, clock, order, due } => {
            let case = load(tx, *case, false).await?;
            let Some(told) = warn::still(&case, clock, *order, *due, now)? else { return Ok(()) };
            told
        }
    };
    let reached = address(tx, &notice, &to, now).await?;
    Ok(give(tx, event, &notice, reached.people, now).await?)
}

/// The people of some posts. That a post has nobody is said to the command centre instead.
async fn address(
    tx: &mut Tx,
    notice: &Notice,
    to: &[Addressee],
    now: Millis,
) -> Result<Reached, StoreError> {
    let staff = staff(tx, now).await?;
    let mut reached = staff.reach(to, notice.unit);
    if !reached.nobody.is_empty() {
        for person in staff.last_resort() {
            reached.people.entry(*person).or_insert(Because::Centre);
        }
    }
    Ok(reached)
}

/// What is told of a fact, and to whom.
fn stated(case: &Case, fact: FactId) -> Result<(Notice, Vec<Addressee>), CaseError> {
    let body = case.facts.iter().find(|one| one.0 == fact).map(|one| &one.1.body);
    let about = |kind| Notice { case: Some(case.id), ..Notice::new(kind) };
    let of_order = |kind, order: FactId| -> Result<Notice, CaseError> {
        let unit: UnitId = case.order(order)?.issued.body.unit;
        Ok(Notice { order: Some(order), unit: Some(unit), ..about(kind) })
    };
    match body {
        Some(Body::Registered(_)) => {
            Ok((about(Kind::Grave), vec![Addressee::BureauLeaders, Addressee::CentreDuty]))
        }
        Some(Body::MeasureTaken(measure)) => {
            let notice = of_order(Kind::Referral, measure.order)?;
            Ok((notice, vec![Addressee::BureauLeaders, Addressee::Supervision]))
        }
        Some(Body::Overdue(overdue)) => {
            let policy = case.order(overdue.order)?.issued.body.policy;
            let step = usize::try_from(overdue.step).unwrap_or(usize::MAX);
            let policies = Policies::built_in();
            let rung = policies.get(policy)?.escalation.get(step).cloned();
            let notice = Notice {
                step: Some(overdue.step),
                due: Some(overdue.deadline),
                ..of_order(Kind::Overdue, overdue.order)?
            };
            Ok((notice, rung.map_or_else(Vec::new, |rung| rung.to)))
        }
        _ => Err(CaseError::Broken(format!("case {} has no fact {fact} to tell of", case.id))),
    }
}

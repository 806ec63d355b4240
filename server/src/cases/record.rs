//! A case as its document's facts tell it, read under a lock; and stating more facts in it.

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::{Author, Body, Fact, envelope};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::rules::policy::{Policies, Policy};
use onscene_sync_core::rules::record::{CaseRecord, Order};
use onscene_sync_core::time::Millis;

use super::{CaseError, closing, deadline, project, rejudge};
use crate::app::App;
use crate::hub::append::append;
use crate::hub::{HubError, documents};
use crate::notice::event;
use crate::poke::Poke;
use crate::store::Tx;
use crate::vault::guard;

/// A clock set back by more than this was far ahead before: an operator has to look at what was
/// stated then, and nothing more is to be stated in that future.
const SET_BACK_MS: i64 = 3_600_000;

/// A case inside a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its document.
    pub id: DocId,
    /// All facts of the document.
    pub facts: Vec<(FactId, Fact)>,
    /// What they add up to.
    pub record: CaseRecord,
}

/// Facts just stated, and what to ring once they are committed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stated {
    /// Their ids, in the order of their bodies.
    pub facts: Vec<FactId>,
    /// For [`Pokes::ring`](crate::poke::Pokes::ring).
    pub pokes: Vec<Poke>,
}

impl Stated {
    /// Adds what came after.
    pub fn then(&mut self, more: Self) {
        self.facts.extend(more.facts);
        self.pokes.extend(more.pokes);
    }
}

/// Reads a case. With `lock`, nobody else writes to it until the transaction ends.
///
/// # Errors
/// [`CaseError::UnknownCase`] when there is no such document or it is not a case.
pub async fn load(tx: &mut Tx, id: DocId, lock: bool) -> Result<Case, CaseError> {
    let rows = documents::rows(tx, [id], lock).await?;
    let row = rows.get(&id).filter(|row| row.kind == DocKind::Case);
    let row = row.ok_or(CaseError::UnknownCase(id))?;
    let document = documents::load(tx, row).await?;
    let facts = document
        .facts()
        .into_iter()
        .map(|(fact, bytes)| match envelope::read(&bytes) {
            Ok(read) => Ok((fact, read)),
            Err(error) => Err(HubError::Corrupt { doc: id, detail: format!("{fact}: {error}") }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let record = CaseRecord::from_facts(facts.iter().cloned());
    Ok(Case { id, facts, record })
}

impl Case {
    /// States `bodies`, brings the row that lists find the case by up to date, and plans the jobs
    /// that its clocks call for.
    ///
    /// # Errors
    /// [`CaseError::Exposed`] when a text would give a person away; when the hub cannot write.
    pub async fn state(
        &mut self,
        tx: &mut Tx,
        app: &App,
        bodies: Vec<Body>,
    ) -> Result<Stated, CaseError> {
        guard::check_facts(tx, app, self.id, &bodies).await?.map_err(CaseError::Exposed)?;
        let at = self.moment_for(&bodies, app.now());
        let appended = append(tx, app, self.id, at, bodies).await?;
        let facts = appended.facts.iter().map(|(id, _)| *id).collect();
        self.facts.extend(appended.facts.iter().cloned());
        self.record = CaseRecord::from_facts(self.facts.iter().cloned());
        for (_, fact) in &appended.facts {
            if let Body::OrderReceived(received) = &fact.body {
                rejudge::expect_for_receipt(tx, self.order(received.order)?, app.now()).await?;
            }
        }
        project::write(tx, self).await?;
        deadline::plan(tx, self, app.now()).await?;
        event::hear(tx, self, &appended.facts, app.now()).await?;
        closing::plan(tx, app, self).await?;
        Ok(Stated { facts, pokes: appended.pokes })
    }

    /// When `bodies` are stated if the clock shows `now`. Facts are read in the order of their
    /// moments, so a clock set back a little must not put what is newer before what it replaces.
    fn moment_for(&self, bodies: &[Body], now: Millis) -> Millis {
        let Some(newest) = self.newest() else { return now };
        let replaces = |body: &Body| {
            matches!(
                body,
                Body::Judged(_) | Body::ReviewSettled(_) | Body::Closed(_) | Body::Reopened(_)
            )
        };
        let behind = newest.since(now);
        if (1..=SET_BACK_MS).contains(&behind) || behind == 0 && bodies.iter().any(replaces) {
            newest.plus(1)
        } else {
            now
        }
    }

    /// When the hub stated the newest of its facts.
    fn newest(&self) -> Option<Millis> {
        let stated = self.facts.iter().filter_map(|(_, fact)| match fact.author {
            Author::Hub(at) => Some(at),
            Author::Device(_) => None,
        });
        stated.max()
    }

    /// The order of this id.
    ///
    /// # Errors
    /// [`CaseError::UnknownOrder`].
    pub fn order(&self, id: FactId) -> Result<&Order, CaseError> {
        self.record.order(id).ok_or(CaseError::UnknownOrder(id))
    }

    /// The order of this id, if its unit is still to work on it.
    ///
    /// # Errors
    /// [`CaseError::UnknownOrder`], or a conflict when it was withdrawn or the case is closed.
    pub fn live_order(&self, id: FactId) -> Result<&Order, CaseError> {
        let order = self.order(id)?;
        if self.record.ended(order).is_some() {
            return Err(CaseError::Conflict {
                code: "order_over",
                why: format!("order {id} was withdrawn or its case closed: use the newest order"),
            });
        }
        Ok(order)
    }

    /// Refuses when the case is closed.
    ///
    /// # Errors
    /// A conflict.
    pub fn require_open(&self) -> Result<(), CaseError> {
        if self.record.is_closed() {
            return Err(CaseError::Conflict {
                code: "case_closed",
                why: "the case is closed: reopen it first".to_owned(),
            });
        }
        Ok(())
    }
}

/// The policy in force when a case was registered, by which it is judged.
///
/// # Errors
/// When this program does not know it, or the case has no registration.
pub fn policy_of(record: &CaseRecord) -> Result<Policy, CaseError> {
    let registration = record.registration.as_ref();
    let registration =
        registration.ok_or_else(|| CaseError::Broken("no registration".to_owned()))?;
    Ok(Policies::built_in().get(registration.body.policy)?.clone())
}

/// The policy that new facts name.
///
/// # Errors
/// Never with the built-in policies.
pub fn policy_in_force() -> Result<Policy, CaseError> {
    let newest = Policies::built_in().newest().cloned();
    newest.ok_or_else(|| CaseError::Broken("no policy is known".to_owned()))
}

//! Repeats: a person decides that a case is the matter of another one again. Cases that such decisions
//! join are a chain; the chains are worked out from the links and can be worked out anew.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::intake::{RepeatOf, RepeatTakenBack};
use onscene_sync_core::id::{DocId, FactId, PersonId};
use onscene_sync_core::likeness::Pairs;
use onscene_sync_core::place::plane::distance_m;
use onscene_sync_core::rules::record::CaseRecord;
use onscene_sync_core::rules::repeat::{Pair, chains, weigh};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::app::App;
use crate::cases::record::{Case, Stated, load};
use crate::cases::{CaseError, optional_text, required_text};
use crate::store::{RowExt as _, Store, StoreError, Tx};

/// The cases that people joined to one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Chain {
    /// All of them, oldest first; empty when there are none.
    pub cases: Vec<Member>,
    /// The decisions that join them.
    pub links: Vec<Link>,
}

/// A case of a chain.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Member {
    /// The case.
    pub case: DocId,
    /// Its number.
    pub number: String,
    /// Its phase.
    pub phase: String,
    /// When it was registered.
    pub registered_at: Millis,
}

/// A decision that stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Link {
    /// The statement: what is named to take it back.
    pub id: FactId,
    /// The case that it stands in.
    pub case: DocId,
    /// The case whose matter that is again.
    pub of: DocId,
    /// When it was decided.
    pub at: Millis,
}

/// The case `other` that something is said of in the case `id`.
///
/// # Errors
/// [`CaseError::Invalid`] names `field` when there is none, when it is the case itself, or a drill.
pub(super) async fn other(
    tx: &mut Tx,
    id: DocId,
    other: DocId,
    field: &'static str,
) -> Result<Case, CaseError> {
    let invalid = |why: String| CaseError::Invalid { field, why };
    if other == id {
        return Err(invalid("names the case itself: name the other one".to_owned()));
    }
    let case = match load(tx, other, false).await {
        Err(CaseError::UnknownCase(_)) => {
            return Err(invalid(format!("names no case: there is none with the id {other}")));
        }
        found => found?,
    };
    let drill = case.record.registration.as_ref().is_some_and(|one| one.body.drill);
    if drill {
        Err(invalid("names a drill: a real matter repeats none".to_owned()))
    } else {
        Ok(case)
    }
}

/// States that the case `id` is the matter of `of` again. Saying it twice says it once.
///
/// # Errors
/// [`CaseError::UnknownCase`]; [`CaseError::Invalid`] as [`other`] has it.
pub async fn link(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    of: DocId,
    reason: &str,
) -> Result<Stated, CaseError> {
    optional_text("reason", reason)?;
    let mut case = load(tx, id, true).await?;
    let of = other(tx, id, of, "case").await?;
    state(tx, app, &mut case, &of, by, reason).await
}

pub(super) async fn state(
    tx: &mut Tx,
    app: &App,
    case: &mut Case,
    of: &Case,
    by: PersonId,
    reason: &str,
) -> Result<Stated, CaseError> {
    if case.record.standing_repeats().any(|repeat| repeat.body.case == of.id) {
        return Ok(Stated::default());
    }
    if case.record.registration.as_ref().is_some_and(|one| one.body.drill) {
        let why = "the case is a drill: it repeats no real matter".to_owned();
        return Err(CaseError::Conflict { code: "drill", why });
    }
    let score = weigh_two(&case.record, &of.record);
    let repeat = RepeatOf { case: of.id, score, reason: reason.to_owned(), by };
    let stated = case.state(tx, app, vec![Body::RepeatOf(repeat)]).await?;
    if let Some(fact) = stated.facts.first() {
        join(tx, *fact, case.id, of.id, app.now()).await?;
    }
    Ok(stated)
}

/// The points of two cases by their facts. Who called is in no fact.
fn weigh_two(one: &CaseRecord, other: &CaseRecord) -> u8 {
    let (Some(one), Some(other)) = (&one.registration, &other.registration) else { return 0 };
    let sites = one.body.site.as_ref().zip(other.body.site.as_ref());
    let text = Pairs::of(&one.body.summary).likeness(&Pairs::of(&other.body.summary));
    let (score, _) = weigh(&Pair {
        distance_m: sites.map(|(a, b)| distance_m(a.centre(), b.centre())),
        apart_ms: one.at.since(other.at),
        same_matter: one.body.matter == other.body.matter,
        text,
        same_caller: false,
    });
    score
}

/// Takes back the decision `statement` of the case `id`; both stay on record.
///
/// # Errors
/// [`CaseError::Invalid`] when the case has no such decision that stands.
pub async fn take_back(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    statement: FactId,
    reason: &str,
) -> Result<Stated, CaseError> {
    required_text("reason", reason)?;
    let mut case = load(tx, id, true).await?;
    if !case.record.standing_repeats().any(|repeat| repeat.fact == statement) {
        let why = format!("names no decision of this case that stands: {statement}");
        return Err(CaseError::Invalid { field: "statement", why });
    }
    let taken = RepeatTakenBack { statement, reason: reason.to_owned(), by };
    let stated = case.state(tx, app, vec![Body::RepeatTakenBack(taken)]).await?;
    part(tx, statement, id).await?;
    Ok(stated)
}

/// Waits until nobody else joins or parts chains. Taken last in a transaction, so that nobody who
/// holds it waits for anything.
async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    let lock = tx.engine().for_update();
    let sql = format!("SELECT value FROM meta WHERE key = 'repeat_chains'{lock}");
    sqlx::query(AssertSqlSafe(sql)).fetch_one(tx.conn()).await?;
    Ok(())
}

async fn join(
    tx: &mut Tx,
    fact: FactId,
    case: DocId,
    of: DocId,
    at: Millis,
) -> Result<(), StoreError> {
    const LINK: &str =
        "INSERT INTO repeat_link (fact_id, case_id, of_case, stated_at) VALUES ($1, $2, $3, $4)";
    const BEGIN: &str = "INSERT INTO repeat_chain (case_id, chain) VALUES ($1, $2) \
         ON CONFLICT (case_id) DO NOTHING";
    const UNITE: &str = "UPDATE repeat_chain SET chain = $1 WHERE chain = $2";
    lock(tx).await?;
    let link = sqlx::query(LINK).bind(&fact.as_bytes()[..]).bind(&case.as_bytes()[..]);
    link.bind(&of.as_bytes()[..]).bind(at.0).execute(tx.conn()).await?;
    let one = chain_of(tx, case).await?.unwrap_or(case);
    let other = chain_of(tx, of).await?.unwrap_or(of);
    let (name, gone) = (one.min(other), one.max(other));
    for member in [case, of] {
        let begin = sqlx::query(BEGIN).bind(&member.as_bytes()[..]);
        begin.bind(&name.as_bytes()[..]).execute(tx.conn()).await?;
    }
    let unite = sqlx::query(UNITE).bind(&name.as_bytes()[..]).bind(&gone.as_bytes()[..]);
    unite.execute(tx.conn()).await?;
    Ok(())
}

/// Removes a link and works out anew what its chain falls into.
async fn part(tx: &mut Tx, statement: FactId, case: DocId) -> Result<(), StoreError> {
    lock(tx).await?;
    let Some(chain) = chain_of(tx, case).await? else { return Ok(()) };
    sqlx::query("DELETE FROM repeat_link WHERE fact_id = $1")
        .bind(&statement.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    let rest = chains(links(tx, chain).await?.iter().map(|link| (link.case, link.of)));
    sqlx::query("DELETE FROM repeat_chain WHERE chain = $1")
        .bind(&chain.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    for (member, chain) in rest {
        sqlx::query("INSERT INTO repeat_chain (case_id, chain) VALUES ($1, $2)")
            .bind(&member.as_bytes()[..])
            .bind(&chain.as_bytes()[..])
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// The chain that a case is in, by its name.
///
/// # Errors
/// When the database refuses.
pub async fn chain_of(tx: &mut Tx, case: DocId) -> Result<Option<DocId>, StoreError> {
    let query = sqlx::query("SELECT chain FROM repeat_chain WHERE case_id = $1");
    let row = query.bind(&case.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    row.map(|row| Ok(DocId::from_bytes(row.array("chain")?))).transpose()
}

/// The cases of the chain that a case is in.
pub(super) async fn members(tx: &mut Tx, case: DocId) -> Result<BTreeSet<DocId>, StoreError> {
    const SQL: &str = "SELECT case_id FROM repeat_chain \
         WHERE chain = (SELECT chain FROM repeat_chain WHERE case_id = $1)";
    let rows = sqlx::query(SQL).bind(&case.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(DocId::from_bytes(row.array("case_id")?))).collect()
}

async fn links(tx: &mut Tx, chain: DocId) -> Result<Vec<Link>, StoreError> {
    const SQL: &str = "SELECT l.fact_id, l.case_id, l.of_case, l.stated_at FROM repeat_link l \
         JOIN repeat_chain c ON c.case_id = l.case_id WHERE c.chain = $1 \
         ORDER BY l.stated_at, l.fact_id";
    let rows = sqlx::query(SQL).bind(&chain.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(read_link).collect()
}

fn read_link(row: &AnyRow) -> Result<Link, StoreError> {
    Ok(Link {
        id: FactId::from_bytes(row.array("fact_id")?),
        case: DocId::from_bytes(row.array("case_id")?),
        of: DocId::from_bytes(row.array("of_case")?),
        at: row.millis("stated_at")?,
    })
}

/// The chain of a case, with its links.
///
/// # Errors
/// When the database refuses.
pub async fn chain(tx: &mut Tx, case: DocId) -> Result<Chain, StoreError> {
    const SQL: &str = "SELECT c.case_id, r.number, r.phase, r.registered_at FROM repeat_chain c \
         JOIN case_row r ON r.case_id = c.case_id WHERE c.chain = $1 \
         ORDER BY r.registered_at, r.number";
    let Some(chain) = chain_of(tx, case).await? else { return Ok(Chain::default()) };
    let rows = sqlx::query(SQL).bind(&chain.as_bytes()[..]).fetch_all(tx.conn()).await?;
    let member = |row: &AnyRow| {
        Ok(Member {
            case: DocId::from_bytes(row.array("case_id")?),
            number: row.text("number")?,
            phase: row.text("phase")?,
            registered_at: row.millis("registered_at")?,
        })
    };
    let cases = rows.iter().map(member).collect::<Result<_, StoreError>>()?;
    Ok(Chain { cases, links: links(tx, chain).await? })
}

/// What of a case's links is not as its facts say.
///
/// # Errors
/// When the database refuses.
pub async fn fault(
    tx: &mut Tx,
    case: DocId,
    record: &CaseRecord,
) -> Result<Option<String>, StoreError> {
    const SQL: &str =
        "SELECT fact_id, case_id, of_case, stated_at FROM repeat_link WHERE case_id = $1";
    let rows = sqlx::query(SQL).bind(&case.as_bytes()[..]).fetch_all(tx.conn()).await?;
    let found = rows.iter().map(|row| read_link(row).map(|link| (link.id, link.of)));
    let found = found.collect::<Result<BTreeSet<_>, StoreError>>()?;
    let expected: BTreeSet<_> =
        record.standing_repeats().map(|repeat| (repeat.fact, repeat.body.case)).collect();
    let differs = found != expected;
    Ok(differs.then(|| format!("case {case}: its links are {found:?}, its facts say {expected:?}")))
}

/// Works all chains out anew from the links and names the cases that stand in another one.
///
/// # Errors
/// When the database cannot be read.
pub async fn faults(store: &Store) -> Result<Vec<String>, StoreError> {
    const LINKS: &str = "SELECT fact_id, case_id, of_case, stated_at FROM repeat_link";
    let read = store.with_read("verify.chains", (), |tx, ()| {
        Box::pin(async move {
            let rows = sqlx::query(LINKS).fetch_all(tx.conn()).await.map_err(StoreError::from)?;
            let links = rows.iter().map(read_link).collect::<Result<Vec<_>, StoreError>>()?;
            let rows = sqlx::query("SELECT case_id, chain FROM repeat_chain");
            let rows = rows.fetch_all(tx.conn()).await.map_err(StoreError::from)?;
            let pair = |row: &AnyRow| {
                let case = DocId::from_bytes(row.array("case_id")?);
                Ok((case, DocId::from_bytes(row.array("chain")?)))
            };
            let found = rows.iter().map(pair).collect::<Result<BTreeMap<_, _>, StoreError>>()?;
            Ok::<_, StoreError>((links, found))
        })
    });
    let (links, found) = read.await?;
    let expected = chains(links.iter().map(|link| (link.case, link.of)));
    let cases: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differ = cases.into_iter().filter(|case| expected.get(case) != found.get(case));
    Ok(differ
        .map(|case| {
            let (found, expected) = (found.get(case), expected.get(case));
            format!("case {case}: its chain is {found:?}, the links say {expected:?}")
        })
        .collect())
}

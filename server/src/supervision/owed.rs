//! Which cases supervision owes something: hard cases (难点), which came again over three or more
//! handling periods, and media reports.

use std::collections::BTreeMap;

use onscene_sync_core::fact::body::{Channel, Manner};
use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::rules::policy::Policy;
use onscene_sync_core::rules::repeat::handling_periods;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::supervise::word;
use crate::auth::{SWEEP, Sweep};
use crate::cases::narrow::{About, Narrow};
use crate::store::{RowExt as _, StoreError, Tx};

/// Handling periods that make a matter hard.
pub const PERIODS: usize = 3;
/// Matters, or cases, in one answer; the newest.
const SHOWN: i64 = 200;

/// A matter that came again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HardCase {
    /// Over how many handling periods.
    pub periods: usize,
    /// Its cases within reach with the handling before, oldest first.
    pub cases: Vec<Handled>,
    /// When it was supervised on scene since it last came in the period.
    pub concluded_at: Option<Millis>,
    /// The case in which the conclusion stands, as `supervised`.
    pub concluded_in: Option<DocId>,
    /// Supervision on scene is owed.
    pub owed: bool,
}

/// How a case was handled. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Handled {
    /// The case.
    pub case: DocId,
    /// Its number.
    pub number: String,
    /// Its kind of matter.
    pub matter: String,
    /// Its phase.
    pub phase: String,
    /// When it was registered.
    pub registered_at: Millis,
    /// The unit of its newest order.
    pub unit: Option<UnitId>,
    /// What that unit reported to have done, such as `stopped`; empty while nothing stands.
    pub result: String,
    /// What counts of its arrival, such as `on_time`.
    pub verdict: Option<String>,
    /// Times that its work was sent back.
    pub returns: i64,
    /// When it was closed.
    pub closed_at: Option<Millis>,
}

/// A media report with what supervision owes it. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MediaCase {
    /// The case.
    pub case: DocId,
    /// Its number.
    pub number: String,
    /// When it was registered.
    pub registered_at: Millis,
    /// The unit of its newest order.
    pub unit: Option<UnitId>,
    /// When it was first supervised by order.
    pub by_order_at: Option<Millis>,
    /// When it was first supervised on scene.
    pub on_scene_at: Option<Millis>,
    /// What is owed still.
    pub owed: Vec<Manner>,
}

/// The cases that were hard at `until`, of which one came in `[from, until)`, to a unit of `sweep`, the newest
/// first. What has come since belongs to a later period; what was concluded since counts.
///
/// # Errors
/// When the database refuses.
pub async fn hard(
    tx: &mut Tx,
    sweep: &Sweep,
    (from, until): (Millis, Millis),
    policy: &Policy,
) -> Result<Vec<HardCase>, StoreError> {
    let mut found = Vec::new();
    for chain in chains(tx, sweep, (from, until)).await? {
        let members = members(tx, sweep, chain, until).await?;
        let came: Vec<_> = members.iter().map(|member| member.0.registered_at).collect();
        let periods = handling_periods(&came, policy);
        if periods < PERIODS {
            continue;
        }
        let last = came.iter().max().copied().unwrap_or(from);
        let concluded = conclusion(tx, chain, last).await?;
        found.push(HardCase {
            periods,
            cases: members.into_iter().filter(|member| member.1).map(|member| member.0).collect(),
            concluded_at: concluded.map(|one| one.1),
            concluded_in: concluded.map(|one| one.0),
            owed: concluded.is_none(),
        });
    }
    Ok(found)
}

/// Chains of enough cases, the newest of which up to its end came in the period. Fewer cases than periods
/// are too few.
async fn chains(
    tx: &mut Tx,
    sweep: &Sweep,
    (from, until): (Millis, Millis),
) -> Result<Vec<DocId>, StoreError> {
    let sql = format!(
        "{SWEEP} SELECT n.chain FROM repeat_chain n JOIN case_row c ON c.case_id = n.case_id \
         WHERE c.registered_at < $5 GROUP BY n.chain HAVING count(*) >= $6 \
         AND max(c.registered_at) >= $4 \
         AND max(CASE WHEN $1 = 1 OR c.unit_id IN (SELECT unit_id FROM sweep) THEN 1 ELSE 0 END) = 1 \
         ORDER BY max(c.registered_at) DESC, n.chain LIMIT $7"
    );
    let query = reach(sqlx::query(AssertSqlSafe(sql)), sweep).bind(from.0).bind(until.0);
    let query = query.bind(i64::try_from(PERIODS).unwrap_or(i64::MAX)).bind(SHOWN);
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(DocId::from_bytes(row.array("chain")?))).collect()
}

/// The cases of a chain that came before `until`, oldest first, each with whether it is within reach.
async fn members(
    tx: &mut Tx,
    sweep: &Sweep,
    chain: DocId,
    until: Millis,
) -> Result<Vec<(Handled, bool)>, StoreError> {
    let sql = format!(
        "{SWEEP} SELECT c.case_id, c.number, c.matter, c.phase, c.registered_at, c.unit_id, \
         o.result, c.verdict, o.returns, c.closed_at, CAST(CASE WHEN $1 = 1 \
         OR c.unit_id IN (SELECT unit_id FROM sweep) THEN 1 ELSE 0 END AS BIGINT) AS reached \
         FROM repeat_chain n JOIN case_row c ON c.case_id = n.case_id \
         LEFT JOIN dispatch_order o ON o.order_id = c.order_id \
         WHERE n.chain = $4 AND c.registered_at < $5 AND $3 = $3 ORDER BY c.registered_at, c.case_id"
    );
    let query = reach(sqlx::query(AssertSqlSafe(sql)), sweep).bind(chain.as_bytes().to_vec());
    let rows = query.bind(until.0).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((handled(row)?, row.int("reached")? == 1))).collect()
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

fn reach<'q>(query: Query<'q>, sweep: &Sweep) -> Query<'q> {
    query
        .bind(i64::from(sweep.everything))
        .bind(sweep.unit.as_bytes().to_vec())
        .bind(i64::from(sweep.below))
}

/// The newest supervision on scene of a chain's cases from `since` on.
async fn conclusion(
    tx: &mut Tx,
    chain: DocId,
    since: Millis,
) -> Result<Option<(DocId, Millis)>, StoreError> {
    let sql = "SELECT s.case_id, s.stated_at FROM repeat_chain n \
               JOIN supervised s ON s.case_id = n.case_id \
               WHERE n.chain = $1 AND s.manner = $2 AND s.stated_at >= $3 \
               ORDER BY s.stated_at DESC LIMIT 1";
    let query = sqlx::query(sql).bind(&chain.as_bytes()[..]).bind(word(Manner::OnScene));
    let row = query.bind(since.0).fetch_optional(tx.conn()).await?;
    row.map(|row| Ok((DocId::from_bytes(row.array("case_id")?), row.millis("stated_at")?)))
        .transpose()
}

fn handled(row: &AnyRow) -> Result<Handled, StoreError> {
    Ok(Handled {
        case: DocId::from_bytes(row.array("case_id")?),
        number: row.text("number")?,
        matter: row.text("matter")?,
        phase: row.text("phase")?,
        registered_at: row.millis("registered_at")?,
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        result: row.opt_text("result")?.unwrap_or_default(),
        verdict: row.opt_text("verdict")?,
        returns: row.opt_int("returns")?.unwrap_or_default(),
        closed_at: row.opt_millis("closed_at")?,
    })
}

/// Media reports registered in `[from, until)`, drills left out, the newest first; with `owed` only
/// those that something is owed.
///
/// # Errors
/// When the database refuses.
pub async fn media(
    tx: &mut Tx,
    sweep: &Sweep,
    (from, until): (Millis, Millis),
    owed: bool,
) -> Result<Vec<MediaCase>, StoreError> {
    let mut narrow = Narrow::within(sweep, "c.unit_id");
    let channel = Some(Channel::Media);
    narrow.about(&About { channel, drill: Some(false), ..About::default() });
    narrow.and("c.registered_at >= ? AND c.registered_at < ?", [from.into(), until.into()]);
    let mut first = BTreeMap::new();
    for manner in [Manner::ByOrder, Manner::OnScene] {
        let place = narrow.place(word(manner).into());
        first.insert(
            manner,
            format!(
                "(SELECT min(s.stated_at) FROM supervised s \
             WHERE s.case_id = c.case_id AND s.manner = {place})"
            ),
        );
    }
    let [by_order, on_scene] = [Manner::ByOrder, Manner::OnScene].map(|one| first[&one].clone());
    if owed {
        narrow.and(&format!("({by_order} IS NULL OR {on_scene} IS NULL)"), []);
    }
    let limit = narrow.place(SHOWN.into());
    let select = format!(
        "c.case_id, c.number, c.registered_at, c.unit_id, {by_order} AS by_order, \
         {on_scene} AS on_scene FROM case_row c"
    );
    let tail = format!("ORDER BY c.registered_at DESC, c.case_id DESC LIMIT {limit}");
    narrow.fetch(tx, &select, &tail).await?.iter().map(media_case).collect()
}

fn media_case(row: &AnyRow) -> Result<MediaCase, StoreError> {
    let by_order_at = row.opt_millis("by_order")?;
    let on_scene_at = row.opt_millis("on_scene")?;
    let done = [(Manner::ByOrder, by_order_at), (Manner::OnScene, on_scene_at)];
    Ok(MediaCase {
        case: DocId::from_bytes(row.array("case_id")?),
        number: row.text("number")?,
        registered_at: row.millis("registered_at")?,
        unit: row.opt_array("unit_id")?.map(UnitId::from_bytes),
        by_order_at,
        on_scene_at,
        owed: done.into_iter().filter(|one| one.1.is_none()).map(|one| one.0).collect(),
    })
}

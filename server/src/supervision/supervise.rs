//! Supervision of cases (督办): what was seen of the handling before, and what came of it. Hard cases
//! are supervised on scene, media reports by order and on scene.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manner, Supervised};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;

use crate::app::App;
use crate::cases::project::name;
use crate::cases::record::{Case, Stated, load};
use crate::cases::{CaseError, required_text};
use crate::store::{RowExt as _, StoreError, Tx};

/// Puts on record that a case was supervised.
///
/// # Errors
/// [`CaseError::UnknownCase`]; [`CaseError::Invalid`] when either part says nothing.
pub async fn supervise(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    done: &Supervised,
) -> Result<Stated, CaseError> {
    required_text("handling", &done.handling)?;
    required_text("result", &done.result)?;
    let mut case = load(tx, case, true).await?;
    case.state(tx, app, vec![Body::Supervised(done.clone())]).await
}

type Row = (FactId, String, Millis);

/// Brings the rows of a case up to date.
pub(crate) async fn write(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    for (fact, manner, at) in rows_of(case) {
        sqlx::query(
            "INSERT INTO supervised (fact_id, case_id, manner, stated_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (fact_id) DO NOTHING",
        )
        .bind(&fact.as_bytes()[..])
        .bind(&case.id.as_bytes()[..])
        .bind(manner)
        .bind(at.0)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Where the rows of a case differ from what its facts say.
pub(crate) async fn faults(tx: &mut Tx, case: &Case) -> Result<Option<String>, StoreError> {
    let sql = "SELECT fact_id, manner, stated_at FROM supervised WHERE case_id = $1 \
               ORDER BY stated_at, fact_id";
    let rows = sqlx::query(sql).bind(&case.id.as_bytes()[..]).fetch_all(tx.conn()).await?;
    let found = rows
        .iter()
        .map(|row| {
            let fact = FactId::from_bytes(row.array("fact_id")?);
            Ok((fact, row.text("manner")?, row.millis("stated_at")?))
        })
        .collect::<Result<Vec<Row>, StoreError>>()?;
    let expected = rows_of(case);
    Ok((found != expected).then(|| {
        format!("case {}: its supervision is {found:?}, its facts say {expected:?}", case.id)
    }))
}

fn rows_of(case: &Case) -> Vec<Row> {
    let row = |one: &onscene_sync_core::rules::record::Stated<Supervised>| {
        (one.fact, name(&one.body.manner), one.at)
    };
    let mut rows: Vec<Row> = case.record.supervised.iter().map(row).collect();
    rows.sort_by_key(|row| (row.2, row.0));
    rows
}

/// As it stands in the table.
#[must_use]
pub fn word(manner: Manner) -> String {
    name(&manner)
}

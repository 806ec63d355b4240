//! What citizens suggest (建议), for the city's research office: by period, grouped by likeness.

use onscene_sync_core::id::DocId;
use onscene_sync_core::likeness::{Pairs, groups};
use onscene_sync_core::time::Millis;
use serde::Serialize;

use crate::cases::CaseError;
use crate::config::Bureau;
use crate::hub::inconsistent;
use crate::statistics::export::sheet::defused;
use crate::store::{RowExt as _, StoreError, Tx};

/// Suggestions in one export at most.
const MOST: usize = 5_000;
/// From this likeness on two suggestions say the same.
const ALIKE: f64 = 0.4;

/// Suggestions that say the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// From 1, the largest first.
    pub group: usize,
    /// Oldest first.
    pub suggestions: Vec<Suggestion>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    /// Its case.
    pub case: DocId,
    /// The case's number.
    pub number: String,
    /// When it was registered.
    pub registered_at: Millis,
    /// Its kind of matter.
    pub matter: String,
    /// What is suggested.
    pub summary: String,
}

/// The suggestions registered from `from` to before `until`.
///
/// # Errors
/// [`CaseError::Invalid`] when there are too many for one export.
pub async fn collect(tx: &mut Tx, from: Millis, until: Millis) -> Result<Vec<Group>, CaseError> {
    const SQL: &str = "SELECT t.case_id, t.matter, t.registered_at, r.number, r.view \
         FROM case_trace t JOIN case_row r ON r.case_id = t.case_id \
         WHERE t.class = 'suggestion' AND t.registered_at >= $1 AND t.registered_at < $2 \
         ORDER BY t.registered_at, r.number LIMIT $3";
    let query = sqlx::query(SQL).bind(from.0).bind(until.0);
    let query = query.bind(i64::try_from(MOST + 1).unwrap_or(i64::MAX));
    let rows = query.fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    if rows.len() > MOST {
        let why =
            format!("is so far from `from` that there are more than {MOST}: take a shorter period");
        return Err(CaseError::Invalid { field: "until", why });
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let view = row.text("view")?;
        let about: serde_json::Value = serde_json::from_str(&view)
            .map_err(|error| inconsistent("view", error.to_string(), "JSON"))?;
        found.push(Suggestion {
            case: DocId::from_bytes(row.array("case_id")?),
            number: row.text("number")?,
            registered_at: row.millis("registered_at")?,
            matter: row.text("matter")?,
            summary: about["summary"].as_str().unwrap_or_default().to_owned(),
        });
    }
    let texts: Vec<_> = found.iter().map(|one| Pairs::of(&one.summary)).collect();
    let numbered = groups(&texts, ALIKE).into_iter().enumerate();
    let group = |(index, members): (usize, Vec<usize>)| Group {
        group: index + 1,
        suggestions: members.into_iter().map(|member| found[member].clone()).collect(),
    };
    Ok(numbered.map(group).collect())
}

/// The groups as a table that spreadsheets open: UTF-8 with its mark, one suggestion a line.
///
/// # Panics
/// Never: writing to memory cannot fail.
#[must_use]
pub fn to_csv(groups: &[Group], bureau: &Bureau) -> Vec<u8> {
    let mut out = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    let mut line = |cells: [&str; 6]| out.write_record(cells).expect("memory takes everything");
    line(["组号", "同类数", "编号", "登记时间", "事项", "内容"]);
    for group in groups {
        let (number, size) = (group.group.to_string(), group.suggestions.len().to_string());
        for one in &group.suggestions {
            let at = bureau.local(one.registered_at);
            line([&number, &size, &one.number, &at, &one.matter, &defused(&one.summary)]);
        }
    }
    out.into_inner().expect("memory takes everything")
}

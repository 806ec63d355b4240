//! What is published of a draw, and what follows from it: anybody with the files comes to the same
//! cases.
//!
//! | file | holds | from |
//! |---|---|---|
//! | `commitment.tlog-proof` | that the audit log has the commitment (C2SP `tlog-proof`) | a minute after freezing |
//! | `commitment.txt` | the roots over both lists, the rules, a salt, the seed's source | the end of the rechecks |
//! | `list.txt`, `supervisors.txt` | what was drawn from, and who rechecks | the same |
//! | `seed.txt`, `drawn.txt` | the public value, the drawn cases | the same |
//!
//! The rechecks end when each has a finding, at the latest [`BLIND_MS`] after the draw. Until then the
//! hub hands out to nobody what a unit could be warned by; the proof holds a hash that tells nothing, since
//! the commitment has a salt (but for those from before there was one), and binds the hub to all that it
//! publishes later.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{DocId, Hash};
use onscene_sync_core::rules::draw::{
    Commitment, Seed, draw, drawn_text, read_list, read_supervisors, root_of_lines,
};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::DrawError;
use super::seed::place_of_commitment;
use crate::audit::entry::Deed;
use crate::audit::proof::{Proof, of_entry};
use crate::bundle::verify::Line;
use crate::store::{RowExt as _, StoreError, Tx};

/// Names of the files.
pub const NAMES: [&str; 6] = [
    "list.txt",
    "supervisors.txt",
    "commitment.txt",
    "commitment.tlog-proof",
    "seed.txt",
    "drawn.txt",
];

/// How long a draw stays blind if somebody never rechecks, milliseconds (*ours*: 28 days).
pub const BLIND_MS: i64 = 28 * super::DAY_MS;

/// A draw in a list. Moments are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DrawRow")]
pub struct Row {
    /// The draw.
    pub id: DocId,
    /// When its list was settled.
    pub frozen_at: Millis,
    /// When it was made; `None` while it waits for its seed.
    pub drawn_at: Option<Millis>,
    /// Rechecks that it led to.
    pub rechecks: i64,
    /// How many of them have a finding.
    pub found: i64,
    /// Which public value is its seed, as it was said when the list was settled.
    pub source: String,
    /// When its files are published if not all rechecks have a finding before; `None` while it waits for
    /// its seed.
    pub published_by: Option<Millis>,
}

/// The newest draws.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx) -> Result<Vec<Row>, DrawError> {
    const SQL: &str = "SELECT d.draw_id AS draw_id, d.frozen_at AS frozen_at, \
             d.drawn_at AS drawn_at, d.commitment AS commitment, \
             count(r.inspection) AS rechecks, count(r.finding) AS found \
         FROM draw d LEFT JOIN recheck r ON r.draw_id = d.draw_id \
         GROUP BY d.draw_id, d.frozen_at, d.drawn_at, d.commitment \
         ORDER BY d.frozen_at DESC LIMIT 100";
    let rows = sqlx::query(SQL).fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    let read = |row: &sqlx::any::AnyRow| {
        let commitment = Commitment::from_text(&row.text("commitment")?)
            .map_err(|error| DrawError::Broken(error.to_string()))?;
        let drawn_at = row.opt_millis("drawn_at")?;
        Ok(Row {
            id: DocId::from_bytes(row.array("draw_id")?),
            frozen_at: row.millis("frozen_at")?,
            drawn_at,
            rechecks: row.int("rechecks")?,
            found: row.int("found")?,
            source: commitment.source,
            published_by: drawn_at.map(|drawn_at| drawn_at.plus(BLIND_MS)),
        })
    };
    rows.iter().map(read).collect()
}

/// The files of a draw that are published by now.
///
/// # Errors
/// [`DrawError::Unknown`], and the database's.
pub async fn of(
    tx: &mut Tx,
    id: DocId,
    hub_key: &[u8; 32],
    now: Millis,
) -> Result<BTreeMap<&'static str, String>, DrawError> {
    const SQL: &str = "SELECT list, supervisors, commitment, seed, drawn, drawn_at, \
             (SELECT count(*) FROM recheck r WHERE r.draw_id = draw.draw_id AND r.finding IS NULL) \
                 AS to_find \
         FROM draw WHERE draw_id = $1";
    let query = sqlx::query(SQL).bind(&id.as_bytes()[..]);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let row = row.ok_or(DrawError::Unknown(id))?;
    let mut files = BTreeMap::new();
    let drawn_at = row.opt_millis("drawn_at")?;
    let all_found = row.int("to_find")? == 0;
    if drawn_at.is_some_and(|drawn_at| all_found || now.since(drawn_at) >= BLIND_MS) {
        files.insert("list.txt", row.text("list")?);
        files.insert("supervisors.txt", row.text("supervisors")?);
        files.insert("commitment.txt", row.text("commitment")?);
        files.insert("seed.txt", row.text("seed")? + "\n");
        files.insert("drawn.txt", row.text("drawn")?);
    }
    if let Some(n) = place_of_commitment(tx, id).await? {
        let proof = of_entry(tx, n).await?.map(|proof| proof.to_text(hub_key));
        files.extend(proof.map(|proof| ("commitment.tlog-proof", proof)));
    }
    Ok(files)
}

/// Repeats a draw from its files; `key` is the hub's public key from a source that the reader trusts.
#[must_use]
pub fn verify(files: &BTreeMap<&str, String>, key: Option<Hash>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Err(why) = repeat(files, key, &mut lines) {
        lines.push(Line::Fails(why));
    }
    lines
}

fn repeat(
    files: &BTreeMap<&str, String>,
    key: Option<Hash>,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let file = |name: &str| files.get(name).ok_or_else(|| format!("{name} is missing"));
    let (text, list, people) =
        (file("commitment.txt")?, file("list.txt")?, file("supervisors.txt")?);
    let at = |name: &'static str| move |error| format!("{name}: {error}");
    let commitment = Commitment::from_text(text).map_err(at("commitment.txt"))?;
    let cases = read_list(list).map_err(at("list.txt"))?;
    let supervisors = read_supervisors(people).map_err(at("supervisors.txt"))?;
    for (name, root, file) in
        [("list.txt", commitment.list, list), ("supervisors.txt", commitment.supervisors, people)]
    {
        if root_of_lines(file) != root {
            return Err(format!("{name} is not the one that the commitment names"));
        }
    }
    if commitment.cases != cases.len() as u64 {
        return Err("the commitment counts other cases than the list".to_owned());
    }
    let (count, able) = (cases.len(), supervisors.len());
    lines.push(Line::Proven(format!(
        "the commitment is to this list of {count} cases and these {able} supervisors"
    )));
    lines.push(logged(files.get("commitment.tlog-proof"), &commitment, text, key));
    let (Some(seed), Some(drawn)) = (files.get("seed.txt"), files.get("drawn.txt")) else {
        lines.push(Line::Open("which cases are drawn: there is no seed yet".to_owned()));
        return Ok(());
    };
    let seed = Seed::from_str(seed.trim_end()).map_err(at("seed.txt"))?;
    let again = draw(&commitment, &seed, &cases, &supervisors);
    if drawn_text(&again) != *drawn {
        return Err("drawn.txt is not what these files lead to: repeat the draw".to_owned());
    }
    lines.push(Line::Proven(format!("the {} drawn cases follow from these files", again.len())));
    lines.push(Line::Open(format!(
        "that the seed is the value of {:?}, and that nobody knew it when the list was settled at {} \
         (Unix milliseconds): look it up where it was published",
        commitment.source, commitment.frozen_at.0
    )));
    Ok(())
}

fn logged(proof: Option<&String>, commitment: &Commitment, text: &str, key: Option<Hash>) -> Line {
    let (Some(proof), Some(key)) = (proof, key) else {
        let text = "that the hub committed to it before there was a seed: give the proof \
                    commitment.tlog-proof and the hub's published key with --key";
        return Line::Open(text.to_owned());
    };
    match Proof::check(proof, key.as_bytes()) {
        Err(error) => Line::Fails(format!("commitment.tlog-proof: {error}")),
        Ok((proof, entry))
            if entry.action == Deed::DrawCommitted as i64
                && entry.subject == Some(*commitment.draw.as_bytes())
                && entry.object == sha256(text.as_bytes()).as_bytes() =>
        {
            let (n, at) = (proof.index, entry.at.0);
            Line::Proven(format!(
                "the hub committed to it in entry {n} of its audit log at {at} (Unix milliseconds)"
            ))
        }
        Ok(_) => Line::Fails("commitment.tlog-proof is of another commitment".to_owned()),
    }
}

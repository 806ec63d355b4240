//! Cases from files: each line goes through the same registration as a call, and none is lost. What
//! cannot be read or registered is named line by line and kept for mending.
//!
//! | module | does |
//! |---|---|
//! | [`table`] | a CSV file as lines of cells, in UTF-8, UTF-16 or GB18030 |
//! | [`headings`] | which column is what |
//! | [`cells`] | words and times as people and spreadsheets write them |
//! | [`sheet`] | a line of a table as a case |
//! | [`open311`] | a file of GeoReport v2 service requests as cases |
//! | [`store`] | puts one case on record, once however often it comes |

pub mod cells;
pub mod headings;
pub mod open311;
pub mod sheet;
pub mod store;
pub mod table;

use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::id::PersonId;
use onscene_sync_core::place::Site;
use onscene_sync_core::time::Millis;

use super::matters::{self, Matter};
use crate::app::App;
use crate::store::StoreError;
use crate::vault::record::Complainant;
use store::Stored;

/// A case as a file tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its number where it comes from.
    pub reference: Option<String>,
    /// Class; the kind's own if not told.
    pub class: Option<CaseClass>,
    /// Channel.
    pub channel: Channel,
    /// Key of its kind.
    pub matter: String,
    /// What it is about.
    pub summary: String,
    /// When it was raised there.
    pub raised_at: Option<Millis>,
    /// Where.
    pub site: Option<Site>,
    /// For the leaders to see.
    pub grave: bool,
    /// A picture or page about it.
    pub link: Option<String>,
    /// It is closed there, with these words.
    pub closed: Option<String>,
    /// Who raised it.
    pub complainant: Option<Complainant>,
    /// All that was read of it, for comparing.
    pub content: Vec<u8>,
}

/// One case of a file: where it stands, and what was read or why not.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<P> {
    /// Where it stands: a line, or a place in the list.
    pub line: u64,
    /// What to keep of it when it cannot be registered.
    pub raw: P,
    /// What was read, or why nothing could be.
    pub read: Result<Draft, String>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<P> {
    /// Registered now.
    pub registered: usize,
    /// On record before.
    pub known: usize,
    /// Not registered: where, why, and what to keep.
    pub rejected: Vec<(u64, String, P)>,
}

/// Registers what was read, one transaction for each case. Stopped half-way it is simply run again.
///
/// # Errors
/// The database's alone: what is wrong with a case stands in the report.
pub async fn import<P>(
    app: &App,
    by: PersonId,
    source: &str,
    items: Vec<Item<P>>,
) -> Result<Report<P>, StoreError> {
    let mut report = Report { registered: 0, known: 0, rejected: Vec::new() };
    let mut seen = std::collections::BTreeMap::new();
    for Item { line, raw, read } in items {
        let stored = match read {
            Ok(draft) => store::store(app, by, source, draft, &mut seen).await?,
            Err(why) => Stored::Refused(why),
        };
        match stored {
            Stored::Registered => report.registered += 1,
            Stored::Known => report.known += 1,
            Stored::Refused(why) => report.rejected.push((line, why, raw)),
        }
    }
    app.jobs.wake();
    Ok(report)
}

/// The open kind that a word of a file means: its key or one of its names.
///
/// # Errors
/// What is wrong with the word, with the kinds that may be meant.
pub(super) fn matter_of<'m>(open: &'m [Matter], word: &str) -> Result<&'m Matter, String> {
    let same = |name: &str| name.trim().to_lowercase() == word.trim().to_lowercase();
    let found = open.iter().find(|one| same(&one.key) || same(&one.zh) || same(&one.en));
    found.ok_or_else(|| {
        let word: String = word.chars().take(40).collect();
        let near = matters::did_you_mean(open, &[&word]);
        format!("`{word}` is no open kind of matter: {near}GET /v1/matters lists them")
    })
}

//! Checking a bundle without the hub: from its bytes to what is proven and what is not, in words.
//!
//! | module | checks |
//! |---|---|
//! | [`record`] | documents, signatures, chains |
//! | [`files`] | files of evidence and receipts |
//! | [`rule`] | verdicts, by running the arrival rule again |
//! | [`log`] | that all of it stands in the audit log |

mod files;
mod log;
mod record;
mod rule;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek};

use onscene_sync_core::id::Hash;

use super::archive::{self, Found};
use super::format::{FORMAT, MANIFEST, Manifest, README, SIGNATURE, is_signed};
use record::Record;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// This is proven.
    Proven(String),
    /// This is false, or not what it should be.
    Fails(String),
    /// This the bundle does not prove.
    Open(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven(text) => write!(f, "proven      {text}"),
            Self::Fails(text) => write!(f, "FAIL        {text}"),
            Self::Open(text) => write!(f, "not proven  {text}"),
        }
    }
}

/// What can never follow from a bundle by itself.
const NEVER: [&str; 3] = [
    "that what a phone recorded is true: a signature shows which phone signed, not what its receiver \
     or its camera was shown",
    "the times by the hub's own clock (issue, receipt, first sight): they are the hub's signed word",
    "that this is all: what a phone never delivered, or the hub refused, is not in a bundle",
];

/// Checks a bundle; `key` is the public key of the hub that must have sealed it, from a source that
/// the reader trusts. Without it nothing shows whose bundle it is.
#[must_use]
pub fn verify(file: impl Read + Seek, key: Option<Hash>) -> Vec<Line> {
    let mut lines = Vec::new();
    match seal(file, key, &mut lines) {
        Ok(contents) => contents.check(&mut lines),
        Err(why) => lines.push(Line::Fails(why)),
    }
    lines
}

fn seal(
    file: impl Read + Seek,
    required: Option<Hash>,
    lines: &mut Vec<Line>,
) -> Result<Contents, String> {
    let entries = archive::read(file).map_err(|why| format!("the file is not a bundle: {why}"))?;
    let part = |name: &str| {
        let found = entries.get(name).map(|found| &found.content);
        found.ok_or_else(|| format!("the file is not a bundle: {name} is missing"))
    };
    let (list, signature) = (part(MANIFEST)?, part(SIGNATURE)?);
    let manifest: Manifest = serde_json::from_slice(list)
        .map_err(|error| format!("{MANIFEST} cannot be read: {error}"))?;
    if manifest.format != FORMAT {
        return Err(format!("it is of another form than {FORMAT:?}: use the newest program"));
    }
    let key = manifest.hub_key;
    if let Some(required) = required.filter(|required| *required != key) {
        return Err(format!("the key {key} sealed it, not the one that was given, {required}"));
    }
    if !is_signed(list, signature, key.as_bytes()) {
        return Err(format!("{SIGNATURE} is not the signature of {MANIFEST} by the key {key}"));
    }
    let count = as_listed(&manifest, &entries)?;
    lines.push(match required {
        Some(_) => Line::Proven(format!("the hub of the given key sealed it, all {count} entries")),
        None => Line::Open(format!(
            "whose bundle it is: its own key {key} sealed it. Give the hub's published key with --key"
        )),
    });
    Ok(Contents { manifest, entries })
}

/// The entries are those of the manifest; returns how many.
fn as_listed(manifest: &Manifest, entries: &BTreeMap<String, Found>) -> Result<usize, String> {
    for (name, listed) in &manifest.entries {
        let found = entries.get(name).ok_or_else(|| format!("{name} was taken out"))?;
        if (listed.sha256, listed.bytes) != (found.sha256, found.bytes) {
            return Err(format!("{name} was changed: it is not the one that was sealed"));
        }
    }
    let listed = |name: &str| manifest.entries.contains_key(name);
    let unlisted = |name: &&String| !listed(name) && *name != MANIFEST && *name != SIGNATURE;
    match entries.keys().find(unlisted) {
        Some(name) => Err(format!("{name} was put in: it was not sealed")),
        None => Ok(manifest.entries.len()),
    }
}

/// A bundle whose seal holds.
struct Contents {
    manifest: Manifest,
    entries: BTreeMap<String, Found>,
}

impl Contents {
    fn check(&self, lines: &mut Vec<Line>) {
        let record = match Record::read(self, lines) {
            Ok(record) => record,
            Err(why) => return lines.push(Line::Fails(why)),
        };
        files::check(self, &record, lines);
        rule::check(self, &record, lines);
        log::check(self, &record, lines);
        lines.extend(self.stranger(&record).map(Line::Fails));
        lines.extend(NEVER.map(|text| Line::Open(text.to_owned())));
    }

    fn content(&self, name: &str) -> Option<&Found> {
        self.entries.get(name)
    }

    /// An entry that nothing in the record asks for.
    fn stranger(&self, record: &Record) -> Option<String> {
        let known = |name: &str| {
            [README, MANIFEST, SIGNATURE].contains(&name)
                || record.asks_for(name)
                || files::asks_for(record, name)
                || rule::asks_for(record, name)
                || log::is_proof(name)
        };
        let stranger = self.entries.keys().find(|name| !known(name))?;
        Some(format!("nothing in the case asks for {stranger}"))
    }
}

fn line(result: Result<String, String>) -> Line {
    result.map_or_else(Line::Fails, Line::Proven)
}

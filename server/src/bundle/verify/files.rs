//! Files of evidence against the facts that name them, and the hub's receipts for them.

use onscene_sync_core::evidence::receipt;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Manifest as File;
use onscene_sync_core::id::FactId;

use super::record::Record;
use super::{Contents, Line};
use crate::bundle::format::{evidence_name, receipt_name};

pub(super) fn check(bundle: &Contents, record: &Record, lines: &mut Vec<Line>) {
    for (fact, file) in files(record) {
        lines.push(one(bundle, fact, file));
        lines.extend(receipt_of(bundle, fact, file));
    }
    let named = |hash| files(record).any(|(_, file)| file.sha256 == hash);
    for hash in bundle.manifest.missing.iter().filter(|hash| !named(**hash)) {
        lines.push(Line::Fails(format!(
            "the file {hash} is listed as missing and no fact names it"
        )));
    }
}

pub(super) fn asks_for(record: &Record, name: &str) -> bool {
    files(record)
        .any(|(fact, file)| name == evidence_name(file.sha256) || name == receipt_name(fact))
}

fn files(record: &Record) -> impl Iterator<Item = (FactId, &File)> {
    record.bodies().filter_map(|(id, body)| match body {
        Body::Evidence(file) => Some((id, file)),
        _ => None,
    })
}

fn one(bundle: &Contents, fact: FactId, file: &File) -> Line {
    let hash = file.sha256;
    match bundle.content(&evidence_name(hash)) {
        Some(found) if (found.sha256, found.bytes) == (hash, file.bytes) => {
            Line::Proven(format!("the file of fact {fact} is the one whose hash the phone signed"))
        }
        Some(_) => Line::Fails(format!(
            "the file of fact {fact} is another one: its hash or size is not what the phone signed"
        )),
        None if bundle.manifest.missing.contains(&hash) => {
            Line::Open(format!("what the file of fact {fact} shows: the hub did not have it"))
        }
        None => Line::Fails(format!("the file of fact {fact}, {hash}, is not in the bundle")),
    }
}

fn receipt_of(bundle: &Contents, fact: FactId, file: &File) -> Option<Line> {
    let found = bundle.content(&receipt_name(fact))?;
    let read = receipt::read(&found.content, bundle.manifest.hub_key.as_bytes());
    Some(match read {
        Ok(read) if (read.fact, read.sha256, read.bytes) == (fact, file.sha256, file.bytes) => {
            Line::Proven(format!("the hub signed that it had the file of fact {fact}"))
        }
        Ok(_) => Line::Fails(format!("the receipt for the file of fact {fact} is for another one")),
        Err(error) => Line::Fails(format!("the receipt for the file of fact {fact}: {error}")),
    })
}

//! The audit log: each change of the case stands in it, each phone's key too, and nothing that
//! stands in it is missing here.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::audit::checkpoint::Checkpoint;
use onscene_sync_core::id::{DeviceId, DocId, Hash};

use super::record::Record;
use super::{Contents, Line};
use crate::audit::entry::{Deed, Entry};
use crate::audit::proof::Proof;
use crate::bundle::format::{AUDIT, proof_name};

pub(super) fn check(bundle: &Contents, record: &Record, lines: &mut Vec<Line>) {
    let logged = match Logged::read(bundle, record) {
        Ok(logged) => logged,
        Err(why) => return lines.push(Line::Fails(why)),
    };
    let Some(checkpoint) = &logged.checkpoint else {
        let text = "that any of it is in the audit log: no signed checkpoint covered it at export";
        return lines.push(Line::Open(text.to_owned()));
    };
    logged.compare(record, checkpoint, lines);
    lines.push(Line::Open(format!(
        "that this is the log that everybody sees: compare its checkpoint of {} entries, root {}, \
         with what a phone has seen (`onscene phone witness`)",
        checkpoint.size, checkpoint.root
    )));
}

pub(super) fn is_proof(name: &str) -> bool {
    place(name).is_some()
}

fn place(name: &str) -> Option<u64> {
    let n = name.strip_prefix(AUDIT)?.strip_suffix(".tlog-proof")?.parse().ok()?;
    (name == proof_name(n)).then_some(n)
}

/// What the proven entries say.
#[derive(Default)]
struct Logged {
    checkpoint: Option<Checkpoint>,
    changes: BTreeMap<DocId, BTreeSet<Hash>>,
    keys: BTreeMap<DeviceId, BTreeSet<Vec<u8>>>,
}

impl Logged {
    fn read(bundle: &Contents, record: &Record) -> Result<Self, String> {
        let mut logged = Self::default();
        for (name, found) in &bundle.entries {
            let Some(n) = place(name) else { continue };
            let text = std::str::from_utf8(&found.content);
            let text = text.map_err(|_| format!("{name} is not text"))?;
            let (proof, entry) = Proof::check(text, bundle.manifest.hub_key.as_bytes())
                .map_err(|error| format!("{name}: {error}"))?;
            if proof.index != n {
                return Err(format!("{name} proves the entry {}", proof.index));
            }
            let log = proof.checkpoint.checkpoint;
            if logged.checkpoint.get_or_insert_with(|| log.clone()) != &log {
                return Err(format!("{name} is of another checkpoint than the rest"));
            }
            logged.take(entry, record).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(logged)
    }

    fn take(&mut self, entry: Entry, record: &Record) -> Result<(), String> {
        let stranger = || "nothing in the case asks for this entry".to_owned();
        match Deed::from_number(entry.action) {
            Some(Deed::ChangesAdmitted | Deed::FactsStated) => {
                let document = entry.subject.map(DocId::from_bytes).ok_or_else(stranger)?;
                if !record.changes.contains_key(&document) {
                    return Err(stranger());
                }
                let (hashes, rest) = entry.object.as_chunks::<32>();
                if !rest.is_empty() {
                    return Err("it does not hold whole hashes".to_owned());
                }
                let hashes = hashes.iter().map(|hash| Hash::from_bytes(*hash));
                self.changes.entry(document).or_default().extend(hashes);
            }
            Some(Deed::DeviceEnrolled) => {
                let phone = entry.device.filter(|phone| record.phones.contains_key(phone));
                self.keys.entry(phone.ok_or_else(stranger)?).or_default().insert(entry.object);
            }
            _ => return Err(stranger()),
        }
        Ok(())
    }

    fn compare(&self, record: &Record, checkpoint: &Checkpoint, lines: &mut Vec<Line>) {
        let (mut inside, mut outside) = (0, 0);
        for (document, changes) in &record.changes {
            let logged = self.changes.get(document).cloned().unwrap_or_default();
            if let Some(gone) = logged.difference(changes).next() {
                let text = format!("{document}: the audit log has the change {gone} of it");
                lines.push(Line::Fails(text + ", which was taken out"));
            }
            inside += logged.intersection(changes).count();
            outside += changes.difference(&logged).count();
        }
        let size = checkpoint.size;
        lines.push(Line::Proven(format!(
            "{inside} changes stand in the audit log of {size} entries that the hub signed"
        )));
        if outside > 0 {
            lines.push(Line::Open(format!(
                "that {outside} changes are in the audit log: no signed checkpoint covered them at \
                 export; a bundle made a minute later has their proofs"
            )));
        }
        for (device, phone) in &record.phones {
            lines.push(match self.keys.get(device) {
                Some(keys) if keys.contains(&phone.key) => Line::Proven(format!(
                    "the key of phone {device} is the one that the audit log has from its enrolment"
                )),
                Some(_) => Line::Fails(format!(
                    "the key of phone {device} is not the one that it was enrolled with"
                )),
                None => Line::Open(format!(
                    "that the key of phone {device} is its own: no proof of its enrolment is here"
                )),
            });
        }
    }
}

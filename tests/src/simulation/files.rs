//! Files of evidence: taken with simulated phones, sent through the same network as everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use onscene_mobile::{
    EvidenceState, Job, NewFile, UploadBody, UploadRequest, UploadStep, WaitReason,
};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::fact::body::{Body, Manifest, Media};
use onscene_sync_core::fact::envelope;
use onscene_sync_core::id::{DocId, FactId, Hash};
use rand::RngExt as _;

use super::Simulation;
use super::check::{Log, replay};
use crate::network::{Fate, as_http};

/// Requests of the lane in one go at most, over a network with moods.
const MOST_ROUGH: u32 = 8;
/// The same over a perfect one.
const MOST_WELL: u32 = 400;

impl Simulation {
    /// Somebody takes a photo.
    pub(super) fn photograph(&mut self, n: usize, job: Job) -> String {
        let length = self.rng.random_range(100..600_000);
        let noise: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
        let picture = [&[0xff, 0xd8, 0xff, 0xe0][..], &noise].concat();
        let new = NewFile { media: Media::Photo, extension: "jpg".to_owned(), before: None };
        let device = self.phones[n].device();
        let stated = device.begin_capture(job, new).and_then(|capture| {
            std::fs::write(&capture.path, &picture).expect("the folder is there");
            device.finish_capture(capture.id, None)
        });
        match stated {
            Ok(fact) => format!("takes {fact} of {} bytes", picture.len()),
            Err(error) => format!("could not: {error}"),
        }
    }

    /// Some files go, as far as the network lets them.
    pub(super) async fn upload_roughly(&mut self, n: usize) {
        for _ in 0..MOST_ROUGH {
            let step = self.phones[n].device().upload_next().expect("a step");
            let UploadStep::Send(request) = step else { break };
            let fate = Fate::draw(&mut self.rng, self.profile.trouble);
            self.tell(&format!("phone {n} sends {}: {fate:?}", in_words(&request)));
            self.carry(n, &as_http(&request), fate).await;
            self.world.pass(350);
        }
    }

    /// All files go.
    pub(super) async fn upload_well(&mut self, n: usize) {
        self.phones[n].device().upload_soon();
        for _ in 0..MOST_WELL {
            match self.phones[n].device().upload_next().expect("a step") {
                UploadStep::Send(request) => {
                    self.carry(n, &as_http(&request), Fate::Delivered).await;
                }
                UploadStep::Wait { why: WaitReason::NeedsSync, .. } | UploadStep::Idle => break,
                UploadStep::Wait { ms, .. } => self.world.pass(i64::try_from(ms).expect("short")),
            }
            self.world.pass(150);
        }
    }

    /// Every file whose fact is at the hub is there whole and once, or still waits on its phone; and
    /// what a phone calls verified is there.
    pub(super) async fn check_files(
        &mut self,
        logs: &BTreeMap<DocId, Log>,
        objections: &mut Vec<String>,
    ) {
        let stored = self.stored().await;
        let kept = contents(&self.hub.blobs());
        let mut waiting = BTreeSet::new();
        for n in 0..self.phones.len() {
            for item in self.phones[n].device().evidence(0, 10_000).expect("evidence") {
                match item.state {
                    EvidenceState::Verified { .. } if !stored.contains(&item.fact) => {
                        objections.push(format!("phone {n} calls {} verified", item.fact));
                    }
                    EvidenceState::Verified { .. } => {}
                    _ if self.phones[n].revoked => drop(waiting.insert(item.fact)),
                    state => objections.push(format!("phone {n}: {} is {state:?}", item.fact)),
                }
            }
        }
        let undone = self.phones.iter().any(|phone| phone.restored);
        for (fact, manifest) in manifests(logs) {
            let whole = stored.contains(&fact) && kept.contains(&manifest.sha256);
            // A backup undoes the phone's memory of a file; the file itself is told as a stray.
            if !whole && !waiting.contains(&fact) && !undone {
                objections.push(format!("the file of {fact} is nowhere"));
            }
        }
    }

    /// Manifests whose files the hub says it has.
    async fn stored(&self) -> BTreeSet<FactId> {
        let database = self.database().await;
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT fact_id FROM evidence WHERE stored_at IS NOT NULL")
                .fetch_all(&database)
                .await
                .expect("evidence");
        database.close().await;
        let fact = |bytes: Vec<u8>| FactId::from_bytes(bytes.try_into().expect("sixteen bytes"));
        rows.into_iter().map(|(bytes,)| fact(bytes)).collect()
    }
}

/// What a request of the lane asks for, without the folder that this run happens to be in.
fn in_words(request: &UploadRequest) -> String {
    let UploadRequest { id, method, url, headers, body, .. } = request;
    let part = match body {
        UploadBody::Empty => None,
        UploadBody::Range { offset, length, .. } => Some((offset, length)),
    };
    format!("{id} {method} {url} {headers:?} {part:?}")
}

fn manifests(logs: &BTreeMap<DocId, Log>) -> Vec<(FactId, Manifest)> {
    let documents = logs.iter().filter_map(|(doc, log)| replay(*doc, log));
    let facts = documents.flat_map(|document| document.facts());
    facts
        .filter_map(|(id, bytes)| match envelope::read(&bytes).ok()?.body {
            Body::Evidence(manifest) => Some((id, manifest)),
            _ => None,
        })
        .collect()
}

/// What all files in a folder hold, by its SHA-256.
fn contents(folder: &Path) -> BTreeSet<Hash> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(contents(&entry));
        } else {
            found.insert(sha256(&std::fs::read(&entry).expect("a file")));
        }
    }
    found
}

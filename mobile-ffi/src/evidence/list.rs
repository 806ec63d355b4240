//! Where each file of evidence stands.

use std::path::PathBuf;

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::sync::replica::OwnState;
use onscene_sync_core::time::Millis;
use serde::Serialize;

use crate::act::Act;
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::evidence::{self, File, OnDisk};
use crate::store::intents::{self, Intent};

/// Files read from the store at a time.
const PAGE: u32 = 500;

/// Where the bytes of a file stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EvidenceState {
    /// On this phone (已存本机): it survives any crash of the phone.
    OnPhone,
    /// The hub has a part of it.
    Partly {
        /// So many bytes of it.
        sent: u64,
    },
    /// The hub has all of it, and has not signed for it yet (已送达).
    AtHub,
    /// The hub has signed that it has the whole file, durably (已核验).
    Verified {
        /// The hub's clock when it had it.
        at: Millis,
    },
    /// Something is in its way. It is tried again by itself, more and more seldom; other files are
    /// not held up.
    SetAside {
        /// What is in its way.
        reason: String,
    },
    /// The hub has put the fact that names it into quarantine: it does not take the file.
    Refused {
        /// Why.
        reason: String,
    },
    /// It is not on this phone any more, and the hub does not have it.
    FileMissing,
    /// What is on this phone is not what was recorded.
    FileChanged,
}

/// One file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceItem {
    /// The number of the record that states it; see [`Item::n`](crate::Item::n).
    pub n: i64,
    /// The visit that it belongs to.
    pub doc: DocId,
    /// The fact that names it now.
    pub fact: FactId,
    /// What it is.
    pub media: Media,
    /// Taken by the app's own camera, rather than copied in.
    pub captured: bool,
    /// The earlier file of the visit that shows the same before.
    pub before: Option<FactId>,
    /// The wall clock when it was taken, Unix milliseconds.
    pub wall_ms: i64,
    /// Its bytes.
    pub bytes: u64,
    /// The copy on this phone, unless it was removed after the hub had signed for the file.
    pub path: Option<PathBuf>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: EvidenceState,
}

/// How many files are where. `recorded = verified + waiting + refused + lost`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceCounts {
    /// All.
    pub recorded: u64,
    /// The hub has signed for them.
    pub verified: u64,
    /// They are on their way, or set aside for a while.
    pub waiting: u64,
    /// Their facts are in quarantine.
    pub refused: u64,
    /// Missing or changed on this phone before the hub had them.
    pub lost: u64,
}

impl Device {
    /// Files of records after number `after` (0: from the beginning), oldest first, at most `max`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn evidence(&self, after: i64, max: u32) -> Result<Vec<EvidenceItem>, DeviceError> {
        let page = evidence::page(self.store.read(), after, max)?;
        page.into_iter().map(|file| self.evidence_item(file)).collect()
    }

    /// How many files are where.
    ///
    /// # Errors
    /// When the store fails.
    pub fn evidence_counts(&self) -> Result<EvidenceCounts, DeviceError> {
        let mut counts = EvidenceCounts::default();
        let mut after = 0;
        loop {
            let page = self.evidence(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(counts) };
            after = last.n;
            for item in page {
                counts.recorded += 1;
                *match item.state {
                    EvidenceState::Verified { .. } => &mut counts.verified,
                    EvidenceState::Refused { .. } => &mut counts.refused,
                    EvidenceState::FileMissing | EvidenceState::FileChanged => &mut counts.lost,
                    EvidenceState::OnPhone
                    | EvidenceState::Partly { .. }
                    | EvidenceState::AtHub
                    | EvidenceState::SetAside { .. } => &mut counts.waiting,
                } += 1;
            }
        }
    }

    fn evidence_item(&self, file: File) -> Result<EvidenceItem, DeviceError> {
        let intent = intents::one(self.store.read(), file.n)?;
        let intent = intent.ok_or_else(|| DeviceError::damaged("record of a file"))?;
        let manifest = manifest(&intent)?;
        let sealed =
            intent.sealed.as_ref().ok_or_else(|| DeviceError::damaged("fact of a file"))?;
        let kept = matches!(file.on_disk, OnDisk::Kept | OnDisk::Changed);
        Ok(EvidenceItem {
            n: file.n,
            doc: intent.doc,
            fact: sealed.id,
            media: manifest.media,
            captured: manifest.captured,
            before: manifest.before,
            wall_ms: manifest.taken.wall_ms,
            bytes: file.bytes,
            path: kept.then(|| self.media.path(&file.name)),
            state: refusal(&file, &intent).unwrap_or_else(|| state(&file)),
        })
    }
}

fn manifest(intent: &Intent) -> Result<&Manifest, DeviceError> {
    match &intent.act {
        Act::State(Body::Evidence(manifest)) => Ok(manifest),
        _ => Err(DeviceError::damaged("record of a file")),
    }
}

/// The hub keeps the fact that names a file of this phone for a supervisor.
fn refusal(file: &File, intent: &Intent) -> Option<EvidenceState> {
    let waits = file.received_at.is_none() && file.on_disk == OnDisk::Kept;
    (waits && intent.state == OwnState::Refused).then(|| {
        let reason = intent.detail.clone().or_else(|| intent.code.clone()).unwrap_or_default();
        EvidenceState::Refused { reason }
    })
}

/// Where the bytes of a file stand.
pub(super) fn state(file: &File) -> EvidenceState {
    if let Some(at) = file.received_at {
        return EvidenceState::Verified { at };
    }
    match file.on_disk {
        OnDisk::Missing | OnDisk::Released => return EvidenceState::FileMissing,
        OnDisk::Changed => return EvidenceState::FileChanged,
        OnDisk::Kept => {}
    }
    match &file.trouble {
        Some(reason) => EvidenceState::SetAside { reason: reason.clone() },
        None if file.sent == 0 => EvidenceState::OnPhone,
        None if file.sent < file.bytes => EvidenceState::Partly { sent: file.sent },
        None => EvidenceState::AtHub,
    }
}

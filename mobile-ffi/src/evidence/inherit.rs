//! Files of a former store of this phone. Its key was lost before the hub had them all; their facts came
//! to the hub through a recovery file, and the hub takes their bytes from the person's later phone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::FactId;
use serde::Serialize;

use super::list::{EvidenceState, state};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::evidence::{self, File, OnDisk};
use crate::store::{Store, salvage};

/// A file that a former device of this person stated and this one delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InheritedFile {
    /// The fact that names it.
    pub fact: FactId,
    /// What it is.
    pub media: Media,
    /// Its bytes.
    pub bytes: u64,
    /// The copy on this phone, unless it was removed after the hub had signed for the file.
    pub path: Option<PathBuf>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: EvidenceState,
}

impl Device {
    /// Takes over the files of evidence that a former store of this phone, [set
    /// aside](Device::set_aside), had not delivered; returns how many. It needs no key to that store,
    /// whose files lie beside this one. They go up once the hub has recovered the facts that name
    /// them. Calling it again takes nothing twice.
    ///
    /// # Errors
    /// When the former store cannot be read, or this one cannot be written.
    pub fn inherit(&mut self, former: &Path) -> Result<u64, DeviceError> {
        let found = salvage::unsigned_files(&Store::connect(former)?)?;
        let mut here = Vec::new();
        for file in found {
            if self.media.size(&file.name)? == Some(file.bytes) {
                here.push(file);
            }
        }
        self.store.write(|tx| {
            let known = evidence::inherited(tx)?.into_iter().filter_map(|file| file.inherited);
            let known: BTreeSet<FactId> = known.collect();
            here.retain(|file| !known.contains(&file.fact));
            for file in &here {
                let file = File {
                    n: evidence::next_inherited(tx)?,
                    inherited: Some(file.fact),
                    name: file.name.clone(),
                    sha256: file.sha256,
                    bytes: file.bytes,
                    media: file.media,
                    on_disk: OnDisk::Kept,
                    place: None,
                    sent: 0,
                    certain: false,
                    trouble: None,
                    received_at: None,
                    ordered_at: None,
                };
                evidence::add(tx, &file)?;
            }
            Ok(here.len() as u64)
        })
    }

    /// The files taken over from former stores, and where each stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn inherited_files(&self) -> Result<Vec<InheritedFile>, DeviceError> {
        let files = evidence::inherited(self.store.read())?.into_iter();
        let item = |file: File| {
            let kept = matches!(file.on_disk, OnDisk::Kept | OnDisk::Changed);
            Some(InheritedFile {
                fact: file.inherited?,
                media: file.media,
                bytes: file.bytes,
                path: kept.then(|| self.media.path(&file.name)),
                state: state(&file),
            })
        };
        Ok(files.filter_map(item).collect())
    }
}

//! What a killed app left: intents without a fact, and files without either.

use std::path::PathBuf;

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::DocId;
use serde::Serialize;

use super::capture::{kept_end, taking_name};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::events::{self, EventKind};
use crate::store::evidence;

/// A file that was about to be taken, and is not stated.
///
/// A person decides: [`Device::finish_capture`] if it is there and whole, else
/// [`Device::discard_capture`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedCapture {
    /// Names it.
    pub id: u64,
    /// The visit that it belongs to.
    pub doc: DocId,
    /// What it was to be.
    pub media: Media,
    /// The wall clock when it was begun, Unix milliseconds.
    pub begun_wall_ms: i64,
    /// Taken by the app's own camera, rather than copied in.
    pub captured: bool,
    /// The file, if the camera has written one, and its bytes.
    pub file: Option<(PathBuf, u64)>,
}

/// A file beside the store that nothing here knows: of a life that a backup has undone, say. It is
/// left alone; [`Device::attach`] makes evidence of it, the app may show or remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrayFile {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

impl Device {
    /// Files that were begun and are not stated: those being taken now, and those that a killed app
    /// left. To be asked for at the start of the app.
    ///
    /// # Errors
    /// When the store or the folder cannot be read.
    pub fn unfinished_captures(&self) -> Result<Vec<UnfinishedCapture>, DeviceError> {
        let captures = evidence::captures(self.store.read())?;
        captures
            .into_iter()
            .map(|capture| {
                let name = self.kept_name(&capture)?.unwrap_or_else(|| taking_name(&capture));
                let bytes = self.media.size(&name)?;
                Ok(UnfinishedCapture {
                    id: capture.id,
                    doc: capture.doc,
                    media: capture.media,
                    begun_wall_ms: capture.begun.wall_ms,
                    captured: capture.captured,
                    file: bytes.map(|bytes| (self.media.path(&name), bytes)),
                })
            })
            .collect()
    }

    /// Files beside the store that belong to nothing in it.
    ///
    /// # Errors
    /// When the store or the folder cannot be read.
    pub fn stray_files(&self) -> Result<Vec<StrayFile>, DeviceError> {
        let db = self.store.read();
        let captures = evidence::captures(db)?;
        let mut strays = Vec::new();
        for (name, bytes) in self.media.files()? {
            let begun = |capture: &evidence::Capture| {
                name == taking_name(capture) || name.ends_with(&kept_end(capture))
            };
            if !captures.iter().any(begun) && !evidence::is_named(db, &name)? {
                strays.push(StrayFile { path: self.media.path(&name), bytes });
            }
        }
        Ok(strays)
    }

    /// The lasting name of a capture's file, if it has got one before the app was killed.
    pub(super) fn kept_name(
        &self,
        capture: &evidence::Capture,
    ) -> Result<Option<String>, DeviceError> {
        let end = kept_end(capture);
        let names = self.media.files()?.into_iter().map(|(name, _)| name);
        Ok(names.into_iter().find(|name| name.ends_with(&end)))
    }

    /// Ends a capture and removes its file.
    pub(super) fn drop_capture(&mut self, capture: &evidence::Capture) -> Result<(), DeviceError> {
        let kept = self.kept_name(capture)?;
        for name in kept.into_iter().chain([taking_name(capture)]) {
            self.media.remove(&name)?;
        }
        self.taking.remove(&capture.id);
        self.store.write(|tx| evidence::end(tx, capture.id))
    }

    pub(super) fn tell_discarded(
        &mut self,
        wall_ms: i64,
        capture: &evidence::Capture,
    ) -> Result<(), DeviceError> {
        let doc = Some(capture.doc);
        let what = "a file that was being taken was thrown away";
        self.store.write(|tx| events::add(tx, wall_ms, EventKind::CaptureDiscarded, doc, what))
    }
}

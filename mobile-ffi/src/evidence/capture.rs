//! Taking a file: the intent before the camera, the fact before the screen closes.

use std::path::{Path, PathBuf};

use onscene_sync_core::document::DocKind;
use onscene_sync_core::evidence::limit;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{Manifest, Media};
use onscene_sync_core::id::{DocId, FactId, Hash};
use onscene_sync_core::place::{Datum, Fix};
use onscene_sync_core::time::{ClockReading, Millis};

use super::hashing::Hashing;
use crate::act::Act;
use crate::author;
use crate::device::Device;
use crate::error::DeviceError;
use crate::record::Job;
use crate::store::evidence::{self, OnDisk};
use crate::store::{documents, meta};

/// Characters of a file's extension at most.
const EXTENSION_CHARS: usize = 8;

/// A file that is to become evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// What it is.
    pub media: Media,
    /// The end of its name, as `jpg`, `heic`, `mp4`: 1 to 8 characters of `a-z` and `0-9`.
    pub extension: String,
    /// The earlier file of this visit that shows the same before the work: the two are a pair.
    pub before: Option<FactId>,
}

/// A file that is being taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Names it in the calls that follow.
    pub id: u64,
    /// Where the camera is to write it.
    pub path: PathBuf,
}

impl Device {
    /// Says that a file is about to be taken with the app's own camera, before the camera opens.
    ///
    /// # Errors
    /// When the job is not on this phone, the extension is none, or the store fails.
    pub fn begin_capture(&mut self, job: Job, new: NewFile) -> Result<Capture, DeviceError> {
        let capture = self.intend(job, new, true)?;
        let path = self.media.path(&taking_name(&capture));
        Ok(Capture { id: capture.id, path })
    }

    /// Hashes what the camera has written since the last call, so that a long video is finished at
    /// once. Returns the bytes hashed so far.
    ///
    /// # Errors
    /// When there is no such capture, or its file cannot be read.
    pub fn capture_progress(&mut self, id: u64) -> Result<u64, DeviceError> {
        let capture = self.capture(id)?;
        let hashing = self.taking.entry(id).or_insert_with(Hashing::new);
        self.media.hash_on(&taking_name(&capture), hashing)?;
        Ok(hashing.bytes())
    }

    /// The file is whole: makes it last, and states it. The screen may close when this has returned.
    ///
    /// `fix` is a position near the moment it was taken. A capture that a killed app left behind is
    /// finished in the same way, if its file is there.
    ///
    /// # Errors
    /// When there is no such capture, its file is missing, empty or too large, or it cannot be
    /// recorded. The file stays where it is, and so does the intent.
    pub fn finish_capture(
        &mut self,
        id: u64,
        fix: Option<(Datum, Fix)>,
    ) -> Result<FactId, DeviceError> {
        let capture = self.capture(id)?;
        // After a restart of the app nobody knows when the shutter was pressed: not before this.
        let here = self.taking.contains_key(&id);
        let taken = if here { self.host.clock.read()? } else { capture.begun };
        let (name, sha256, bytes) = self.keep(&capture)?;
        self.state_file(&capture, &name, sha256, bytes, taken, fix)
    }

    /// Copies in a file that was not taken by the app's own camera, and states it as such. The
    /// original is left alone.
    ///
    /// # Errors
    /// When the file cannot be read, is empty or too large, or cannot be recorded. Nothing is left of
    /// it then.
    pub fn attach(
        &mut self,
        job: Job,
        file: &Path,
        new: NewFile,
        fix: Option<(Datum, Fix)>,
    ) -> Result<FactId, DeviceError> {
        let capture = self.intend(job, new, false)?;
        let attached = self.copy_in(&capture, file, fix);
        if attached.is_err() {
            self.drop_capture(&capture)?;
        }
        attached
    }

    /// Throws a file away that is not yet stated. The events tell it.
    ///
    /// # Errors
    /// When there is no such capture, or its file cannot be removed.
    pub fn discard_capture(&mut self, id: u64) -> Result<(), DeviceError> {
        let capture = self.capture(id)?;
        let wall_ms = self.host.clock.read()?.wall_ms;
        self.drop_capture(&capture)?;
        self.tell_discarded(wall_ms, &capture)
    }

    pub(super) fn capture(&self, id: u64) -> Result<evidence::Capture, DeviceError> {
        let captures = evidence::captures(self.store.read())?;
        let found = captures.into_iter().find(|capture| capture.id == id);
        found.ok_or_else(|| DeviceError::unknown("capture", id))
    }

    fn intend(
        &mut self,
        job: Job,
        new: NewFile,
        captured: bool,
    ) -> Result<evidence::Capture, DeviceError> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let NewFile { media, extension, before } = new;
        if !(1..=EXTENSION_CHARS).contains(&extension.len()) || !extension.bytes().all(good) {
            let why = "an extension has 1 to 8 characters of a-z and 0-9, as jpg";
            return Err(DeviceError::invalid("extension", why));
        }
        let (doc, kind) = self.inspection(job)?;
        let begun = self.host.clock.read()?;
        // Drawn by chance: a store restored from a backup must not give out a number again.
        let id = u64::from_be_bytes(self.host.bytes()?) >> 1;
        self.media.make()?;
        let capture = evidence::Capture { id, doc, media, extension, captured, before, begun };
        self.store.write(|tx| {
            meta::identity(tx)?;
            documents::ensure(tx, doc, kind)?;
            evidence::begin(tx, &capture)
        })?;
        self.taking.insert(id, Hashing::new());
        Ok(capture)
    }

    fn copy_in(
        &mut self,
        capture: &evidence::Capture,
        file: &Path,
        fix: Option<(Datum, Fix)>,
    ) -> Result<FactId, DeviceError> {
        let hashing = self.media.copy_in(file, &taking_name(capture))?;
        self.taking.insert(capture.id, hashing);
        let (name, sha256, bytes) = self.keep(capture)?;
        self.state_file(capture, &name, sha256, bytes, capture.begun, fix)
    }

    /// Gives a file that is whole its lasting name; says what it holds.
    fn keep(&mut self, capture: &evidence::Capture) -> Result<(String, Hash, u64), DeviceError> {
        let taking = taking_name(capture);
        if let Some(kept) = self.kept_name(capture)? {
            // An app that was killed here had named the file already.
            let (sha256, bytes) = self.hash_whole(&kept, None)?;
            return Ok((kept, sha256, bytes));
        }
        let most = limit(capture.media);
        match self.media.size(&taking)? {
            Some(bytes) if (1..=most).contains(&bytes) => {}
            Some(bytes) => {
                let why = format!("its file has {bytes} bytes: 1 to {most} are allowed");
                return Err(DeviceError::invalid("capture", why));
            }
            None => {
                let why = "the camera has written no file: discard the capture, or take it again";
                return Err(DeviceError::invalid("capture", why));
            }
        }
        let (sha256, bytes) = self.hash_whole(&taking, self.taking.get(&capture.id).cloned())?;
        let name = kept_name(sha256, capture);
        self.media.rename(&taking, &name)?;
        Ok((name, sha256, bytes))
    }

    fn hash_whole(&self, name: &str, hashing: Option<Hashing>) -> Result<(Hash, u64), DeviceError> {
        let mut hashing = match hashing {
            Some(hashing) if self.media.begins_with(name, &hashing)? => hashing,
            _ => Hashing::new(),
        };
        self.media.hash_on(name, &mut hashing)?;
        let bytes = hashing.bytes();
        Ok((hashing.finish(), bytes))
    }

    /// The fact, the row and the end of the intent in one transaction.
    fn state_file(
        &mut self,
        capture: &evidence::Capture,
        name: &str,
        sha256: Hash,
        bytes: u64,
        taken: ClockReading,
        fix: Option<(Datum, Fix)>,
    ) -> Result<FactId, DeviceError> {
        let clock = self.host.clock.read()?;
        let ordered_at = self.ordered_at(capture.doc)?;
        let (datum, fix) = fix.unzip();
        let evidence::Capture { id, doc, media, captured, before, .. } = *capture;
        let manifest = Manifest { sha256, bytes, media, captured, taken, fix, datum, before };
        let act = Act::State(Body::Evidence(manifest));
        let keys = &*self.host.keys;
        let fact = self.store.write(|tx| {
            let kind = documents::row(tx, doc)?.map_or(DocKind::Response, |row| row.kind);
            let recorded = author::record(tx, keys, (doc, kind), act, clock)?;
            let file = evidence::File {
                n: recorded.n,
                inherited: None,
                name: name.to_owned(),
                sha256,
                bytes,
                media,
                on_disk: OnDisk::Kept,
                place: None,
                sent: 0,
                certain: false,
                trouble: None,
                received_at: None,
                ordered_at,
            };
            evidence::add(tx, &file)?;
            evidence::end(tx, id)?;
            Ok(recorded.stated.expect("a statement is always a fact").0)
        })?;
        self.taking.remove(&id);
        Ok(fact)
    }

    /// When the order was issued that a visit answers.
    fn ordered_at(&self, doc: DocId) -> Result<Option<Millis>, DeviceError> {
        let Some(order) = self.order_answered_by(doc)? else { return Ok(None) };
        let (_, record) = self.case_of(order)?;
        Ok(record.order(order).map(|order| order.issued.at))
    }
}

/// The name of a file while the camera writes it.
pub(super) fn taking_name(capture: &evidence::Capture) -> String {
    format!("{:016x}.taking.{}", capture.id, capture.extension)
}

/// The lasting name of a file: its content, and the capture that it came from.
fn kept_name(sha256: Hash, capture: &evidence::Capture) -> String {
    format!("{sha256}{}", kept_end(capture))
}

/// How the lasting name of a capture's file ends, whatever it holds.
pub(super) fn kept_end(capture: &evidence::Capture) -> String {
    format!("-{:016x}.{}", capture.id, capture.extension)
}

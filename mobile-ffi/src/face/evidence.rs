//! Files that show something: taking them, and where each stands.
//!
//! Bytes never cross the boundary: the camera writes to a path.

use std::path::Path;

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::FactId;

use super::convert::{id, job, signed, text, unsigned};
use super::core::PhoneCore;
use super::error::PhoneError;
use super::place::{Datum, PhoneFix};
use crate::{
    Capture, EvidenceCounts, EvidenceItem, EvidenceState, NewFile, StrayFile, UnfinishedCapture,
};

/// Kinds of evidence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MediaKind {
    /// A photo.
    Photo,
    /// A video.
    Video,
    /// A sound recording.
    Audio,
    /// A document.
    Document,
}

/// A file that is to become evidence.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EvidenceFile {
    /// What it is.
    pub media: MediaKind,
    /// The end of its name, as `jpg`, `heic`, `mp4`: 1 to 8 characters of `a-z` and `0-9`.
    pub extension: String,
    /// The earlier file of this visit that shows the same before the work: the two are a pair.
    pub before: Option<String>,
}

/// A position near the moment that a file was taken.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct EvidencePlace {
    /// Datum of the fix.
    pub datum: Datum,
    /// The fix.
    pub fix: PhoneFix,
}

/// A file that is being taken.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EvidenceCapture {
    /// Names it in the calls that follow.
    pub id: i64,
    /// Where the camera is to write it.
    pub path: String,
}

/// A file that was begun and is not stated: finish it if it is there and whole, else discard it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UnfinishedFile {
    /// Names it.
    pub id: i64,
    /// The visit that it belongs to.
    pub visit: String,
    /// What it was to be.
    pub media: MediaKind,
    /// The wall clock when it was begun, Unix milliseconds.
    pub begun_wall_ms: i64,
    /// Taken by the app's own camera, rather than copied in.
    pub captured: bool,
    /// The file, if the camera has written one.
    pub path: Option<String>,
    /// Its bytes; 0 when there is none.
    pub bytes: i64,
}

/// A file beside the store that nothing there knows. `attach` makes evidence of it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UnknownFile {
    /// The file.
    pub path: String,
    /// Its bytes.
    pub bytes: i64,
}

/// Where the bytes of a file stand.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FileState {
    /// On this phone (已存本机): it survives any crash of the phone.
    OnPhone,
    /// The server has a part of it.
    Partly {
        /// So many bytes of it.
        sent: i64,
    },
    /// The server has all of it, and has not signed for it yet (已送达).
    AtServer,
    /// The server has signed that it has the whole file, durably (已核验).
    Verified {
        /// The server's clock when it had it, Unix milliseconds.
        at_ms: i64,
    },
    /// Something is in its way. It is tried again by itself, more and more seldom.
    SetAside {
        /// What is in its way.
        reason: String,
    },
    /// The server keeps the statement that names it for a supervisor, and does not take the file.
    Refused {
        /// Why.
        reason: String,
    },
    /// It is not on this phone any more, and the server does not have it.
    FileMissing,
    /// What is on this phone is not what was recorded.
    FileChanged,
}

/// One file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EvidenceRecord {
    /// The number of the record that states it.
    pub number: i64,
    /// The visit that it belongs to.
    pub visit: String,
    /// The statement that names it now: what an outcome names as its evidence.
    pub fact: String,
    /// What it is.
    pub media: MediaKind,
    /// Taken by the app's own camera, rather than copied in.
    pub captured: bool,
    /// The earlier file of the visit that shows the same before.
    pub before: Option<String>,
    /// The wall clock when it was taken, Unix milliseconds.
    pub wall_ms: i64,
    /// Its bytes.
    pub bytes: i64,
    /// The copy on this phone, unless it was removed after the server had signed for the file.
    pub path: Option<String>,
    /// Where it stands.
    pub state: FileState,
}

/// How many files are where. `recorded = verified + waiting + refused + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct FileCounts {
    /// All.
    pub recorded: i64,
    /// The server has signed for them.
    pub verified: i64,
    /// They are on their way, or set aside for a while.
    pub waiting: i64,
    /// Their statements are kept for a supervisor.
    pub refused: i64,
    /// Missing or changed on this phone before the server had them.
    pub lost: i64,
}

#[uniffi::export]
impl PhoneCore {
    /// Says that a file is about to be taken with the app's own camera, before the camera opens.
    ///
    /// # Errors
    /// When the visit is not on this phone, or the extension is none.
    pub fn begin_capture(
        &self,
        visit: String,
        file: EvidenceFile,
    ) -> Result<EvidenceCapture, PhoneError> {
        self.call("begin_capture", |device| {
            Ok(device.begin_capture(job(&visit)?, file.try_into()?)?.into())
        })
    }

    /// Hashes what the camera has written since the last call, so that a long video is finished at
    /// once. Returns the bytes hashed so far.
    ///
    /// # Errors
    /// When there is no such capture, or its file cannot be read.
    pub fn capture_progress(&self, capture: i64) -> Result<i64, PhoneError> {
        self.call("capture_progress", |device| {
            Ok(signed(device.capture_progress(unsigned("capture", capture)?)?))
        })
    }

    /// The file is whole: makes it last, and states it. The screen may close when this has returned.
    /// Returns the statement's id.
    ///
    /// # Errors
    /// When there is no such capture, or its file is missing, empty or too large. The file stays.
    pub fn finish_capture(
        &self,
        capture: i64,
        place: Option<EvidencePlace>,
    ) -> Result<String, PhoneError> {
        self.call("finish_capture", |device| {
            let place = place.map(TryInto::try_into).transpose()?;
            Ok(device.finish_capture(unsigned("capture", capture)?, place)?.to_string())
        })
    }

    /// Throws a file away that is not yet stated.
    ///
    /// # Errors
    /// When there is no such capture, or its file cannot be removed.
    pub fn discard_capture(&self, capture: i64) -> Result<(), PhoneError> {
        self.call("discard_capture", |device| {
            Ok(device.discard_capture(unsigned("capture", capture)?)?)
        })
    }

    /// Files that were begun and are not stated. Ask at the start of the app.
    ///
    /// # Errors
    /// When the store or its folder cannot be read.
    pub fn unfinished_captures(&self) -> Result<Vec<UnfinishedFile>, PhoneError> {
        self.call("unfinished_captures", |device| {
            Ok(device.unfinished_captures()?.into_iter().map(Into::into).collect())
        })
    }

    /// Files beside the store that belong to nothing in it.
    ///
    /// # Errors
    /// When the store or its folder cannot be read.
    pub fn stray_files(&self) -> Result<Vec<UnknownFile>, PhoneError> {
        self.call("stray_files", |device| {
            Ok(device.stray_files()?.into_iter().map(Into::into).collect())
        })
    }

    /// Copies in a file that was not taken by the app's own camera, and states it as such. Returns
    /// the statement's id.
    ///
    /// # Errors
    /// When the file cannot be read, is empty or too large. Nothing is left of it then.
    pub fn attach(
        &self,
        visit: String,
        path: String,
        file: EvidenceFile,
        place: Option<EvidencePlace>,
    ) -> Result<String, PhoneError> {
        self.call("attach", |device| {
            let place = place.map(TryInto::try_into).transpose()?;
            let fact = device.attach(job(&visit)?, Path::new(&path), file.try_into()?, place)?;
            Ok(fact.to_string())
        })
    }

    /// Files of records after number `after` (0: from the beginning), oldest first, at most `max`.
    ///
    /// # Errors
    /// When `max` is negative or the store fails.
    pub fn evidence(&self, after: i64, max: i32) -> Result<Vec<EvidenceRecord>, PhoneError> {
        self.call("evidence", |device| {
            let max = unsigned("max", i64::from(max))?;
            Ok(device.evidence(after, max)?.into_iter().map(Into::into).collect())
        })
    }

    /// How many files are where.
    ///
    /// # Errors
    /// When the store fails.
    pub fn evidence_counts(&self) -> Result<FileCounts, PhoneError> {
        self.call("evidence_counts", |device| Ok(device.evidence_counts()?.into()))
    }
}

impl From<MediaKind> for Media {
    fn from(media: MediaKind) -> Self {
        match media {
            MediaKind::Photo => Self::Photo,
            MediaKind::Video => Self::Video,
            MediaKind::Audio => Self::Audio,
            MediaKind::Document => Self::Document,
        }
    }
}

impl From<Media> for MediaKind {
    fn from(media: Media) -> Self {
        match media {
            Media::Photo => Self::Photo,
            Media::Video => Self::Video,
            Media::Audio => Self::Audio,
            Media::Document => Self::Document,
        }
    }
}

impl TryFrom<EvidenceFile> for NewFile {
    type Error = PhoneError;

    fn try_from(file: EvidenceFile) -> Result<Self, PhoneError> {
        let EvidenceFile { media, extension, before } = file;
        let before = before.map(|fact| id::<FactId>("before", &fact)).transpose()?;
        Ok(Self { media: media.into(), extension, before })
    }
}

impl TryFrom<EvidencePlace> for (onscene_sync_core::place::Datum, onscene_sync_core::place::Fix) {
    type Error = PhoneError;

    fn try_from(place: EvidencePlace) -> Result<Self, PhoneError> {
        Ok((place.datum.into(), place.fix.try_into()?))
    }
}

impl From<Capture> for EvidenceCapture {
    fn from(capture: Capture) -> Self {
        Self { id: signed(capture.id), path: text(capture.path) }
    }
}

impl From<UnfinishedCapture> for UnfinishedFile {
    fn from(capture: UnfinishedCapture) -> Self {
        let (path, bytes) = capture.file.unzip();
        Self {
            id: signed(capture.id),
            visit: capture.doc.to_string(),
            media: capture.media.into(),
            begun_wall_ms: capture.begun_wall_ms,
            captured: capture.captured,
            path: path.map(text),
            bytes: signed(bytes.unwrap_or(0)),
        }
    }
}

impl From<StrayFile> for UnknownFile {
    fn from(file: StrayFile) -> Self {
        Self { path: text(file.path), bytes: signed(file.bytes) }
    }
}

impl From<EvidenceState> for FileState {
    fn from(state: EvidenceState) -> Self {
        match state {
            EvidenceState::OnPhone => Self::OnPhone,
            EvidenceState::Partly { sent } => Self::Partly { sent: signed(sent) },
            EvidenceState::AtHub => Self::AtServer,
            EvidenceState::Verified { at } => Self::Verified { at_ms: at.0 },
            EvidenceState::SetAside { reason } => Self::SetAside { reason },
            EvidenceState::Refused { reason } => Self::Refused { reason },
            EvidenceState::FileMissing => Self::FileMissing,
            EvidenceState::FileChanged => Self::FileChanged,
        }
    }
}

impl From<EvidenceItem> for EvidenceRecord {
    fn from(item: EvidenceItem) -> Self {
        Self {
            number: item.n,
            visit: item.doc.to_string(),
            fact: item.fact.to_string(),
            media: item.media.into(),
            captured: item.captured,
            before: item.before.map(|fact| fact.to_string()),
            wall_ms: item.wall_ms,
            bytes: signed(item.bytes),
            path: item.path.map(text),
            state: item.state.into(),
        }
    }
}

impl From<EvidenceCounts> for FileCounts {
    fn from(counts: EvidenceCounts) -> Self {
        Self {
            recorded: signed(counts.recorded),
            verified: signed(counts.verified),
            waiting: signed(counts.waiting),
            refused: signed(counts.refused),
            lost: signed(counts.lost),
        }
    }
}

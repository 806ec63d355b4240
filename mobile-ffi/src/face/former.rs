//! What a former store of this phone, whose key was lost, left behind.

use std::path::Path;

use super::convert::signed;
use super::core::PhoneCore;
use super::error::PhoneError;
use super::evidence::{FileState, MediaKind};
use crate::InheritedFile;

/// A file of evidence that a former device of this person stated and this phone delivers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FormerFile {
    /// The statement that names it.
    pub fact: String,
    /// What it is.
    pub media: MediaKind,
    /// Its bytes.
    pub bytes: i64,
    /// The copy on this phone, until it is removed 7 days after the server has signed for it.
    pub path: Option<String>,
    /// Where it stands.
    pub state: FileState,
}

#[uniffi::export]
impl PhoneCore {
    /// Takes over the files of evidence that the store at `former`, set aside because its key was
    /// lost, had not delivered; returns how many. They must lie beside this store: open the new one
    /// in the old place. They go up once the bureau has recovered what names them. Calling it again
    /// takes nothing twice.
    ///
    /// # Errors
    /// When the former store cannot be read, or this one cannot be written.
    pub fn inherit(&self, former: String) -> Result<i64, PhoneError> {
        self.call("inherit", |device| Ok(signed(device.inherit(Path::new(&former))?)))
    }

    /// The files taken over from former stores, and where each stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn former_files(&self) -> Result<Vec<FormerFile>, PhoneError> {
        self.call("former_files", |device| {
            Ok(device.inherited_files()?.into_iter().map(Into::into).collect())
        })
    }
}

impl From<InheritedFile> for FormerFile {
    fn from(file: InheritedFile) -> Self {
        Self {
            fact: file.fact.to_string(),
            media: file.media.into(),
            bytes: signed(file.bytes),
            path: file.path.map(|path| path.display().to_string()),
            state: file.state.into(),
        }
    }
}

//! The folder that holds the files. Rows name them relative to it, because a platform may move the
//! app's storage between two starts.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use onscene_sync_core::id::Hash;

use super::hashing::Hashing;
use crate::error::DeviceError;
use crate::store::evidence::OnDisk;

/// Bytes read at once.
pub(super) const BUFFER: usize = 64 * 1024;

/// The folder of one store's files.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder beside a store's file.
    pub(crate) fn beside(store: &Path) -> Self {
        Self(store.with_extension("media"))
    }

    /// Where a file of this name is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder where it is not there yet, durably.
    pub(super) fn make(&self) -> Result<(), DeviceError> {
        if self.0.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.0).map_err(|error| failed(&self.0, &error))?;
        self.0.parent().map_or(Ok(()), sync)
    }

    /// Names and sizes of all files.
    pub(super) fn files(&self) -> Result<Vec<(String, u64)>, DeviceError> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed(&self.0, &error))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(&self.0, &error))?;
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            files.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
        files.sort();
        Ok(files)
    }

    /// Bytes of a file; `None` when it is not there.
    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>, DeviceError> {
        let path = self.path(name);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Gives a file that is synced to the disk another name, durably.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), DeviceError> {
        let path = self.path(from);
        let opened = File::open(&path).and_then(|file| file.sync_all());
        opened.map_err(|error| failed(&path, &error))?;
        fs::rename(&path, self.path(to)).map_err(|error| failed(&path, &error))?;
        sync(&self.0)
    }

    /// Copies a file in under this name and hashes it.
    pub(super) fn copy_in(&self, from: &Path, name: &str) -> Result<Hashing, DeviceError> {
        let mut hashing = Hashing::new();
        let mut source = File::open(from).map_err(|error| failed(from, &error))?;
        let path = self.path(name);
        let mut copy = File::create_new(&path).map_err(|error| failed(&path, &error))?;
        let copied = hashing.read_on(&mut source, &mut copy);
        copied.map_err(|error| failed(from, &error))?;
        Ok(hashing)
    }

    /// Hashes on to the present end of a file.
    pub(super) fn hash_on(&self, name: &str, hashing: &mut Hashing) -> Result<(), DeviceError> {
        let path = self.path(name);
        let hashed = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(hashing.bytes()))?;
            hashing.read_on(&mut file, &mut io::sink())
        });
        hashed.map_err(|error| failed(&path, &error))
    }

    /// Whether what was hashed of a file so far is still how it begins.
    pub(super) fn begins_with(&self, name: &str, hashing: &Hashing) -> Result<bool, DeviceError> {
        let path = self.path(name);
        let mut block = Vec::new();
        let read = File::open(&path).and_then(|file| {
            let bytes = hashing.first_block_bytes();
            file.take(bytes as u64).read_to_end(&mut block)
        });
        read.map_err(|error| failed(&path, &error))?;
        Ok(hashing.is_first_block(&block))
    }

    /// Looks whether a file is what its fact says, byte for byte.
    pub(crate) fn look(&self, name: &str, sha256: Hash, bytes: u64) -> Result<OnDisk, DeviceError> {
        match self.size(name)? {
            None => return Ok(OnDisk::Missing),
            Some(found) if found != bytes => return Ok(OnDisk::Changed),
            Some(_) => {}
        }
        let mut hashing = Hashing::new();
        self.hash_on(name, &mut hashing)?;
        let same = hashing.bytes() == bytes && hashing.finish() == sha256;
        Ok(if same { OnDisk::Kept } else { OnDisk::Changed })
    }

    /// A part of a file; shorter where the file is.
    pub(crate) fn read(
        &self,
        name: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, DeviceError> {
        let path = self.path(name);
        let mut part = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(length).read_to_end(&mut part)
        });
        read.map_err(|error| failed(&path, &error))?;
        Ok(part)
    }

    /// Removes a file. One that is not there is removed already.
    pub(super) fn remove(&self, name: &str) -> Result<(), DeviceError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, &error)),
            _ => sync(&self.0),
        }
    }
}

/// What was renamed or made in a folder is there after a power cut.
fn sync(folder: &Path) -> Result<(), DeviceError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &io::Error) -> DeviceError {
    DeviceError::File { path: path.to_owned(), why: error.to_string() }
}

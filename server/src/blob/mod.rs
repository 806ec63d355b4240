//! Files by their SHA-256, in a folder or in an S3-compatible store.
//!
//! | address | holds |
//! |---|---|
//! | `sha256/ab/cd…` | a whole file: it stands there only once its hash was seen to be right |
//! | `staging/{upload}/{number}-{holder}` | a piece of a file that is still on its way |
//!
//! A write returns when what it wrote survives a power cut: a folder is written with `fsync` of
//! file and folders, an S3 store answers only then. A file that is read whole is hashed on the way:
//! its last bytes are handed out only if the hash is right.

mod open;
mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use onscene_sync_core::id::Hash;
use thiserror::Error;
use tokio::sync::Semaphore;

pub use read::Reading;
pub use write::KeepError;

/// Files that are being written at once: each holds up to three parts of 8 MiB in memory.
const WRITERS: usize = 8;

/// Why a file could not be read or written.
#[derive(Debug, Error)]
pub enum BlobError {
    /// It is not there.
    #[error("the file {0} is not in the blob store: restore it from a backup")]
    Missing(Hash),
    /// It is there, and it is not what it was.
    #[error("the file {0} in the blob store is damaged: restore it from a backup")]
    Damaged(Hash),
    /// The store could not do it.
    #[error("the blob store refused ({0}): check that it runs, has room, and the section `blob`")]
    Store(#[from] object_store::Error),
    /// The folder could not be made.
    #[error("the folder of the blob store, {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The store. Clones are the same store.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    writers: Arc<Semaphore>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({})", self.store)
    }
}

impl Blobs {
    fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, writers: Arc::new(Semaphore::new(WRITERS)) }
    }

    /// How many bytes the file has; `None` when it is not there.
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn size(&self, hash: Hash) -> Result<Option<u64>, BlobError> {
        match self.store.head(&address(hash)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the file away, if it is there.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn remove(&self, hash: Hash) -> Result<(), BlobError> {
        self.delete(&address(hash)).await
    }

    async fn delete(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn address(hash: Hash) -> Path {
    let text = hash.to_string();
    let (folder, name) = text.split_at(2);
    Path::from_iter(["sha256", folder, name])
}

#[cfg(test)]
mod tests;

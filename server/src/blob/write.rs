//! Writing: whole files under their hash, and pieces of files that are still on their way.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::Hash;
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;

use super::{BlobError, Blobs, address};

/// Bytes of a part of a file on its way to the store; S3 takes none below 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at once.
const PARTS: usize = 2;

/// Why a file was not kept.
#[derive(Debug, Error)]
pub enum KeepError {
    /// The bytes are not those of this hash. Nothing of them was kept.
    #[error("the bytes have the SHA-256 {found} and not {expected}")]
    OtherBytes {
        /// Whose bytes they should be.
        expected: Hash,
        /// Whose they are.
        found: Hash,
    },
    /// The store.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl Blobs {
    /// Keeps a small file and returns its hash.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<Hash, BlobError> {
        let hash = sha256(&bytes);
        self.store.put(&address(hash), bytes.into()).await?;
        Ok(hash)
    }

    /// Keeps a file if its hash is `expected`: it is at its address, durably, or not at all.
    ///
    /// # Errors
    /// When the bytes are others, or cannot be read or written.
    pub async fn keep_stream(
        &self,
        expected: Hash,
        mut pieces: impl Stream<Item = Result<Bytes, BlobError>> + Send + Unpin,
    ) -> Result<(), KeepError> {
        // The semaphore is never closed.
        let _turn = self.writers.acquire().await;
        let mut writer =
            BufWriter::with_capacity(Arc::clone(&self.store), address(expected), PART_BYTES)
                .with_max_concurrency(PARTS);
        let mut digest = Context::new(&SHA256);
        let copied = async {
            while let Some(piece) = pieces.try_next().await? {
                digest.update(&piece);
                writer.put(piece).await?;
            }
            Ok::<_, BlobError>(())
        };
        let outcome = match copied.await {
            Ok(()) => as_expected(expected, digest),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "parts of a refused file stay in the blob store");
            }
            return Err(error);
        }
        writer.shutdown().await.map_err(|error| BlobError::from(store_error(error)))?;
        Ok(())
    }

    /// Whether the bytes are those of `expected`, without keeping them.
    ///
    /// # Errors
    /// When they are others, or cannot be read.
    pub async fn compare(
        &self,
        expected: Hash,
        mut pieces: impl Stream<Item = Result<Bytes, BlobError>> + Send + Unpin,
    ) -> Result<(), KeepError> {
        let mut digest = Context::new(&SHA256);
        while let Some(piece) = pieces.try_next().await? {
            digest.update(&piece);
        }
        as_expected(expected, digest)
    }

    /// Puts a piece down; one that is there under the same name is replaced.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn stage(&self, folder: &str, name: &str, bytes: Vec<u8>) -> Result<(), BlobError> {
        self.store.put(&staged(folder, name), bytes.into()).await?;
        Ok(())
    }

    /// Reads the first `length` bytes of a piece.
    ///
    /// # Errors
    /// When it is not there, or shorter, or the store refuses.
    pub async fn staged(
        &self,
        folder: &str,
        name: &str,
        length: usize,
    ) -> Result<Bytes, BlobError> {
        let bytes = self.store.get(&staged(folder, name)).await?.bytes().await?;
        if bytes.len() < length {
            let source = format!("a staged piece has {} bytes, not {length}", bytes.len()).into();
            return Err(object_store::Error::Generic { store: "staging", source }.into());
        }
        Ok(bytes.slice(..length))
    }

    /// Takes a piece away, if it is there.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn unstage(&self, folder: &str, name: &str) -> Result<(), BlobError> {
        self.delete(&staged(folder, name)).await
    }

    /// Takes all pieces of a folder away.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn clear(&self, folder: &str) -> Result<(), BlobError> {
        let prefix = Path::from_iter(["staging", folder]);
        let mut found = self.store.list(Some(&prefix)).map_ok(|meta| meta.location).boxed();
        while let Some(path) = found.try_next().await? {
            self.delete(&path).await?;
        }
        Ok(())
    }

    /// The folders that hold pieces.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn staging_folders(&self) -> Result<Vec<String>, BlobError> {
        let listed = self.store.list_with_delimiter(Some(&Path::from("staging"))).await?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(listed.common_prefixes.iter().filter_map(name).collect())
    }
}

fn staged(folder: &str, name: &str) -> Path {
    Path::from_iter(["staging", folder, name])
}

fn as_expected(expected: Hash, digest: Context) -> Result<(), KeepError> {
    let found = hash_of(digest);
    if found == expected { Ok(()) } else { Err(KeepError::OtherBytes { expected, found }) }
}

fn hash_of(digest: Context) -> Hash {
    let found = digest.finish();
    Hash::from_bytes(found.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

fn store_error(error: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "blob", source: error.into() }
}

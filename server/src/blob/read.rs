//! Reading: whole files are hashed on the way.

use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, ObjectStore as _};
use onscene_sync_core::id::Hash;

use super::{BlobError, Blobs, address};

/// A file, or a part of one, on its way out.
pub struct Reading {
    /// Bytes of the whole file.
    pub size: u64,
    /// The bytes. Of a whole file that is not what it was, the last piece is an error instead.
    pub bytes: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Blobs {
    /// The whole file.
    ///
    /// # Errors
    /// When it is not there or the store refuses; while reading, also when it is damaged.
    pub async fn read(&self, hash: Hash) -> Result<Reading, BlobError> {
        let Reading { size, bytes } = self.get(hash, None).await?;
        let state = Checking { hash, inner: bytes, digest: Context::new(&SHA256), held: None };
        let bytes = futures_util::stream::try_unfold(Some(state), |state| async {
            match state {
                Some(state) => state.next().await,
                None => Ok(None),
            }
        });
        Ok(Reading { size, bytes: bytes.boxed() })
    }

    /// A part of the file, which cannot be checked by itself.
    ///
    /// # Errors
    /// When the file is not there, or shorter, or the store refuses.
    pub async fn read_part(&self, hash: Hash, range: Range<u64>) -> Result<Reading, BlobError> {
        self.get(hash, Some(range)).await
    }

    /// The whole file in memory, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Blobs::read`]; a file that is longer counts as damaged.
    pub async fn bytes(&self, hash: Hash, limit: u64) -> Result<Vec<u8>, BlobError> {
        let reading = self.read(hash).await?;
        if reading.size > limit {
            return Err(BlobError::Damaged(hash));
        }
        let mut stream = reading.bytes;
        let mut all = Vec::with_capacity(usize::try_from(reading.size).unwrap_or(0));
        while let Some(piece) = stream.try_next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// Reads the whole file and throws it away.
    ///
    /// # Errors
    /// When it is not there, damaged, or the store refuses.
    pub async fn verify(&self, hash: Hash) -> Result<(), BlobError> {
        self.read(hash).await?.bytes.try_for_each(|_| async { Ok(()) }).await
    }

    async fn get(&self, hash: Hash, range: Option<Range<u64>>) -> Result<Reading, BlobError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&address(hash), options).await {
            Ok(result) => {
                let size = result.meta.size;
                let bytes = result.into_stream().map_err(BlobError::from).boxed();
                Ok(Reading { size, bytes })
            }
            Err(object_store::Error::NotFound { .. }) => Err(BlobError::Missing(hash)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Holds each piece back until the next one came, and the last until the hash was right: who got
/// everything got the right file.
struct Checking {
    hash: Hash,
    inner: BoxStream<'static, Result<Bytes, BlobError>>,
    digest: Context,
    held: Option<Bytes>,
}

impl Checking {
    async fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, BlobError> {
        loop {
            match self.inner.try_next().await? {
                Some(piece) => {
                    self.digest.update(&piece);
                    if let Some(ready) = self.held.replace(piece) {
                        return Ok(Some((ready, Some(self))));
                    }
                }
                None => {
                    let found = self.digest.finish();
                    if found.as_ref() != &self.hash.as_bytes()[..] {
                        metrics::counter!("onscene_blob_damaged_total").increment(1);
                        tracing::error!(file = %self.hash, "a file in the blob store is damaged");
                        return Err(BlobError::Damaged(self.hash));
                    }
                    return Ok(self.held.map(|last| (last, None)));
                }
            }
        }
    }
}

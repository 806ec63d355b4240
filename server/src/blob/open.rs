//! From the configuration to a store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, RetryConfig};

use super::{BlobError, Blobs};
use crate::config::Blob;
use crate::keys::make_private_dir;

/// How long one request to an S3 store may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a request to an S3 store is tried again when the store stumbles.
const RETRY_FOR: Duration = Duration::from_secs(15);
const RETRIES: usize = 3;

impl Blobs {
    /// Opens what `config` names; `data` is the data folder. A folder that is not there is made,
    /// readable by its owner alone. A bucket must be there.
    ///
    /// # Errors
    /// When the folder cannot be made or the configuration has no sense.
    pub fn open(config: &Blob, data: &Path) -> Result<Self, BlobError> {
        if config.bucket.is_empty() {
            let dir = config.dir.clone().unwrap_or_else(|| data.join("blobs"));
            make_private_dir(&dir)
                .map_err(|source| BlobError::Folder { path: dir.display().to_string(), source })?;
            return Self::folder(&dir);
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id.0)
            .with_secret_access_key(&config.secret_access_key.0)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(TIMEOUT)
                    .with_allow_http(config.endpoint.starts_with("http://")),
            )
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                retry_timeout: RETRY_FOR,
                ..RetryConfig::default()
            });
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(&config.endpoint);
        }
        Ok(Self::over(Arc::new(builder.build()?)))
    }

    /// As [`Blobs::open`], and makes nothing; `None` when there is no folder yet.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn open_existing(config: &Blob, data: &Path) -> Result<Option<Self>, BlobError> {
        let dir = config.dir.clone().unwrap_or_else(|| data.join("blobs"));
        if config.bucket.is_empty() && !dir.is_dir() {
            return Ok(None);
        }
        Self::open(config, data).map(Some)
    }

    /// As [`Blobs::open`] on a folder that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn folder(dir: &Path) -> Result<Self, BlobError> {
        let folder = LocalFileSystem::new_with_prefix(dir)?;
        Ok(Self::over(Arc::new(folder.with_fsync(true).with_automatic_cleanup(true))))
    }
}

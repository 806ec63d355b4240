//! Writing a bundle: files go from the blob store into it piece by piece, never whole into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use onscene_sync_core::crypto::{SigningFailed, SoftwareEd25519, sha256};
use onscene_sync_core::id::Hash;
use onscene_sync_core::limits::{
    BUNDLE_BYTES, BUNDLE_ENTRIES, BUNDLE_KEPT_BYTES, BUNDLE_PART_BYTES,
};
use onscene_sync_core::time::Millis;
use thiserror::Error;
use tokio::sync::mpsc;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::format::{
    FORMAT, Listed, MANIFEST, Manifest, PHONES, README, README_TEXT, SIGNATURE, document_name,
    evidence_name, grounds_name, proof_name, receipt_name, sign,
};
use super::gather::Gathered;
use crate::blob::{BlobError, Blobs};

/// Room for what an entry takes besides its bytes: two headers with its name.
const ENTRY_BYTES: u64 = 400;

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The blob store's part.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The hub's own key failed.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The file could not be written.
    #[error("the bundle could not be written ({0}): check that the disk has room")]
    Write(#[from] ZipError),
    /// The same.
    #[error("the bundle could not be written ({0}): check that the disk has room")]
    Io(#[from] io::Error),
    /// More than the format or a reader takes.
    #[error(
        "the case has more than a bundle holds: {BUNDLE_ENTRIES} entries, 4 GiB, and \
         {BUNDLE_KEPT_BYTES} bytes without the files"
    )]
    TooLarge,
}

/// A bundle that was written.
#[derive(Debug)]
pub struct Bundle {
    /// The file, at its beginning.
    pub file: File,
    /// Its bytes.
    pub bytes: u64,
    /// Files that it should hold and the hub does not have, or has damaged.
    pub missing: Vec<Hash>,
}

/// Writes a bundle into an empty file and seals it.
///
/// # Errors
/// When a file of evidence cannot be read for another reason than that it is gone or damaged, when
/// there is too much for one bundle, when the disk is full, or the key cannot sign.
pub async fn export(
    all: Gathered,
    blobs: &Blobs,
    key: &SoftwareEd25519,
    now: Millis,
    file: File,
) -> Result<Bundle, ExportError> {
    let (sender, receiver) = mpsc::channel(4);
    let packing = tokio::task::spawn_blocking(move || pack(file, receiver));
    let writing = Writing { to: sender, entries: BTreeMap::new(), bytes: 0, kept: 0 };
    let written = write(writing, all, blobs, key, now).await;
    // When packing ended by itself, that is the reason, and what is said above follows from it.
    let mut file = packing.await.map_err(io::Error::other)??;
    let missing = written?;
    let bytes = file.stream_position()?;
    file.rewind()?;
    Ok(Bundle { file, bytes, missing })
}

/// One step of writing an archive.
enum Step {
    Begin(String),
    Bytes(Bytes),
    /// Forget the entry that was begun.
    Abort,
}

fn pack(file: File, mut steps: mpsc::Receiver<Step>) -> Result<File, ZipError> {
    let mut zip = ZipWriter::new(file);
    let how = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    while let Some(step) = steps.blocking_recv() {
        match step {
            Step::Begin(name) => zip.start_file(name, how)?,
            Step::Bytes(bytes) => zip.write_all(&bytes)?,
            Step::Abort => zip.abort_file()?,
        }
    }
    zip.finish()
}

async fn write(
    mut to: Writing,
    all: Gathered,
    blobs: &Blobs,
    key: &SoftwareEd25519,
    now: Millis,
) -> Result<Vec<Hash>, ExportError> {
    let hub_key = key.public_key();
    to.add(README, README_TEXT).await?;
    to.add(PHONES, json(&all.phones)).await?;
    for (id, log) in &all.logs {
        let log = minicbor::to_vec(log).expect("writing CBOR to memory cannot fail");
        to.add(&document_name(*id), log).await?;
    }
    for (hash, bytes) in all.grounds {
        to.add(&grounds_name(hash), bytes).await?;
    }
    for (fact, receipt) in all.receipts {
        to.add(&receipt_name(fact), receipt).await?;
    }
    for proof in all.proofs {
        to.add(&proof_name(proof.index), proof.to_text(&hub_key)).await?;
    }
    let mut missing = Vec::new();
    let hashes: BTreeSet<_> = all.files.values().map(|file| file.sha256).collect();
    for hash in hashes {
        if !to.add_file(hash, blobs).await? {
            missing.push(hash);
        }
    }
    let manifest = json(&Manifest {
        format: FORMAT.to_owned(),
        case: all.case,
        made_at: now,
        hub_key: Hash::from_bytes(hub_key),
        entries: to.entries.clone(),
        missing: missing.clone(),
    });
    let signature = sign(&manifest, key)?;
    to.add(MANIFEST, manifest).await?;
    to.add(SIGNATURE, signature.to_vec()).await?;
    Ok(missing)
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("ids, numbers and texts have a JSON form")
}

struct Writing {
    to: mpsc::Sender<Step>,
    entries: BTreeMap<String, Listed>,
    bytes: u64,
    kept: usize,
}

impl Writing {
    async fn add(&mut self, name: &str, content: impl Into<Bytes>) -> Result<(), ExportError> {
        let content = content.into();
        self.kept += content.len();
        if content.len() > BUNDLE_PART_BYTES || self.kept > BUNDLE_KEPT_BYTES {
            return Err(ExportError::TooLarge);
        }
        let listed = Listed { sha256: sha256(&content), bytes: content.len() as u64 };
        self.list(name.to_owned(), listed)?;
        self.step(Step::Begin(name.to_owned())).await?;
        self.step(Step::Bytes(content)).await
    }

    /// Adds a file; `false` when it is not there or not what it was.
    async fn add_file(&mut self, sha256: Hash, blobs: &Blobs) -> Result<bool, ExportError> {
        let mut reading = match blobs.read(sha256).await {
            Ok(reading) => reading,
            Err(BlobError::Missing(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let (name, mut bytes) = (evidence_name(sha256), 0);
        if self.bytes + reading.size > BUNDLE_BYTES {
            return Err(ExportError::TooLarge);
        }
        self.step(Step::Begin(name.clone())).await?;
        loop {
            match reading.bytes.try_next().await {
                Ok(Some(piece)) => {
                    bytes += piece.len() as u64;
                    self.step(Step::Bytes(piece)).await?;
                }
                Ok(None) => break,
                Err(BlobError::Missing(_) | BlobError::Damaged(_)) => {
                    self.step(Step::Abort).await?;
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.list(name, Listed { sha256, bytes })?;
        Ok(true)
    }

    fn list(&mut self, name: String, listed: Listed) -> Result<(), ExportError> {
        self.bytes += listed.bytes + ENTRY_BYTES;
        self.entries.insert(name, listed);
        if self.bytes > BUNDLE_BYTES || self.entries.len() > BUNDLE_ENTRIES {
            return Err(ExportError::TooLarge);
        }
        Ok(())
    }

    async fn step(&self, step: Step) -> Result<(), ExportError> {
        let ended = |_| ExportError::Io(io::ErrorKind::BrokenPipe.into());
        self.to.send(step).await.map_err(ended)
    }
}

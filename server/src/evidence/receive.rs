//! Bytes of a request into pieces, as they come.
//!
//! A piece is put down when it is full, when its oldest byte waits for two seconds, and when the
//! request ends in whatever way; so a cut or a kill costs at most [`UPLOAD_PIECE_BYTES`], and a
//! network that breaks every few seconds still gets on. A request with a checksum counts only as a
//! whole: its pieces are put down as they come, and the row moves once the checksum is right.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Body;
use http_body_util::BodyExt as _;
use onscene_sync_core::limits::UPLOAD_PIECE_BYTES;
use thiserror::Error;
use tokio::time::{Instant, sleep_until};

use super::EvidenceError;
use super::uploads::{self, Step, Upload};
use crate::app::App;
use crate::store::StoreError;

/// How long a byte waits to be put down.
const WAIT: Duration = Duration::from_secs(2);
const PIECE: u64 = UPLOAD_PIECE_BYTES as u64;

/// Why a request's bytes ended early. What had come is kept, but with a wrong or missing checksum.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// See [`EvidenceError`].
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The connection broke.
    #[error("the connection broke: ask for the offset (HEAD) and go on from there")]
    Cut,
    /// Nothing came for too long.
    #[error("nothing came for {0} s: ask for the offset (HEAD) and go on from there")]
    Idle(u64),
    /// More came than the file has.
    #[error("the request holds more bytes than are missing")]
    TooLong,
    /// The bytes are not those of the checksum.
    #[error("the bytes do not have the checksum of the request: send them again")]
    OtherChecksum,
    /// The program is about to end.
    #[error("the hub is stopping: ask for the offset (HEAD) and go on from there")]
    Stopping,
}

/// What a request's bytes must hash to.
#[derive(Clone)]
pub struct Checksum {
    digest: digest::Context,
    expected: Vec<u8>,
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checksum(…)")
    }
}

impl Checksum {
    /// Of an algorithm as the protocol names it; `None` for one that is not taken.
    #[must_use]
    pub fn new(algorithm: &str, expected: Vec<u8>) -> Option<Self> {
        let algorithm = match algorithm {
            "sha256" => &digest::SHA256,
            // The one algorithm that tus 1.0 says every server must take.
            "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            _ => return None,
        };
        Some(Self { digest: digest::Context::new(algorithm), expected })
    }

    fn holds(self) -> bool {
        self.digest.finish().as_ref() == self.expected
    }
}

/// Takes in a body at the end of what `upload` has; its caller holds it. `upload` is moved on as far
/// as the bytes are durable.
///
/// # Errors
/// When not all of the body was taken.
pub async fn receive(
    app: &App,
    upload: &mut Upload,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<(), ReceiveError> {
    let mut pieces = Pieces::resume(app, upload, checksum).await?;
    let ended = pieces.take_in(body).await;
    pieces.settle(ended).await
}

struct Pieces<'a> {
    app: &'a App,
    upload: &'a mut Upload,
    checksum: Option<Checksum>,
    /// The piece being filled, from its own beginning.
    number: u64,
    buffer: Vec<u8>,
    /// Bytes at the end of `buffer` that are not put down.
    fresh: usize,
    /// Pieces put down and not yet counted.
    written: Vec<u64>,
    /// Who wrote the piece that this request began in the middle of.
    former: Option<(u64, i64)>,
}

impl<'a> Pieces<'a> {
    async fn resume(
        app: &'a App,
        upload: &'a mut Upload,
        checksum: Option<Checksum>,
    ) -> Result<Self, EvidenceError> {
        let number = upload.received / PIECE;
        let begun = usize::try_from(upload.received % PIECE).unwrap_or(0);
        let (mut buffer, mut former) = (Vec::new(), None);
        if begun > 0 {
            let read = app
                .store
                .with_read("uploads.pieces", upload.id, |tx, id| Box::pin(uploads::pieces(tx, *id)))
                .await?;
            former = read.into_iter().find(|(found, _)| *found == number);
            let holder = former.map_or(upload.holder, |(_, holder)| holder);
            let name = piece_name(number, holder);
            buffer = app.blobs.staged(&upload.folder(), &name, begun).await?.to_vec();
        }
        Ok(Self { app, upload, checksum, number, buffer, fresh: 0, written: Vec::new(), former })
    }

    async fn take_in(&mut self, mut body: Body) -> Result<(), ReceiveError> {
        let idle_s = self.app.config.evidence.idle_timeout_s;
        let mut stop = self.app.stopper.listen();
        let mut idle_at = Instant::now() + Duration::from_secs(idle_s);
        let mut flush_at = Instant::now() + WAIT;
        loop {
            let waits = self.fresh > 0 && self.checksum.is_none();
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = sleep_until(flush_at), if waits => {
                    self.put_down().await?;
                    continue;
                }
                () = sleep_until(idle_at) => return Err(ReceiveError::Idle(idle_s)),
                () = stop.requested() => return Err(ReceiveError::Stopping),
            };
            let Some(frame) = frame else { return Ok(()) };
            let Ok(data) = frame.map_err(|_| ReceiveError::Cut)?.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            idle_at = Instant::now() + Duration::from_secs(idle_s);
            if self.fresh == 0 {
                flush_at = Instant::now() + WAIT;
            }
            if data.len() as u64 > self.upload.bytes.saturating_sub(self.position()) {
                return Err(ReceiveError::TooLong);
            }
            self.push(&data).await?;
        }
    }

    /// How far the bytes reach, put down or not.
    fn position(&self) -> u64 {
        self.number * PIECE + self.buffer.len() as u64
    }

    async fn push(&mut self, mut data: &[u8]) -> Result<(), EvidenceError> {
        if let Some(checksum) = &mut self.checksum {
            checksum.digest.update(data);
        }
        while !data.is_empty() {
            let room = UPLOAD_PIECE_BYTES - self.buffer.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.buffer.extend_from_slice(now);
            self.fresh += now.len();
            data = later;
            if self.buffer.len() == UPLOAD_PIECE_BYTES {
                self.put_down().await?;
                self.number += 1;
                self.buffer.clear();
            }
        }
        Ok(())
    }

    async fn put_down(&mut self) -> Result<(), EvidenceError> {
        let name = piece_name(self.number, self.upload.holder);
        self.app.blobs.stage(&self.upload.folder(), &name, self.buffer.clone()).await?;
        self.fresh = 0;
        if self.written.last() != Some(&self.number) {
            self.written.push(self.number);
        }
        if self.checksum.is_none() { self.count(self.position()).await } else { Ok(()) }
    }

    /// Moves the row, and clears away what the row named before.
    async fn count(&mut self, to: u64) -> Result<(), EvidenceError> {
        let (app, now) = (self.app, self.app.now());
        let evidence = &app.config.evidence;
        let step = Step {
            to,
            pieces: std::mem::take(&mut self.written),
            expires_at: now.plus(i64::from(evidence.upload_hours) * 3_600_000),
            day: uploads::day_of(now, app.config.bureau.utc_offset_min),
            day_limit: evidence.device_day_bytes,
        };
        let input = (self.upload.clone(), step.clone());
        let moved = app.store.with_tx("uploads.advance", input, |tx, (upload, step)| {
            Box::pin(uploads::advance(tx, upload, step))
        });
        moved.await?;
        self.upload.received = to;
        self.upload.expires_at = step.expires_at;
        if let Some((number, holder)) = self.former.take() {
            self.unstage(number, holder).await;
        }
        Ok(())
    }

    /// Ends the request: what came counts, or with a checksum counts only if that is right.
    async fn settle(&mut self, ended: Result<(), ReceiveError>) -> Result<(), ReceiveError> {
        if let Err(ReceiveError::Evidence(error)) = ended {
            return Err(error.into());
        }
        let Some(checksum) = self.checksum.clone() else {
            if self.fresh > 0 {
                self.put_down().await?;
            }
            return ended;
        };
        let outcome = match ended {
            Ok(()) if checksum.holds() => self.count_all().await.map_err(ReceiveError::from),
            Ok(()) => Err(ReceiveError::OtherChecksum),
            Err(cut) => Err(cut),
        };
        if outcome.is_err() {
            for number in std::mem::take(&mut self.written) {
                self.unstage(number, self.upload.holder).await;
            }
        }
        outcome
    }

    async fn count_all(&mut self) -> Result<(), EvidenceError> {
        if self.fresh > 0 {
            self.put_down().await?;
        }
        let to = self.position();
        if to > self.upload.received { self.count(to).await } else { Ok(()) }
    }

    /// What stays behind is cleared with the whole folder later.
    async fn unstage(&self, number: u64, holder: i64) {
        let name = piece_name(number, holder);
        if let Err(error) = self.app.blobs.unstage(&self.upload.folder(), &name).await {
            tracing::warn!(%error, "a piece stays in the blob store for now");
        }
    }
}

/// A piece's name in its staging folder. The holder is part of it, so that one who was overtaken
/// cannot overwrite what his successor put down.
pub(super) fn piece_name(number: u64, holder: i64) -> String {
    format!("{number:06}-{holder}")
}

impl From<StoreError> for ReceiveError {
    fn from(error: StoreError) -> Self {
        Self::Evidence(error.into())
    }
}

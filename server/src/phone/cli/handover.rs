//! `onscene phone handover`: two phones meet over two files, one for each direction.
//!
//! Each message is preceded by its length, four bytes big-endian. A phone begins its own file anew and
//! follows the other's as it grows.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use onscene_mobile::{Device, Given, Handover, HandoverError};
use onscene_sync_core::limits::HANDOVER_MESSAGE_BYTES;
use tokio::time::{Instant, sleep};

use super::PhoneError;

/// How often the other phone's file is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct HandoverArgs {
    /// File for what this phone says; begun anew.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// File with what the other phone says; it may come later.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// How long to wait for the other phone.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    wait: u64,
}

/// Meets the other phone until both have everything, or the time is up.
pub(super) async fn meet(device: &mut Device, args: &HandoverArgs) -> Result<Given, PhoneError> {
    let mut meeting = device.hand_over()?;
    let mut to = File::create(&args.to).map_err(at(&args.to))?;
    let mut from = Follower { path: args.from.clone(), read: 0 };
    let until = Instant::now() + Duration::from_secs(args.wait);
    loop {
        while let Some(message) = meeting.next(device)? {
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
            to.write_all(&[&length[..], &message].concat()).map_err(at(&args.to))?;
        }
        while let Some(message) = from.next()? {
            take(&mut meeting, device, &message)?;
        }
        if meeting.is_done() {
            return Ok(meeting.given().clone());
        }
        if Instant::now() >= until {
            let heard = format!(
                "the other phone did not say everything within {} seconds: {} changes and {} facts \
                 of cases came, {} messages went. What came is kept; meet again for the rest",
                args.wait,
                meeting.given().changes,
                meeting.given().told,
                meeting.sent(),
            );
            return Err(PhoneError::Usage(heard));
        }
        sleep(LOOK).await;
    }
}

fn take(meeting: &mut Handover, device: &mut Device, message: &[u8]) -> Result<(), PhoneError> {
    match meeting.take(device, message) {
        // The file may begin with an earlier meeting.
        Ok(_) | Err(HandoverError::Unreadable(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file of messages that grows.
struct Follower {
    path: PathBuf,
    read: u64,
}

impl Follower {
    /// The next message that is there whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, PhoneError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&self.path)(error)),
        };
        let length = file.metadata().map_err(at(&self.path))?.len();
        if length < self.read {
            // The other phone has begun anew.
            self.read = 0;
        }
        file.seek(SeekFrom::Start(self.read)).map_err(at(&self.path))?;
        let Some(bytes) = exactly(&mut file, 4, &self.path)? else { return Ok(None) };
        let size = bytes.iter().fold(0_usize, |size, byte| size << 8 | usize::from(*byte));
        if size > HANDOVER_MESSAGE_BYTES {
            let what = format!("{}: it was not written by `handover`", self.path.display());
            return Err(PhoneError::Usage(what));
        }
        let message = exactly(&mut file, size, &self.path)?;
        if message.is_some() {
            self.read += 4 + size as u64;
        }
        Ok(message)
    }
}

fn exactly(file: &mut File, size: usize, path: &Path) -> Result<Option<Vec<u8>>, PhoneError> {
    let mut bytes = vec![0; size];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> PhoneError {
    let path = path.to_owned();
    |source| PhoneError::File { path, source }
}
